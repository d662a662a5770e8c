"""`bgpctl speaker run`: put the parts of one node's speaker together and run them until a signal."""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bgpctl.core.handover import Look
from bgpctl.core.intent.settling import SETTLE
from bgpctl.core.model import IPAddress
from bgpctl.core.policy.annotations import RUN, unfinished
from bgpctl.core.reading.documents import annotations_of
from bgpctl.errors import UsageError
from bgpctl.exabgp.engine import Engine
from bgpctl.kube.client import Client
from bgpctl.ports import Mode, Sink, Source
from bgpctl.speaker import logs, netlink, places
from bgpctl.speaker.alone import alone
from bgpctl.speaker.beside import Beside
from bgpctl.speaker.counters import Bell
from bgpctl.speaker.manager import Manager
from bgpctl.speaker.readiness import Check, Readiness
from bgpctl.speaker.settings import Settings
from bgpctl.speaker.sources import FileSource
from bgpctl.speaker.status import metrics, pages
from bgpctl.speaker.status import socket as status_socket
from bgpctl.speaker.status.kubesink import KubeSink
from bgpctl.speaker.status.memory import Joined, Memory
from bgpctl.speaker.status.publisher import FileSink
from bgpctl.speaker.status.remembering import Remembering
from bgpctl.speaker.verdictsource import VerdictSource

# A loop that has not run for this long is stuck: it ticks at least every 15 s.
STUCK_AFTER = 60.0

log = logging.getLogger("bgpctl.speaker")


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """`client` for Kubernetes, or `file` for one YAML stream; exactly one of them. `listen` "" = no HTTP.
    `others` looks for another BGP stack on the node; `beside`: the speaker begins though it finds one."""

    node: str
    client: Client | None = None
    file: Path | None = None
    listen: str = ""
    source_address: IPAddress | None = None
    next_hops: tuple[IPAddress, ...] = ()
    withdraw_without_endpoints: bool = False
    damping: bool = True
    soak: float = 0.0
    ready_checks: tuple[Check, ...] = ()
    secrets_namespace: str = "kube-system"
    auth_secrets: tuple[str, ...] | None = None
    directory: Path | None = None
    engine: Mode = Mode.OWN
    log_format: str = "text"
    log_level: str = "info"
    others: Callable[[], Look] | None = None
    beside: bool = False


def run_speaker(options: SpeakerOptions) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code. Raises UsageError."""
    logs.configure(options.log_format, options.log_level, options.node)
    directory = places.directory(options.directory, options.node)
    with alone(directory, options.node, options.source_address) as claim:
        _run(options, directory, claim)
    return 0


def _run(options: SpeakerOptions, directory: Path, claim: str) -> None:
    bell = Bell()
    source, memory = _ends(options, directory, bell.changed)
    sink = Remembering(memory)
    engine = Engine(directory / places.ENGINE, ring=bell.set, log=log, mode=options.engine, claim=claim)
    beside = Beside(options.node, options.others, bell.set, allowed=options.beside)
    manager = Manager(
        options.node,
        source,
        engine,
        sink.write,
        Settings(
            source_address=options.source_address,
            next_hops=options.next_hops,
            booted_at=netlink.booted_at(),
            withdraw_without_endpoints=options.withdraw_without_endpoints,
            damping=options.damping,
            soak=options.soak,
            settle=SETTLE,
        ),
        bell=bell,
        recall=sink.read,
        unkept=lambda: memory.unkept,
        readiness=Readiness(options.ready_checks, bell.set),
        beside=beside,
    )
    with contextlib.ExitStack() as stack:
        _on_signal(manager.stop)
        stack.callback(status_socket.serve(directory, manager, lambda: memory.untold))
        if options.listen:
            stack.callback(pages.serve(options.listen, _answers(manager, source, memory)))
        source.start()
        stack.callback(source.stop)
        beside.start()
        stack.callback(beside.stop)
        memory.start()
        stack.callback(lambda: memory.close(sink.completed(manager.state)))
        log.info(
            "speaker.started",
            extra={"engine": engine.version, "mode": options.engine, "directory": str(directory)},
        )
        manager.run()


def _on_signal(stop: Callable[[], None]) -> None:
    """A handler runs in the middle of whatever the main thread does, so it may take no lock that the loop may
    hold. SimpleQueue.put is made for it."""
    received: queue.SimpleQueue[int] = queue.SimpleQueue()

    def wait() -> None:
        number = received.get()
        log.info("speaker.shutdown", extra={"signal": signal.Signals(number).name})
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: received.put(number))
    threading.Thread(target=wait, name="signals", daemon=True).start()


# --- its parts ----------------------------------------------------------------------------------------------


def _ends(options: SpeakerOptions, directory: Path, ring: Callable[[], None]) -> tuple[Source, Memory]:
    """Where objects come from, and where the state goes."""
    if options.file is not None:
        told: Sink = FileSink(directory / places.STATE)
        return FileSource(options.file, options.node, ring), Memory(options.node, told)
    if options.client is None:
        raise UsageError(
            "a speaker needs a cluster or a file", "pass --kubeconfig PATH, --in-cluster or --file PATH"
        )
    source = VerdictSource(
        options.client, options.node, options.secrets_namespace, ring, options.auth_secrets
    )
    kept = FileSink(places.memory(directory, options.node))
    mark = places.memory(directory, options.node).with_suffix(".told")
    told = KubeSink(options.client, options.node, source.node_uid, kept.read, mark)
    memory = Memory(options.node, told, Joined(kept, told.beside.joined))
    told.noticed = memory.keep_again
    return source, memory


def _answers(manager: Manager, source: Source, memory: Memory) -> pages.Answers:
    def stuck() -> str:
        age = time.monotonic() - manager.counters.ticked_at
        late = manager.counters.ticked_at and age > STUCK_AFTER
        return f"the loop has not run for {age:.0f} s" if late else ""

    def healthy() -> tuple[bool, str]:
        """The manager starts a dead engine again by itself, sooner than a kubelet would; who asks here ends a
        manager that does not get there."""
        trouble = stuck() or manager.engine_trouble or source.trouble() or memory.trouble
        return not trouble, trouble or "ok"

    def ready() -> tuple[bool, str]:
        good, text = healthy()
        if not good:
            return False, text
        if not source.ready():
            return False, f"waiting for the first objects: {'; '.join(source.problems()) or 'none seen yet'}"
        state = manager.state
        if state.waits:
            return False, state.waits
        text = f"{state.phase}, {state.established}/{len(state.peers)} peers established"
        return state.phase not in ("Starting", "Leaving", "Stopped"), text

    def exposition() -> str:
        node = source.observe().node if source.ready() else None
        run = unfinished(annotations_of(node or {}).get(RUN, ""))
        return metrics.render(manager.state, manager.counters, time.time(), memory.told_at, run)

    return pages.Answers(healthy, ready, exposition)

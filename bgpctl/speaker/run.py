"""`bgpctl speaker run`: put the parts of one node's speaker together and run them until a signal."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bgpctl.core.model import IPAddress
from bgpctl.core.nodestate import NodeState
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.kube.client import Client
from bgpctl.speaker import http, logs, metrics
from bgpctl.speaker.exabgp.engine import Engine
from bgpctl.speaker.manager import Manager
from bgpctl.speaker.publish import FileSink, KubeSink, Publisher, Sink
from bgpctl.speaker.source import FileSource, KubeSource, Source

# A loop that has not run for this long is stuck: it ticks at least every 15 s.
STUCK_AFTER = 60.0

log = logging.getLogger("bgpctl.speaker")


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    """`client` for Kubernetes, or `file` for one YAML stream; exactly one of them. `listen` "" = no HTTP."""

    node: str
    client: Client | None = None
    file: Path | None = None
    listen: str = ""
    source_address: IPAddress | None = None
    secrets_namespace: str = "kube-system"
    directory: Path | None = None
    log_format: str = "text"
    log_level: str = "info"


def run_speaker(options: SpeakerOptions) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code."""
    logs.configure(options.log_format, options.log_level, options.node)
    directory = _directory(options)
    bell = threading.Event()
    source, sink = _source(options, bell.set), _sink(options, directory)
    engine = Engine(directory / "engine", ring=bell.set, log=log)
    publisher = Publisher(sink)
    manager = Manager(
        options.node,
        source,
        engine,
        publisher.offer,
        bell=bell,
        source_address=options.source_address,
        previous=_previous(sink),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: manager.stop())
    stop_http = http.serve(options.listen, _answers(manager, source)) if options.listen else None
    source.start()
    publisher.start()
    log.info("speaker.started", extra={"engine": engine.version, "directory": str(directory)})
    try:
        manager.run()
    finally:
        source.stop()
        publisher.close(manager.state)
        if stop_http:
            stop_http()
    return 0


def _directory(options: SpeakerOptions) -> Path:
    """A private place for the engine's socket and its configuration, which may hold passwords."""
    directory = options.directory or Path(tempfile.gettempdir()) / f"bgpctl-{os.getuid()}" / options.node
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        if directory.stat().st_uid != os.getuid():
            raise PermissionError("it belongs to another user")
    except OSError as error:
        raise UsageError(f"cannot use directory {directory}: {error}", "pass --directory PATH") from None
    return directory


def _source(options: SpeakerOptions, ring: Callable[[], None]) -> Source:
    if options.file is not None:
        return FileSource(options.file, options.node, ring)
    if options.client is None:
        raise UsageError(
            "a speaker needs a cluster or a file", "pass --kubeconfig PATH, --in-cluster or --file PATH"
        )
    return KubeSource(options.client, options.node, options.secrets_namespace, ring)


def _sink(options: SpeakerOptions, directory: Path) -> Sink:
    if options.client is None:
        return FileSink(directory / "state.json")
    return KubeSink(options.client, options.node)


def _previous(sink: Sink) -> NodeState | None:
    """What an earlier run published: its withdrawn record must survive a restart of the speaker."""
    try:
        return sink.read()
    except BgpctlError:
        return None


def _answers(manager: Manager, source: Source) -> http.Answers:
    def healthy() -> tuple[bool, str]:
        last = manager.counters.last_reconcile
        if last and time.time() - last > STUCK_AFTER:
            return False, f"the loop has not run for {time.time() - last:.0f} s"
        return True, "ok"

    def ready() -> tuple[bool, str]:
        if not source.ready():
            return False, "waiting for the first objects: " + (
                "; ".join(source.problems()) or "none seen yet"
            )
        state = manager.state
        if state.phase in ("Starting", "Leaving", "Stopped"):
            return False, f"{state.phase}, {state.established}/{len(state.peers)} peers established"
        return True, f"{state.phase}, {state.established}/{len(state.peers)} peers established"

    def exposition() -> str:
        counters = manager.counters
        return metrics.render(
            manager.state, counters.reconciles, counters.reconcile_errors, counters.reconcile_seconds
        )

    return http.Answers(healthy, ready, exposition)

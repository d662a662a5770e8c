"""`bgpctl lab up`: keep a lab in the foreground until ^C."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from bgpctl.lab import cluster, stacks

LOOK_EVERY = 1.0


def up(
    router: str = "auto",
    nodes: int = 3,
    kubeconfig: Path | None = None,
    stack: str = stacks.DEFAULT,
) -> int:
    """Run until SIGINT or SIGTERM. Prints `ready` on a line of its own when all sessions are Established.
    `kubeconfig` None = inside the lab's own directory."""
    ended = threading.Event()

    def end(*_: object) -> None:
        """The first signal ends the start or the wait; a second one does not disturb the taking down."""
        if not ended.is_set():
            ended.set()
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with (
        contextlib.suppress(KeyboardInterrupt),
        cluster.running(nodes, router, kubeconfig, _say, stack) as lab,
    ):
        _say(f"export KUBECONFIG={lab.kubeconfig}")
        _say(f"then: {', '.join(_commands(stacks.STACKS[stack]))}; ^C ends it")
        _say(lab.stack.logs)
        print("ready", flush=True)
        while not ended.wait(LOOK_EVERY):
            for text in lab.stack.revive():
                _say(text)
    return 0


def _commands(driver: stacks.Driver) -> Iterator[str]:
    """To try first, in their order."""
    for words in (*driver.prepare, ("peers", "status"), ("node", "estimate", "worker-1")):
        yield f"bgpctl {' '.join(words)}"
    yield "bgpctl node drain worker-1" + ("" if driver.drains else " (refused, with what stopping it costs)")
    if driver.drains:
        yield "bgpctl node restore worker-1"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""The controllers of an emulated stack at work: each does round after round in a thread of its own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from bgpctl.errors import BgpctlError

EVERY = 0.25  # seconds


class Controller(Protocol):
    """`once` acts on the objects as they are. What it raises is left to its next round."""

    def once(self) -> None: ...


class Rounds:
    """`start` and `stop` may each be called once."""

    def __init__(self, *parts: Controller) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(part,), daemon=True) for part in parts]

    def start(self) -> None:
        """Each part begins."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Returns when none is at work any more."""
        self._over.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(10)

    def _run(self, part: Controller) -> None:
        while not self._over.wait(EVERY):
            try:
                part.once()
            except (BgpctlError, subprocess.SubprocessError):
                continue  # somebody was faster; the engine starts


@contextmanager
def at_work(*parts: Controller) -> Iterator[None]:
    """While it lasts."""
    rounds = Rounds(*parts)
    rounds.start()
    try:
        yield
    finally:
        rounds.stop()

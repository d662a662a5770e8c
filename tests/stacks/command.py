"""bgpctl in a process of its own, forked from one that has imported all of it (`everything.py`): there are
thousands, and each would spend most of its time on imports.

`dies`: kill -9 right after so many writes to the API, 0 = before the first, -1 = never. (Before the n-th is
after the one before it: only reads are in between.) Times that are the stack's own are short, as it is.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from bgpctl.core.calico import nodestatus, states
from bgpctl.core.cilium import copies
from bgpctl.core.cilium import states as cilium_states
from bgpctl.lab.routers.process import die_with_parent
from tests.support.cli import Ran, clean_environment

FORGE = multiprocessing.get_context("forkserver")
FORGE.set_forkserver_preload(["tests.stacks.everything"])
OUT, ERR = "out", "err"
CADENCE = 1.0  # seconds between two reports of an agent
KILLED = -signal.SIGKILL
SECONDS = 150.0


def hurry() -> None:
    """Cilium's agents report every second here, and copies are of age after one; so are Calico's. Before the
    modules that take these times from there are imported."""
    cilium_states.LAG = CADENCE + 1
    copies.SETTLE_SECONDS = 1.0
    nodestatus.PERIOD_SECONDS = 1
    nodestatus.WRITING_SECONDS = 0.5
    states.LAG = 1.5


def die_after(writes: int) -> None:
    """Of this process, whichever thread makes them."""
    from bgpctl.kube.client import Client

    send, left = Client._send, [writes]

    def counted(client: Client, method: str, path: str, *rest: Any) -> Any:
        writing = method != "GET" and not path.endswith("reviews")
        if writing and left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send(client, method, path, *rest)
        if writing:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Client._send = counted  # type: ignore[method-assign]


@dataclass(frozen=True)
class Command:
    """One that runs; it ends with us. `told`: where it prints."""

    words: tuple[str, ...]
    process: ForkServerProcess
    told: Path

    def ended(self) -> Ran:
        """Once. AssertionError where it hangs."""
        self.process.join(SECONDS)
        try:
            if self.process.exitcode is None:
                self.process.kill()
                raise AssertionError(f"bgpctl {' '.join(self.words)} does not end")
            out, err = ((self.told / name).read_text() for name in (OUT, ERR))
            return Ran(self.process.exitcode, out, err)
        finally:
            shutil.rmtree(self.told, ignore_errors=True)


def start(kubeconfig: Path, *words: str, dies: int = -1) -> Command:
    """`bgpctl WORDS…`"""
    told = Path(tempfile.mkdtemp(prefix="bgpctl-"))
    process = FORGE.Process(target=_main, args=(dies, words, clean_environment(kubeconfig), told))
    process.start()
    return Command(words, process, told)


def _main(dies: int, words: tuple[str, ...], environment: dict[str, str], told: Path) -> None:
    """In the new process."""
    from bgpctl.cli.main import main

    die_with_parent(os.getppid())()
    for name, descriptor in ((OUT, 1), (ERR, 2)):
        with (told / name).open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    if dies >= 0:
        die_after(dies)
    sys.argv = ["bgpctl", *words]
    sys.exit(main())

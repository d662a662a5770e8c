"""Cells of a table in processes of their own, where nothing of another one can disturb them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from bgpctl.lab.routers.process import die_with_parent


class Outcome(Protocol):
    """What became of a cell."""

    @property
    def complaints(self) -> Sequence[str]: ...


R = TypeVar("R", bound=Outcome)


def run_apart(module: str, *words: str, seconds: float) -> tuple[str, str]:
    """What `python -m module words…` printed, and its last word of what went wrong. One that takes longer
    than `seconds` hangs: it is told to end, and takes down what it made. So it does when we die, however."""
    argv = (sys.executable, "-m", module, *words)
    tie = die_with_parent(os.getpid())
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=tie
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, _ = process.communicate()
        err = f"it took longer than {seconds:g} s"
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode == -signal.SIGINT:  # ^C reaches all who have our terminal
        raise KeyboardInterrupt
    return out, (err.strip().splitlines() or ["it said nothing"])[-1]


def run_in_turn(
    module: str,
    place: Sequence[str],
    names: Sequence[str],
    read: Callable[[str], R],
    broken: Callable[[str, str], R],
    seconds: float,
) -> list[R]:
    """The named cells of one place, in one process as long as they are in order: `module` prints a line of
    JSON for each, and ends with the first that is not. The others then have a new place; none is tried again.
    `broken`: a cell that could not be run, and why."""
    results: list[R] = []
    while left := names[len(results) :]:
        out, last_word = run_apart(module, *place, *left, seconds=seconds)
        found = [read(line) for line in out.splitlines() if line.startswith("{")]
        if len(found) < len(left) and not (found and found[-1].complaints):
            found.append(broken(left[len(found)], last_word))
        results += found
    return results

"""Ends an operator's command with the process that started it: `python warden.py GROUP PARENT` beside it.

A run that was killed hard cannot end its command any more, and one that is stopped does not learn that
another run took the node over; the command would switch off a node that was brought back meanwhile. Run by
its path, without the package: it is to be there at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

EVERY = 0.25  # seconds between two looks
STOPPED_SECONDS = 1.0  # less than a run waits which takes the node over (`kube.lease.FRESH_SECONDS`)


def guard(group: int, parent: int) -> None:
    """Return once `parent` has ended, or has been stopped for a while; then the process group has ended."""
    stopped = 0.0
    while os.getppid() == parent and stopped < STOPPED_SECONDS:
        stopped = stopped + EVERY if _stopped(parent) else 0.0
        time.sleep(EVERY)
    with contextlib.suppress(ProcessLookupError):  # it had ended by itself
        os.killpg(group, signal.SIGKILL)


def _stopped(process: int) -> bool:
    """By its state in proc_pid_stat(5), which follows a name that may hold anything."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "Tt"
    except (OSError, IndexError):
        return False


if __name__ == "__main__":
    guard(int(sys.argv[1]), int(sys.argv[2]))

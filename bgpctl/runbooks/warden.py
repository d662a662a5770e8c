"""Starts an operator's command and ends it with the run: `python warden.py RUN REPORT PROGRAM [ARGUMENT…]`.

A run that was killed hard cannot end its command any more, and one that is stopped does not learn that
another run took the node over; the command would switch off a node that was brought back meanwhile. `RUN` is
the run's process id. To the descriptor `REPORT` goes how it went: `code N` (negative: the signal that ended
it) or `error ERRNO` where it could not be started; nothing = this process was killed. Run by its path,
without the package: it is to be there at once."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

EVERY = 0.25  # seconds between two looks
STOPPED_SECONDS = 1.0  # less than a run waits which takes the node over (`kube.lease.FRESH_SECONDS`)
PR_SET_PDEATHSIG = 1
# What a script sends to its own process group, of which this process is one (`trap 'kill 0' EXIT`).
FOR_THE_COMMAND = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
)


def main(run: int, report: int, argv: list[str]) -> None:
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # inherited: the kernel would tell no exit code
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for one in FOR_THE_COMMAND:
        if signal.getsignal(one) is not signal.SIG_IGN:  # which the command is to inherit
            signal.signal(one, lambda *_: None)  # which it does not
    if _over(run, report):
        return  # before the command began
    os.set_inheritable(report, False)
    this = os.getpid()
    try:
        process = subprocess.Popen(argv, preexec_fn=lambda: _end_with(this))
    except OSError as error:
        word = f"error {error.errno}"
    else:
        word = f"code {_guarded(process, run, report)}"
    os.write(report, word.encode())


def _end_with(this: int) -> None:
    """In the command, before it is one: the kernel ends it with this process (Linux; prctl(2))."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != this:
            os._exit(1)


def _guarded(process: subprocess.Popen[bytes], run: int, report: int) -> int:
    """The command's exit code. Where the run is over before, or has been stopped for a while, the whole
    process group is killed, and this process with it."""
    stopped = 0.0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(EVERY)
        stopped = stopped + EVERY if _stopped(run) else 0.0
        if _over(run, report) or stopped >= STOPPED_SECONDS:
            os.killpg(0, signal.SIGKILL)


def _over(run: int, report: int) -> bool:
    """Has the run ended, or does it not listen any more? It may live on without knowing of this process:
    ^C came in the moment in which it was started."""
    listened = select.poll()
    listened.register(report, 0)  # POLLERR: the pipe's other end is closed
    return os.getppid() != run or bool(listened.poll(0))


def _stopped(process: int) -> bool:
    """By its state in proc_pid_stat(5), which follows a name that may hold anything."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "Tt"
    except (OSError, IndexError):
        return False


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])

"""Run an operator's command to its end, and keep of what it says the last words only."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import IO

from bgpctl.errors import BgpctlError, UsageError
from bgpctl.runbooks import warden

TAIL = 4096  # octets of output that are kept
LAST_WORDS = 0.5  # seconds for the output of a command that has ended
ASK_EVERY = 0.5  # seconds; less than a run waits which takes the node over (`kube.lease.FRESH_SECONDS`)


def find(template: Sequence[str], flag: str) -> None:
    """Raises UsageError for a program that is not there: found out after the evictions it would be too late.
    One whose name is the node's is not known yet."""
    if template and "{node}" not in template[0] and shutil.which(template[0]) is None:
        raise UsageError(
            f"{flag}: there is no program {template[0]!r} on this machine that can be run",
            "it is run here, without a shell: write a program of this machine, with its path if need be",
        )


def run(
    argv: Sequence[str], timeout: float | None, still: Callable[[], None] = lambda: None
) -> tuple[int, str]:
    """Exit code and last line. It has a session of its own and no terminal; it has ended when *it* ends,
    whoever of its children still holds its output. `still` is asked again and again, and raises what ends it;
    it ends with this process, too (`warden`). Raises OSError, ValueError, BgpctlError, and
    subprocess.TimeoutExpired after `timeout` seconds: in all these cases it and its children were killed."""
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # inherited: the kernel would tell no exit code
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    tail = bytearray()
    with _started(argv) as (process, report):
        assert process.stdout is not None
        reader = threading.Thread(target=_keep, args=(process.stdout, tail), daemon=True)
        reader.start()
        try:
            code = _ended(report, argv, timeout, still)
        except BaseException:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        process.wait()
    reader.join(LAST_WORDS)
    lines = bytes(tail).decode(errors="replace").strip().splitlines()
    return code, lines[-1] if lines else ""


@contextlib.contextmanager
def _started(argv: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command's warden, and the descriptor from which it is heard."""
    ours, theirs = os.pipe()
    try:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", warden.__file__, str(os.getpid()), str(theirs), *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(theirs,),
            )
        finally:
            os.close(theirs)
        yield process, ours
    finally:
        os.close(ours)


def _ended(report: int, argv: Sequence[str], timeout: float | None, still: Callable[[], None]) -> int:
    """The command's exit code; negative: the signal that ended it."""
    ends = inf if timeout is None else time.monotonic() + timeout
    while not select.select([report], [], [], max(0.0, min(ASK_EVERY, ends - time.monotonic())))[0]:
        if timeout is not None and time.monotonic() >= ends:
            raise subprocess.TimeoutExpired(list(argv), timeout)
        still()
    match os.read(report, 64).split():
        case [b"code", code]:
            return int(code)
        case [b"error", number]:
            raise OSError(int(number), os.strerror(int(number)), argv[0])
    raise BgpctlError("the process that ends the command with its run was killed: both were ended")


def _keep(output: IO[bytes], tail: bytearray) -> None:
    """To its end, which a process that the command left behind may put off: while it is read it stays open,
    and no other file gets its descriptor."""
    with contextlib.suppress(OSError), output:
        while piece := os.read(output.fileno(), 1 << 16):
            tail += piece
            del tail[:-TAIL]

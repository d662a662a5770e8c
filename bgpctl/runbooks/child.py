"""Run an operator's command to its end, and keep of what it says the last words only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf

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
    it ends with this process, too. Raises OSError, ValueError, and subprocess.TimeoutExpired after `timeout`
    seconds: in all these cases it and its children were killed."""
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # inherited: the kernel would tell no exit code
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    tail = bytearray()
    assert process.stdout is not None
    reader = threading.Thread(target=_keep, args=(process.stdout.fileno(), tail), daemon=True)
    reader.start()
    try:
        with _guarded(process.pid) as guarded:
            ends = inf if timeout is None else time.monotonic() + timeout
            code = _ended(process, ends, (guarded, still))
    except BaseException:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    reader.join(LAST_WORDS)
    lines = bytes(tail).decode(errors="replace").strip().splitlines()
    return code, lines[-1] if lines else ""


@contextlib.contextmanager
def _guarded(group: int) -> Iterator[Callable[[], None]]:
    """While somebody sees to it that the process group does not live longer than this process. What is
    yielded raises BgpctlError once nobody does."""
    argv = [sys.executable, "-I", "-S", warden.__file__, str(group), str(os.getpid())]
    null = subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=null, stdout=null, start_new_session=True) as it:

        def guarded() -> None:
            if it.poll() is not None:
                raise BgpctlError(
                    "the process that ends the command with its run was killed: both were ended"
                )

        try:
            yield guarded
        finally:
            it.kill()


def _ended(process: subprocess.Popen[bytes], ends: float, still: Iterable[Callable[[], None]]) -> int:
    """Its exit code."""
    while True:
        left = ends - time.monotonic()
        try:
            return process.wait(max(0.0, min(ASK_EVERY, left)))
        except subprocess.TimeoutExpired:
            if left <= ASK_EVERY:
                raise
        for ask in still:
            ask()


def _keep(descriptor: int, tail: bytearray) -> None:
    with contextlib.suppress(OSError):
        while piece := os.read(descriptor, 1 << 16):
            tail += piece
            del tail[:-TAIL]

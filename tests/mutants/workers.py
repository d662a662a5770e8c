"""Some forked processes that take the next number until none is left."""

from __future__ import annotations

import os
import select
import signal
import struct
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial

_NUMBER = struct.Struct("I")


class Queue:
    """Numbers in a file: processes that inherit it share its offset, so each number is taken once."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the kernel closes it
        self._file.write(b"".join(map(_NUMBER.pack, numbers)))
        self._file.seek(0)

    def __iter__(self) -> Iterator[int]:
        while taken := os.read(self._file.fileno(), _NUMBER.size):
            yield _NUMBER.unpack(taken)[0]


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a process of its own group; the pid. Its exit code is 0, or 70 for an exception."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def together(number: int, work: Callable[[int], None], tick: Callable[[], None] = lambda: None) -> None:
    """`work(0)`, `work(1)`, … at the same time, and `tick` every second meanwhile. They end with this
    process; raises RuntimeError when one of them fails."""
    pids = {os.pidfd_open(pid): pid for pid in (fork(partial(work, worker)) for worker in range(number))}
    try:
        while pids:
            for ended in select.select(list(pids), [], [], 1.0)[0]:
                code = os.waitstatus_to_exitcode(os.waitpid(pids.pop(ended), 0)[1])
                os.close(ended)
                if code:
                    raise RuntimeError(f"a worker ended with {code}")
            tick()
    finally:
        for pid in pids.values():
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

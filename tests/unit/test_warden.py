"""The process between a run and its command, called in this one: test_child.py has it at work."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpctl.runbooks import warden
from tests.support.wait import eventually

PR_GET_PDEATHSIG = 2


@pytest.fixture
def report() -> Iterator[tuple[int, int]]:
    """Where to read it and where to write it."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def told(report: tuple[int, int], *argv: str, run: int | None = None) -> bytes:
    warden.main(os.getppid() if run is None else run, report[1], list(argv))
    try:
        return os.read(report[0], 64)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (("sh", "-c", "exit 0"), b"code 0"),
        (("sh", "-c", "exit 7"), b"code 7"),
        (("sh", "-c", "kill -9 $$"), b"code -9"),
        (("/nowhere/to/be/found",), b"error 2"),
    ],
)
def test_how_it_went(report: tuple[int, int], argv: tuple[str, ...], word: bytes) -> None:
    assert told(report, *argv) == word


def test_a_run_that_is_gone_starts_nothing(report: tuple[int, int], tmp_path: Path) -> None:
    assert told(report, "touch", str(tmp_path / "ran"), run=os.getpid()) == b""
    assert not (tmp_path / "ran").exists()


def test_the_command_cannot_write_the_report(report: tuple[int, int]) -> None:
    os.set_inheritable(report[1], True)
    assert told(report, "sh", "-c", f"echo code 0 >&{report[1]}") not in (b"code 0", b"")


def test_children_that_nobody_waits_for_are_waited_for(report: tuple[int, int]) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert told(report, "sh", "-c", "exit 7") == b"code 7"
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_another_handler_of_its_children_stays(report: tuple[int, int]) -> None:
    def handler(*_: object) -> None:
        """Somebody's."""

    before = signal.signal(signal.SIGCHLD, handler)
    try:
        told(report, "true")
        assert signal.getsignal(signal.SIGCHLD) is handler
    finally:
        signal.signal(signal.SIGCHLD, before)


class Killed(Exception):
    """Instead of the death of our own process group."""


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    def killpg(group: int, number: int) -> None:
        assert (group, number) == (0, signal.SIGKILL)
        raise Killed

    monkeypatch.setattr(warden, "EVERY", 0.01)
    monkeypatch.setattr(warden, "STOPPED_SECONDS", 0.04)
    monkeypatch.setattr(os, "killpg", killpg)
    with subprocess.Popen(["sleep", "30"]) as made:
        yield made
        made.kill()


def test_the_run_ended(process: subprocess.Popen[bytes], report: tuple[int, int]) -> None:
    with pytest.raises(Killed):
        warden._guarded(process, os.getpid(), report[1])


def test_the_run_listens_no_more(process: subprocess.Popen[bytes]) -> None:
    """It lives on: ^C came while its command was started."""
    ours, theirs = os.pipe()
    os.close(ours)
    with pytest.raises(Killed):
        warden._guarded(process, os.getppid(), theirs)
    os.close(theirs)


def test_the_run_is_stopped_for_a_while(
    process: subprocess.Popen[bytes], report: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a second without a break, which is less than whoever takes its node over waits for."""
    states = iter([True, True, True, False, True, True, True, True, False])
    monkeypatch.setattr(warden, "_stopped", lambda pid: next(states))
    with pytest.raises(Killed):
        warden._guarded(process, os.getppid(), report[1])
    assert list(states) == [False]


def test_a_command_that_ends_by_itself(process: subprocess.Popen[bytes], report: tuple[int, int]) -> None:
    process.kill()
    assert warden._guarded(process, os.getppid(), report[1]) == -9


def test_whether_a_process_is_stopped(tmp_path: Path) -> None:
    name = tmp_path / "a) T b"  # what proc_pid_stat(5) has before the state
    shutil.copy(shutil.which("sleep") or "/bin/sleep", name)
    with subprocess.Popen([name, "30"]) as child:
        try:
            eventually(lambda: b"T b" in Path(f"/proc/{child.pid}/stat").read_bytes(), why="it runs")
            assert not warden._stopped(child.pid)
            os.kill(child.pid, signal.SIGSTOP)
            eventually(lambda: warden._stopped(child.pid), why="it is stopped")
        finally:
            child.kill()
    assert not warden._stopped(os.getpid()) and not warden._stopped(2**22 + 1)


def test_the_kernel_ends_the_command_with_its_warden() -> None:
    libc, number = ctypes.CDLL(None), ctypes.c_int()
    try:
        warden._end_with(os.getppid())
        libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(number), 0, 0, 0)
        assert number.value == signal.SIGKILL
    finally:
        libc.prctl(warden.PR_SET_PDEATHSIG, 0, 0, 0, 0)


def test_a_command_whose_warden_ended_meanwhile_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(code: int) -> None:
        assert code == 1
        raise Killed

    monkeypatch.setattr(os, "_exit", leave)
    try:
        with pytest.raises(Killed):
            warden._end_with(os.getpid())
    finally:
        ctypes.CDLL(None).prctl(warden.PR_SET_PDEATHSIG, 0, 0, 0, 0)


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM"])
def test_what_a_script_sends_to_its_group_does_not_end_who_guards_it(
    report: tuple[int, int], name: str
) -> None:
    """`trap 'kill 0' EXIT` in a script: the run would learn nothing of its command any more. One of these
    that was ignored before stays so, for the command inherits that."""
    this, number = os.getpid(), getattr(signal, f"SIG{name}")
    for before in (signal.SIG_DFL, signal.SIG_IGN):
        guard = os.fork()
        if not guard:
            signal.signal(number, before)
            warden.main(this, report[1], ["sh", "-c", f"kill -{name} $PPID; sleep 0.02; exit 3"])
            stays = signal.getsignal(number) is signal.SIG_IGN
            os._exit(0 if stays is (before is signal.SIG_IGN) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(guard, 0)[1]) == 0
        assert os.read(report[0], 64) == b"code 3"

"""An operator's command: its end is its own, its output is bounded, and nothing of it outlives its time."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bgpctl.errors import BgpctlError, Blocked
from bgpctl.runbooks import child, warden
from tests.support.wait import eventually


def test_exit_code_and_last_line() -> None:
    assert child.run(("sh", "-c", "echo one; echo two >&2; exit 3"), 10) == (3, "two")
    assert child.run(("true",), None) == (0, "")
    assert child.run(("printf", "\\377\\n"), 10) == (0, "\ufffd")


def test_an_ignored_sigchld_hides_no_failure() -> None:
    ours = "from bgpctl.runbooks import child; print(child.run(('sh', '-c', 'exit 7'), 9)[0])"
    shell = f"trap '' CHLD; exec {sys.executable} -c \"{ours}\""
    assert subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout == "7\n"


def test_it_has_ended_when_it_ends_whoever_holds_its_output(tmp_path: Path) -> None:
    """An ssh that leaves a master behind, say."""
    began = time.monotonic()
    assert child.run(("sh", "-c", f"sleep 12 & echo $! > {tmp_path}/pid; exit 0"), 20) == (0, "")
    assert time.monotonic() - began < 10
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_what_it_left_behind_takes_nothing_out_of_our_files(tmp_path: Path) -> None:
    """A process that goes on writing: the next file of this one got the pipe's descriptor, and what came on
    it, an answer of the API server, say, was read by who kept the command's last words."""
    script = f"(until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo late) & echo $! > {tmp_path}/pid"
    assert child.run(("sh", "-c", script), 20) == (0, "")
    pairs = [socket.socketpair() for _ in range(8)]
    (tmp_path / "go").touch()
    eventually(lambda: not _alive(int((tmp_path / "pid").read_text())), why="it has written, and ended")
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        for one, other in pairs:
            other.sendall(b"answer")
            assert select.select([one], [], [], 2)[0], "somebody else read it"
            assert one.recv(6) == b"answer"
    for one, other in pairs:
        one.close()
        other.close()


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "QUIT", "USR1"])
def test_what_it_sends_to_its_process_group_does_not_end_what_guards_it(name: str) -> None:
    """`trap 'kill 0' EXIT`, to leave no child: its success was told as the end of both."""
    script = f"trap '' {name}; kill -{name} 0; echo done"
    assert child.run(("bash", "-c", script), 20) == (0, "done")


def test_what_was_ignored_before_is_for_the_command_too() -> None:
    """As after nohup."""
    ours = "from bgpctl.runbooks import child; print(child.run(('sh', '-c', 'kill -HUP $$; exit 7'), 9)[0])"
    shell = f"trap '' HUP; exec {sys.executable} -c \"{ours}\""
    assert subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout == "7\n"
    assert child.run(("sh", "-c", "kill -HUP $$; exit 7"), 9)[0] == -signal.SIGHUP


def test_it_ends_where_nobody_listens_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """^C in the moment in which its warden is started: the run knows of no command, and lives on a while."""
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[call-overload]
            started.append(self)
            eventually((tmp_path / "pid").exists, why="the command runs")
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        child.run(("sh", "-c", f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; sleep 30"), 60)
    pid = int((tmp_path / "pid").read_text())
    try:
        eventually(lambda: not _alive(pid), deadline=5, why="the command was ended")
    finally:
        started[0].kill()
        started[0].wait()


def test_after_its_time_its_children_are_gone_too(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        child.run(("sh", "-c", f"sleep 8 & echo $! > {tmp_path}/pid; wait"), 1.0)
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not _alive(pid), why="the command's child was killed")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_it_does_not_outlive_who_started_it(how: signal.Signals, tmp_path: Path) -> None:
    """A run that was killed, or that is stopped while another one takes its node over: the command would
    switch off a node that is back in service (issue 7)."""
    script = f"cd {tmp_path}; echo $$ > new; sleep 30 & echo $! > child; mv new pid; wait"
    ours = f"from bgpctl.runbooks import child; child.run(('sh', '-c', {script!r}), 60)"
    with subprocess.Popen([sys.executable, "-c", ours]) as run:
        try:
            eventually((tmp_path / "pid").exists, why="the command runs")
            pids = [int((tmp_path / name).read_text()) for name in ("pid", "child")]
            os.kill(run.pid, how)
            eventually(lambda: not any(map(_alive, pids)), why="the command and its child have ended")
        finally:
            run.kill()


def test_it_does_not_outlive_both_who_started_it_and_its_warden(tmp_path: Path) -> None:
    command = f"echo $$ > {tmp_path}/pid; while :; do :; done"
    script = f"from bgpctl.runbooks import child; child.run(('sh', '-c', {command!r}), 60)"
    with subprocess.Popen([sys.executable, "-c", script]) as run:
        try:
            eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), why="it runs")
            pid = int((tmp_path / "pid").read_text())
            (guard,) = _children(run.pid)
            os.kill(run.pid, signal.SIGSTOP)
            os.kill(guard, signal.SIGKILL)
            eventually(lambda: not _alive(pid), why="the kernel ended the command")
        finally:
            run.kill()


def test_a_run_that_is_gone_starts_no_command(tmp_path: Path) -> None:
    """Killed between its warden's start and the command's."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    ours, theirs = os.pipe()
    argv = [sys.executable, "-I", "-S", warden.__file__, str(gone.pid), str(theirs)]
    subprocess.run([*argv, "touch", f"{tmp_path}/ran"], pass_fds=(theirs,), check=True)
    os.close(theirs)
    assert os.read(ours, 64) == b"" and not (tmp_path / "ran").exists()
    os.close(ours)


def test_it_ends_with_what_would_end_it(tmp_path: Path) -> None:
    """An OOM killer takes the smallest: then nothing ends the command with its run any more (issue 7)."""

    def still() -> None:
        if (tmp_path / "pid").exists():
            (guard,) = (pid for pid in _children(os.getpid()) if warden.__file__ in _words(pid))
            os.kill(guard, signal.SIGKILL)

    with pytest.raises(BgpctlError, match="was killed"):
        child.run(("sh", "-c", f"sleep 30 & echo $! > {tmp_path}/pid; wait"), 60, still)
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not _alive(pid), why="the command's child was killed")


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def test_it_ends_when_it_is_not_to_go_on(tmp_path: Path) -> None:
    def still() -> None:
        if (tmp_path / "pid").exists():
            raise Blocked("another run took the node over")

    with pytest.raises(Blocked, match="took the node over"):
        child.run(("sh", "-c", f"sleep 30 & echo $! > {tmp_path}/pid; wait"), 60, still)
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not _alive(pid), why="the command's child was killed")


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_of_a_flood_only_the_end_is_kept() -> None:
    flood = "import sys\nfor _ in range(200): sys.stdout.write('x' * 100_000)\nprint('\\nthe end')"
    assert child.run((sys.executable, "-c", flood), 60) == (0, "the end")


def test_what_cannot_be_run() -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file.*/nonexistent"):
        child.run(("/nonexistent", "argument"), 1)
    with pytest.raises(PermissionError):
        child.run(("/etc/passwd",), 1)
    with pytest.raises(ValueError, match="null"):
        child.run(("a\0b",), 1)


def test_the_last_line_is_the_last_that_says_something() -> None:
    assert child.run(("printf", "one\ntwo\n\n \n"), 10) == (0, "two")


def test_it_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what is typed at our terminal either."""
    ours, theirs = os.pipe()
    os.write(theirs, b"a secret\n")
    before = os.dup(0)
    os.dup2(ours, 0)
    try:
        assert child.run(("sh", "-c", "read line; echo got $line"), 10) == (0, "got")
    finally:
        os.dup2(before, 0)
        for descriptor in (before, ours, theirs):
            os.close(descriptor)


def test_what_is_kept_of_its_output_is_bounded() -> None:
    tail = bytearray()
    ours, theirs = os.pipe()
    os.write(theirs, b"x" * 5000 + b"y" * 4096)
    os.close(theirs)
    output = os.fdopen(ours, "rb")
    child._keep(output, tail)
    assert bytes(tail) == b"y" * 4096 and output.closed


def test_who_reads_it_holds_no_process_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets half a second for the last words of a child's child."""
    joins: list[tuple[float | None, bool]] = []
    real = threading.Thread

    class Reader(real):  # type: ignore[misc, valid-type]
        def join(self, timeout: float | None = None) -> None:
            joins.append((timeout, self.daemon))

    monkeypatch.setattr(threading, "Thread", Reader)
    child.run(("sh", "-c", "sleep 3 & exit 0"), 10)
    assert joins == [(0.5, True)]


def test_when_it_is_interrupted_nothing_of_it_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """^C: killed, and waited for, so that it is no zombie of ours."""

    def still() -> None:
        if (tmp_path / "pid").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        child.run(
            ("sh", "-c", f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; sleep 8"), None, still
        )
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not _alive(pid), why="it was killed")
    assert not [one for one in _children(os.getpid()) if warden.__file__ in _words(one)]


def test_the_signal_that_ended_it() -> None:
    assert child.run(("sh", "-c", "kill -9 $$"), 10) == (-9, "")

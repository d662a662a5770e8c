"""An operator's command: its end is its own, its output is bounded, and nothing of it outlives its time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bgpctl.runbooks import child
from tests.kit.wait import eventually


def test_exit_code_and_last_line() -> None:
    assert child.run(("sh", "-c", "echo one; echo two >&2; exit 3"), 10) == (3, "two")
    assert child.run(("true",), None) == (0, "")
    assert child.run(("printf", "\\377\\n"), 10) == (0, "\ufffd")


def test_it_has_ended_when_it_ends_whoever_holds_its_output(tmp_path: Path) -> None:
    """An ssh that leaves a master behind, say."""
    began = time.monotonic()
    assert child.run(("sh", "-c", f"sleep 30 & echo $! > {tmp_path}/pid; exit 0"), 20) == (0, "")
    assert time.monotonic() - began < 10
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_after_its_time_its_children_are_gone_too(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        child.run(("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"), 1.0)
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
    with pytest.raises(OSError, match="No such file"):
        child.run(("/nonexistent",), 1)

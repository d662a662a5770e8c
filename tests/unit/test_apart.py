"""A cell in a process of its own does not outlive the run that began it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import clean_environment
from tests.support.wait import eventually

CELL = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid()) + ' '); time.sleep(600)"
RUN = "from tests.support.apart import run_apart; run_apart('cell', seconds=600)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_cell_ends_with_its_run(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "cell.py").write_text(CELL)
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).resolve().parents[2])))
    run = subprocess.Popen(
        (sys.executable, "-c", RUN),
        cwd=tmp_path,
        env=clean_environment(PYTHONPATH=path),
        start_new_session=True,
    )
    try:
        told = tmp_path / "pid"
        eventually(lambda: told.exists() and told.read_text().endswith(" "), 30)
        cell = Path(f"/proc/{int(told.read_text())}")
        assert cell.exists()
        run.send_signal(number)
        run.wait(10)
        eventually(lambda: not cell.exists() or "Z (zombie)" in (cell / "status").read_text(), 10)
    finally:
        run.kill()
        run.wait()

"""`make test` says at once what it runs and for how long, and the README says the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONG = r"20 to 40 minutes on two cores \(ARGS=tests/unit: 3\)"


def test_the_first_words_are_what_runs_and_about_how_long() -> None:
    """Nobody knows otherwise whether it hangs: pytest prints its first dots after a minute."""
    plan = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    said, _, _ = plan.partition(" -m pytest")
    assert re.search(rf"echo .running all tests, {LONG}", said)
    assert re.search(rf"make test .*{LONG}", (ROOT / "README.md").read_text())


def test_a_part_of_them_is_not_said_to_be_all() -> None:
    make = ["make", "-n", "test", "ARGS=tests/unit/test_make.py"]
    plan = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "all tests" not in plan and "minutes" not in plan
    assert re.search(r"echo .running tests/unit/test_make.py; \d+ files at once", plan)

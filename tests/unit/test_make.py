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

"""`make test` says at once what it runs and for how long, and the README says the same."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONG = r"20 to 40 minutes on two cores \(ARGS=tests/unit: 3\)"


def planned(*words: str) -> str:
    """What `make test` would run; without the words of a `make test ARGS=…` that may be running this."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES")
    }
    make = ["make", "-n", "test", *words]
    return subprocess.run(make, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_first_words_are_what_runs_and_about_how_long() -> None:
    """Nobody knows otherwise whether it hangs: pytest prints its first dots after a minute."""
    said, _, _ = planned().partition(" -m pytest")
    assert re.search(rf"echo .running all tests, {LONG}", said)
    assert re.search(rf"make test .*{LONG}", (ROOT / "README.md").read_text())


def test_a_part_of_them_is_not_said_to_be_all() -> None:
    plan = planned("ARGS=tests/unit/test_make.py")
    assert "all tests" not in plan and "minutes" not in plan
    assert re.search(r"echo .running tests/unit/test_make.py; \d+ files at once", plan)

"""What README shows as a terminal's output is what a terminal shows, numbers and names aside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.require import require

pytestmark = pytest.mark.integration

README = Path(__file__).resolve().parents[2] / "README.md"
PROMPT = "$ bgpctl node drain worker-1"

_VARIES = (
    (re.compile(r"\brun [0-9a-f]{8}\b"), "run ID"),
    (re.compile(r"-[bcdfghjklmnpqrstvwxz0-9]{5}\b"), "-POD"),
    (re.compile(r"\d[\d:.-]*"), "N"),
    (re.compile(r" +"), " "),
)


def transcript() -> list[str]:
    """The lines below the command in README's block."""
    block = README.read_text().split(f"```console\n{PROMPT}\n")[1].partition("```")[0]
    return [plain(line) for line in block.splitlines() if line]


def plain(line: str) -> str:
    for pattern, word in _VARIES:
        line = pattern.sub(word, line)
    return line.strip()


def left(wanted: list[str], seen: list[str]) -> list[str]:
    """What of `wanted` does not come in this order."""
    lines = iter(seen)
    return [line for line in wanted if line not in lines]


def test_the_drain_in_the_readme_is_a_drain() -> None:
    require("frr")
    wanted = transcript()
    with labs.running("frr") as lab:
        seen = [plain(line) for line in labs.run_ok(lab, "node", "drain", "worker-1").out.splitlines()]
    assert len(wanted) > 8 and left(wanted, seen) == [], "\n".join(seen)
    assert left([*wanted, "no such line"], seen) == ["no such line"]

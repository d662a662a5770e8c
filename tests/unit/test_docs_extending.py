"""docs/extending.md names files to touch, and things in them: they are there, under that name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "extending.md").read_text()
QUOTED = re.findall(r"`([^`]+)`", TEXT)
PATHS = sorted({one for one in QUOTED if re.fullmatch(r"(bgpctl|tests|docs|completions)/[\w./]*", one)})
NAMES = sorted({one for one in QUOTED if re.fullmatch(r"_?[A-Za-z]+(_[a-z]+)*|[A-Z_]+", one)})


def test_every_named_file_exists() -> None:
    assert len(PATHS) > 40
    assert not [path for path in PATHS if not (ROOT / path).exists()]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_one_of_the_code(name: str) -> None:
    sources = [file for room in ("bgpctl", "tests") for file in (ROOT / room).rglob("*.py")]
    assert any(re.search(rf"\b{name}\b", file.read_text()) for file in sources if file != Path(__file__))


def test_each_is_told_in_five_points_and_found_from_the_readme() -> None:
    _, *parts = TEXT.split("\n## ")
    assert len(parts) == 8
    assert all(re.findall(r"^(\d)\. ", part, re.M) == list("12345") for part in parts)
    readme = (ROOT / "README.md").read_text().split("## Where to read on")[1]
    assert "docs/extending.md" in readme

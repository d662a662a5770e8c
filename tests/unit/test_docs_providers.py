"""docs/providers.md says what the code says: constants, rights, names and tests."""

from __future__ import annotations

import re
from pathlib import Path

from bgpctl import providers
from bgpctl.core.cilium import copies, nodeconfig, states
from bgpctl.providers.cilium_stack import NEEDED

ROOT = Path(__file__).parents[2]
TEXT = " ".join((ROOT / "docs" / "providers.md").read_text().split())


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) == 8, "one for each row of the table of mistakes"
    assert not {name for name in named if f"def {name}(" not in text}


def test_it_has_a_column_for_each_provider() -> None:
    head = next(
        line for line in (ROOT / "docs" / "providers.md").read_text().splitlines() if line[0:2] == "| "
    )
    assert set(re.findall(r"`(\w+)`", head)) == set(providers.TABLE)


def test_every_right_that_is_asked_for_is_told() -> None:
    wanted = {f"`{verb} {resource}`" for verb, _, resource, _ in NEEDED}
    assert not {right for right in wanted if right not in TEXT}


def test_its_numbers_and_names_are_those_of_the_code() -> None:
    assert f"at most {states.LAG:g} s" in TEXT
    assert f"younger than {copies.SETTLE_SECONDS:g} s" in TEXT
    for name in (
        f"NAME{nodeconfig.SUFFIX}",
        f"{copies.LABEL}={copies.LABELLED}",
        nodeconfig.ANNOTATION,
        f"{nodeconfig.LABEL}={nodeconfig.LABELLED}",
    ):
        assert f"`{name}`" in TEXT


def test_it_is_found_from_the_readme() -> None:
    assert "docs/providers.md" in (ROOT / "README.md").read_text()

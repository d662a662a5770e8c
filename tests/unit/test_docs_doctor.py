"""docs/doctor.md is what the rules themselves say."""

from __future__ import annotations

import re

from bgpctl.core.doctor import RULES
from tests.doctor_page import NEEDS, PATH, page


def test_it_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.doctor_page"


def test_every_rule_has_its_anchor_and_a_sentence() -> None:
    text = page()
    assert re.findall(r"^### (.*)$", text, re.M) == [rule.name for rule in RULES]
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name) for rule in RULES)
    assert all(rule.check.__doc__ for rule in RULES)
    assert {name for rule in RULES for name in rule.needs} == set(NEEDS)
    assert "facts:" not in text


def test_it_is_found_from_the_readme() -> None:
    readme = (PATH.parents[1] / "README.md").read_text()
    assert "docs/doctor.md" in readme and f"{len(RULES)} rules" in readme

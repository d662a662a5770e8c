"""docs/doctor.md is what the rules themselves say."""

from __future__ import annotations

import re

from bgpctl.core.doctor import RULES
from tests.doctor_page import NEEDS, PATH
from tests.doctor_page import page as made
from tests.support.pages import PAGES, name


def test_it_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == made(), "write it anew: python -m tests.doctor_page"


def test_every_rule_has_its_anchor_and_a_sentence() -> None:
    text = made()
    assert re.findall(r"^### (.*)$", text, re.M) == [rule.name for rule in RULES]
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name) for rule in RULES)
    assert all(rule.check.__doc__ for rule in RULES)
    assert {name for rule in RULES for name in rule.needs} == set(NEEDS)
    assert "facts:" not in text


def test_it_is_found_from_the_readme() -> None:
    assert "docs/doctor.md" in (PATH.parents[1] / "README.md").read_text()


def test_who_counts_the_rules_counts_all() -> None:
    counts = [(name(page), int(n)) for page in PAGES for n in re.findall(r"(\d+) rules", page.read_text())]
    assert len(counts) > 2 and {n for _, n in counts} == {len(RULES)}, counts

"""Where each rule of the doctor begins and ends: at its threshold and just beyond, in its words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bgpctl.core.doctor import RULES, examine
from bgpctl.core.doctor.finding import Report
from bgpctl.render.text import Line, line
from tests.support.doctor_cases import Change, healthy
from tests.support.doctor_edges import EDGES, UNTOLD
from tests.support.golden import check_golden

BY_NAME = {rule.name: rule for rule in RULES}


def ask(name: str, number: int, *, fires: bool) -> Report:
    changes = EDGES[name].fires if fires else EDGES[name].silent
    return examine(changes[number](healthy()), rules=(BY_NAME[name],))


def cases(*, fires: bool) -> list[tuple[str, int]]:
    return [
        (name, number)
        for name, edge in EDGES.items()
        for number in range(len(edge.fires if fires else edge.silent))
    ]


def test_every_rule_has_both_sides_of_its_edge() -> None:
    assert list(EDGES) == list(BY_NAME)
    assert all(edge.fires and edge.silent for edge in EDGES.values())


@pytest.mark.parametrize(("name", "number"), cases(fires=True))
def test_it_fires_at_its_threshold(name: str, number: int) -> None:
    assert ask(name, number, fires=True).rows != ()


@pytest.mark.parametrize(("name", "number"), cases(fires=False))
def test_just_beyond_it_is_silent(name: str, number: int) -> None:
    assert ask(name, number, fires=False).rows == ()


@pytest.mark.parametrize(("name", "change", "why"), UNTOLD)
def test_what_nobody_tells_is_counted_and_is_no_finding(name: str, change: Change, why: str) -> None:
    report = examine(change(healthy()), rules=(BY_NAME[name],))
    assert report.rows == ()
    assert why in [one.why for one in report.unchecked]


def test_in_these_words() -> None:
    """Every object of every finding, with the whole of why and fix."""
    check_golden("doctor_edges.txt", _told())


def _told() -> Iterator[Line]:
    for name, number in cases(fires=True):
        for row in ask(name, number, fires=True).rows:
            yield line(f"{name}: {', '.join(row.objects)}: {row.why}")
            yield line(f"  {row.fix}")

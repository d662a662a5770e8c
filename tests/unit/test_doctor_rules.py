"""Every rule of the doctor: it fires where it should, is silent in a healthy cluster, and guesses nothing."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from bgpctl.core.doctor import RULES, examine
from bgpctl.core.doctor.facts import Facts
from bgpctl.core.doctor.finding import Report, Rule, Severity
from bgpctl.render.doctor import text
from bgpctl.render.formats import Page
from tests.support.doctor_cases import CASES, NOW, healthy, with_state
from tests.support.golden import check_golden

BY_NAME = {rule.name: rule for rule in RULES}


def ask(rule: Rule, facts: Facts) -> Report:
    return examine(facts, rules=(rule,))


def test_there_are_forty_rules_at_least_each_with_a_case_and_a_name_of_its_own() -> None:
    assert len(RULES) >= 40
    assert len(BY_NAME) == len(RULES)
    assert set(CASES) == set(BY_NAME)


def test_a_healthy_cluster_is_silent_and_everything_was_checked() -> None:
    report = examine(healthy())
    assert report.rows == () and report.unchecked == ()
    assert report.checked == len(RULES) and not report.fails


@pytest.mark.parametrize("name", BY_NAME)
def test_it_fires_in_its_case(name: str) -> None:
    report = ask(BY_NAME[name], CASES[name](healthy()))
    assert [row.rule for row in report.rows] == [name]
    (row,) = report.rows
    assert row.objects and row.why and row.fix and "\0" not in row.fix
    assert row.severity is BY_NAME[name].severity


@pytest.mark.parametrize("name", BY_NAME)
def test_it_says_nothing_of_what_is_not_known(name: str) -> None:
    """Without each of the fields that it needs it is not asked, and with none at all it does not fail."""
    sick = CASES[name](healthy())
    for needed in BY_NAME[name].needs:
        report = ask(BY_NAME[name], replace(sick, **{needed: None}, missing={needed: "no right"}))
        assert report.rows == () and [one.why for one in report.unchecked] == ["no right"]
    assert list(BY_NAME[name].check(Facts(NOW))) == []


def test_it_needs_only_fields_that_there_are() -> None:
    known = {field.name for field in fields(Facts)}
    assert {name for rule in RULES for name in rule.needs} <= known


def test_all_of_it_as_it_is_printed() -> None:
    """Each case by itself, one line for each finding of its own rule."""
    reports = [ask(rule, CASES[rule.name](healthy())) for rule in RULES]
    rows = tuple(row for report in reports for row in report.rows)
    whole = Report(rows, (), len(RULES), 2)
    check_golden("doctor.txt", text(Page(False, None), whole))
    check_golden("doctor_80.txt", text(Page(False, 80), replace(whole, rows=rows[:6])))


def test_a_thousand_nodes_with_one_fault_are_one_row() -> None:
    from tests.support.doctor_cases import peer, state

    one = peer(configured_keepalive_time=9)
    names = [f"n{number}" for number in range(1000)]
    facts = Facts(NOW, states={name: state(name, one) for name in names})
    (row,) = ask(BY_NAME["keepalive-slow"], facts).rows
    assert len(row.objects) == 1000
    (down,) = ask(BY_NAME["heartbeat-stale"], _silent(names)).rows
    assert len(down.objects) == 1000 and down.fix.endswith("spec.nodeName=n0")


def _silent(names: list[str]) -> Facts:
    from bgpctl.core.doctor.facts import NodeFacts
    from tests.support.doctor_cases import state

    states = {name: state(name, heartbeat=1.0, reported_at=1.0) for name in names}
    return Facts(NOW, nodes=tuple(map(NodeFacts, names)), states=states)


def test_what_is_about_other_nodes_is_left_out_and_the_cluster_is_not() -> None:
    sick = CASES["version-of-crd"](with_state(engine_restarts=9)(healthy()))
    assert [row.rule for row in examine(sick, ("worker-2",)).rows] == ["version-of-crd"]
    assert {row.rule for row in examine(sick, ("worker-1",)).rows} == {"version-of-crd", "engine-restarts"}


def test_the_gravest_comes_last_and_notes_fail_nobody() -> None:
    note = examine(CASES["drain-forgotten"](healthy()))
    assert [row.severity for row in note.rows] == [Severity.NOTE] and not note.fails
    both = examine(CASES["session-down"](CASES["drain-forgotten"](healthy())))
    assert both.rows[-1].severity is Severity.ERROR and both.fails

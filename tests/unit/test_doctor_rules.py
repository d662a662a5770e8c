"""Every rule of the doctor: it fires where it should, is silent in a healthy cluster, and guesses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import pytest

from bgpctl.core.calico.states import PREPARE, UNTOLD
from bgpctl.core.cilium.nodeconfig import SUFFIX
from bgpctl.core.doctor import RULES, examine
from bgpctl.core.doctor.facts import Bfd, Facts, Held, Limit, Run
from bgpctl.core.doctor.finding import Report, Rule, Severity
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import SessionState
from bgpctl.core.state import WAITS
from bgpctl.render.doctor import not_checked, text
from bgpctl.render.formats import Page
from tests.support import doctor_cases as kit
from tests.support import objects, v2
from tests.support.doctor_cases import CASES, NOW, Change, healthy, with_state
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


# Other ways in which a fault shows.
ALSO: Mapping[str, tuple[str, Change]] = {
    "the router is in another AS": ("asn-differs", kit.with_side(local_asn=65009)),
    "it does not tell its own, and expects another": (
        "asn-differs",
        kit.with_side(local_asn=None, asn=65009),
    ),
}


@pytest.mark.parametrize("case", ALSO)
def test_it_fires_in_other_cases_too(case: str) -> None:
    name, change = ALSO[case]
    assert len(ask(BY_NAME[name], change(healthy())).rows) == 1


@pytest.mark.parametrize(
    "name", ["graceful-restart-one-sided", "graceful-restart-unused", "graceful-restart-families"]
)
def test_what_was_negotiated_and_nobody_tells_is_not_checked(name: str) -> None:
    report = ask(BY_NAME[name], kit.with_session(gr_told=False)(CASES[name](healthy())))
    assert report.rows == () and report.unchecked != ()


# What looks like a fault and is none.
NEAR: Mapping[str, tuple[str, Change]] = {
    "a node that leaves has no sessions": (
        "session-down",
        kit.with_state(phase="Withdrawn", peers=(kit.peer(session=kit.session(state=SessionState.IDLE)),)),
    ),
    "three flaps in a month": (
        "session-flaps",
        kit.with_state(started_at=NOW - 30 * 86400, peers=(kit.peer(session=kit.session(flaps=3)),)),
    ),
    "a state that cannot be read says nothing of its sessions": (
        "session-down",
        kit.with_state(
            unreadable="status is a list", peers=(kit.peer(session=kit.session(state=SessionState.IDLE)),)
        ),
    ),
    "a session that has just come up, and no route yet": (
        "nothing-to-announce",
        kit.with_peer(intended=0, announced=0, session=kit.session(established_at=NOW - 5)),
    ),
    "a router that forwards by no path yet": (
        "router-few-next-hops",
        lambda facts: replace(
            (sick := CASES["router-few-next-hops"](facts)),
            crowds=tuple(
                replace(one, paths=tuple((hop, False) for hop, _ in one.paths)) for one in sick.crowds or ()
            ),
        ),
    ),
    "a session that has just come up": (
        "routes-pending",
        kit.with_session(pending=7, established_at=NOW - 5),
    ),
    "a family without anything to advertise": (
        "families-differ",
        kit.with_v2(
            peer_configs=[v2.peer_config(families=[v2.family(), v2.family("ipv6", advertisements=None)])]
        ),
    ),
    "the N bit where the router keeps the routes anyway": (
        "notification-bit",
        kit.with_side(router="gobgp 127.0.0.1:50051", met=kit.BOTH_N),
    ),
    "a long hold time with BFD": (
        "hold-time-long",
        kit.with_side(bfd=Bfd(True, 0.9), met=kit.peer(session=kit.session(hold_time=90))),
    ),
    "a speaker that has stopped": (
        "heartbeat-stale",
        kit.with_state(phase="Stopped", heartbeat=NOW - 900, reported_at=NOW - 900),
    ),
    "a node that was taken out is off": (
        "heartbeat-stale",
        lambda facts: replace(
            kit.with_state(phase="Withdrawn", selected_by="", heartbeat=NOW - 900, reported_at=NOW - 900)(
                facts
            ),
            intents={},
        ),
    ),
    "a copy for drains selects nobody": (
        "policy-selects-nothing",
        kit.with_policies(
            objects.policy(name=f"policy{SUFFIX}", nodeSelector={"matchLabels": {"a": "b"}}), objects.policy()
        ),
    ),
    "a copy for drains advertises nothing": (
        "policy-warning",
        kit.with_v2(
            peer_configs=[
                v2.peer_config(families=[v2.family()]),
                v2.peer_config(f"tor{SUFFIX}", families=[v2.family(advertisements=None)]),
            ]
        ),
    ),
    "a disabled pool shares addresses": (
        "pool-overlaps",
        kit.with_facts(
            pools=(
                kit.pool("a", "203.0.113.0", "203.0.113.63"),
                kit.pool("b", "203.0.113.0", "203.0.113.63", disabled=True),
                kit.pool("c", "::cb00:7100", "::cb00:713f"),
            )
        ),
    ),
    "another load balancer's Service": (
        "service-without-address",
        kit.with_facts(services=(read_service(objects.service(loadBalancerClass="example.com/lb")),)),
    ),
    "a limit that only logs": ("maximum-prefix", kit.with_channel(limit=Limit(3, warns=True))),
    "what a filter drops is not missing": (
        "routes-missing",
        kit.with_channel(accepted=1, received=None, filter="rack-in"),
    ),
    "no filter, and no word of how many came": (
        "routes-filtered",
        kit.with_channel(accepted=1, received=None, filter=""),
    ),
    "multihop at one end, and the session is up": ("multihop-one-sided", kit.with_side(hops=3)),
    "a speaker's word of a sentence that is not about it": (
        "speaker-problem",
        kit.with_state(problems=(f"{WAITS} Cilium has worker-1",)),
    ),
    "a run that somebody is at": ("run-stopped", kit.with_facts(runs=(Run("worker-1", "draining"),))),
    "a Lease that is held": (
        "lease-orphaned",
        kit.with_facts(leases=(Held("bgpctl-node-old", "old", False, False, "me@here:1/x"),)),
    ),
}


@pytest.mark.parametrize("case", NEAR)
def test_what_looks_like_it_and_is_none(case: str) -> None:
    name, change = NEAR[case]
    assert ask(BY_NAME[name], change(healthy())).rows == ()


@pytest.mark.parametrize(
    ("problem", "fix"),
    [
        (UNTOLD, PREPARE),
        ('Service a/b: it is "x `kubectl delete ns prod` y"', "bgpctl routes worker-1 --absent"),
    ],
)
def test_no_command_is_advised_that_somebody_else_wrote(problem: str, fix: str) -> None:
    """Who may annotate a Service may write into the sentence that a speaker publishes about it."""
    (row,) = ask(BY_NAME["speaker-problem"], with_state(problems=(problem,))(healthy())).rows
    assert (row.why, row.fix) == (problem, fix)


def test_what_cannot_be_judged_is_counted() -> None:
    silent = kit.with_session(state=SessionState.UNKNOWN)(healthy())
    (one,) = ask(BY_NAME["session-down"], silent).unchecked
    assert (one.rule, one.count) == ("session-down", 1)
    gateway = {"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv4"}}
    instance = v2.instance(v2.peer(address=None, autoDiscovery=gateway))
    found = kit.with_v2(cluster_configs=[v2.cluster_config(instance)])(healthy())
    report = ask(BY_NAME["peer-left-out"], found)
    assert report.rows == () and report.unchecked[0].count == 2


def test_the_line_of_what_was_not_checked_is_short() -> None:
    report = examine(Facts(NOW, missing={"states": "no right to read states"}))
    line = not_checked(report)
    assert line.startswith("not checked: ") and "no right to read states" in line
    assert line.endswith("more reasons (-o json)") and line.count(";") == 3


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

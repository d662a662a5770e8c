"""Where each rule of the doctor begins and ends: at its threshold and just beyond, in its words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bgpctl.core.doctor import RULES, examine
from bgpctl.core.doctor.finding import Report
from bgpctl.core.doctor.settings import change
from bgpctl.render.text import Line, line
from tests.support import doctor_cases as kit
from tests.support import objects, v2
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


SLOW = {"configured_hold_time": 9, "configured_keepalive_time": 4}
MODERN = {"selected_by": "rack", "selected_by_kind": "CiliumBGPClusterConfig"}
OLD = "spec.virtualRouters[].neighbors[].keepAliveTimeSeconds"


@pytest.mark.parametrize(
    ("told", "name", "fix"),
    [
        ({}, "65001/192.0.2.1", f"set {OLD}: 3 in CiliumBGPPeeringPolicy policy"),
        (MODERN, "main/tor", "set spec.timers.keepAliveTimeSeconds: 3 in CiliumBGPPeerConfig tor"),
        (MODERN, "main/b", "set spec.timers.keepAliveTimeSeconds: 3 in CiliumBGPPeerConfig b"),
        (
            MODERN,
            "main/c",
            "set spec.timers.keepAliveTimeSeconds: 3 in CiliumBGPPeerConfig of the peer main/c",
        ),
        (
            {**MODERN, "selected_by": "old"},
            "main/tor",
            "set spec.timers.keepAliveTimeSeconds: 3 in CiliumBGPPeerConfig of the peer main/tor",
        ),
        (
            {"selected_by": "x", "selected_by_kind": "FRRConfiguration"},
            "tor",
            "set the keepalive time of this peer to 3 in FRRConfiguration x",
        ),
        ({"selected_by": "", "selected_by_kind": ""}, "tor", "set the keepalive time of this peer to 3"),
    ],
)
def test_where_a_setting_is_changed(told: dict[str, str], name: str, fix: str) -> None:
    """By the resources that the node runs by; of a policy's namesake of another kind nothing is said."""
    peers = v2.peer(), v2.peer("b", peerConfigRef={"name": "b"}), v2.peer("c", peerConfigRef=None)
    config = v2.cluster_config(v2.instance(*peers), name="rack")
    facts = kit.with_policies(objects.policy(name="old"), cluster_configs=[config])(healthy())
    slow = kit.with_state(peers=(kit.peer(name=name, **SLOW),), **told)(facts)
    (row,) = examine(slow, rules=(BY_NAME["keepalive-slow"],)).rows
    assert row.fix == fix


@pytest.mark.parametrize(
    ("setting", "old", "new", "word"),
    [
        ("hold", "holdTimeSeconds", "timers.holdTimeSeconds", "hold time"),
        ("keepalive", "keepAliveTimeSeconds", "timers.keepAliveTimeSeconds", "keepalive time"),
        (
            "restart",
            "gracefulRestart.restartTimeSeconds",
            "gracefulRestart.restartTimeSeconds",
            "Restart Time",
        ),
        ("graceful", "gracefulRestart.enabled", "gracefulRestart.enabled", "graceful restart"),
        ("ttl", "eBGPMultihopTTL", "ebgpMultihop", "multihop TTL"),
        ("password", "authSecretRef", "authSecretRef", "password"),
    ],
)
def test_every_setting_is_named_as_its_resource_has_it(setting: str, old: str, new: str, word: str) -> None:
    def told(kind: str, name: str) -> str:
        state = kit.state("worker-1", selected_by=name, selected_by_kind=kind)
        return change(healthy(), state, kit.peer(name="main/tor"), setting, "V")

    neighbor = "spec.virtualRouters[].neighbors[]"
    assert told("CiliumBGPPeeringPolicy", "p") == f"set {neighbor}.{old}: V in CiliumBGPPeeringPolicy p"
    of_peer = "CiliumBGPPeerConfig of the peer main/tor"
    assert told("CiliumBGPClusterConfig", "rack") == f"set spec.{new}: V in {of_peer}"
    assert told("", "") == f"set the {word} of this peer to V"


def test_of_rules_that_lack_several_facts_the_first_is_named() -> None:
    facts = replace(
        healthy(), states=None, restarts=None, missing={"states": "no right", "restarts": "no pods"}
    )
    (one,) = examine(facts, rules=(BY_NAME["restart-time-short"],)).unchecked
    assert one.why == "no right"
    (one,) = examine(replace(facts, missing={}), rules=(BY_NAME["restart-time-short"],)).unchecked
    assert one.why == "states are not known"


def test_about_how_many_nodes_it_was() -> None:
    assert examine(healthy()).nodes == 2 and examine(healthy(), ("worker-2",)).nodes == 1


def test_in_these_words() -> None:
    """Every object of every finding, with the whole of why and fix."""
    check_golden("doctor_edges.txt", _told())


def _told() -> Iterator[Line]:
    for name, number in cases(fires=True):
        for row in ask(name, number, fires=True).rows:
            yield line(f"{name}: {', '.join(row.objects)}: {row.why}")
            yield line(f"  {row.fix}")

"""What Cilium tells of a node, and what it does not: a NodeState of its CiliumBGPNodeConfig."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.cilium.copies import copy_name, silenced
from bgpctl.core.cilium.nodeconfig import ANNOTATION, Kept, read, read_kept
from bgpctl.core.cilium.states import LAG, UNTOLD, node_state
from bgpctl.core.model import IPV4, SessionState
from bgpctl.core.policy.v2.peer import BGPPeerConfig
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState
from bgpctl.core.timing.facts import facts_from_state

OWNER = {"apiVersion": "cilium.io/v2", "kind": "CiliumBGPClusterConfig", "name": "cc", "uid": "u1"}
GRACEFUL = BGPPeerConfig("pc", port=1790, hold_time=9, keepalive_time=3, restart_time=120)
PLAIN = BGPPeerConfig("pc")


def peer(**changes: Any) -> dict[str, Any]:
    return {
        "name": "tor",
        "peerAddress": "192.0.2.1",
        "peerASN": 65000,
        "peerConfigRef": {"name": "pc"},
        **changes,
    }


def said(count: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": "tor",
        "peerAddress": "192.0.2.1",
        "peerASN": 65000,
        "peeringState": "established",
        "establishedTime": "2026-11-28T10:00:00Z",
        "timers": {"appliedHoldTimeSeconds": 9, "appliedKeepaliveSeconds": 3},
        "routeCount": [{"afi": "ipv4", "safi": "unicast", "received": 4, "advertised": count}],
        **changes,
    }


def document(*reported: dict[str, Any], peers: Any = None, **metadata: Any) -> dict[str, Any]:
    told = [{"name": "main", "localASN": 65001, "peers": list(reported)}]
    instance = {"name": "main", "localASN": 65001, "peers": [peer()] if peers is None else peers}
    return {
        "metadata": {"name": "n1", "resourceVersion": "7", "ownerReferences": [OWNER], **metadata},
        "spec": {"bgpInstances": [instance]},
        **({"status": {"bgpInstances": told}} if reported else {}),
    }


def out(*reported: dict[str, Any], before: int, **changes: Any) -> dict[str, Any]:
    """The same after bgpctl made it withdraw, when `before` was counted."""
    kept = Kept((OWNER,), (), {"main/tor": {"ipv4/unicast": before}}, "n")
    copied = [peer(peerConfigRef={"name": copy_name("pc")})]
    annotations = {ANNOTATION: kept.text()}
    return document(*reported, peers=copied, ownerReferences=[], annotations=annotations, **changes)


def state(found: dict[str, Any], settings: BGPPeerConfig = GRACEFUL) -> NodeState:
    return node_state(read(found), {"pc": settings, copy_name("pc"): settings})


def test_a_session_that_is_up() -> None:
    seen = state(document(said(3)))
    (told,) = seen.peers
    assert (seen.phase, seen.lag, seen.selected_by, seen.told_out) == ("", LAG, "cc", False)
    assert (told.name, told.address, told.port, told.asn, told.local_asn) == (
        "main/tor",
        "192.0.2.1",
        1790,
        65000,
        65001,
    )
    assert told.session.established and told.session.hold_time == 9 and not told.session.gr_told
    assert (told.intended, told.announced, told.session.end_of_rib) == (None, None, None)
    assert told.session.counts == (), "with graceful restart a count may be one too high"
    facts = facts_from_state(told)
    assert (facts.restart_time, facts.graceful, facts.local_n, facts.peer_n) == (120, None, True, None)


def test_without_graceful_restart_counts_are_exact() -> None:
    seen = state(document(said(3)), PLAIN)
    assert seen.announced == 3
    assert seen.peers[0].session.advertised == {IPV4: 3}
    assert seen.peers[0].session.counts[0].received == 4


@pytest.mark.parametrize(
    ("before", "now", "settings", "left"),
    [
        (3, 1, GRACEFUL, 0),  # two routes, the End-of-RIB is still counted
        (2, 1, GRACEFUL, 0),
        (3, 3, GRACEFUL, 2),  # not of now yet
        (1, 1, GRACEFUL, None),  # nothing, or one route of a session without graceful restart
        (1, 0, GRACEFUL, 0),
        (0, 0, GRACEFUL, None),  # nothing came down: it may be of before
        (2, 0, PLAIN, 0),
        (2, 1, PLAIN, 1),
    ],
)
def test_what_is_left_of_a_node_that_was_told_to_withdraw(
    before: int, now: int, settings: BGPPeerConfig, left: int | None
) -> None:
    seen = state(out(said(now), before=before), settings)
    assert (seen.told_out, seen.selected_by, seen.announced) == (True, "", left)
    assert seen.unwithdrawn == ()


def test_a_session_that_ended_before_it_withdrew_is_no_withdrawal() -> None:
    seen = state(out(said(0, peeringState="active", establishedTime=None), before=3))
    assert seen.announced is None, "nothing shows that the agent is alive"
    assert [one.address for one in seen.unwithdrawn] == ["192.0.2.1"]


def test_peers_that_were_taken_away_are_closed_whatever_the_status_says() -> None:
    seen = state(document(said(3), peers=[]))
    assert (seen.peers, seen.established) == ((), 0)


@pytest.mark.parametrize("found", [document(), document(said(1, name="other"))], ids=["1.16", "a new peer"])
def test_a_session_that_nobody_tells_of_is_unknown(found: dict[str, Any]) -> None:
    seen = state(found)
    assert (seen.peers[0].session.state, seen.announced) == (SessionState.UNKNOWN, None)
    assert (UNTOLD in seen.problems) is ("status" not in found)


def test_a_peer_that_is_discovered_has_the_address_that_was_found() -> None:
    found = document(said(3, peerAddress="10.0.0.1"), peers=[peer(peerAddress=None, peerASN=0)])
    assert (state(found).peers[0].address, state(found).peers[0].asn) == ("10.0.0.1", 65000)


def test_a_reference_to_nothing_is_said() -> None:
    (problem,) = node_state(read(document(said(0))), {}).problems
    assert problem == "CiliumBGPPeerConfig pc does not exist: its peers get no session"


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"bgpInstances": "x"}},
        {"spec": {"bgpInstances": [{"peers": []}]}},
        {"spec": {"bgpInstances": [{"name": "main", "peers": [{"name": 3}]}]}},
        {"spec": {"bgpInstances": [{"name": "main", "peers": [peer(peerConfigRef=[])]}]}},
        {"status": {"bgpInstances": [{"name": "main", "peers": [said(-1)]}]}},
        {"status": {"bgpInstances": [{"name": "main", "peers": [said(1, peeringState="up")]}]}},
        {"status": {"bgpInstances": [{"name": "main", "peers": [said(1, establishedTime="soon")]}]}},
        {"metadata": {"name": "n1", "ownerReferences": [{"kind": "CiliumBGPClusterConfig"}]}},
        {"metadata": {"name": "n1", "annotations": {ANNOTATION: "{"}}},
        {"metadata": {}},
        {"spec": {"bgpInstances": [{"name": "main", "peers": [peer(peerAddress="tor.example")]}]}},
    ],
    ids=lambda change: str(change)[:60],
)
def test_what_cannot_be_read_is_one_named_fault(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read({**document(said(3)), **change})


@pytest.mark.parametrize("text", ["[]", "{}", '{"version":2}', '{"version":1,"owners":[{}]}', "[" * 100_000])
def test_an_annotation_of_somebody_else_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read_kept(text)


def test_what_is_kept_is_read_as_it_was_written() -> None:
    kept = read(document(said(3))).keep("uid-n1", 7.0)
    assert read_kept(kept.text()) == kept
    assert (kept.at, list(kept.since)) == (7.0, ["main/tor"])
    assert (kept.owner, kept.node, kept.advertised) == ("cc", "uid-n1", {"main/tor": {"ipv4/unicast": 3}})


def test_a_copy_has_no_advertisements_and_everything_else() -> None:
    families = [{"afi": "ipv4", "safi": "unicast", "advertisements": {}}, {"afi": "ipv6", "safi": "unicast"}]
    spec = {"timers": {"holdTimeSeconds": 9}, "families": families}
    assert silenced(spec) == {
        "timers": {"holdTimeSeconds": 9},
        "families": [{"afi": "ipv4", "safi": "unicast"}, {"afi": "ipv6", "safi": "unicast"}],
    }
    assert "advertisements" in families[0], "the original is as it was"

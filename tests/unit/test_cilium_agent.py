"""What Cilium's agent says when it is asked itself, and what a node's state makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bgpctl.core.cilium.agent import PEERS, Told, key_of, questions, read_count, read_sessions
from bgpctl.core.cilium.nodeconfig import ANNOTATION, Kept, read
from bgpctl.core.cilium.states import LAG, node_state
from bgpctl.core.model import SessionState
from bgpctl.core.policy.v2.peer import BGPPeerConfig
from bgpctl.core.reading.foreign import Unreadable
from tests.unit.test_cilium_states import OWNER, document, said

NOW = 1_000_000.0
UP = SessionState.ESTABLISHED
PEER = {"peer-address": "192.0.2.1", "local-asn": 65001, "peer-asn": 65000, "session-state": "established"}


def test_the_agent_is_asked_in_one_command_that_answers_in_json() -> None:
    assert " ".join(PEERS) == "cilium-dbg bgp peers -o json"
    (one,) = read(document(said(1))).peers
    assert key_of(one) == ("192.0.2.1", 65001)


def test_a_peer_without_settings_is_asked_for_ciliums_default_families() -> None:
    asked = sorted(" ".join(command) for _, command in questions(read(document(said(1))), {}))
    assert [words.split(" vrouter")[0] for words in asked] == [
        "cilium-dbg bgp routes advertised ipv4 unicast",
        "cilium-dbg bgp routes advertised ipv6 unicast",
    ]


def test_each_family_of_each_peer_is_a_question() -> None:
    asked = dict.fromkeys(questions(read(document()), {"pc": BGPPeerConfig("pc")}))
    assert {(key, " ".join(words)) for key, words in asked} == {
        (
            "main/tor",
            f"cilium-dbg bgp routes advertised {afi} unicast vrouter 65001 peer 192.0.2.1 -o json",
        )
        for afi in ("ipv4", "ipv6")
    }


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.1/32"])
def test_sessions_are_found_by_address_and_asn(address: str) -> None:
    text = json.dumps([{**PEER, "peer-address": address, "uptime-nanoseconds": 2_500_000_000}])
    assert read_sessions(text) == {("192.0.2.1", 65001): Told(UP, 2.5)}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"session-state": "idle"}, SessionState.IDLE),
        ({"session-state": None}, SessionState.UNKNOWN),
        ({"peer-address": ""}, None),
        ({"peer-address": None}, None),
    ],
)
def test_a_session_without_a_state_is_unknown_and_one_without_an_address_nobodys(
    change: dict[str, Any], state: SessionState | None
) -> None:
    found = read_sessions(json.dumps([{**PEER, **change}]))
    assert found == ({} if state is None else {("192.0.2.1", 65001): Told(state, 0.0)})


@pytest.mark.parametrize("text", ["", " \n", "{}", "Error: no agent"])
def test_no_word_of_sessions_is_not_none(text: str) -> None:
    with pytest.raises(Unreadable):
        read_sessions(text)
    assert read_sessions("[]") == {}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n", 0),
        ("null", 0),
        ("[]", 0),
        ('[{"prefix": "10.0.0.0/24", "paths": [{}]}]', 1),
        ("[{}, {}]", 2),
    ],
)
def test_routes_are_counted(text: str, count: int) -> None:
    assert read_count(text) == count


@pytest.mark.parametrize(
    "text", ["{", "{}", "1", "[1]", '["x"]', "[" * 100_000, "Error: no such peer", '[{"a": NaN}]']
)
def test_what_is_no_list_of_objects_is_no_count(text: str) -> None:
    with pytest.raises(Unreadable):
        read_count(text)


@pytest.mark.parametrize(
    "change",
    [
        {"peer-address": "tor.example"},
        {"peer-address": 1},
        {"local-asn": "x"},
        {"session-state": "up"},
        {"uptime-nanoseconds": -1},
    ],
    ids=str,
)
def test_a_session_that_cannot_be_read_is_one_named_fault(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read_sessions(json.dumps([{**PEER, **change}]))


def out(*reported: dict[str, Any], **kept: Any) -> Any:
    """Of a node that was made to withdraw at NOW - 10, with its session up for long."""
    before = Kept((OWNER,), (), {"main/tor": {"ipv4/unicast": 3}}, "n", **kept)
    metadata = {"annotations": {ANNOTATION: before.text()}, "ownerReferences": []}
    return read(document(*reported, **metadata))


def test_its_own_word_goes_before_what_it_wrote() -> None:
    config, settings = out(said(3), at=NOW - 10), {"pc": BGPPeerConfig("pc", restart_time=120)}
    wrote = node_state(config, settings)
    assert (wrote.announced, wrote.lag, wrote.engine_asked) == (2, LAG, "")
    asked = node_state(config, settings, {"main/tor": Told(UP, 5_000.0, 0)}, "cilium-dbg in pod a/b", NOW)
    assert (asked.announced, asked.established, asked.lag) == (0, 1, 0.0)
    assert asked.engine_asked == "cilium-dbg in pod a/b" and not asked.unwithdrawn


@pytest.mark.parametrize(
    ("at", "uptime", "ended"),
    [
        (NOW - 10, 9.0, True),
        (NOW - 10, 10.0, False),
        (NOW - 10, 11.0, False),
        (0.0, 9.0, False),
    ],
)
def test_a_session_that_is_younger_than_the_word_to_withdraw_told_its_router_nothing(
    at: float, uptime: float, ended: bool
) -> None:
    """When that was is not known of a node that an older bgpctl made withdraw."""
    seen = node_state(out(said(3), at=at), {}, {"main/tor": Told(UP, uptime, 0)}, "cilium-dbg", NOW)
    assert bool(seen.unwithdrawn) is ended


@pytest.mark.parametrize(("before", "ended"), [(1.0, True), (1_795_860_000.0, False), (0.0, False)])
def test_a_session_that_is_up_since_another_instant_ended_between(before: float, ended: bool) -> None:
    for since, seen in (("2026-11-28T10:00:00Z", ended), (None, False)):
        config = out(said(3, establishedTime=since), since={"main/tor": before})
        assert bool(node_state(config, {}).unwithdrawn) is seen


def test_a_session_that_only_the_agent_tells_of_may_be_down() -> None:
    """1.16 writes none: with its own word it is known whose router was not told."""
    idle = {"main/tor": Told(SessionState.IDLE, 0.0, 0)}
    (lost,) = node_state(out(at=NOW - 10), {}, idle, "cilium-dbg", NOW).unwithdrawn
    assert lost.name == "main/tor"


def test_an_agent_that_never_writes_can_be_asked() -> None:
    """1.16, or without status report."""
    asked = node_state(out(at=NOW - 10), {}, {"main/tor": Told(UP, 5_000.0, 0)}, "x", NOW)
    assert (asked.announced, asked.established) == (0, 1)


@pytest.mark.parametrize(
    ("reported", "told", "ended"),
    [
        (said(1), {}, False),
        (said(1, establishedTime="2026-11-28T10:00:05Z"), {}, True),
        (said(1, peeringState="active"), {}, True),
        (said(1), {"main/tor": Told(UP, 5_000.0)}, False),
        (said(1), {"main/tor": Told(UP, 9.0)}, True),
        (said(1), {"main/tor": Told(SessionState.ACTIVE, 0.0)}, True),
    ],
    ids=["as it was", "anew", "down", "asked: as it was", "asked: anew", "asked: down"],
)
def test_a_session_that_ended_after_the_withdrawal_may_have_left_routes(
    reported: dict[str, Any], told: dict[str, Told], ended: bool
) -> None:
    """An agent that is started anew announces nothing: a router with graceful restart may still keep all."""
    since = {"main/tor": read(document(said(1))).peers[0].reported.established_at}  # type: ignore[union-attr]
    state = node_state(out(reported, at=NOW - 10, since=since), {}, told, "x", NOW)
    assert bool(state.unwithdrawn) is ended

"""A BGPNodeState on the wire: what is left out, what a missing part reads as, and whose clock says when."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from bgpctl.core.model import IPV4, IPV6, Family, GracefulRestart, LastError, Peer, Session, SessionState
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import (
    STALE_AFTER_SECONDS,
    NodeState,
    PeerState,
    WithdrawnPeer,
    WithdrawnRecord,
    describe_peer,
)
from bgpctl.core.state_document import from_document, read_states, to_document


def read(status: dict[str, Any], **metadata: Any) -> NodeState:
    return from_document({"metadata": {"name": "n", **metadata}, "status": status})


def a_peer(**fields: Any) -> PeerState:
    return PeerState("p", "192.0.2.1", 179, 65000, 65001, Session("p", **fields))


# --- writing ------------------------------------------------------------------------------------------------


def test_a_speaker_that_has_nothing_to_say_yet() -> None:
    assert to_document(NodeState("n")) == {
        "apiVersion": "bgpctl.io/v1alpha1",
        "kind": "BGPNodeState",
        "metadata": {"name": "n"},
        "status": {
            "phase": "Starting",
            "speakerVersion": "",
            "engineVersion": "",
            "engineRestarts": 0,
            "sessions": "0/0",
            "routes": {"intended": 0, "announced": 0},
            "peers": [],
        },
    }


def test_a_peer_of_which_little_is_known() -> None:
    (document,) = to_document(NodeState("n", peers=(a_peer(),)))["status"]["peers"]
    assert document == {
        "name": "p",
        "peerAddress": "192.0.2.1",
        "peerPort": 179,
        "peerASN": 65000,
        "localASN": 65001,
        "state": "idle",
        "configured": {"holdTimeSeconds": 90, "keepAliveTimeSeconds": 30},
        "timers": {},
        "gracefulRestart": {},
        "families": [],
        "routeCount": [],
        "intended": 0,
        "announced": 0,
        "pending": 0,
        "endOfRIBSent": False,
        "flaps": 0,
    }


def counts(**fields: Any) -> list[tuple[str, int, int]]:
    (document,) = to_document(NodeState("n", peers=(a_peer(**fields),)))["status"]["peers"]
    return [(count["afi"], count["advertised"], count["received"]) for count in document["routeCount"]]


UP = SessionState.ESTABLISHED


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"state": UP, "families": (IPV6, IPV4)}, [("ipv4", 0, 0), ("ipv6", 0, 0)]),
        ({"state": UP, "advertised": {IPV6: 2}}, [("ipv6", 2, 0)]),
        ({"state": UP, "received": {IPV4: 3}}, [("ipv4", 0, 3)]),
        ({"state": UP, "families": (IPV4,), "advertised": {IPV4: 1}}, [("ipv4", 1, 0)]),
        ({"families": (IPV4,), "advertised": {IPV4: 1}}, []),
    ],
)
def test_counts_of_every_family_that_the_session_has(fields: Any, expected: Any) -> None:
    assert counts(**fields) == expected


def test_families_are_counted_in_order() -> None:
    families = [Family(f"afi{n}", "unicast") for n in range(9)]
    assert [afi for afi, _, _ in counts(state=UP, families=tuple(reversed(families)))] == [
        f.afi for f in families
    ]


def test_a_withdrawal_that_answers_nothing_says_nothing_of_it() -> None:
    record = WithdrawnRecord("leave", 1.0, 2.0, 3.0, (WithdrawnPeer(a_peer(), 4), WithdrawnPeer(a_peer(), 5)))
    document = to_document(NodeState("n", withdrawn=record))["status"]["withdrawn"]
    assert document.keys() == {"reason", "observedTime", "sentTime", "closedTime", "routes", "peers"}
    assert document["routes"] == 9 and [peer["flushed"] for peer in document["peers"]] == [True, True]


# --- reading ------------------------------------------------------------------------------------------------


def test_an_object_of_which_nothing_is_written() -> None:
    assert read({}) == NodeState("n")


def test_a_peer_of_which_only_the_address_is_written() -> None:
    (peer,) = read({"peers": [{"peerAddress": "192.0.2.1"}]}).peers
    unknown = Session("", SessionState.UNKNOWN)
    assert peer == PeerState("", "192.0.2.1", 179, 0, 0, unknown)


def test_a_session_of_which_half_is_written() -> None:
    document = {
        "name": "p",
        "peerAddress": "192.0.2.1",
        "state": "established",
        "families": ["ipv4/unicast", "ipv6"],
        "gracefulRestart": {
            "local": {"restartTimeSeconds": 120},
            "peer": {"families": None, "restartState": True},
        },
        "lastError": {"time": "2026-01-01T00:00:00Z"},
    }
    session = read({"peers": [document]}).peers[0].session
    assert session.families == (Family("ipv4", "unicast"), Family("ipv6", "unicast"))
    assert (session.local_gr, session.peer_gr) == (GracefulRestart(120), GracefulRestart(0, True))
    assert session.last_error == LastError(1_767_225_600.0, "", "")


def test_a_withdrawal_of_which_half_is_written() -> None:
    found = read({"withdrawn": {"sentTime": "1970-01-01T00:00:09Z"}}).withdrawn
    assert found == WithdrawnRecord("", 0.0, 9.0, 0.0, ())
    peers = read({"withdrawn": {"sentTime": "1970-01-01T00:00:09Z", "peers": [{"peerAddress": "192.0.2.1"}]}})
    assert peers.withdrawn is not None
    (peer,) = peers.withdrawn.peers
    assert (peer.routes, peer.flushed) == (0, True)


@pytest.mark.parametrize("flushed", [True, False])
def test_whether_the_withdraws_were_on_the_socket_comes_back(flushed: bool) -> None:
    record = WithdrawnRecord("leave", 1.0, 2.0, 3.0, (WithdrawnPeer(a_peer(), 4, flushed),))
    assert from_document(to_document(NodeState("n", withdrawn=record))).withdrawn == record


def test_a_peer_is_described_by_its_definition() -> None:
    defined = Peer(
        "main/tor",
        "main",
        IPv4Address("192.0.2.1"),
        65000,
        65001,
        IPv4Address("10.0.0.1"),
        port=1790,
        hold_time=9,
        keepalive_time=3,
        restart_time=120,
        graceful_notification=True,
    )
    session = Session("main/tor")
    assert describe_peer(defined, session, 5, 4) == PeerState(
        "main/tor", "192.0.2.1", 1790, 65000, 65001, session, 120, 9, 3, 5, 4, "main", True
    )


# --- whose clock --------------------------------------------------------------------------------------------


def managed(time: str, subresource: str | None = "status") -> dict[str, Any]:
    return {"manager": "bgpctl", "time": time, **({"subresource": subresource} if subresource else {})}


@pytest.mark.parametrize(
    ("entries", "reported_at"),
    [
        (None, 0.0),
        ([], 0.0),
        ([managed("1970-01-01T00:10:00Z", None)], 0.0),  # somebody's label, not the speaker's word
        ([managed("1970-01-01T00:10:00Z", "scale")], 0.0),
        ([managed("1970-01-01T00:10:00Z")], 600.0),
        (
            [
                managed("1970-01-01T00:10:00Z"),
                managed("1970-01-01T00:09:00Z"),
                managed("1970-01-02T00:00:00Z", None),
            ],
            600.0,
        ),
    ],
)
def test_when_the_api_server_took_the_status(entries: Any, reported_at: float) -> None:
    assert read({}, managedFields=entries).reported_at == reported_at


def test_a_state_is_as_old_as_the_api_server_says_whatever_the_speakers_clock() -> None:
    ahead = NodeState("n", heartbeat=9000.0, reported_at=5000.0)
    assert ahead.last_seen == 5000.0
    assert not ahead.stale(5000.0 + STALE_AFTER_SECONDS)
    assert ahead.stale(5000.0 + STALE_AFTER_SECONDS + 1)
    silent = replace(ahead, reported_at=0.0)
    assert silent.last_seen == 9000.0 and not silent.stale(9000.0)


@pytest.mark.parametrize(
    ("heartbeat", "reported_at", "instant", "server"),
    [(9000.0, 5000.0, 8990.0, 4990.0), (1000.0, 5000.0, 990.0, 4990.0), (1000.0, 0.0, 990.0, 990.0)],
)
def test_an_instant_of_the_speaker_by_the_servers_clock(
    heartbeat: float, reported_at: float, instant: float, server: float
) -> None:
    state = NodeState("n", heartbeat=heartbeat, reported_at=reported_at)
    assert state.by_server(instant) == server


# --- what cannot be read ------------------------------------------------------------------------------------


def test_one_bad_object_is_a_node_of_which_only_that_is_known() -> None:
    good = to_document(NodeState("a"))
    bad = {"metadata": {"name": "b"}, "status": {"peers": 5}}
    states = read_states([good, bad, {"status": {}}, 7])
    assert [state.node for state in states] == ["a", "b", "(unnamed)", "(unnamed)"]
    assert states[0] == NodeState("a")
    assert states[1] == NodeState("b", unreadable="status.peers must be a list of at most 10000; it is 5")
    assert states[2].unreadable == "metadata.name must be a string; it is null"
    assert states[3].unreadable == "it must be an object; it is 7"


@pytest.mark.parametrize(
    ("status", "place"),
    [
        ({"peers": [{"peerASN": 2**32}]}, "status.peers[0].peerASN"),
        ({"peers": [{"localASN": 2**32}]}, "status.peers[0].localASN"),
        ({"peers": [{"peerPort": 65536}]}, "status.peers[0].peerPort"),
        ({"peers": [{"peerAddress": "ten"}]}, "status.peers[0].peerAddress"),
        ({"peers": [{"localAddress": "10.0.0.1%eth0"}]}, "status.peers[0].localAddress"),
        (
            {"peers": [{"gracefulRestart": {"local": {"restartTimeSeconds": 2**31}}}]},
            "status.peers[0].gracefulRestart.local.restartTimeSeconds",
        ),
        (
            {"peers": [{"timers": {"appliedHoldTimeSeconds": 2**31}}]},
            "status.peers[0].timers.appliedHoldTimeSeconds",
        ),
        ({"peers": [{"configured": {"holdTimeSeconds": -1}}]}, "status.peers[0].configured.holdTimeSeconds"),
        ({"gracefulShutdown": {"soakSeconds": 2**31}}, "status.gracefulShutdown.soakSeconds"),
        ({"heartbeatTime": "soon"}, "status.heartbeatTime"),
    ],
)
def test_numbers_that_no_writer_would_put_in(status: dict[str, Any], place: str) -> None:
    with pytest.raises(Unreadable, match=f"^{re.escape(place)} must be "):
        read(status)


def test_a_family_is_read_whole() -> None:
    (peer,) = read({"peers": [{"families": ["l2vpn/evpn"]}]}).peers
    assert peer.session.families == (Family("l2vpn", "evpn"),) and peer.address == ""


SHORT = 2**31 - 1


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        (("peerPort",), 0, 65535),
        (("peerASN",), 0, 2**32 - 1),
        (("localASN",), 0, 2**32 - 1),
        (("configured", "holdTimeSeconds"), 0, SHORT),
        (("configured", "keepAliveTimeSeconds"), 0, SHORT),
        (("configured", "restartTimeSeconds"), 0, SHORT),
        (("timers", "appliedHoldTimeSeconds"), 0, SHORT),
        (("timers", "appliedKeepaliveSeconds"), 0, SHORT),
        (("gracefulRestart", "longLivedSeconds"), 0, SHORT),
        (("gracefulRestart", "local", "restartTimeSeconds"), 0, SHORT),
        (("gracefulRestart", "peer", "restartTimeSeconds"), 0, SHORT),
    ],
)
def test_every_number_has_its_bounds(path: tuple[str, ...], low: int, high: int) -> None:
    for number, fits in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        value: Any = number
        for name in reversed(path):
            value = {name: value}
        if fits:
            read({"peers": [value]})
        else:
            with pytest.raises(Unreadable):
                read({"peers": [value]})

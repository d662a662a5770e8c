"""What Cilium tells of a node, and what it does not: a NodeState of its CiliumBGPNodeConfig."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.cilium.agent import Told
from bgpctl.core.cilium.copies import copy_name, silenced
from bgpctl.core.cilium.nodeconfig import ANNOTATION, LABEL, Kept, read, read_kept
from bgpctl.core.cilium.states import LAG, UNTOLD, node_state, silent
from bgpctl.core.model import IPV4, SessionState
from bgpctl.core.policy.v2.peer import BGPPeerConfig
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState
from bgpctl.core.timing.facts import facts_from_state
from bgpctl.render.peers import restart

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
    assert (told.instance, told.configured_hold_time, told.configured_keepalive_time) == ("main", 9, 3)
    session = told.session
    assert (session.established, session.hold_time, session.keepalive_time) == (True, 9, 3)
    assert session.since == session.established_at == 1_795_860_000.0 and not session.gr_told
    assert (seen.selected_by_kind, seen.intended) == ("CiliumBGPClusterConfig", None)
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
    ("settings", "reported", "shown"),
    [
        (GRACEFUL, (said(3),), "120 s offered"),
        (GRACEFUL, (), "120 s offered"),  # 1.16: no session is told
        (GRACEFUL, (said(3, peeringState="active"),), "-"),
        (PLAIN, (said(3),), "off"),
        (PLAIN, (), "off"),
        (None, (said(3),), "?"),  # its CiliumBGPPeerConfig has gone, or cannot be read
    ],
)
def test_graceful_restart_is_what_the_node_offers(
    settings: BGPPeerConfig | None, reported: tuple[dict[str, Any], ...], shown: str
) -> None:
    """Whether the router took the offer, Cilium does not tell."""
    (told,) = node_state(read(document(*reported)), {"pc": settings} if settings else {}).peers
    assert restart(told) == shown


@pytest.mark.parametrize(
    ("before", "now", "settings", "left"),
    [
        (3, 1, GRACEFUL, 0),  # two routes, the End-of-RIB is still counted
        (2, 1, GRACEFUL, 0),
        (3, 3, GRACEFUL, 2),  # not of now yet
        (1, 1, GRACEFUL, None),  # nothing, or one route of a session without graceful restart
        (1, 0, GRACEFUL, 0),
        (0, 0, GRACEFUL, None),  # nothing came down: it may be of before
        (1, 3, GRACEFUL, 2),
        (2, 0, PLAIN, 0),
        (2, 1, PLAIN, 1),
    ],
)
def test_what_is_left_of_a_node_that_was_told_to_withdraw(
    before: int, now: int, settings: BGPPeerConfig, left: int | None
) -> None:
    seen = state(out(said(now), before=before), settings)
    assert (seen.told_out, seen.selected_by, seen.announced) == (True, "", left)
    assert seen.unwithdrawn == () and seen.selected_by_kind == ""
    assert bool(seen.assumes) == (left == 0 and now == 1), "it may be a route, where nobody negotiated"


def two(first: int, second: int, *, before: int, state: str = "established") -> dict[str, Any]:
    """A node that was told to withdraw, with two peers to which so many routes are counted."""
    names = ("tor", "tor2")
    kept = Kept((OWNER,), (), {f"main/{name}": {"ipv4/unicast": before} for name in names}, "n")
    peers = [peer(name=name, peerConfigRef={"name": copy_name("pc")}) for name in names]
    counts = (said(first), said(second, name="tor2", peeringState=state))
    return document(*counts, peers=peers, ownerReferences=[], annotations={ANNOTATION: kept.text()})


def test_one_count_that_moved_shows_that_the_agent_is_alive() -> None:
    assert state(two(0, 0, before=0)).announced is None
    assert state(two(0, 3, before=0)).announced == 2
    assert state(two(0, 0, before=3)).announced == 0


def test_what_is_assumed_of_one_peer_is_said() -> None:
    assert state(two(1, 1, before=3)).assumes and state(two(1, 0, before=3)).assumes
    assert not state(two(0, 0, before=3)).assumes
    families = [{"afi": afi, "safi": "unicast", "advertised": n} for afi, n in (("ipv4", 1), ("ipv6", 0))]
    assert state(out(said(1, routeCount=families), before=3)).assumes
    config = read(two(1, 1, before=3))
    told = {f"main/{name}": Told(SessionState.ESTABLISHED, 9.0, 0) for name in ("tor", "tor2")}
    assert not node_state(config, {}, told).assumes, "its engine said so"


def test_a_session_that_is_down_tells_no_count_whatever_is_written() -> None:
    seen = state(two(0, 3, before=3, state="idle"))
    assert [one.announced for one in seen.peers] == [0, None]


@pytest.mark.parametrize(
    ("before", "now", "left"),
    [({}, 2, 1), ({}, 1, None), ({"ipv4/unicast": 1}, 1, None), ({"ipv4/unicast": 2}, 1, 0)],
)
def test_one_route_is_end_of_rib_only_where_there_were_two(before: Any, now: int, left: int | None) -> None:
    counted = {"main/other": {"ipv4/unicast": 7}} | ({"main/tor": before} if before else {})
    annotations = {ANNOTATION: Kept((OWNER,), (), counted, "n").text()}
    seen = state(
        document(
            said(now), peers=[peer()], ownerReferences=[], labels={LABEL: "true"}, annotations=annotations
        )
    )
    assert seen.told_out and seen.peers[0].announced == left


@pytest.mark.parametrize(("count", "announced"), [(0, 0), (3, 3)])
def test_counts_that_did_not_move_are_believed_of_a_node_that_somebody_owns_again(
    count: int, announced: int
) -> None:
    annotations = {ANNOTATION: Kept((), (), {"main/tor": {"ipv4/unicast": count}}, "n").text()}
    assert state(document(said(count), annotations=annotations), PLAIN).announced == announced


def test_a_peer_without_settings_of_its_own_offers_no_graceful_restart() -> None:
    """Cilium's default has none; what a reference to nothing would give it nobody knows."""
    for reference, known in (({}, True), ({"name": "gone"}, False)):
        (one,) = state(document(said(1), peers=[peer(peerConfigRef=reference)])).peers
        assert one.session.gr_told is known


def test_a_family_that_was_not_counted_before_tells_nothing() -> None:
    other = [{"afi": "ipv6", "safi": "unicast", "advertised": 1}]
    assert state(out(said(1, routeCount=other), before=3)).announced is None
    assert state(out(said(1, name="tor"), before=3)).announced == 0
    assert state(out(said(1, routeCount=[]), before=3)).announced is None


def test_counts_of_a_node_that_somebody_owns_again_are_those_of_a_node_that_announces() -> None:
    annotations = {ANNOTATION: Kept((), (), {"main/tor": {"ipv4/unicast": 3}}, "n").text()}
    seen = state(document(said(1), annotations=annotations))
    assert (seen.told_out, seen.announced, seen.unwithdrawn) == (False, None, ())
    assert state(document(said(1), peers=[peer()], ownerReferences=[])).told_out is False
    marked = state(document(said(1), ownerReferences=[], labels={"bgpctl.io/withdrawn": "true"}))
    assert (marked.told_out, marked.announced) == (True, None), "what it counted before is not known"


@pytest.mark.parametrize(
    ("changes", "out"),
    [
        ({"labels": {LABEL: "true"}}, True),
        ({"annotations": {ANNOTATION: Kept().text()}}, True),
        ({"peers": [peer(), peer(name="b", peerConfigRef={"name": copy_name("pc")})]}, True),
        ({"peers": [peer(peerConfigRef={"name": ".bgpctl-withdrawn.pc"})]}, False),
        ({"labels": {"a": "b"}}, False),
    ],
)
def test_a_node_is_out_by_any_mark_unless_somebody_owns_it(changes: dict[str, Any], out: bool) -> None:
    assert read(document(**changes, ownerReferences=[])).withdrawn is out
    assert not read(document(**changes)).withdrawn


def test_one_session_that_does_not_tell_makes_the_sum_unknown() -> None:
    peers = [peer(), peer(name="b", peerAddress="192.0.2.2"), peer(name="c", peerAddress="192.0.2.3")]
    down = said(0, name="c", peeringState="active", establishedTime=None)
    assert state(document(said(2), said(3, name="b"), down, peers=peers), PLAIN).announced == 5
    assert state(document(said(2), said(3, name="b", routeCount=[]), peers=peers), PLAIN).announced is None
    assert state(document(said(2), down, peers=peers), PLAIN).announced == 2
    assert state(document(down, peers=peers), PLAIN).announced is None


def test_a_session_that_is_down_has_no_times() -> None:
    left_over = said(3, peeringState="idle")
    (found,) = state(document(left_over), PLAIN).peers
    session = found.session
    assert (session.since, session.established_at, session.hold_time) == (0.0, None, None)
    assert (session.keepalive_time, session.end_of_rib, found.announced) == (None, None, None)


def test_an_instance_without_peers_has_nothing_that_cilium_could_report() -> None:
    assert state(document(peers=[])).problems == ()


def test_a_node_that_ciliums_operator_left_out_announces_nothing() -> None:
    assert silent("n1") == NodeState("n1", phase="", intended=None, announced=0, lag=LAG)
    asked = NodeState("n1", phase="", intended=None, announced=0, lag=0.0, engine_asked="cilium-dbg")
    assert silent("n1", "cilium-dbg") == asked


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
    session = seen.peers[0].session
    assert (session.state, seen.announced) == (SessionState.UNKNOWN, None)
    assert (session.gr_told, session.end_of_rib, seen.peers[0].announced) == (False, None, None)
    assert (UNTOLD in seen.problems) is ("status" not in found)


def test_a_peer_that_is_discovered_has_the_address_that_was_found() -> None:
    found = document(said(3, peerAddress="10.0.0.1"), peers=[peer(peerAddress=None, peerASN=0)])
    assert (state(found).peers[0].address, state(found).peers[0].asn) == ("10.0.0.1", 65000)
    unseen = state(document(peers=[peer(peerAddress=None, peerASN=None, peerConfigRef=None)])).peers[0]
    assert (unseen.address, unseen.asn, unseen.port) == ("", 0, 179)
    told = state(document(said(3, peerASN=64512), peers=[peer(peerASN=65000)])).peers[0]
    assert told.asn == 65000, "what the agent is told goes before what it said"


def test_a_reference_to_nothing_is_said() -> None:
    """In the order of their names; a peer that refers to none is served by Cilium's default."""
    peers = [peer(name=name, peerConfigRef={"name": name} if name else None) for name in ("b", "a", "c")]
    peers.append(peer(name="d", peerConfigRef=None))
    assert node_state(read(document(said(0), peers=peers)), {"c": PLAIN}).problems == (
        "CiliumBGPPeerConfig a does not exist: its peers get no session",
        "CiliumBGPPeerConfig b does not exist: its peers get no session",
    )


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
        *({"metadata": {"name": "n1", "ownerReferences": [{**OWNER, key: None}]}} for key in OWNER),
        {"metadata": {"name": "n1", "annotations": {ANNOTATION: "{"}}},
        {"metadata": {}},
        {"spec": {"bgpInstances": [{"name": "main", "peers": [peer(peerAddress="tor.example")]}]}},
    ],
    ids=lambda change: str(change)[:60],
)
def test_what_cannot_be_read_is_one_named_fault(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        read({**document(said(3)), **change})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[]", "an object"),
        ("{}", "version must be 1"),
        ('{"version":2}', "version must be 1"),
        ('{"version":1,"owners":[{}]}', "apiVersion"),
        ('{"version":1,"instances":[{}]}', "name"),
        ("[" * 100_000, "nested"),
        ('{"version":1,"node":"' + "n" * (256 << 10) + '"}', "long"),
    ],
    ids=lambda text: text[:40],
)
def test_an_annotation_of_somebody_else_is_refused(text: str, word: str) -> None:
    with pytest.raises(Unreadable, match=f"^annotation bgpctl.io/withdrawn: .*{word}"):
        read_kept(text)


def test_a_session_that_the_agent_names_without_a_state_is_unknown() -> None:
    (found,) = state(document(said(3, peeringState=None))).peers
    assert found.session.state is SessionState.UNKNOWN


def test_what_is_kept_is_read_as_it_was_written() -> None:
    kept = read(document(said(3))).keep("uid-n1", 7.0)
    assert read_kept(kept.text()) == kept
    assert (kept.at, list(kept.since)) == (7.0, ["main/tor"])
    assert (kept.owner, kept.node, kept.advertised) == ("cc", "uid-n1", {"main/tor": {"ipv4/unicast": 3}})
    assert kept.text() == read_kept(kept.text()).text() and " " not in kept.text()
    assert Kept().owner == Kept(({**OWNER, "kind": "Pod"},)).owner == Kept().node == ""


def test_an_instance_without_peers_is_kept_as_one_without_peers() -> None:
    instance = {"name": "main", "localASN": 65001}
    kept = read({**document(), "spec": {"bgpInstances": [instance]}}).keep("n", 0)
    assert kept.instances == ({"name": "main", "peers": []},)


def test_an_annotation_as_long_as_kubernetes_lets_it_be_is_read() -> None:
    """With hundreds of peers it is longer than any other text that is read."""
    peers = [peer(name=f"tor-{number}") for number in range(900)]
    seen = read(document(peers=peers))
    text = seen.keep("n", 1.0).text()
    assert len(text) > 70_000 and read(document(annotations={ANNOTATION: text})).kept == seen.keep("n", 1.0)


def test_only_a_cilium_policy_owns_it() -> None:
    owners = [{**OWNER, "kind": "Pod", "name": "p"}, OWNER]
    assert read(document(ownerReferences=owners)).owner == "cc"
    assert read(document(ownerReferences=owners[:1])).owner == ""


def test_a_copy_has_no_advertisements_and_everything_else() -> None:
    families = [{"afi": "ipv4", "safi": "unicast", "advertisements": {}}, {"afi": "ipv6", "safi": "unicast"}]
    spec = {"timers": {"holdTimeSeconds": 9}, "families": families}
    assert silenced(spec) == {
        "timers": {"holdTimeSeconds": 9},
        "families": [{"afi": "ipv4", "safi": "unicast"}, {"afi": "ipv6", "safi": "unicast"}],
    }
    assert "advertisements" in families[0], "the original is as it was"


def test_of_a_node_without_a_word_of_its_sessions_none_is_said_to_have_ended() -> None:
    assert state(out(before=3)).unwithdrawn == (), "1.16 never tells"
    assert state(document(said(0, peeringState="active"))).unwithdrawn == (), "nobody told it to leave"
    marked = document(said(1), ownerReferences=[], labels={LABEL: "true"})
    assert state(marked).unwithdrawn == (), "since when its session was up is not known"


def test_who_was_asked_is_named_where_there_was_an_answer() -> None:
    config = read(document(said(3)))
    assert node_state(config, {}, by="cilium-dbg").engine_asked == ""
    assert node_state(config, {}, {"main/tor": Told(SessionState.ESTABLISHED, 9.0, 3)}).engine_asked == ""


def test_a_node_that_lost_owner_and_peers_is_withdrawn_if_it_had_both() -> None:
    bare = read(document(peers=[], ownerReferences=[]))
    had = Kept((OWNER,), ({"name": "main", "peers": [peer()]},), {}, "n")
    assert bare.emptied(had)
    assert bare.emptied(Kept((OWNER,), (*had.instances, {"name": "spare", "peers": []}), {}, "n"))
    assert not bare.emptied(Kept((OWNER,), ({"name": "main", "peers": []},), {}, "n"))
    assert not bare.emptied(Kept((), had.instances, {}, "n"))
    assert not read(document(peers=[])).emptied(had) and not read(document(ownerReferences=[])).emptied(had)


def test_what_was_kept_of_a_node_that_is_half_back_stays() -> None:
    before = Kept((OWNER,), ({"name": "main", "peers": [peer(name="old")]},), {}, "n")
    copied = read(document(peers=[peer(peerConfigRef={"name": copy_name("pc")})], ownerReferences=[]))
    kept = copied.keep("n", 1.0, before)
    assert (kept.owners, kept.instances) == (before.owners, before.instances)
    both = [peer(name="new"), peer(peerConfigRef={"name": copy_name("pc")})]
    assert read(document(peers=both)).keep("n", 1.0, before).instances == before.instances
    assert copied.keep("n", 1.0).owners == (), "what it was before is not known"
    whole = read(document(peers=[peer()])).keep("n", 1.0, before)
    assert whole.instances == ({"name": "main", "peers": [peer()]},)


def test_a_node_soaks_only_while_nobody_owns_it() -> None:
    peers = [peer(peerConfigRef={"name": "pc.bgpctl-soak"}), peer(name="other")]
    assert read(document(peers=peers, ownerReferences=[])).soaks
    assert not read(document(peers=peers)).soaks, "Cilium's operator writes over it at once"
    assert not read(document(peers=peers[1:], ownerReferences=[])).soaks


def test_a_session_that_was_never_up_is_kept_without_an_instant() -> None:
    assert read(document(said(0, peeringState="active", establishedTime=None))).keep("n", 1.0).since == {}

"""The order of actions: withdrawals first, leavers before the configuration, End-of-RIB last."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent.diff import (
    CHANGED_REASON,
    REMOVED_REASON,
    Announce,
    Configure,
    Leave,
    Synced,
    Withdraw,
    diff,
    identity,
)
from bgpctl.core.model import Attributes, Intent, Observed, Peer, Route

A, B, C = (ip_network(f"203.0.113.{n}/32") for n in (1, 2, 3))
PLAIN, TAGGED = Attributes(), Attributes(communities=frozenset({"65000:99"}))


def peer(name: str, **changes: Any) -> Peer:
    number = int(name[-1])
    fixed = {"instance": "65001", "asn": 65000, "local_asn": 65001, "router_id": IPv4Address("10.0.0.1")}
    return Peer(name=name, address=IPv4Address(f"192.0.2.{number}"), **{**fixed, **changes})


P1, P2 = peer("p1"), peer("p2")


def intent(*peers: Peer, **routes: dict[Any, Attributes]) -> Intent:
    table = {name: {p: Route(p, a) for p, a in r.items()} for name, r in routes.items()}
    return Intent("n", selected=bool(peers), peers=peers, routes=table)


def observed(*peers: Peer, synced: tuple[str, ...] = (), **announced: dict[Any, Attributes]) -> Observed:
    return Observed(1, True, {p.name: p for p in peers}, announced, frozenset(synced))


@pytest.mark.parametrize(
    ("wanted", "seen", "expected"),
    [
        pytest.param(intent(), observed(), (), id="nothing is nothing"),
        pytest.param(
            intent(P1, p1={A: PLAIN}),
            observed(),
            (Configure((P1,)), Announce("p1", PLAIN, (A,)), Synced(("p1",))),
            id="start: routes before End-of-RIB",
        ),
        pytest.param(
            intent(P1, p1={A: PLAIN}), observed(P1, synced=("p1",), p1={A: PLAIN}), (), id="in step: silence"
        ),
        pytest.param(
            intent(P1, p1={B: PLAIN}),
            observed(P1, synced=("p1",), p1={A: PLAIN}),
            (Withdraw("p1", (A,)), Announce("p1", PLAIN, (B,))),
            id="withdraw before announce",
        ),
        pytest.param(
            intent(P1, p1={A: TAGGED}),
            observed(P1, synced=("p1",), p1={A: PLAIN}),
            (Announce("p1", TAGGED, (A,)),),
            id="changed attributes replace, never withdraw",
        ),
        pytest.param(
            intent(),
            observed(P1, P2, synced=("p1", "p2"), p1={A: PLAIN}),
            (Leave(("p1", "p2"), "why"), Configure(())),
            id="deselected: leave before the configuration forgets the peers",
        ),
        pytest.param(
            intent(P2, p2={A: PLAIN}),
            observed(P1, P2, synced=("p1", "p2"), p1={A: PLAIN}, p2={A: PLAIN, B: PLAIN}),
            (Withdraw("p2", (B,)), Leave(("p1",), REMOVED_REASON), Configure((P2,))),
            id="one peer goes, the other's withdrawals come first",
        ),
        pytest.param(
            intent(peer("p1", hold_time=9), p1={A: PLAIN}),
            observed(P1, synced=("p1",), p1={A: PLAIN}),
            (Configure((peer("p1", hold_time=9),)),),
            id="a changed timer configures, and touches no route",
        ),
        pytest.param(
            intent(peer("p1", graceful_notification=True), p1={A: PLAIN}),
            observed(P1, synced=("p1",), p1={A: PLAIN}),
            (Configure((peer("p1", graceful_notification=True),)),),
            id="so does the N bit",
        ),
        pytest.param(
            intent(peer("p1", local_asn=65009), P2, p1={A: PLAIN}, p2={B: PLAIN}),
            observed(P1, P2, synced=("p1", "p2"), p1={A: PLAIN, C: PLAIN}, p2={B: PLAIN}),
            (
                Leave(("p1",), CHANGED_REASON),
                Configure((peer("p1", local_asn=65009), P2)),
                Announce("p1", PLAIN, (A,)),
                Synced(("p1",)),
            ),
            id="a peer that becomes another session leaves, and starts anew",
        ),
    ],
)
def test_the_order_of_actions(wanted: Intent, seen: Observed, expected: tuple[Any, ...]) -> None:
    assert diff(wanted, seen, "why") == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", IPv4Address("192.0.2.9")),
        ("port", 1179),
        ("local_address", IPv4Address("192.0.2.200")),
        ("local_asn", 65009),
        ("asn", 65009),
        ("router_id", IPv4Address("10.0.0.9")),
    ],
)
def test_what_makes_another_session(field: str, value: object) -> None:
    assert identity(replace(P1, **{field: value})) != identity(P1)  # type: ignore[arg-type]


prefixes = st.sampled_from([A, B, C])
tables = st.dictionaries(prefixes, st.sampled_from([PLAIN, TAGGED]))
peers_with_tables = st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), tables)


@given(wanted=peers_with_tables, seen=peers_with_tables)
def test_applying_the_diff_gives_the_intent(wanted: dict[str, Any], seen: dict[str, Any]) -> None:
    """Whatever the engine had, after the actions it has what the intent says, and a second diff is empty."""
    goal = intent(*(peer(n) for n in wanted), **wanted)
    have = observed(*(peer(n) for n in seen), synced=tuple(seen), **seen)
    after = apply(have, diff(goal, have))
    assert after.announced == {name: table for name, table in wanted.items() if table}
    assert diff(goal, after) == ()


def apply(state: Observed, actions: tuple[Any, ...]) -> Observed:
    """An engine in ten lines."""
    peers, synced = dict(state.peers), set(state.synced)
    tables: dict[str, dict[Any, Attributes]] = {n: dict(t) for n, t in state.announced.items()}
    for action in actions:
        match action:
            case Withdraw(name, gone):
                tables[name] = {p: a for p, a in tables[name].items() if p not in gone}
            case Announce(name, attributes, new):
                assert name in peers, "announced to a peer that is not configured"
                tables.setdefault(name, {}).update(dict.fromkeys(new, attributes))
            case Leave(names, _):
                for name in names:
                    tables.pop(name, None)
                    synced.discard(name)
                    del peers[name]
            case Configure(wanted):
                peers = {p.name: p for p in wanted}
            case Synced(names):
                synced |= set(names)
    return Observed(1, True, peers, {n: t for n, t in tables.items() if t}, frozenset(synced))


def test_lists_are_in_the_order_of_names_and_addresses() -> None:
    peers = [peer(f"p{n}") for n in range(1, 9)]
    wanted = intent(*peers)
    (synced,) = (action for action in diff(wanted, observed(*peers), "why") if isinstance(action, Synced))
    assert list(synced.peers) == sorted(p.name for p in peers)
    prefixes = [
        ip_network(text) for text in ("2001:db8::1/128", *(f"203.0.113.{n}/32" for n in range(9, 0, -1)))
    ]
    seen = observed(P1, synced=("p1",), p1=dict.fromkeys(prefixes, PLAIN))
    (withdraw,) = diff(intent(P1), seen, "why")
    assert isinstance(withdraw, Withdraw)
    assert list(withdraw.prefixes) == prefixes[:0:-1] + prefixes[:1], "IPv4 first, then by address"


def test_a_peer_without_a_table_has_no_routes() -> None:
    bare = Intent("n", selected=True, peers=(P1,))
    assert diff(bare, observed(P1, synced=("p1",), p1={A: PLAIN}), "why") == (Withdraw("p1", (A,)),)
    assert diff(bare, observed(P1, synced=("p1",)), "why") == ()


def test_peers_that_share_a_table_have_each_their_own_of_it() -> None:
    """What changes for one of them is found for those that had the same."""
    table = {A: Route(A, PLAIN)}
    names = ("p1", "p2", "p3")
    peers = tuple(peer(name) for name in names)
    wanted = Intent("n", selected=True, peers=peers, routes=dict.fromkeys(names, table))
    had = observed(*peers, synced=names, p2={A: PLAIN})
    assert [one.peer for one in diff(wanted, had, "why")] == ["p1", "p3"]
    had = observed(*peers, synced=names, p1={A: PLAIN}, p3={A: PLAIN})
    assert [one.peer for one in diff(wanted, had, "why")] == ["p2"]


def test_those_that_leave_are_in_order() -> None:
    gone = [peer(f"p{n}") for n in range(9, 0, -1)]
    leave = next(action for action in diff(Intent("n"), observed(*gone), "why") if isinstance(action, Leave))
    assert leave == Leave(tuple(f"p{n}" for n in range(1, 10)), "why")

"""`node estimate` on the embedded API: of which peers, by whose word, and with what beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.lever import Lever
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.core.timing.nbit import advice
from bgpctl.core.timing.profiles import PROFILES, UNKNOWN_ROUTER
from bgpctl.core.timing.withdrawal import Close, Event, estimate, facts_from_state
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.kube import paths
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.queries.estimates import node_estimates
from bgpctl.runbooks.journal import ANNOTATION, dump
from bgpctl.runbooks.observe import known_peers
from tests.support import direct, node_states, objects
from tests.support.direct import EPOCH, Wire
from tests.support.kinds import KINDS
from tests.support.snapshots import journal

NODE = "worker-1"
ROUTER, SECOND = "192.0.2.1", "192.0.2.2"
EVENTS = [Event.DESELECT, Event.RESTART, Event.CRASH, Event.POWER_OFF, Event.LINK_DOWN]
PEER = node_states.peer(EPOCH, ROUTER)


def _seeded() -> direct.Api:
    api = direct.Api()
    restart = objects.neighbor(f"{ROUTER}/32", gracefulRestart={"enabled": True, "restartTimeSeconds": 77})
    api.server.apply(*KINDS, objects.node(NODE), objects.policy(objects.router(restart)))
    return api


SEEDED = _seeded()


@pytest.fixture
def wire() -> Wire:
    return Wire(SEEDED.fork())


def publish(wire: Wire, told: NodeState) -> None:
    wire.api.server.apply(to_document(told))


def state(*peers: Any, **changes: Any) -> NodeState:
    return node_states.state(NODE, EPOCH, *(peers or (PEER,)), **changes)


def test_every_peer_times_every_event(wire: Wire) -> None:
    second = node_states.peer(EPOCH, SECOND)
    publish(wire, state(PEER, second))
    known = next(one for one in PROFILES if advice(facts_from_state(PEER), one))
    found = node_estimates(wire.client(), NODE, {ROUTER: known, SECOND: known})
    assert [(one.address, one.event) for one in found] == [(a, e) for a in (ROUTER, SECOND) for e in EVENTS]
    for one, peer in zip(found, [PEER] * 5 + [second] * 5, strict=True):
        plain = estimate(one.event, facts_from_state(peer), known)
        assert replace(one, why=plain.why) == plain
        noted = one.why != plain.why
        assert noted is (one.event is Event.POWER_OFF), (
            "what the N bit would cost stands at the power-off only"
        )
        assert not noted or one.why == f"{plain.why} {advice(facts_from_state(peer), known)}"


def test_the_profile_of_each_router(wire: Wire) -> None:
    """By its address; the others are unknown."""
    publish(wire, state(PEER, node_states.peer(EPOCH, SECOND)))
    slow = replace(UNKNOWN_ROUTER, name="slow", stale_cap=1)
    found = node_estimates(wire.client(), NODE, {SECOND: slow})
    for one, address in zip(found, [ROUTER] * 5 + [SECOND] * 5, strict=True):
        profile = slow if address == SECOND else UNKNOWN_ROUTER
        peer = node_states.peer(EPOCH, address)
        assert one.worst == estimate(one.event, facts_from_state(peer), profile).worst


def test_a_router_that_kept_routes_of_a_session_before_is_judged_by_that_one_too(wire: Wire) -> None:
    """The timers of a policy that was edited since are not those that it agreed to (issue 7)."""
    ours = PEER.session.local_gr
    assert ours is not None
    long, short = (
        replace(PEER, session=replace(PEER.session, local_gr=replace(ours, restart_time=seconds)))
        for seconds in (300, 5)
    )
    publish(wire, state(short, unwithdrawn=(long,)))
    found = node_estimates(wire.client(), NODE, {})
    assert [one.event for one in found] == EVENTS, "one row for each"
    power_off = estimate(Event.POWER_OFF, facts_from_state(long), UNKNOWN_ROUTER)
    assert found[3].worst == power_off.worst > 300
    told = node_states.state(NODE, EPOCH, short, unwithdrawn=(long,))
    assert known_peers(told) == (short, long)


@pytest.mark.parametrize(("soak", "up", "longer"), [(0.0, True, 0.0), (7.0, True, 7.0), (7.0, False, 0.0)])
def test_a_leave_soaks_while_a_session_is_up(wire: Wire, soak: float, up: bool, longer: float) -> None:
    peer = PEER if up else replace(PEER, session=replace(PEER.session, state="active"))
    publish(wire, state(peer, soak=soak))
    leave = node_estimates(wire.client(), NODE, {})[0]
    plain = estimate(Event.DESELECT, facts_from_state(peer), UNKNOWN_ROUTER, soak=longer)
    assert (leave.best, leave.worst) == (plain.best, plain.worst)


@pytest.mark.parametrize(
    ("mode", "stays"), [("own", False), ("", False), ("detached", True), ("external", True)]
)
def test_an_engine_that_stays(wire: Wire, mode: str, stays: bool) -> None:
    publish(wire, state(engine_mode=mode))
    facts = replace(facts_from_state(PEER), engine_stays=stays)
    crash = node_estimates(wire.client(), NODE, {})[2]
    assert crash == estimate(Event.CRASH, facts, UNKNOWN_ROUTER)
    assert (crash != estimate(Event.CRASH, facts_from_state(PEER), UNKNOWN_ROUTER)) is stays


def test_a_speaker_that_never_told_is_judged_by_the_policy(wire: Wire) -> None:
    for told in (None, state(peers=())):
        if told:
            publish(wire, told)
        found = node_estimates(wire.client(), NODE, {})
        assert [one.address for one in found] == [ROUTER] * 5
        assert "77" in found[2].why
        assert found[0].best < 1.0, "nothing is known of a soak"


def test_as_it_was_labelled_before_the_drain(wire: Wire) -> None:
    client = wire.client()
    client.patch(paths.node(NODE), {"metadata": {"labels": {"enable-bgp": "false"}}})
    with pytest.raises(BgpctlError) as told:
        node_estimates(client, NODE, {})
    assert told.value.message == f"node {NODE} has no BGP peer: no policy selects it"
    assert told.value.hint == "see `bgpctl peers status` and `kubectl get ciliumbgppeeringpolicies`"
    assert not isinstance(told.value, UsageError)
    record = dump(journal(prior_labels={"enable-bgp": "true"}))
    client.patch(paths.node(NODE), {"metadata": {"annotations": {ANNOTATION: record}}})
    assert len(node_estimates(client, NODE, {})) == 5


def test_a_node_that_does_not_exist(wire: Wire) -> None:
    with pytest.raises(UsageError) as told:
        node_estimates(wire.client(), "worker-9", {})
    assert (told.value.message, told.value.hint) == (
        "node worker-9 does not exist",
        "see `kubectl get nodes`",
    )


def test_how_a_stack_closes_counts_where_the_node_is_made_to_leave(wire: Wire) -> None:
    """Whether its speaker told of its peers or not."""

    class Hard(Bgpctl):
        def lever(self, *given: Any) -> Lever:
            return replace(super().lever(*given), close=Close.HARD_RESET)

    client = wire.client()
    for told in (None, state()):
        if told:
            publish(wire, told)
        ours, theirs = (node_estimates(client, NODE, {}, one(client)) for one in (Bgpctl, Hard))
        assert [one == other for one, other in zip(ours, theirs, strict=True)] == [False, *[True] * 4]

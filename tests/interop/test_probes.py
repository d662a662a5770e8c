"""What the probes say about real routers, in every state that a drain meets."""

from __future__ import annotations

import os
import signal
import time
from ipaddress import ip_network

import pytest

from bgpctl.witness.model import RouterAnswer, RouteState
from tests.support.router_paths import paths
from tests.support.routers import Lab, Workshop
from tests.support.stock_exabgp import StockSpeaker
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

ONE, TWO, SIX = "10.9.1.0/24", "10.9.2.0/24", "fd00:9::/64"
RESTART_SECONDS = 3


def look(lab: Lab, node: int = 1) -> RouterAnswer:
    return lab.probe.routes_from(lab.nodes[node - 1].address)


def prefixes(answer: RouterAnswer) -> set[str]:
    return {str(path.prefix) for path in answer.paths}


def sees(lab: Lab, *wanted: str, node: int = 1) -> RouterAnswer | None:
    """The answer, once the router has exactly these prefixes from the node."""
    seen = look(lab, node)
    return seen if prefixes(seen) == set(wanted) else None


def bring_up(lab: Lab, speaker: StockSpeaker, first: str, second: str) -> None:
    """The session with its End-of-RIB behind it: OpenBGPD 7.7 drops the stale routes when the session ends
    while an End-of-RIB is still between its processes, and a route that comes after it shows that it is
    not."""
    speaker.start([first])
    eventually(lambda: sees(lab, first))
    speaker.announce(second)
    eventually(lambda: sees(lab, first, second))


def test_life_of_a_route(router_kind: str, workshop: Workshop) -> None:
    """Announce, withdraw one, withdraw all, stop the router."""
    lab = workshop.router(router_kind)
    assert look(lab).routes is RouteState.ABSENT
    speaker = workshop.speaker(lab, restart_time=RESTART_SECONDS)

    speaker.start([ONE, TWO, SIX])
    eventually(lambda: sees(lab, ONE, TWO, SIX))
    seen = eventually(lambda: s if (s := look(lab)).session == "established" else None)
    assert (seen.routes, seen.seconds_remaining) == (RouteState.PRESENT, None)
    assert {path.neighbor for path in seen.paths} == {lab.nodes[0].address}
    assert {path.next_hop for path in seen.paths} == {"192.0.2.1", "2001:db8::1"}
    assert seen.local == lab.router.spec.address, "its own end of the session"

    speaker.withdraw(ONE)
    eventually(lambda: sees(lab, TWO, SIX), deadline=2)
    speaker.withdraw(TWO, SIX)
    seen = eventually(lambda: sees(lab), deadline=2)
    assert (seen.routes, seen.session) == (RouteState.ABSENT, "established")

    lab.router.stop()
    seen = look(lab)
    assert seen.routes is RouteState.UNKNOWN
    assert seen.detail


def test_a_router_is_told_from_another_at_the_same_path(helper_kind: str, workshop: Workshop) -> None:
    """Whatever it has of the node: by the same word with a route, without one and without a session."""
    lab = workshop.router(helper_kind)
    names = [(look(lab).router_id, look(lab).machine)]
    speaker = workshop.speaker(lab)
    speaker.start([ONE])
    names += [(seen.router_id, seen.machine) for seen in [eventually(lambda: sees(lab, ONE))]]
    speaker.kill()
    names += [(seen.router_id, seen.machine) for seen in [eventually(lambda: sees(lab))]]
    assert len(set(names)) == 1 and any(names[0]), names


def test_graceful_restart_keeps_stale_routes(helper_kind: str, workshop: Workshop) -> None:
    """SIGKILL with graceful restart: STALE, still forwarding, until the restart time is over."""
    lab = workshop.router(helper_kind)
    speaker = workshop.speaker(lab, restart_time=RESTART_SECONDS)
    bring_up(lab, speaker, ONE, SIX)

    speaker.kill()
    seen = eventually(lambda: s if (s := look(lab)).routes is not RouteState.PRESENT else None, deadline=4)
    assert seen.routes is RouteState.STALE
    assert prefixes(seen) == {ONE, SIX}
    assert all(path.stale for path in seen.paths)
    assert seen.session not in ("established", "")
    if helper_kind in ("bird", "frr"):
        assert seen.seconds_remaining is not None
        assert 0 < seen.seconds_remaining <= RESTART_SECONDS

    seen = eventually(lambda: sees(lab), deadline=RESTART_SECONDS + 3)
    assert seen.routes is RouteState.ABSENT


def test_stale_routes_can_be_withdrawn_by_the_next_session(helper_kind: str, workshop: Workshop) -> None:
    """A speaker that comes back with fewer routes: its End-of-RIB takes the others away."""
    lab = workshop.router(helper_kind)
    first = workshop.speaker(lab, restart_time=60)
    bring_up(lab, first, ONE, TWO)
    first.kill()
    eventually(lambda: look(lab).routes is RouteState.STALE, deadline=4)

    workshop.speaker(lab, restart_time=60).start([TWO])
    seen = eventually(lambda: sees(lab, TWO), deadline=20)
    assert eventually(lambda: look(lab).routes is RouteState.PRESENT, deadline=5)
    assert seen.session == "established"


def test_without_graceful_restart_routes_go_with_the_session(router_kind: str, workshop: Workshop) -> None:
    """The inverse: the same SIGKILL, nothing negotiated, so nothing is kept."""
    lab = workshop.router(router_kind)
    speaker = workshop.speaker(lab)
    speaker.start([ONE, TWO])
    eventually(lambda: sees(lab, ONE, TWO))

    speaker.kill()
    seen = eventually(lambda: sees(lab), deadline=1)
    assert seen.routes is RouteState.ABSENT
    assert seen.session != "established"


def test_helper_switched_off_keeps_nothing(router_kind: str, workshop: Workshop) -> None:
    """The router's own switch: the speaker offers graceful restart, the router does not."""
    lab = workshop.router(router_kind, graceful_restart=False)
    speaker = workshop.speaker(lab, restart_time=60)
    speaker.start([ONE])
    eventually(lambda: sees(lab, ONE))
    speaker.kill()
    assert eventually(lambda: sees(lab), deadline=1).routes is RouteState.ABSENT


def test_neighbors_are_told_apart(router_kind: str, workshop: Workshop) -> None:
    """Two nodes announce the same prefix; one leaves, the other's path stays."""
    lab = workshop.router(router_kind)
    leaver, stayer = workshop.speaker(lab, 1), workshop.speaker(lab, 2)
    leaver.start([ONE])
    stayer.start([ONE])
    both = {node.address for node in lab.nodes}
    eventually(lambda: {path.neighbor for path in paths(lab.probe, ip_network(ONE))} == both)

    leaver.withdraw(ONE)
    eventually(lambda: look(lab, 1).routes is RouteState.ABSENT, deadline=2)
    throughout(lambda: look(lab, 2).routes is RouteState.PRESENT, seconds=0.5)
    assert [path.neighbor for path in paths(lab.probe, ip_network(ONE))] == [lab.nodes[1].address]
    assert paths(lab.probe, ip_network("10.99.0.0/16")) == ()


def test_a_neighbor_the_router_does_not_have_is_unknown(router_kind: str, workshop: Workshop) -> None:
    lab = workshop.router(router_kind)
    seen = lab.probe.routes_from(workshop.address(77))
    assert seen.routes is RouteState.UNKNOWN
    assert "no neighbor" in seen.detail


def test_a_killed_router_is_unknown(router_kind: str, workshop: Workshop) -> None:
    """Sockets and files that a SIGKILL leaves behind must not look like an answer."""
    lab = workshop.router(router_kind)
    speaker = workshop.speaker(lab)
    speaker.start([ONE])
    eventually(lambda: sees(lab, ONE))
    lab.router.kill()
    assert eventually(lambda: look(lab).routes is RouteState.UNKNOWN, deadline=7)


def test_a_frozen_router_is_unknown_in_time(
    helper_kind: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts the connection and says nothing: the probe must not hang, and must not guess."""
    for module in ("bird", "frr", "command"):
        monkeypatch.setattr(f"bgpctl.witness.{module}.TIMEOUT_SECONDS", 0.5)
    lab = workshop.router(helper_kind)
    group = lab.router.pid
    assert group is not None
    os.killpg(group, signal.SIGSTOP)
    try:
        start = time.monotonic()
        seen = look(lab)
        elapsed = time.monotonic() - start
    finally:
        os.killpg(group, signal.SIGCONT)
    assert (seen.routes, seen.paths) == (RouteState.UNKNOWN, ())
    assert elapsed < 2
    eventually(lambda: look(lab).routes is RouteState.ABSENT, why="it answers again")

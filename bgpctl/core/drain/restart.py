"""May a speaker be restarted without a route leaving any router? Decided from what it published. Pure.

An engine that outlives its speaker (`engine_mode`) keeps its sessions, unless it ends with the speaker's pod.
Otherwise, RFC 4724: a router keeps the routes of a silently closed session for the Restart Time in the
*speaker's* OPEN, and only for the families that the speaker listed there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bgpctl.core.state import NodeState, PeerState

STAYING = ("detached", "external")
APART = {"bgpctl.io/engine": "apart"}
"""The label of a speaker's pod whose engine is in another pod."""


def takes_engine(labels: Mapping[str, str]) -> bool:
    """Does an engine go with the speaker's pod of these labels?"""
    return not APART.items() <= labels.items()


def refusals(state: NodeState | None, now: float, expected: float, *, pod: bool = True) -> tuple[str, ...]:
    """Why routes would be lost (or nobody knows) if the speaker went away for `expected` seconds now. `pod`:
    it goes with its pod, and an engine is in there too."""
    if state is None:
        return ("no speaker reports for this node",)
    if state.stale(now):
        return (f"its speaker has not reported for {now - state.last_seen:.0f} s",)
    if state.phase != "Running":
        return (f"its speaker is {state.phase}, not Running",)
    if untouched(state, pod=pod):
        return ()
    return tuple(reason for peer in state.peers for reason in _of_peer(peer, expected))


def _of_peer(peer: PeerState, expected: float) -> Iterator[str]:
    session, address = peer.session, peer.address
    if not session.established:
        yield f"the session to {address} is {session.state}: whether it keeps routes is not known"
        return
    if session.local_gr is None or session.peer_gr is None:
        side = "the router" if session.peer_gr is None else "the policy"
        yield f"graceful restart is not negotiated with {address} ({side} does not offer it)"
        return
    if session.local_gr.restart_time < expected:
        yield (
            f"{address} keeps the routes for {session.local_gr.restart_time} s, and a restart may take "
            f"{expected:g} s"
        )
    covered = {family for family, _ in session.local_gr.families}
    carried = {family for family, number in session.advertised.items() if number}
    if covered and (lost := sorted(carried - covered)):
        yield f"graceful restart with {address} does not cover {', '.join(map(str, lost))}"


def untouched(state: NodeState, *, pod: bool) -> bool:
    """Do the sessions go on without the speaker?"""
    return state.engine_mode in STAYING and not pod


def kept(state: NodeState, *, pod: bool = True) -> str:
    """In one sentence: who keeps the routes, and for how long at least."""
    if untouched(state, pod=pod):
        return f"its engine ({state.engine_mode}) stays: no session is touched"
    times = [p.session.local_gr.restart_time for p in state.peers if p.session.local_gr]
    if not times:
        return "it has no peers: there is nothing to lose"
    peers = "1 peer keeps" if len(times) == 1 else f"{len(times)} peers keep"
    return f"{peers} the routes for {min(times)} s"

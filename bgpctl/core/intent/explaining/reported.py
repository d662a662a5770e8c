"""The links of a chain that no object of the policies decides: what the node's speaker reports of the session
and of its routes, and what a router says. Pure.

What nobody tells is not known, never taken for good; a count is not the route, so it breaks nothing by
itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.intent.damping import DAMPED
from bgpctl.core.intent.explaining.chain import Link, Status
from bgpctl.core.intent.nexthops import refused
from bgpctl.core.model import Intent, Route, SessionState
from bgpctl.core.state import NodeState, PeerState

WITHDRAWN, SESSION, SPEAKER = "withdrawal", "session", "speaker"
OUT = ("Leaving", "Withdrawn")
UNTOLD_COUNTS = (
    "its stack does not tell how many routes it announces to this peer: that it does what the objects ask "
    "for is taken for granted, a router that is asked would know"
)


def reported_links(
    intent: Intent, state: NodeState | None, now: float, peer: str, address: str, route: Route | None
) -> tuple[Link, ...]:
    """By what the node's speaker published. `peer` is the session's name, `address` its peer's; `route`
    None = none should be announced. `now`: epoch seconds by the API server's clock."""
    status = f"bgpctl node status {intent.node}"
    sessions = f"bgpctl peers status {intent.node} -o wide"
    if why := _silent(state, now):
        return (Link(SESSION, Status.UNKNOWN, why, command=sessions),)
    assert state is not None, "it is not silent"
    found = [*_left(state, status)]
    known = next((one for one in state.peers if one.name == peer or one.address == address), None)
    if known is None:
        if not found and peer:
            told = (problem for problem in state.problems if problem.startswith(f"peer {peer}: "))
            says = next(told, f"the speaker has no session to {address} (any more), or not yet")
            found.append(Link(SESSION, Status.BROKEN, says, command=sessions, reason="noSession"))
        return tuple(found)
    found.append(_session(state, known, sessions))
    if route is not None and known.session.established:
        found += _carried(known, route, sessions)
        found += _counted(intent, state, known, route)
    return tuple(found)


def _silent(state: NodeState | None, now: float) -> str:
    """Why nothing is known of the node's sessions; "" = something is."""
    if state is None:
        return "no speaker reports for this node: whether its session is up is not known"
    if state.unreadable:
        return f"what its speaker published cannot be read ({state.unreadable})"
    if state.stale(now):
        return f"its speaker has not reported for {now - state.last_seen:.0f} s: its session is not known"
    return ""


def _left(state: NodeState, command: str) -> Iterator[Link]:
    """The node was taken out, or is on its way."""
    record = state.withdrawn
    if state.phase in OUT:
        why = f"its speaker is {state.phase}" + (f": {record.reason}" if record and record.reason else "")
        yield Link(WITHDRAWN, Status.BROKEN, why, command=command, reason="withdrawn")
    elif state.told_out:
        why = "the node was made to announce nothing, with its sessions up"
        yield Link(WITHDRAWN, Status.BROKEN, why, command=command, reason="withdrawn")
    elif state.waits:
        yield Link(WITHDRAWN, Status.BROKEN, state.waits, command=command, reason="waits")


def _session(state: NodeState, peer: PeerState, command: str) -> Link:
    session = peer.session
    if not state.sessions_told or session.state is SessionState.UNKNOWN:
        return Link(SESSION, Status.UNKNOWN, "whether the session is up nobody tells", command=command)
    if session.established:
        return Link(SESSION, Status.OK, f"Established with {peer.address}", command=command)
    error = session.last_error
    why = f"; last error ({error.direction}): {error.text}" if error else ""
    says = f"its state is {session.state}, it would have to be established{why}"
    return Link(SESSION, Status.BROKEN, says, command=command, reason="sessionDown")


def _carried(peer: PeerState, route: Route, command: str) -> Iterator[Link]:
    if not peer.session.families:
        return
    reason, detail = refused(route.prefix, route.attributes, peer.session)
    if reason:
        yield Link("negotiated", Status.BROKEN, detail, command=command, reason=reason)


def _counted(intent: Intent, state: NodeState, peer: PeerState, route: Route) -> Iterator[Link]:
    """Counts do not say which: only the speaker itself does."""
    ask = f"bgpctl routes --directory DIR (on {intent.node}) tells each route"
    if state.policy_problem:
        yield Link(SPEAKER, Status.UNKNOWN, state.policy_problem, command=f"bgpctl node status {intent.node}")
    elif held := (state.absent or {}).get(DAMPED):
        says = (
            f"it holds {held} routes back because they flap (damped); whether this is one, it alone can tell"
        )
        damps = route.origin.startswith("Service ")
        if damps:
            yield Link(SPEAKER, Status.UNKNOWN, f"{says}: {ask}")
    elif peer.announced is None:
        yield Link(SPEAKER, Status.UNTOLD, UNTOLD_COUNTS)
    elif peer.intended is not None and peer.announced < peer.intended:
        says = f"it announces {peer.announced} of the {peer.intended} routes that it means to"
        yield Link(SPEAKER, Status.UNKNOWN, f"{says}: {ask}")
    elif peer.announced == 0:
        yield Link(SPEAKER, Status.BROKEN, "it announces no route to this peer", reason="nothingAnnounced")
    else:
        of = f" of {peer.intended}" if peer.intended is not None else ""
        yield Link(SPEAKER, Status.OK, f"it reports {peer.announced}{of} routes announced to this peer")

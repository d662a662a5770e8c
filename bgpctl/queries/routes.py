"""`routes` as seen from outside a node: what it should announce, by the cluster's objects, beside the counts
that its speaker published. Which routes are announced one by one, only the speaker itself can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bgpctl.core.intent.damping import DAMPED
from bgpctl.core.intent.nexthops import not_negotiated
from bgpctl.core.intent.routeview import INTENT, NodeRoutes, PeerRoutes, intended
from bgpctl.core.model import Absent, Intent
from bgpctl.core.state import NodeState, PeerState
from bgpctl.kube.client import Client
from bgpctl.runbooks import cluster
from bgpctl.runbooks.objects import no_such_node


def node_routes(client: Client, names: Sequence[str]) -> tuple[NodeRoutes, ...]:
    """The named nodes, or every node that a policy selects or whose speaker reports. Raises UsageError for a
    name that does not exist."""
    objects = cluster.read(client)
    now = client.present()
    documents = {document["metadata"]["name"]: document for document in objects.nodes}
    missing = [name for name in names if name not in documents]
    if missing:
        raise no_such_node(*missing)
    found = []
    for name in names or sorted(documents):
        intent, state = objects.compiled(documents[name]), objects.states.get(name)
        if names or intent.selected or (state and (state.peers or state.unreadable)):
            found.append(beside(intent, state, now))
    return tuple(found)


def beside(intent: Intent, state: NodeState | None, now: float) -> NodeRoutes:
    """One node's intent beside what its speaker published. A stale state tells nothing of the present."""
    fresh = state if state and not state.stale(now) else None
    reported = {peer.name: peer for peer in fresh.peers} if fresh else {}
    wanted = [_peer(intent, p.name, str(p.address), reported.get(p.name)) for p in intent.peers]
    names = {peer.name for peer in wanted}
    left = [_peer(intent, p.name, p.address, p) for name, p in reported.items() if name not in names]
    notes = tuple(dict.fromkeys((*intent.problems, *_notes(intent, state, now))))
    absent = (*intent.absent, *_unsent(intent, reported))
    unreadable = state is not None and bool(state.unreadable)
    return NodeRoutes(intent.node, INTENT, now, (*wanted, *left), absent, notes, unreadable)


def _unsent(intent: Intent, reported: Mapping[str, PeerState]) -> Iterator[Absent]:
    """What the reported sessions cannot carry."""
    return not_negotiated(intent.routes, {name: peer.session for name, peer in reported.items()})


def _peer(intent: Intent, name: str, address: str, reported: PeerState | None) -> PeerRoutes:
    peer = PeerRoutes(name, address, tuple(intended(intent, name)))
    if reported is None:
        return peer
    counts = reported.intended, reported.announced
    session = reported.session
    return replace(peer, state=str(session.state), pending=session.pending, reported=counts)


def _notes(intent: Intent, state: NodeState | None, now: float) -> Iterator[str]:
    if state is None:
        yield "no speaker reports for this node: what it announces is not known"
        return
    if state.unreadable:
        why = state.unreadable
        yield f"what its speaker published cannot be read ({why}): what it announces is not known"
        return
    if state.stale(now):
        age = f"{now - state.last_seen:.0f} s"
        yield f"its speaker has not reported for {age}: what it announces is not known"
        return
    if intent.selected and state.selected_by and state.selected_by != intent.policy:
        yield f"its speaker runs {state.selected_by}; the routes shown here are those of {intent.policy}"
    if state.policy_problem:
        yield state.policy_problem
    if held := (state.absent or {}).get(DAMPED):
        yield f"its speaker holds {held} of these routes back for a while, because they flap (damped)"
    for peer in state.peers:
        table = intent.routes.get(peer.name, {})
        wanted = len(table) - sum(1 for _ in not_negotiated({peer.name: table}, {peer.name: peer.session}))
        if peer.intended != wanted:
            yield (
                f"its speaker intends {peer.intended} routes for {peer.address}, the cluster's objects ask "
                f"for {wanted}: one of the two is not up to date"
            )

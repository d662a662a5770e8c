"""`routes` as seen from outside a node: what it should announce, by the cluster's objects, beside the counts
that its speaker published. Which routes are announced one by one, only the speaker itself can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from bgpctl import providers
from bgpctl.core.intent.damping import DAMPED
from bgpctl.core.intent.nexthops import not_negotiated
from bgpctl.core.intent.routeview import INTENT, Intended, NodeRoutes, PeerRoutes
from bgpctl.core.model import Absent, Intent
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.state_lag import LAG_SECONDS, PROMPT_SECONDS
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.runbooks import cluster
from bgpctl.runbooks.objects import no_such_node


@dataclass(frozen=True)
class Look:
    """The nodes of one look at the cluster, by whose objects each is compiled when it is asked for: of a
    thousand nodes with a thousand routes, one is in memory at a time. May be gone through again."""

    objects: cluster.Objects
    names: Sequence[str]
    now: float
    _rows: Intended = field(default_factory=Intended)

    @cached_property
    def _documents(self) -> Mapping[str, cluster.Document]:
        return {document["metadata"]["name"]: document for document in self.objects.nodes}

    @property
    def missing(self) -> list[str]:
        """Names that no node has."""
        return [name for name in self.names if name not in self._documents]

    @property
    def unreadable(self) -> bool:
        """Is a node asked for by name whose speaker published garbage?"""
        states = self.objects.states
        return any(name in states and states[name].unreadable for name in self.names)

    def __iter__(self) -> Iterator[NodeRoutes]:
        for name in self.names or sorted(self._documents):
            intent, state = self.objects.compiled(self._documents[name]), self.objects.states.get(name)
            if self.names or intent.selected or (state and (state.peers or state.unreadable)):
                yield beside(intent, state, self.now, self._rows)


def node_routes(client: Client, names: Sequence[str], provider: Provider | None = None) -> Look:
    """The named nodes, or every node that a policy selects or whose speaker reports. Raises UsageError for a
    name that does not exist."""
    objects = cluster.read(client, provider or providers.of(client))
    look = Look(objects, names, client.present())
    if look.missing:
        raise no_such_node(*look.missing)
    return look


def beside(intent: Intent, state: NodeState | None, now: float, rows: Intended | None = None) -> NodeRoutes:
    """One node's intent beside what its speaker published. A stale state tells nothing of the present. `rows`
    has those that were made for other nodes."""
    rows = rows or Intended()
    fresh = state if state and not state.stale(now) else None
    reported = {peer.name: peer for peer in fresh.peers} if fresh else {}

    def seen(name: str, address: str) -> PeerRoutes:
        return _peer(PeerRoutes(name, address, rows.of(intent, name)), reported.get(name))

    wanted = [seen(peer.name, str(peer.address)) for peer in intent.peers]
    names = {peer.name for peer in wanted}
    left = [seen(name, peer.address) for name, peer in reported.items() if name not in names]
    notes = tuple(dict.fromkeys((*intent.problems, *_notes(intent, state, now))))
    absent = (*intent.absent, *_unsent(intent, reported))
    unreadable = state is not None and bool(state.unreadable)
    return NodeRoutes(intent.node, INTENT, now, (*wanted, *left), absent, notes, unreadable)


def _unsent(intent: Intent, reported: Mapping[str, PeerState]) -> Iterator[Absent]:
    """What the reported sessions cannot carry."""
    return not_negotiated(intent.routes, {name: peer.session for name, peer in reported.items()})


def _peer(peer: PeerRoutes, reported: PeerState | None) -> PeerRoutes:
    if reported is None:
        return peer
    known = reported.intended is not None and reported.announced is not None
    counts = (reported.intended or 0, reported.announced or 0) if known else None
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
        if peer.intended not in (None, wanted):
            yield _other_count(peer, wanted, now - state.last_seen)


def _other_count(peer: PeerState, wanted: int, age: float) -> str:
    """Only of a word that has just been written is a count the present (`core.state_lag`)."""
    if age <= PROMPT_SECONDS:
        return (
            f"its speaker intends {peer.intended} routes for {peer.address}, the cluster's objects ask "
            f"for {wanted}: one of the two is not up to date"
        )
    return (
        f"its speaker counted {peer.intended} routes for {peer.address} {age:.0f} s ago, the cluster's "
        f"objects ask for {wanted} now: counts follow a change within {LAG_SECONDS[1]:.0f} s"
    )

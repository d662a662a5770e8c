"""A node that only a CiliumBGPPeeringPolicy selects (v1, Cilium up to 1.18): Cilium writes nothing of its
sessions. Who its peers are stands in the policy; how their sessions are its agent says, to who may run a
command in its pod. It leaves by the label that the policy selects by: to its second policy where `bgpctl
cilium prepare` made one, which withdraws; else out of all, which closes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bgpctl.core.cilium import copies, policies
from bgpctl.core.cilium.agent import Told
from bgpctl.core.cilium.policies import Pair
from bgpctl.core.cilium.states import LAG
from bgpctl.core.drain.lever import Lever
from bgpctl.core.model import Peer, Session, SessionState
from bgpctl.core.policy.peering import KIND
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.state import NodeState, PeerState, describe_peer
from bgpctl.core.timing.withdrawal import Close
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.optional import permitted

if TYPE_CHECKING:
    from bgpctl.providers.cilium_agent import Agents
    from bgpctl.providers.policies import Selectors

Document = Mapping[str, Any]

WAY, BY_LABEL, BY_POLICY = "way", "label", "policy"  # in the journal: by which lever the run began
UNTOLD = (
    f"Cilium writes nothing of the sessions of a {KIND}, and its agent says nothing to us: routers have to "
    "be asked"
)
MOST_ASKED, AT_ONCE, ASK_SECONDS = 256, 16, 10.0  # agents, when all nodes are looked at
BOUGHT = f"{copies.PREPARE}, run a minute before a drain, lets it withdraw first, with the sessions up"


def state(client: Client, agents: Agents, name: str) -> NodeState | None:
    """Of one node; None where no such policy selects it. Raises Blocked for one that cannot be read."""
    documents = permitted(client, paths.PEERING_POLICIES) or ()
    node = client.find(paths.node(name)) if documents else None
    found = next(_states(client, documents, [node]), None) if node else None
    if found and found.unreadable:
        hint = f"to see it: kubectl get ciliumbgppeeringpolicy {found.selected_by} -o yaml"
        raise Blocked(f"what node {name} announces is unknown: {found.unreadable}", hint)
    return _heard(found, agents, client.present()) if found else None


def states(client: Client, agents: Agents, others: frozenset[str]) -> Iterator[NodeState]:
    """Of all nodes but `others`, of which Cilium tells by itself. Agents that there is no time to ask say
    nothing."""
    documents = permitted(client, paths.PEERING_POLICIES) or ()
    if not documents:
        return
    nodes, _ = client.read_list(paths.NODES, {}, _slim)
    found = list(_states(client, documents, [one for one in nodes if name_of(one) not in others]))
    now, ends = client.present(), time.monotonic() + ASK_SECONDS

    def heard(one: NodeState) -> NodeState:
        return _heard(one, agents, now) if time.monotonic() < ends else one

    with ThreadPoolExecutor(AT_ONCE, "agents") as pool:
        yield from pool.map(heard, found[:MOST_ASKED])
    yield from found[MOST_ASKED:]


def _heard(state: NodeState, agents: Agents, now: float) -> NodeState:
    """With what the agent itself says of the sessions, if it says anything. One that it does not know is not
    told: it may not have obeyed yet."""
    if not state.peers:
        return state
    told, by = agents.sessions(state.node, f"{state.selected_by} {state.told_out}")
    if not by:
        return state
    peers = tuple(_session(peer, told.get((peer.address, peer.local_asn)), now) for peer in state.peers)
    return replace(state, peers=peers, problems=(), lag=0.0, sessions_told=True, engine_asked=by)


def _session(peer: PeerState, told: Told | None, now: float) -> PeerState:
    if told is None:
        return peer
    up = told.state is SessionState.ESTABLISHED
    since = now - told.uptime if up and told.uptime else 0.0
    session = replace(peer.session, state=told.state, since=since, established_at=since or None)
    return replace(peer, session=session)


def _states(client: Client, documents: Sequence[Document], nodes: Sequence[Document]) -> Iterator[NodeState]:
    from bgpctl.core.intent.fleet import Fleet
    from bgpctl.providers.policies import read_policies

    there = policies.pairs(documents)
    chosen = [(node, pair) for node in nodes if (pair := _of(there, labels_of(node)))]
    if not chosen:
        return
    fleet = Fleet(read_policies(client)[0])
    for node, pair in chosen:
        intent, out = fleet.bare(node, opened=True), pair.has_out(labels_of(node))
        if intent.undecided:  # Cilium may take it all the same
            why = "; ".join(intent.problems) or f"{KIND} {pair.name} cannot be read"
            yield NodeState(name_of(node), selected_by=pair.name, selected_by_kind=KIND, unreadable=why)
            continue
        yield NodeState(
            name_of(node),
            phase="",
            selected_by="" if out else pair.name,
            selected_by_kind="" if out else KIND,
            problems=(UNTOLD,),
            intended=None,
            announced=None,
            peers=tuple(map(_peer, intent.peers)),
            lag=LAG,
            told_out=out,
            sessions_told=False,
        )


def outlook(client: Client, nodes: Iterable[Document]) -> tuple[int, str, str]:
    """Of the nodes that only such a policy selects: how many, what a lever does there, and a sentence."""
    documents = permitted(client, paths.PEERING_POLICIES) or ()
    there, now = policies.pairs(documents), client.present()
    chosen = [(pair, labels) for node in nodes if (pair := _of(there, labels := labels_of(node)))]
    for pair, labels in chosen:
        ready = policies.readiness(pair, {}, labels, now)
        if pair.has_out(labels):
            continue
        if ready.missing:
            return len(chosen), "closes", f"a label of the Node; `{copies.PREPARE}` lets it withdraw before"
        if ready.trouble:
            return len(chosen), "nothing", ready.trouble
    return len(chosen), "withdraws", "a label of the Node, which takes it to a policy without routes"


def _of(there: Sequence[Pair], labels: Mapping[str, str]) -> Pair | None:
    return next((pair for pair in there if pair.selects(labels) or pair.has_out(labels)), None)


def _slim(node: Document) -> Document:
    """What a policy looks at: there are thousands."""
    metadata = node["metadata"]
    kept = {key: metadata.get(key) for key in ("name", "labels", "annotations")}
    status = {"addresses": (node.get("status") or {}).get("addresses") or []}
    return {"metadata": kept, "spec": node.get("spec") or {}, "status": status}


def _peer(peer: Peer) -> PeerState:
    keeps = peer.restart_time is not None
    session = Session(peer.name, SessionState.UNKNOWN, gr_told=not keeps, end_of_rib=None)
    told = describe_peer(peer, session, 0, 0)
    return replace(told, intended=None, announced=None, configured_notification=keeps)


def lever(
    node: Document,
    documents: Sequence[Document],
    selecting: Selectors,
    by_label: Lever,
    prior: Document,
    now: float,
) -> Lever | None:
    """None where there is nothing that a policy's label does not do, and nothing is left of it. `selecting`:
    by what everything selects nodes but the second policies; `by_label`: what takes the node out of all."""
    path, labels = paths.node(name_of(node)), labels_of(node)
    ours = prior.get(WAY) == BY_POLICY
    if (out := policies.out_of(documents, node)) and not by_label.policies:
        closing = policies.close(path, out, labels)
        back = policies.back(path, labels, None if ours else out)
        return Lever(
            keys=by_label.keys,
            closing=(closing,) if closing else (),
            back=(back,) if back else (),
            prior={WAY: BY_POLICY},
        )
    back = policies.back(path, labels, None)
    found = _first(node, documents, selecting, by_label, prior, now)
    return replace(found or by_label, back=(back,)) if back else found


def _first(
    node: Document,
    documents: Sequence[Document],
    selecting: Selectors,
    by_label: Lever,
    prior: Document,
    now: float,
) -> Lever | None:
    """What withdraws before it closes."""
    labels = labels_of(node)
    mine = [pair for pair in policies.pairs(documents) if pair.selects(labels)]
    if len(mine) != 1 or prior.get(WAY) == BY_LABEL:
        return None
    (pair,) = mine
    ready = policies.readiness(pair, _beside(pair, documents, selecting), labels, now)
    if ready.missing:
        return replace(by_label, note=f"{by_label.note}; {BOUGHT}" if pair.key else by_label.note)
    if ready.trouble:
        again = "run this again then" if ready.young else f"{copies.PREPARE} brings it up to date"
        return Lever((pair.name,), refusal=f"{ready.trouble}; {again}", keys=by_label.keys)
    return Lever(
        (pair.name,),
        (pair.key, pair.out),
        keys=by_label.keys,
        prior={WAY: BY_POLICY},
        close=Close.HARD_RESET,
    )


def _beside(pair: Pair, documents: Sequence[Document], selecting: Selectors) -> Selectors:
    """By what everything else selects nodes, the second policies of others too."""
    from bgpctl.providers.policies import selectors

    seconds = [one for one in documents if copies.is_copy(one) and one is not pair.second]
    return {**selecting, **selectors(seconds, ())}

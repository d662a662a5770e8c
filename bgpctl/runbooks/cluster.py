"""Read what concerns more than one node: who else announces, who else owns the node, which label decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bgpctl.core import guards as guard
from bgpctl.core.budgets import Budget, budget_view
from bgpctl.core.deselection import Deselection, deselecting_label
from bgpctl.core.documents import name_of
from bgpctl.core.foreign import Unreadable
from bgpctl.core.guards import Guard
from bgpctl.core.intent import ClusterObjects, compile_intent
from bgpctl.core.model import Intent
from bgpctl.core.nexthops import carried
from bgpctl.core.nodestate import NodeState
from bgpctl.core.owners import read_claims
from bgpctl.core.peerfacts import PeerFacts, facts_from_peer
from bgpctl.core.selectors import LabelSelector
from bgpctl.core.standing import out_by_hand
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.runbooks import states
from bgpctl.runbooks.journal import ANNOTATION, Journal, load

Document = dict[str, Any]

KURED_DAEMONSET = "/apis/apps/v1/namespaces/kube-system/daemonsets/kured"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The verdicts of all guards, and how the node can leave its policies."""

    guards: tuple[Guard, ...]
    deselection: Deselection


@dataclass(frozen=True, slots=True)
class Policies:
    """The objects that tell nodes what to run, v2 resources included. `served`: the API server knows a kind
    of them that selects nodes."""

    peering: Sequence[Document] = ()
    cluster_configs: Sequence[Document] = ()
    peer_configs: Sequence[Document] = ()
    advertisements: Sequence[Document] = ()
    overrides: Sequence[Document] = ()
    pod_pools: Sequence[Document] | None = ()
    lb_pools: Sequence[Document] | None = None
    cilium_nodes: Sequence[Document] = ()
    served: bool = True

    def seen_from(self, node: Document, objects: ClusterObjects) -> ClusterObjects:
        """`objects` as seen for `node` by somebody who is not on it: a CLI may not read Secrets and knows
        neither interfaces nor routes there; peers that need them count all the same."""
        return replace(
            objects,
            node=node,
            policies=self.peering,
            cluster_configs=self.cluster_configs,
            peer_configs=self.peer_configs,
            advertisements=self.advertisements,
            overrides=self.overrides,
            pod_pools=self.pod_pools,
            lb_pools=self.lb_pools,
            cilium_node=next((c for c in self.cilium_nodes if name_of(c) == name_of(node)), None),
            secrets=None,
            interfaces=None,
            gateways=None,
        )


@dataclass(frozen=True, slots=True)
class Objects:
    """The cluster's objects, each kind listed once. `reported`: the API server knows BGPNodeStates."""

    nodes: Sequence[Document]
    policies: Policies
    services: Sequence[Document]
    slices: Sequence[Document]
    states: Mapping[str, NodeState]
    reported: bool = True


def look(
    client: Client, node: Document, override: str | None, lifted: frozenset[str], maximum: int, now: float
) -> Cluster:
    """Ask every guard about `node`. `lifted` are the flags the user gave; `override` is --deselect-label;
    `now` is epoch seconds by the API server's clock."""
    objects = read(client)
    labels = node["metadata"].get("labels") or {}
    deselection = deselecting_label(_selectors(objects.policies), labels, override)
    known = guard.known_kinds(objects.policies.served, objects.reported)
    verdicts = (known, *_paths(node, objects, now), *_owners(client, node, objects, maximum, now))
    return Cluster(guard.lift(verdicts, lifted), deselection)


def deselection(client: Client, labels: Mapping[str, str]) -> Deselection:
    """Which policies select a node with these labels now."""
    policies = Policies(_optional(client, paths.PEERING_POLICIES), _optional(client, *paths.CLUSTER_CONFIGS))
    return deselecting_label(_selectors(policies), labels)


def policy_facts(client: Client, node: Document, journal: Journal | None) -> tuple[PeerFacts, ...]:
    """The node's peers by its policies alone, as it was labelled before the drain: for a node whose speaker
    never told."""
    metadata = node["metadata"]
    labels = dict(metadata.get("labels") or {})
    for key, value in (journal.prior_labels if journal else {}).items():
        labels.pop(key, None) if value is None else labels.update({key: value})
    before = {**node, "metadata": {**metadata, "labels": labels}}
    objects = read_policies(client).seen_from(before, ClusterObjects())
    return tuple(facts_from_peer(peer) for peer in compile_intent(objects, metadata["name"]).peers)


# --- reading ----------------------------------------------------------------------------------------------


def read(client: Client) -> Objects:
    """Every object that decides what nodes announce, and what their speakers published."""
    told = states.of_all(client)
    return Objects(
        nodes=client.items(paths.NODES),
        policies=read_policies(client),
        services=client.items(paths.SERVICES),
        slices=client.items(paths.ENDPOINT_SLICES),
        states={state.node: state for state in told or ()},
        reported=told is not None,
    )


def read_policies(client: Client) -> Policies:
    """Every object that tells nodes what to run."""
    peering, configs = _served(client, paths.PEERING_POLICIES), _served(client, *paths.CLUSTER_CONFIGS)
    return Policies(
        served=peering is not None or configs is not None,
        peering=peering or (),
        cluster_configs=configs or (),
        peer_configs=_optional(client, *paths.PEER_CONFIGS),
        advertisements=_optional(client, *paths.ADVERTISEMENTS),
        overrides=_optional(client, *paths.OVERRIDES),
        pod_pools=_permitted(client, paths.POD_POOLS),
        lb_pools=_permitted(client, *paths.LB_POOLS) or None,
        cilium_nodes=_permitted(client, paths.CILIUM_NODES) or (),
    )


def budgets(client: Client) -> tuple[Budget, ...] | None:
    """Every PodDisruptionBudget; None where we may not look, or one cannot be read."""
    documents = _permitted(client, paths.BUDGETS)
    try:
        return None if documents is None else tuple(map(budget_view, documents))
    except Unreadable:
        return None


def _optional(client: Client, *versions: str) -> Sequence[Document]:
    """A collection whose CRD may not be installed; of several versions, the first one that is served."""
    return _served(client, *versions) or ()


def _served(client: Client, *versions: str) -> Sequence[Document] | None:
    """The same; None where none is served."""
    for path in versions:
        try:
            return client.items(path)
        except NotFound:
            continue
    return None


def _permitted(client: Client, *versions: str) -> Sequence[Document] | None:
    """As `_optional`; None where we may not look: what is found without them is still worth having."""
    try:
        return _optional(client, *versions)
    except ApiError as error:
        if error.code != 403:
            raise
        return None


def _selectors(policies: Policies) -> dict[str, LabelSelector | None]:
    """By the objects' names; where two kinds share one, the second by its kind too."""
    found: dict[str, LabelSelector | None] = {}
    for claim in read_claims(policies.peering, policies.cluster_configs):
        if claim.node_selector_valid:
            found[str(claim.owner) if claim.name in found else claim.name] = claim.node_selector
    return found


# --- asking -----------------------------------------------------------------------------------------------


def _paths(node: Document, objects: Objects, now: float) -> tuple[Guard, Guard]:
    """Does somebody else announce what this node announces?"""
    name = node["metadata"]["name"]
    intents = [_intent(document, objects) for document in objects.nodes]
    alive = [i for i in intents if i.node == name or _announces(objects.states.get(i.node), now)]
    addresses = guard.vips(alive, objects.services, objects.slices)
    takers = frozenset(i.node for i in alive if i.selected and not _cordoned(i.node, objects))
    return guard.last_path(name, addresses), guard.sole_endpoint(name, addresses, takers)


def compiled(document: Document, objects: Objects) -> Intent:
    """What one node should announce by the cluster's objects; nobody may run it (it has no passwords)."""
    seen = ClusterObjects(services=objects.services, endpoint_slices=objects.slices)
    cluster, name = objects.policies.seen_from(document, seen), document["metadata"]["name"]
    state = objects.states.get(name)
    # The speaker's word on whether the node was Ready once: by now it may not be, and announce all the same.
    return compile_intent(cluster, name, opened=state is not None and state.intended > 0)


def _intent(document: Document, objects: Objects) -> Intent:
    """For the guards, which look at every node at once: without what they do not read, and without what no
    router was ever sent, because its session cannot carry it."""
    intent = replace(compiled(document, objects), absent=(), problems=())
    state = objects.states.get(intent.node)
    return carried(intent, {peer.name: peer.session for peer in state.peers}) if state else intent


def _announces(state: NodeState | None, now: float) -> bool:
    """Is this node's speaker really there? A dead one is no second path."""
    return state is not None and not state.stale(now) and state.established > 0


def _cordoned(name: str, objects: Objects) -> bool:
    node = next(document for document in objects.nodes if document["metadata"]["name"] == name)
    return bool((node.get("spec") or {}).get("unschedulable"))


def _away(other: Document, node: Document) -> str:
    """Has bgpctl taken `other` out ("out"), or is another drain at this very check ("deciding"), or neither
    ("")?

    Both drains write their journal and look again, so at least one of them sees the other. The later gives
    way when it sees the earlier; the earlier waits until the later has given way, or has gone on because it
    had not seen it. A journal that cannot be read counts as out."""
    try:
        theirs, ours = _journal(other), _journal(node)
    except Blocked:
        return "out"
    if theirs is None or other["metadata"]["uid"] == node["metadata"]["uid"]:
        return ""
    if ours is not None and ours.begun:
        return "out" if theirs.begun else ""
    if theirs.begun or ours is None:
        return "out"
    names = other["metadata"]["name"], node["metadata"]["name"]
    earlier = (theirs.started_at, names[0]) < (ours.started_at, names[1])
    return "out" if earlier else "deciding"


def _by_hand(node: Document, objects: Objects) -> dict[str, str]:
    """The other nodes that somebody took out without bgpctl, and how. A node that was told to leave is out
    itself: to stop it then would bring nobody back."""
    ours, selectors = _journal(node), tuple(_selectors(objects.policies).values())
    if ours is not None and ours.leaves:
        return {}
    words = {
        name_of(other): out_by_hand(
            other["metadata"].get("labels") or {},
            selectors,
            cordoned=bool((other.get("spec") or {}).get("unschedulable")),
            withdrew=bool((state := objects.states.get(name_of(other))) and state.withdrawn),
        )
        for other in objects.nodes
        if ANNOTATION not in (other["metadata"].get("annotations") or {})
    }
    return {name: word for name, word in words.items() if word and name != name_of(node)}


def _journal(node: Document) -> Journal | None:
    return load(node["metadata"].get("annotations"))


def _owners(client: Client, node: Document, objects: Objects, maximum: int, now: float) -> tuple[Guard, ...]:
    """Is somebody else at work on this node, or are too many nodes out already?"""
    metadata = node["metadata"]
    name, annotations = metadata["name"], metadata.get("annotations") or {}
    standing = {other["metadata"]["name"]: _away(other, node) for other in objects.nodes}
    away = [other for other, word in standing.items() if word == "out"]
    deciding = [other for other, word in standing.items() if word == "deciding"]
    medik8s = client.find(paths.lease(guard.MEDIK8S_NAMESPACE, f"node-{name}"))
    kured = client.find(KURED_DAEMONSET) or {"metadata": {}}
    lock = (kured["metadata"].get("annotations") or {}).get(guard.KURED_LOCK)
    return (
        guard.out_of_service(name, away, maximum, deciding, _by_hand(node, objects)),
        guard.medik8s(name, medik8s, now),
        guard.kured(name, lock, annotations, now, "DaemonSet kube-system/kured"),
        guard.removal_taints(name, (node.get("spec") or {}).get("taints") or ()),
    )

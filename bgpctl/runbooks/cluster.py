"""Read what concerns more than one node: who else announces, who else owns the node, which label decides."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.drain import guards as guard
from bgpctl.core.drain.budgets import Budget, budget_view
from bgpctl.core.drain.deselection import Deselection, deselecting_label
from bgpctl.core.drain.guards import Guard
from bgpctl.core.drain.paths import Announcer, beside
from bgpctl.core.drain.standing import out_by_hand
from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.endpoints import read_shared
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import Intent
from bgpctl.core.policy.owners import read_claims
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.core.state import NodeState
from bgpctl.core.timing.facts import PeerFacts, facts_from_peer
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
class Objects:
    """The cluster's objects, each kind listed once. `served`: the API server knows a kind of policy that
    selects nodes; `reported`: it knows BGPNodeStates."""

    nodes: Sequence[Document]
    fleet: Fleet
    states: Mapping[str, NodeState]
    served: bool = True
    reported: bool = True

    def compiled(self, node: Document) -> Intent:
        """What one node should announce by the cluster's objects; nobody may run it (it has no passwords)."""
        return self.fleet.intent(node, self.opened(name_of(node)))

    def opened(self, name: str) -> bool:
        """The speaker's word on whether the node was Ready once: by now it may not be, and announce all the
        same."""
        state = self.states.get(name)
        return state is not None and state.intended > 0

    def announcer(self, node: Document) -> Announcer:
        """With what its speaker published of its sessions."""
        state = self.states.get(name_of(node))
        sessions = {peer.name: peer.session for peer in state.peers} if state else {}
        return Announcer(node, self.opened(name_of(node)), sessions)


def look(
    client: Client, node: Document, override: str | None, lifted: frozenset[str], maximum: int, now: float
) -> Cluster:
    """Ask every guard about `node`. `lifted` are the flags the user gave; `override` is --deselect-label;
    `now` is epoch seconds by the API server's clock."""
    objects = read(client)
    told = objects.fleet.objects
    labels = node["metadata"].get("labels") or {}
    deselection = deselecting_label(_selectors(told.policies, told.cluster_configs), labels, override)
    known = guard.known_kinds(objects.served, objects.reported)
    verdicts = (known, *_paths(node, objects, now), *_owners(client, node, objects, maximum, now))
    return Cluster(guard.lift(verdicts, lifted), deselection)


def deselection(client: Client, labels: Mapping[str, str]) -> Deselection:
    """Which policies select a node with these labels now."""
    policies, configs = _optional(client, paths.PEERING_POLICIES), _optional(client, *paths.CLUSTER_CONFIGS)
    return deselecting_label(_selectors(policies, configs), labels)


def policy_facts(client: Client, node: Document, journal: Journal | None) -> tuple[PeerFacts, ...]:
    """The node's peers by its policies alone, as it was labelled before the drain: for a node whose speaker
    never told."""
    metadata = node["metadata"]
    labels = {**(metadata.get("labels") or {}), **(journal.prior_labels if journal else {})}
    before = {**node, "metadata": {**metadata, "labels": labels}}
    policies, _ = read_policies(client)
    return tuple(facts_from_peer(peer) for peer in Fleet(policies).bare(before).peers)


# --- reading ----------------------------------------------------------------------------------------------


def read(client: Client) -> Objects:
    """Every object that decides what nodes announce, and what their speakers published."""
    told = states.of_all(client)
    policies, served = read_policies(client)
    services, _ = client.read_list(paths.SERVICES, {}, read_service)
    slices, _ = client.read_list(paths.ENDPOINT_SLICES, {}, read_shared)
    nodes, _ = client.read_list(paths.NODES, {}, _slim)
    cilium_nodes = _permitted(client, paths.CILIUM_NODES) or ()
    return Objects(
        nodes=nodes,
        fleet=Fleet(policies, services, slices, {name_of(each): each for each in cilium_nodes}),
        states={state.node: state for state in told or ()},
        served=served,
        reported=told is not None,
    )


def _slim(node: Document) -> Document:
    """Of a Node without what is large and says nothing here: there are thousands."""
    metadata = {key: value for key, value in node["metadata"].items() if key != "managedFields"}
    status = {key: value for key, value in (node.get("status") or {}).items() if key != "images"}
    return {**node, "metadata": metadata, "status": status}


def read_policies(client: Client) -> tuple[ClusterObjects, bool]:
    """Every object that tells nodes what to run, as seen by somebody who is on none of them: a CLI may not
    read Secrets and knows neither interfaces nor routes there; peers that need them count all the same.
    Whether the API server knows a kind of them that selects nodes."""
    peering, configs = _served(client, paths.PEERING_POLICIES), _served(client, *paths.CLUSTER_CONFIGS)
    found = ClusterObjects(
        policies=peering or (),
        cluster_configs=configs or (),
        peer_configs=_optional(client, *paths.PEER_CONFIGS),
        advertisements=_optional(client, *paths.ADVERTISEMENTS),
        overrides=_optional(client, *paths.OVERRIDES),
        pod_pools=_permitted(client, paths.POD_POOLS),
        lb_pools=_permitted(client, *paths.LB_POOLS) or None,
        secrets=None,
        interfaces=None,
        gateways=None,
    )
    return found, peering is not None or configs is not None


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
        with contextlib.suppress(NotFound):
            return client.items(path)
    return None


def _permitted(client: Client, *versions: str) -> Sequence[Document] | None:
    """As `_optional`; None where we may not look: what is found without them is still worth having."""
    try:
        return _optional(client, *versions)
    except ApiError as error:
        if error.code != 403:
            raise
        return None


def _selectors(
    policies: Sequence[Mapping[str, Any]], configs: Sequence[Mapping[str, Any]]
) -> dict[str, LabelSelector | None]:
    """By the objects' names; where two kinds share one, the second by its kind too."""
    found: dict[str, LabelSelector | None] = {}
    for claim in read_claims(policies, configs):
        if claim.node_selector_valid:
            found[str(claim.owner) if claim.name in found else claim.name] = claim.node_selector
    return found


# --- asking -----------------------------------------------------------------------------------------------


def _paths(node: Document, objects: Objects, now: float) -> tuple[Guard, Guard]:
    """Does somebody else announce what this node announces?"""
    name = name_of(node)
    alive = [each for each in objects.nodes if _announces(objects.states.get(name_of(each)), now)]
    others = [objects.announcer(each) for each in alive if name_of(each) != name]
    addresses, selected = beside(objects.fleet, objects.announcer(node), others)
    cordoned = {name_of(each) for each in alive if (each.get("spec") or {}).get("unschedulable")}
    return guard.last_path(name, addresses), guard.sole_endpoint(name, addresses, selected - cordoned)


def _announces(state: NodeState | None, now: float) -> bool:
    """Is this node's speaker really there? A dead one is no second path."""
    return state is not None and not state.stale(now) and state.established > 0


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
    told = objects.fleet.objects
    ours, selectors = _journal(node), tuple(_selectors(told.policies, told.cluster_configs).values())
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
    return load(node["metadata"].get("annotations"), name_of(node))


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
        guard.removal_taints(name, (node.get("spec") or {}).get("taints")),
    )

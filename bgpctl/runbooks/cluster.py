"""Read what concerns more than one node: who else announces, who else owns the node, which label decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bgpctl.core.drain import guards as guard
from bgpctl.core.drain.budgets import Budget, budget_view
from bgpctl.core.drain.guards import Guard
from bgpctl.core.drain.lever import Lever
from bgpctl.core.drain.paths import Announcer, beside
from bgpctl.core.drain.standing import out_by_hand
from bgpctl.core.model import Intent
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.kube.optional import permitted
from bgpctl.ports import Outlook, Provider
from bgpctl.providers import detect
from bgpctl.runbooks.journal import ANNOTATION, Journal, load

Document = dict[str, Any]

UNTOLD_INTENT = "what this node should announce cannot be told from outside: no route is shown"
KURED = "/apis/apps/v1/namespaces/kube-system/daemonsets"
KURED_ONLY = {"fieldSelector": "metadata.name=kured"}  # listed: which DaemonSets there are is asked anyway
MEDIK8S_GROUPS = "medik8s.io"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The verdicts of all guards, how the node can be made to leave, and which other BGP stacks may announce
    for it, by their titles."""

    guards: tuple[Guard, ...]
    lever: Lever
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Objects:
    """The Nodes, and what a provider tells of their BGP; each kind of object listed once."""

    nodes: Sequence[Document]
    outlook: Outlook

    @property
    def states(self) -> Mapping[str, NodeState]:
        return self.outlook.states

    def without(self, names: Sequence[str]) -> Objects:
        """The same once these nodes are out of service: they announce nothing."""
        left = {name: state for name, state in self.states.items() if name not in names}
        return replace(self, outlook=replace(self.outlook, states=left)) if names else self

    def compiled(self, node: Document) -> Intent:
        """What one node should announce by the cluster's objects; nobody may run it (it has no passwords)."""
        fleet, name = self.outlook.fleet, name_of(node)
        return fleet.intent(node, self.opened(name)) if fleet else Intent(name, problems=(UNTOLD_INTENT,))

    def opened(self, name: str) -> bool:
        """The speaker's word on whether the node was Ready once: by now it may not be, and announce all the
        same."""
        state = self.states.get(name)
        return state is not None and bool(state.intended)

    def announcer(self, node: Document) -> Announcer:
        """With what its speaker published of its sessions."""
        state = self.states.get(name_of(node))
        sessions = {peer.name: peer.session for peer in state.peers} if state else {}
        return Announcer(node, self.opened(name_of(node)), sessions)


def look(
    client: Client,
    provider: Provider,
    node: Document,
    journal: Journal | None,
    override: str | None,
    lifted: frozenset[str],
    maximum: int,
    now: float,
    after: Sequence[str] = (),
) -> Cluster:
    """Ask every guard about `node`. `lifted` are the flags the user gave; `override` is --deselect-label;
    `now` is epoch seconds by the API server's clock. `after`: the nodes that are out by the time this is
    about."""
    objects = read(client, provider).without(after)
    lever = provider.lever(node, journal.prior if journal else {}, override, objects.outlook)
    known = guard.known_kinds(objects.outlook.missing)
    others = tuple(detect.others(client, name_of(node), provider.name))
    verdicts = (
        known,
        guard.other_stacks(name_of(node), others),
        *_paths(node, objects, now),
        *_owners(client, node, objects, maximum, now, after),
    )
    return Cluster(guard.lift(verdicts, lifted), lever, tuple(one.title for one in others))


def policy_facts(provider: Provider, node: Document, journal: Journal | None) -> tuple[PeerFacts, ...]:
    """The node's peers by its configuration alone, as it was labelled before the drain: for a node whose
    speaker never told."""
    metadata = node["metadata"]
    labels = {**(metadata.get("labels") or {}), **(journal.prior_labels if journal else {})}
    return provider.facts({**node, "metadata": {**metadata, "labels": labels}})


# --- reading ----------------------------------------------------------------------------------------------


def read(client: Client, provider: Provider) -> Objects:
    """Every object that decides what nodes announce, and what their speakers published."""
    outlook = provider.outlook()
    nodes, _ = client.read_list(paths.NODES, {}, slim)
    return Objects(nodes, outlook)


def slim(node: Document) -> Document:
    """Of a Node without what is large and says nothing here: there are thousands."""
    metadata = {key: value for key, value in node["metadata"].items() if key != "managedFields"}
    status = node.get("status")
    if isinstance(status, dict):
        status = {key: value for key, value in status.items() if key != "images"}
    return {**node, "metadata": metadata, "status": status}


def budgets(client: Client) -> tuple[Budget, ...] | None:
    """Every PodDisruptionBudget; None where we may not look, or one cannot be read."""
    documents = permitted(client, paths.BUDGETS)
    try:
        return None if documents is None else tuple(map(budget_view, documents))
    except Unreadable:
        return None


# --- asking -----------------------------------------------------------------------------------------------


def _paths(node: Document, objects: Objects, now: float) -> tuple[Guard, ...]:
    """Does somebody else announce what this node announces?"""
    name, fleet = name_of(node), objects.outlook.fleet
    if fleet is None:
        return (guard.paths_unknown(),)
    alive = [each for each in objects.nodes if announces(objects.states.get(name_of(each)), now)]
    others = [objects.announcer(each) for each in alive if name_of(each) != name]
    addresses, selected = beside(fleet, objects.announcer(node), others)
    cordoned = {name_of(each) for each in alive if (each.get("spec") or {}).get("unschedulable")}
    untold = sum(
        _untold(objects.states.get(name_of(each))) for each in objects.nodes if name_of(each) != name
    )
    return guard.last_path(name, addresses, untold), guard.sole_endpoint(name, addresses, selected - cordoned)


def announces(state: NodeState | None, now: float) -> bool:
    """Is this node's speaker really there? A dead one is no second path. `now`: as in `NodeState.stale`."""
    return state is not None and not state.stale(now) and state.established > 0 and not state.told_out


def _untold(state: NodeState | None) -> bool:
    """Has this node sessions of which nobody ever tells?"""
    return state is not None and not state.sessions_told and bool(state.selected_by)


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
    ours, selectors = _journal(node), tuple(objects.outlook.selectors.values())
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


def _medik8s(client: Client, name: str, now: float) -> Guard:
    """Who may not look is told so where medik8s is there: its API groups tell, which everybody may read."""
    try:
        return guard.medik8s(name, client.find(paths.lease(guard.MEDIK8S_NAMESPACE, f"node-{name}")), now)
    except ApiError as error:
        if error.code != 403:
            raise
    groups = client.get("/apis").get("groups") or ()
    return guard.medik8s_unseen(name, any(str(one.get("name")).endswith(MEDIK8S_GROUPS) for one in groups))


def _journal(node: Document) -> Journal | None:
    return load(node["metadata"].get("annotations"), name_of(node))


def _owners(
    client: Client, node: Document, objects: Objects, maximum: int, now: float, after: Sequence[str]
) -> tuple[Guard, ...]:
    """Is somebody else at work on this node, or are too many nodes out already?"""
    metadata = node["metadata"]
    name, annotations = metadata["name"], metadata.get("annotations") or {}
    standing = {other["metadata"]["name"]: _away(other, node) for other in objects.nodes}
    away = [other for other, word in standing.items() if word == "out" or other in after]
    deciding = [other for other, word in standing.items() if word == "deciding" and other not in after]
    kured: Document = next(iter(client.items(KURED, **KURED_ONLY)), {"metadata": {}})
    lock = (kured["metadata"].get("annotations") or {}).get(guard.KURED_LOCK)
    return (
        guard.out_of_service(name, away, maximum, deciding, _by_hand(node, objects)),
        _medik8s(client, name, now),
        guard.kured(name, lock, annotations, now, "DaemonSet kube-system/kured"),
        guard.removal_taints(name, (node.get("spec") or {}).get("taints")),
    )

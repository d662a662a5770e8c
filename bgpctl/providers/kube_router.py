"""kube-router: read from its DaemonSet's arguments and its Nodes' annotations. Nothing makes one node of it
withdraw, so a drain is refused, and says what stopping its pod costs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bgpctl.core.drain.lever import Effect, Lever
from bgpctl.core.kube_router import PEERS, Settings, node_state, read_settings
from bgpctl.core.reading.documents import annotations_of, name_of, namespace_of
from bgpctl.core.reading.foreign import LONGEST_TEXT, Unreadable
from bgpctl.core.state import NodeState
from bgpctl.core.timing.facts import facts_from_state
from bgpctl.core.timing.withdrawal import Close, Estimate, Event, estimate, worst_of
from bgpctl.documents.stream import read_stream
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.optional import permitted
from bgpctl.ports import NOTHING_KNOWN, Outlook

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts

Document = Mapping[str, Any]

UNSEEN = "no DaemonSet of kube-router is there, or none is shown: what its nodes announce is not known"


class KubeRouter:
    """As `bgpctl.ports.Provider`."""

    name = "kube-router"

    def __init__(self, client: Client) -> None:
        self._client = client

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
        settings = self.settings()
        if not settings:
            return None
        if names:
            nodes = filter(None, (self._client.find(paths.node(name)) for name in names))
            return tuple(state for node in nodes if (state := _state(node, settings)))
        read, _ = self._client.read_list(paths.NODES, {}, lambda node: _state(node, settings))
        return tuple(state for state in read if state is not None)

    def state(self, node: str) -> NodeState | None:
        document = self._client.find(paths.node(node))
        state = _state(document, self.settings()) if document else None
        if state is not None and state.unreadable:
            hint = f"to see its annotations: kubectl get node {node} -o yaml"
            raise Blocked(f"what node {node} announces is unknown: {state.unreadable}", hint)
        return state

    def outlook(self) -> Outlook:
        told = self.states()
        return Outlook(
            {state.node: state for state in told or ()}, missing="" if told is not None else UNSEEN
        )

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        state = self.state(name_of(node))
        worst = worst_of(_stopped(state)) if state else None
        if state is None or worst is None:
            return Lever()
        return Lever(
            (self.name,), refusal=_advice(state.node, worst), effect=Effect.NOTHING, close=Close.SILENT
        )

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        state = self.state(name_of(node))
        return tuple(map(facts_from_state, state.peers)) if state else ()

    def settings(self) -> tuple[Settings, ...]:
        """Of each of its DaemonSets. Raises Blocked for one that cannot be read."""
        return tuple(self._settings())

    def _settings(self) -> Iterator[Settings]:
        for one in permitted(self._client, paths.DAEMONSETS) or ():
            try:
                found = read_settings(one)
            except Unreadable as error:
                if not _is_named(one):
                    continue
                where = f"{namespace_of(one)}/{name_of(one)}"
                hint = f"to see it: kubectl get daemonset {name_of(one)} -n {namespace_of(one)} -o yaml"
                raise Blocked(f"the DaemonSet {where} cannot be read ({error.message})", hint) from None
            if found is not None:
                yield found


def _is_named(daemonset: Document) -> bool:
    """A DaemonSet of somebody else that cannot be read is nobody's business here."""
    return "kube-router" in name_of(daemonset)


def _state(node: Document, settings: tuple[Settings, ...]) -> NodeState | None:
    """None: it does not run there."""
    for one in settings:
        if one.runs_on(node):
            try:
                return node_state(node, one, _consolidated(node))
            except Unreadable as error:
                return NodeState(name_of(node), unreadable=f"its peers cannot be read ({error.message})")
    return None


def _consolidated(node: Document) -> Any:
    """The value of the annotation that is YAML. Raises Unreadable."""
    text = annotations_of(node).get(PEERS)
    if text is None:
        return None
    if len(text) > 16 * LONGEST_TEXT:
        raise Unreadable(f"annotation {PEERS}: too long")
    documents = list(read_stream(text.encode("utf-8", "replace")))
    if faults := [fault for document in documents for fault in document.faults]:
        raise Unreadable(f"annotation {PEERS}: {faults[0]}")
    return documents[0].value if documents else []


def _stopped(state: NodeState) -> Iterator[Estimate]:
    """What the routers do when its pod ends: with graceful restart it says nothing to them."""
    return (estimate(Event.DESELECT, facts_from_state(p), close=Close.SILENT) for p in state.peers)


def _advice(node: str, worst: Estimate) -> str:
    return (
        f"kube-router has nothing by which one node withdraws while it runs: evict its pods "
        f"(kubectl drain {node} --ignore-daemonsets), stop kube-router on it, and wait {worst.worst:.0f} s "
        f"before it is switched off ({worst.address}: {worst.why.rstrip('.')})"
    )

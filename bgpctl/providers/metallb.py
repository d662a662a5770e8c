"""MetalLB where its own speaker has the sessions (natively, or by an FRR in its pod): read from its BGPPeers,
made to withdraw by the exclude label, since it announces nothing but Service addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bgpctl.core import metallb
from bgpctl.core.drain.deselection import changed, parse_label_change
from bgpctl.core.drain.lever import EXCLUDE, Effect, Lever, shown
from bgpctl.core.metallb import KIND, Peer, Unread, node_state
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.reading.documents import annotations_of, labels_of
from bgpctl.core.state import NodeState
from bgpctl.core.timing.withdrawal import Close
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.optional import permitted, served
from bgpctl.ports import NOTHING_KNOWN, Outlook
from bgpctl.providers.frr_k8s_vtysh import Frrs

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts

Document = Mapping[str, Any]

WAY, BY_EXCLUSION, BY_LABEL = "way", "exclude", "label"  # in the journal
UNSERVED = f"the cluster serves no {KIND} of MetalLB: what its nodes announce is not known"
STAYS = "MetalLB withdraws Service addresses by it with its sessions up, and what it announces by layer 2 too"
CLOSES = "MetalLB closes the sessions, and withdraws nothing before"
BY_HAND = f"it has the label {EXCLUDE} already, by somebody else's hand: take that away, and drain again"
IGNORED = (
    f"MetalLB's speaker ignores the label {EXCLUDE} ({metallb.IGNORES}): take the node out by a label that "
    f"its {KIND}s select by (--deselect-label KEY=VALUE)"
)


class MetalLB:
    """As `bgpctl.ports.Provider`."""

    name = "metallb"

    def __init__(self, client: Client) -> None:
        self._client = client
        self._frrs = [Frrs(client, selector) for selector in metallb.SELECTORS]

    # -- reading

    def states(self, names: Collection[str] = ()) -> tuple[NodeState, ...] | None:
        found = self._peers()
        if found is None:
            return None
        nodes, _ = self._client.read_list(paths.NODES, {}, _slim)
        told = (_state(node, *found) for node in nodes)
        return tuple(state for state in told if state.peers or state.unread)

    def state(self, node: str) -> NodeState | None:
        found = self._peers()
        document = self._client.find(paths.node(node)) if found else None
        if document is None or found is None:
            return None
        labels = labels_of(document)
        mine = [peer.neighbor for peer in found[0] if peer.selects(labels)]
        answers = (frrs.told(node, labels.get(EXCLUDE, "-"), mine) for frrs in self._frrs) if mine else ()
        told, by = next((one for one in answers if one[1]), ({}, ""))
        return node_state(document, *found, out=_out(document), told=told, by=by)

    def outlook(self) -> Outlook:
        told = self.states()
        missing = "" if told is not None else UNSERVED
        return Outlook({state.node: state for state in told or ()}, missing=missing)

    def facts(self, node: Mapping[str, Any]) -> tuple[PeerFacts, ...]:
        from bgpctl.core.timing.facts import facts_from_state

        found = self._peers()
        return tuple(map(facts_from_state, _state(node, *found).peers)) if found else ()

    def _peers(self) -> tuple[Sequence[Peer], Sequence[Unread]] | None:
        documents = served(self._client, *paths.METALLB_PEERS)
        if documents is None:
            return None
        read = [metallb.read(one) for one in documents]
        peers = [one for one in read if isinstance(one, Peer)]
        return peers, [one for one in read if isinstance(one, Unread)]

    # -- the lever

    def lever(
        self,
        node: Mapping[str, Any],
        prior: Mapping[str, Any] = NOTHING_KNOWN,
        override: str | None = None,
        outlook: Outlook | None = None,
    ) -> Lever:
        found = self._peers()
        if found is None:
            return Lever()
        peers, unread = found
        labels = labels_of(node)
        mine = [peer for peer in peers if peer.selects(labels)]
        keys = frozenset((EXCLUDE, *(key for peer in peers for one in peer.selectors for key in _keys(one))))
        lever = Lever(_names(mine), keys=keys)
        if strange := [one for one in unread if one.selects(labels)]:
            names = tuple(f"{KIND} {one.name}" for one in strange)
            return replace(lever, policies=names, refusal="; ".join(map(str, strange)))
        if override is not None or prior.get(WAY) == BY_LABEL:
            return _closing(lever, peers, labels, override)
        return self._excluding(lever, labels, prior)

    def _excluding(self, lever: Lever, labels: Mapping[str, str], prior: Document) -> Lever:
        begun = prior.get(WAY) == BY_EXCLUSION
        found = replace(lever, prior={WAY: BY_EXCLUSION}, note=STAYS) if lever.policies else lever
        if begun and EXCLUDE in labels:
            return replace(found, policies=())
        if refusal := "; ".join(self._troubles(labels)) if lever.policies else "":
            return replace(lever, refusal=refusal, effect=Effect.NOTHING, close=Close.SILENT)
        return replace(found, label=(EXCLUDE, "true")) if found.policies else found

    def _troubles(self, labels: Mapping[str, str]) -> Iterator[str]:
        if EXCLUDE in labels:
            yield BY_HAND
        if metallb.ignores_exclusion(permitted(self._client, paths.DAEMONSETS) or ()):
            yield IGNORED


def _closing(lever: Lever, peers: Sequence[Peer], labels: Mapping[str, str], override: str | None) -> Lever:
    """By a label that the BGPPeers select by: MetalLB takes the sessions away. Natively it just closes the
    connection (and offers no graceful restart), with an FRR it sends Cease."""
    found = replace(lever, effect=Effect.CLOSES, close=Close.CEASE, prior={WAY: BY_LABEL}, note=CLOSES)
    if override is None or not lever.policies:
        return found
    change = parse_label_change(override)
    if left := _names([peer for peer in peers if peer.selects(changed(labels, change))]):
        text = f"after the change ({shown(change)}) the node would still have {', '.join(left)}"
        return replace(found, policies=left, refusal=text)
    return replace(found, label=change)


def _out(node: Document) -> bool:
    """Does the label keep it from announcing, because a run asked it to leave?"""
    return LEAVE in annotations_of(node) and EXCLUDE in labels_of(node)


def _state(node: Document, peers: Sequence[Peer], unread: Sequence[Unread]) -> NodeState:
    return node_state(node, peers, unread, out=_out(node))


def _slim(node: Document) -> Document:
    """There are thousands."""
    return {
        "metadata": {key: (node.get("metadata") or {}).get(key) for key in ("name", "labels", "annotations")}
    }


def _names(peers: Sequence[Peer]) -> tuple[str, ...]:
    return tuple(f"{KIND} {peer.name}" for peer in peers)


def _keys(selector: Any) -> Iterator[str]:
    yield from (key for key, _ in selector.match_labels)
    yield from (one.key for one in selector.match_expressions)

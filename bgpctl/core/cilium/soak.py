"""What a node of Cilium's needs to announce its routes with GRACEFUL_SHUTDOWN (RFC 8326) before it withdraws
them: copies of its CiliumBGPPeerConfigs, which choose copies of the CiliumBGPAdvertisements with that
community. Pure.

As with the copies that advertise nothing (`copies`), a peer that changes from one to the other keeps its
session, and each route is announced anew, without a withdraw in between. No original may choose a copied
CiliumBGPAdvertisement: every node would announce with the community then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.cilium.copies import (
    LABEL,
    LABELLED,
    LONGEST_NAME,
    MADE_AT,
    MADE_FROM,
    SETTLE_SECONDS,
    Ready,
    instant_text,
    is_copy,
    made_at,
    original_name,
    source,
)
from bgpctl.core.cilium.nodeconfig import SOAK_SUFFIX, NodeConfig
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.fields import Faults, Fields
from bgpctl.core.reading.foreign import Foreign, Unreadable, plain
from bgpctl.core.reading.selectors import LabelSelector, read_selector

PREPARE = "bgpctl cilium prepare --soak"
PEER_CONFIG, ADVERTISEMENT = "CiliumBGPPeerConfig", "CiliumBGPAdvertisement"
PLANNED_SHUT = "planned-shut"
"""What Cilium calls 65535:0, as IANA did before RFC 8326."""
DEEPEST, MOST_ROWS = 16, 1000
CHOSEN = "bgpctl.io/soak-"  # how the labels begin by which the copies are chosen, one for each selector

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One copy as it is to be."""

    kind: str
    original: Document
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Of the copy."""
        return soak_name(name_of(self.original))


def soak_name(original: str) -> str:
    """Of the copy with GRACEFUL_SHUTDOWN."""
    return f"{original_name(original)}{SOAK_SUFFIX}"


def wanted(peer_configs: Iterable[Document], advertisements: Iterable[Document]) -> tuple[Wanted, ...]:
    """All copies of these originals, and of what they choose; a copy among them is no original. Raises
    Unreadable for one of which there can be no copy: its routes would be missing in a soak."""
    configs = [one for one in peer_configs if not is_copy(one)]
    selectors = {key: one for config in configs for key, one in _selectors(config).items()}
    made = [_with_room(PEER_CONFIG, one, {LABEL: LABELLED}, _choosing(one)) for one in configs]
    for one in advertisements:
        keys = [key for key, selector in selectors.items() if selector.matches(labels_of(one))]
        if keys and not is_copy(one):
            labels = {LABEL: LABELLED, **dict.fromkeys(sorted(keys), "true")}
            made.append(_with_room(ADVERTISEMENT, one, labels, _tagged(one)))
    return tuple(made)


def clash(peer_configs: Iterable[Document], copies: Sequence[Wanted]) -> str:
    """Why there may be no such copies in this cluster; "" = they harm nobody."""
    tagged = [one for one in copies if one.kind == ADVERTISEMENT]
    for config in peer_configs:
        for selector in () if is_copy(config) else _selectors(config).values():
            if hit := next((one.name for one in tagged if selector.matches(one.labels)), ""):
                return (
                    f"{PEER_CONFIG} {name_of(config)} would choose {ADVERTISEMENT} {hit} too, and every node "
                    "would announce with GRACEFUL_SHUTDOWN: let it choose by a label that has to be there"
                )
    return ""


def made_of(one: Wanted, version: str, now: float) -> dict[str, Any]:
    """The copy in an API version."""
    return {
        "apiVersion": version,
        "kind": one.kind,
        "metadata": {
            "name": one.name,
            "labels": dict(one.labels),
            "annotations": {MADE_FROM: source(one.original), MADE_AT: instant_text(now)},
        },
        "spec": dict(one.spec),
    }


def same(one: Wanted, there: Document) -> bool:
    """Is it as it is to be?"""
    return there.get("spec") == one.spec and labels_of(there) == one.labels


def readiness(
    config: NodeConfig, peer_configs: Sequence[Document], advertisements: Sequence[Document], now: float
) -> Ready:
    """May the node's peers refer to these copies? As `copies.readiness`."""
    names = {original_name(peer.config) for peer in config.peers if peer.config}
    there = {PEER_CONFIG: _by_name(peer_configs), ADVERTISEMENT: _by_name(advertisements)}
    if not any(soak_name(name) in there[PEER_CONFIG] for name in names):
        return Ready(missing=True)
    try:
        found = wanted(peer_configs, advertisements)  # what is announced to the peers of other nodes too
    except Unreadable as error:
        return Ready(trouble=f"there can be no copies for a soak: {error.message}")
    if trouble := clash(peer_configs, found) or next(_troubles(found, there, names), ""):
        return Ready(trouble=trouble)
    used = [one for one in found if one.kind == ADVERTISEMENT or name_of(one.original) in names]
    left = max(SETTLE_SECONDS - (now - made_at(there[one.kind][one.name])) for one in used)
    if left <= 0:
        return Ready()
    seconds = min(left, SETTLE_SECONDS)
    return Ready(
        trouble=f"the copies for a soak are new: an agent may not know them for {seconds:.0f} s yet",
        young=True,
    )


def _troubles(
    found: Sequence[Wanted], there: Mapping[str, Mapping[str, Document]], names: set[str]
) -> Iterator[str]:
    for one in found:
        if one.kind == PEER_CONFIG and name_of(one.original) not in names:
            continue
        made = there[one.kind].get(one.name)
        if made is None:
            yield f"{one.kind} {name_of(one.original)} has no copy for a soak yet"
        elif not same(one, made):
            yield f"the copy of {one.kind} {name_of(one.original)} for a soak is not as it is to be"
    if gone := names - {name_of(one.original) for one in found if one.kind == PEER_CONFIG}:
        yield f"{PEER_CONFIG} {min(gone)} does not exist"
    mine = {one.name for one in found}
    for name, left in there[ADVERTISEMENT].items():
        if name not in mine and any(key.startswith(CHOSEN) for key in labels_of(left)):
            yield f"{ADVERTISEMENT} {name} is chosen in a soak, and is a copy of none that is announced"


def _by_name(documents: Iterable[Document]) -> dict[str, Document]:
    return {name_of(one): one for one in documents}


def _with_room(kind: str, one: Document, labels: Mapping[str, str], spec: Mapping[str, Any]) -> Wanted:
    if len(soak_name(name_of(one))) > LONGEST_NAME:
        raise Unreadable(f"{kind} {name_of(one)}: its name leaves no room for {SOAK_SUFFIX}")
    return Wanted(kind, one, labels, spec)


def _families(config: Document) -> Iterator[Mapping[str, Any]]:
    spec = config.get("spec")
    families = spec.get("families") if isinstance(spec, Mapping) else None
    yield from (
        (one for one in families or () if isinstance(one, Mapping)) if isinstance(families, list) else ()
    )


def _selectors(config: Document) -> dict[str, LabelSelector]:
    """By the label by which the copies are chosen instead."""
    chosen = (
        one["advertisements"] for one in _families(config) if isinstance(one.get("advertisements"), dict)
    )
    return {_key(raw): selector for raw in chosen if (selector := _selector(raw)) is not None}


def _selector(raw: Mapping[str, Any]) -> LabelSelector | None:
    """None for one that cannot be applied: it chooses nothing."""
    faults = Faults("", strict=False)
    found = read_selector(Fields({"advertisements": raw}, "", faults), "advertisements")
    return None if faults.problems else found


def _key(raw: Mapping[str, Any]) -> str:
    text = json.dumps(raw, sort_keys=True, separators=(",", ":"))
    return f"{CHOSEN}{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _choosing(config: Document) -> dict[str, Any]:
    """The settings of the original, which choose the copies of what it chooses. Raises Unreadable."""
    spec = Foreign.of(plain(config.get("spec") or {}, "spec", DEEPEST), "spec")
    if not spec.has("families"):
        return dict(spec.value)
    return {**spec.value, "families": [_family(one) for one in spec.children("families", MOST_ROWS)]}


def _family(one: Foreign) -> dict[str, Any]:
    if not one.has("advertisements"):
        return dict(one.value)
    key = _key(one.child("advertisements").value)
    return {**one.value, "advertisements": {"matchLabels": {key: "true"}}}


def _tagged(advertisement: Document) -> dict[str, Any]:
    """The same routes, with the community besides what they have. Raises Unreadable."""
    spec = Foreign.of(plain(advertisement.get("spec") or {}, "spec", DEEPEST), "spec")
    rows = [_row(one) for one in spec.children("advertisements", MOST_ROWS)]
    return {**spec.value, "advertisements": rows}


def _row(one: Foreign) -> dict[str, Any]:
    attributes = one.child("attributes")
    communities = attributes.child("communities")
    names = dict.fromkeys((*communities.texts("wellKnown", MOST_ROWS), PLANNED_SHUT))
    return {
        **one.value,
        "attributes": {**attributes.value, "communities": {**communities.value, "wellKnown": list(names)}},
    }

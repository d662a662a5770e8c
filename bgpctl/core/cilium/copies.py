"""The copies of CiliumBGPPeerConfigs that advertise nothing: what a node's peers refer to while it is out.

A peer that changes from a CiliumBGPPeerConfig to its copy keeps its session only where the two differ in
nothing but their advertisements, and where the agent knows the copy already: it gives no sign that it does.
So a copy is made beforehand, compared before each use, and not used before it is old enough.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bgpctl.core.cilium.nodeconfig import SOAK_SUFFIX, SUFFIX, NodeConfig
from bgpctl.core.reading.documents import annotations_of, labels_of, metadata, name_of
from bgpctl.core.reading.foreign import Foreign, Unreadable

LABEL, LABELLED = "bgpctl.io/prepared", "cilium"
MADE_FROM, MADE_AT = "bgpctl.io/made-from", "bgpctl.io/made-at"
SETTLE_SECONDS = 30.0  # two of 18 agents measured did not know a copy that was used at once, and closed
LONGEST_NAME = 253

Document = Mapping[str, Any]

PREPARE = "bgpctl cilium prepare"


@dataclass(frozen=True, slots=True)
class Ready:
    """May the node's peers refer to the copies? `missing`: not one of them is there, so nobody prepared this
    cluster. `trouble`: why they must not be used, a sentence; `young`: that will pass. Else they may."""

    missing: bool = False
    trouble: str = ""
    young: bool = False


def copy_name(original: str) -> str:
    """Of the copy that a peer refers to while its node is out; of a copy itself."""
    return f"{original_name(original)}{SUFFIX}"


def original_name(name: str) -> str:
    """Of the CiliumBGPPeerConfig that a copy was made from; of one that is no copy itself."""
    return name.removesuffix(SUFFIX).removesuffix(SOAK_SUFFIX)


def is_copy(document: Document) -> bool:
    """By our label alone: what is in it is compared before it is used."""
    return labels_of(document).get(LABEL) == LABELLED


def silenced(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings, and no advertisement. An empty selector would choose every one: the field goes."""
    found = copy.deepcopy(dict(spec))
    families = found.get("families")
    for family in families if isinstance(families, list) else ():
        if isinstance(family, dict):
            family.pop("advertisements", None)
    return found


def made_of(original: Document, version: str, now: float) -> dict[str, Any]:
    """The copy as it is to be, in an API version. Raises Unreadable for a name that leaves no room."""
    name = name_of(original)
    if len(copy_name(name)) > LONGEST_NAME:
        raise Unreadable(f"CiliumBGPPeerConfig {name}: its name leaves no room for {SUFFIX}")
    return {
        "apiVersion": version,
        "kind": "CiliumBGPPeerConfig",
        "metadata": {
            "name": copy_name(name),
            "labels": {LABEL: LABELLED},
            "annotations": {MADE_FROM: source(original), MADE_AT: instant_text(now)},
        },
        "spec": silenced(original.get("spec") or {}),
    }


def source(original: Document) -> str:
    """What a copy was made from: its name and UID."""
    return f"{name_of(original)} {metadata(original).get('uid', '')}".strip()


def loud(config: NodeConfig, documents: Iterable[Document]) -> tuple[str, ...]:
    """The copies to which the node's peers refer, and which advertise: somebody wrote into them. `documents`:
    every CiliumBGPPeerConfig."""
    used = {peer.config for peer in config.peers if peer.config.endswith(SUFFIX)}
    there = {name_of(one): one.get("spec") or {} for one in documents if name_of(one) in used}
    return tuple(name for name, spec in sorted(there.items()) if silenced(spec) != spec)


def same(original: Document, made: Document) -> bool:
    """Does nothing differ but the advertisements?"""
    return silenced(original.get("spec") or {}) == (made.get("spec") or {})


def readiness(config: NodeConfig, documents: Iterable[Document], now: float) -> Ready:
    """`documents`: every CiliumBGPPeerConfig; `now`: epoch seconds by the API server's clock."""
    found = {name_of(document): document for document in documents}
    wanted = sorted({original_name(peer.config) for peer in config.peers if peer.config})
    there = [name for name in wanted if copy_name(name) in found]
    if not there:
        return Ready(missing=True)
    if troubles := [text for name in wanted for text in _troubles(name, found)]:
        return Ready(trouble="; ".join(troubles))
    left = max(SETTLE_SECONDS - (now - made_at(found[copy_name(name)])) for name in wanted)
    if left <= 0:
        return Ready()
    seconds = min(left, SETTLE_SECONDS)
    text = (
        f"the copies of its CiliumBGPPeerConfigs are new: an agent may not know them for {seconds:.0f} s yet"
    )
    return Ready(trouble=text, young=True)


def _troubles(name: str, found: Mapping[str, Document]) -> Iterator[str]:
    made = found.get(copy_name(name))
    if name not in found:
        yield f"CiliumBGPPeerConfig {name} does not exist"
    elif made is None:
        yield f"CiliumBGPPeerConfig {name} has no copy yet"
    elif not is_copy(made):
        yield f"CiliumBGPPeerConfig {copy_name(name)} is somebody else's: it has no label {LABEL}={LABELLED}"
    elif not same(found[name], made):
        yield f"the copy of CiliumBGPPeerConfig {name} differs from it, which would reset sessions"


def made_at(made: Document) -> float:
    """When it was made, or changed last; one that does not say it was made in the future."""
    try:
        created = Foreign.of(metadata(made)).instant("creationTimestamp")
        written = Foreign.of(annotations_of(made)).instant(MADE_AT)
    except Unreadable:
        return float("inf")
    return max(created, written) or float("inf")


def instant_text(now: float) -> str:
    """As Kubernetes writes an instant."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

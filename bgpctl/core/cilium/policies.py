"""CiliumBGPPeeringPolicy (v1, Cilium up to 1.18): the second policy of each, which has the same peers and
announces nothing. Pure.

A node goes from a policy to its second one by another value of the label that both select by, in one patch:
its sessions stay up, and every route goes by UPDATE. Another label (`CLOSED`) takes it out of the second one
too, which closes the sessions. As with the copies of CiliumBGPPeerConfigs, the second one is made beforehand,
compared before each use, and not used before it is old enough: an agent that does not know it closes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.cilium.copies import (
    LABEL,
    LABELLED,
    MADE_AT,
    MADE_FROM,
    SETTLE_SECONDS,
    Ready,
    copy_name,
    instant_text,
    is_copy,
    made_at,
    source,
)
from bgpctl.core.cilium.nodeconfig import SUFFIX
from bgpctl.core.drain.deselection import SELECTED, protected
from bgpctl.core.drain.lever import Patch
from bgpctl.core.policy.peering import KIND, parse_policy
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.foreign import Foreign, Unreadable, plain
from bgpctl.core.reading.selectors import LabelSelector

LONGEST_VALUE = 63  # of a label
DEEPEST = 16
SESSIONS, CLOSED = "bgpctl.io/sessions", "closed"  # the label of a node that has no sessions either
NOBODY = {"matchLabels": {"bgpctl.io/announced": "never"}}  # of a Service: a selector that matches none

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """A policy and what is there under the name of its second one, if anything. `key`: the label that takes
    its nodes to the second one, "" = it selects by none that is ours; `value`: the one it selects by."""

    original: Document
    second: Document | None
    key: str
    value: str

    @property
    def name(self) -> str:
        """Of the first of the two."""
        return name_of(self.original)

    @property
    def out(self) -> str:
        """The value by which the second one selects: several policies may select by values of one label."""
        return f"{self.value}{SUFFIX}"

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Does the first select a node with these labels?"""
        return selects(self.original, labels)

    def has_out(self, labels: Mapping[str, str]) -> bool:
        """Did somebody take a node with these labels to its second one?"""
        if self.second is None or labels.get(self.key) != self.out:
            return False
        return is_copy(self.second) and self.selects({**labels, self.key: self.value})


def pairs(documents: Iterable[Document]) -> tuple[Pair, ...]:
    """Of every CiliumBGPPeeringPolicy that is not a second one."""
    found = {name_of(document): document for document in documents}
    originals = (one for one in found.values() if not is_copy(one))
    return tuple(Pair(one, found.get(copy_name(name_of(one))), *_key(one)) for one in originals)


def originals(documents: Iterable[Document]) -> tuple[Document, ...]:
    """Without the second ones: by those a node announces nothing."""
    return tuple(one for one in documents if not is_copy(one))


def selects(policy: Document, labels: Mapping[str, str]) -> bool:
    """By its nodeSelector; one that cannot be applied selects nothing."""
    claim = parse_policy(policy, name_of(policy), strict=False)
    return claim.node_selector_valid and (claim.node_selector or LabelSelector()).matches(labels)


def _key(policy: Document) -> tuple[str, str]:
    """The label that the policy's nodes are taken away by, and its value: `true` before others."""
    claim = parse_policy(policy, name_of(policy), strict=False)
    selector = claim.node_selector if claim.node_selector_valid else None
    longest = LONGEST_VALUE - len(SUFFIX)
    pairs = selector.match_labels if selector else ()
    mine = [(key, value) for key, value in pairs if not protected(key) and 0 < len(value) <= longest]
    return min(mine, key=lambda one: (one[1] != SELECTED, one), default=("", ""))


def silenced(pair: Pair) -> dict[str, Any]:
    """The same peers for the nodes that are out and may have sessions; no route for them. Raises Unreadable
    for a spec that is none."""
    found: dict[str, Any] = plain(pair.original.get("spec") or {}, "spec", DEEPEST)
    selector = Foreign.of(found, "spec").child("nodeSelector")
    terms = [one.value for one in selector.children("matchExpressions")]
    chosen = selector.child("matchLabels").value
    unless_closed = {"key": SESSIONS, "operator": "NotIn", "values": [CLOSED]}
    found["nodeSelector"] = {
        "matchLabels": {**chosen, pair.key: pair.out},
        "matchExpressions": [*terms, unless_closed],
    }
    Foreign(found, "spec").children("virtualRouters")
    for router in found.get("virtualRouters") or ():
        pools = {"podIPPoolSelector": NOBODY} if "podIPPoolSelector" in router else {}
        router.update(copy.deepcopy({"exportPodCIDR": False, "serviceSelector": NOBODY, **pools}))
    return found


def made_of(pair: Pair, version: str, now: float) -> dict[str, Any]:
    """The second policy as it is to be. Raises Unreadable."""
    return {
        "apiVersion": version,
        "kind": KIND,
        "metadata": {
            "name": copy_name(pair.name),
            "labels": {LABEL: LABELLED},
            "annotations": {MADE_FROM: source(pair.original), MADE_AT: instant_text(now)},
        },
        "spec": silenced(pair),
    }


def same(pair: Pair) -> bool:
    """Is the second one as it is to be?"""
    try:
        wanted = silenced(pair)
    except Unreadable:
        return False
    return pair.second is not None and wanted == pair.second.get("spec")


def readiness(
    pair: Pair, others: Mapping[str, LabelSelector | None], labels: Mapping[str, str], now: float
) -> Ready:
    """May a node with these labels be taken from the policy to its second one? `others`: by what everything
    else selects nodes; `now`: epoch seconds by the API server's clock."""
    if not pair.key or pair.second is None:
        return Ready(missing=True)
    if trouble := next(_troubles(pair, others, {**labels, pair.key: pair.out}), ""):
        return Ready(trouble=trouble)
    left = min(SETTLE_SECONDS - (now - made_at(pair.second)), SETTLE_SECONDS)
    if left <= 0:
        return Ready()
    text = f"{KIND} {name_of(pair.second)} is new: an agent may not know it for {left:.0f} s yet"
    return Ready(trouble=text, young=True)


def _troubles(
    pair: Pair, others: Mapping[str, LabelSelector | None], then: Mapping[str, str]
) -> Iterator[str]:
    """`then`: the labels of the node once it is out."""
    assert pair.second is not None, "it was asked for"
    second = f"{KIND} {name_of(pair.second)}"
    if not is_copy(pair.second):
        yield f"{second} is somebody else's: it has no label {LABEL}={LABELLED}"
    if not same(pair):
        yield f"{second} differs from {pair.name} in more than what is announced, which would reset sessions"
    if then.get(SESSIONS) == CLOSED:
        yield f"the node's label {SESSIONS}={CLOSED} keeps {second} from it, which would close the sessions"
    for name, selector in others.items():
        if (selector or LabelSelector()).matches(then):
            yield f"{name} would select the node too when it is labelled {pair.key}={pair.out}"


def close(path: str, pair: Pair, labels: Mapping[str, str]) -> Patch | None:
    """Every session of a node that is out ends; None where they were told to. `path`: of the Node."""
    if labels.get(SESSIONS) == CLOSED:
        return None
    out = {"op": "test", "path": _label(pair.key), "value": pair.out}
    closed = {"op": "add", "path": _label(SESSIONS), "value": CLOSED}
    what = f"label {SESSIONS}={CLOSED}, which takes the node out of its second policy"
    return Patch(path, what, (out, closed))


def back(path: str, labels: Mapping[str, str], pair: Pair | None) -> Patch | None:
    """As it was before, None where it is. `pair`: whose label has to go back too, by no journal's word."""
    operations: list[Mapping[str, Any]] = []
    told = []
    if pair is not None:
        operations += [
            {"op": "test", "path": _label(pair.key), "value": pair.out},
            {"op": "replace", "path": _label(pair.key), "value": pair.value},
        ]
        told.append(f"label {pair.key}={pair.value}")
    if labels.get(SESSIONS) == CLOSED:
        operations += [
            {"op": "test", "path": _label(SESSIONS), "value": CLOSED},
            {"op": "remove", "path": _label(SESSIONS)},
        ]
        told.append(f"label {SESSIONS} removed")
    return Patch(path, ", ".join(told), tuple(operations)) if operations else None


def out_of(documents: Iterable[Document], node: Document) -> Pair | None:
    """The policy from which a Node was taken to its second one; None = from none."""
    labels = labels_of(node)
    return next((pair for pair in pairs(documents) if pair.has_out(labels)), None)


def _label(key: str) -> str:
    return f"/metadata/labels/{key.replace('~', '~0').replace('/', '~1')}"

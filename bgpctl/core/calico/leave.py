"""The BGPFilter by which a Calico node withdraws, and the patches that put its peers behind it. Pure.

A BGPPeer's `filters` are applied in their order, and the first rule that matches decides: a filter that
rejects everything withdraws every route of that peer when it is the first. It belongs into no BGPPeer that
more than one node has. What a node is by now stands in the BGPPeers themselves: the name of the filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgpctl.core.calico.config import Peering
from bgpctl.core.calico.nodestatus import LABEL, LABELLED
from bgpctl.core.drain.lever import Patch
from bgpctl.core.reading.documents import labels_of

FILTER = "bgpctl-withdrawn"
SPEC = {"exportV4": [{"action": "Reject"}], "exportV6": [{"action": "Reject"}]}
PREPARE = "bgpctl calico prepare"

Document = Mapping[str, Any]


def filter_document(version: str) -> dict[str, Any]:
    """The BGPFilter as it is to be, in an API version."""
    return {
        "apiVersion": version,
        "kind": "BGPFilter",
        "metadata": {"name": FILTER, "labels": {LABEL: LABELLED}},
        "spec": SPEC,
    }


def is_ours(document: Document) -> bool:
    """By our label alone: what is in it is compared before it is used."""
    return labels_of(document).get(LABEL) == LABELLED


def rejects(document: Document | None) -> bool:
    """Does it withdraw everything, and change nothing that comes in?"""
    if document is None or not isinstance(document.get("spec"), Mapping):
        return False
    return {name: value for name, value in document["spec"].items() if value} == SPEC


def silenced(peering: Peering) -> bool:
    """Is the filter the first to decide?"""
    return bool(peering.filters) and peering.filters[0] == FILTER  # type: ignore[index]


def withdraw(path: str, peering: Peering) -> Patch:
    """The filter in front of the others."""
    add: Mapping[str, Any] = {"op": "add", "path": "/spec/filters/0", "value": FILTER}
    if peering.filters is None:
        add = {"op": "add", "path": "/spec/filters", "value": [FILTER]}
    what = f"let BGPPeer {peering.name} announce nothing (BGPFilter {FILTER}), its session stays up"
    return Patch(path, what, (_unchanged(peering), add))


def back(path: str, peering: Peering) -> Patch:
    """Without it, wherever it stands."""
    filters = peering.filters or ()
    place = "" if set(filters) == {FILTER} else f"/{filters.index(FILTER)}"
    remove = {"op": "remove", "path": f"/spec/filters{place}"}
    what = f"let BGPPeer {peering.name} announce again"
    return Patch(path, what, (_unchanged(peering), remove))


def _unchanged(peering: Peering) -> Mapping[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": peering.version}

"""CalicoNodeStatus: what calico-node says of the sessions of its node, where somebody asked it to.

It looks every `updatePeriodSeconds` and writes on change only: an old `lastUpdated` is no sign that it is
dead, and of a node whose calico-node is dead the last word stays (calico, node/pkg/status/reporter.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.model import SessionState
from bgpctl.core.reading.addresses import parse_address
from bgpctl.core.reading.documents import labels_of
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign

KIND = "CalicoNodeStatus"
LABEL, LABELLED = "bgpctl.io/prepared", "calico"
PERIOD_SECONDS = 10
WRITING_SECONDS = 5.0  # it asks BIRD, and writes
LONGEST_NAME = 253
CLASSES = ("Agent", "BGP")

MESH = "NodeMesh"  # the type of a session with another node that nobody configured
_PERIOD = Range(0, 86400)
STATES = {  # as BIRD and calico-node spell them
    "Idle": SessionState.IDLE,
    "Connect": SessionState.CONNECT,
    "Active": SessionState.ACTIVE,
    "OpenSent": SessionState.OPEN_SENT,
    "OpenConfirm": SessionState.OPEN_CONFIRM,
    "Established": SessionState.ESTABLISHED,
    "Close": SessionState.IDLE,
}

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """`sessions`: by the peer's address; of two with one address the one that is worse off. `lag`: how many
    seconds old its word may be, while calico-node lives."""

    node: str
    lag: float
    updated: float
    sessions: Mapping[str, SessionState]

    @property
    def told(self) -> bool:
        """Has calico-node written anything yet?"""
        return self.updated > 0


def read(document: Document) -> NodeStatus | None:
    """None for one that is not about sessions, or is never brought up to date. Raises Unreadable."""
    whole = Foreign.of(document)
    spec, status = whole.child("spec"), whole.child("status")
    period = spec.integer("updatePeriodSeconds", limits=_PERIOD)
    if "BGP" not in spec.texts("classes") or not period:
        return None
    sessions: dict[str, SessionState] = {}
    for peer in _peers(status.child("bgp")):
        address = peer.parsed("peerIP", parse_address, "an IP address")
        state = STATES.get(peer.text("state"), SessionState.UNKNOWN)
        known = sessions.setdefault(str(address), state)
        if known is SessionState.ESTABLISHED:
            sessions[str(address)] = state
    return NodeStatus(
        spec.required("node"), period + WRITING_SECONDS, status.instant("lastUpdated"), sessions
    )


def _peers(bgp: Foreign) -> Iterable[Foreign]:
    for name in ("peersV4", "peersV6"):
        yield from (peer for peer in bgp.children(name) if peer.text("type") != MESH)


def name_for(node: str) -> str:
    """Of the one that `bgpctl calico prepare` makes for a node."""
    return f"bgpctl-{node}"


def made_for(node: str, version: str) -> dict[str, Any]:
    """As it is to be, in an API version."""
    return {
        "apiVersion": version,
        "kind": KIND,
        "metadata": {"name": name_for(node), "labels": {LABEL: LABELLED}},
        "spec": {"node": node, "classes": list(CLASSES), "updatePeriodSeconds": PERIOD_SECONDS},
    }


def is_ours(document: Document) -> bool:
    """By our label."""
    return labels_of(document).get(LABEL) == LABELLED

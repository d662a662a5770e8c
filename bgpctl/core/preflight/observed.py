"""How long the last restart of what speaks BGP took on a node, by what is written about it anyway. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bgpctl.core.doctor import reading
from bgpctl.core.doctor.restart import RECONNECT
from bgpctl.core.preflight.verdict import Measured, Word
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.state import NodeState

LONGEST_START = 600.0
"""Sessions that came up so many seconds after the start of their pod did so for another reason."""

NEVER_SEEN = "none was seen, and nothing is restarted without --canary NODE"

Document = Mapping[str, Any]


def observed(pods: Iterable[Document], state: NodeState | None) -> Measured:
    """By the pods of one node and what its speaker said; the longest counts. Of pods that cannot be read
    nothing is known."""
    found = [*_container(pods := list(pods)), *_start(pods, state)]
    if not found:
        return Measured(how=NEVER_SEEN)
    return max(found, key=lambda one: one.known)


def _container(pods: list[Document]) -> Iterator[Measured]:
    for took in reading.restarts(pods):
        how = f"last restart of {took.what}, and {RECONNECT:g} s for its routers"
        yield Measured(took.seconds + RECONNECT, Word.REPORTED, how)


def _start(pods: list[Document], state: NodeState | None) -> Iterator[Measured]:
    """From the beginning of the pod (else of the process) until the last of its sessions was up. Not where
    they were down since: for a drain, or because one flapped."""
    if state is None or not state.peers:
        return
    up = [state.by_server(p.session.established_at) for p in state.peers if p.session.established_at]
    if len(up) < len(state.peers) or not all(p.session.established for p in state.peers):
        return
    left = state.by_server(state.withdrawn.observed_at) if state.withdrawn else 0.0
    began, what = max(map(_created, pods), default=0.0), "pod"
    if not pods and state.started_at:
        began, what = state.by_server(state.started_at), "speaker"
    took = max(up) - began
    since = left > began or any(p.session.flaps for p in state.peers)
    if began and 0 < took < LONGEST_START and not since:
        yield Measured(took, Word.REPORTED, f"last start of its {what}, until its sessions were up")


def _created(pod: Document) -> float:
    """When the API server took it, epoch seconds; 0 = that cannot be read."""
    try:
        return Foreign.of(pod).child("metadata").instant("creationTimestamp")
    except Unreadable:
        return 0.0

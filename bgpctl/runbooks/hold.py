"""What one run has of its node: the Lease, the Node as it was decided on, and the journal as it knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.policy.annotations import LEAVE
from bgpctl.errors import BgpctlError, Blocked, Tells
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client
from bgpctl.kube.lease import LeaseView, NodeLock
from bgpctl.runbooks.clock import Clock
from bgpctl.runbooks.journal import ANNOTATION, Journal, load

Document = dict[str, Any]


@dataclass(slots=True)
class Hold:
    """Shared by the two halves of a World: `observe` fills it in, `perform` writes under it.

    `holder` names this run (`kube.lease.identity`). `document` is the Node that the last decision was taken
    on. `journal` is what this run last saw or wrote there, None once it removed it itself: a Node without one
    then is a Node whose journal somebody else removed. `last_journal` is never forgotten. `seen_lease` is the
    Lease as the claim was decided on. `released`: the Lease was given back, the node is not ours any more.
    `changed`: this run has changed something, so "nothing was changed" is over."""

    client: Client
    node: str
    run: str
    holder: str
    clock: Clock
    background: bool
    lock: NodeLock | None = None
    document: Document = field(default_factory=dict)
    journal: Journal | None = None
    last_journal: Journal | None = None
    seen_lease: LeaseView | None = None
    released: bool = False
    changed: bool = False

    def lost(self, error: Blocked) -> Blocked:
        """Why the Lease is not ours any more. Where nobody has it, the Node knows whether another run had."""
        if not isinstance(error, lease.Unheld) or self.last_journal is None:
            return error
        try:
            fresh = load(self.client.get(paths.node(self.node))["metadata"].get("annotations"))
        except BgpctlError:
            return error
        if fresh is None:
            place = f"{lease.NAMESPACE}/{lease.name_for(self.node)}"
            both = f"somebody removed both the journal and the Lease {place}"
            return Blocked(f"{lease.TAKEN} and has ended, or {both}", tells=(Tells.REPLACED,))
        return error if fresh.holder == self.holder else lease.taken_over(fresh.holder)

    def remember(self, journal: Journal | None) -> None:
        self.journal = journal
        self.last_journal = journal or self.last_journal


def decided_on(document: Document) -> tuple[Any, ...]:
    """What a decision about a Node may depend on. The kubelet's status is not in it: it changes many times a
    minute, and must not make a write fail for ever."""
    metadata = document["metadata"]
    annotations = metadata.get("annotations") or {}
    return (
        metadata["uid"],
        metadata.get("labels") or {},
        bool((document.get("spec") or {}).get("unschedulable")),
        annotations.get(ANNOTATION),
        annotations.get(LEAVE),
    )

"""`node status`: what is true of a node now, and what bgpctl did with it. Reads, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.nodestate import NodeState
from bgpctl.errors import Blocked, UsageError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client
from bgpctl.runbooks import states
from bgpctl.runbooks.journal import Journal, load


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node. `journal` None = bgpctl has no hand in it; `holder` is who owns a run right now, "" = nobody.
    `problem` says what could not be read."""

    node: str
    ready: bool
    unschedulable: bool
    state: NodeState | None
    journal: Journal | None
    holder: str = ""
    problem: str = ""

    @property
    def unreadable(self) -> bool:
        """Is the journal, or what the speaker published, garbage?"""
        return bool(self.problem or (self.state and self.state.unreadable))

    @property
    def service(self) -> str:
        """In one word: in-service, draining, drained, restoring, restarting (its speaker), no-bgp, or unknown
        (what its speaker published cannot be read)."""
        if self.journal is None and self.state and self.state.unreadable:
            return "unknown"
        if self.journal is None:
            return "in-service" if self.state and self.state.peers else "no-bgp"
        if self.journal.command in ("restore", "restart"):
            return {"restore": "restoring", "restart": "restarting"}[self.journal.command]
        return "drained" if self.journal.finished("ShutDown") else "draining"


def node_reports(client: Client, names: Sequence[str], now: float) -> tuple[NodeReport, ...]:
    """The named nodes, or all. Raises UsageError for a name that does not exist."""
    documents = {d["metadata"]["name"]: d for d in client.items(paths.NODES)}
    missing = [name for name in names if name not in documents]
    if missing:
        raise UsageError(f"node {', '.join(missing)} does not exist", "see `kubectl get nodes`")
    told = {s.node: s for s in states.of_all(client) or ()}
    chosen = names or sorted(documents)
    return tuple(_report(client, documents[name], told.get(name), now) for name in chosen)


def _report(client: Client, document: dict[str, Any], state: NodeState | None, now: float) -> NodeReport:
    metadata, conditions = document["metadata"], (document.get("status") or {}).get("conditions") or ()
    try:
        journal, problem = load(metadata.get("annotations")), ""
    except Blocked as error:
        journal, problem = None, error.message
    view = lease.read(client, metadata["name"]) if journal else None
    return NodeReport(
        node=metadata["name"],
        ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions),
        unschedulable=bool((document.get("spec") or {}).get("unschedulable")),
        state=state,
        journal=journal,
        holder=view.holder if view and view.held_by_other("", now) else "",
        problem=problem,
    )

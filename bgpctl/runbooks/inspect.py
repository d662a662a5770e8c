"""`node status`: what is true of a node now, and what bgpctl did with it. Reads, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.nodestate import NodeState
from bgpctl.errors import Blocked
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.kube.lease import LeaseView
from bgpctl.runbooks import states
from bgpctl.runbooks.journal import ANNOTATION, Journal, load
from bgpctl.runbooks.objects import no_such_node


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node. `journal` None = bgpctl has no hand in it; `holder` is who owns a run right now, "" = nobody.
    `lost`: the journal was removed from the Node, and this is its copy. `problem` says what could not be
    read."""

    node: str
    ready: bool
    unschedulable: bool
    state: NodeState | None
    journal: Journal | None
    holder: str = ""
    problem: str = ""
    lost: Journal | None = None

    @property
    def running(self) -> bool:
        """Is somebody at work on the node at this moment?"""
        return bool(self.holder)

    @property
    def unreadable(self) -> bool:
        """Is the journal, or what the speaker published, garbage?"""
        return bool(self.problem or (self.state and self.state.unreadable))

    @property
    def service(self) -> str:
        """In one word: in-service, no-bgp, unknown (what its speaker published cannot be read), drained;
        draining, restoring, restarting while somebody is at it; drain-stopped, restore-stopped,
        restart-stopped when nobody is."""
        journal = self.journal or self.lost
        if journal is None and self.state and self.state.unreadable:
            return "unknown"
        if journal is None:
            return "in-service" if self.state and self.state.peers else "no-bgp"
        if journal.command == "drain" and journal.finished("ShutDown") and not self.running:
            return "drained"
        if not self.running:
            return f"{journal.command}-stopped"
        return {"restore": "restoring", "restart": "restarting"}.get(journal.command, "draining")

    @property
    def stopped(self) -> str:
        """Why a run is not at its end and nobody goes on with it: its own words, "" = it runs or is done."""
        journal = self.journal or self.lost
        if not self.service.endswith("-stopped"):
            return ""
        assert journal is not None, "somebody began what stopped"
        words = (journal.ending.get("status"), journal.ending.get("reason"))
        return ": ".join(word for word in words if word) or "its process was killed"


def node_reports(client: Client, names: Sequence[str]) -> tuple[NodeReport, ...]:
    """The named nodes, or all. Raises UsageError for a name that does not exist."""
    documents = {d["metadata"]["name"]: d for d in client.items(paths.NODES)}
    missing = [name for name in names if name not in documents]
    if missing:
        raise no_such_node(*missing)
    told = {s.node: s for s in states.of_all(client) or ()}
    leases = _leases(client, [name for name, d in documents.items() if _has_journal(d)])
    chosen = names or sorted(documents)
    now = client.present()
    return tuple(_report(documents[name], told.get(name), leases.get(name), now) for name in chosen)


def _leases(client: Client, touched: Sequence[str]) -> Mapping[str, LeaseView | None]:
    """The nodes' Leases by node. Whoever may not list them sees those of the nodes with a journal."""
    try:
        found = client.items(paths.leases(lease.NAMESPACE), labelSelector=lease.SELECTOR)
        return {lease.node_of(document): lease.view(document) for document in found}
    except ApiError as error:
        if error.code != 403:
            raise
    return {name: lease.read(client, name) for name in touched}


def _has_journal(document: dict[str, Any]) -> bool:
    return ANNOTATION in (document["metadata"].get("annotations") or {})


def _report(
    document: dict[str, Any], state: NodeState | None, held: LeaseView | None, now: float
) -> NodeReport:
    metadata, conditions = document["metadata"], (document.get("status") or {}).get("conditions") or ()
    lost = None
    try:
        journal, problem = load(metadata.get("annotations")), ""
        if journal is None and held and held.copy:
            lost = load({ANNOTATION: held.copy})
            problem = "somebody removed the journal; `bgpctl node restore` brings the node back by its copy"
    except Blocked as error:
        journal, problem = None, error.message
    return NodeReport(
        node=metadata["name"],
        ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions),
        unschedulable=bool((document.get("spec") or {}).get("unschedulable")),
        state=state,
        journal=journal,
        holder=held.holder if held and held.held_by_other("", now) else "",
        problem=problem,
        lost=lost,
    )

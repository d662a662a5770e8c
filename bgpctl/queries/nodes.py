"""`node status`: what is true of a node now, and what bgpctl did with it. Reads, changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bgpctl import providers
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.state import NodeState
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.kube.lease import LeaseView
from bgpctl.ports import Provider
from bgpctl.providers import detect
from bgpctl.queries.since import Since, since, taken_back
from bgpctl.runbooks import advice
from bgpctl.runbooks.catalogue import steps_of
from bgpctl.runbooks.command_line import BARE, CommandLine
from bgpctl.runbooks.journal import ANNOTATION, Journal, load
from bgpctl.runbooks.model import ended
from bgpctl.runbooks.objects import no_such_node


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node. `journal` None = bgpctl has no hand in it; `holder` is who owns a run right now, "" = nobody.
    `lost`: the journal was removed from the Node, and this is its copy. `problem` says what could not be
    read. `leased`: the node has a Lease, held or not, as every one with a journal should. `orphan`: a run
    asked it to leave, and both are gone. `typed`: what was typed now; `named`: it asked for this node. `now`
    is when it was looked at, epoch seconds by the API server's clock. `back`: `since.taken_back`; `hint`: the
    way out of `problem`."""

    node: str
    ready: bool
    unschedulable: bool
    state: NodeState | None
    journal: Journal | None
    holder: str = ""
    problem: str = ""
    lost: Journal | None = None
    leased: bool = True
    orphan: bool = False
    typed: CommandLine = BARE
    named: bool = False
    now: float = 0.0
    back: str = ""
    hint: str = ""

    @property
    def record(self) -> Journal | None:
        """The journal, or the copy of one that was removed."""
        return self.journal or self.lost

    @property
    def ways(self) -> tuple[str, ...]:
        """What is safe while nobody goes on with a run, how it goes on, and how it is undone; the same where
        a drain that was done is no longer true."""
        journal, since = self.record, self.since
        if self.hint:
            return tuple(self.hint.splitlines())
        if self.orphan:
            return tuple(advice.by_hand(self.node, self.unschedulable))
        if journal is None or not (self.stopped or since):
            return ()
        told = f"do not power off {self.node}: {since.told}" if since else ""
        return told or advice.standing(journal, self.node), *advice.ways(journal, self.node, self.typed)

    @property
    def since(self) -> Since | None:
        """What became of the node since its drain took it out, where that is no longer true."""
        journal = None if self.running else self.record
        return since(journal, self.state, self.unschedulable, self.now, self.back) if journal else None

    @property
    def drained(self) -> bool:
        """Was it taken out by a drain that was done, and is that still true?"""
        return self.service == "drained"

    @property
    def step(self) -> str:
        """The step that its run is in, or stopped in: by the words of its end, else the first that is not
        done; "" = there is none. Where there is a journal, the node was claimed."""
        journal = self.record
        if journal is None or journal.done_at:
            return ""
        steps = [step for step in steps_of(journal) if step != "Claimed"]
        said = re.search(r"\bat (\w+):", str(journal.ending.get("reason") or ""))
        if said and said[1] in steps:
            return said[1]
        return next((step for step in steps if not journal.finished(step)), "")

    @property
    def running(self) -> bool:
        """Is somebody at work on the node at this moment?"""
        return bool(self.holder)

    @property
    def unreadable(self) -> bool:
        """Is the journal, or what the speaker published, garbage?"""
        return bool(self.problem or (self.state and self.state.unreadable))

    @property
    def fails(self) -> bool:
        """Is it a failure of the whole look? What a speaker publishes is the word of its node: garbage fails
        who asked for that node, and is a row to everybody else. A journal is bgpctl's own."""
        return self.unreadable if self.named else bool(self.problem)

    @property
    def service(self) -> str:
        """In one word: in-service, no-bgp, unknown (what its speaker published cannot be read), withdrawn (by
        a run of which nothing else is left), drained, or, after a drain that was done: announces-again,
        uncordoned, unknown; draining, restoring, restarting while somebody is at it; drain-stopped,
        restore-stopped, restart-stopped when nobody is."""
        journal = self.record
        if journal is None and self.state and self.state.unreadable:
            return "unknown"
        if journal is None and self.state and self.state.told_out:
            return "withdrawn"
        if journal is None:
            return "in-service" if self.state and self.state.peers else "no-bgp"
        if journal.done_at and not self.running:
            return self.since.word if self.since else "drained"
        if not self.running:
            return f"{journal.command}-stopped"
        return {"restore": "restoring", "restart": "restarting"}.get(journal.command, "draining")

    @property
    def stopped(self) -> str:
        """Why a run is not at its end and nobody goes on with it: its own words, "" = it runs or is done."""
        journal = self.record
        if not self.service.endswith("-stopped"):
            return ""
        assert journal is not None, "somebody began what stopped"
        if journal.ending:
            return ended(journal.ending["status"], journal.ending["reason"])
        if not self.leased:
            return (
                f"somebody deleted the Lease {lease.NAMESPACE}/{lease.name_for(self.node)}, which ends a run"
            )
        return "its process was killed, or could not write down how it ended"


def node_reports(
    client: Client, names: Sequence[str], typed: CommandLine = BARE, provider: Provider | None = None
) -> tuple[NodeReport, ...]:
    """The named nodes, or all. Raises UsageError for a name that does not exist."""
    few = providers.few(names)
    found = (client.find(paths.node(name)) for name in names) if few else client.items(paths.NODES)
    documents = {document["metadata"]["name"]: document for document in found if document}
    missing = [name for name in names if name not in documents]
    if missing:
        raise no_such_node(*missing)
    whose = provider or providers.of(client)
    told = {s.node: s for s in whose.states(few) or ()}
    told |= dict(_of_others(client, {name: documents[name] for name in names or documents}, whose.name))
    leases = _leases(client, [name for name, d in documents.items() if _has_journal(d)])
    chosen = dict.fromkeys(names or sorted(documents))
    now = client.present()
    reports = (_reported(documents[name], told.get(name), leases.get(name), now, typed) for name in chosen)
    return tuple(
        replace(
            report,
            named=report.node in names,
            back=report.back or _selected_again(client, whose, report, documents[report.node]),
        )
        for report in reports
    )


def _selected_again(client: Client, whose: Provider, report: NodeReport, document: Mapping[str, Any]) -> str:
    """Of a node that a drain took out, by the policies as they are now, as the drain's own last look had it:
    what selects it again, "" = nothing. Its speaker may have obeyed, and not be able to say so."""
    journal = report.journal
    if journal is None or not report.drained or not journal.takes_out:
        return ""
    other = journal.provider not in ("", whose.name)
    try:
        provider = providers.named(client, journal.provider) if other else whose
        lever = provider.lever(document, journal.prior)
    except BgpctlError as error:
        return f"whether a policy selects it again is not known ({error.message})"
    if lever.refusal and not lever.policies:
        return f"whether a policy selects it again is not known ({lever.refusal})"
    if lever.policies:
        return f"{', '.join(lever.policies)} selects it again"
    key = journal.deselect[0] if journal.deselect else ""
    # A speaker keeps what it runs while the kind of its policy is not served, as after its CRD was deleted.
    return f"no policy selects nodes by {key} any more" if key and key not in lever.keys else ""


def _of_others(client: Client, documents: Mapping[str, Any], whose: str) -> Iterator[tuple[str, NodeState]]:
    """The nodes that were taken out of another stack than `whose`: only that one can tell what is now, unless
    they were handed over to another one since."""
    for name, document in documents.items():
        try:
            journal = load(document["metadata"].get("annotations"), name)
        except Blocked:
            continue  # told with the node
        if journal is None or journal.provider in ("", whose):
            continue
        has_it = detect.handed_to(document) or journal.provider
        if has_it not in providers.TABLE:
            yield name, NodeState(name, unreadable=f"{journal.provider} runs there, which is not known here")
        elif state := providers.named(client, has_it).state(name):
            yield name, state


Held = LeaseView | Blocked | None
"""A node's Lease, or why it cannot be read, or that there is none."""


def _leases(client: Client, touched: Sequence[str]) -> Mapping[str, Held]:
    """The nodes' Leases by node. Whoever may not list them sees those of the nodes with a journal."""
    try:
        found = client.items(paths.leases(lease.NAMESPACE), labelSelector=lease.SELECTOR)
        listed = [(lease.node_of(document), document) for document in found]
        return {name: _lease(partial(lease.seen, document, name)) for name, document in listed if name}
    except ApiError as error:
        if error.code != 403:
            raise
    return {name: _lease(partial(lease.read, client, name)) for name in touched}


def _lease(look: Callable[[], LeaseView | None]) -> Held:
    """One that cannot be read costs its node alone."""
    try:
        return look()
    except Blocked as error:
        return error


def _reported(
    document: dict[str, Any], state: NodeState | None, held: Held, now: float, typed: CommandLine
) -> NodeReport:
    if not isinstance(held, Blocked):
        return report_of(document, state, held, now, typed)
    bare = report_of(document, state, None, now, typed)
    problem, hint = (
        held.message,
        typed.aimed(held.hint),
    )  # whether a run is at work or stopped nobody can tell
    return replace(bare, journal=None, problem=problem, hint=hint, leased=True, orphan=False)


def _has_journal(document: dict[str, Any]) -> bool:
    return ANNOTATION in (document["metadata"].get("annotations") or {})


def report_of(
    document: dict[str, Any],
    state: NodeState | None,
    held: LeaseView | None,
    now: float,
    typed: CommandLine = BARE,
) -> NodeReport:
    """One Node, with what its speaker published and its Lease (None = it has none). `now` is epoch seconds by
    the API server's clock; a Lease held at this moment is somebody at work."""
    metadata, conditions = document["metadata"], (document.get("status") or {}).get("conditions") or ()
    lost, orphan, hint = None, False, ""
    try:
        journal, problem = load(metadata.get("annotations"), metadata["name"]), ""
        if journal is None and held and (copy := held.copy_of(str(metadata.get("uid")))):
            lost = load({ANNOTATION: copy}, metadata["name"])
            again = advice.undo(metadata["name"], typed)
            problem = f"somebody removed the journal; `{again}` brings the node back by its copy"
        elif journal is None and held is None:
            problem = _orphan(metadata)
            orphan = bool(problem)
        if journal is None and lost is None and state and state.told_out:
            problem, orphan = _withdrawn(metadata["name"], typed), False
    except Blocked as error:
        journal, problem, hint = None, error.message, typed.aimed(error.hint)
    return NodeReport(
        node=metadata["name"],
        ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions),
        unschedulable=bool((document.get("spec") or {}).get("unschedulable")),
        state=state,
        journal=journal,
        holder=held.holder if held and held.held_by_other("", now) else "",
        problem=problem,
        lost=lost,
        leased=held is not None,
        orphan=orphan,
        typed=typed,
        now=now,
        back=taken_back(journal, metadata.get("labels") or {}, _leave(metadata)) if journal else "",
        hint=hint,
    )


def _leave(metadata: Mapping[str, Any]) -> str:
    return str((metadata.get("annotations") or {}).get(LEAVE) or "")


def _withdrawn(node: str, typed: CommandLine) -> str:
    """Of a node that was made to withdraw, and whose journal and its copy are gone. A drain takes it over as
    it is, and knows then how to bring it back."""
    again, back = typed.other("node", "drain", node), advice.undo(node, typed)
    return (
        f"it was made to withdraw, and no run knows of it: `{again}` takes it over, `{back}` then undoes it"
    )


def _orphan(metadata: Mapping[str, Any]) -> str:
    """The run that asked the node to leave and has no journal any more, nor a copy of it: nobody in the
    cluster knows how the node was before. "" = no run did."""
    leave = _leave(metadata)
    run = leave.rpartition("-")[0]
    named = f"run {run}" if re.fullmatch(r"[0-9a-f]{1,16}", run) else "a run"
    place = f"{lease.NAMESPACE}/{lease.name_for(metadata['name'])}"
    return f"somebody removed the journal of {named}, and the Lease {place} with its copy" if leave else ""


def journal_of(client: Client, node: str) -> Journal | None:
    """A node's journal, or the copy in its Lease; None = there is none. Raises Blocked for one that cannot be
    read."""
    document = client.find(paths.node(node))
    if document is None:
        return None
    if journal := load(document["metadata"].get("annotations"), node):
        return journal
    held = lease.read(client, node)
    return load({ANNOTATION: held.copy_of(str(document["metadata"].get("uid")))}) if held else None

"""What a person reads when a run is not at its end: what is safe, how it goes on, how it is undone. Pure.

A hint is lines; a command stands at the end of its line, after ": ", and is whole: typed as it stands, it
does what the line says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.state import timestamp
from bgpctl.errors import Tells
from bgpctl.runbooks import kept
from bgpctl.runbooks.command_line import CommandLine, content
from bgpctl.runbooks.drain_steps import SHUTTING_DOWN
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.snapshot import NodeView

NAMES = {"drain": ("node", "drain"), "restore": ("node", "restore"), "restart": ("speaker", "restart")}


def go_on(journal: Journal, node: str, typed: CommandLine) -> CommandLine:
    """The command that goes on with the run of this journal; `typed`: what was typed now. It does no harm as
    it stands, whoever wrote the journal: what is not in it, `said_again` tells."""
    asked = kept.printed(journal.asked, journal.command)
    return typed.other(*NAMES[journal.command], node, *kept.words(asked))


def undo(node: str, typed: CommandLine) -> CommandLine:
    return typed.other("node", "restore", node)


def said_again(journal: Journal) -> Iterator[str]:
    """What that command has not, and must be said again to have it."""
    printed = kept.printed(journal.asked, journal.command)
    if flags := kept.unprinted(journal.asked, journal.command):
        yield (
            f"it was asked for with {', '.join(flags)} too: whoever may annotate the Node could have written "
            "that, so type yourself what you want of it"
        )
    if flags := kept.unsaid(printed):
        yield _not_kept(flags)


def _not_kept(unsaid: Sequence[str]) -> str:
    flags = " and ".join(unsaid)
    return f"put your own words for {kept.UNSAID} ({flags}): they may hold a secret, and were not kept"


def standing(journal: Journal | None, node: str) -> str:
    """Whether the node may be powered off while a run of it is not at its end."""
    if journal is None:
        return f"this run changed nothing on {node}"
    if journal.command == "restore":
        return f"do not power off {node}: it is on its way back, and may announce routes again"
    if journal.command == "restart":
        return f"do not power off {node}: it is in service"
    if not journal.finished("Withdrawn"):
        return f"do not power off {node}: routers may still send it traffic"
    if was := _was_safe(journal):
        return f"{node} was out of service and safe to power off when {was}"
    gone = f"its routes were gone ({journal.evidence.get('proof') or 'it announced none'})"
    if not journal.finished("Evicted"):
        return f"do not power off {node}: {gone}, but its pods may still run"
    return f"do not power off {node} yet: {gone}, but the drain has not made its last check"


def _was_safe(journal: Journal) -> str:
    """The last instant at which a drain held all that it had reached on one look; "" = it never did."""
    ran, done = journal.marks.get(SHUTTING_DOWN), journal.steps.get("ShutDown")
    if done is not None:
        told = f"its drain was done, at {_instant(done)}"
    elif ran is not None:
        told = f"its shutdown command began, at {_instant(ran)}"
    else:
        return ""
    return told if journal.done_at else f"{told}; run the drain again to see whether it still is"


def _instant(at: float) -> str:
    day, _, time = str(timestamp(at)).partition("T")
    return f"{time[:8]} UTC on {day}"


def ways(journal: Journal, node: str, typed: CommandLine) -> Iterator[str]:
    """How a run that nobody goes on with goes on, and how it is undone."""
    yield f"{'to drain it again' if journal.done_at else 'to go on'}: {go_on(journal, node, typed)}"
    yield from said_again(journal)
    if journal.command == "drain":
        yield f"to undo it: {undo(node, typed)}"


def completed(
    result: Result,
    journal: Journal | None,
    typed: CommandLine,
    orphan: tuple[Journal, NodeView] | None = None,
) -> Result:
    """The result with everything that a person needs next in its hint. `journal`: what the run last knew;
    `orphan`: it, and the node as it is, where neither the Node nor a Lease keeps it any more."""
    if result.status in ("done", "planned"):
        return result
    return replace(result, hint=typed.aimed("\n".join(_lines(result, journal, typed, orphan))))


def _lines(
    result: Result, journal: Journal | None, typed: CommandLine, orphan: tuple[Journal, NodeView] | None
) -> Iterator[str]:
    node = result.node
    if orphan is not None:
        yield from _prior(*orphan)
        return
    if Tells.REPLACED in result.tells:
        yield f"this run has stopped; what is safe on {node} is the other run's to say"
        yield f"to see how far it is: {typed.other('node', 'status', node)}"
        yield f"to go on when it has ended (or was stopped): {typed}"
        return
    if Tells.SAFE not in result.tells:
        yield standing(journal, node)
        if journal is not None and journal.done_at:
            yield f"to see whether it still is: {typed.other('node', 'status', node)}"
    if result.hint:
        yield result.hint
    begun = journal if journal is not None and journal.begun else None
    if Tells.GO_ON not in result.tells:
        yield f"{'to go on' if begun else 'to run it again'}: {typed}"
    if Tells.LESSER in result.tells:
        yield f"to be content with the estimate: {content(typed.again())}"
    undoes = result.command == "restore"  # interrupted before it had turned the journal
    if begun and begun.command == "drain" and not (undoes or Tells.BACK in result.tells):
        yield f"to undo it: {undo(node, typed)}"


def _prior(journal: Journal, node: NodeView) -> Iterator[str]:
    """The node as it was: only this run knows it any more."""
    wrong = {key: v for key, v in journal.prior_labels.items() if node.labels.get(key) != v}
    cordoned = node.unschedulable and not journal.prior_unschedulable
    was = ["cordoned" if journal.prior_unschedulable else "schedulable", *_labels(journal.prior_labels)]
    yield f"before this run {node.name} was {', '.join(was)}"
    if journal.prior:
        yield f"{standing(journal, node.name)}; how its BGP was before ({journal.provider}):"
        yield json.dumps(journal.prior, sort_keys=True)
    elif not wrong and not cordoned:
        yield "it is so again: nothing is left to undo"
        return
    if not journal.prior:
        yield standing(journal, node.name)
    for key, value in wrong.items():
        change = f"{key}-" if value is None else f"{key}={value} --overwrite"
        yield f"to put the label back by hand: kubectl label node {node.name} {change}"
    if cordoned:
        yield f"to let pods in again: kubectl uncordon {node.name}"
    yield f"and then: kubectl annotate node {node.name} {LEAVE}-"


def by_hand(node: str, cordoned: bool) -> Iterator[str]:
    """How a node comes back of which nobody knows any more how it was."""
    yield f"do not power off {node}: whether its routes are gone, only a drain that ends can tell"
    yield "how it was before may stand in the last lines of that run"
    yield f"to put a label back by hand: kubectl label node {node} KEY=VALUE --overwrite"
    if cordoned:
        yield f"to let pods in again: kubectl uncordon {node}"
    yield f"and then, so that this is not told again: kubectl annotate node {node} {LEAVE}-"


def _labels(labels: Mapping[str, str | None]) -> Iterator[str]:
    for key, value in labels.items():
        yield f"without label {key}" if value is None else f"labelled {key}={value}"

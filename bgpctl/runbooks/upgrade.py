"""`speaker upgrade`: every node's speaker gets another image, one node after the other.

    pull everywhere -> patch the DaemonSet (image, OnDelete) -> per node: `speaker restart` -> strategy back

Each node is restarted by the runbook of `speaker restart`, with its refusals, its Lease, its journal and its
watch over the routers; the first node that does not come back, or that a router lost a route of, is the last.
What is left to do is seen in the cluster: the image of each pod, and the DaemonSet's annotation.
"""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bgpctl.core.drain.lever import Patch
from bgpctl.core.preflight.rollout import ANNOTATION, ON_DELETE, Container, Rollout, begin, end
from bgpctl.errors import BgpctlError, Blocked, UsageError
from bgpctl.kube.client import ApiError, Client
from bgpctl.runbooks import restart as restarts
from bgpctl.runbooks.clock import Clock
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.engine import Events
from bgpctl.runbooks.model import Event, Result, StepReport
from bgpctl.runbooks.preflight.pulls import Pulls
from bgpctl.runbooks.restart_steps import LIFT
from bgpctl.runbooks.upgrade_look import Look, UpgradeOptions

NAME = "speaker upgrade"
SHOWN = 5  # reasons in a sentence
PULLED, PATCHED, GIVEN_BACK = "Pulled", "Template", "Strategy"
UNCHANGED = "the DaemonSet was not changed"

Told = Generator[Event, None, None]


def upgrade(client: Client, options: UpgradeOptions) -> Events:
    """Roll it, or say at which node it stopped and why. Raises UsageError before anything is changed."""
    work = _Work(client, options)
    status, error, message = "failed", BgpctlError(""), ""
    try:
        message = yield from work.all()
        status = "done"
    except UsageError as wrong:
        if not work.changed:
            raise
        status, error = "blocked", wrong  # somebody changed meanwhile what was typed of: a node, a container
    except Blocked as blocked:
        status, error = "blocked", blocked
    except _Ended as stopped:
        status, error = stopped.status, stopped
    except BgpctlError as failed:
        error = failed
    except KeyboardInterrupt:
        status, error = "interrupted", BgpctlError("interrupted")
    return work.result(status, message or error.told, error.hint)


def plan(client: Client, options: UpgradeOptions) -> Events:
    """What it would do, decided on the world as it is, up to the first node that may not be restarted."""
    work = _Work(client, options)
    one = work.begin()
    if work.idle(one):
        return work.result("planned", work.done())
    first = begin(one, options.image, work.containers)
    yield work.tell(PULLED, "planned", f"pull {options.image} on {', '.join(work.todo) or 'no node'}")
    yield work.tell(PATCHED, "planned", first.what if first else "is so already")
    for node in work.todo:
        result = yield from work.followed(node, restarts.plan(client, options.restart_of(node, one)))
        if result.status != "planned":
            return work.result(result.status, f"{node}: {result.message}", result.hint)
    return work.result("planned", "nothing was changed; without --dry-run this is what happens")


class _Ended(BgpctlError):
    """The restart of a node that did not come to its end, with its status."""

    def __init__(self, status: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.status = status


@dataclass
class _Work:
    """One run. `changed`: it has changed something. `containers`: those that get the image; `todo`: the nodes
    to restart, `out`: those that keep what they run, `before`: those that have it already."""

    client: Client
    options: UpgradeOptions
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    where: str = "speakers"
    changed: bool = False
    containers: tuple[Container, ...] = ()
    todo: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    reports: dict[str, StepReport] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock(self.client)
        self.look = Look(self.client, self.options)
        self.started = self.clock.now()

    def all(self) -> Generator[Event, None, str]:
        """Everything, in its order. Returns the last words."""
        one = self.begin()
        if self.idle(one):
            return self.done()
        self._graceful(one)
        yield from self._pull(one)
        yield from self._patch(PATCHED, one, begin(one, self.options.image, self.containers))
        for number, node in enumerate(self.todo, start=1):
            yield from self._restart(node, len(self.todo) - number)
        if not self.out:
            now = self.look.daemon_set()
            if now.held and now.kept is None and not (one.held and one.kept is None):
                raise _strategy_lost(now, one.kept or one.strategy)
            if late := self.look.outdated(now, self.containers):
                more = f" and {len(late) - SHOWN} more" if len(late) > SHOWN else ""
                raise Blocked(f"{', '.join(late[:SHOWN])}{more}: a pod of the old image came meanwhile")
            yield from self._patch(GIVEN_BACK, now, end(now))
        return self.done()

    def idle(self, one: Rollout) -> bool:
        """Is there nothing to do? Then nothing is written either."""
        return (
            not self.todo and one.kept is None and all(c.image == self.options.image for c in self.containers)
        )

    def begin(self) -> Rollout:
        """What is there, and what is to be done. Raises UsageError, and Blocked where it may not be done."""
        one = self.look.daemon_set()
        self.where, self.containers = one.where, self.look.containers(one)
        left = self.look.left(one, self.containers)
        self.todo, self.out, self.before = left.todo, left.out, left.before
        self.look.check(one)
        return one

    # -- progress

    def tell(self, step: str, state: str, text: str, node: str = "") -> Event:
        """One line of progress, kept for the result."""
        now, before = self.clock.now(), self.reports.get(step)
        self.reports[step] = StepReport(step, step, state, text, before.started_at if before else now, now)
        return Event(now, "step", step, step, state, text, node=node)

    def followed(self, node: str, run: Events) -> Events:
        """The restart of a node: all of it is on one line."""
        advance = partial(next, run)
        while True:
            try:
                event = advance()
            except StopIteration as stop:
                result: Result = stop.value
                return result
            advance = partial(next, run)
            if event.kind == "steps":
                continue
            text = f"{event.step}: {event.text}"
            self.tell(node, event.state, text)
            try:
                yield replace(event, step=node, title="restart its speaker", text=text)
            except KeyboardInterrupt as interrupt:  # it is the restart's, which knows what it waited for
                advance = partial(run.throw, interrupt)

    # -- what is done

    def _graceful(self, one: Rollout) -> None:
        """Raises Blocked where another run has a node, or routers would not keep its routes meanwhile."""
        if taken := self.look.taken(self.todo):
            free = [node for node in self.todo if node not in taken]
            leave_out = f"to leave them out: {self._only(free)}"
            raise Blocked(
                "; ".join(f"{node}: {why}" for node, why in taken.items()),
                f"see `bgpctl node status`\n{leave_out if free else ''}",
            )
        lost = () if self.options.allow_route_loss else self.look.refusals(self.todo, one)
        if lost:
            more = f" (and {len(lost) - SHOWN} more)" if len(lost) > SHOWN else ""
            raise Blocked(
                f"{'; '.join(lost[:SHOWN])}{more}",
                f"to go on anyway: {self.options.typed.with_flags([LIFT])}",
            )

    def _pull(self, one: Rollout) -> Told:
        """On all of them, before anything is changed. Raises Blocked where one cannot get the image."""
        clock, image, failed, notes = self.clock, self.options.image, list[str](), list[str]()
        yield self.tell(PULLED, "waiting", f"{image} on {len(self.todo)} nodes")
        until = clock.monotonic() + self.options.timeout
        with Pulls(self.client, clock, one.namespace, image, self.run, until, notes.append) as pulls:
            for node, pulled in pulls.on(self.todo):
                took = pulled.took
                if took.seconds is None:
                    failed.append(f"{node}: {pulled.failed or took.how}")
                else:
                    yield self.tell(PULLED, "waiting", f"{node}: {took.seconds:.1f} s")
        for note in notes:
            yield Event(clock.now(), "note", PULLED, PULLED, "waiting", note)
        if failed:
            raise Blocked(f"{image} was not pulled on {'; '.join(failed)}", "no speaker was restarted")
        yield self.tell(PULLED, "done", f"the image is on {len(self.todo)} nodes")

    def _patch(self, step: str, one: Rollout, patch: Patch | None) -> Told:
        """One guarded change of the DaemonSet. Raises Blocked where somebody changed it meanwhile."""
        if patch is None:
            yield self.tell(step, "done", "is so already")
            return
        before, self.changed = self.changed, True  # also where the answer is lost
        try:
            self.client.patch(patch.path, list(patch.operations), "json")
        except ApiError as error:
            self.changed = before
            raise Blocked(
                f"{one.where} could not be changed: {error.message}",
                "somebody may have changed it at the same time",
            ) from None
        yield self.tell(step, "done", patch.what)

    def _restart(self, node: str, more: int) -> Told:
        """Raises _Ended or Blocked where this node is to be the last."""
        one, image = self.look.daemon_set(), self.options.image
        if not one.held or any(c.image != image for c in self.look.containers(one)):
            raise Blocked(f"somebody changed {one.where} meanwhile: its image or its update strategy")
        left = f"; {more} more keep the old image" if more else ""
        self.changed = True
        result = yield from self.followed(
            node, restarts.restart(self.client, self.options.restart_of(node, one))
        )
        self.evidence[node] = dict(result.evidence)
        if result.status != "done":
            raise _Ended(result.status, f"{node}: {result.message}{left}", result.hint)
        if self.look.is_old(one, self.containers, node):
            raise Blocked(f"{node}: its new pod runs another image than {image}{left}")
        if lost(result):
            text = f"{node}: a router lost routes: {result.message.rpartition(' — ')[2]}"
            yield self.tell(node, "blocked", text, node)
            raise Blocked(f"{text}{left}", "find out why before the next node is restarted")
        yield self.tell(node, "done", result.message.removeprefix(f"{node}: "), node)

    def _only(self, nodes: Sequence[str]) -> CommandLine:
        return self.options.typed.with_flags([f"--nodes {','.join(nodes)}"])

    # -- how it ended

    @property
    def _watched(self) -> bool:
        """Were the routers of every node watched?"""
        return all(self.evidence.get(node, {}).get("watched") for node in self.todo)

    def done(self) -> str:
        """The last words."""
        image = self.options.image
        if not self.todo:
            return f"every speaker runs {image}" if not self.out else f"these nodes run {image} already"
        now = f" while {', '.join(self.todo)} restarted" if self.before else ""
        seen = f"no router lost a route{now}" if self._watched else "not all routers were watched"
        if not self.out:
            return f"every speaker runs {image}; {seen}"
        keep, run = ("keep" + "s" * (len(self.out) == 1)), ("run" + "s" * (len(self.todo) == 1))
        kept = f"{', '.join(self.out)} {keep} the old one, and the DaemonSet stays at {ON_DELETE}"
        return f"{', '.join(self.todo)} {run} {image}; {seen}; {kept}"

    def _standing(self) -> str:
        """How the DaemonSet is now, whoever left it so: what is safe rests on that, not on what we did."""
        try:
            one = self.look.daemon_set()
        except BgpctlError:
            return "how the DaemonSet is now cannot be seen" if self.changed else UNCHANGED
        if one.kept is None and not self.changed:
            return UNCHANGED
        if one.held:
            return f"the DaemonSet keeps updateStrategy {ON_DELETE}: no other node is touched meanwhile"
        kind = one.strategy.get("type")
        return f"the DaemonSet has updateStrategy {kind}: its controller replaces older pods by itself"

    def result(self, status: str, message: str, hint: str = "") -> Result:
        """With what is so now, and how it goes on."""
        rows = [*hint.splitlines()]
        if status == "done" and self.out:
            rows = [f"for the others: {self._only(self.out)}"]
        if status not in ("done", "planned"):
            go_on, now = f"to go on: {self.options.typed}", self._standing()
            rows = [*rows, now, go_on] if self.changed else [now, *rows]
        text = self.options.typed.aimed("\n".join(dict.fromkeys(filter(None, rows))))
        return Result(
            NAME,
            self.where,
            status,
            message,
            hint=text,
            run=self.run,
            proof="confirmed" if status == "done" and self.todo and self._watched else "",
            started_at=self.started,
            ended_at=self.clock.now(),
            steps=tuple(self.reports.values()),
            evidence=self.evidence,
        )


def _strategy_lost(one: Rollout, before: Mapping[str, Any]) -> Blocked:
    """Somebody took the annotation away, and nothing in the cluster tells any more what was there before."""
    patch = shlex.quote(json.dumps({"spec": {"updateStrategy": before}}))
    return Blocked(
        f"all nodes are done, but annotation {ANNOTATION} of {one.where} is gone: its update strategy stays",
        f"to give it back: kubectl patch daemonset {one.name} -n {one.namespace} --type merge -p {patch}",
    )


def lost(result: Result) -> bool:
    """Was a router seen to lack a route meanwhile?"""
    routers: Sequence[Any] = result.evidence.get("routers") or ()
    return any(one["gone"] or one["longestGapSeconds"] for one in routers)

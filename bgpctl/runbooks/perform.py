"""Carry a runbook's actions out. Every one is fenced: a run that was replaced changes nothing.

A fence is the Lease, read now, with our name in it. A write of the Node carries besides the version that it
was decided on, so the API server itself refuses one that a replaced run sends late: the new owner's first act
is its name in the journal. An eviction, a command and a new object have no such guard: they begin within two
seconds of when their fence was asked for (`lease.FRESH_SECONDS`), and a run that takes the node from one that
may live waits for longer than that before it acts. A command ends with its run (`child`), and with the run's
hold on the node. What is left is the one request that is under way at that moment, a process that is stopped
between its last look at the clock and the act, and a command whose run cannot reach the API server any
more."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from bgpctl.core.drain.budgets import held_back
from bgpctl.core.drain.eviction import Outcome, parse_eviction_answer
from bgpctl.core.drain.lever import Change, Create, Delete, Patch, holds
from bgpctl.core.policy.annotations import LEAVE, LEAVE_REASON
from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, Conflict, NotFound, ServerBusy
from bgpctl.kube.lease import FRESH_SECONDS, NodeLock, taken_over
from bgpctl.runbooks import child, objects
from bgpctl.runbooks.actions import (
    Action,
    ChangeNode,
    EvictPod,
    FenceObject,
    PatchObject,
    ReleaseLease,
    RunCommand,
    TakeLease,
)
from bgpctl.runbooks.hold import Document, Hold, decided_on
from bgpctl.runbooks.journal import ANNOTATION, Journal, dump, load
from bgpctl.runbooks.snapshot import EvictionNote

RETRY_AFTER = 2.0  # seconds between questions about a pod whose budget says no (kubectl waits 5)
EVICT_AGAIN = 30.0  # an accepted eviction without a deletion: something undid it
FENCE = "bgpctl.io/fence"  # an annotation that comes and goes: the object's version moves
PATCH_AGAIN = 0.5  # seconds until an object is decided on again that somebody else writes
TEST_FAILED = 422  # what the API server answers where a `test` of a JSON patch fails
LET_GO = 0.5  # seconds beyond those in which the run before may still begin something
PATCH_TRIES = 20  # a kubelet's status moves the version between our reading and our writing


@dataclass(slots=True)
class Performer:
    """One run's hands. `until` is the instant (`Clock.now`) at which the run's time is up. `notes` are the
    last answers to evictions by the pods' UIDs, `command` the exit code of the shutdown command and its last
    line; `restarted`: the restart command ran and ended well; `fenced`: the paths of the objects whose
    versions this run has moved. `table`: who performs which action; a runbook may add its own."""

    hold: Hold
    until: float = inf
    notes: dict[str, EvictionNote] = field(default_factory=dict)
    command: tuple[int | None, str] = (None, "")
    restarted: bool = False
    fenced: frozenset[str] = frozenset()
    table: dict[type[Action], Callable[[Any], bool | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.table = {
            TakeLease: self._take_lease,
            ReleaseLease: self._release_lease,
            ChangeNode: self.change_node,
            PatchObject: self._patch_object,
            FenceObject: self._fence_object,
            EvictPod: self._evict,
            RunCommand: self._shut_down,
        }

    def perform(self, action: Action) -> bool:
        """Carry one action out; False = it was asked for in vain. Raises Conflict when the world is not as it
        was decided on, Blocked when the run was replaced."""
        performer = self.table.get(type(action))
        if performer is None:
            raise AssertionError(f"nobody performs {action}")
        return performer(action) is not False

    # -- the fence

    def fence(self, *, fresh: bool = False) -> None:
        """Nothing is changed by a run that another one has replaced. `fresh`: what is done now cannot be
        refused by the API server."""
        if self.hold.lock is None:
            raise Blocked("this run does not own the node; nothing more was changed", "run it again")
        try:
            self.hold.lock.confirm(fresh=fresh)
        except Blocked as error:
            raise self.hold.lost(error) from None

    def _fence_deed(self, *, fresh: bool = True) -> None:
        """For what carries no version of the Node: that is read again too, and must still tell of our run."""
        node = self.hold.client.get(paths.node(self.hold.node))
        objects.uid_of(node)
        if decided_on(node) != decided_on(self.hold.document):
            raise Conflict(409, "Conflict", "the Node changed since it was decided on", {})
        self._named(load(node["metadata"].get("annotations"), self.hold.node))
        self.fence(fresh=fresh)
        lock = self.hold.lock
        if fresh and lock and not lock.fresh():  # this process was stopped, or the machine slept
            raise Conflict(409, "Conflict", "the Lease was confirmed too long ago", {})

    def _named(self, journal: Journal | None) -> None:
        if journal is not None and journal.holder != self.hold.holder:
            raise taken_over(journal.holder)

    # -- the Lease

    def _take_lease(self, action: TakeLease) -> None:
        hold = self.hold
        lock = NodeLock(
            hold.client,
            hold.node,
            hold.document["metadata"]["uid"],
            hold.holder,
            background=hold.background,
            monotonic=hold.clock.monotonic,
        )
        lock.acquire(hold.seen_lease)  # as it was decided on: Conflict when it changed since
        hold.lock = lock
        if hold.seen_lease and hold.seen_lease.of_other(hold.holder):
            hold.clock.sleep(FRESH_SECONDS + LET_GO)  # what it was about to do has begun by then
            if load(hold.document["metadata"].get("annotations"), hold.node) is None:
                self._fence_object(FenceObject(paths.node(hold.node)))  # nothing else moves its version

    def _release_lease(self, action: ReleaseLease) -> None:
        lock, self.hold.lock = self.hold.lock, None
        if lock:
            lock.release()
            self.hold.released = True

    # -- the Node

    def change_node(self, change: ChangeNode) -> None:
        """One merge patch on the Node as it was decided on: Conflict means look again. The copy of the
        journal in the Lease follows it, and goes before it."""
        hold = self.hold
        self._named(change.journal or load(hold.document["metadata"].get("annotations"), hold.node))
        if change.forget and hold.lock:
            hold.lock.keep("")
        hold.document = self._patch(change)
        hold.changed = True
        if change.forget:
            hold.remember(None)
        elif change.journal is not None:
            hold.remember(change.journal)
            assert hold.lock is not None, "the patch was fenced"
            hold.lock.keep(dump(change.journal.prior_only))

    def _patch(self, change: ChangeNode) -> Document:
        path = paths.node(self.hold.node)
        for _ in range(PATCH_TRIES):
            self.fence()
            try:
                return self.hold.client.patch(path, node_patch(change, self.hold.document))
            except Conflict:
                fresh = self.hold.client.get(path)
                if decided_on(fresh) != decided_on(self.hold.document):
                    raise
                self.hold.document = fresh
        raise Conflict(409, "Conflict", "the Node is written all the time", {})

    # -- other objects

    def _patch_object(self, action: PatchObject) -> None:
        """Conflict where it is not as it was decided on: look again, after a moment. The Lease and the Node
        are read right before; a request that is under way when the run is replaced fails by its `test`, since
        whoever follows moves the object's version (`FenceObject`). What creates one carries no version: it
        begins while its fence is fresh, as an eviction does."""
        change = action.patch
        self._fence_deed(fresh=isinstance(change, Create))
        self.hold.changed = True
        try:
            carry_out(self.hold.client, change)
        except Conflict:
            self.hold.clock.sleep(PATCH_AGAIN)
            raise
        except NotFound:
            raise Conflict(409, "Conflict", f"{change.path} is gone", {}) from None
        except ApiError as error:
            # A `test` that failed and a value that is not allowed are told by the same code.
            if error.code != TEST_FAILED or not isinstance(change, Patch):
                raise
            if holds(self.hold.client.find(change.path), change.operations):
                raise
            self.hold.clock.sleep(PATCH_AGAIN)
            raise Conflict(409, "Conflict", f"{change.path} changed meanwhile", {}) from None

    def _fence_object(self, action: FenceObject) -> None:
        for value in (self.hold.run, None):
            self._fence_deed(fresh=False)
            with contextlib.suppress(NotFound):  # then nothing late can change it
                self.hold.client.patch(action.path, {"metadata": {"annotations": {FENCE: value}}})
        self.fenced |= {action.path}

    # -- pods

    def _evict(self, action: EvictPod) -> bool:
        self._fence_deed()
        pod = action.pod
        code, body = ask_to_evict(self.hold.client, action)
        answer = parse_eviction_answer(code, body)
        if answer.outcome is Outcome.REFUSED:
            raise BgpctlError(
                f"pod {pod.where} cannot be evicted: {answer.message}",
                "the node stays cordoned and is still in service; running this again goes on from here",
            )
        self.hold.changed = True
        again = EVICT_AGAIN if answer.outcome is Outcome.EVICTED else answer.retry_after or RETRY_AFTER
        text = held_back(pod.namespace, answer.budget, answer.message) if answer.budget else answer.message
        self.notes[pod.uid] = EvictionNote(text, self.hold.clock.now() + again, answer.budget)
        return answer.outcome is Outcome.EVICTED

    # -- commands

    def _shut_down(self, action: RunCommand) -> None:
        self.command = self.run_command(action.argv, "shutdown", "ShutDown")

    def _still_ours(self) -> None:
        """While a command runs: Blocked once another run has the node. An API server that is away says
        nothing of that: it may be what the command switches off."""
        with contextlib.suppress(Temporary):
            self.fence()

    def run_command(self, template: tuple[str, ...], what: str, step: str) -> tuple[int, str]:
        """The operator's command (argv, no shell), to its end: its exit code and its last line."""
        self._fence_deed()
        argv = [part.replace("{node}", self.hold.node) for part in template]
        limit = max(1.0, self.until - self.hold.clock.now()) if self.until < inf else None
        self.hold.changed = True
        try:
            return child.run(argv, limit, self._still_ours)
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded(
                f"time is up at {step}: {argv[0]} did not end, and was killed",
                "--timeout gives it longer",
            ) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = f"the {what} command {argv[0]} cannot be run: {reason}"
            raise BgpctlError(text) from None


def node_patch(change: ChangeNode, document: Document) -> Document:
    """The merge patch, which carries the version that it was decided on."""
    metadata: Document = {"resourceVersion": document["metadata"]["resourceVersion"]}
    if change.labels:
        metadata["labels"] = dict(change.labels)
    annotations: dict[str, str | None] = {}
    if change.leave:
        annotations[LEAVE] = change.leave
        said = change.journal.options.get("--reason", ()) if change.journal else ()
        if said or LEAVE_REASON in (document["metadata"].get("annotations") or {}):
            annotations[LEAVE_REASON] = said[-1] if said else None
    if change.forget:
        annotations.update({ANNOTATION: None, LEAVE: None, LEAVE_REASON: None})
    elif change.journal is not None:
        annotations[ANNOTATION] = dump(change.journal)
    if annotations:
        metadata["annotations"] = annotations
    body: Document = {"metadata": metadata}
    if change.unschedulable is not None:
        body["spec"] = {"unschedulable": change.unschedulable or None}
    return body


def carry_out(client: Client, change: Change) -> None:
    """Of another object than the Node. Raises as the client does; what is to be deleted may be gone."""
    match change:
        case Patch():
            client.patch(change.path, list(change.operations), "json")
        case Create():
            client.create(change.path.rpartition("/")[0], dict(change.body))
        case Delete():
            this = {"uid": change.uid, "resourceVersion": change.version}
            with contextlib.suppress(NotFound):
                client.delete(change.path, {"preconditions": this})


def ask_to_evict(client: Client, action: EvictPod) -> tuple[int, Mapping[str, Any]]:
    """The answer: its code, and its Status."""
    pod = action.pod
    options: Document = {"preconditions": {"uid": pod.uid}}
    if action.grace_period is not None and action.grace_period >= 0:
        options["gracePeriodSeconds"] = action.grace_period
    try:
        if action.delete:
            return 200, client.delete(paths.pod(pod.namespace, pod.name), options)
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": options,
        }
        return 201, client.create(paths.eviction(pod.namespace, pod.name), body)
    except ApiError as error:
        return error.code, error.status
    except ServerBusy as error:
        return error.code, error.status

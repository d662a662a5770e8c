"""The world of a runbook on a real cluster: reads what a step needs, performs what it asks for.

All I/O of the runbooks is here and in `cluster.py` (the cluster-wide reading for guards). No decision is.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from bgpctl.core.documents import name_of, namespace_of
from bgpctl.core.eviction import (
    EvictionOptions,
    Outcome,
    parse_eviction_answer,
    verdicts,
)
from bgpctl.core.nodestate import NodeState, PeerState
from bgpctl.core.peerfacts import PeerFacts
from bgpctl.core.profiles import Profile
from bgpctl.core.withdrawal import Estimate, Event, estimate, facts_from_state
from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, UsageError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError, Client, NotFound, ServerBusy
from bgpctl.runbooks import cluster, objects, states
from bgpctl.runbooks.actions import Action, ChangeNode, EvictPod, ReleaseLease, RunCommand, TakeLease
from bgpctl.runbooks.journal import ANNOTATION, Journal, dump, load
from bgpctl.runbooks.model import Decision
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.snapshot import EvictionNote, Snapshot

Document = dict[str, Any]

RETRY_AFTER = 2.0  # seconds between questions about a pod whose budget says no (kubectl waits 5)
EVICT_AGAIN = 30.0  # an accepted eviction without a deletion: something undid it


@dataclass(slots=True)
class World:
    """One node of one cluster, seen by one run. `until` is the epoch second at which the run's time is up."""

    client: Client
    node: str
    run: str
    eviction: EvictionOptions
    routers: Routers
    profile_of: Callable[[str], Profile]
    deselect_override: str | None = None
    lifted: frozenset[str] = frozenset()
    max_unavailable: int = 1
    until: float = inf
    _lock: lease.NodeLock | None = None
    _first_lease: lease.LeaseView | None = None
    _seen_lease: lease.LeaseView | None = None
    _watching_since: float = field(default_factory=time.monotonic)
    _notes: dict[str, EvictionNote] = field(default_factory=dict)
    _command: tuple[int | None, str] = (None, "")
    _node_document: Document = field(default_factory=dict)
    _journal: Journal | None = None

    def now(self) -> float:
        return time.time()

    @property
    def last_journal(self) -> Journal | None:
        """The journal as it was when this run last saw it, also after it was removed."""
        return self._journal

    def wait(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def close(self) -> None:
        if self._lock:
            self._lock.release()

    # -- observe

    def observe(self, needs: frozenset[str]) -> Snapshot:
        """The Node and its Lease always; the rest as the step needs it."""
        document = self._read_node()
        journal = load(document["metadata"].get("annotations"))
        self._journal = journal or self._journal
        snapshot = Snapshot(
            now=self.now(),
            node=objects.node(document),
            journal=journal,
            holder=self._holder(),
            **self._lease(),
        )
        if "state" in needs or "estimates" in needs or "routers" in needs:
            snapshot = self._with_state(snapshot)
        if "cluster" in needs:
            seen = cluster.look(
                self.client, document, self.deselect_override, self.lifted, self.max_unavailable
            )
            snapshot = replace(snapshot, guards=seen.guards, deselection=seen.deselection)
        if "policies" in needs:
            now = cluster.deselection(self.client, snapshot.node.labels)
            snapshot = replace(snapshot, deselection=now)
        if "pods" in needs:
            snapshot = self._with_pods(snapshot)
        if "estimates" in needs:
            snapshot = self._with_estimates(snapshot, document)
        if "routers" in needs:
            snapshot = replace(snapshot, sightings=self.routers.look(snapshot.state, journal, snapshot.now))
        return replace(snapshot, command_exit=self._command[0], command_tail=self._command[1], now=self.now())

    def _read_node(self) -> Document:
        try:
            self._node_document = self.client.get(paths.node(self.node))
        except NotFound:
            raise UsageError(f"node {self.node} does not exist", "see `kubectl get nodes`") from None
        return self._node_document

    def _holder(self) -> str:
        return lease.identity(self.run)

    def _lease(self) -> dict[str, Any]:
        if self._lock and self._lock.held:
            return {"holds_lease": True}
        view = lease.read(self.client, self.node)
        if self._lock and self._lock.lost.is_set():
            raise _taken_over(view.holder if view else "nobody")
        self._seen_lease = view
        first = self._first_lease = self._first_lease or view
        contested = bool(view and first and view.renewed_at != first.renewed_at)
        watched = time.monotonic() - self._watching_since
        return {"lease": view, "lease_contested": contested, "lease_watched": watched}

    def _with_state(self, s: Snapshot) -> Snapshot:
        return replace(s, state=states.of_node(self.client, self.node))

    def _with_pods(self, s: Snapshot) -> Snapshot:
        query = {"fieldSelector": f"spec.nodeName={self.node}"}
        if self.eviction.pod_selector:
            query["labelSelector"] = self.eviction.pod_selector
        pods = objects.pods(self.client.items(paths.PODS, **query))
        daemonsets = (
            self._daemonsets() if any(p.controller_kind == "DaemonSet" for p in pods) else frozenset()
        )
        return replace(s, pods=verdicts(pods, daemonsets, self.eviction, s.now), notes=dict(self._notes))

    def _daemonsets(self) -> frozenset[tuple[str, str]]:
        items = self.client.items(paths.DAEMONSETS)
        return frozenset((namespace_of(d), name_of(d)) for d in items)

    def _with_estimates(self, s: Snapshot, document: Document) -> Snapshot:
        facts = tuple(facts_from_state(peer) for peer in _peers(s.state))
        dead = facts or cluster.policy_facts(self.client, document, s.journal)
        deaf = never_read(s.state)
        return replace(
            s,
            estimates=tuple(self._estimate(leaving(fact.address, deaf), fact) for fact in facts),
            dead_estimates=tuple(self._estimate(Event.POWER_OFF, fact) for fact in dead),
        )

    def _estimate(self, event: Event, fact: PeerFacts) -> Estimate:
        return estimate(event, fact, self.profile_of(fact.address))

    # -- perform

    def perform(self, action: Action) -> bool:
        """Carry one action out; False = it was asked for in vain. Every write is fenced: the Lease must still
        be ours."""
        match action:
            case TakeLease():
                self._take_lease()
            case ReleaseLease():
                self._release_lease()
            case ChangeNode():
                self._change_node(action)
            case EvictPod():
                return self._evict(action)
            case RunCommand():
                self._run_command(action)
        return True

    def finish(self, step: str, decision: Decision) -> None:
        """Write a step that was done into the journal, with what proved it: once, unless the proof is new."""
        journal = load(self._node_document["metadata"].get("annotations"))
        if journal is None or (journal.finished(step) and not decision.evidence):
            return
        done = journal.with_step(step, self.now(), decision.evidence)
        self._change_node(ChangeNode(f"journal {step}", journal=done))
        self._journal = done

    def _take_lease(self) -> None:
        uid = self._node_document["metadata"]["uid"]
        lock = lease.NodeLock(self.client, self.node, uid, self._holder())
        lock.acquire(self._seen_lease)  # as it was decided on: Conflict when it changed since
        self._lock = lock

    def _release_lease(self) -> None:
        if self._lock:
            self._lock.release()
            self._lock = None

    def _fence(self, becomes: Journal | None = None) -> None:
        """Nothing is changed by a run that another one has replaced. The Lease may be noticed late; the name
        in the journal cannot, because every write of the Node carries the version that it was read from."""
        journal = becomes or load(self._node_document["metadata"].get("annotations"))
        if journal is not None and journal.holder != self._holder():
            raise _taken_over(journal.holder)
        if self._lock is None or not self._lock.held:
            raise Blocked("this run no longer owns the node; nothing more was changed", "run it again")

    def _change_node(self, change: ChangeNode) -> None:
        """One merge patch under the resourceVersion that was decided on: Conflict means look again."""
        self._fence(change.journal)
        metadata: Document = {"resourceVersion": self._node_document["metadata"]["resourceVersion"]}
        if change.labels:
            metadata["labels"] = dict(change.labels)
        if change.forget or change.journal is not None:
            metadata["annotations"] = {ANNOTATION: None if change.journal is None else dump(change.journal)}
        body: Document = {"metadata": metadata}
        if change.unschedulable is not None:
            body["spec"] = {"unschedulable": change.unschedulable or None}
        self._node_document = self.client.patch(paths.node(self.node), body)

    def _evict(self, action: EvictPod) -> bool:
        self._fence()
        pod = action.pod
        code, body = self._ask_to_evict(action)
        answer = parse_eviction_answer(code, body)
        if answer.outcome is Outcome.REFUSED:
            raise BgpctlError(
                f"pod {pod.where} cannot be evicted: {answer.message}",
                "the node stays cordoned and is still in service; running this again goes on from here",
            )
        again = EVICT_AGAIN if answer.outcome is Outcome.EVICTED else answer.retry_after or RETRY_AFTER
        self._notes[pod.uid] = EvictionNote(answer.message, self.now() + again)
        return answer.outcome is Outcome.EVICTED

    def _ask_to_evict(self, action: EvictPod) -> tuple[int, Mapping[str, Any]]:
        pod = action.pod
        options: Document = {"preconditions": {"uid": pod.uid}}
        if action.grace_period is not None and action.grace_period >= 0:
            options["gracePeriodSeconds"] = action.grace_period
        try:
            if action.delete:
                return 200, self.client.delete(paths.pod(pod.namespace, pod.name), options)
            body = {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": pod.name, "namespace": pod.namespace},
                "deleteOptions": options,
            }
            return 201, self.client.create(paths.eviction(pod.namespace, pod.name), body)
        except ApiError as error:
            return error.code, error.status
        except ServerBusy as error:
            return error.code, error.status

    def _run_command(self, action: RunCommand) -> None:
        argv = [part.replace("{node}", self.node) for part in action.argv]
        limit = max(1.0, self.until - self.now()) if self.until < inf else None
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=limit)
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded(
                f"time is up at ShutDown: {argv[0]} did not end, and was killed",
                "the node is out of service; running the same command again tries it again (--timeout)",
            ) from None
        except OSError as error:
            raise BgpctlError(
                f"the shutdown command {argv[0]} cannot be run: {error.strerror}",
                "the node is out of service and safe to power off by hand",
            ) from None
        lines = (done.stdout + done.stderr).strip().splitlines()
        self._command = (done.returncode, lines[-1] if lines else "")


def leaving(address: str, deaf: frozenset[str]) -> Event:
    """What a leave amounts to for one peer. A router that never read our withdraws learns nothing from them:
    for it the node is as good as switched off."""
    return Event.POWER_OFF if address in deaf else Event.DESELECT


def never_read(state: NodeState | None) -> frozenset[str]:
    """The peers that were Established and did not take the withdraws."""
    record = state.withdrawn if state else None
    peers = record.peers if record else ()
    return frozenset(p.state.address for p in peers if p.state.session.established and not p.flushed)


def _peers(state: NodeState | None) -> tuple[PeerState, ...]:
    """The peers that the speaker has or, when it has left them, had."""
    if state is None:
        return ()
    left = state.withdrawn.peers if state.withdrawn else ()
    return state.peers or tuple(peer.state for peer in left)


def _taken_over(holder: str) -> Blocked:
    return Blocked(
        f"another run took the node over: {holder}", "let it finish, or stop it; then run this again"
    )

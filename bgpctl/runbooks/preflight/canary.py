"""Restart what speaks BGP on one node, once, and see how long that takes: from the deletion of its pod until
its sessions are up again.

Nothing is left to undo: whatever becomes of us, the pod's DaemonSet makes the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.drain.pods import PodView, pod_view
from bgpctl.core.preflight.verdict import Measured, Word
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState
from bgpctl.errors import Blocked, DeadlineExceeded, Temporary
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError, Client
from bgpctl.kube.lease import LeaseView, NodeLock
from bgpctl.ports import Provider
from bgpctl.runbooks.clock import Clock
from bgpctl.runbooks.journal import load
from bgpctl.runbooks.objects import no_such_node, uid_of

LOOK_EVERY = 0.2  # seconds
SAME_SESSION = 2.0  # seconds
LIFT = "--allow-route-loss"

Document = Mapping[str, Any]


@dataclass(slots=True)
class Canary:
    """`pods`: those that speak BGP on the node, as they were listed. `until`: the instant (`Clock.monotonic`)
    at which time is up. `run`: this run's name."""

    client: Client
    clock: Clock
    provider: Provider
    node: str
    pods: Sequence[Document]
    until: float
    run: str

    def check(self) -> None:
        """Can it be done, and its end be seen? Raises Blocked."""
        self.pod()
        self._up()
        self._uid()
        self._held("")

    def restart(self) -> Measured:
        """How long it took. Raises Blocked where it may not or cannot be done, DeadlineExceeded where the
        sessions did not come back in time."""
        pod, before, me = self.pod(), self._up(), lease.identity(self.run)
        lock = NodeLock(self.client, self.node, self._uid(), me, monotonic=self.clock.monotonic)
        lock.acquire(self._held(me))
        try:
            lock.confirm(fresh=True)
            began = self.clock.monotonic()
            options = {"preconditions": {"uid": pod.uid}}
            self.client.delete(paths.pod(pod.namespace, pod.name), options)
            self._await(before)
            took = self.clock.monotonic() - began
        except ApiError as error:
            raise Blocked(f"pod {pod.where} cannot be deleted: {error.message}") from None
        finally:
            lock.release()
        return Measured(took, Word.REPORTED, f"restart of pod {pod.where}, until its sessions were up")

    def pod(self) -> PodView:
        """The one to delete. Raises Blocked where there is not exactly one, or nobody would make it anew."""
        found = [view for one in self.pods if (view := _view(one)) is not None]
        if len(found) != 1:
            names = ", ".join(one.where for one in found) or "none"
            text = f"exactly one pod on {self.node} must speak BGP to be the canary's; found: {names}"
            raise Blocked(text, "choose it with --pod-selector, or leave --canary out")
        (pod,) = found
        if pod.controller_kind != "DaemonSet":
            raise Blocked(
                f"pod {pod.where} belongs to no DaemonSet: nothing would make it anew on {self.node}",
                "leave --canary out",
            )
        return pod

    def _up(self) -> NodeState:
        """What is told of the node before. Raises Blocked where the return of its sessions could not be
        seen."""
        state = self.provider.state(self.node)
        if state is None or not state.peers or state.stale(self.client.present()):
            raise Blocked(
                f"{self.node} cannot be the canary: nobody tells of its sessions, so their return would not "
                "be seen",
                "see `bgpctl peers status`",
            )
        if down := [peer.address for peer in state.peers if not peer.session.established]:
            told = "is not told to be up" if len(down) == 1 else "are not told to be up"
            raise Blocked(
                f"{self.node} cannot be the canary: its session to {', '.join(down)} {told}",
                "see `bgpctl peers status`; choose another with --canary",
            )
        return state

    def _uid(self) -> str:
        """Of the Node. Raises Blocked where a run has it."""
        document = self.client.find(paths.node(self.node))
        if document is None:
            raise no_such_node(self.node)
        if journal := load(document["metadata"].get("annotations"), self.node):
            raise Blocked(
                f"{self.node} cannot be the canary: {journal.command} {journal.run} has the node",
                "choose another with --canary",
            )
        return uid_of(document)

    def _held(self, me: str) -> LeaseView | None:
        """The node's Lease. Raises Blocked where somebody else is at work on it."""
        held = lease.read(self.client, self.node)
        if held is not None and held.held_by_other(me, self.clock.now()):
            raise Blocked(
                f"{self.node} cannot be the canary: {held.holder} is at work on it",
                "wait for it, or choose another with --canary",
            )
        return held

    def _await(self, before: NodeState) -> None:
        """Until each of its sessions is another one than before, and up."""
        missing = wanted = {peer.name for peer in before.peers}
        while missing:
            if self.clock.monotonic() >= self.until:
                raise DeadlineExceeded(
                    f"time is up: the canary {self.node} was restarted, and its sessions are not back "
                    f"({len(missing)} of {len(wanted)} missing)",
                    "see `bgpctl peers status` and `bgpctl logs`; its DaemonSet goes on by itself",
                )
            self.clock.sleep(LOOK_EVERY)
            try:
                missing = wanted - _back(self.provider.state(self.node), before)
            except Temporary:
                continue


def _back(state: NodeState | None, before: NodeState) -> set[str]:
    """The peers whose session is another one than before, and up."""
    if state is None or state.unreadable:
        return set()
    another = bool(state.uid) and state.uid != before.uid
    old = {peer.name: peer.session.established_at for peer in before.peers}
    return {
        peer.name
        for peer in state.peers
        if peer.session.established and (another or _later(peer.session.established_at, old.get(peer.name)))
    }


def _later(began: float | None, before: float | None) -> bool:
    """By the node's own clock both times. Cilium counts back from how long a session is up, so that it may
    tell of one and the same by a second more or less."""
    return began is not None and (before is None or began > before + SAME_SESSION)


def _view(document: Document) -> PodView | None:
    try:
        view = pod_view(document)
    except Unreadable:
        return None
    return None if view.terminating else view

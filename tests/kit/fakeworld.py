"""A node, its pods, its speaker and its router as a handful of fields: the world of runbook tests.

It implements the engine's World port. Time is a number that `wait` advances, so nothing sleeps. `crash_at`
makes the process "die" at one of the things it does to the world: number 2n before the n-th, 2n+1 after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, ip_network

from bgpctl.core.deselection import deselecting_label
from bgpctl.core.eviction import EvictionOptions, PodView, verdicts
from bgpctl.core.guards import Guard
from bgpctl.core.model import GracefulRestart, Session, SessionState
from bgpctl.core.nodestate import NodeState, PeerState, WithdrawnPeer, WithdrawnRecord
from bgpctl.core.selectors import LabelSelector
from bgpctl.core.withdrawal import Event, estimate, facts_from_state
from bgpctl.kube.lease import LeaseView
from bgpctl.runbooks.actions import Action, ChangeNode, EvictPod, ReleaseLease, RunCommand, TakeLease
from bgpctl.runbooks.journal import Journal, dump, load
from bgpctl.runbooks.model import Decision
from bgpctl.runbooks.snapshot import NodeView, PeerSighting, Snapshot
from bgpctl.witness.model import Path, Sight, Sighting

ROUTER = "192.0.2.1"
ANNOTATION = "journal"
LEASE_SECONDS = 15.0


class Crashed(BaseException):
    """kill -9."""


@dataclass(slots=True)
class Cluster:
    """What survives a crash of bgpctl. `router_asked` False = no probe, only the clock."""

    now: float = 1_000_000.0
    labels: dict[str, str] = field(default_factory=lambda: {"enable-bgp": "true"})
    annotations: dict[str, str] = field(default_factory=dict)
    unschedulable: bool = False
    ready: bool = True
    pods: dict[str, PodView] = field(default_factory=dict)
    lease: LeaseView | None = None
    router_asked: bool = True
    speaker_alive: bool = True
    withdraw_lag: float = 0.3
    powered_off: bool = False
    guards: tuple[Guard, ...] = ()
    relabelled_at: float = 0.0
    evictions: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def selected(self) -> bool:
        return self.labels.get("enable-bgp") == "true"

    @property
    def routes(self) -> int:
        """What the router has: the speaker follows the label with a lag, when it lives."""
        settled = self.now - self.relabelled_at >= self.withdraw_lag
        there = self.selected if settled or not self.relabelled_at else not self.selected
        return 2 if there and not self.powered_off else 0

    def final(self) -> dict[str, object]:
        """The world without clocks and names of runs, for comparison."""
        journal = load(self.annotations and {"bgpctl.io/run": self.annotations[ANNOTATION]})
        return {
            "labels": self.labels,
            "unschedulable": self.unschedulable,
            "pods": sorted(self.pods),
            "routes": self.routes,
            "powered_off": self.powered_off,
            "journal": journal and (journal.command, journal.prior_unschedulable, dict(journal.prior_labels)),
            "evicted": sorted(self.evictions),
        }


def cluster(*, pods: int = 3, **changes: object) -> Cluster:
    """A node in service with `pods` evictable pods and one of a DaemonSet."""
    fresh = Cluster(**changes)  # type: ignore[arg-type]
    for number in range(pods):
        uid = f"uid-{number}"
        fresh.pods[uid] = PodView(
            "default", f"web-{number}", uid, "n1", controller_kind="ReplicaSet", controller_name="web"
        )
    fresh.pods["uid-ds"] = PodView(
        "kube-system", "agent", "uid-ds", "n1", controller_kind="DaemonSet", controller_name="agent"
    )
    return fresh


@dataclass(slots=True)
class FakeWorld:
    """One run's view of a Cluster."""

    cluster: Cluster
    holder: str
    crash_at: int = -1
    eviction: EvictionOptions = field(default_factory=lambda: EvictionOptions(ignore_daemonsets=True))
    command_exit: int = 0
    _deeds: int = 0
    _dead: bool = False
    _ran: int | None = None
    _absent: tuple[float, int] | None = None
    _journal: Journal | None = None

    @property
    def last_journal(self) -> Journal | None:
        return self._journal

    def now(self) -> float:
        return self.cluster.now

    def wait(self, seconds: float) -> None:
        self.cluster.now += seconds

    def close(self) -> None:
        if self._dead:
            return  # kill -9 runs no clean-up: the Lease has to expire
        if self.cluster.lease and self.cluster.lease.holder == self.holder:
            self.cluster.lease = None

    def observe(self, needs: frozenset[str]) -> Snapshot:
        c, journal = self.cluster, self._load()
        state = self._state()
        lease = c.lease
        if lease and lease.expires_at < c.now:
            lease = None
        return Snapshot(
            now=c.now,
            node=NodeView("n1", "uid-n1", "1", dict(c.labels), c.unschedulable, c.ready),
            journal=journal,
            lease=lease,
            holder=self.holder,
            holds_lease=bool(lease and lease.holder == self.holder),
            guards=c.guards,
            deselection=deselecting_label({"rack": LabelSelector((("enable-bgp", "true"),))}, c.labels),
            pods=verdicts(c.pods.values(), {("kube-system", "agent")}, self.eviction, c.now),
            state=state if c.speaker_alive else replace(state, heartbeat=c.now - 10_000),
            estimates=self._estimates(state, Event.DESELECT),
            dead_estimates=self._estimates(state, Event.POWER_OFF),
            sightings=self._look() if "routers" in needs and c.router_asked else (),
            command_exit=self._ran,
        )

    def perform(self, action: Action) -> bool:
        self._deed(str(action), lambda: self._do(action))
        return True

    def finish(self, step: str, decision: Decision) -> None:
        journal = self._load()
        if journal is None or journal.finished(step):
            return
        done = journal.with_step(step, self.cluster.now, decision.evidence)
        self._deed(f"journal {step}", lambda: self._write(done))

    # -- inside

    def _deed(self, name: str, do: object) -> None:
        """The n-th deed may be preceded or followed by death."""
        if self.crash_at == 2 * self._deeds:
            self._dead = True
            raise Crashed(f"before {name}")
        do()  # type: ignore[operator]
        self.cluster.log.append(name)
        if self.crash_at == 2 * self._deeds + 1:
            self._dead = True
            raise Crashed(f"after {name}")
        self._deeds += 1

    def _do(self, action: Action) -> None:
        c = self.cluster
        match action:
            case TakeLease():
                c.lease = LeaseView(self.holder, c.now, c.now + LEASE_SECONDS, "1")
            case ReleaseLease():
                c.lease = None
            case ChangeNode():
                self._change(action)
            case EvictPod(pod=pod):
                assert pod.uid in c.pods, "evicted a pod that is not on this node"
                del c.pods[pod.uid]
                c.evictions.append(pod.uid)
            case RunCommand():
                c.powered_off = self.command_exit == 0
                self._ran = self.command_exit

    def _change(self, change: ChangeNode) -> None:
        c = self.cluster
        if change.unschedulable is not None:
            c.unschedulable = change.unschedulable
        for key, value in change.labels.items():
            if c.labels.get(key) != value:
                c.relabelled_at = c.now
            if value is None:
                c.labels.pop(key, None)
            else:
                c.labels[key] = value
        if change.forget:
            c.annotations.clear()
        elif change.journal is not None:
            self._write(change.journal)

    def _write(self, journal: Journal) -> None:
        self.cluster.annotations[ANNOTATION] = dump(journal)
        self._journal = journal

    def _load(self) -> Journal | None:
        text = self.cluster.annotations.get(ANNOTATION)
        journal = load({"bgpctl.io/run": text}) if text else None
        self._journal = journal or self._journal
        return journal

    def _look(self) -> tuple[PeerSighting, ...]:
        c = self.cluster
        sight = Sight.PRESENT if c.routes else Sight.ABSENT
        self._absent = (
            None if c.routes else ((self._absent or (c.now, 0))[0], (self._absent or (c.now, 0))[1] + 1)
        )
        since, count = self._absent or (None, 0)
        paths = tuple(Path(ip_network(f"203.0.113.{n}/32"), "10.0.0.1") for n in range(c.routes))
        seen = Sighting("bird 192.0.2.1", "10.0.0.1", sight, paths, detail=sight.value)
        return (PeerSighting(ROUTER, seen, since, count),)

    def _estimates(self, state: NodeState, event: Event) -> tuple[object, ...]:  # type: ignore[override]
        peers = state.peers or (tuple(p.state for p in state.withdrawn.peers) if state.withdrawn else ())
        return tuple(estimate(event, facts_from_state(p)) for p in peers)

    def _state(self) -> NodeState:
        c = self.cluster
        peer = _peer(bool(c.routes))
        if c.routes:
            return NodeState("n1", "Running", c.now, intended=2, announced=2, peers=(peer,))
        at = c.relabelled_at + c.withdraw_lag
        record = WithdrawnRecord("drain", c.relabelled_at, at, at, (WithdrawnPeer(_peer(True), 2),))
        return NodeState("n1", "Withdrawn", c.now, withdrawn=record)


def _peer(up: bool) -> PeerState:
    graceful = GracefulRestart(120)
    session = Session(
        "p1",
        SessionState.ESTABLISHED if up else SessionState.IDLE,
        local_address=IPv4Address("10.0.0.1"),
        hold_time=9,
        keepalive_time=3,
        local_gr=graceful,
        peer_gr=graceful,
        end_of_rib=True,
    )
    return PeerState("p1", ROUTER, 179, 65000, 65001, session, 120, 9, 3, intended=2, announced=2)

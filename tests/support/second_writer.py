"""One node on the embedded API, runs of the real World on it, and a second writer between any two of their
requests. Function calls on a clock that `wait` advances: no sockets, no threads, always the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from itertools import count
from typing import Any

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.state import NodeState, WithdrawnPeer, WithdrawnRecord
from bgpctl.core.state_document import to_document
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client
from bgpctl.kube.clock import ServerClock
from bgpctl.kube.config import Access
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.requests import Answer
from bgpctl.runbooks import engine
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.actions import ChangeNode, TakeLease
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.clock import Clock
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain import routers, told
from bgpctl.runbooks.engine import Events
from bgpctl.runbooks.journal import ANNOTATION, Journal, load
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.world import World
from tests.support import direct, objects
from tests.support.direct import Asked
from tests.support.kinds import KINDS
from tests.support.node_states import peer

Document = dict[str, Any]

NODE = "worker-1"
LOCAL = ip_address("192.0.2.11")  # of its session
LEASE = paths.lease(lease.NAMESPACE, lease.name_for(NODE))
POD = paths.pod("default", "web-1")
POD_ENDS = 2.0  # seconds


class Interrupted(Client):
    """A client between whose requests somebody else acts."""

    def __init__(self, access: Access, clock: ServerClock) -> None:
        super().__init__(access, clock)
        self._plans: list[tuple[str, str, int, Callable[[], object]]] = []
        self._late: list[tuple[str, Callable[[], object]]] = []
        self.sent: list[tuple[str, str]] = []

    def before(self, method: str, path: str, deed: Callable[[], object], times: int = 1) -> None:
        """`deed` happens just before the next `times` requests that match; `path` is a regular expression."""
        self._plans.append((method, path, times, deed))

    def late(self, path: str, deed: Callable[[], object], times: int = 1) -> None:
        """`deed` happens while the answers of the next `times` GETs of this path are on their way."""
        self._late += [(path, deed)] * times

    def writes(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.sent if method != "GET"]

    def _send(self, method: str, path: str, *rest: Any, **options: Any) -> Any:
        plans, self._plans = self._plans, []  # whoever acts in between is not interrupted
        for wanted, pattern, times, deed in plans:
            hit = method == wanted and re.search(pattern, path) is not None
            if hit:
                deed()
            if times > hit:
                self._plans.append((wanted, pattern, times - hit, deed))
        self.sent.append((method, path))
        answer = super()._send(method, path, *rest, **options)
        if method == "GET" and self._late and self._late[0][0] == path:
            self._late.pop(0)[1]()
        return answer


@dataclass
class Time(Clock):
    """A clock that only `sleep` moves; `meanwhile` is what the others do in that time."""

    time: direct.Time
    meanwhile: Callable[[], object] = lambda: None

    @property
    def at(self) -> float:
        return self.time.now

    @at.setter
    def at(self, value: float) -> None:
        self.time.now = value

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.meanwhile()


@dataclass
class Rig:
    """The cluster, and whoever writes in it. `admin` is the second writer's client. `away`: the resources
    about which the API server answers 503 to everybody else."""

    api: direct.Api
    clock: Time
    admin: Client
    left: tuple[float, str] | None = None
    ending: dict[str, float] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    beats: Iterator[int] = field(default_factory=count)

    @property
    def server(self) -> ApiServer:
        return self.api.server

    # -- what is there

    @property
    def node(self) -> Document:
        return self.admin.get(paths.node(NODE))

    @property
    def journal(self) -> Journal | None:
        return load(self.node["metadata"].get("annotations"))

    @property
    def pods(self) -> list[str]:
        return [pod["metadata"]["uid"] for pod in self.admin.items(paths.PODS)]

    def lease(self) -> Document | None:
        return self.admin.find(LEASE)

    # -- runs

    def wire(self) -> direct.Wire:
        """A way to the API server for a run."""
        return direct.Wire(self.api, before=self._trouble)

    def _trouble(self, asked: Asked) -> Answer | None:
        return direct.refused(503) if asked.resource in self.away else None

    def client(self) -> Interrupted:
        return Interrupted(*self.wire().parts())

    def world(self, run: str, client: Client | None = None, **options: Any) -> World:
        given = {"timeout": 600.0, "routers": Routers(), "eviction": EvictionOptions(force=True), **options}
        return worlds.build(client or self.client(), NODE, run, clock=self.clock, background=False, **given)

    def owner(self, run: str = "run-a", client: Client | None = None, **changes: Any) -> World:
        """A run that owns the node, has its journal on it and has looked at it just now."""
        world = self.world(run, client)
        world.observe(frozenset())
        world.perform(TakeLease())
        world.observe(frozenset())
        record = Journal(run, "drain", "guide", world.hold.holder, self.clock.at, peers=("192.0.2.1",))
        world.perform(ChangeNode("begin", journal=record, **changes))
        world.observe(frozenset({"pods"}))
        return world

    def take_over(self, run: str = "run-b") -> World:
        """Another run takes the node, as `--take-over` does: the Lease, then the journal."""
        other = self.world(run, self.wire().client())
        other.observe(frozenset())
        other.perform(TakeLease())
        if (found := other.observe(frozenset()).journal) is not None:
            other.perform(ChangeNode("take over", journal=replace(found, holder=other.hold.holder)))
        return other

    def drain(self, run: str = "run-a", client: Client | None = None, **options: Any) -> Events:
        given = DrainOptions(NODE, eviction=EvictionOptions(force=True), **options)
        world = self.world(run, client, routers=routers(given.probes))
        return _concluded(
            engine.run("drain", NODE, run, node_drain(given, run), world, given.timeout, given.typed),
            world,
            given.command,
        )

    def restore(self, run: str = "run-r", client: Client | None = None, **options: Any) -> Events:
        given, world = RestoreOptions(NODE, **options), self.world(run, client)
        return _concluded(
            engine.run("restore", NODE, run, node_restore(given, run), world, given.timeout, given.typed),
            world,
            given.command,
        )

    # -- other writers

    def label(self, value: str | None = "true") -> None:
        self.admin.patch(paths.node(NODE), {"metadata": {"labels": {"enable-bgp": value}}})

    def kubelet(self) -> None:
        """A status that moves the Node's version, and says nothing."""
        condition = {
            "type": "Ready",
            "status": "True",
            "lastHeartbeatTime": None,
            "message": str(next(self.beats)),
        }
        self.admin.patch(f"{paths.node(NODE)}/status", {"status": {"conditions": [condition]}})

    def end_pods(self) -> None:
        """The kubelet lets go of the pods that are to go, a while after they were told."""
        for pod in self.admin.items(paths.PODS):
            if not pod["metadata"].get("deletionTimestamp"):
                continue
            told = self.ending.setdefault(pod["metadata"]["uid"], self.clock.at)
            if self.clock.at - told >= POD_ENDS:
                self.admin.delete(paths.pod("default", pod["metadata"]["name"]), {"gracePeriodSeconds": 0})

    def live(self) -> None:
        """What goes on by itself while a run waits."""
        self.end_pods()
        self.speak()

    def annotate(self, **annotations: str | None) -> None:
        self.admin.patch(paths.node(NODE), {"metadata": {"annotations": annotations}})

    def remove_journal(self) -> None:
        self.annotate(**{ANNOTATION: None})

    def recreate_pod(self) -> str:
        """Another pod of the same name (a StatefulSet's); its UID."""
        self.admin.delete(POD, {"gracePeriodSeconds": 0})
        return str(self.add_pod()["metadata"]["uid"])

    def add_pod(self) -> Document:
        spec = {"nodeName": NODE, "containers": [{"name": "c", "image": "x"}]}
        body = {"metadata": {"name": "web-1"}, "spec": spec}
        self.admin.create("/api/v1/namespaces/default/pods", body)
        running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        return self.admin.patch(f"{POD}/status", {"status": running})

    def publish(self, state: NodeState) -> None:
        """What the node's speaker says of itself."""
        document = to_document(state)
        if self.admin.find(paths.node_state(NODE)) is None:
            self.admin.create(paths.NODE_STATES, document)
        whole = [{"op": "add", "path": "/status", "value": document["status"]}]  # as a speaker does
        self.admin.patch(f"{paths.node_state(NODE)}/status", whole, kind="json")

    def speak(self) -> None:
        """One turn of a speaker that does what the Node says."""
        metadata = self.node["metadata"]
        selected = metadata["labels"].get("enable-bgp") == "true"
        leave = (metadata.get("annotations") or {}).get(LEAVE, "")
        self.left = None if selected else self.left or (self.clock.at, leave)
        self.publish(speaker(self.clock.at, leave, self.left))


def speaker(now: float, leave: str, left: tuple[float, str] | None) -> NodeState:
    """`left`: when it withdrew, and the request that it answered."""
    one = peer(now, local_address=LOCAL)
    here = NodeState(NODE, "Running", now, 1.0, observed_leave=leave, uid="process")
    if left is None:
        return replace(
            here,
            selected_by="policy",
            selected_by_kind="CiliumBGPPeeringPolicy",
            intended=6,
            announced=6,
            peers=(one,),
        )
    at, answers = left
    record = WithdrawnRecord("drain", at, at, at, (WithdrawnPeer(one, 6),), answers=answers, uid="process")
    return replace(here, phase="Withdrawn", withdrawn=record)


def _concluded(events: Events, world: World, typed: CommandLine) -> Events:
    return told((yield from events), world, typed)


def finish(events: Events) -> Result:
    """Run to the end."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            result: Result = end.value
            return result


def until(events: Events, step: str, *states: str) -> None:
    """Run until a step says that it is in one of `states`; every run may be left there for good."""
    for event in events:
        if event.step == step and (not states or event.state in states):
            return
    raise AssertionError(f"it ended before {step}")


@cache
def _seeded() -> direct.Api:
    """A Ready node, selected by a policy."""
    api = direct.Api()
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    policy = objects.policy(objects.router(objects.neighbor("192.0.2.1/32")))
    api.server.apply(*KINDS, objects.node(NODE, status=ready), policy)
    return api


@contextmanager
def running() -> Iterator[Rig]:
    """A Ready node with one pod, selected by a policy, its speaker in service."""
    api = _seeded().fork()
    clock = Time(api.time)
    before, lease.now = lease.now, lambda: stamp(clock.at)
    try:
        rig = Rig(api, clock, direct.Wire(api).client())
        rig.add_pod()
        rig.speak()
        clock.meanwhile = rig.live
        yield rig
    finally:
        lease.now = before


def stamp(seconds: float) -> str:
    """As a Lease tells an instant."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

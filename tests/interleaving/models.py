"""Speakers, routers and a kubelet as small models that obey what real ones were measured to do
(facts/bgp.md): what a router has of a node is the truth by which every run is judged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import ip_address, ip_network
from typing import Any

from bgpctl.core.model import IPV4, GracefulRestart, Session, SessionState
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.state import (
    HEARTBEAT_SECONDS,
    NodeState,
    PeerState,
    WithdrawnPeer,
    WithdrawnRecord,
    timestamp,
)
from bgpctl.core.state_document import to_document
from bgpctl.kube import paths
from bgpctl.witness.model import Path, RouterAnswer, RouteState, answered
from tests.interleaving import seeded
from tests.interleaving.sim import BEGIN, Sim

_network = cache(ip_network)
RECONNECT = 1.0
DEAD = "dead"


@dataclass(slots=True)
class Router:
    """`routes`: node -> prefix -> until when a stale one is kept (None = it is live). `met`: the nodes that
    it had routes of, and that have not withdrawn them as they removed it."""

    sim: Sim
    address: str
    down: bool = False
    answers: bool = True
    routes: dict[str, dict[str, float | None]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    def has(self, node: str) -> dict[str, float | None]:
        """What traffic of this router still follows to the node."""
        now = self.sim.t
        return {p: until for p, until in self.routes.get(node, {}).items() if until is None or until > now}

    def maintenance(self, seconds: float) -> None:
        """Its sessions are down and its routes gone, for a while."""
        self.down, self.routes = True, {}
        self.sim.say(f"router {self.address}: maintenance for {seconds:.1f} s")

        def up() -> None:
            self.down = False
            for speaker in self.sim.speakers:  # type: ignore[attr-defined]
                self.sim.later(RECONNECT, speaker.connect)

        self.sim.later(seconds, up)


@dataclass(slots=True)
class Speaker:
    """One node's speaker with an ExaBGP of its own. `hung`: the manager stands still, ExaBGP speaks on.
    `left`: the peers that may keep what was never withdrawn from them; a file has that for the next one."""

    sim: Sim
    node: str
    skew: float = 0.0
    alive: bool = True
    hung: bool = False
    graceful: bool = True
    phase: str = "Starting"
    started: float = 0.0
    leave: str = ""
    routes: tuple[str, ...] = ()
    sessions: set[str] = field(default_factory=set)
    record: WithdrawnRecord | None = None
    left: dict[str, PeerState] = field(default_factory=dict)
    life: int = 0
    _beat: int = 0
    _told: tuple[NodeState, dict[str, Any]] | None = None

    # -- life

    def start(self) -> None:
        self.alive, self.hung, self.phase, self.started = True, False, "Starting", self._now()
        self.life += 1
        self.react()

    def kill(self) -> None:
        """SIGKILL of the manager: ExaBGP goes with it; the routers keep the routes for the restart time."""
        self.alive = False
        self._close(keep=self.graceful)

    def restart(self, seconds: float) -> None:
        """SIGTERM: with graceful restart it goes silently, else it withdraws; then it comes back."""
        if not self.alive or self.hung:
            return
        self.phase = "Stopped"
        self._publish(at_once=True)
        self.kill()
        self.sim.later(seconds, self.start)

    def react(self) -> None:
        """One pass of the loop: read everything, do what is to be done, tell."""
        if not self.alive or self.hung:
            return
        node = self.sim.node(self.node)
        metadata = node["metadata"] if node else {}
        selected = (metadata.get("labels") or {}).get(seeded.LABEL) == "true"
        self.leave = (metadata.get("annotations") or {}).get(LEAVE, "")
        if selected and self.sim.find(seeded.POLICY):
            self._serve()
        elif self.phase in ("Running", "Starting") and self.routes:
            self._withdraw()
        elif self.phase not in ("Withdrawn", "Idle"):
            self.phase = "Idle"
        self._publish()

    def _serve(self) -> None:
        number = self.node.rpartition("-")[2]
        self.routes = (seeded.VIP, f"10.244.{number}.0/24")
        self.phase = "Running"
        for address in self.sessions - set(self._peers()):
            self._leave(address)
        self.connect()

    def _leave(self, address: str) -> None:
        """It is no peer any more: withdrawn from while its session is up. A run that never saw it has nobody
        to ask then."""
        router = self.sim.routers[address]  # type: ignore[attr-defined]
        if router.down:
            self.left[address] = self._peer(address)
        else:
            router.met.discard(self.node)
        router.routes.pop(self.node, None)
        self.sessions.discard(address)

    def connect(self) -> None:
        """ExaBGP's part: it needs no manager."""
        if not self.alive or not self.routes:
            return
        peers = self._peers()
        for router in self.sim.routers.values():  # type: ignore[attr-defined]
            if not router.down and router.address in peers:
                self.sessions.add(router.address)
                self.left.pop(router.address, None)
                router.routes[self.node] = dict.fromkeys(self.routes, None)
                router.met.add(self.node)

    def _withdraw(self) -> None:
        now = self._now()
        had = dict.fromkeys((*self._peers(), *sorted(self.sessions)))  # a policy may have changed just now
        peers = tuple(WithdrawnPeer(self._peer(a), len(self.routes)) for a in had)
        for address in had:
            router = self.sim.routers[address]  # type: ignore[attr-defined]
            if not router.down and address in self.sessions:
                router.routes.pop(self.node, None)
        self.record = WithdrawnRecord("drain", now, now, now, peers, answers=self.leave, uid=self._uid)
        self.phase, self.routes = "Withdrawn", ()
        self.sessions.clear()

    def _close(self, *, keep: bool) -> None:
        """Its sessions end without a withdraw."""
        for address in self.sessions:
            router = self.sim.routers[address]  # type: ignore[attr-defined]
            if keep:
                self.left[address] = replace(self._peer(address), session=_down(address, self.local))
            kept = router.routes.get(self.node, {})
            until = self.sim.t + seeded.RESTART_SECONDS
            router.routes[self.node] = dict.fromkeys(kept, until) if keep else {}
        self.routes = ()
        self.sessions.clear()

    # -- words

    def beat(self) -> None:
        """A heartbeat, as long as anybody is there to write it."""
        self._publish(at_once=True)
        self.sim.later(HEARTBEAT_SECONDS, self.beat)

    def _now(self) -> float:
        return self.sim.t + self.skew

    def _peers(self) -> tuple[str, ...]:
        policy = self.sim.find(seeded.POLICY)
        if policy is None:
            return ()
        neighbors = policy["spec"]["virtualRouters"][0]["neighbors"]
        return tuple(n["peerAddress"].partition("/")[0] for n in neighbors)

    def _peer(self, address: str) -> PeerState:
        router = self.sim.routers[address]  # type: ignore[attr-defined]
        up = self.alive and bool(self.routes) and not router.down
        return peer(address, self.local, up, len(self.routes))

    @property
    def _uid(self) -> str:
        return f"process-{self.life}"

    @property
    def local(self) -> str:
        return f"192.0.2.1{self.node.rpartition('-')[2]}"

    def _state(self) -> NodeState:
        peers = tuple(self._peer(a) for a in self._peers()) if self.phase == "Running" else ()
        return NodeState(
            self.node,
            self.phase,
            BEGIN,
            self.started,
            engine_mode="own",
            selected_by="policy" if self.phase == "Running" else "",
            selected_by_kind="CiliumBGPPeeringPolicy" if self.phase == "Running" else "",
            intended=len(self.routes),
            announced=len(self.routes),
            peers=peers,
            unwithdrawn=tuple(self.left.values()),
            withdrawn=self.record,
            observed_leave=self.leave,
            uid=self._uid,
        )

    def _document(self, state: NodeState) -> dict[str, Any]:
        """The state with this moment's heartbeat. Most speakers tell the same again most of the time."""
        if self._told is None or self._told[0] != state:
            self._told = state, to_document(state)
        document = self._told[1]
        return {**document, "status": {**document["status"], "heartbeatTime": timestamp(self._now())}}

    def _publish(self, *, at_once: bool = False) -> None:
        """What was so when it was decided reaches the API server a little later; a later word overtakes
        it."""
        if not self.alive or self.hung:
            return
        state, life = self._state(), self.life
        self._beat += 1
        number = self._beat

        def write() -> None:
            if life != self.life or number != self._beat or (self.hung and not at_once):
                return
            path = paths.node_state(self.node)
            document = self._document(state)
            if self.sim.find(path) is None:
                self.sim.create(path, document)
            self.sim.modify(path, lambda old: old, status=document["status"])

        if at_once:
            write()
        else:
            self.sim.later(self.sim.rng.uniform(0.005, 0.3), write)


def _down(address: str, local: str) -> Session:
    return peer(address, local, False, 0).session


@cache
def peer(address: str, local: str, up: bool, routes: int) -> PeerState:
    """A peer as the speaker at `local` tells of it."""
    state = SessionState.ESTABLISHED if up else SessionState.ACTIVE
    restart = GracefulRestart(seeded.RESTART_SECONDS, families=((IPV4, True),))
    session = Session(
        f"p-{address}",
        state,
        local_address=ip_address(local),
        hold_time=seeded.HOLD_SECONDS,
        keepalive_time=1,
        families=(IPV4,),
        local_gr=restart,
        peer_gr=restart,
        end_of_rib=up,
    )
    return PeerState(
        f"p-{address}",
        address,
        179,
        65000,
        65001,
        session,
        seeded.RESTART_SECONDS,
        seeded.HOLD_SECONDS,
        1,
        routes,
        routes,
    )


@dataclass(slots=True)
class Probe:
    """A router as bgpctl asks it. `target` is the router that really answers, `peer` the one it is said to
    be."""

    sim: Sim
    target: str
    peer: str | None = None
    kind: str = "bird"

    def routes_from(self, neighbor: str) -> RouterAnswer:
        self.sim.pause(0.005)
        router = self.sim.routers[self.target]  # type: ignore[attr-defined]
        if not router.answers:
            return RouterAnswer("bird", neighbor, RouteState.UNKNOWN, detail="connection refused")
        node = next((s.node for s in self.sim.speakers if s.local == neighbor), "")  # type: ignore[attr-defined]
        found = router.has(node)
        routes = tuple(Path(_network(p), neighbor, stale=until is not None) for p, until in found.items())
        return answered("bird", neighbor, routes, "idle" if router.down else "established", None)

    def paths(self, prefix: object) -> tuple[Path, ...]:
        return ()


@dataclass(slots=True)
class Kubelet:
    """Ends the pods that were deleted, after their grace."""

    sim: Sim
    _ending: set[str] = field(default_factory=set)

    def look(self) -> None:
        for pod in self.sim.all(paths.PODS):
            metadata = pod["metadata"]
            if metadata.get("deletionTimestamp") and metadata["uid"] not in self._ending:
                self._ending.add(metadata["uid"])
                place = paths.pod(metadata["namespace"], metadata["name"])
                self.sim.later(seeded.GRACE, lambda p=place, u=metadata["uid"]: self._end(p, u))

    def _end(self, path: str, uid: str) -> None:
        found = self.sim.find(path)
        if found is not None and found["metadata"]["uid"] == uid:
            self.sim.delete(path)


@dataclass(slots=True)
class World(Sim):
    """A Sim with its speakers, routers and kubelet. They react to the Node with a lag."""

    speakers: list[Speaker] = field(default_factory=list)
    routers: dict[str, Router] = field(default_factory=dict)
    kubelet: Any = None
    _seen: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Sim.__post_init__(self)
        self.routers = {a: Router(self, a) for a in (seeded.ROUTER, seeded.SECOND)}
        skew = self.rng.choice((0.0, 0.0, -3600.0, 100.0))
        self.speakers = [Speaker(self, n, skew, started=BEGIN - 900) for n in (seeded.NODE, seeded.OTHER)]
        self.kubelet = Kubelet(self)
        for speaker in self.speakers:
            speaker.react()
            self.later(self.rng.uniform(1, HEARTBEAT_SECONDS), speaker.beat)
        self.quiet(1.0)

    @property
    def speaker(self) -> Speaker:
        """The one of the node that is drained."""
        return self.speakers[0]

    def has(self, node: str = seeded.NODE) -> dict[str, dict[str, float | None]]:
        """The truth: which routers still have which routes of the node."""
        return {r.address: found for r in self.routers.values() if (found := r.has(node))}

    def changed(self) -> None:
        """Something was written: whoever watches reacts a little later."""
        self.kubelet.look()
        for speaker in self.speakers:
            self.later(self.rng.uniform(0.02, 0.4), speaker.react)

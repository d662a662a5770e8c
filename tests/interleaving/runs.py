"""bgpctl's commands as actors of an interleaving: the real World, on the real client, under one clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.errors import BgpctlError
from bgpctl.kube.client import Client
from bgpctl.lab.api.requests import Answer
from bgpctl.queries import nodes
from bgpctl.runbooks import engine
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.child import ASK_EVERY
from bgpctl.runbooks.drain import conclude
from bgpctl.runbooks.hold import Hold
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from bgpctl.runbooks.plan import plan
from bgpctl.runbooks.questions import Questions
from bgpctl.runbooks.routers import Routers
from tests.interleaving import seeded
from tests.interleaving.models import Probe, World
from tests.interleaving.sim import Actor
from tests.support import direct
from tests.support.direct import Asked

RENEW = 5.0
REQUEST = (0.001, 0.012)  # seconds that a request takes
TIMEOUT = 25.0  # more than the worst case of these routers (hold time and restart time 3 s)


@dataclass(slots=True)
class SimClock:
    """`bgpctl.runbooks.clock.Clock` of one run. `error`: how far its idea of the API server's time is off."""

    sim: World
    error: float = 0.0
    hold: Hold | None = None

    def now(self) -> float:
        return self.sim.t + self.error

    @property
    def name(self) -> str:
        return f"sim/{self.error}"

    def monotonic(self) -> float:
        return self.sim.t

    def sleep(self, seconds: float) -> None:
        """In slices, in which the thread that renews the Lease has its turns."""
        ends = self.sim.t + seconds
        while self.sim.t < ends:
            self.sim.pause(min(RENEW, ends - self.sim.t))
            if self.hold and self.hold.lock:
                self.hold.lock.renew_when_due()


@dataclass(slots=True)
class Run:
    """One command. `reading`: it may not write. `result` once it has ended; `problem`: what else it
    raised."""

    sim: World
    name: str
    node: str = seeded.NODE
    reading: bool = False
    result: Result | None = None
    problem: BaseException | None = None
    actor: Actor | None = None
    world: Any = None
    fenced: bool = False  # its last request read or renewed a Lease that names it
    writes: list[str] = field(default_factory=list)
    wrote_at: list[int] = field(default_factory=list)  # the turns of these writes
    probes: tuple[Probe, ...] = ()
    dies: int = -1  # kill -9: 2n before its n-th write, 2n + 1 after it

    @property
    def holder(self) -> str:
        return self.world.hold.holder if self.world else ""

    def client(self) -> Client:
        return direct.Wire(self.sim.api, before=self._before, after=self._after).client()

    def _before(self, asked: Asked) -> Answer | None:
        """Others go on first; then the API server may be away."""
        self.sim.pause(self.sim.rng.uniform(*REQUEST))
        self.sim.promise.before(self, asked)  # type: ignore[attr-defined]
        self._die(asked, 2 * len(self.writes))
        code = self.sim.trouble()  # type: ignore[attr-defined]
        if code == 0:
            raise direct.lost()
        return direct.refused(code, "Forbidden" if code == 403 else "") if code else None

    def _after(self, asked: Asked, found: Answer) -> None:
        leases = asked.resource == "leases" and found.code < 300  # read, or renewed
        self.fenced = leases and self.sim.lease_holder(self.node) == self.holder
        if asked.writes:
            self.writes.append(str(asked))
            self.wrote_at.append(self.sim.turns)
            if found.code < 300:
                self.sim.say(f"{self.name}: {asked}")
                self.sim.promise.after(self, asked)  # type: ignore[attr-defined]
                self.sim.changed()
        self._die(asked, 2 * len(self.writes) - 1)
        if found.code < 300 and self.sim.lost_answer():  # type: ignore[attr-defined]
            raise direct.lost()

    def _die(self, asked: Asked, now: int) -> None:
        if asked.writes and now == self.dies:
            assert self.actor is not None
            self.sim.say(f"{self.name}: killed")
            self.sim.kill(self.actor)
            self.sim.pause(0.0)

    def build(self, probes: tuple[Probe, ...], **options: Any) -> Any:
        clock = SimClock(self.sim, _error(self.sim.rng))
        self.world = worlds.build(
            self.client(),
            self.node,
            self.name,
            timeout=TIMEOUT,
            routers=Routers(probes, Questions(at_once=False)),
            clock=clock,  # type: ignore[arg-type]
            background=False,
            **options,
        )
        # Process ids would make runs of this one process look alike, and each dead for the other.
        self.world.hold.holder = f"u@{self.name}:1/{self.name}-boot"
        clock.hold = self.world.hold
        return self.world

    def finish(self, events: Any) -> None:
        """Drive a run to its end."""
        try:
            while True:
                next(events)
        except StopIteration as stop:
            last = self.world.last_journal if self.world else None
            self.result = conclude(stop.value, last) if stop.value.status != "planned" else stop.value
        except Exception as error:
            self.problem = error
        self.sim.say(f"{self.name}: ended {self.result.status if self.result else self.problem!r}")


def drain(
    sim: World,
    name: str,
    *,
    node: str = seeded.NODE,
    order: str = "guide",
    command: bool = False,
    take_over: bool = False,
    probes: tuple[Probe, ...] = (),
    budget: int = 1,
    assume_dead: bool = False,
    timeout: float = TIMEOUT,
    dies: int = -1,
) -> Run:
    run = Run(sim, name, node, probes=probes, dies=dies)
    options = DrainOptions(
        node,
        order,
        timeout,
        eviction=EvictionOptions(ignore_daemonsets=True),
        shutdown_command=("poweroff",) if command else (),
        take_over=take_over,
        assume_dead=assume_dead,
        lifted=frozenset({"--allow-address-gap", "--allow-last-path"}),
    )

    def body() -> None:
        world = run.build(probes, eviction=options.eviction, lifted=options.lifted, max_unavailable=budget)
        run.finish(engine.run("drain", node, name, node_drain(options, name), world, timeout))

    return _begin(run, body)


def restore(
    sim: World, name: str, *, take_over: bool = False, timeout: float = TIMEOUT, dies: int = -1
) -> Run:
    run = Run(sim, name, dies=dies)
    options = RestoreOptions(seeded.NODE, timeout, take_over=take_over)

    def body() -> None:
        world = run.build(())
        run.finish(engine.run("restore", seeded.NODE, name, node_restore(options, name), world, timeout))

    return _begin(run, body)


def dry_run(sim: World, name: str) -> Run:
    run = Run(sim, name, reading=True)
    options = DrainOptions(seeded.NODE, eviction=EvictionOptions(ignore_daemonsets=True))

    def body() -> None:
        world = run.build((), eviction=options.eviction)
        run.finish(plan("drain", seeded.NODE, name, node_drain(options, name), world))

    return _begin(run, body)


def status(sim: World, name: str) -> Run:
    run = Run(sim, name, reading=True)

    def body() -> None:
        try:
            nodes.node_reports(run.client(), ())
        except (BgpctlError, AssertionError) as error:
            run.problem = error

    return _begin(run, body)


def _begin(run: Run, body: Callable[[], None]) -> Run:
    run.actor = run.sim.act(run.name, body, skew=run.sim.rng.choice((0.0, 0.0, -3600.0, 100.0)))
    return run


@dataclass(frozen=True, slots=True)
class Commands:
    """What `bgpctl.runbooks.child` is to runs: their shutdown command, seen by the promise. `takes`: the
    seconds for which it may run, while others go on; `fails`: how often it does."""

    sim: World
    takes: tuple[float, ...] = (0.0,)
    fails: float = 0.0

    def run(
        self, argv: list[str], timeout: float | None, still: Callable[[], None] = lambda: None
    ) -> tuple[int, str]:
        self.sim.say(f"command {' '.join(argv)}")
        run = self.sim.running()  # type: ignore[attr-defined]
        with self.sim.promise.powering_off(run):  # type: ignore[attr-defined]
            ends = self.sim.t + self.sim.rng.choice(self.takes)
            while self.sim.t < ends:
                run.world.hold.clock.sleep(min(ASK_EVERY, ends - self.sim.t))
                still()
        return int(self.sim.rng.random() < self.fails), ""


def _error(rng: Random) -> float:
    """How far a run is from the API server's time: a second's fraction, or, when it talks to another server
    than the others, minutes."""
    return rng.choice((-90.0, 40.0, 90.0)) if rng.random() < 0.06 else rng.uniform(-0.5, 0.5)

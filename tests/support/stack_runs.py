"""Whole runs on one node of a cluster whose BGP another stack runs, on the embedded API and in its time:
while a run waits, the stack's controllers work. A run may be killed at any of its writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Generic, Protocol, TypeVar

import pytest

from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.runbooks import engine
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.hold import Hold
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from bgpctl.runbooks.routers import Routers
from bgpctl.witness.model import Path, RouterAnswer, answered
from tests.support import direct

NODE = "n1"
SECONDS = 600  # that a run may take, in the cluster's time


class Killed(BaseException):
    """kill -9: nothing of the run happens any more."""


class Cluster(Protocol):
    """`tick`: one round of each controller. `objects`: everything that a drain touches."""

    @property
    def api(self) -> direct.Api: ...
    def tick(self) -> None: ...
    def objects(self) -> dict[str, Any]: ...


class Sender(Protocol):
    """What speaks BGP on the node, as the router named by its address sees it."""

    def up(self, router: str) -> bool: ...
    def sent(self, router: str) -> Sequence[str]: ...


C = TypeVar("C", bound=Cluster)


@dataclass
class Probe:
    """A router that has what the node sends it."""

    sender: Sender
    peer: str
    kind: str = "test"

    @property
    def target(self) -> str:
        return self.peer

    def routes_from(self, neighbor: str) -> RouterAnswer:
        paths = tuple(Path(ip_network(one), neighbor, False) for one in self.sender.sent(self.peer))
        session = "established" if self.sender.up(self.peer) else "active"
        return answered(f"test {self.peer}", neighbor, paths, session, None, local=self.peer)


@dataclass
class Runs(Generic[C]):
    """Of one stack: each has its own. `forbidden`: what may not be written. `number`: of the last run,
    `writes`: how many that made. `wire`: who runs it."""

    cluster: C
    forbidden: str = ""
    number: int = 0
    writes: int = 0
    wire: Callable[[direct.Api], direct.Wire] = direct.Wire

    shortest = 1.0
    """Seconds that pass at least when a run waits."""

    def provider(self, client: Client) -> Provider:
        raise NotImplementedError

    def options(self) -> DrainOptions:
        raise NotImplementedError

    def probes(self) -> Sequence[Probe]:
        return ()

    def tick(self) -> None:
        self.cluster.tick()

    def run(
        self, command: str, dies: Callable[[int], bool] = lambda _: False, *, after: bool = False
    ) -> Result:
        """`dies`: asked before each write by its number; True = it is killed before that is carried out, or
        right `after`. Raises Killed."""
        self.number, self.writes, dead = self.number + 1, 0, False
        name, clock = f"{self.number:08x}", _Clock(self)
        wire = self.wire(self.cluster.api)
        noted = wire.after

        def count(asked: direct.Asked) -> Any:
            nonlocal dead
            if dead:
                raise Killed
            if asked.writes and self.forbidden and self.forbidden in asked.path:
                return direct.refused(403)
            if asked.writes:
                self.writes += 1
                dead = dies(self.writes)
                if dead and not after:
                    raise Killed
            return None

        def carried(asked: direct.Asked, answer: Any) -> None:
            noted(asked, answer)
            if dead:
                raise Killed

        wire.before, wire.after = count, carried  # type: ignore[assignment]
        client = wire.client()
        world = worlds.build(
            client,
            NODE,
            name,
            provider=self.provider(client),
            timeout=SECONDS,
            routers=Routers(self.probes()),  # type: ignore[arg-type]
            clock=clock,  # type: ignore[arg-type]
            background=False,
        )
        clock.hold = world.hold
        drain, restore = self.options(), RestoreOptions(NODE)
        steps = node_drain(drain, name) if command == "drain" else node_restore(restore, name)
        return finished(engine.run(command, NODE, name, steps, world, SECONDS))


@dataclass
class _Clock:
    """While a run waits, time passes and the stack works."""

    runs: Runs[Any]
    hold: Hold | None = None
    name = ""

    def now(self) -> float:
        return float(self.runs.cluster.api.time.now)

    monotonic = now

    def sleep(self, seconds: float) -> None:
        self.runs.cluster.api.time.move(max(seconds, self.runs.shortest))
        self.runs.tick()
        if self.hold and self.hold.lock:
            self.hold.lock.renew_when_due()


R = TypeVar("R", bound=Runs[Any])


def killed_at_each_write(
    fresh: Callable[[], R], command: str = "drain", *, after: bool = True, step: int = 1
) -> Iterator[tuple[int, R, dict[str, Any]]]:
    """A new cluster for every (or every `step`th) write of a run, which was killed there: the write's number,
    its runs, and the cluster's objects as they were before."""
    whole = fresh()
    whole.run("drain")
    if command == "restore":
        whole.run("restore")
    for number in range(1, whole.writes + 1, step):
        runs = fresh()
        before = runs.cluster.objects()
        if command == "restore":
            runs.run("drain")
        with pytest.raises(Killed):
            runs.run(command, lambda n, number=number: n == number, after=after)  # type: ignore[misc]
        yield number, runs, before


def finished(events: Any) -> Result:
    """The result of a run, whatever it told on the way."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            result: Result = end.value
            return result


def proof(result: Result) -> str:
    """By what the routes are gone, or back."""
    told = [step.text for step in result.steps if step.step in ("Withdrawn", "Announced")]
    return "confirmed" if "confirmed by" in told[-1] else told[-1]


def verbs(told: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """What happened to each session, in order."""
    found: dict[str, list[str]] = {}
    for verb, router in told:
        found.setdefault(router, []).append(verb)
    return found

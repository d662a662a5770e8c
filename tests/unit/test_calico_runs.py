"""Whole runs on a node that Calico runs: killed before and after every write, refused, undone. No session is
reset or closed, and everything is afterwards as before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.kube import paths
from bgpctl.providers.calico import Calico
from bgpctl.runbooks import engine
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.hold import Hold
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from bgpctl.runbooks.routers import Routers
from bgpctl.witness.model import Path, RouterAnswer, answered
from tests.support import direct
from tests.support.calico_cluster import NODE, OTHER, ROUTERS, Cluster


class Killed(BaseException):
    """kill -9: nothing of the run happens any more."""


@dataclass
class Probe:
    """A router that has what the node's BIRD sends it."""

    cluster: Cluster
    peer: str
    kind: str = "test"
    target: str = ""

    def routes_from(self, neighbor: str) -> RouterAnswer:
        engine = self.cluster.engines[NODE]
        up = self.peer in engine.running and self.peer not in engine.down
        sends = up and engine.running[self.peer][1]
        paths_ = tuple(Path(ip_network(one), neighbor, False) for one in (engine.exported if sends else ()))
        session = "established" if up else "active"
        return answered(f"test {self.peer}", neighbor, paths_, session, None, local=self.peer)


@dataclass
class Clock:
    """While a run waits, time passes and calico-node works."""

    cluster: Cluster
    hold: Hold | None = None
    name = ""

    def now(self) -> float:
        return self.cluster.api.time.now

    monotonic = now

    def sleep(self, seconds: float) -> None:
        self.cluster.api.time.move(max(seconds, 1.0))
        for agent in self.cluster.agents:
            agent.once()
        if self.hold and self.hold.lock:
            self.hold.lock.renew_when_due()


@dataclass
class Runs:
    """Runs on one cluster. `dies`: asked before each write that a run makes, by its number; True = now."""

    cluster: Cluster
    asked: bool = True
    number: int = 0
    writes: int = 0
    forbidden: str = ""  # what may not be written
    probes: list[Probe] = field(default_factory=list)

    def run(
        self, command: str, dies: Callable[[int], bool] = lambda _: False, *, after: bool = False
    ) -> Result:
        self.number, self.writes, dead = self.number + 1, 0, False
        name, clock = f"{self.number:08x}", Clock(self.cluster)
        wire = direct.Wire(self.cluster.api)

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
            if dead:
                raise Killed

        wire.before, wire.after = count, carried  # type: ignore[assignment]
        client = wire.client()
        probes = [Probe(self.cluster, router, target=router) for router in ROUTERS] if self.asked else []
        world = worlds.build(
            client,
            NODE,
            name,
            provider=Calico(client),
            timeout=600,
            routers=Routers(probes),  # type: ignore[arg-type]
            clock=clock,  # type: ignore[arg-type]
            background=False,
        )
        clock.hold = world.hold
        drain = DrainOptions(NODE, settle=0, provider="calico")
        steps = node_drain(drain, name) if command == "drain" else node_restore(RestoreOptions(NODE), name)
        return finished(engine.run(command, NODE, name, steps, world, 600))


def finished(events: Any) -> Result:
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


def fresh(**options: Any) -> Runs:
    cluster = Cluster(**options)
    cluster.prepare()
    for name in (NODE, OTHER):
        cluster.told(name)
    return Runs(cluster)


def verbs(told: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for verb, router in told:
        found.setdefault(router, []).append(verb)
    return found


def test_it_leaves_and_comes_back() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    drained = runs.run("drain")
    assert (drained.status, proof(drained)) == ("done", "confirmed"), drained
    assert verbs(runs.cluster.told()) == {router: ["withdraw"] for router in ROUTERS}
    restored = runs.run("restore")
    assert (restored.status, proof(restored)) == ("done", "confirmed"), restored
    assert verbs(runs.cluster.told()) == {router: ["announce"] for router in ROUTERS}
    assert runs.cluster.objects() == before
    assert runs.cluster.told(OTHER) == [], "the other node was never touched"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_write_it_goes_on_and_is_undone(after: bool) -> None:
    whole = fresh()
    whole.run("drain")
    for number in range(1, whole.writes + 1):
        runs = fresh()
        before = runs.cluster.objects()
        with pytest.raises(Killed):
            runs.run("drain", lambda n, number=number: n == number, after=after)
        assert runs.run("drain").status == "done", number
        runs.cluster.round()
        assert verbs(runs.cluster.told()) == {router: ["withdraw"] for router in ROUTERS}, number
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number
        assert verbs(runs.cluster.told()) == {router: ["announce"] for router in ROUTERS}, number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_undone_from_any_write_on_without_a_reset(after: bool) -> None:
    whole = fresh()
    whole.run("drain")
    for number in range(1, whole.writes + 1):
        runs = fresh()
        before = runs.cluster.objects()
        with pytest.raises(Killed):
            runs.run("drain", lambda n, number=number: n == number, after=after)
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number
        assert not {"close", "reset", "open"} & {verb for verb, _ in runs.cluster.told()}, number


def test_a_restore_that_is_killed_at_any_write_goes_on() -> None:
    whole = fresh()
    whole.run("drain")
    whole.run("restore")
    for number in range(1, whole.writes + 1):
        runs = fresh()
        before = runs.cluster.objects()
        runs.run("drain")
        with pytest.raises(Killed):
            runs.run("restore", lambda n, number=number: n == number, after=True)
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_by_the_exclude_label_killed_at_any_write() -> None:
    whole = fresh(split=False, hidden=True)
    assert proof(whole.run("drain")) == "confirmed"
    for number in range(1, whole.writes + 1):
        runs = fresh(split=False, hidden=True)
        before = runs.cluster.objects()
        with pytest.raises(Killed):
            runs.run("drain", lambda n, number=number: n == number, after=True)
        assert runs.run("drain").status == "done", number
        assert runs.cluster.client.get(paths.node(NODE))["metadata"]["labels"][EXCLUDE] == "true"
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_without_a_router_it_is_blocked_and_comes_back() -> None:
    runs = fresh()
    runs.asked = False
    before = runs.cluster.objects()
    drained = runs.run("drain")
    assert drained.status == "blocked" and "--router-probe" in drained.hint, drained
    assert verbs(runs.cluster.told()) == {router: ["withdraw"] for router in ROUTERS}
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


def test_a_session_that_is_down_when_it_leaves_is_no_proof() -> None:
    runs = fresh()
    runs.cluster.engines[NODE].down.add(ROUTERS[0])
    runs.cluster.round()
    runs.asked = False
    assert runs.run("drain").status == "blocked"


def test_forbidden_to_patch_it_fails_and_is_undone() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    runs.forbidden = "bgppeers"
    assert runs.run("drain").status == "failed"
    runs.forbidden = ""
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


def test_somebody_who_takes_the_filter_away_is_answered() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    assert runs.run("drain").status == "done"
    runs.cluster.change("BGPPeer", "tor1-n1", filters=["own"])
    runs.cluster.round()
    again = runs.run("drain")
    assert (again.status, proof(again)) == ("done", "confirmed"), again
    assert runs.cluster.provider.lever(runs.cluster.client.get(paths.node(NODE))).policies == ()
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before

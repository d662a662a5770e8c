"""Every runbook, killed before and after every single thing it does, ends in the same world when run again.

The inverse tests show that the harness would notice: a world that really differs compares as different, and
the crash really happens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from copy import deepcopy

import pytest

from bgpctl.core.eviction import EvictionOptions
from bgpctl.runbooks import engine
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.drain import conclude
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from tests.kit.fakeworld import Cluster, Crashed, FakeWorld, cluster

pytestmark = pytest.mark.crash

EVICTION = EvictionOptions(ignore_daemonsets=True)
Runbook = Callable[[Cluster, int], Result]


def drain(order: str = "guide", command: tuple[str, ...] = ()) -> Runbook:
    options = DrainOptions("n1", order, eviction=EVICTION, shutdown_command=command)

    def run(world: Cluster, crash_at: int = -1) -> Result:
        name = f"run-{len(world.log)}"
        fake = FakeWorld(world, f"host:{name}", crash_at)
        return _finish(engine.run("drain", "n1", name, node_drain(options, name), fake, 600), fake)

    return run


def restore(world: Cluster, crash_at: int = -1) -> Result:
    name = f"run-{len(world.log)}"
    fake = FakeWorld(world, f"host:{name}", crash_at)
    steps = node_restore(RestoreOptions("n1"), name)
    return _finish(engine.run("restore", "n1", name, steps, fake, 600), fake)


def _finish(events: engine.Events, fake: FakeWorld) -> Result:
    while True:
        try:
            next(events)
        except StopIteration as end:
            return conclude(end.value, fake.last_journal)


def drained(**changes: object) -> Cluster:
    world = cluster(**changes)  # type: ignore[arg-type]
    assert drain()(world, -1).status == "done"
    return world


CASES = [
    pytest.param(cluster, drain(), id="drain, guide order"),
    pytest.param(cluster, drain("withdraw-first"), id="drain, withdraw first"),
    pytest.param(cluster, drain(command=("poweroff",)), id="drain with a shutdown command"),
    pytest.param(lambda: cluster(unschedulable=True), drain(), id="drain of a node cordoned by an admin"),
    pytest.param(lambda: cluster(router_asked=False), drain(), id="drain, nobody can ask the router"),
    pytest.param(lambda: cluster(speaker_alive=False, router_asked=False), drain(), id="drain, speaker dead"),
    pytest.param(drained, restore, id="restore"),
    pytest.param(lambda: drained(unschedulable=True), restore, id="restore, cordoned before"),
]


@pytest.mark.parametrize(("start", "runbook"), CASES)
def test_killed_anywhere_it_ends_in_the_same_world(start: Callable[[], Cluster], runbook: Runbook) -> None:
    fresh = start()
    unharmed = deepcopy(fresh)
    assert runbook(unharmed, -1).status == "done"
    deeds = len(unharmed.log) - len(fresh.log)
    assert deeds > 5

    for crash_at in range(2 * deeds):
        world = deepcopy(fresh)
        with pytest.raises(Crashed):
            runbook(world, crash_at)
        world.now += 1
        result = runbook(world, -1)
        assert result.status == "done", f"crash at {crash_at}: {result.message}"
        assert world.final() == unharmed.final(), f"crash at {crash_at}"


@pytest.mark.parametrize("crash_at", range(0, 40, 3))
def test_a_run_killed_twice_still_ends_there(crash_at: int) -> None:
    unharmed = cluster()
    drain()(unharmed, -1)
    world = cluster()
    for again in (crash_at, crash_at // 2):
        with contextlib.suppress(Crashed):
            drain()(world, again)
    assert drain()(world, -1).status == "done"
    assert world.final() == unharmed.final()


@pytest.mark.parametrize("crash_at", range(60))
def test_a_drain_killed_anywhere_can_be_restored_instead(crash_at: int) -> None:
    """The engineer changes their mind: whatever the drain did is undone, except that pods moved away."""
    world, before = cluster(), cluster()
    with contextlib.suppress(Crashed):
        drain()(world, crash_at)
    assert restore(world, -1).status == "done"
    after, start = world.final(), before.final()
    for untouched in ("labels", "unschedulable", "routes", "journal"):
        assert after[untouched] == start[untouched], untouched


def test_inverse_the_comparison_would_notice() -> None:
    world, other = cluster(), cluster()
    drain()(world, -1)
    assert world.final() != other.final()
    other.labels["enable-bgp"] = "false"
    assert world.final() != other.final()


def test_inverse_without_a_second_run_the_world_is_half_way() -> None:
    unharmed, world = cluster(), cluster()
    drain()(unharmed, -1)
    with pytest.raises(Crashed):
        drain()(world, 9)
    assert world.final() != unharmed.final()

"""A new session waits until what it is made of stands still; nothing else waits."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest

from bgpctl.core.intent.settling import LONGEST, SETTLE, settle
from tests.support import engines, objects
from tests.support.rig import AWAY, A, B, Clock, Rig, world

ONE, TWO = engines.peer("127.0.0.100", 179), engines.peer("127.0.0.101", 179)

# --- the rule (pure) --------------------------------------------------------------------------------------


def test_a_new_peer_waits_for_a_pause() -> None:
    found = settle((ONE,), (), {}, 10.0)
    assert found.held == {ONE.name} and found.due == pytest.approx(SETTLE)
    found = settle((ONE,), (), found.memory, 10.01 + SETTLE)
    assert (found.held, found.due) == (frozenset(), math.inf)


def test_one_that_changes_waits_again_but_not_for_ever() -> None:
    now, memory, held = 10.0, settle((ONE,), (), {}, 10.0).memory, frozenset({ONE.name})
    while held:
        now += SETTLE / 2
        held, memory, due = settle((replace(ONE, hold_time=int(now * 10)),), (), memory, now)
        assert not held or due <= SETTLE + 0.001
    assert LONGEST * SETTLE <= now - 10.0 <= (LONGEST + 0.5) * SETTLE


def test_one_that_runs_does_not_wait_nor_one_that_ran_so() -> None:
    found = settle((ONE,), {ONE.name}, {}, 10.0)
    assert not found.held
    assert not settle((replace(ONE, hold_time=30),), {ONE.name}, found.memory, 10.1).held
    assert not settle((ONE,), (), found.memory, 10.5).held, "an engine that died gets it back at once"


def test_each_peer_waits_for_itself() -> None:
    found = settle((ONE,), (), {}, 10.0)
    found = settle((ONE, TWO), {ONE.name}, found.memory, 10.3)
    assert found.held == {TWO.name}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


# --- in the manager ---------------------------------------------------------------------------------------


def test_a_manager_starts_a_session_with_its_second_definition(clock: Clock) -> None:
    rig = Rig(world(objects.service("web", "192.0.2.80")), settle=SETTLE)
    assert rig.tick() == pytest.approx(SETTLE)
    assert rig.did() == [] and rig.state.phase == "Starting"
    clock.now += 0.03
    other = objects.policy(objects.router(objects.neighbor(peerPort=1179)))
    assert rig.tick(world(objects.service("web", "192.0.2.80"), policy=other)) == pytest.approx(SETTLE)
    assert rig.did() == []
    clock.now += SETTLE + 0.001
    rig.tick()
    assert rig.did()[0] == "Configure" and rig.did().count("Leave") == 0
    assert [peer.port for peer in rig.engine.observed().peers.values()] == [1179]
    assert rig.state.phase == "Running"


def test_nothing_that_runs_waits_for_a_new_peer(clock: Clock) -> None:
    one = objects.policy(objects.router(objects.neighbor()))
    rig = Rig(world(objects.service("web", "192.0.2.80"), policy=one), settle=SETTLE)
    rig.tick()
    clock.now += SETTLE + 0.001
    rig.tick()
    clock.now += 1
    rig.tick(world(objects.service("new", "192.0.2.81")))
    assert rig.did() == ["Withdraw", "Announce"], "of the session that runs, while another one waits"
    assert set(rig.engine.observed().peers) == {A}
    clock.now += SETTLE + 0.001
    rig.tick()
    assert set(rig.engine.observed().peers) == {A, B}
    rig.tick(world(labels=AWAY))
    assert rig.state.phase == "Withdrawn", "a leave never waits"


def test_a_node_that_leaves_before_its_session_began_is_idle(clock: Clock) -> None:
    rig = Rig(world(), settle=SETTLE)
    rig.tick()
    rig.tick(world(labels=AWAY))
    assert (rig.state.phase, rig.did()) == ("Idle", [])


def test_the_next_look_is_for_the_peer_that_is_due_first() -> None:
    found = settle((ONE,), (), {}, 10.0)
    found = settle((ONE, TWO), (), found.memory, 10.0 + SETTLE / 2)
    assert found.held == {ONE.name, TWO.name} and found.due == pytest.approx(SETTLE / 2)

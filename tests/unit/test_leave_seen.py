"""Which request to leave (`bgpctl.io/leave`) a state and a withdrawn record answer."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.diff import Action, Leave
from bgpctl.core.policy.annotations import LEAVE, LEAVE_REASON, leave_name, leave_reason
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import from_document, to_document
from bgpctl.errors import Temporary
from bgpctl.ports import Mode
from bgpctl.runbooks import proof
from bgpctl.speaker.status.publisher import Pace
from tests.support import objects
from tests.support.fake_engine import Departed
from tests.support.rig import AWAY, A, B, Rig, world

WEB = objects.service("web", "192.0.2.80")


def asked(name: str | None, labels: dict[str, str] | None = None, **more: Any) -> ClusterObjects:
    return world(WEB, labels=labels, annotations={} if name is None else {LEAVE: name}, **more)


@pytest.fixture
def rig() -> Rig:
    made = Rig(asked(None))
    made.engine.established = {A, B}
    made.tick()
    return made


@pytest.mark.parametrize("name", ["a", "drain-7.f_X", "x" * 63])
def test_a_name_is_a_name(name: str) -> None:
    assert leave_name({LEAVE: name}) == name


@pytest.mark.parametrize("name", ["", "x" * 64, "two words", "a/b", "a\n", "\u00e4", "a\x00"])
def test_what_is_no_name_is_no_request(name: str) -> None:
    assert leave_name({LEAVE: name}) == ""
    assert leave_name({}) == ""


@pytest.mark.parametrize("text", ["a new disk", "d\u00e9j\u00e0 vu", "x" * 120])
def test_a_reason_is_a_line(text: str) -> None:
    assert leave_reason({LEAVE_REASON: text}) == text


@pytest.mark.parametrize("text", ["", " ", "x" * 121, "two\nlines", "\x1b[31mred", "\u202egnp"])
def test_what_is_no_line_is_no_reason(text: str) -> None:
    assert leave_reason({LEAVE_REASON: text}) == leave_reason({}) == ""


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({}, "node leaves service (bgpctl)"),
        ({LEAVE_REASON: "a new disk"}, "node leaves service: a new disk (bgpctl)"),
    ],
)
def test_the_routers_are_told_why(rig: Rig, annotations: dict[str, str], told: str) -> None:
    rig.tick(world(WEB, labels=AWAY, annotations={LEAVE: "one", **annotations}))
    assert [action.reason for action in rig.engine.performed if isinstance(action, Leave)] == [told]
    assert rig.state.withdrawn is not None and rig.state.withdrawn.reason == told


def test_nothing_is_seen_before_anything_is_decided() -> None:
    before = NodeState("worker-1", "Withdrawn", observed_leave="old")
    rig = Rig(None, recall=lambda: before)
    rig.tick()
    assert (rig.state.phase, rig.state.observed_leave) == ("Starting", "")


def test_the_new_name_comes_with_the_phase_that_was_decided_with_it(rig: Rig) -> None:
    rig.tick(asked("one", AWAY))
    seen = [(state.phase, state.observed_leave) for state in rig.published]
    assert seen == [("Running", ""), ("Leaving", "one"), ("Withdrawn", "one")]
    assert rig.state.withdrawn is not None and rig.state.withdrawn.answers == "one"


def test_a_request_that_takes_nothing_out_is_seen_too(rig: Rig) -> None:
    rig.tick(asked("one"))
    assert (rig.state.phase, rig.state.observed_leave) == ("Running", "one")


def test_a_tick_that_decides_nothing_sees_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a bug in the compiler")

    with monkeypatch.context() as patched:
        patched.setattr("bgpctl.speaker.intending.compile_intent", broken)
        rig.tick(asked("one", AWAY))
        assert (rig.state.phase, rig.state.observed_leave) == ("Running", "")
    rig.tick()
    assert (rig.state.phase, rig.state.observed_leave) == ("Withdrawn", "one")


def test_a_node_that_is_not_there_answers_what_it_answered(rig: Rig) -> None:
    rig.tick(asked("one"))
    rig.tick(replace(asked("one"), node=None))
    assert (rig.state.phase, rig.state.observed_leave) == ("Running", "one")


def test_what_has_left_follows_every_further_request(rig: Rig) -> None:
    """ "With this Node seen, I am still withdrawn." The record goes on answering what it was made for."""
    rig.tick(asked("one", AWAY))
    rig.tick(asked("two", AWAY))
    assert (rig.state.phase, rig.state.observed_leave) == ("Withdrawn", "two")
    assert rig.state.withdrawn is not None and rig.state.withdrawn.answers == "one"
    rig.tick(asked(None, AWAY))
    assert rig.state.observed_leave == ""


def test_an_idle_node_follows_too() -> None:
    rig = Rig(asked("one", AWAY))
    rig.tick()
    assert (rig.state.phase, rig.state.observed_leave) == ("Idle", "one")
    rig.tick(asked("two", AWAY))
    assert (rig.state.phase, rig.state.observed_leave) == ("Idle", "two")


def test_a_leave_answers_what_it_began_with(rig: Rig) -> None:
    def deaf(action: Action) -> None:
        if isinstance(action, Leave):
            raise Temporary("the engine is busy")

    rig.engine.refuse = deaf
    rig.tick(asked("one", AWAY))
    rig.tick(asked("two", AWAY))
    assert (rig.state.phase, rig.state.observed_leave) == ("Leaving", "two")
    rig.engine.refuse = lambda action: None
    rig.tick()
    assert rig.state.withdrawn is not None and rig.state.withdrawn.answers == "one"


def test_the_next_leave_answers_the_next_request(rig: Rig) -> None:
    rig.tick(asked("one", AWAY))
    rig.tick(asked("one"))
    rig.tick(asked("two", AWAY))
    assert rig.state.withdrawn is not None and rig.state.withdrawn.answers == "two"


def test_a_leave_that_a_speaker_before_began_answers_its_request() -> None:
    first = Rig(asked(None))
    first.engine.mode = Mode.DETACHED
    first.tick()
    leaving = replace(first.state, phase="Leaving", selected_by="", observed_leave="one")
    second = Rig(asked("two", AWAY), recall=lambda: leaving)
    second.engine.departed = {name: Departed(900.0, 901.0) for name in (A, B)}
    second.tick()
    assert second.state.withdrawn is not None
    assert (second.state.withdrawn.answers, second.state.observed_leave) == ("one", "two")


def test_an_engine_out_of_reach_has_not_left() -> None:
    """It lives in a container of its own, and announces what it was told before."""
    first = Rig(asked(None))
    first.tick()
    second = Rig(asked("one", AWAY), recall=lambda: first.state)
    second.engine.mode, second.engine.trouble = Mode.EXTERNAL, "no BGP engine runs there"
    second.engine.refuse_start = Temporary(second.engine.trouble)
    second.tick()
    assert (second.state.phase, second.state.observed_leave) == ("Leaving", "one")
    second.engine.trouble, second.engine.refuse_start = "", None
    second.tick()
    assert second.state.phase == "Idle"


def test_a_name_alone_is_published_at_once() -> None:
    offered, written = NodeState("n", "Idle", observed_leave="one"), NodeState("n", "Idle")
    assert Pace().due(offered, written, 100.0, 0) == 100.0
    assert Pace().due(offered, None, -math.inf, 0) == -math.inf


def test_a_record_is_its_writers_whatever_its_clock_said(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was an hour ahead when the node left; the next speaker was started after its correction."""
    ahead = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: ahead)
    rig.tick(asked("run-a-1", AWAY))
    monkeypatch.undo()
    assert rig.state.phase == "Withdrawn" and proof.withdrew(rig.state, "")
    after = Rig(asked("run-b-1", AWAY), recall=lambda: from_document(to_document(rig.state)))
    after.tick()
    record = after.state.withdrawn
    assert record is not None and record.observed_at > after.state.started_at
    assert not proof.withdrew(after.state, "") and not proof.withdrew(after.state, "run-b-1")
    assert proof.withdrew(after.state, "run-a-1"), "it answered that request"

"""What a run tells on its Node: each step that matters once, under its fence, and never at the run's cost."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.kube import paths
from bgpctl.lab.api.requests import Answer
from bgpctl.runbooks import drain
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.events import TOLD
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from tests.support import second_writer
from tests.support.direct import Asked, lost, refused
from tests.support.second_writer import NODE, Rig, finish, until

FORCE = EvictionOptions(force=True)
EVENTS = paths.events("default")


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with second_writer.running() as started:
        monkeypatch.setattr(worlds, "build", partial(worlds.build, clock=started.clock, background=False))
        yield started


def drained(rig: Rig, client: Any = None, **options: Any) -> Result:
    return finish(drain.drain(client or rig.client(), DrainOptions(NODE, eviction=FORCE, **options)))


def told(rig: Rig) -> dict[str, Any]:
    return {event["reason"]: event for event in rig.admin.items(EVENTS)}


def test_a_drain_and_its_restore_are_a_story(rig: Rig) -> None:
    result = drained(rig, asked={"--reason": ("a new disk",)})
    assert result.status == "done"
    finish(drain.restore(rig.client(), RestoreOptions(NODE)))
    found = told(rig)
    assert set(found) == {
        *("DrainStarted", "Cordoned", "Evicted", "RoutesWithdrawn", "Drained"),
        *("RestoreStarted", "RoutesAnnounced", "Restored"),
    }
    assert found["DrainStarted"]["message"].endswith(" began: a new disk")
    assert found["RoutesWithdrawn"]["message"].startswith("6 routes gone, estimated")
    assert found["Drained"]["message"].startswith("safe to power off: 6 routes gone")
    uid = rig.node["metadata"]["uid"]
    assert {(e["involvedObject"]["kind"], e["involvedObject"]["uid"]) for e in found.values()} == {
        ("Node", uid)
    }
    assert {e["type"] for e in found.values()} == {"Normal"}


def test_what_is_said_again_is_counted(rig: Rig) -> None:
    for _ in range(3):
        assert drained(rig).status == "done"
    found = rig.admin.items(EVENTS)
    assert len(found) == len(told(rig)), "each reason once"
    assert told(rig)["Drained"]["count"] == 3
    assert told(rig)["DrainStarted"]["count"] == 1


def test_a_run_that_stops_says_why(rig: Rig) -> None:
    events = drain.drain(rig.client(), DrainOptions(NODE, eviction=FORCE))
    until(events, "Evicted", "waiting")
    with pytest.raises(StopIteration) as end:
        events.throw(KeyboardInterrupt())
        while True:
            next(events)
    assert end.value.value.status == "interrupted"
    stopped = told(rig)["DrainStopped"]
    assert stopped["type"] == "Warning"
    assert "was stopped: interrupted at Evicted: 1 pod left" in stopped["message"]
    assert rig.journal is not None and str(rig.journal.ending["reason"]) in stopped["message"]


@pytest.mark.parametrize("trouble", [refused(403, "Forbidden"), refused(500), None])
def test_an_event_that_cannot_be_written_costs_that_event(rig: Rig, trouble: Answer | None) -> None:
    def before(asked: Asked) -> Answer | None:
        if asked.resource != "events":
            return None
        if trouble is None:
            raise lost()
        return trouble

    wire = rig.wire()
    wire.before = before
    assert drained(rig, wire.client()).status == "done"
    assert told(rig) == {}


def test_a_run_that_was_replaced_tells_nothing(rig: Rig) -> None:
    owner = rig.owner()
    before = rig.admin.items(EVENTS)
    rig.take_over()
    owner._teller.stopped("failed", "of no interest", owner.hold.journal)  # type: ignore[arg-type]
    assert rig.admin.items(EVENTS) == before


def test_every_event_is_written_behind_a_look_at_the_lease(rig: Rig) -> None:
    """Somebody may take the node over between any two requests."""
    drained(rig)
    wire = rig.wire()
    drained(rig, wire.client())
    writes = [n for n, asked in enumerate(wire.sent) if asked.resource == "events" and asked.writes]
    assert {wire.sent[n].verb for n in writes} == {"create", "patch"}, "said for the first time, and again"
    assert {str(wire.sent[n - 1]).partition(" ")[0] for n in writes} == {"get"}
    assert {wire.sent[n - 1].resource for n in writes} == {"leases"}


def test_a_name_fits_whatever_the_node_is_called(rig: Rig) -> None:
    owner = rig.owner()
    owner.hold.node = "n" * 180 + "." + "m" * 72
    event = owner._teller._event(owner.hold.journal, "SpeakerRestartStopped", "x" * 5000, "Normal")  # type: ignore[arg-type]
    assert len(event["metadata"]["name"]) <= 253 and ".." not in event["metadata"]["name"]
    assert len(event["message"]) == 1024


def test_the_reasons_of_a_runs_events() -> None:
    """People select Events by them."""
    assert {" ".join(step): reason for step, reason in TOLD.items()} == {
        "drain Checked": "DrainStarted",
        "drain Cordoned": "Cordoned",
        "drain Evicted": "Evicted",
        "drain Withdrawn": "RoutesWithdrawn",
        "drain ShutDown": "Drained",
        "restore Claimed": "RestoreStarted",
        "restore Announced": "RoutesAnnounced",
        "restore Uncordoned": "Restored",
        "restart Graceful": "SpeakerRestartStarted",
        "restart Announced": "SpeakerRestarted",
    }

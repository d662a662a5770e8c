"""The table at the head of withdrawn.py: what ends the wait, by whose word, and what never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.withdrawal import Event
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.model import Status
from bgpctl.runbooks.withdrawn import Settled, Withdrawn
from bgpctl.witness.model import Sight
from tests.kit.snapshots import (
    NOW,
    ROUTER,
    ROUTER_2,
    estimates,
    journal,
    running,
    seen,
    snapshot,
    withdrawn,
)

DONE, ACT, WAIT, BLOCKED = Status.DONE, Status.ACT, Status.WAIT, Status.BLOCKED

LEFT = estimates(Event.DESELECT)
DEAD = estimates(Event.POWER_OFF)
LONG_AGO = NOW - 10_000
RELABELLED = journal(marks={"Relabelled": NOW - 30})
SAW = journal(marks={"Relabelled": NOW - 30, "SawWithdrawn": NOW - 29})
TWO = journal(marks={"Relabelled": NOW - 30}, peers=(ROUTER, ROUTER_2))
SOAKING = running(phase="Leaving", soak=5.0, soak_until=NOW + 3)
GONE = seen(Sight.ABSENT, since=NOW - 1.2, times=3)


def at(**changes: Any) -> Any:
    fresh: dict[str, Any] = {
        "journal": RELABELLED,
        "state": withdrawn(),
        "estimates": LEFT,
        "dead_estimates": DEAD,
    }
    return snapshot(**{**fresh, **changes})


@pytest.mark.parametrize(
    ("changes", "status", "proof", "words"),
    [
        # a router's word
        ({"sightings": (GONE,)}, DONE, "confirmed", "within 28.80 s of the relabel, confirmed by bird"),
        ({"sightings": (GONE,), "state": None}, DONE, "confirmed", "confirmed by bird"),
        ({"sightings": (seen(Sight.ABSENT, since=NOW, times=1),)}, WAIT, None, "once more"),
        ({"sightings": (seen(Sight.ABSENT, since=NOW - 0.5, times=9),)}, WAIT, None, "once more"),
        ({"sightings": (seen(Sight.ABSENT, since=NOW - 5, times=1),)}, WAIT, None, "once more"),
        ({"sightings": (seen(Sight.PRESENT),)}, WAIT, None, "it is present"),
        ({"sightings": (seen(Sight.STALE),)}, WAIT, None, "it is stale"),
        # never overruled by the clock, whoever else is silent
        ({"sightings": (seen(Sight.STALE),), "journal": SAW, "now": NOW + 9_999}, WAIT, None, "stale"),
        (
            {
                "sightings": (seen(Sight.PRESENT), seen(Sight.UNKNOWN, ROUTER_2)),
                "journal": SAW,
                "now": NOW + 99,
            },
            WAIT,
            None,
            "it is present",
        ),
        (
            {"sightings": (seen(Sight.PRESENT),), "journal": TWO, "state": None, "now": NOW + 9_999},
            WAIT,
            None,
            "it is present",
        ),
        # not every peer was asked: the clock, and it says why
        ({"sightings": (GONE,), "journal": replace(SAW, peers=TWO.peers)}, DONE, "estimated", ROUTER_2),
        ({"sightings": (seen(Sight.UNKNOWN),), "journal": SAW}, DONE, "estimated", "cannot be asked"),
        # the speaker's word and the worst case after it
        ({"state": running()}, WAIT, None, "waiting for the speaker"),
        ({"state": withdrawn(phase="Leaving")}, WAIT, None, "leaving"),
        ({"state": SOAKING}, WAIT, None, "traffic is being moved (GRACEFUL_SHUTDOWN, RFC 8326), 3 s left"),
        ({"state": replace(SOAKING, soak_until=NOW + 3600)}, WAIT, None, "10 s left"),
        ({"state": SOAKING, "sightings": (seen(Sight.PRESENT),)}, WAIT, None, "it is present; traffic is"),
        ({}, ACT, None, "has sent every withdraw"),
        ({"journal": SAW}, DONE, "estimated", "estimated"),
        ({"journal": replace(SAW, marks={**SAW.marks, "SawWithdrawn": NOW - 1})}, WAIT, None, "UPDATE"),
        # a record that another process of the speaker left proves nothing of this drain
        ({"state": withdrawn(started_at=NOW - 10)}, WAIT, None, "did not withdraw"),
        ({"state": withdrawn(phase="Idle", withdrawn=None), "estimates": ()}, WAIT, None, "did not withdraw"),
        # nobody reports: the routers' own timers
        ({"state": withdrawn(heartbeat=LONG_AGO)}, WAIT, None, "silent"),
        ({"state": None, "now": NOW + 9_999}, DONE, "estimated", "if it died"),
        ({"state": None, "dead_estimates": ()}, BLOCKED, None, "nothing is known about its peers"),
        # there was nothing
        (
            {"journal": journal(deselect=None), "state": None, "estimates": (), "dead_estimates": ()},
            DONE,
            "",
            "nothing was announced",
        ),
    ],
)
def test_the_end_of_the_wait(changes: Any, status: Status, proof: str | None, words: str) -> None:
    decision = Withdrawn().decide(at(**changes))
    assert (decision.status, decision.evidence.get("proof")) == (status, proof)
    assert words in decision.reason
    if status is ACT:
        (action,) = decision.actions
        assert isinstance(action, ChangeNode)
        assert action.journal is not None
        assert action.journal.marks["SawWithdrawn"] == NOW


@pytest.mark.parametrize("proof", ["confirmed", "estimated"])
def test_a_resumed_drain_asks_again_and_keeps_the_first_proof_unless_it_gets_a_better_one(proof: str) -> None:
    done = replace(SAW, steps={"Withdrawn": NOW - 20}, evidence={"proof": proof, "by": "bird 192.0.2.1"})
    asked = Withdrawn().decide(at(journal=done, sightings=(GONE,)))
    assert asked.status is DONE
    assert asked.evidence.get("proof") == (None if proof == "confirmed" else "confirmed")
    assert asked.evidence.get("secondsAfterRelabel") is None, "nobody saw when it went"
    unasked = Withdrawn().decide(at(journal=done))
    assert (unasked.status, unasked.evidence) == (DONE, {})
    back = Withdrawn().decide(at(journal=done, sightings=(seen(Sight.PRESENT),)))
    assert back.status is WAIT, "what was proved once is not proved for ever"


def test_a_silence_that_nothing_notices_never_ends_by_the_clock() -> None:
    """Hold time 0: no estimate, so a router must be asked."""
    forever = tuple(replace(one, worst=float("inf")) for one in DEAD)
    decision = Withdrawn().decide(at(state=None, dead_estimates=forever, now=NOW + 1e9))
    assert decision.status is BLOCKED
    assert "--router-probe" in decision.hint


@pytest.mark.parametrize(
    ("since", "sightings", "status"),
    [
        (NOW - 1, (), WAIT),
        (NOW - 2, (), DONE),
        (NOW - 2, (GONE,), DONE),
        (NOW - 2, (seen(Sight.UNKNOWN),), DONE),
        (NOW - 2, (seen(Sight.PRESENT),), BLOCKED),
        (NOW - 2, (seen(Sight.STALE),), BLOCKED),
    ],
)
def test_settled(since: float, sightings: Any, status: Status) -> None:
    record = replace(RELABELLED, steps={"Withdrawn": since})
    decision = Settled(2.0).decide(at(journal=record, sightings=sightings))
    assert decision.status is status
    if status is BLOCKED:
        assert "back" in decision.reason

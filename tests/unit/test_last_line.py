"""The last line of a drain and of a restore: what is true of the node now, and by whose word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.render.runbook import result_document
from bgpctl.runbooks.drain import conclude
from bgpctl.runbooks.model import Result, StepReport
from tests.support.snapshots import journal

ESTIMATED = {"proof": "estimated", "routes": 2, "worstSeconds": 5.0, "why": "RFC 4271"}
CONFIRMED = {"proof": "confirmed", "routes": 2, "by": "bird 192.0.2.1"}


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (
            {**CONFIRMED, "secondsAfterRelabel": 0.25},
            "2 routes gone, confirmed by bird 192.0.2.1, within 0.25 s",
        ),
        ({**CONFIRMED, "routes": 1}, "1 route gone, confirmed by bird 192.0.2.1"),
        ({**CONFIRMED, "assumed": "that its speaker died"}, "bird 192.0.2.1, assuming that its speaker died"),
        (
            {**ESTIMATED, "missing": ["no router was asked"]},
            "2 routes gone, estimated: no router was asked",
        ),
        (
            {
                **ESTIMATED,
                "missing": ["bird 192.0.2.1 cannot be asked: it hangs", "no probe asks 192.0.2.2"],
            },
            "estimated: bird 192.0.2.1 cannot be asked: it hangs; no probe asks 192.0.2.2",
        ),
        (
            {**ESTIMATED, "missing": ["no router was asked"], "assumed": "that its speaker died"},
            "estimated: no router was asked, assuming that its speaker died",
        ),
        ({"proof": "", "routes": 0}, "it announced no routes"),
    ],
)
def test_a_drain_ends_with_the_proof_and_what_it_assumes(evidence: dict[str, Any], words: str) -> None:
    ended = Result(
        "drain", "n1", "done", "", steps=(StepReport("ShutDown", "", "done", "safe to power off"),)
    )
    result = conclude(ended, journal(evidence=evidence))
    assert result.message.startswith("n1: safe to power off — ")
    assert words in result.message
    if evidence["proof"] == "estimated":
        assert result.message.endswith(words), "the important thing is the last"
    assert result.reason == ("5 s were waited: RFC 4271" if evidence["proof"] == "estimated" else "")
    assert result.proof == evidence["proof"]
    asked = evidence.get("missing") != ["no router was asked"]
    assert ("no router was asked" in result.message) is not asked


@pytest.mark.parametrize("status", ["blocked", "deadline", "failed", "interrupted"])
def test_a_drain_that_did_not_end_proves_nothing(status: str) -> None:
    result = conclude(Result("drain", "n1", status, "why"), journal(evidence=CONFIRMED))
    assert (result.message, result.proof) == ("why", "")


def test_a_restore_of_a_node_that_was_taken_out_by_hand_says_what_to_type() -> None:
    told = "it is cordoned: `kubectl uncordon n1`"
    steps = (
        StepReport("Claimed", "", "done", "bgpctl did not take this node out: nothing to restore"),
        StepReport("Established", "", "done", told),
    )
    result = conclude(Result("restore", "n1", "done", "", steps=steps), None)
    assert result.message == f"n1: bgpctl did not take this node out: nothing to restore; {told}"
    assert (result.status, result.in_service) == ("done", False), "a cordon is an admin's, and stays"
    both = f"{told}; no policy selects it: `kubectl label node n1 bgp=1`, `kubectl label node n1 rack=2`"
    result = conclude(replace(result, steps=(steps[0], replace(steps[1], text=both))), None)
    assert (result.status, result.exit_code, result.in_service) == ("blocked", 3, False)
    assert result.message == (
        "still out of service: bgpctl did not take this node out: nothing to restore; it is cordoned; "
        "no policy selects it"
    )
    assert result.hint.splitlines() == [
        "it is cordoned: kubectl uncordon n1",
        "no policy selects it: kubectl label node n1 bgp=1",
        "no policy selects it: kubectl label node n1 rack=2",
    ]


@pytest.mark.parametrize(
    ("changes", "established", "in_service"),
    [
        ({}, "1/1 sessions Established", True),
        ({"prior_unschedulable": True}, "1/1 sessions Established", False),
        ({"deselect": None}, "1/1 sessions Established", True),
        ({"deselect": None}, "no label was changed; no policy selects it, so it announces nothing", False),
    ],
)
def test_a_restore_says_whether_the_node_is_in_service(
    changes: dict[str, Any], established: str, in_service: bool
) -> None:
    """In a field of its own: a script must not take exit code 0 for it."""
    steps = (
        StepReport("Established", "", "done", established),
        StepReport("Announced", "", "done", "2 routes"),
    )
    result = conclude(Result("restore", "n1", "done", "", steps=steps), journal(**changes))
    assert (result.status, result.in_service) == ("done", in_service)
    assert result_document(result)["inService"] is in_service
    assert "inService" not in result_document(Result("restore", "n1", "deadline", "time is up"))

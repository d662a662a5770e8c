"""A drain's timeline: what came when, by whose word; garbage in the journal costs its own line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.state import timestamp
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.moments import SPEAKER, moments
from tests.support.snapshots import journal

AT = 1_800_000_000.0
STEPS = {"Cordoned": AT + 1, "Evicted": AT + 2, "Deselected": AT + 3, "Withdrawn": AT + 5, "Settled": AT + 7}


def record(steps: dict[str, float] | None = None, **evidence: Any) -> Journal:
    done = {**STEPS, "ShutDown": AT + 8} if steps is None else steps
    made = journal(steps=done, marks={"Relabelled": AT + 3}, evidence=evidence)
    return replace(made, started_at=AT, deselect=("enable-bgp", "false"))


def told(of: Journal) -> list[tuple[float, str, str]]:
    return [(one.at - AT, one.what, one.by) for one in moments(of)]


def test_a_drain_that_was_confirmed() -> None:
    said = {
        "proof": "confirmed",
        "by": "frr 192.0.2.1",
        "relabelledTime": timestamp(AT + 3),
        "withdrawSentTime": timestamp(AT - 60),
        "ceaseSentTime": timestamp(AT - 59),
        "goneTime": timestamp(AT + 4),
    }
    assert told(record(**said)) == [
        (0, "the drain began", "bgpctl"),
        (1, "cordoned", "bgpctl"),
        (2, "no workload left", "bgpctl"),
        (3, "told to leave: label enable-bgp=false", "bgpctl"),
        (-60, "every withdraw is sent", SPEAKER),
        (-59, "every Cease is sent", SPEAKER),
        (4, "the last route is gone", "frr 192.0.2.1"),
        (7, "settled", "bgpctl"),
        (8, "done", "bgpctl"),
    ]


def test_one_that_was_estimated() -> None:
    assert (5, "the routes are gone (estimated)", "bgpctl") in told(record(proof="estimated"))


@pytest.mark.parametrize("garbage", [7, "soon", None, [], "9999-99-99T00:00:00Z"])
def test_garbage_costs_its_line(garbage: Any) -> None:
    found = told(record(proof="confirmed", goneTime=garbage, ceaseSentTime=garbage, relabelledTime=garbage))
    assert (3, "told to leave: label enable-bgp=false", "bgpctl") in found
    assert not [one for one in found if one[2] == SPEAKER]


def test_a_drain_that_is_not_done_has_none() -> None:
    assert moments(record(steps=STEPS)) == ()
    assert moments(replace(record(), command="restore")) == ()


def test_a_drain_without_a_request_or_a_proof_tells_of_neither() -> None:
    """Nobody had to be told to leave, or a step is of another version."""
    found = told(replace(record({"ShutDown": AT + 8}, proof="confirmed"), marks={}))
    assert found == [(0, "the drain began", "bgpctl"), (8, "done", "bgpctl")]
    assert not [one for one in told(record()) if one[1].startswith("the routes are gone")]

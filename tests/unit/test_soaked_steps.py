"""Before a node is told to leave: GRACEFUL_SHUTDOWN for a while, where that is asked for and can be had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bgpctl.core.drain.lever import Lever, Patch
from bgpctl.core.timing.soak import READ_SECONDS
from bgpctl.runbooks.actions import ChangeNode, FenceObject, PatchObject
from bgpctl.runbooks.drain_steps import RELABELLED
from bgpctl.runbooks.journal import AGAIN
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.soaked import SOAKING, UNKNOWN, Soaked, cannot
from tests.support.snapshots import NOW, journal, snapshot

PATCHES = (Patch("/a", "peer tor refers to its copy", ()), Patch("/b", "peer b refers to its copy", ()))
WAY = Lever(policies=("rack",), soak=PATCHES)
AT_IT = Lever(policies=("rack",), soaks=True)
NO_WAY = Lever(policies=("rack",), unsoaked="its agents are too old")


def decide(lever: Lever = AT_IT, **marks: float) -> Decision:
    told = journal(marks={**journal().marks, **marks})
    return Soaked(20.0).decide(snapshot(lever=lever, journal=told))


@pytest.mark.parametrize(
    ("lever", "told"),
    [
        (WAY, "announce with GRACEFUL_SHUTDOWN (RFC 8326) for 20 s"),
        (AT_IT, "announce with GRACEFUL_SHUTDOWN (RFC 8326) for 20 s"),
        (NO_WAY, ""),
        (replace(WAY, unsoaked="no"), ""),
        (Lever(policies=("rack",)), ""),
    ],
)
def test_what_it_would_do(lever: Lever, told: str) -> None:
    assert Soaked(20.0).preview(snapshot(lever=lever)) == told


def test_it_is_told_so() -> None:
    found = decide(WAY)
    assert (found.status, found.reason) == (
        Status.ACT,
        "peer tor refers to its copy, peer b refers to its copy",
    )
    assert found.actions == tuple(map(PatchObject, PATCHES))


def test_what_somebody_took_back_is_begun_anew() -> None:
    """What was waited until then counts no more."""
    first, *rest = decide(WAY, **{SOAKING: NOW - 5}).actions
    assert isinstance(first, ChangeNode) and first.journal is not None
    assert SOAKING not in first.journal.marks and first == ChangeNode("begin anew", journal=first.journal)
    assert rest == list(map(PatchObject, PATCHES))


def test_the_time_of_it_is_noted_and_waited_for() -> None:
    noted = decide()
    (action,) = noted.actions
    assert noted.status is Status.ACT and isinstance(action, ChangeNode) and action.journal is not None
    assert action.journal.marks[SOAKING] == NOW
    ends = NOW + READ_SECONDS + 20
    waits = decide(**{SOAKING: NOW})
    left = READ_SECONDS + 20
    text = f"traffic is being moved (GRACEFUL_SHUTDOWN, RFC 8326), {left:.0f} s left"
    assert (waits.status, waits.reason, waits.eta, waits.recheck) == (Status.WAIT, text, ends, 1.0)
    last = decide(**{SOAKING: NOW - left + 0.25})
    assert last.status is Status.WAIT and last.recheck == pytest.approx(0.25)
    done = decide(**{SOAKING: NOW - left})
    assert (done.status, done.reason) == (Status.DONE, "announced with GRACEFUL_SHUTDOWN for 20 s")


@pytest.mark.parametrize(
    ("marks", "text"),
    [
        ({RELABELLED: NOW}, "too late for a soak: the node was told to leave"),
        ({RELABELLED: NOW, SOAKING: NOW - 60}, "the node was told to leave"),
    ],
)
def test_a_node_that_was_told_to_leave(marks: dict[str, float], text: str) -> None:
    found = decide(WAY, **marks)
    assert (found.status, found.reason) == (Status.DONE, text)


def test_a_node_that_nothing_selects_has_nothing_to_soak() -> None:
    assert decide(Lever()).status is Status.DONE


@pytest.mark.parametrize(
    ("lever", "why"),
    [(NO_WAY, "its agents are too old"), (Lever(policies=("rack",)), UNKNOWN)],
)
def test_where_there_is_no_way_to_it(lever: Lever, why: str) -> None:
    found = decide(lever)
    assert (found.status, found.reason) == (Status.BLOCKED, why)
    told = f"n1 cannot announce with GRACEFUL_SHUTDOWN (RFC 8326) before it leaves: {why}"
    assert cannot(snapshot(lever=lever, journal=None)) == told
    assert cannot(snapshot(lever=lever, journal=journal())) == told
    left = journal(marks={RELABELLED: NOW})
    assert cannot(snapshot(lever=lever, journal=left)) == "", "its time has passed"


@pytest.mark.parametrize("lever", [WAY, AT_IT, Lever(), replace(NO_WAY, refusal="more than that")])
def test_what_is_no_reason_against_it(lever: Lever) -> None:
    assert cannot(snapshot(lever=lever, journal=None)) == ""


def test_a_run_that_follows_another_lets_nothing_late_in_first() -> None:
    lever = replace(WAY, objects=("/a", "/b"))
    again = journal(marks={AGAIN: NOW - 1})
    found = Soaked(20.0).decide(snapshot(lever=lever, journal=again, fenced=frozenset({"/a"})))
    assert [type(one) for one in found.actions] == [FenceObject] and "/b" in repr(found.actions)
    both = frozenset({"/a", "/b"})
    told = Soaked(20.0).decide(snapshot(lever=lever, journal=again, fenced=both))
    assert told.actions == tuple(map(PatchObject, PATCHES))

"""Who may have the node, and until when another run is waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bgpctl.errors import Tells
from bgpctl.runbooks.actions import ChangeNode, TakeLease
from bgpctl.runbooks.claim import CLOCKS, Claimed
from bgpctl.runbooks.drain_steps import SHUTTING_DOWN
from bgpctl.runbooks.journal import AGAIN
from bgpctl.runbooks.model import Decision, Status
from tests.support.snapshots import ME, NOW, ROUTER, journal, lease, snapshot


@pytest.mark.parametrize(
    ("expires", "watched", "left", "words"),
    [
        (NOW + 0.1, 0.0, 15.0, "holds the node"),
        (NOW + 9.0, 14.5, 0.5, "holds the node"),
        (NOW + 9.0, 15.0, 0.0, ""),
        (NOW, 0.0, 8.0, "has run out"),
        (NOW - 99.0, 7.5, 0.5, "has run out"),
        (NOW - 99.0, 8.0, 0.0, ""),
    ],
)
def test_how_long_a_lease_that_nobody_renews_is_watched(
    expires: float, watched: float, left: float, words: str
) -> None:
    """For its whole duration by our clock; for 8 s once it has run out by its holder's."""
    s = snapshot(holds_lease=False, lease=lease(expires=expires), lease_watched=watched)
    decision = Claimed("drain", "run-a").decide(s)
    if not left:
        assert decision == Decision(Status.ACT, "the node is free", (TakeLease(),))
        return
    assert (decision.status, decision.recheck, decision.eta) == (Status.WAIT, 1.0, NOW + left)
    assert words in decision.reason


@pytest.mark.parametrize(
    ("command", "reason"),
    [("restore", "bgpctl did not take this node out: nothing to restore"), ("drain", "run run-z")],
)
def test_a_node_without_a_journal(command: str, reason: str) -> None:
    assert Claimed(command, "run-z").decide(snapshot()) == Decision(Status.DONE, reason)


def test_a_new_direction_keeps_the_prior_state_alone() -> None:
    before = journal(
        command="restore",
        order="guide",
        steps={"Up": NOW},
        marks={"Reselected": NOW},
        evidence={"proof": ""},
        leaves=2,
        baselines={ROUTER: 2},
        locals={ROUTER: ("10.0.0.1",)},
        ending={"status": "failed", "reason": "", "at": NOW},
        holder="eve@there:1/x",
        prior_unschedulable=True,
    )
    for order in ("guide", "withdraw-first"):
        (action,) = Claimed("drain", "run-z", order).decide(snapshot(journal=before)).actions
        assert isinstance(action, ChangeNode)
        turned = replace(
            before,
            run="run-z",
            command="drain",
            order=order,
            holder=ME,
            steps={},
            marks={AGAIN: NOW},
            started_at=NOW,
            evidence={},
            leaves=0,
            baselines={},
            witnesses={},
            ending={},
        )
        assert action.journal == turned
    assert Claimed("restore", "run-z").order == ""
    later = snapshot(journal=before, now=NOW + 0.123456)
    (action,) = Claimed("drain", "run-z").decide(later).actions
    assert isinstance(action, ChangeNode) and action.journal is not None
    assert action.journal.started_at == NOW + 0.123, "to the millisecond: a journal is short"


def test_a_run_whose_journal_it_is_already_is_not_gone_on_with_anew() -> None:
    """Its second look writes nothing: the time of its attempt counts from the first."""
    mine = journal(holder=ME, options={})
    decision = Claimed("drain", mine.run).decide(snapshot(journal=mine))
    assert decision.status is Status.DONE and decision.actions == ()
    other = journal(holder="eve@there:1/x")
    (action,) = Claimed("drain", other.run).decide(snapshot(journal=other)).actions
    assert isinstance(action, ChangeNode) and action.journal is not None
    assert (action.journal.holder, action.journal.marks[AGAIN]) == (ME, NOW)


# --- a restore that has nothing to go by --------------------------------------------------------------------


def test_a_node_of_which_nobody_knows_how_it_was_is_not_restored_with_a_good_word() -> None:
    """Its journal and the Lease with the copy were removed by hand; the name of the request is left."""
    step = Claimed("restore", "run-b")
    node = replace(snapshot().node, leave="run-a-1", unschedulable=True)
    decision = step.decide(snapshot(journal=None, node=node, holds_lease=False))
    assert (decision.status, decision.actions) == (Status.BLOCKED, ())
    assert "somebody removed the journal of run run-a" in decision.reason
    assert f"kubectl uncordon {node.name}" in decision.hint
    kept = step.decide(snapshot(journal=None, lost=journal(), node=node))
    assert kept.status is Status.ACT, "the copy knows"
    assert step.decide(snapshot(journal=None)).status is Status.DONE, "nobody took it out"
    drain = Claimed("drain", "run-b").decide(snapshot(journal=None, node=node))
    assert drain.status is not Status.BLOCKED, "a new drain may go on from there"


def test_a_restart_that_is_undone_takes_no_cordon_away() -> None:
    """It never cordoned: who did since then is somebody else."""
    node = replace(snapshot().node, unschedulable=True)
    record = replace(journal(), command="restart", prior_unschedulable=False)
    (turn,) = Claimed("restore", "run-b").decide(snapshot(journal=record, node=node)).actions
    assert isinstance(turn, ChangeNode) and turn.journal is not None
    assert turn.journal.prior_unschedulable
    (turn,) = Claimed("restore", "run-b").decide(snapshot(journal=journal(), node=node)).actions
    assert isinstance(turn, ChangeNode) and turn.journal is not None and not turn.journal.prior_unschedulable


@pytest.mark.parametrize("clock", ["boot/7.0", "another/7.0"])
@pytest.mark.parametrize("ahead", [-60.0, 0.0, 0.9])
def test_what_a_run_before_was_done_with_does_not_count_for_the_one_that_goes_on(
    ahead: float, clock: str
) -> None:
    """Also where the clock of the one before is ahead by as much as two of one machine may be apart: it would
    say "safe to power off" of a node whose label was put back, before it has looked at anything."""
    steps = {"Claimed": NOW - 99, "ShutDown": NOW + ahead}
    record = replace(journal(), steps=steps, holder="root@jump:7/x", clock="boot/7.5")
    assert record.done_at is not None
    (claim,) = Claimed("drain", "run-b").decide(snapshot(journal=record, clock=clock)).actions
    assert isinstance(claim, ChangeNode) and claim.journal is not None
    assert (claim.journal.holder, claim.journal.done_at) == (ME, None)
    assert claim.journal.finished("ShutDown"), "when it was done is told all the same"
    assert claim.journal.with_step("ShutDown", NOW + 0.002, {}).done_at, "its own last check"


def test_who_writes_a_journal_back_goes_on_with_it() -> None:
    """Somebody removed it, and its run was killed, maybe with a request on the way: it is fenced off."""
    lost = replace(journal(), holder="root@jump:7/x").prior_only
    (claim,) = Claimed("drain", "run-b").decide(snapshot(journal=None, lost=lost)).actions
    assert isinstance(claim, ChangeNode) and claim.journal is not None
    assert claim.journal.marks == {AGAIN: NOW}


@pytest.mark.parametrize(
    ("steps", "said"), [({}, True), ({"ShutDown": NOW}, False), ({"ShutDown": NOW - 60}, True)]
)
def test_who_undoes_a_drain_hears_of_its_command(steps: dict[str, float], said: bool) -> None:
    """It may run still, and would switch off a node that is back in service (issue 7). That the run before
    that one ended well says nothing of it."""
    record = replace(journal(), steps=steps, marks={SHUTTING_DOWN: NOW - 9}, holder="root@jump:7/run-a")
    decision = Claimed("restore", "run-b").decide(snapshot(journal=record))
    assert ("nobody saw it end well" in decision.reason and "root@jump:7" in decision.reason) == said


@pytest.mark.parametrize(("clock", "anew"), [("boot/1.0", False), ("boot/99.0", True), ("other/1.0", True)])
def test_a_run_that_goes_on_by_another_clock_says_that_waits_begin_anew(clock: str, anew: bool) -> None:
    record = journal(holder="eve@there:1/x", clock="boot/1.0")
    decision = Claimed("drain", "run-b").decide(snapshot(journal=record, clock=clock))
    told = "go on from drain run-a, last run by eve@there:1/x"
    assert decision.reason == (f"{told}; {CLOCKS}" if anew else told)


def test_what_was_asked_for_and_is_not_any_more_is_named() -> None:
    """And the time of an attempt is nobody's but that attempt's."""
    options = {"--force": (), "--timeout": ("9",), "--settle": ("5",)}
    record = journal(holder="eve@there:1/x", options=options)
    decision = Claimed("drain", "run-b", asked={"--settle": ("5",)}).decide(snapshot(journal=record))
    assert decision.reason.endswith("; asked for: --settle 5; without its --force, which must be said again")
    (change,) = decision.actions
    assert isinstance(change, ChangeNode) and change.journal is not None
    assert "--timeout" not in change.journal.options
    same = Claimed("drain", "run-b", asked={"--settle": ("5",)})
    told = same.decide(snapshot(journal=replace(record, options={"--settle": ("5",)})))
    assert told.reason.endswith("; asked for: --settle 5")


def test_another_order_is_refused_with_both_ways_on() -> None:
    record = journal(order="guide", holder="eve@there:1/x")
    asked = {"--order": ("withdraw-first",)}
    decision = Claimed("drain", "run-b", "withdraw-first", asked=asked).decide(snapshot(journal=record))
    assert decision.status is Status.BLOCKED and "the order cannot be changed on the way" in decision.reason
    assert decision.tells == {Tells.GO_ON, Tells.BACK}, "the last words tell neither again"

"""What `node status` says of a drain that was done: only what is still true, in text and in JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.model import SessionState
from bgpctl.core.state import STALE_AFTER_SECONDS, UNPROVED, NodeState
from bgpctl.queries.nodes import NodeReport
from bgpctl.queries.since import Since, since, taken_back
from bgpctl.render import node
from bgpctl.render.envelope import plain_data
from bgpctl.render.text import plain
from bgpctl.runbooks.catalogue import steps_of
from bgpctl.runbooks.drain_steps import SHUTTING_DOWN
from bgpctl.runbooks.journal import AGAIN, Journal
from tests.support.snapshots import NOW, journal, peer, running, withdrawn

DONE_AT = NOW - 300
CONFIRMED = {"proof": "confirmed", "by": "bird 192.0.2.1", "routes": 2}
STEPS = dict.fromkeys(steps_of(journal()), DONE_AT)
DRAINED = journal(steps=STEPS, evidence=CONFIRMED, leaves=1)
BACK = running(selected_by="rack-1", reported_at=NOW - 5)
SILENT = NOW - STALE_AFTER_SECONDS - 1


def report(state: NodeState | None, record: Journal = DRAINED, *, cordoned: bool = True) -> NodeReport:
    return NodeReport("n1", True, cordoned, state, record, now=NOW)


def text(one: NodeReport) -> str:
    return "\n".join(plain(row) for row in node.text([one], NOW))


def shown(one: NodeReport) -> dict[str, Any]:
    return json.loads(json.dumps(plain_data(node.document([one], NOW))))["nodes"][0]


def test_a_node_that_announces_again_is_not_drained() -> None:
    one = report(BACK)
    told = shown(one)
    assert (told["service"], told["inService"], told["announcing"]) == ("announces-again", False, True)
    assert told["safeToPowerOff"] is False and "proof" not in told and "stopped" not in told
    ways = [
        "do not power off n1: it announces again (2 routes, 1 session)",
        "to drain it again: bgpctl node drain n1",
        "to undo it: bgpctl node restore n1",
    ]
    assert told["hint"].splitlines() == ways
    lines = text(one)
    assert "n1: the drain was done, and what it did is not true any more\n  do not power off n1" in lines
    assert "announces-again" in lines and ways[0] in lines and "run-a: was done 5m ago" in lines
    assert "bgpctl node drain n1\n" in lines and "bgpctl node restore n1\n" in lines
    assert "confirmed" not in lines and "gone" not in lines and "safe to power off" not in lines
    assert lines.endswith("\n0 of 1 node in service; not in service: n1; still announcing: n1")


@pytest.mark.parametrize(
    ("labels", "leave", "told"),
    [
        ({"enable-bgp": "true"}, DRAINED.leave, "its label enable-bgp=false was taken back after the drain"),
        ({}, DRAINED.leave, "its label enable-bgp=false was taken back after the drain"),
        ({"enable-bgp": "false"}, "", "its annotation bgpctl.io/leave is not the drain's any more"),
        ({"enable-bgp": "false"}, "other-1", "its annotation bgpctl.io/leave is not the drain's any more"),
        ({"enable-bgp": "false"}, DRAINED.leave, ""),
    ],
)
def test_a_request_to_leave_that_was_taken_back_is_known_though_its_speaker_cannot_tell(
    labels: dict[str, str], leave: str, told: str
) -> None:
    """It may have obeyed, and have no right to write its state (issue 7)."""
    assert taken_back(DRAINED, labels, leave) == told
    for state in (None, withdrawn(), withdrawn(heartbeat=SILENT)):
        one = replace(report(state), back=told)
        assert one.service == ("unknown" if told else "drained")
        assert shown(one)["safeToPowerOff"] is not bool(told)
    assert replace(report(BACK), back=told).service == "announces-again"


@pytest.mark.parametrize(
    ("state", "word", "why"),
    [
        (replace(BACK, phase="Leaving", selected_by=""), "announces-again", "announces again (2 routes"),
        (replace(BACK, peers=(), announced=0), "announces-again", "announces again (0 routes, 0 sessions)"),
        # A speaker's clock that is late: what is fresh is judged by what it says.
        (replace(BACK, reported_at=0.0, heartbeat=NOW - 149), "announces-again", "announces again"),
        (replace(BACK, heartbeat=DONE_AT, reported_at=NOW - 149), "announces-again", "announces again"),
        (replace(BACK, phase="Starting", peers=(), selected_by=""), "unknown", "its speaker is starting"),
        (replace(BACK, reported_at=SILENT), "unknown", "is not of now"),
        (replace(BACK, phase="Stopped"), "unknown", "is not of now"),
        (withdrawn(selected_by="rack-1", reported_at=NOW), "unknown", "is not of now"),
        (replace(BACK, unreadable="garbage"), "unknown", "cannot be read"),
        (
            withdrawn(phase="Idle", problems=(UNPROVED,), started_at=NOW - 9, heartbeat=NOW),
            "unknown",
            "ended without a withdraw",
        ),
    ],
)
@pytest.mark.parametrize("cordoned", [True, False])
def test_whatever_its_speaker_leaves_open_is_not_drained(
    state: NodeState, word: str, why: str, cordoned: bool
) -> None:
    told = shown(report(state, cordoned=cordoned))
    first = told["hint"].splitlines()[0]
    assert first.startswith("do not power off n1: ") and why in first
    assert ("uncordoned meanwhile" in first) is not cordoned
    assert told["inService"] is (word == "announces-again" and not cordoned and state.established > 0)
    assert (told["service"], told["safeToPowerOff"], "proof" in told) == (word, False, False)
    assert "safe to power off" not in text(report(state, cordoned=cordoned))


STALE = withdrawn(heartbeat=SILENT)


@pytest.mark.parametrize(
    "state",
    [
        None,
        withdrawn(),
        STALE,
        withdrawn(phase="Idle"),
        replace(STALE, phase="Stopped"),
        withdrawn(phase="Idle", problems=(UNPROVED,)),
        # What it said before the drain's last look, the drain has judged.
        replace(BACK, reported_at=DONE_AT - 200),
        replace(BACK, phase="Stopped", reported_at=DONE_AT - 1),
    ],
)
def test_a_drain_that_is_still_true_says_that_it_is_safe(state: NodeState | None) -> None:
    one = report(state)
    told, lines = shown(one), text(one)
    assert (told["service"], told["safeToPowerOff"], told["inService"]) == ("drained", True, False)
    assert told["proof"] == "confirmed" and "hint" not in told and told["run"]["step"] is None
    assert "n1: safe to power off — 2 routes gone, confirmed by bird 192.0.2.1" in lines
    assert "drain run-a: done, confirmed by bird 192.0.2.1, 5m ago" in lines and "do not" not in lines


@pytest.mark.parametrize(
    ("evidence", "run", "safe"),
    [
        (
            {"proof": "estimated", "routes": 2, "why": "w", "assumed": "that it died"},
            "done, estimated, 5m ago",
            "2 routes gone, estimated: no router was asked, assuming that it died",
        ),
        ({}, "done, nothing was announced, 5m ago", "it announced no routes"),
    ],
)
def test_by_whose_word_it_was_done(evidence: dict[str, Any], run: str, safe: str) -> None:
    lines = text(report(withdrawn(), replace(DRAINED, evidence=evidence)))
    assert f"drain run-a: {run}" in lines and f"n1: safe to power off — {safe}" in lines


def test_a_node_that_was_uncordoned_is_not_drained() -> None:
    one = report(withdrawn(), cordoned=False)
    told = shown(one)
    assert (told["service"], told["inService"], told["safeToPowerOff"]) == ("uncordoned", False, False)
    first = "do not power off n1: it was uncordoned meanwhile: pods may run there"
    assert told["hint"].splitlines()[0] == first and first in text(one)
    assert "safe to power off" not in text(one)
    assert told["proof"] == "confirmed", "its routes are gone all the same"


# --- runs that are not at their end -------------------------------------------------------------------------


def test_an_attempt_that_was_killed_after_the_drain_was_done_has_the_last_look_to_make() -> None:
    """It may have cordoned the node again, with pods on it."""
    one = report(withdrawn(), replace(DRAINED, marks={AGAIN: DONE_AT + 9}))
    told = shown(one)
    assert (told["service"], told["stopped"]) == (
        "drain-stopped",
        "its process was killed, or could not write down how it ended",
    )
    assert "safeToPowerOff" not in told and "n1: safe" not in text(one)
    assert "when its drain was done, at 07:55:00 UTC on 2027-01-15; run the drain again" in told["hint"]
    assert "to go on: bgpctl node drain n1" in told["hint"]


SHUT = {step: at for step, at in STEPS.items() if step != "ShutDown"}
FAILED = replace(
    DRAINED,
    steps=SHUT,
    marks={SHUTTING_DOWN: DONE_AT},
    ending={"status": "blocked", "reason": "ssh failed with exit code 255", "at": DONE_AT},
)


def test_a_shutdown_command_that_failed_ran_on_a_node_that_was_safe_to_power_off() -> None:
    one = report(withdrawn(), FAILED)
    first = (
        "n1 was out of service and safe to power off when its shutdown command began, "
        "at 07:55:00 UTC on 2027-01-15; run the drain again to see whether it still is"
    )
    told = shown(one)
    assert told["hint"].splitlines()[0] == first and first in text(one)
    assert (told["service"], told["run"]["step"]) == ("drain-stopped", "ShutDown")


def test_a_drain_that_stopped_after_its_routes_had_gone_is_no_word_about_now_either() -> None:
    told = shown(report(BACK, FAILED))
    assert told["hint"].startswith("do not power off n1: it announces again (2 routes, 1 session)")
    assert (told["service"], "proof" in told) == ("drain-stopped", False)
    assert "gone" not in text(report(BACK, FAILED))


@pytest.mark.parametrize(
    ("order", "done", "step"),
    [
        ("guide", (), "Checked"),  # a first run writes no claim down
        ("guide", ("Checked", "Cordoned"), "Evicted"),
        ("guide", ("Checked", "Cordoned", "Evicted", "Deselected", "Claimed"), "Withdrawn"),
        ("withdraw-first", ("Claimed", "Checked", "Cordoned"), "Deselected"),
    ],
)
def test_the_step_that_a_run_is_in_or_stopped_in(order: str, done: tuple[str, ...], step: str) -> None:
    steps = {name: NOW - 50 + at for at, name in enumerate(done)}
    one = report(BACK, journal(order=order, steps=steps))
    assert f"drain run-a: stopped at {step}, began 1m ago" in text(one)
    assert shown(one)["run"]["step"] == step
    held = replace(one, holder="eve@host")
    assert f"drain run-a: at {step}, began 1m ago, run by eve@host" in text(held)
    assert shown(held)["run"]["step"] == step


def test_a_step_that_was_done_and_had_to_be_done_again_is_where_it_stopped() -> None:
    ending = {"status": "interrupted", "reason": "interrupted at Cordoned: cordon again", "at": NOW}
    steps = dict.fromkeys(("Checked", "Cordoned", "Evicted"), NOW)
    one = report(BACK, journal(steps=steps, ending=ending))
    assert "stopped at Cordoned" in text(one) and shown(one)["run"]["step"] == "Cordoned"
    other = replace(one, journal=journal(steps=steps, ending={**ending, "reason": "blocked at noon: x"}))
    assert "stopped at Deselected" in text(other)


def test_a_restore_and_a_restart_have_steps_too() -> None:
    steps = {"Up": NOW, "Graceful": NOW}
    at = [report(BACK, journal(command=command, steps=steps)).step for command in ("restore", "restart")]
    assert at == ["Selected", "Restarted"]


def test_a_node_out_of_service_that_still_announces_is_told_in_the_last_line() -> None:
    one = report(BACK, journal(steps={"Checked": NOW, "Cordoned": NOW}))
    told = shown(one)
    assert (told["inService"], told["announcing"]) == (False, True)
    assert text(one).endswith("\n0 of 1 node in service; not in service: n1; still announcing: n1")
    gone = report(withdrawn(announced=2))
    assert shown(gone)["announcing"] is False and "still announcing" not in text(gone)


def unheard(*peers: Any, **changes: Any) -> Since | None:
    """What is told of a node whose stack counts no routes, and has no session up."""
    state = NodeState("n1", phase="", announced=None, lag=7.0, peers=peers)
    return since(DRAINED, replace(state, **changes), True, NOW)


DOWN = replace(peer(up=False), announced=None)
DARK = replace(DOWN, session=replace(DOWN.session, state=SessionState.UNKNOWN))


def test_a_node_whose_sessions_are_all_down_is_as_the_drain_left_it() -> None:
    assert unheard(DOWN) is None
    for peers in ((DARK, DOWN), (DOWN, DARK)):
        seen = unheard(*peers)
        assert seen is not None and seen.word == "unknown"
        assert seen.told == "it is to speak BGP again, and whether it announces nobody tells"
    selected = unheard(DOWN, selected_by="cc")
    assert selected is not None and selected.told.startswith("it is to speak BGP again by cc, and ")


def test_a_speaker_that_starts_and_announces_already_does_announce() -> None:
    seen = since(DRAINED, replace(BACK, phase="Starting"), True, NOW)
    assert seen is not None and seen.word == "announces-again"
    for half in ({"peers": ()}, {"selected_by": ""}):
        seen = since(DRAINED, replace(BACK, phase="Starting", **half), True, NOW)
        assert seen is not None and seen.word == "announces-again", "it was told to"


def test_a_speaker_that_was_started_at_the_last_look_was_in_it() -> None:
    def started(at: float) -> Since | None:
        state = withdrawn(phase="Idle", problems=(UNPROVED,), started_at=at, heartbeat=NOW)
        return since(DRAINED, state, True, NOW)

    assert started(DONE_AT) is None
    assert started(DONE_AT + 0.5) is not None


def test_a_drain_that_is_made_again_at_this_moment_says_what_is_true_itself() -> None:
    one = replace(report(BACK), holder="eve@there:1/run-b")
    assert (one.running, one.since, one.ways) == (True, None, ())
    assert one.service == "draining" and not one.drained


def test_a_drain_that_is_done_is_in_no_step() -> None:
    """Whatever steps it had by the version that made it."""
    assert report(withdrawn(), journal(steps={"ShutDown": DONE_AT})).step == ""


@pytest.mark.parametrize("phase", ["Withdrawn", "Idle", "Stopped", "Waiting", ""])
def test_a_speaker_that_runs_nothing_is_as_the_drain_left_it(phase: str) -> None:
    """Also one that leaves the node to another BGP stack."""
    assert since(DRAINED, NodeState("n1", phase, heartbeat=NOW, reported_at=NOW), True, NOW) is None


def test_a_stack_that_never_tells_of_sessions_leaves_open_whether_they_are_up() -> None:
    """kube-router: that it is to speak BGP again is all that is known."""
    state = NodeState("n1", "", lag=0.0, sessions_told=False, selected_by="n1", selected_by_kind="Node")
    seen = since(DRAINED, state, True, NOW)
    assert seen == Since("unknown", "Node n1 selects it, and whether its sessions are up nobody tells")


def test_a_request_that_was_never_made_was_not_taken_back() -> None:
    """A drain that only relabels asks by no annotation; what stands there is of an earlier run."""
    unasked = replace(DRAINED, leaves=0)
    assert taken_back(unasked, {"enable-bgp": "false"}, "run-of-before-1") == ""
    assert taken_back(replace(DRAINED, deselect=None), {}, DRAINED.leave) == ""

"""The table at the head of withdrawn.py: what ends the wait, by whose word, and what never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.lever import Lever
from bgpctl.core.model import LastError
from bgpctl.core.state import ANOTHER_SPEAKER, UNPROVED, NodeState, WithdrawnPeer
from bgpctl.core.timing.withdrawal import Event
from bgpctl.errors import Tells
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.clock import UNCERTAIN
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain import _drained
from bgpctl.runbooks.estimated import CONFIGURED
from bgpctl.runbooks.evidence import gone
from bgpctl.runbooks.model import Decision, Result, Status
from bgpctl.runbooks.withdrawn import Settled, Withdrawn
from bgpctl.witness.model import RouteState
from tests.support.snapshots import (
    ASKED_IN_TIME,
    LEAVE,
    NEXT_PROCESS,
    NOW,
    ROUTER,
    ROUTER_2,
    estimates,
    journal,
    peer,
    relabelled,
    running,
    seen,
    snapshot,
    withdrawn,
)

DONE, ACT, WAIT, BLOCKED = Status.DONE, Status.ACT, Status.WAIT, Status.BLOCKED

LEFT = estimates(Event.DESELECT)
DEAD = estimates(Event.POWER_OFF)
LONG_AGO = NOW - 10_000
SENT = NOW - 29.9  # what `withdrawn()` says of itself
RELABELLED = relabelled()
SAW = relabelled(marks={"Relabelled": NOW - 30, "SawWithdrawn": NOW - 29, "SawRecord": SENT})
TWO = relabelled(peers=(ROUTER, ROUTER_2), baselines={ROUTER: 2, ROUTER_2: 2})
OFF = DEAD[0].worst
OLDER = replace(withdrawn(answers="run-old-1"), observed_leave=LEAVE, uid=NEXT_PROCESS)  # an older leave
FOLLOWED = relabelled(marks={"Relabelled": NOW - 30, f"SawStarted {NEXT_PROCESS}": NOW - 10})
SILENT = running(heartbeat=NOW - 600)
SOAKING = running(phase="Leaving", soak=5.0, soak_until=NOW + 3)
GONE = seen(RouteState.ABSENT, since=NOW - 1.2, times=3)


def at(**changes: Any) -> Any:
    fresh: dict[str, Any] = {
        "journal": RELABELLED,
        "state": withdrawn(),
        "estimates": LEFT,
        "dead_estimates": DEAD,
    }
    return snapshot(**{**fresh, **changes})


def refused(code: int, subcode: int, direction: str = "received", *, flushed: bool = False) -> Any:
    """It left, and what its session with the only peer had ended by."""
    error = LastError(NOW - 40, direction, "", code, subcode)
    left = withdrawn()
    one = WithdrawnPeer(peer(up=flushed, last_error=error), 2, flushed=flushed)
    return replace(left, withdrawn=replace(left.withdrawn, peers=(one,)))


@pytest.mark.parametrize(
    ("changes", "status", "proof", "words"),
    [
        # a router's word
        ({"answers": (GONE,)}, DONE, "confirmed", "within 28.80 s of being told to leave, confirmed by bird"),
        # … counts only with the speaker's: in answer to this request, and by a process that is there
        (
            {"answers": (GONE,), "state": running()},
            WAIT,
            None,
            "no route on bird 192.0.2.1; waiting for the",
        ),
        ({"answers": (GONE,), "state": withdrawn(answers="run-old-1")}, WAIT, None, "to see the relabel"),
        (
            {"answers": (GONE,), "state": None},
            WAIT,
            None,
            "the speaker fell silent (if it died; one that h",
        ),
        ({"answers": (GONE,), "state": None, "now": NOW + 9_999}, BLOCKED, None, "nobody knows"),
        ({"answers": (GONE,), "state": running(phase="Stopped")}, DONE, "confirmed", "confirmed by bird"),
        (
            {"answers": (GONE,), "state": running(phase="Stopped", engine_mode="detached")},
            WAIT,
            None,
            "no route on bird",
        ),
        # … and only of a router that was seen to have them
        ({"answers": (GONE,), "journal": relabelled(baselines={})}, ACT, None, "sent every withdraw"),
        (
            {"answers": (GONE,), "journal": replace(SAW, baselines={})},
            DONE,
            "estimated",
            "was first asked after the routes had gone, so its silence proves nothing",
        ),
        (
            {
                "answers": (GONE,),
                "journal": replace(SAW, baselines={}, marks={**SAW.marks, **ASKED_IN_TIME}),
            },
            DONE,
            "estimated",
            "never seen to have a route of this node: is it the right one?",
        ),
        ({"answers": (GONE,), "journal": relabelled(baselines={ROUTER: 0})}, DONE, "confirmed", "bird"),
        ({"answers": (seen(RouteState.ABSENT, since=NOW, times=1),)}, WAIT, None, "once more"),
        ({"answers": (seen(RouteState.ABSENT, since=NOW - 0.5, times=9),)}, WAIT, None, "once more"),
        ({"answers": (seen(RouteState.ABSENT, since=NOW - 5, times=1),)}, WAIT, None, "once more"),
        # … twice within a moment, and then another router took its time
        (
            {
                "journal": TWO,
                "answers": (
                    seen(RouteState.ABSENT, since=NOW - 0.15, times=2),
                    seen(RouteState.ABSENT, ROUTER_2, since=NOW - 3, times=2),
                ),
                "now": NOW + 4,
            },
            WAIT,
            None,
            "once more",
        ),
        ({"answers": (seen(RouteState.PRESENT),)}, WAIT, None, "it is present"),
        ({"answers": (seen(RouteState.STALE),)}, WAIT, None, "it is stale"),
        # never overruled by the clock, whoever else is silent
        ({"answers": (seen(RouteState.STALE),), "journal": SAW, "now": NOW + 9_999}, WAIT, None, "stale"),
        (
            {
                "answers": (seen(RouteState.PRESENT), seen(RouteState.UNKNOWN, ROUTER_2)),
                "journal": SAW,
                "now": NOW + 99,
            },
            WAIT,
            None,
            "it is present",
        ),
        (
            {"answers": (seen(RouteState.PRESENT),), "journal": TWO, "state": None, "now": NOW + 9_999},
            WAIT,
            None,
            "it is present",
        ),
        # not every peer was asked: the clock, and it says why
        ({"answers": (GONE,), "journal": replace(SAW, peers=TWO.peers)}, DONE, "estimated", ROUTER_2),
        ({"answers": (seen(RouteState.UNKNOWN),), "journal": SAW}, DONE, "estimated", "cannot be asked"),
        # the speaker's word and the worst case after it
        ({"state": running()}, WAIT, None, "waiting for the speaker"),
        ({"state": withdrawn(phase="Leaving")}, WAIT, None, "leaving"),
        ({"state": SOAKING}, WAIT, None, "traffic is being moved (GRACEFUL_SHUTDOWN, RFC 8326), 3 s left"),
        ({"state": replace(SOAKING, soak_until=NOW + 3600)}, WAIT, None, "10 s left"),
        ({"state": SOAKING, "answers": (seen(RouteState.PRESENT),)}, WAIT, None, "it is present; traffic is"),
        ({}, ACT, None, "has sent every withdraw"),
        ({"journal": SAW}, DONE, "estimated", "estimated"),
        # a peer that was added meanwhile, and that nobody asks
        (
            {"answers": (GONE,), "journal": SAW, "state": withdrawn(peers=(peer(), peer(ROUTER_2)))},
            DONE,
            "estimated",
            f"no probe asks {ROUTER_2}",
        ),
        ({"journal": replace(SAW, marks={**SAW.marks, "SawWithdrawn": NOW - 1})}, WAIT, None, "UPDATE"),
        # a record that changed is another withdrawal: its wait begins anew
        ({"journal": SAW, "state": withdrawn(observed=NOW - 3)}, ACT, None, "has sent every withdraw"),
        # a record that another process of the speaker left proves nothing of this drain
        ({"state": withdrawn(answers="run-old-1")}, WAIT, None, "to see the relabel"),
        ({"state": withdrawn(started_at=NOW - 10, uid=NEXT_PROCESS)}, ACT, None, "has sent every withdraw"),
        (
            {"state": replace(OLDER, started_at=NOW - 10), "journal": FOLLOWED},
            WAIT,
            None,
            "did not withdraw",
        ),
        (
            {"state": withdrawn(phase="Idle", withdrawn=None, uid=NEXT_PROCESS), "journal": FOLLOWED},
            WAIT,
            None,
            "did not withdraw",
        ),
        # a router that refused our session because it has another one with this node
        ({"journal": SAW, "state": refused(6, 7)}, BLOCKED, None, f"{ROUTER} refused the speaker's session"),
        ({"journal": SAW, "state": refused(6, 5)}, BLOCKED, None, "may announce its routes"),
        ({"journal": SAW, "state": refused(6, 5), "answers": (GONE,)}, DONE, "confirmed", "bird"),
        ({"journal": SAW, "state": refused(6, 2)}, DONE, "estimated", "estimated"),
        ({"journal": SAW, "state": refused(4, 7)}, DONE, "estimated", "estimated"),
        ({"journal": SAW, "state": refused(6, 7, "sent")}, DONE, "estimated", "estimated"),
        ({"journal": SAW, "state": refused(6, 7, flushed=True)}, DONE, "estimated", "estimated"),
        # nobody reports: the routers' own timers
        ({"state": withdrawn(heartbeat=LONG_AGO)}, WAIT, None, "silent"),
        ({"state": None, "now": NOW + 9_999}, BLOCKED, None, "if it died"),
        ({"state": None, "dead_estimates": ()}, BLOCKED, None, "nothing is known about its peers"),
        ({"state": SILENT, "now": NOW + OFF - 31}, WAIT, None, "if it died"),
        ({"state": SILENT, "now": NOW + OFF}, BLOCKED, None, "hangs or only lost the API server still ann"),
        ({"state": running(phase="Stopped")}, WAIT, None, "since the speaker stopped"),
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
        assert action.journal.marks["SawRecord"] == at(**changes).state.withdrawn.sent_at
    if status is DONE and proof == "estimated":
        assert ("no router was asked" in str(decision.evidence)) is not bool(at(**changes).answers)


SILENT_SINCE = "its speaker is silent since 2027-01-15 07:50:00 UTC: one that hangs still announces"
UNSEEN = "its speaker has not seen the relabel of 2027-01-15 07:59:30 UTC: does it hang?"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"state": SILENT}, SILENT_SINCE, id="silent"),
        pytest.param({"state": None}, "is silent and was never seen: one that hangs", id="never seen"),
        pytest.param({"state": running()}, UNSEEN, id="not answered for long"),
        pytest.param({"state": withdrawn(answers="run-old-1")}, UNSEEN, id="an older request answered"),
        pytest.param({"state": running(), "journal": relabelled(ago=9)}, "", id="not answered, but in time"),
        pytest.param({"state": running(observed_leave=LEAVE)}, "", id="it saw it, and has not done yet"),
        pytest.param({"state": withdrawn()}, "", id="it withdrew: the router is slow"),
        pytest.param({"state": replace(SOAKING, soak_until=NOW)}, "", id="it moves traffic first"),
    ],
)
def test_a_wait_for_a_router_names_a_speaker_that_cannot_have_withdrawn(changes: Any, words: str) -> None:
    """The router is innocent of what its speaker hangs on; the deadline repeats the reason."""
    reason = Withdrawn().decide(at(answers=(seen(RouteState.PRESENT),), **changes)).reason
    assert reason.startswith("it is present") or reason.startswith(f"bird {ROUTER}: it is present")
    assert words in reason
    assert bool(words) is ("its speaker" in reason)


@pytest.mark.parametrize(
    ("changes", "begun", "worst"),
    [
        pytest.param({"journal": SAW}, NOW - 29, LEFT[0].worst, id="the withdraws were sent"),
        pytest.param({"state": running(phase="Stopped", heartbeat=NOW - 9)}, NOW - 9, OFF, id="it stopped"),
        pytest.param(
            {"state": replace(OLDER, started_at=NOW - 9999), "journal": FOLLOWED},
            NOW - 10,
            OFF,
            id="another one was started since",
        ),
        pytest.param(
            {"state": replace(OLDER, heartbeat=NOW + 3600, reported_at=NOW), "journal": FOLLOWED},
            NOW - 10,
            OFF,
            id="on a machine whose clock is an hour ahead",
        ),
        pytest.param(
            {"journal": replace(SAW, counted=NOW - 5)}, NOW - 5, LEFT[0].worst, id="by another run's clock"
        ),
    ],
)
def test_a_wait_is_as_long_as_the_worst_case_and_as_two_clocks_may_differ(
    changes: Any, begun: float, worst: float
) -> None:
    """Ends neither early nor never: instants of another machine count by the API server's clock."""
    ends = begun + worst + UNCERTAIN

    def decided(now: float) -> Decision:
        """Its heart beats on, unless it stopped."""
        s = at(**changes)
        ahead = s.state.heartbeat - s.state.last_seen
        beats = {} if s.state.phase == "Stopped" else {"heartbeat": now + ahead, "reported_at": now}
        return Withdrawn().decide(replace(s, now=now, state=replace(s.state, **beats)))

    early, late = decided(ends - 0.1), decided(ends + 0.1)
    assert (early.status, early.eta) == (WAIT, pytest.approx(ends))
    assert (late.status, late.evidence["proof"]) == (DONE, "estimated")


@pytest.mark.parametrize(
    ("changes", "status", "proof", "assumed"),
    [
        pytest.param({"state": SILENT, "now": NOW + 60}, WAIT, None, False, id="not before the worst case"),
        pytest.param({"state": SILENT, "now": NOW + 9_999}, DONE, "estimated", True, id="then estimated"),
        pytest.param({"state": SILENT, "answers": (GONE,)}, DONE, "confirmed", True, id="or a router's word"),
        pytest.param(
            {"state": SILENT, "answers": (seen(RouteState.STALE),)}, WAIT, None, False, id="no router over"
        ),
        pytest.param(
            {"state": running(), "now": NOW + 1}, WAIT, None, False, id="it is not dead: it reports"
        ),
        pytest.param({"state": None, "dead_estimates": ()}, BLOCKED, None, False, id="of peers unknown"),
    ],
)
def test_a_silent_speaker_is_dead_only_by_the_operators_word(
    changes: Any, status: Status, proof: str | None, assumed: bool
) -> None:
    decision = Withdrawn(assume_dead=True).decide(at(**changes))
    assert (decision.status, decision.evidence.get("proof")) == (status, proof)
    assert bool(decision.evidence.get("assumed")) is assumed
    if assumed:
        last = _drained(Result("drain", "n1", "done", ""), decision.evidence)
        assert last.endswith(", assuming that its speaker died when it fell silent")


@pytest.mark.parametrize("told", [True, False])
def test_timers_that_no_session_told_are_assumed_to_be_those_of_its_open(told: bool) -> None:
    """FRR keeps a session whose restart time was edited since, and tells only the new one (issue 7)."""
    state = replace(SILENT, peers=(peer(gr_told=told),))
    decision = Withdrawn(assume_dead=True).decide(at(state=state, now=NOW + 9_999))
    last = _drained(Result("drain", "n1", "done", ""), decision.evidence)
    words = ", and that its sessions were opened with the timers that are configured now"
    assert last.endswith("when it fell silent" + ("" if told else words))


def test_the_hint_about_a_silent_speaker_is_the_whole_command() -> None:
    typed = CommandLine(("bgpctl", "node", "drain", "n1", "--force"))
    decision = Withdrawn(typed=typed).decide(at(state=SILENT, now=NOW + 9_999))
    assert decision.status is BLOCKED
    assert decision.hint.endswith(": bgpctl node drain n1 --force --assume-dead")
    assert "--router-probe KIND=TARGET@PEER" in decision.hint


ESTIMATED = {"proof": "estimated", "why": "because"}


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        pytest.param({"answers": (GONE,)}, DONE, "confirmed by bird", id="confirmed is enough"),
        pytest.param({"journal": SAW}, WAIT, "no router was asked", id="an estimate is not"),
        pytest.param(
            {"journal": SAW, "answers": (seen(RouteState.UNKNOWN),)}, WAIT, "cannot be asked", id="why"
        ),
        pytest.param({"state": SILENT, "now": NOW + 9_999}, WAIT, "no router was asked", id="by assumption"),
        pytest.param({"state": SILENT, "answers": (GONE,)}, WAIT, "word", id="nor is an assumed proof"),
        pytest.param(
            {"journal": replace(SAW, steps={"Withdrawn": NOW - 9}, evidence=ESTIMATED)},
            WAIT,
            "no router was asked",
            id="nor what an earlier run estimated",
        ),
        pytest.param(
            {
                "journal": replace(
                    SAW, steps={"Withdrawn": NOW - 9}, evidence={"proof": "confirmed", "by": "bird"}
                ),
                "answers": (GONE,),
            },
            DONE,
            "still gone, confirmed by bird",
            id="an earlier run's confirmation is",
        ),
        pytest.param(
            {"journal": journal(deselect=None), "state": None, "estimates": (), "dead_estimates": ()},
            WAIT,
            "nothing was announced",
            id="that nothing was announced nobody says",
        ),
    ],
)
def test_only_a_routers_word_is_enough_where_it_is_required(changes: Any, status: Status, words: str) -> None:
    decision = Withdrawn(require_confirmed=True, assume_dead=True).decide(at(**changes))
    assert decision.status is status
    assert words in decision.reason
    assert ("--require-confirmed" in decision.reason) is (status is WAIT)


STRICT = CommandLine(("bgpctl", "node", "drain", "n1", "--require-confirmed", "--router-probe", "bird"))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"journal": relabelled(baselines={})}, id="the speaker has just withdrawn"),
        pytest.param({"journal": replace(SAW, baselines={})}, id="long ago"),
        pytest.param({"journal": relabelled(baselines={}), "state": SILENT}, id="it is silent by now"),
    ],
)
def test_a_router_that_was_asked_too_late_ends_a_required_confirmation_at_once(changes: Any) -> None:
    """No waiting makes up for it, and the question whether it is the right one would mislead."""
    s = at(**{"answers": (GONE,), **changes})
    decision = Withdrawn(require_confirmed=True, typed=STRICT).decide(s)
    assert decision.status is BLOCKED
    assert decision.reason == (
        f"bird {ROUTER} was first asked after the routes had gone, so its silence proves nothing"
    )
    assert decision.hint == (
        "to be content with the estimate: bgpctl node drain n1 --router-probe bird --no-require-confirmed\n"
        "or restore first: bgpctl node restore n1\n"
        "and then drain again: "
        "bgpctl node drain n1 --require-confirmed --router-probe bird"
    )
    assert decision.tells == {Tells.GO_ON, Tells.BACK}, "nothing is said twice"
    assert Withdrawn(typed=STRICT).decide(s).status is not BLOCKED or s.state is SILENT


@pytest.mark.parametrize(("routes", "baseline"), [(RouteState.PRESENT, {ROUTER: 2}), (RouteState.STALE, {})])
def test_a_router_that_is_first_asked_while_it_still_has_the_routes_was_asked_in_time(
    routes: RouteState, baseline: Any
) -> None:
    s = at(answers=(seen(routes),), journal=relabelled(baselines={}), state=running())
    decision = Withdrawn(require_confirmed=True).decide(s)
    (write,) = decision.actions
    assert decision.status is ACT and isinstance(write, ChangeNode) and write.journal is not None
    assert write.journal.baselines == baseline
    then = Withdrawn(require_confirmed=True).decide(replace(s, journal=write.journal))
    assert (then.status, then.actions) == (WAIT, ()), "once is enough"
    gone = Withdrawn(require_confirmed=True).decide(at(answers=(GONE,), journal=write.journal))
    assert gone.status is (DONE if baseline else ACT)
    assert "was first asked after" not in gone.reason


def test_a_router_that_is_back_confirms_by_a_row_of_its_own() -> None:
    """What it said before it was away does not count, and is not told beside what it says now."""
    confirmed = Withdrawn().decide(at(answers=(GONE,), journal=SAW))
    record = SAW.with_step("Withdrawn", NOW, confirmed.evidence)
    away = Withdrawn().decide(at(answers=(seen(RouteState.UNKNOWN),), journal=record))
    assert (away.evidence["proof"], "confirmed it at" in away.evidence["earlier"]) == ("estimated", True)
    record = record.with_step("Withdrawn", NOW, away.evidence)
    assert "by" not in record.evidence, "nobody confirms it now"
    once = Withdrawn().decide(at(answers=(seen(RouteState.ABSENT, since=NOW, times=1),), journal=record))
    assert (once.status, once.reason) == (WAIT, "gone; asking once more")
    again = Withdrawn().decide(at(answers=(GONE,), journal=record))
    record = record.with_step("Withdrawn", NOW, again.evidence)
    assert gone(record.evidence) == f"2 routes gone, confirmed by bird {ROUTER}"
    assert "why" not in record.evidence and "missing" not in record.evidence


@pytest.mark.parametrize("proof", ["confirmed", "estimated"])
def test_a_resumed_drain_asks_again_and_keeps_the_first_proof_unless_it_gets_a_better_one(proof: str) -> None:
    done = replace(SAW, steps={"Withdrawn": NOW - 20}, evidence={"proof": proof, "by": "bird 192.0.2.1"})
    asked = Withdrawn().decide(at(journal=done, answers=(GONE,)))
    assert asked.status is DONE
    assert asked.evidence.get("proof") == (None if proof == "confirmed" else "confirmed")
    assert asked.evidence.get("secondsAfterRelabel") is None, "nobody saw when it went"
    unasked = Withdrawn().decide(at(journal=done))
    if proof == "estimated":
        assert (unasked.status, unasked.evidence) == (DONE, {})
    else:  # a router's word of then is no word of now
        assert (unasked.status, unasked.evidence["proof"]) == (DONE, "estimated")
        assert "bird 192.0.2.1 confirmed it at an earlier time" in unasked.reason
        assert Withdrawn(require_confirmed=True).decide(at(journal=done)).status is WAIT
    back = Withdrawn().decide(at(journal=done, answers=(seen(RouteState.PRESENT),)))
    assert back.status is ACT, "what was proved once is not proved for ever"
    (void,) = back.actions
    assert isinstance(void, ChangeNode) and void.journal is not None
    assert (void.journal.steps, void.journal.evidence) == ({}, {}), "and it settles anew"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"journal": TWO}, id="the node had peers when the drain began"),
        pytest.param({"journal": journal(peers=(), routes=2)}, id="it had routes"),
        pytest.param({"problems": (UNPROVED,)}, id="the speaker says that nothing was withdrawn"),
    ],
)
@pytest.mark.parametrize("phase", ["Idle", "Stopped"])
def test_a_speaker_without_a_peer_is_no_proof_that_nothing_was_announced(changes: Any, phase: str) -> None:
    """It was started after its predecessor died, and the policy that told of the peers is gone."""
    record = replace(changes.get("journal", journal(deselect=None, peers=(), routes=0)), leaves=0)
    told = withdrawn(
        phase=phase,
        withdrawn=None,
        observed_leave="",
        problems=changes.get("problems", ()),
        engine_mode="own",
    )
    found = Withdrawn().decide(at(journal=record, state=told, estimates=(), dead_estimates=()))
    assert found.status is BLOCKED
    assert "no speaker withdrew them" in found.reason and "drain again" in found.hint


@pytest.mark.parametrize("assume_dead", [False, True])
def test_a_silence_that_nothing_notices_never_ends_by_the_clock(assume_dead: bool) -> None:
    """Hold time 0: no estimate, so a router must be asked."""
    forever = tuple(replace(one, worst=float("inf")) for one in DEAD)
    decision = Withdrawn(assume_dead=assume_dead).decide(
        at(state=None, dead_estimates=forever, now=NOW + 1e9)
    )
    assert decision.status is BLOCKED
    assert "--router-probe" in decision.hint


@pytest.mark.parametrize(("since", "status"), [(NOW - 1, WAIT), (NOW - 2, DONE)])
def test_settled(since: float, status: Status) -> None:
    record = replace(RELABELLED, steps={"Withdrawn": since})
    assert Settled(2.0).decide(at(journal=record)).status is status


@pytest.mark.parametrize("routes", [RouteState.PRESENT, RouteState.STALE])
def test_routes_that_come_back_while_it_settles_are_waited_for_again(routes: RouteState) -> None:
    """The engine keeps every goal that a step's look can see."""
    assert Withdrawn.needs <= Settled.needs
    record = replace(RELABELLED, steps={"Withdrawn": NOW - 1}, evidence={"proof": "confirmed"})
    decision = Withdrawn().decide(at(journal=record, answers=(seen(routes),)))
    assert decision.status is (ACT if routes is RouteState.PRESENT else WAIT)


@pytest.mark.parametrize("answers", [(GONE,), (seen(RouteState.ABSENT, since=NOW - 60, times=9),), ()])
def test_two_speakers_under_one_name_are_not_one_word(answers: Any) -> None:
    """The routers were asked from the addresses that are known, and what the other announces nobody knows."""
    twins = withdrawn(problems=("bad", f"{ANOTHER_SPEAKER}: process process-2 from 10.0.0.2"))
    for record in (RELABELLED, SAW):
        step = Withdrawn(typed=CommandLine(("bgpctl", "node", "drain", "n1", "--timeout", "3")))
        decision = step.decide(at(answers=answers, state=twins, journal=record))
        assert (decision.status, "process-2 from 10.0.0.2" in decision.reason) == (BLOCKED, True)
        assert decision.tells == {Tells.GO_ON}
        assert decision.hint.endswith("then drain again: bgpctl node drain n1")
    assert "process-2" in Withdrawn().preview(at(state=replace(running(), problems=twins.problems)))
    there = (seen(RouteState.PRESENT),)
    assert Withdrawn().decide(at(answers=there, state=twins)).status is WAIT


def test_what_another_stack_on_the_node_announces_is_assumed_whenever_it_is_first_seen() -> None:
    """`--beside-another-stack` went past the guard: then the proof says so (issue 7)."""
    told = "that MetalLB announced nothing of it"
    first = Withdrawn().decide(at(answers=(GONE,), others=("MetalLB",)))
    assert first.status is DONE and first.evidence["assumed"] == told
    assert gone(first.evidence).endswith(f"assuming {told}")
    for before, both in (({}, told), ({"assumed": "X"}, f"X; {told}"), ({"assumed": told}, told)):
        done = replace(
            SAW, steps={"Withdrawn": NOW - 20}, evidence={"proof": "confirmed", "by": "b", **before}
        )
        later = Withdrawn().decide(at(journal=done, answers=(GONE,), others=("MetalLB",)))
        assert (later.status, later.evidence) == (DONE, {"assumed": both})
    assert Withdrawn(require_confirmed=True).decide(at(answers=(GONE,), others=("MetalLB",))).status is WAIT
    assert "assumed" not in Withdrawn().decide(at(answers=(GONE,))).evidence


def test_a_router_that_still_has_routes_is_waited_for_whoever_else_was_asked_too_late() -> None:
    """What the other one lacks is said when nothing is left to wait for."""
    record = relabelled(peers=(ROUTER, ROUTER_2), baselines={ROUTER: 2})
    late = seen(RouteState.ABSENT, ROUTER_2, since=NOW - 60, times=9)
    both = {"journal": record, "state": running(peer(), peer(ROUTER_2))}
    step = Withdrawn(require_confirmed=True, typed=STRICT)
    assert step.decide(at(answers=(seen(RouteState.PRESENT), late), **both)).status is WAIT
    assert step.decide(at(answers=(GONE, late), **both)).status is BLOCKED


def test_another_session_with_the_node_is_looked_for_on_the_node() -> None:
    decision = Withdrawn().decide(at(journal=SAW, state=refused(6, 7)))
    assert decision.status is BLOCKED
    first, second = decision.hint.splitlines()
    assert "--router-probe KIND=TARGET@PEER" in first and second.endswith(": ss -tnp")


def test_a_node_of_which_nothing_at_all_is_known_needs_a_look_at_its_routers() -> None:
    record = replace(RELABELLED, baselines={}, peers=())
    decision = Withdrawn().decide(at(journal=record, state=None, estimates=(), dead_estimates=()))
    assert decision.status is BLOCKED and "nothing is known about its peers" in decision.reason
    assert decision.hint == "bring the policy back that selected it, or look at its routers by hand"


def test_a_wait_is_told_in_short_without_its_reason() -> None:
    """The board has no room for why."""
    decision = Withdrawn().decide(at(journal=SAW, now=NOW - 27))
    assert decision.status is WAIT and decision.reason == f"{decision.brief}: {ROUTER}: {LEFT[0].why}"
    assert decision.brief.endswith("since the withdraws were seen sent")


@pytest.mark.parametrize("told", [True, False])
def test_timers_that_nobody_told_are_assumed_where_no_withdraw_was_seen(told: bool) -> None:
    """A stack that closed its sessions, and does not say what they had agreed to."""
    closed = replace(peer(up=False), session=replace(peer(up=False).session, gr_told=told))
    state = NodeState("n1", phase="", intended=None, announced=0, peers=(closed,), lag=7.0)
    marks = {"Relabelled": NOW - 900, "Pulled": NOW - 900, "SawWithdrawn": NOW - 800}
    for empty in (False, True):
        seen_empty = {"SawEmpty": NOW - 850} if empty else {}
        record = relabelled(marks={**marks, **seen_empty}, deselect=None, prior={"way": "copies"})
        decision = Withdrawn().decide(at(journal=record, state=state, lever=Lever(prior={"way": "copies"})))
        assert decision.status is DONE
        assert (CONFIGURED in decision.evidence.get("assumed", "")) is (not told and not empty)

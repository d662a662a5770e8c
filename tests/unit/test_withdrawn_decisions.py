"""How long each wait for a withdrawal is, when it is looked at again, and what the evidence says: numbers.
`test_withdrawn` has which word ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.lever import Effect, Lever
from bgpctl.core.state import ANOTHER_SPEAKER, NodeState, timestamp
from bgpctl.core.timing.withdrawal import Event
from bgpctl.errors import Tells
from bgpctl.runbooks import proof
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.clock import UNCERTAIN
from bgpctl.runbooks.estimated import ALONE, ASSUMED
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.proof import Word, word
from bgpctl.runbooks.snapshot import Snapshot
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

LEFT, DEAD = estimates(Event.DESELECT), estimates(Event.POWER_OFF)
LEFT_WORST, DEAD_WORST = LEFT[0].worst, DEAD[0].worst
SENT = NOW - 29.9
SAW = relabelled(marks={"Relabelled": NOW - 30, "SawWithdrawn": NOW - 29, "SawRecord": SENT})
TWO = relabelled(peers=(ROUTER, ROUTER_2), baselines={ROUTER: 2, ROUTER_2: 5})
SILENT = running(heartbeat=NOW - 600)


def at(**changes: Any) -> Snapshot:
    fresh: dict[str, Any] = {
        "journal": relabelled(),
        "state": withdrawn(),
        "estimates": LEFT,
        "dead_estimates": DEAD,
    }
    return snapshot(**{**fresh, **changes})


def decided(step: Withdrawn | None = None, **changes: Any) -> Decision:
    return (step or Withdrawn()).decide(at(**changes))


def timing(decision: Decision) -> tuple[Status, float | None, float | None]:
    eta = None if decision.eta is None else round(decision.eta - NOW, 6)
    recheck = None if decision.recheck is None else round(decision.recheck, 6)
    return decision.status, recheck, eta


# --- by routers ---------------------------------------------------------------------------------------------


def gone(since: float, times: int, address: str = ROUTER) -> Any:
    return seen(RouteState.ABSENT, address, since=NOW - since, times=times)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((seen(RouteState.PRESENT),), (Status.WAIT, 0.15, None)),
        ((gone(0.0, 1),), (Status.WAIT, 1.0, 1.0)),
        ((gone(0.4, 2),), (Status.WAIT, 0.6, 0.6)),
        ((gone(0.95, 9),), (Status.WAIT, 0.15, 0.05)),
        ((gone(9.0, 1),), (Status.WAIT, 0.15, -8.0)),
        ((gone(1.0, 2),), (Status.DONE, None, None)),
        ((replace(gone(0.0, 0), absent_since=None),), (Status.WAIT, 1.0, 1.0)),
    ],
)
def test_absent_twice_a_second_apart(answers: Any, expected: Any) -> None:
    assert timing(decided(answers=answers)) == expected


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (gone(5.0, 9), gone(5.0, 9, ROUTER_2), Status.DONE),
        (gone(5.0, 9), gone(0.5, 9, ROUTER_2), Status.WAIT),
        (gone(0.5, 9), gone(5.0, 9, ROUTER_2), Status.WAIT),
        (gone(5.0, 1), gone(5.0, 9, ROUTER_2), Status.WAIT),
        (gone(5.0, 9), gone(5.0, 1, ROUTER_2), Status.WAIT),
    ],
)
def test_every_router_says_it_twice(first: Any, second: Any, status: Status) -> None:
    assert decided(journal=TWO, answers=(first, second)).status is status


def test_while_the_speaker_serves_the_routers_are_looked_at_often() -> None:
    assert timing(decided(state=running(), answers=(gone(5.0, 9),))) == (Status.WAIT, 0.15, None)
    assert timing(decided(state=running())) == (Status.WAIT, 0.5, None)
    deaf = decided(state=running(), answers=(seen(RouteState.UNKNOWN),))
    assert timing(deaf) == (Status.WAIT, 0.15, None)


def test_the_evidence_of_two_routers() -> None:
    decision = decided(journal=TWO, answers=(gone(5.0, 9, ROUTER_2), gone(3.25, 4)))
    assert decision.reason.startswith(
        "gone within 26.75 s of being told to leave, confirmed by bird 192.0.2.1, bird"
    )
    assert decision.evidence == {
        "routes": 2,
        "withdrawSentTime": timestamp(SENT),
        "ceaseSentTime": timestamp(SENT),
        "proof": "confirmed",
        "by": "bird 192.0.2.1, bird 192.0.2.2",
        "relabelledTime": timestamp(NOW - 30),
        "goneTime": timestamp(NOW - 3.25),
        "secondsAfterRelabel": 26.75,
        "routers": [
            {"router": "bird 192.0.2.2", "peer": ROUTER_2, "absences": 9, "routesBefore": 5},
            {"router": "bird 192.0.2.1", "peer": ROUTER, "absences": 4, "routesBefore": 2},
        ],
    }


def test_a_dead_speaker_leaves_no_record_and_its_death_is_assumed() -> None:
    decision = decided(Withdrawn(assume_dead=True), state=SILENT, answers=(gone(3.0, 4),))
    assert decision.status is Status.DONE
    assert decision.evidence["assumed"] and "withdrawSentTime" not in decision.evidence
    assert decision.evidence["routes"] == 2, "those that the journal knows of"
    assert "assumed" not in decided(answers=(gone(3.0, 4),)).evidence


def test_routers_that_let_go_before_the_relabel_needed_no_time() -> None:
    decision = decided(journal=relabelled(ago=1.0), answers=(gone(3.0, 4),))
    assert (decision.evidence["secondsAfterRelabel"], "within 0.00 s" in decision.reason) == (0.0, True)


# --- by the clock -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (relabelled(), Status.ACT),
        (replace(SAW, marks={**SAW.marks, "SawRecord": SENT + 1.0}), Status.ACT),
        (replace(SAW, marks={"Relabelled": NOW - 30, "SawRecord": SENT}), Status.ACT),
        (SAW, Status.DONE),
    ],
)
def test_the_wait_begins_when_the_record_was_seen(record: Any, status: Status) -> None:
    decision = decided(journal=record)
    assert decision.status is status
    if status is Status.ACT:
        noted = record.with_mark("SawWithdrawn", NOW).with_mark("SawRecord", SENT)
        assert decision.actions == (ChangeNode("note the time", journal=noted),)


def test_a_record_is_the_same_in_milliseconds() -> None:
    state = withdrawn(observed=NOW - 30.0046)
    assert state.withdrawn is not None
    sent = round(state.withdrawn.sent_at, 3)
    assert sent != state.withdrawn.sent_at
    record = replace(SAW, marks={**SAW.marks, "SawRecord": sent})
    assert decided(journal=record, state=state).status is Status.DONE


ENDS = LEFT_WORST + UNCERTAIN


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (0.0, (Status.WAIT, 1.0, ENDS)),
        (ENDS - 0.25, (Status.WAIT, 0.25, 0.25)),
        (ENDS, (Status.DONE, None, None)),
    ],
)
def test_the_worst_case_and_as_much_as_two_clocks_may_differ(ago: float, expected: Any) -> None:
    record = replace(SAW, marks={**SAW.marks, "SawWithdrawn": NOW - ago})
    assert timing(decided(journal=record)) == expected


def test_the_evidence_of_an_estimate() -> None:
    decision = decided(journal=SAW)
    assert decision.evidence == {
        "routes": 2,
        "withdrawSentTime": timestamp(SENT),
        "ceaseSentTime": timestamp(SENT),
        "proof": "estimated",
        "why": LEFT[0].why,
        "worstSeconds": LEFT_WORST,
        "until": timestamp(NOW - 29 + ENDS),
        "missing": ["no router was asked"],
    }
    assert decision.reason == f"gone, estimated: {LEFT_WORST:.0f} s passed since the withdraws were seen sent"


@pytest.mark.parametrize(
    ("silent_for", "relabel_ago", "left"),
    [(600.0, 30.0, DEAD_WORST - 30.0), (90.0, 300.0, None), (200.0, 100.0, DEAD_WORST - 100.0)],
)
def test_a_silent_speaker_is_waited_for_from_the_later_of_two_instants(
    silent_for: float, relabel_ago: float, left: float | None
) -> None:
    """Its last word, and the relabel."""
    state = running(heartbeat=NOW - silent_for)
    decision = decided(state=state, journal=relabelled(ago=relabel_ago))
    if left is None:
        left = DEAD_WORST - silent_for
    assert state.stale(NOW) or silent_for < 100.0
    if not state.stale(NOW):
        assert decision.status is Status.WAIT, "it is not silent yet"
    elif left > 0:
        assert timing(decision) == (Status.WAIT, 1.0, left)
    else:
        assert decision.status is Status.BLOCKED


def test_a_silence_that_ends_now_is_over() -> None:
    ends = relabelled(ago=DEAD_WORST)
    assert decided(state=SILENT, journal=ends).status is Status.BLOCKED
    assert decided(state=SILENT, journal=relabelled(ago=DEAD_WORST - 0.1)).status is Status.WAIT
    unmarked = replace(relabelled(), marks={}, started_at=NOW - 20.0)
    assert timing(decided(state=SILENT, journal=unmarked)) == (Status.WAIT, 1.0, DEAD_WORST - 20.0)


def test_a_state_that_tells_of_no_peer_and_is_silent() -> None:
    """It is there: whose routes it had, nobody knows."""
    assert decided(state=SILENT, dead_estimates=()).status is Status.BLOCKED
    unselected = replace(relabelled(), deselect=None)
    assert decided(state=SILENT, dead_estimates=(), journal=unselected).status is Status.BLOCKED
    nobody = decided(state=None, dead_estimates=(), journal=replace(relabelled(), deselect=None))
    assert nobody.status is Status.DONE
    assert nobody.evidence == {"proof": "", "routes": 0}
    assert decided(state=None, dead_estimates=()).status is Status.BLOCKED


@pytest.mark.parametrize(("dead", "assumed"), [(True, True), (False, False)])
def test_whose_death_is_assumed(dead: bool, assumed: bool) -> None:
    """Not that of a speaker which said that it stopped: only that no other one followed it."""
    state = SILENT if dead else running(phase="Stopped")
    record = relabelled(ago=DEAD_WORST + 99.0)
    late = Withdrawn(assume_dead=dead).decide(replace(at(state=state, journal=record), now=NOW + 9999))
    assert late.status is Status.DONE
    assert late.evidence["assumed"] == (ASSUMED if assumed else ALONE)
    assert ("assuming" in late.reason) is assumed
    assert late.evidence["routes"] == 2, "those that the journal knows of"


@pytest.mark.parametrize(
    ("record", "unproved", "status"),
    [
        (journal(peers=(), routes=0), False, Status.DONE),
        (journal(peers=(ROUTER,), routes=0), False, Status.BLOCKED),
        (journal(peers=(), routes=2), False, Status.BLOCKED),
    ],
)
def test_a_speaker_without_a_peer(record: Any, unproved: bool, status: Status) -> None:
    state = running(phase="Stopped", peers=())
    decision = decided(state=replace(state, peers=()), dead_estimates=(), journal=record)
    assert decision.status is status
    if status is Status.DONE:
        assert decision.evidence == {"proof": "", "routes": 0}
    else:
        assert (f"({ROUTER})" in decision.reason) is bool(record.peers)
        assert "()" not in decision.reason


def test_what_a_speaker_says_that_nobody_withdrew_is_waited_for_from_when_it_was_seen() -> None:
    """No policy selects the node any more, so nobody relabelled it."""
    idle = withdrawn(phase="Idle", withdrawn=None, observed_leave="", unwithdrawn=(peer(),))
    record = journal(deselect=None, leaves=0, started_at=NOW - 9.0, peers=(), routes=0)
    decision = decided(state=idle, journal=seen_started(record, idle), estimates=())
    assert timing(decision) == (Status.WAIT, 1.0, DEAD_WORST + UNCERTAIN)
    assert proof.peers(at(state=idle, journal=record)) == {ROUTER}


def seen_started(record: Journal, state: NodeState) -> Journal:
    """The journal once the run has noted that this speaker follows another one; of that one nothing stays."""
    fresh = replace(record, marks={**record.marks, "SawStarted old": NOW - 999.0})
    decision = decided(state=state, journal=fresh, estimates=())
    assert decision.status is Status.ACT
    (action,) = decision.actions
    assert isinstance(action, ChangeNode) and action.journal
    assert action.journal.marks == {**record.marks, f"SawStarted {state.uid}": NOW}
    return action.journal


@pytest.mark.parametrize("started", [NOW - 5.0, NOW - 9999.0, NOW + 9999.0])
def test_a_speaker_that_was_started_since_is_waited_for_from_when_it_was_seen(started: float) -> None:
    """By which clock it says when it began nobody knows: a node may boot without the time."""
    state = replace(withdrawn(answers="x", started_at=started, uid=NEXT_PROCESS), observed_leave=LEAVE)
    for record in (relabelled(ago=20.0), replace(relabelled(), marks={}, started_at=NOW - 20.0)):
        ends = DEAD_WORST + UNCERTAIN
        assert timing(decided(state=state, journal=seen_started(record, state))) == (Status.WAIT, 1.0, ends)


def test_an_instant_that_is_not_known_is_not_told() -> None:
    decision = decided(journal=replace(relabelled(), marks={}), answers=(gone(3.0, 4),))
    assert decision.reason == "gone, confirmed by bird 192.0.2.1"
    assert decision.evidence["secondsAfterRelabel"] is None


# --- what is required ---------------------------------------------------------------------------------------


def test_a_lesser_proof_than_required_is_a_wait() -> None:
    step = Withdrawn(require_confirmed=True)
    decision = decided(step, journal=SAW)
    assert timing(decision) == (Status.WAIT, 1.0, None)
    waits, gone_by = (
        "waits for a router's word",
        "(gone, estimated: 5 s passed since the withdraws were seen sent)",
    )
    assert decision.reason.endswith(f"{waits}: no router was asked {gone_by}")
    deaf = decided(step, journal=SAW, answers=(seen(RouteState.UNKNOWN),))
    assert f"{waits}: bird 192.0.2.1 cannot be asked: it is unknown (gone, estimated: " in deaf.reason
    nothing: dict[str, Any] = {"estimates": (), "dead_estimates": ()}
    idle = withdrawn(phase="Idle", withdrawn=None)
    none = decided(step, state=idle, journal=relabelled(peers=(), routes=0), **nothing)
    assert (none.status, none.evidence["proof"]) == (Status.DONE, ""), (
        "its speaker says that there was nothing"
    )
    record = replace(relabelled(), deselect=None)
    assert decided(step, state=None, journal=record, **nothing).status is Status.WAIT, "nobody says so"
    waiting = decided(step, state=running())
    assert waiting == decided(state=running()), "what is waited for anyway is told as it is"


# --- a drain that goes on -----------------------------------------------------------------------------------

EARLIER = {"proof": "confirmed", "by": "bird x", "goneTime": "10:00"}


def again(evidence: Any, **changes: Any) -> Decision:
    record = changes.pop("journal", SAW)
    done = replace(record, steps={"Withdrawn": NOW - 9}, evidence=evidence)
    return decided(journal=done, **changes)


@pytest.mark.parametrize(
    ("evidence", "changes", "reason", "found"),
    [
        ({"proof": "estimated", "why": "x"}, {}, "still gone", {}),
        (EARLIER, {"answers": (gone(3.0, 4),)}, "still gone, confirmed by bird x", {}),
    ],
)
def test_the_same_proof_is_not_written_again(evidence: Any, changes: Any, reason: str, found: Any) -> None:
    decision = again(evidence, **changes)
    assert (decision.status, decision.reason, decision.evidence) == (Status.DONE, reason, found)


def test_a_better_proof_takes_the_place_and_says_nothing_of_when() -> None:
    decision = again({"proof": "estimated", "why": "x"}, answers=(gone(3.0, 4),))
    assert decision.evidence["proof"] == "confirmed"
    assert (decision.evidence["secondsAfterRelabel"], decision.evidence["goneTime"]) == (None, None)


@pytest.mark.parametrize(
    ("evidence", "earlier"),
    [
        (EARLIER, "bird x confirmed it at 10:00"),
        ({"proof": "confirmed", "by": "bird x"}, "bird x confirmed it at an earlier time"),
    ],
)
def test_a_lesser_proof_tells_of_the_better_one_before(evidence: Any, earlier: str) -> None:
    decision = again(evidence)
    assert decision.reason.endswith(f"; {earlier}")
    assert (decision.evidence["proof"], decision.evidence["earlier"]) == ("estimated", earlier)


NEVER_SEEN = (
    "its speaker is silent (it was never seen): the routes end only if somebody says that it is dead "
    "(--assume-dead)"
)

# --- a dry run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"estimates": (), "dead_estimates": ()}, "the node has no peer"),
        ({}, f"{LEFT_WORST:.0f} s after the withdraws, by estimate: {ROUTER}: {LEFT[0].why}"),
        (
            {"estimates": (), "state": None},
            "its speaker is silent (it was never seen): "
            "the routes end only if somebody says that it is dead (--assume-dead)",
        ),
        (
            {"state": running(soak=5.0)},
            f"5 s with GRACEFUL_SHUTDOWN first, then {LEFT_WORST:.0f} s after the withdraws, by estimate: "
            f"{ROUTER}: {LEFT[0].why}",
        ),
        (
            {"answers": (seen(RouteState.PRESENT),)},
            "until bird 192.0.2.1 has no route of this node, asked twice (confirmed)",
        ),
        (
            {"lever": Lever(effect=Effect.CLOSES)},
            f"{DEAD_WORST:.0f} s after its sessions are closed, by estimate: {ROUTER}: {DEAD[0].why}",
        ),
        (
            {"state": running(problems=(f"{ANOTHER_SPEAKER}: process process-2",))},
            f"{ANOTHER_SPEAKER}: process process-2",
        ),
        ({"estimates": LEFT, "dead_estimates": (), "state": None}, NEVER_SEEN),
        ({"estimates": (), "dead_estimates": DEAD, "state": None}, NEVER_SEEN),
        ({"estimates": (), "dead_estimates": (), "state": None}, "the node has no peer"),
        (
            {"state": SILENT},
            f"its speaker is silent (last seen {timestamp(NOW - 600)}): "
            "the routes end only if somebody says that it is dead (--assume-dead)",
        ),
    ],
)
def test_what_will_end_the_wait(changes: dict[str, Any], said: str) -> None:
    assert Withdrawn().preview(at(**{"state": running(), **changes})) == said


def test_packets_on_their_way() -> None:
    step = Settled(2.0)
    assert step.preview(at()) == "2 s for packets on their way"
    record = replace(SAW, steps={"Withdrawn": NOW - 0.5})
    decision = step.decide(at(journal=record))
    assert decision == Decision(Status.WAIT, "2 s for packets on their way", recheck=0.5, eta=NOW + 1.5)
    assert step.decide(at()).eta == NOW + 2.0
    record = replace(SAW, steps={"Withdrawn": NOW - 2.0})
    assert step.decide(at(journal=record)) == Decision(Status.DONE, "settled")


# --- words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "dead", "said"),
    [
        ({"journal": None, "state": withdrawn(answers="")}, False, Word.WITHDREW),
        ({"journal": journal(), "state": withdrawn(answers="")}, False, Word.WITHDREW),
        ({"journal": journal(), "state": withdrawn(answers=LEAVE)}, False, Word.SERVES),
        ({"state": withdrawn(answers="")}, False, Word.SERVES),
        ({"state": None}, False, Word.SILENT),
        ({"state": None}, True, Word.DEAD),
        ({"state": SILENT}, True, Word.DEAD),
        ({"state": running()}, True, Word.SERVES),
        ({"state": running(phase="Stopped", engine_mode="own", heartbeat=NOW - 999)}, False, Word.STOPPED),
        ({"state": running(phase="Stopped", engine_mode="")}, False, Word.STOPPED),
        ({"state": running(phase="Stopped", engine_mode="external")}, False, Word.SERVES),
        ({"state": withdrawn(phase="Idle")}, False, Word.WITHDREW),
    ],
)
def test_the_speakers_word(changes: dict[str, Any], dead: bool, said: Word) -> None:
    assert word(at(**changes), assume_dead=dead) is said
    if not dead:
        assert word(at(**changes)) is said


@pytest.mark.parametrize(
    ("state", "withdrew"),
    [
        (withdrawn(), True),
        (withdrawn(answers="x"), True),  # by the process that runs now
        (withdrawn(answers="x", started_at=NOW - 1.0), True),
        (withdrawn(answers="x", uid=NEXT_PROCESS), False),
        (withdrawn(uid=NEXT_PROCESS), True),  # in answer to this request
        (withdrawn(withdrawn=None), False),
    ],
)
def test_whose_record_it_is(state: Any, withdrew: bool) -> None:
    assert proof.withdrew(state, LEAVE) is withdrew


THIRD = "192.0.2.3"


@pytest.mark.parametrize(
    ("changes", "addresses"),
    [
        ({"journal": None, "state": None}, set()),
        ({"journal": journal(peers=(THIRD,)), "state": None}, {THIRD}),
        ({"journal": journal(peers=(THIRD,)), "state": running(peer(ROUTER_2))}, {THIRD, ROUTER_2}),
        ({"journal": None, "state": withdrawn()}, {ROUTER}),
        ({"journal": None, "state": withdrawn(phase="Running", peers=(peer(ROUTER_2),))}, {ROUTER_2}),
        ({"journal": None, "state": withdrawn(withdrawn=None)}, set()),
    ],
)
def test_who_may_have_the_nodes_routes(changes: dict[str, Any], addresses: set[str]) -> None:
    assert proof.peers(at(**changes)) == addresses


def test_what_is_missing() -> None:
    others = ("192.0.2.9", "192.0.2.8", ROUTER)
    record = relabelled(peers=others, baselines={}, marks={**relabelled().marks, **ASKED_IN_TIME})
    s = at(journal=record, answers=(gone(3.0, 4), seen(RouteState.PRESENT, ROUTER_2)))
    never = f"bird {ROUTER} was never seen to have a route of this node: is it the right one?"
    assert proof.missing(s) == (never, "no probe asks 192.0.2.8", "no probe asks 192.0.2.9")
    assert proof.note(s) == f" ({never}) (no probe asks 192.0.2.8) (no probe asks 192.0.2.9)"
    assert (proof.missing(at()), proof.note(at())) == (("no router was asked",), "")
    assert proof.missing(at(journal=None, answers=(gone(3.0, 4),))) == (never,)


def test_a_leave_that_soaks() -> None:
    def moving(**changes: Any) -> str:
        return proof.moving(
            at(state=running(**{"phase": "Leaving", "soak": 5.0, "soak_until": NOW + 3, **changes}))
        )

    assert moving() == "traffic is being moved (GRACEFUL_SHUTDOWN, RFC 8326), 3 s left"
    assert moving(soak_until=NOW - 3).endswith(", 0 s left")
    assert moving(phase="Running") == moving(soak_until=None) == proof.moving(at(state=None)) == ""


def test_a_confirmation_without_a_journal() -> None:
    found = proof.confirmed(at(journal=None, state=None, answers=(gone(3.0, 4),)), NOW)
    assert (found["routes"], found["secondsAfterRelabel"], found["relabelledTime"]) == (
        0,
        None,
        timestamp(None),
    )
    assert found["routers"][0]["routesBefore"] is None


@pytest.mark.parametrize(("soaked", "told"), [(None, False), (NOW - 40, True)])
def test_the_speakers_record_as_evidence(soaked: float | None, told: bool) -> None:
    state = withdrawn()
    assert state.withdrawn is not None
    found = proof.record(replace(state, withdrawn=replace(state.withdrawn, shut_down_at=soaked)))
    assert ("gracefulShutdownTime" in found) is told
    assert not told or found["gracefulShutdownTime"] == timestamp(soaked)
    assert found["routes"] == 2
    assert proof.record(running()) == {}


def test_a_confirmation_to_the_millisecond_by_routers_in_order() -> None:
    addresses = [f"192.0.2.{n}" for n in (7, 3, 9, 1, 5, 8)]
    answers = tuple(gone(3.0, 4, address) for address in addresses)
    state = withdrawn(phase="Running")
    found = proof.confirmed(at(journal=relabelled(ago=30.4567), state=state, answers=answers), NOW - 3.0)
    assert found["secondsAfterRelabel"] == 27.457
    assert found["by"] == ", ".join(f"bird {address}" for address in sorted(addresses))
    assert "withdrawSentTime" not in found, "its record is of another leave while it runs"


def test_a_speaker_of_ours_that_serves_again_voids_nothing_before_a_router_shows_it() -> None:
    """It has a phase, and a record: those say what is void."""
    before = relabelled(steps={"Deselected": NOW - 29, "Withdrawn": NOW - 20})
    assert decided(journal=before, state=running()).actions == ()
    shown = decided(journal=before, state=running(), answers=(seen(RouteState.PRESENT),))
    assert shown.status is Status.ACT and len(shown.actions) == 1


def test_nobody_hangs_who_was_told_nothing() -> None:
    shown = (seen(RouteState.PRESENT),)
    told = decided(state=running(), answers=shown)
    assert "does it hang?" in told.reason
    untold = decided(state=running(), answers=shown, journal=journal(baselines={ROUTER: 2}))
    assert "does it hang?" not in untold.reason
    before = running(observed_leave="run-of-before-1")
    untold = decided(state=before, answers=shown, journal=journal(baselines={ROUTER: 2}))
    assert "does it hang?" not in untold.reason, "it has seen an older request, and there is no newer one"


def test_who_may_be_content_with_less_than_a_router_says_so() -> None:
    """The command that the hint then prints."""
    waits = decided(Withdrawn(require_confirmed=True), journal=SAW)
    assert (waits.status, waits.tells) == (Status.WAIT, {Tells.LESSER})


@pytest.mark.parametrize(
    ("session", "steps", "marks", "back"),
    [
        (True, {"Withdrawn": NOW - 9}, {}, True),  # it was gone, and serves again
        (True, {}, {"SawWithdrawn": NOW - 9}, True),  # it was seen leaving, and serves again
        (True, {}, {}, False),  # it has not left yet
        (False, {}, {"SawWithdrawn": NOW - 9}, False),
    ],
)
def test_a_stack_that_serves_again_voids_what_was_seen(
    session: bool, steps: dict[str, float], marks: dict[str, float], back: bool
) -> None:
    """Every wait begins anew: the routes are with its routers again."""
    record = relabelled(marks={"Relabelled": NOW - 900, **marks}, steps={"Cordoned": NOW - 950, **steps})
    one = peer(up=session)
    state = NodeState("n1", phase="", intended=None, announced=2, peers=(one,), lag=7.0)
    decision = decided(journal=record, state=state)
    void = [a for a in decision.actions if isinstance(a, ChangeNode) and "is void: it came back" in a.what]
    assert bool(void) is back
    if back:
        assert void[0].journal is not None
        assert (void[0].journal.steps, "SawWithdrawn" in void[0].journal.marks) == (
            {"Cordoned": NOW - 950},
            False,
        )


def test_a_node_that_was_told_to_withdraw_and_counts_routes_again_is_back_too() -> None:
    record = relabelled(marks={"Relabelled": NOW - 900}, steps={"Withdrawn": NOW - 9})
    state = NodeState("n1", phase="", intended=None, announced=2, peers=(peer(),), lag=7.0, told_out=True)
    (void,) = decided(journal=record, state=state).actions
    assert isinstance(void, ChangeNode) and "is void: it came back" in void.what


def test_what_is_assumed_of_another_stack_is_said_beside_what_the_proof_assumes() -> None:
    told = "that MetalLB announced nothing of it"
    dead = decided(Withdrawn(assume_dead=True), state=SILENT, answers=(gone(3.0, 4),), others=("MetalLB",))
    assert dead.evidence["assumed"] == f"{ASSUMED}; {told}"
    assert dead.evidence["proof"] == "confirmed" and dead.evidence["by"] == "bird 192.0.2.1"


def test_a_speaker_that_saw_the_relabel_and_one_that_leaves_do_not_hang() -> None:
    shown = (seen(RouteState.PRESENT),)
    for state in (running(observed_leave=LEAVE), running(phase="Leaving")):
        assert decided(state=state, answers=shown).reason == "bird 192.0.2.1: it is present"
    early = decided(state=running(), answers=shown, journal=relabelled(ago=9.9))
    assert early.reason == "bird 192.0.2.1: it is present"

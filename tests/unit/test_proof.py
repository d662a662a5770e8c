"""What is known of a withdrawal: the speaker's word on this very request, and what the routers' lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.model import LastError
from bgpctl.core.state import ANOTHER_SPEAKER, WithdrawnPeer
from bgpctl.runbooks import proof
from bgpctl.runbooks.baseline import asked, baselines, noted
from bgpctl.runbooks.proof import Word
from bgpctl.witness.model import RouteState
from tests.support.snapshots import (
    ASKED_IN_TIME,
    LEAVE,
    NEXT_PROCESS,
    NOW,
    PROCESS,
    ROUTER,
    ROUTER_2,
    journal,
    peer,
    relabelled,
    running,
    seen,
    snapshot,
    withdrawn,
)


def unsigned(state: Any) -> Any:
    """As a speaker of the version before told it."""
    return replace(state, withdrawn=replace(state.withdrawn, uid=""))


TWINS = (f"{ANOTHER_SPEAKER}: process process-2",)
LONG_AGO = NOW - 10_000
SECOND = relabelled(leaves=2)


@pytest.mark.parametrize(
    ("state", "record", "assume_dead", "word"),
    [
        pytest.param(withdrawn(), relabelled(), False, Word.WITHDREW, id="it repeats our request"),
        pytest.param(withdrawn(phase="Idle"), relabelled(), False, Word.WITHDREW, id="idle, by our request"),
        pytest.param(withdrawn(answers=""), relabelled(), False, Word.SERVES, id="it has not seen ours"),
        pytest.param(withdrawn(answers="run-old-1"), relabelled(), False, Word.SERVES, id="an older drain's"),
        pytest.param(withdrawn(), SECOND, False, Word.SERVES, id="our first request, and this is the second"),
        pytest.param(running(observed_leave=LEAVE), relabelled(), False, Word.SERVES, id="seen, still there"),
        pytest.param(withdrawn(phase="Leaving"), relabelled(), False, Word.SERVES, id="it is leaving"),
        pytest.param(withdrawn(answers=""), journal(), False, Word.WITHDREW, id="nothing was asked of it"),
        pytest.param(withdrawn(), journal(), False, Word.SERVES, id="nothing was asked, and it says so"),
        pytest.param(None, relabelled(), False, Word.SILENT, id="no speaker ever reported"),
        pytest.param(running(heartbeat=LONG_AGO), relabelled(), False, Word.SILENT, id="it fell silent"),
        pytest.param(withdrawn(heartbeat=LONG_AGO), relabelled(), False, Word.SILENT, id="a stale answer"),
        pytest.param(
            running(phase="Stopped", heartbeat=LONG_AGO),
            relabelled(),
            False,
            Word.STOPPED,
            id="stopped long ago: it says nothing more",
        ),
        pytest.param(
            running(heartbeat=LONG_AGO), relabelled(), True, Word.DEAD, id="silent, the operator knows"
        ),
        pytest.param(running(), relabelled(), True, Word.SERVES, id="a speaker that reports is not dead"),
        pytest.param(
            running(phase="Stopped"), relabelled(), False, Word.STOPPED, id="stopped, an older speaker"
        ),
        pytest.param(
            running(phase="Stopped", engine_mode="own"),
            relabelled(),
            False,
            Word.STOPPED,
            id="with its engine",
        ),
        pytest.param(
            running(phase="Stopped", engine_mode="detached"),
            relabelled(),
            False,
            Word.SERVES,
            id="its engine stays",
        ),
        pytest.param(
            running(phase="Stopped", engine_mode="external"),
            relabelled(),
            False,
            Word.SERVES,
            id="or is another's",
        ),
        pytest.param(withdrawn(problems=TWINS), relabelled(), False, Word.BESIDE, id="it is not alone"),
        pytest.param(running(problems=TWINS), relabelled(), True, Word.BESIDE, id="nor when it serves"),
        pytest.param(
            running(phase="Stopped", problems=TWINS),
            relabelled(),
            False,
            Word.BESIDE,
            id="stopped, the other one did not say so",
        ),
        pytest.param(
            running(phase="Stopped", problems=TWINS, heartbeat=LONG_AGO),
            relabelled(),
            False,
            Word.SILENT,
            id="nor later",
        ),
        pytest.param(
            withdrawn(problems=TWINS, heartbeat=LONG_AGO),
            relabelled(),
            True,
            Word.DEAD,
            id="both dead, by the operator's word",
        ),
        pytest.param(
            running(heartbeat=NOW - 3600, reported_at=NOW - 5),
            relabelled(),
            False,
            Word.SERVES,
            id="its clock is behind, the API server's says that it reported",
        ),
        pytest.param(
            running(heartbeat=NOW + 3600, reported_at=LONG_AGO),
            relabelled(),
            False,
            Word.SILENT,
            id="its clock is ahead, the API server's says that it is silent",
        ),
    ],
)
def test_the_speakers_word(state: Any, record: Any, assume_dead: bool, word: Word) -> None:
    assert proof.word(snapshot(state=state, journal=record), assume_dead=assume_dead) is word


def test_a_run_that_asks_for_nothing_goes_by_what_was_asked_before() -> None:
    """Journal and Lease of an earlier drain were removed by hand: the node is out, and a new drain ends."""
    node = replace(snapshot().node, leave=LEAVE)
    assert proof.word(snapshot(state=withdrawn(), journal=journal(), node=node)) is Word.WITHDREW
    assert proof.word(snapshot(state=withdrawn(), journal=SECOND, node=node)) is Word.SERVES


@pytest.mark.parametrize(
    ("state", "withdrew"),
    [
        pytest.param(withdrawn(), True, id="the process that runs now"),
        pytest.param(withdrawn(uid=NEXT_PROCESS), True, id="the one before, in answer to this request"),
        pytest.param(
            withdrawn(uid=NEXT_PROCESS, answers="run-old-1"), False, id="the one before, to another"
        ),
        pytest.param(
            withdrawn(uid=NEXT_PROCESS, answers="run-old-1", observed=NOW + 3600),
            False,
            id="the one before, whose clock was ahead, to another",
        ),
        pytest.param(withdrawn(uid="", answers="run-old-1"), False, id="an older speaker, to another"),
        pytest.param(unsigned(withdrawn(uid="", answers="run-old-1")), False, id="nobody said whose it is"),
        pytest.param(withdrawn(withdrawn=None), False, id="no record"),
    ],
)
def test_whose_record_it_is(state: Any, withdrew: bool) -> None:
    assert proof.withdrew(state, LEAVE) is withdrew


@pytest.mark.parametrize(("uid", "withdrew"), [(PROCESS, True), (NEXT_PROCESS, False)])
def test_a_relabel_by_hand_has_no_name_that_an_older_record_could_answer(uid: str, withdrew: bool) -> None:
    """Two relabels by hand, and a speaker that was killed between them: the record is of the first."""
    assert proof.withdrew(withdrawn(answers="", uid=uid), "") is withdrew


def absent(address: str = ROUTER) -> Any:
    return seen(RouteState.ABSENT, address, since=NOW - 2, times=3)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        pytest.param({"answers": (absent(),)}, (), id="nothing"),
        pytest.param({"answers": ()}, ("no router was asked",), id="no probe"),
        pytest.param(
            {"answers": (seen(RouteState.UNKNOWN),)},
            ("bird 192.0.2.1 cannot be asked: it is unknown",),
            id="deaf",
        ),
        pytest.param(
            {"answers": (absent(),), "journal": relabelled(baselines={}, marks=ASKED_IN_TIME)},
            ("bird 192.0.2.1 was never seen to have a route of this node: is it the right one?",),
            id="no baseline",
        ),
        pytest.param(
            {"answers": (absent(),), "journal": relabelled(baselines={})},
            (f"bird {ROUTER} was first asked after the routes had gone, so its silence proves nothing",),
            id="nobody asked in time",
        ),
        pytest.param(
            {"answers": (absent(),), "journal": journal(baselines={})},
            (f"bird {ROUTER} was never seen to have a route of this node: is it the right one?",),
            id="no routes, and nothing was changed yet",
        ),
        pytest.param(
            {"answers": (absent(),), "journal": relabelled(peers=(ROUTER, ROUTER_2))},
            (f"no probe asks {ROUTER_2}",),
            id="a peer that it had when the drain began",
        ),
        pytest.param(
            {"answers": (absent(),), "state": withdrawn(peers=(peer(), peer(ROUTER_2)))},
            (f"no probe asks {ROUTER_2}",),
            id="a peer that it has now",
        ),
        pytest.param(
            {"answers": (absent(ROUTER_2),), "journal": relabelled(peers=(), baselines={ROUTER_2: 1})},
            (f"no probe asks {ROUTER}",),
            id="a peer in the withdrawn record",
        ),
        pytest.param(
            {
                "answers": (absent(), seen(RouteState.UNKNOWN, ROUTER_2)),
                "journal": relabelled(peers=(ROUTER, ROUTER_2)),
            },
            ("bird 192.0.2.2 cannot be asked: it is unknown",),
            id="one of two is deaf",
        ),
    ],
)
def test_what_the_routers_word_lacks(changes: Any, missing: tuple[str, ...]) -> None:
    fresh: dict[str, Any] = {"journal": relabelled(), "state": withdrawn()}
    s = snapshot(**{**fresh, **changes})
    assert proof.missing(s) == missing
    told = proof.note(s)
    assert ("no router was asked" in told) is False, "the note is about routers that were asked"
    assert all(one in told for one in missing if s.answers)


# --- baselines ----------------------------------------------------------------------------------------------

NOTHING_SENT = replace(peer(), intended=0, announced=0)


@pytest.mark.parametrize(
    ("answers", "state", "before", "found"),
    [
        pytest.param((seen(RouteState.PRESENT),), running(), {}, {ROUTER: 2}, id="it has them"),
        pytest.param((seen(RouteState.STALE),), running(), {}, {}, id="only stale ones: its session is down"),
        pytest.param((absent(),), running(), {}, {}, id="it has none, and was sent some"),
        pytest.param((seen(RouteState.UNKNOWN),), running(), {}, {}, id="it was not asked"),
        pytest.param((absent(),), running(NOTHING_SENT), {}, {ROUTER: 0}, id="it was sent none"),
        pytest.param((absent(),), None, {}, {}, id="nobody says what it was sent"),
        pytest.param((absent(),), running(NOTHING_SENT, heartbeat=LONG_AGO), {}, {}, id="nor says so now"),
        pytest.param((absent(),), running(NOTHING_SENT, phase="Leaving"), {}, {}, id="it is leaving already"),
        pytest.param(
            (absent(),), running(replace(peer(up=False), intended=0, announced=0)), {}, {}, id="no session"
        ),
        pytest.param(
            (absent(),), running(replace(peer(), intended=0, announced=1)), {}, {}, id="one is on its way out"
        ),
        pytest.param(
            (absent(),), running(replace(peer(), intended=1, announced=0)), {}, {}, id="one is on its way"
        ),
        pytest.param(
            (absent(ROUTER_2),), running(NOTHING_SENT, peer(ROUTER_2)), {}, {}, id="another was sent none"
        ),
        pytest.param((absent(ROUTER_2),), running(NOTHING_SENT), {}, {}, id="it is no peer"),
        pytest.param((seen(RouteState.UNKNOWN),), running(NOTHING_SENT), {}, {}, id="sent none, not asked"),
        pytest.param((absent(),), running(), {ROUTER: 2}, {ROUTER: 2}, id="what was seen is kept"),
        pytest.param(
            (seen(RouteState.PRESENT),), running(), {ROUTER: 9}, {ROUTER: 9}, id="the most of all looks"
        ),
        pytest.param(
            (seen(RouteState.PRESENT),), running(), {ROUTER_2: 1}, {ROUTER: 2, ROUTER_2: 1}, id="each peer"
        ),
    ],
)
def test_baselines(answers: Any, state: Any, before: Any, found: Any) -> None:
    s = snapshot(answers=answers, state=state, journal=journal(baselines=before))
    assert baselines(s) == found
    if not before:
        assert baselines(replace(s, journal=None)) == found


@pytest.mark.parametrize(
    ("routes", "in_time"),
    [
        (RouteState.PRESENT, True),
        (RouteState.ABSENT, True),
        (RouteState.STALE, True),
        (RouteState.UNKNOWN, False),
    ],
)
def test_who_was_asked_while_the_routes_were_there_is_kept(routes: RouteState, in_time: bool) -> None:
    """A router that answers has been asked, whatever it shows; its first time is kept."""
    kept = noted(journal(marks={"Relabelled": NOW}), snapshot(answers=(seen(routes),), state=running()))
    assert asked(kept) == ({ROUTER} if in_time else set())
    assert (kept.baselines == {ROUTER: 2}) is (routes is RouteState.PRESENT)
    assert kept.marks["Relabelled"] == NOW
    seconds = noted(journal(), snapshot(now=NOW + 0.12345, answers=(absent(),), state=running())).marks
    assert seconds == {f"Asked {ROUTER}": NOW + 0.123}, "to the millisecond: a journal is short"
    again = noted(kept, snapshot(now=NOW + 5, journal=kept, answers=(seen(routes),), state=running()))
    assert again == kept


@pytest.mark.parametrize(
    ("answers", "unasked", "blank"),
    [
        ((), (ROUTER, ROUTER_2), 0),
        ((seen(RouteState.PRESENT),), (ROUTER_2,), 0),
        ((absent(), seen(RouteState.STALE, ROUTER_2)), (), 1),
        ((absent(), absent(ROUTER_2)), (), 2),
        ((seen(RouteState.UNKNOWN), seen(RouteState.PRESENT, ROUTER_2)), (), 0),
    ],
)
def test_what_a_required_confirmation_lacks_before_anything_is_changed(
    answers: Any, unasked: tuple[str, ...], blank: int
) -> None:
    s = snapshot(answers=answers, state=running(peer(), peer(ROUTER_2)))
    assert proof.unasked(s) == unasked
    assert len(proof.blank(s)) == blank
    assert proof.too_late(s) == ()


@pytest.mark.parametrize(
    ("sessions", "up"),
    [
        ((), False),
        (("established",), True),
        (("established", "established"), True),
        (("established", "active"), False),
        (("", ""), False),
    ],
)
def test_whether_every_router_says_that_its_session_is_up(sessions: tuple[str, ...], up: bool) -> None:
    one = absent()
    answers = tuple(replace(one, answer=replace(one.answer, session=session)) for session in sessions)
    assert proof.sessions_up(snapshot(answers=answers)) is up


@pytest.mark.parametrize(
    ("record", "began", "fresh"),
    [
        (None, NOW, False),
        (journal(deselect=None), NOW, False),
        (journal(), NOW, True),  # it has a label to set, and has not yet
        (relabelled(ago=9.0), NOW, False),
        (relabelled(ago=7.0), NOW, False),  # to the second
        (relabelled(ago=6.9), NOW, True),
        (relabelled(ago=9.0), NOW - 5, True),  # the look began before
    ],
)
def test_whether_a_late_word_may_be_of_before(record: Any, began: float, fresh: bool) -> None:
    state = replace(running(phase=""), lag=7.0)
    assert proof.too_fresh(snapshot(journal=record, began=began), state) is fresh


def test_routers_that_have_another_session_are_named_in_order() -> None:
    def refused(address: str) -> WithdrawnPeer:
        error = LastError(NOW - 40, "received", "", 6, 7)
        return WithdrawnPeer(peer(address, up=False, last_error=error), 2, flushed=False)

    left = withdrawn()
    addresses = ("192.0.2.9", "192.0.2.1", "192.0.2.5", "192.0.2.3", "192.0.2.7")
    record = replace(left.withdrawn, peers=(*map(refused, addresses), WithdrawnPeer(peer("192.0.2.2"), 2)))
    assert proof.another_session(replace(left, withdrawn=record)) == ", ".join(sorted(addresses))
    assert proof.another_session(running()) == ""

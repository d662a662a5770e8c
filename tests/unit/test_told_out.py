"""A stack that withdraws with its sessions up, and tells little of it: what ends the wait, and then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.lever import Effect, Lever, Patch
from bgpctl.core.model import SessionState
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.timing.withdrawal import Event
from bgpctl.queries.since import since
from bgpctl.runbooks import proof
from bgpctl.runbooks.actions import ChangeNode, PatchObject
from bgpctl.runbooks.catalogue import node_drain, steps_of
from bgpctl.runbooks.checked import Checked
from bgpctl.runbooks.drain_steps import Closed, Deselected
from bgpctl.runbooks.estimated import EMPTY, UNLISTED
from bgpctl.runbooks.evidence import gone as gone_words
from bgpctl.runbooks.model import Status
from bgpctl.runbooks.options import DrainOptions
from bgpctl.runbooks.proof import Word
from bgpctl.runbooks.restore_steps import Established, Selected
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.snapshot import PeerAnswer, Snapshot
from bgpctl.runbooks.withdrawn import Withdrawn
from bgpctl.witness.model import RouterAnswer, RouteState
from bgpctl.witness.probe import parse_probe
from tests.support.snapshots import (
    LEAVE,
    NOW,
    ROUTER,
    estimates,
    journal,
    node,
    peer,
    relabelled,
    seen,
    snapshot,
)

LAG = 7.0
CLOSE = Patch("/x", "take the peers away", ())
OUT = Lever(closing=(CLOSE,), prior={"way": "copies"})
LEFT, DEAD = estimates(Event.DESELECT), estimates(Event.POWER_OFF)


def told(*peers: PeerState, **changes: Any) -> NodeState:
    fresh = NodeState(
        "n1", phase="", intended=None, announced=0, peers=peers or (peer(),), lag=LAG, told_out=True
    )
    return replace(fresh, **changes)


def marks(ago: float, **more: float) -> dict[str, float]:
    return {"Relabelled": NOW - ago, "Pulled": NOW - ago, **more}


def at(ago: float = 30.0, **changes: Any) -> Snapshot:
    fresh: dict[str, Any] = {
        "journal": relabelled(marks=marks(ago), deselect=None, prior={"way": "copies"}),
        "node": node(leave=LEAVE),
        "state": told(),
        "lever": OUT,
        "estimates": LEFT,
        "dead_estimates": DEAD,
    }
    return snapshot(**{**fresh, **changes})


UNKNOWN = peer(up=False)
UNKNOWN = replace(UNKNOWN, session=replace(UNKNOWN.session, state=SessionState.UNKNOWN))


@pytest.mark.parametrize(
    ("s", "word"),
    [
        (at(), Word.EMPTY),
        (at(ago=LAG - 1), Word.TOLD),
        (at(state=told(announced=None)), Word.TOLD),
        (at(state=told(announced=2)), Word.TOLD),
        (at(state=told(UNKNOWN, announced=None)), Word.TOLD),
        (at(state=told(peers=(), announced=None)), Word.CLOSED),
        (at(ago=1, state=told(peers=(), announced=None)), Word.CLOSED),
        (at(lever=Lever(("cc",))), Word.SERVES),
        (at(state=told(peer(up=False), told_out=False)), Word.CLOSED),
        (at(state=told(UNKNOWN, told_out=False)), Word.SERVES),
    ],
    ids=[
        "it counts nothing",
        "its word may be of before",
        "it cannot tell",
        "it counts some",
        "it never tells",
        "closed after that",
        "which is true at once",
        "somebody took it back",
        "closed instead",
        "unknown is not closed",
    ],
)
def test_the_word_of_a_stack_without_a_phase(s: Snapshot, word: Word) -> None:
    assert proof.word(s) is word


def test_that_it_is_dead_is_said_by_the_operator_and_not_contradicted_by_the_node() -> None:
    s = at(state=told(announced=None))
    assert proof.word(s, assume_dead=True) is Word.TOLD, "its node is Ready"
    assert proof.word(replace(s, node=node(ready=False)), assume_dead=True) is Word.DEAD


def gone(session: str, **changes: Any) -> tuple[PeerAnswer, ...]:
    one = seen(RouteState.ABSENT, since=NOW - 2, times=3)
    return (replace(one, answer=replace(one.answer, session=session), **changes),)


def test_a_router_whose_session_is_up_confirms_what_the_stack_does_not_tell() -> None:
    decision = Withdrawn().decide(at(ago=2, answers=gone("established")))
    assert (decision.status, decision.evidence["proof"]) == (Status.DONE, "confirmed")


def test_a_router_whose_session_is_down_confirms_nothing_that_the_stack_does_not_tell() -> None:
    waits = Withdrawn().decide(at(ago=2, answers=gone("active")))
    assert waits.status is Status.WAIT and "not with every session up" in waits.reason
    never = Withdrawn().decide(at(state=told(announced=None), answers=gone("active")))
    assert never.status is Status.BLOCKED and "--router-probe" in never.hint
    says = Withdrawn().decide(at(answers=gone("active")))
    assert says.evidence["proof"] == "confirmed", "it says so itself"


def test_without_a_router_it_waits_for_the_stack_to_say_so_and_then_for_the_worst_case() -> None:
    early = Withdrawn().decide(at(ago=2))
    assert early.status is Status.WAIT and "its BGP stack has not reported since" in early.reason
    counting = Withdrawn().decide(at(state=told(announced=2)))
    assert counting.status is Status.WAIT
    saw = Withdrawn().decide(at())
    (note,) = saw.actions
    assert isinstance(note, ChangeNode) and note.journal is not None and "SawWithdrawn" in note.journal.marks
    before = marks(30, SawWithdrawn=NOW - 20, SawEmpty=NOW - 20)
    done = Withdrawn().decide(at(journal=relabelled(marks=before, deselect=None, prior={"way": "copies"})))
    assert (done.status, done.evidence["proof"]) == (Status.DONE, "estimated")
    assert done.evidence["worstSeconds"] == LEFT[0].worst


def test_an_engine_that_was_asked_itself_is_more_than_a_clock_and_less_than_a_router() -> None:
    before = marks(30, SawWithdrawn=NOW - 20, SawEmpty=NOW - 20)
    journal = relabelled(marks=before, deselect=None, prior={"way": "copies"})
    asked = replace(told(), engine_asked="cilium-dbg in pod kube-system/cilium-x", lag=0.0)
    done = Withdrawn().decide(at(journal=journal, state=asked))
    assert (done.status, done.evidence["proof"]) == (Status.DONE, "reported")
    words = gone_words(done.evidence)
    assert "gone, reported by cilium-dbg in pod kube-system/cilium-x: no router was asked" in words
    strict = Withdrawn(require_confirmed=True).decide(at(journal=journal, state=asked))
    assert strict.status is Status.WAIT and "waits for a router's word" in strict.reason


def test_a_session_that_ended_after_the_withdrawal_is_waited_for_anew_and_as_after_a_crash() -> None:
    before = marks(30, SawWithdrawn=NOW - 20, SawEmpty=NOW - 20)
    journal = relabelled(marks=before, deselect=None, prior={"way": "copies"})
    state = told()
    anew = at(journal=journal, state=replace(state, unwithdrawn=state.peers))
    (note,) = Withdrawn().decide(anew).actions
    assert isinstance(note, ChangeNode) and note.journal is not None
    assert note.journal.marks["SawEnded"] == note.journal.marks["SawWithdrawn"] == NOW


def test_how_many_routes_went_is_not_said_where_nobody_counted_them() -> None:
    before = marks(30, SawWithdrawn=NOW - 20, SawEmpty=NOW - 20)
    uncounted = relabelled(marks=before, deselect=None, prior={"way": "copies"}, routes=0)
    assert gone_words(Withdrawn().decide(at(journal=uncounted)).evidence).startswith("its routes are gone, ")
    counted = Withdrawn().decide(at(journal=replace(uncounted, routes=2))).evidence
    assert gone_words(counted).startswith("2 routes gone, ")


def test_what_a_stack_never_tells_blocks_without_a_router() -> None:
    decision = Withdrawn().decide(at(state=told(UNKNOWN, announced=None)))
    assert (
        decision.status is Status.BLOCKED and "its BGP stack does not say whether it did" in decision.reason
    )
    assert "--router-probe" in decision.hint


def test_what_is_waited_for_first_is_said() -> None:
    empty = Withdrawn().decide(at())
    assert (empty.status, empty.reason) == (Status.ACT, EMPTY)
    assert Withdrawn().decide(unlisted()).reason == UNLISTED
    closed = Withdrawn().decide(unlisted(engine_asked="cilium-dbg", lag=0.0))
    assert closed.reason == "the sessions are closed"
    since = relabelled(marks=marks(30, SawWithdrawn=NOW - 1))
    waits = Withdrawn().decide(replace(unlisted(engine_asked="cilium-dbg", lag=0.0), journal=since))
    assert "since the sessions were seen closed" in waits.reason
    serves = Withdrawn().decide(at(state=told(peer(), told_out=False)))
    assert serves.reason.startswith("waiting for the sessions to be closed (1 up)")


def test_before_the_run_wrote_anything_a_word_is_of_now() -> None:
    """For `--dry-run`."""
    assert proof.word(at(journal=None)) is Word.EMPTY
    assert not proof.too_fresh(at(journal=None), told())
    asked = replace(relabelled(marks={}), deselect=None)
    assert proof.too_fresh(at(journal=asked), told()), "it was asked to leave, and when is not known"
    assert not proof.too_fresh(at(journal=replace(asked, leaves=0)), told()), "nobody asked it"


# --- the close ----------------------------------------------------------------------------------------------


def test_sessions_are_closed_after_the_proof_where_that_is_another_act() -> None:
    assert Closed().needs == {"policies", "state"}, "what it decides by, and whether it did"
    assert Closed().preview(at()) == "close the sessions"
    assert Closed().preview(at(lever=Lever(effect=Effect.CLOSES))) == ""
    closes = "nothing more: the change that takes the node out closes them"
    assert Closed().preview(at(lever=Lever(("rack",), effect=Effect.CLOSES))) == closes
    assert Closed().preview(at(lever=Lever(("rack",), effect=Effect.WITHDRAWS))) == "close the sessions"
    assert Closed().preview(at(lever=Lever(("rack",), effect=Effect.NOTHING))) == ""
    decision = Closed().decide(at())
    assert (decision.status, decision.actions) == (Status.ACT, (PatchObject(CLOSE),))
    assert Closed().decide(at(lever=replace(OUT, closing=()))).status is Status.DONE
    by_label = Closed().decide(at(lever=Lever(effect=Effect.CLOSES)))
    assert (by_label.status, "was told to close" in by_label.reason) == (Status.DONE, True), "nobody saw it"


def test_only_a_provider_that_closes_apart_has_that_step() -> None:
    names = [step.name for step in node_drain(DrainOptions("n1", provider="cilium"), "r")]
    assert names[names.index("Withdrawn") :] == ["Withdrawn", "Closed", "Settled", "ShutDown"]
    assert "Closed" not in [step.name for step in node_drain(DrainOptions("n1"), "r")]
    assert "Closed" in steps_of(journal(provider="cilium"))
    assert "Closed" not in steps_of(journal(provider="bgpctl"))


def test_after_the_close_it_is_still_withdrawn_by_the_estimate_of_a_withdraw() -> None:
    """Not by that of sessions which ended without one."""
    before = marks(30, SawWithdrawn=NOW - 20, SawEmpty=NOW - 20)
    written = relabelled(marks=before, deselect=None, prior={"way": "copies"})
    s = at(state=told(peers=(), announced=None), journal=written, lever=replace(OUT, closing=()))
    assert Withdrawn().decide(s).status is Status.DONE


def test_sessions_that_were_never_seen_up_and_empty_may_have_crashed() -> None:
    """Nobody tells how they ended: a router may keep the routes of a crash."""
    before = relabelled(marks=marks(30, SawWithdrawn=NOW - 20), deselect=None, prior={"way": "copies"})
    closed = at(state=told(peer(up=False), told_out=False), journal=before)
    decision = Withdrawn().decide(closed)
    assert decision.status is Status.WAIT and f"{DEAD[0].worst:.0f} s since" in decision.reason


def test_an_empty_word_with_a_session_down_is_no_word() -> None:
    assert proof.word(at(state=told(peer(up=False)))) is Word.TOLD


def test_nothing_of_before_the_lever_was_seen_pulled_counts() -> None:
    """Its patch may be refused for long after the Node was marked."""
    unseen = relabelled(ago=30, deselect=None, prior={"way": "copies"})
    assert proof.word(at(journal=unseen)) is Word.TOLD
    assert proof.word(at(journal=unseen, state=told(peer(up=False), told_out=False))) is Word.SERVES
    fresh = at(state=told(peer(up=False), told_out=False), began=NOW - 30 + LAG - 0.1)
    assert proof.word(fresh) is Word.SERVES, "a look that took long began before that"


@pytest.mark.parametrize("word", [told(), told(peer(), told_out=False)], ids=["routes", "sessions"])
def test_what_was_seen_is_void_when_it_comes_back(word: NodeState) -> None:
    before = relabelled(
        marks=marks(30, SawWithdrawn=NOW - 20),
        deselect=None,
        prior={"way": "copies"},
        steps={"Deselected": NOW - 29, "Withdrawn": NOW - 20},
    )
    shown = (seen(RouteState.PRESENT),) if word.told_out else ()
    decision = Withdrawn().decide(at(journal=before, state=word, answers=shown))
    (write,) = decision.actions
    assert isinstance(write, ChangeNode) and write.journal is not None
    assert write.journal.marks == marks(30) and list(write.journal.steps) == ["Deselected"]


# --- what is said, and written down -------------------------------------------------------------------------


def test_what_the_lever_needs_to_come_back_is_written_down_also_for_a_label() -> None:
    lever = Lever(
        ("cc",), ("enable-bgp", "false"), prior={"way": "label"}, effect=Effect.CLOSES, note="mind that"
    )
    s = snapshot(lever=lever, state=told(told_out=False))
    decision = Checked("run-a", "guide").decide(s)
    (write,) = decision.actions
    assert isinstance(write, ChangeNode) and write.journal is not None
    assert (write.journal.prior, write.journal.deselect) == ({"way": "label"}, lever.label)
    assert decision.reason.endswith("mind that")


def test_a_node_that_somebody_left_withdrawn_is_adopted() -> None:
    s = at(journal=None, node=node())
    written = Checked("run-a", "guide").journal(s)
    assert written.takes_out and written.prior == {"way": "copies"}
    asked = Deselected().decide(at(journal=replace(written, steps={"Checked": NOW}), node=node()))
    assert asked.status is Status.ACT
    assert Deselected().decide(at()).status is Status.DONE
    first = Deselected().decide(at(journal=relabelled(deselect=None, prior={"way": "copies"})))
    (note,) = first.actions
    assert isinstance(note, ChangeNode) and note.journal and note.journal.marks["Pulled"] == NOW


def test_a_node_whose_close_is_not_told_yet_is_no_second_path_and_not_back_in_service() -> None:
    from bgpctl.runbooks.cluster import announces

    assert not announces(told(), NOW)
    assert announces(told(told_out=False), NOW)
    done = relabelled(steps={"ShutDown": NOW - 5})
    assert since(done, told(), True, NOW) is None
    assert since(done, told(told_out=False, announced=None), True, NOW) is not None


# --- back ---------------------------------------------------------------------------------------------------

BACK = Patch("/x", "give it its peers back", ())


def test_sessions_count_once_their_word_is_of_after_the_patch() -> None:
    """A status sticks at "established" when peers are taken away: it is of before."""
    undoing = journal(command="restore", deselect=None, prior={"way": "copies"}, prior_labels={})
    decision = Selected().decide(at(journal=undoing, lever=Lever(back=(BACK,))))
    change, patch = decision.actions
    assert patch == PatchObject(BACK) and change.journal.marks["Reselected"] == NOW
    up = told(told_out=False, announced=None)
    fresh = at(journal=change.journal, lever=Lever(("cc",)), state=up)
    assert Established().decide(fresh).status is Status.WAIT
    assert Established().decide(replace(fresh, now=NOW + LAG)).status is Status.DONE


def test_a_restore_without_a_journal_gives_back_what_the_cluster_itself_tells() -> None:
    decision = Selected().decide(at(journal=None, lever=Lever(back=(BACK,))))
    assert decision.actions == (PatchObject(BACK),)


# --- the routers --------------------------------------------------------------------------------------------


def test_a_router_is_asked_about_the_nodes_address_where_the_stack_does_not_tell_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def answer(_: object, neighbor: str) -> RouterAnswer:
        asked.append(neighbor)
        return RouterAnswer("bird", neighbor, RouteState.ABSENT)

    probe = parse_probe(f"bird=/run/b@{ROUTER}")
    monkeypatch.setattr(type(probe), "routes_from", answer)
    one = peer()
    state = told(replace(one, session=replace(one.session, local_address=None)))
    Routers((probe,)).look(state, None, lambda: NOW, ("10.0.0.7", "2001:db8::7"))
    assert asked == ["10.0.0.7"]
    (unknown,) = Routers((probe,)).look(replace(state, phase="Running"), None, lambda: NOW, ("10.0.0.7",))
    assert "address towards" in unknown.answer.detail, "our own speaker tells it, or has none"


# --- what lists no session any more -------------------------------------------------------------------------


def unlisted(**changes: Any) -> Snapshot:
    """The label lever: its configuration of the node is gone, and its sessions with it."""
    state = NodeState("worker-1", phase="", intended=None, announced=0, lag=7.0)
    return at(state=replace(state, **changes), journal=relabelled(marks=marks(30)))


def test_that_a_configuration_is_gone_does_not_say_that_anybody_obeyed() -> None:
    s = unlisted()
    assert proof.word(s) is Word.UNLISTED
    asked = unlisted(engine_asked="cilium-dbg in pod kube-system/cilium-x", lag=0.0)
    assert proof.word(asked) is Word.CLOSED, "its agent says itself that it has none"


def test_a_router_that_took_its_session_down_itself_confirms_nothing() -> None:
    """The node may still announce, and come back with its routes when the router does."""
    s = replace(unlisted(), answers=gone("idle"))
    decision = Withdrawn(require_confirmed=True).decide(s)
    assert decision.status is not Status.DONE
    assert any("nobody saw" in text for text in proof.missing(s))
    asked = unlisted(engine_asked="cilium-dbg in pod kube-system/cilium-x", lag=0.0)
    done = Withdrawn(require_confirmed=True).decide(replace(asked, answers=gone("idle")))
    assert (done.status, done.evidence["proof"]) == (Status.DONE, "confirmed")


def test_a_node_that_is_to_speak_again_is_not_told_to_be_safe() -> None:
    """Its agent tells of no session (1.16): nobody knows whether it announces."""
    drained = relabelled(marks=marks(300), steps={"ShutDown": NOW - 200})
    back = NodeState("worker-1", phase="", intended=None, announced=None, lag=7.0, selected_by="cc")
    seen = since(drained, back, True, NOW)
    assert seen is not None and seen.word == "unknown" and "by cc" in seen.told


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"proof": "reported", "by": "x", "routes": 1}, "1 route gone, reported by x: no router was asked"),
        ({"proof": "reported", "by": "x", "missing": ["a", "b"]}, "0 routes gone, reported by x: a; b"),
        ({"proof": "estimated", "routes": 2, "missing": []}, "2 routes gone, estimated: no router was asked"),
        ({"proof": "estimated", "missing": ["a", "b"]}, "0 routes gone, estimated: a; b"),
        (
            {"proof": "confirmed", "by": "x", "secondsAfterRelabel": 0.0, "assumed": "y", "earlier": "z"},
            "0 routes gone, confirmed by x, within 0.00 s of being told to leave, assuming y; z",
        ),
        ({"proof": "confirmed", "by": "x", "uncounted": True}, "its routes are gone, confirmed by x"),
        ({"proof": ""}, "it announced no routes"),
    ],
)
def test_by_whose_word_the_routes_are_gone(evidence: dict[str, Any], words: str) -> None:
    assert gone_words(evidence) == words


def test_of_a_node_that_lists_no_peer_nobody_can_say_that_it_is_dead() -> None:
    """What holds its sessions may hang with all of them up: it is waited for as what it is, unlisted."""
    bare = replace(told(announced=None, told_out=False), peers=())
    s = at(state=bare, node=node(ready=False, leave=LEAVE))
    assert proof.word(s, assume_dead=True) is Word.UNLISTED
    assert proof.word(replace(s, state=told(told_out=False)), assume_dead=True) is Word.DEAD


def test_a_word_that_may_be_of_before_is_soon_looked_at_again() -> None:
    waits = Withdrawn().decide(at(ago=2, answers=gone("active")))
    assert (waits.status, waits.recheck) == (Status.WAIT, 0.15)


def test_sessions_that_are_closed_and_of_which_nothing_is_known_end_no_wait() -> None:
    """Nobody knows for how long their routers keep the routes."""
    closed = told(peer(up=False), told_out=False)
    decision = Withdrawn().decide(at(state=closed, estimates=(), dead_estimates=()))
    assert decision.status is Status.BLOCKED and "look at the routers by hand" in decision.hint
    known = Withdrawn().decide(at(state=closed))
    assert known.status is Status.ACT, "else it is waited for from when it was seen"


@pytest.mark.parametrize(
    ("ago", "word"), [(LAG - 1, Word.SERVES), (LAG, Word.UNLISTED), (30.0, Word.UNLISTED)]
)
def test_a_node_that_lists_no_session_is_believed_when_its_word_is_of_now(ago: float, word: Word) -> None:
    bare = replace(told(announced=None, told_out=False), peers=())
    assert proof.word(at(ago=ago, state=bare)) is word

"""A baseline belongs to the router that gave it: what one showed is not what another one lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bgpctl.runbooks import proof
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.baseline import baselines, before, noted
from bgpctl.runbooks.checked import Checked
from bgpctl.runbooks.model import Status
from bgpctl.runbooks.routers import witness
from bgpctl.runbooks.withdrawn import Withdrawn
from bgpctl.witness.model import RouterAnswer, RouteState
from bgpctl.witness.probe import parse_probe
from tests.support import snapshots
from tests.support.snapshots import ROUTER, journal, peer, relabelled, running, seen, snapshot, withdrawn

RIGHT, OTHER = "frr=/x, router ID 192.0.2.1", "frr=/other, router ID 192.0.2.9"
BY_RIGHT = {ROUTER: (RIGHT,)}
NOT_THE_ONE = (
    f"{OTHER} is not the router that showed the routes before ({RIGHT}): use that probe, or restore and "
    "drain again"
)


def told(routes: RouteState, who: str, **more: Any) -> Any:
    return replace(seen(routes, since=snapshots.NOW - 2, times=3), witness=who, **more)


def gone(who: str, **changes: Any) -> Any:
    """The routes were withdrawn, and this router has none."""
    answers = (told(RouteState.ABSENT, who),)
    fresh = {"journal": relabelled(witnesses=BY_RIGHT), "state": withdrawn(), "answers": answers}
    return snapshot(**{**fresh, **changes})


def test_who_answers() -> None:
    probe = parse_probe("frr=/run/frr@192.0.2.1")
    answer = RouterAnswer("frr", "10.0.0.1", RouteState.ABSENT)
    assert witness(probe, answer) == "frr=/run/frr"
    assert witness(probe, replace(answer, router_id="192.0.2.1")) == "frr=/run/frr, router ID 192.0.2.1"
    here = witness(parse_probe("openbgpd"), replace(answer, machine="5f0c2a9e-1"))
    assert here == "openbgpd=/run/bgpd.sock, on the machine with boot ID 5f0c2a9e-1"
    network = witness(parse_probe("gobgp=192.0.2.1:50051"), answer)
    assert network == "gobgp=192.0.2.1:50051", "an address is no path"
    assert witness(parse_probe("frr=/" + "x" * 9000), answer) == "frr=/" + "x" * 299


def test_the_right_one_confirms() -> None:
    s = gone(RIGHT)
    assert (proof.missing(s), proof.too_late(s)) == ((), ())
    decision = Withdrawn(require_confirmed=True).decide(replace(s, answers=(_twice(RIGHT),)))
    assert (decision.status, decision.evidence["proof"]) == (Status.DONE, "confirmed")
    assert decision.evidence["routers"][0]["routesBefore"] == 2


def _twice(who: str) -> Any:
    return told(RouteState.ABSENT, who, absent_since=snapshots.NOW - 5)


def test_that_there_was_nothing_to_see_is_not_so_for_ever() -> None:
    """A node without routes when its drain began, which got some before it left: a router that never showed
    them (another table, a filter) confirmed that they are gone."""
    nothing = running(replace(peer(), intended=0, announced=0), announced=0, intended=0)
    at_first = snapshot(answers=(told(RouteState.ABSENT, RIGHT),), state=nothing)
    record = noted(journal(baselines={}), at_first)
    assert record.baselines == {ROUTER: 0}
    then = replace(at_first, journal=record)
    assert noted(record, then).baselines == {ROUTER: 0}
    hidden = noted(record, replace(then, state=running()))
    assert hidden.baselines == {}
    assert noted(record, replace(then, state=running(peer(up=False)))).baselines == {ROUTER: 0}
    shown = replace(then, state=running(), answers=(told(RouteState.PRESENT, RIGHT),))
    assert set(noted(record, shown).baselines) == {ROUTER}
    left = relabelled(baselines=hidden.baselines, witnesses=hidden.witnesses, marks=hidden.marks)
    assert proof.missing(gone(RIGHT, journal=left)) == (
        f"bird {ROUTER} was never seen to have a route of this node: is it the right one?",
    )


def test_another_one_does_not() -> None:
    s = gone(OTHER)
    assert proof.missing(s) == proof.too_late(s) == (NOT_THE_ONE,)
    decision = Withdrawn(require_confirmed=True).decide(s)
    assert (decision.status, decision.reason) == (Status.BLOCKED, NOT_THE_ONE)
    lesser = Withdrawn().decide(s)
    assert lesser.evidence.get("proof") != "confirmed"


def test_the_same_path_on_another_machine_is_another_one() -> None:
    s = gone("frr=/x, router ID 192.0.2.9")
    assert "is not the router that showed the routes before" in proof.missing(s)[0]


def test_a_journal_that_does_not_say_who_it_was_vouches_for_nobody() -> None:
    (missing,) = proof.missing(gone(RIGHT, journal=relabelled(witnesses={})))
    assert missing.startswith(f"which router showed the routes of {ROUTER} before is not written down")


def test_a_resumed_drain_is_refused_before_it_goes_on() -> None:
    """The routes are still there: nothing is lost by using the right probe."""
    step = Checked("run-a", "guide", require_confirmed=True)
    record = journal(steps={"Checked": 1.0}, baselines={ROUTER: 2}, witnesses=BY_RIGHT)
    refused = step.decide(
        snapshot(answers=(told(RouteState.ABSENT, OTHER),), state=running(), journal=record)
    )
    assert refused.status is Status.BLOCKED
    assert NOT_THE_ONE in refused.reason
    right = snapshot(answers=(told(RouteState.ABSENT, RIGHT),), state=running(), journal=record)
    assert step.decide(right).status is Status.DONE


def test_each_that_shows_them_is_a_witness() -> None:
    s = snapshot(answers=(told(RouteState.PRESENT, RIGHT), told(RouteState.PRESENT, OTHER)), state=running())
    kept = noted(journal(), s)
    assert (kept.baselines, kept.witnesses) == ({ROUTER: 2}, {ROUTER: (RIGHT, OTHER)})
    assert noted(kept, replace(s, journal=kept)) == kept
    assert {before(answer, kept) for answer in s.answers} == {2}
    many = {ROUTER: tuple(f"frr=/{n}" for n in range(8))}
    full = journal(baselines={ROUTER: 2}, witnesses=many)
    assert len(noted(full, replace(s, journal=full)).witnesses[ROUTER]) == 8


def test_one_that_shows_them_late_but_in_time_is_written_down() -> None:
    """By another path than before, while it still has them."""
    s = gone(OTHER, answers=(told(RouteState.PRESENT, OTHER),))
    decision = Withdrawn().decide(s)
    (change,) = decision.actions
    assert isinstance(change, ChangeNode) and change.journal is not None
    assert change.journal.witnesses == {ROUTER: (RIGHT, OTHER)}


def test_a_router_without_the_session_was_not_sent_nothing() -> None:
    """The speaker's session is up, and this one has none with the node: it is not the one that it is with."""
    idle = told(RouteState.ABSENT, OTHER)
    idle = replace(idle, answer=replace(idle.answer, session="active"))
    nothing = running(replace(peer(), intended=0, announced=0))
    assert baselines(snapshot(answers=(idle,), state=nothing)) == {}
    up = replace(idle, answer=replace(idle.answer, session="established"))
    assert baselines(snapshot(answers=(up,), state=nothing)) == {ROUTER: 0}
    assert len(proof.blank(snapshot(answers=(idle,), state=nothing))) == 1
    assert proof.blank(snapshot(answers=(up,), state=nothing)) == ()


def test_each_is_said_once_before_the_first_change() -> None:
    """That it is another one, not that it was never seen as well."""
    record = journal(baselines={ROUTER: 2}, witnesses=BY_RIGHT)
    s = snapshot(answers=(told(RouteState.ABSENT, OTHER),), state=running(), journal=record)
    assert (proof.blank(s), proof.another(s)) == ((), (NOT_THE_ONE,))
    right = snapshot(answers=(told(RouteState.ABSENT, RIGHT),), state=running(), journal=record)
    assert (proof.blank(right), proof.another(right)) == ((), ())


def test_another_spelling_of_a_path_is_the_same_router(tmp_path: Path) -> None:
    (tmp_path / "frr").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "frr")
    answer = RouterAnswer("frr", "10.0.0.1", RouteState.ABSENT)
    names = {
        witness(parse_probe(f"frr={tmp_path}/{text}"), answer) for text in ("frr", "/frr", "link", "frr/")
    }
    assert len(names) == 1

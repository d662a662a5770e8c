"""Each goal of a restore as a table: what is seen, and the whole decision."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.drain.lever import Effect, Lever, Patch
from bgpctl.core.model import SessionState
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.restore_steps import (
    NEVER_TOLD,
    RESELECTED,
    Announced,
    Established,
    Selected,
    Uncordoned,
    Up,
)
from bgpctl.runbooks.snapshot import PeerAnswer, Snapshot
from bgpctl.witness.model import Path, RouteState
from tests.support.snapshots import (
    NOW,
    ROUTER,
    ROUTER_2,
    journal,
    node,
    peer,
    running,
    seen,
    snapshot,
    withdrawn,
)

BACK = journal(command="restore", marks={"Relabelled": NOW - 60})
SELECTED = Lever(("rack",), ("enable-bgp", "false"), keys=frozenset(("enable-bgp", "zone")))
NOTHING = Decision(Status.DONE, "nothing to do")


OF_BEFORE = "the last report of its sessions may be older than the restore"


def back(**changes: Any) -> Snapshot:
    """In the middle of a restore, all well."""
    return snapshot(**{"journal": BACK, "state": running(), "lever": SELECTED, **changes})


def wait(reason: str, recheck: float) -> Decision:
    return Decision(Status.WAIT, reason, recheck=recheck)


def done(reason: str, **evidence: Any) -> Decision:
    return Decision(Status.DONE, reason, evidence=evidence)


# --- up -----------------------------------------------------------------------------------------------------

SILENT = "the node is Ready, its speaker does not report yet"


@pytest.mark.parametrize(
    ("s", "decision"),
    [
        (back(), done("node Ready, speaker reporting")),
        (back(journal=None, node=node(ready=False), state=None), NOTHING),
        (back(node=node(ready=False)), wait("the node is not Ready", 1.0)),
        (back(state=None), wait(SILENT, 0.5)),
        (back(state=running(heartbeat=NOW - 1000)), wait(SILENT, 0.5)),
        (back(state=running(phase="Stopped")), wait(SILENT, 0.5)),
        (back(state=running(phase="Idle")), done("node Ready, speaker reporting")),
        (
            back(state=running(phase="Waiting", problems=("x", "waits: Cilium has the node"))),
            wait("its speaker waits: Cilium has the node", 0.5),
        ),
    ],
)
def test_up(s: Snapshot, decision: Decision) -> None:
    assert Up().decide(s) == decision


# --- selected -----------------------------------------------------------------------------------------------

TWO = replace(BACK, prior_labels={"enable-bgp": "true", "zone": None})


@pytest.mark.parametrize(
    ("s", "decision"),
    [
        (back(journal=None), NOTHING),
        (back(), done("label enable-bgp=true")),
        (back(journal=TWO), done("label enable-bgp=true, label zone removed")),
        (back(journal=replace(BACK, prior_labels={})), done("no label was changed")),
    ],
)
def test_selected_already(s: Snapshot, decision: Decision) -> None:
    assert Selected().decide(s) == decision


@pytest.mark.parametrize(
    ("labels", "wrong", "text"),
    [
        ({"enable-bgp": "false", "zone": "a"}, {"enable-bgp": "true", "zone": None},
         "label enable-bgp=true, label zone removed"),
        ({"enable-bgp": "true", "zone": "a"}, {"zone": None}, "label zone removed"),
        ({}, {"enable-bgp": "true"}, "label enable-bgp=true"),
    ],
)  # fmt: skip
def test_labels_come_back_with_the_instant_in_the_journal(
    labels: dict[str, str], wrong: dict[str, str | None], text: str
) -> None:
    decision = Selected().decide(back(journal=TWO, node=node(labels=labels)))
    noted = TWO.with_mark("Reselected", NOW)
    assert decision == Decision(Status.ACT, text, (ChangeNode(text, labels=wrong, journal=noted),))


TENANT, ROLE = "node-restriction.kubernetes.io/tenant", "node-role.kubernetes.io/control-plane"


@pytest.mark.parametrize(
    ("prior", "lever", "named"),
    [
        (
            {"enable-bgp": "true", TENANT: "secret", ROLE: ""},
            SELECTED,
            (f"label {TENANT}=secret", f"{ROLE}="),
        ),
        ({TENANT: "x"}, replace(SELECTED, keys=frozenset((TENANT,))), (TENANT, "it is not ours")),
        ({"enable-bgp": "true", "rack": "7"}, SELECTED, ("label rack=7 (no policy selects nodes by it)",)),
        ({"enable-bgp": "true"}, Lever(), ("label enable-bgp=true (no policy selects nodes by it)",)),
    ],
)
def test_a_journal_that_asks_for_other_labels_than_a_drain_changes_changes_none(
    prior: dict[str, str | None], lever: Lever, named: tuple[str, ...]
) -> None:
    """A kubelet may write it on its own Node, and may not set these labels."""
    record = replace(BACK, prior_labels=prior)
    decision = Selected().decide(back(journal=record, node=node(labels={"enable-bgp": "false"}), lever=lever))
    assert (decision.status, decision.actions) == (Status.BLOCKED, ())
    assert all(word in decision.reason for word in named)
    assert "by hand" in decision.hint and "kubectl" not in decision.hint, (
        "nothing of it is printed to be pasted"
    )
    as_it_says = node(labels={key: value for key, value in prior.items() if value is not None})
    assert Selected().decide(back(journal=record, node=as_it_says, lever=lever)).status is Status.DONE


# --- established --------------------------------------------------------------------------------------------

UNSELECTED = replace(BACK, deselect=None)
LEFT_IN = Lever(ways_in=(("enable-bgp", "true"), ("rack", "1")))


@pytest.mark.parametrize(
    ("s", "decision"),
    [
        (back(), done("1/1 sessions Established")),
        (
            back(journal=UNSELECTED, lever=Lever(), state=None),
            Decision(Status.DONE, "no label was changed; no policy selects it, so it announces nothing"),
        ),
        (
            back(journal=UNSELECTED, state=None),
            Decision(Status.WAIT, "waiting for the speaker (now silent)", recheck=0.2),
        ),
        (back(journal=UNSELECTED), done("1/1 sessions Established")),
        (
            back(lever=Lever()),
            Decision(
                Status.BLOCKED,
                "no policy selects the node, though it is labelled as before (label enable-bgp=true)",
                hint="it stays cordoned; running this again goes on when a CiliumBGPPeeringPolicy selects it",
            ),
        ),
        (back(state=None), wait("waiting for the speaker (now silent)", 0.2)),
        (back(state=withdrawn()), wait("waiting for the speaker (now withdrawn)", 0.2)),
        (back(state=running(phase="Stopped")), wait("waiting for the speaker (now stopped)", 0.2)),
        (back(state=replace(running(), peers=())), wait("waiting for the speaker (now running)", 0.2)),
        (back(state=running(phase="Starting")), done("1/1 sessions Established")),
        (
            back(state=running(peer(), peer(ROUTER_2, up=False), peer("192.0.2.3", up=False))),
            wait("the session to 192.0.2.2 is active, the session to 192.0.2.3 is active", 0.2),
        ),
    ],
)
def test_established(s: Snapshot, decision: Decision) -> None:
    assert Established().decide(s) == decision


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (SessionState.OPEN_CONFIRM, "OpenConfirm"),
        (SessionState.OPEN_SENT, "OpenSent"),
        (SessionState.IDLE, "idle"),
    ],
)
def test_a_session_that_comes_up_is_told_as_the_rfc_spells_it(state: SessionState, word: str) -> None:
    one = peer()
    coming = running(replace(one, session=replace(one.session, state=state)))
    assert Established().decide(back(state=coming)).reason == f"the session to {ROUTER} is {word}"


@pytest.mark.parametrize(
    ("session", "state", "up"),
    [
        ("established", SessionState.UNKNOWN, True),
        ("active", SessionState.UNKNOWN, False),
        ("established", SessionState.ACTIVE, False),
    ],
)
def test_a_session_of_which_nobody_on_the_node_tells_is_up_by_its_routers_word(
    session: str, state: SessionState, up: bool
) -> None:
    """Where somebody tells that it is down, that counts."""
    one = peer()
    untold = running(replace(one, session=replace(one.session, state=state)))
    told = seen(RouteState.ABSENT)
    answer = replace(told, answer=replace(told.answer, session=session))
    decision = Established().decide(back(state=untold, answers=(answer,)))
    text = "1/1 sessions Established (1 by the router's word)"
    assert decision.reason == (text if up else f"the session to {ROUTER} is {state}")
    assert bool(decision.hint) is (not up and state is SessionState.UNKNOWN)


RECENT = replace(BACK, marks={"Reselected": NOW - 1}, provider="calico")
STAYS = replace(SELECTED, effect=Effect.WITHDRAWS)
LATE = "the last report of its sessions may be older than the restore"


def routed(session: str, routes: RouteState, *routers: str) -> tuple[PeerAnswer, ...]:
    told = (seen(routes, router) for router in routers)
    return tuple(replace(one, answer=replace(one.answer, session=session)) for one in told)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((), LATE),
        (routed("established", RouteState.PRESENT, ROUTER), LATE),
        (routed("established", RouteState.ABSENT, ROUTER, ROUTER_2), LATE),
        (routed("established", RouteState.STALE, ROUTER, ROUTER_2), LATE),
        (routed("active", RouteState.PRESENT, ROUTER, ROUTER_2), LATE),
        (
            routed("established", RouteState.PRESENT, ROUTER, ROUTER_2),
            "2/2 sessions Established (2 by the router's word)",
        ),
    ],
    ids=["no router", "one of two", "no routes yet", "kept routes", "no session", "both"],
)
@pytest.mark.parametrize("told", [True, False])
def test_who_tells_late_is_not_waited_for_where_every_router_tells(
    answers: tuple[PeerAnswer, ...], reason: str, told: bool
) -> None:
    """What it tells may be of before: that a session is up, or that it is down."""
    late = replace(running(peer(up=told), peer(ROUTER_2, up=told)), lag=120.0, phase="")
    decision = Established().decide(back(journal=RECENT, lever=STAYS, state=late, answers=answers))
    assert (decision.reason, decision.status is Status.DONE) == (reason, reason != LATE)


def test_a_router_that_has_the_routes_goes_before_a_late_word_that_its_session_is_down() -> None:
    late = replace(running(peer(up=False)), lag=15.0, phase="")
    for routes, up in ((RouteState.PRESENT, True), (RouteState.ABSENT, False)):
        drained = replace(BACK, provider="calico")
        s = back(journal=drained, lever=STAYS, state=late, answers=routed("established", routes, ROUTER))
        assert (Established().decide(s).status is Status.DONE) is up


def test_what_was_counted_before_says_nothing_of_what_a_router_has_now() -> None:
    late = replace(running(replace(peer(announced=0), intended=None)), lag=120.0, phase="", announced=0)
    for routes, status in ((RouteState.ABSENT, Status.ACT), (RouteState.PRESENT, Status.DONE)):
        s = back(journal=RECENT, lever=STAYS, state=late, answers=routed("established", routes, ROUTER))
        decision = Announced().decide(s)
        assert decision.status is status
    assert decision.reason == "2 routes, confirmed by bird 192.0.2.1"


@pytest.mark.parametrize(
    ("changes", "session", "age", "reason"),
    [
        ({}, "established", 5.0, "1/1 sessions Established (1 by the router's word)"),
        ({}, "active", 5.0, OF_BEFORE),
        ({}, "active", 20.0, "1/1 sessions Established"),
        ({"effect": Effect.CLOSES}, "established", 5.0, OF_BEFORE),
        ({"provider": "cilium"}, "established", 5.0, "1/1 sessions Established (1 by the router's word)"),
        ({"sessions_told": False}, "established", 5.0, OF_BEFORE),
        ({"sessions_told": False}, "active", 20.0, NEVER_TOLD),
    ],
)
def test_a_word_that_may_be_of_before_needs_each_routers_where_no_session_was_to_end(
    changes: dict[str, Any], session: str, age: float, reason: str
) -> None:
    """A router may be just about to see the end of one that was."""
    told = seen(RouteState.PRESENT)
    answer = replace(told, answer=replace(told.answer, session=session))
    marked = BACK.with_mark(RESELECTED, back().now - age)
    journal = replace(marked, provider=changes.get("provider", "calico"))
    lever = replace(SELECTED, effect=changes.get("effect", Effect.WITHDRAWS))
    state = running(lag=15.0, sessions_told=changes.get("sessions_told", True))
    s = back(journal=journal, state=state, lever=lever, answers=(answer,))
    assert Established().decide(s).reason == reason


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "nothing to do"),
        ({"node": node(unschedulable=True)}, "it is cordoned: `kubectl uncordon n1`"),
        ({"lever": Lever()}, "no policy selects it"),
        (
            {"lever": LEFT_IN},
            "no policy selects it: `kubectl label node n1 enable-bgp=true --overwrite`, "
            "`kubectl label node n1 rack=1 --overwrite`",
        ),
        (
            {"lever": Lever(), "node": node(unschedulable=True)},
            "it is cordoned: `kubectl uncordon n1`; no policy selects it",
        ),
    ],
)
def test_what_somebody_elses_hand_did_is_undone_by_hand(changes: dict[str, Any], said: str) -> None:
    assert Established().decide(back(journal=None, **changes)) == done(said)


def test_after_a_restart_the_sessions_of_before_count() -> None:
    both = running(peer(), peer(ROUTER_2, up=False))
    step = Established(restart=True)
    assert step.decide(back(journal=UNSELECTED, state=both)) == done("1/2 sessions Established")
    wanted = replace(UNSELECTED, peers=(ROUTER, ROUTER_2))
    assert step.decide(back(journal=wanted, state=both)) == wait("the session to 192.0.2.2 is active", 0.2)


# --- announced ----------------------------------------------------------------------------------------------

FIRST = "waiting for the first full set of routes"


@pytest.mark.parametrize(
    ("s", "decision"),
    [
        (back(journal=None, state=None), NOTHING),
        (back(journal=UNSELECTED, lever=Lever(), state=None), NOTHING),
        (back(journal=UNSELECTED, lever=Lever(), state=running(phase="Starting")), wait(FIRST, 0.2)),
        (back(state=None), wait(FIRST, 0.2)),
        (back(state=running(phase="Starting")), wait(FIRST, 0.2)),
        (back(state=running(peer(announced=1))), wait("1 of 2 routes announced to 192.0.2.1", 0.2)),
        (back(state=running(peer(pending=True))), wait("2 of 2 routes announced to 192.0.2.1", 0.2)),
        (
            back(state=running(peer(end_of_rib=False), peer(ROUTER_2, announced=0))),
            wait(
                "2 of 2 routes announced to 192.0.2.1, End-of-RIB not sent yet, "
                "0 of 2 routes announced to 192.0.2.2",
                0.2,
            ),
        ),
        (back(), done("2 routes sent; no router was asked", proof="", routes=2)),
        (
            back(answers=(seen(RouteState.UNKNOWN), seen(RouteState.UNKNOWN, ROUTER_2))),
            done(
                "2 routes sent; bird 192.0.2.1 did not answer: it is unknown; "
                "bird 192.0.2.2 did not answer: it is unknown",
                proof="",
                routes=2,
            ),
        ),
        (
            back(
                answers=(
                    seen(RouteState.PRESENT, ROUTER_2),
                    seen(RouteState.PRESENT),
                    seen(RouteState.UNKNOWN, "192.0.2.9"),
                )
            ),
            done(
                "2 routes, confirmed by bird 192.0.2.1, bird 192.0.2.2",
                proof="confirmed",
                by="bird 192.0.2.1, bird 192.0.2.2",
                routes=2,
            ),
        ),
    ],
)
def test_announced(s: Snapshot, decision: Decision) -> None:
    assert Announced().decide(s) == decision


@pytest.mark.parametrize("announced", [0, None])
def test_what_nobody_counts_is_no_number_of_routes(announced: int | None) -> None:
    """The evidence of a restore has a whole number in any case."""
    nothing = replace(peer(announced=0), intended=0)
    state = replace(running(nothing), phase="", announced=announced)
    assert Announced().decide(back(state=state)).evidence == {"proof": "", "routes": 0}


def test_a_router_that_has_none_of_none_is_no_number_either() -> None:
    nothing = replace(peer(announced=0), intended=0)
    state = replace(running(nothing), phase="", announced=0)
    bare = seen(RouteState.PRESENT)
    bare = replace(bare, answer=replace(bare.answer, paths=()))
    assert Announced().decide(back(state=state, answers=(bare,))).evidence["routes"] == 0


COMES = "until every session is Established"


@pytest.mark.parametrize(
    ("s", "restart", "comes"),
    [
        (back(), False, True),
        (back(journal=None), False, False),
        (back(journal=None), True, False),
        (back(journal=UNSELECTED, lever=Lever(), state=None), False, False),
        (back(journal=UNSELECTED, lever=Lever(), state=None), True, True),
        (back(journal=UNSELECTED, lever=SELECTED, state=None), False, True),
        (back(journal=UNSELECTED, lever=Lever()), False, True),
        (back(lever=Lever(), state=None), False, True),
    ],
)
def test_whose_sessions_are_waited_for(s: Snapshot, restart: bool, comes: bool) -> None:
    assert Established(restart=restart).preview(s) == (COMES if comes else "")
    routes = Announced(restart=restart).preview(s)
    assert routes == ("until every route is sent (no router is asked)" if comes else "")


def test_a_node_that_had_no_label_is_not_said_to_have_one() -> None:
    bare = back(journal=replace(BACK, prior_labels={}), lever=Lever())
    assert Established().decide(bare).reason == "no policy selects the node"


def test_what_a_stack_cannot_read_is_told_while_it_is_waited_for() -> None:
    """It may keep an older configuration of the whole node."""
    state = replace(running(peer(up=False)), unread=("BGPPeer tor cannot be read (x)", "b"))
    assert Established().decide(back(state=state)).reason.endswith("; BGPPeer tor cannot be read (x); b")
    silent = replace(running(), peers=(), unread=("b",))
    assert Established().decide(back(state=silent)).reason.endswith("(now running); b")
    missing = replace(running(), unread=("b",))
    answers = (seen(RouteState.ABSENT),)
    assert Announced().decide(back(state=missing, answers=answers)).reason.endswith("has 0 of them; b")


def test_labels_and_objects_come_back_in_one_sentence() -> None:
    patch = Patch("/x", "let the BGPPeer announce again", ())
    lever = replace(SELECTED, back=(patch,))
    decision = Selected().decide(back(node=node(labels={"enable-bgp": "false"}), lever=lever))
    assert decision.reason == "label enable-bgp=true, let the BGPPeer announce again"


def test_a_count_is_of_now_from_the_instant_on_at_which_its_lag_is_over() -> None:
    marked = journal(command="restore", marks={"Reselected": NOW - 7})
    told = replace(running(phase=""), lag=7.0)
    assert Announced().decide(back(state=told, journal=marked)).reason.startswith("2 routes sent")


def test_a_dry_run_names_the_routers_that_will_be_asked() -> None:
    asked = back(answers=(seen(RouteState.PRESENT, ROUTER_2), seen(RouteState.UNKNOWN)))
    assert Announced().preview(asked) == (f"until every route is sent (bird {ROUTER}, bird {ROUTER_2})")
    assert Announced().preview(back()) == "until every route is sent (no router is asked)"


def lacking(*words: Any, sent: float | None = None, **changes: Any) -> Snapshot:
    """Routers that do not have all; `sent`: how long ago that was first seen."""
    record = BACK if sent is None else BACK.with_mark("SawAnnounced", NOW - sent)
    return back(journal=record, answers=words, **changes)


SOME = seen(RouteState.PRESENT)
SOME = replace(SOME, answer=replace(SOME.answer, paths=SOME.answer.paths[:1]))
NONE = seen(RouteState.ABSENT, ROUTER_2)
TWO_PEERS = running(peer(), peer(ROUTER_2))
ONE = "2 routes sent; bird 192.0.2.1 has 1 of them"
BOTH = f"{ONE}; bird 192.0.2.2 has 0 of them"
ALL_STALE = "2 routes sent; bird 192.0.2.1 has 0 of them"


@pytest.mark.parametrize(
    ("s", "decision"),
    [
        (lacking(SOME, sent=1.0), wait(ONE, 0.2)),
        (lacking(SOME, sent=9.9), wait(ONE, 0.2)),
        (lacking(SOME, sent=10.0), done(f"{ONE}: it may filter the others", proof="", routes=2)),
        (lacking(SOME, NONE, sent=99.0, state=TWO_PEERS), wait(BOTH, 0.2)),  # one that has none is no filter
        (lacking(seen(RouteState.STALE), sent=99.0), wait(ALL_STALE, 0.2)),  # they are from before
        (
            lacking(SOME, seen(RouteState.ABSENT, "192.0.2.9"), sent=10.0),
            done(f"{ONE}: it may filter the others", proof="", routes=2),
        ),
    ],
)
def test_a_router_may_filter_but_not_everything(s: Snapshot, decision: Decision) -> None:
    assert Announced().decide(s) == decision


def test_each_router_is_measured_by_what_it_was_sent() -> None:
    """The second peer takes more routes than the first."""
    state = running(peer(), replace(peer(ROUTER_2), announced=9, intended=9))
    assert Announced().decide(lacking(seen(RouteState.PRESENT), state=state)).status is Status.DONE
    decision = Announced().decide(lacking(seen(RouteState.PRESENT, ROUTER_2), sent=1.0, state=state))
    assert decision == wait("2 routes sent; bird 192.0.2.2 has 2 of them", 0.2)


def test_the_instant_at_which_routers_lack_routes_is_noted_once() -> None:
    decision = Announced().decide(lacking(SOME))
    noted = ChangeNode("note the time", journal=BACK.with_mark("SawAnnounced", NOW))
    assert decision == Decision(Status.ACT, ONE, (noted,), recheck=0.1)


def test_after_a_restart_the_peers_of_before_count() -> None:
    late = running(peer(), peer(ROUTER_2, announced=0))
    step = Announced(restart=True)
    assert step.decide(back(journal=UNSELECTED, state=late)).status is Status.DONE
    both = replace(UNSELECTED, peers=(ROUTER, ROUTER_2))
    assert step.decide(back(journal=both, state=late)).status is Status.WAIT
    assert Announced().decide(back(state=late)).status is Status.WAIT


# --- uncordoned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("s", "decision"),
    [
        (back(journal=None), done("schedulable")),
        (back(journal=None, node=node(unschedulable=True)), done("cordoned")),
        (
            back(),
            Decision(Status.ACT, "uncordon", (ChangeNode("uncordon", unschedulable=False, forget=True),)),
        ),
        (
            back(journal=replace(BACK, prior_unschedulable=True)),
            Decision(
                Status.ACT,
                "stays cordoned, as before the drain",
                (ChangeNode("stays cordoned, as before the drain", unschedulable=True, forget=True),),
            ),
        ),
    ],
)
def test_uncordoned(s: Snapshot, decision: Decision) -> None:
    assert Uncordoned().decide(s) == decision


def test_where_nobody_on_the_node_counts_the_router_with_the_most_does() -> None:
    def shows(address: str, count: int) -> Any:
        one = seen(RouteState.PRESENT, address)
        paths = tuple(Path(ip_network(f"203.0.113.{n}/32"), "10.0.0.1") for n in range(count))
        return replace(one, answer=replace(one.answer, paths=paths))

    uncounted = running(peer(), peer(ROUTER_2), phase="", announced=None)
    uncounted = replace(uncounted, peers=tuple(replace(p, announced=None) for p in uncounted.peers))
    decision = Announced().decide(back(state=uncounted, answers=(shows(ROUTER_2, 3), shows(ROUTER, 1))))
    assert decision.reason == f"3 routes, confirmed by bird {ROUTER}, bird {ROUTER_2}"
    assert decision.evidence["by"] == f"bird {ROUTER}, bird {ROUTER_2}", "in one order, whoever answers first"


def test_a_word_of_before_the_return_is_looked_at_again_when_it_is_of_now() -> None:
    told = replace(running(phase=""), lag=7.0)
    marked = journal(command="restore", marks={"Relabelled": NOW - 60, "Reselected": NOW - 3})
    decision = Established().decide(back(state=told, journal=marked))
    assert (decision.status, decision.recheck, decision.eta) == (Status.WAIT, 0.5, NOW + 4)

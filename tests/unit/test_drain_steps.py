"""The goals of a drain as tables: what is seen, and what is decided to be done or waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.drain.lever import Lever, Patch
from bgpctl.errors import Tells
from bgpctl.runbooks.actions import ChangeNode, EvictPod, FenceObject, PatchObject, RunCommand
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import Cordoned, Deselected, Evicted, ShutDown, known, lifting, pulled
from bgpctl.runbooks.journal import AGAIN
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.snapshot import EvictionNote
from tests.support.snapshots import (
    ASKED,
    LABEL,
    LEAVE,
    NOW,
    ROUTER,
    ROUTER_2,
    journal,
    judged,
    node,
    peer,
    pod,
    relabelled,
    running,
    snapshot,
)

CORDON = "cordon again: somebody uncordoned the node"


@pytest.mark.parametrize(
    ("record", "cordoned", "decision"),
    [
        (None, True, Decision(Status.DONE, "cordoned")),
        (journal(), True, Decision(Status.DONE, "cordoned")),
        (
            journal(prior_unschedulable=True),
            True,
            Decision(Status.DONE, "was cordoned already, and stays so after restore"),
        ),
        (None, False, Decision(Status.ACT, "cordon", (ChangeNode("cordon", unschedulable=True),))),
        (journal(), False, Decision(Status.ACT, "cordon", (ChangeNode("cordon", unschedulable=True),))),
        (
            journal(steps={"Cordoned": NOW}),
            False,
            Decision(Status.ACT, CORDON, (ChangeNode(CORDON, unschedulable=True),)),
        ),
    ],
)
def test_cordoned(record: Any, cordoned: bool, decision: Decision) -> None:
    assert Cordoned().decide(snapshot(journal=record, node=node(unschedulable=cordoned))) == decision


# --- evicted ------------------------------------------------------------------------------------------------

STEP = Evicted(EvictionOptions(ignore_daemonsets=True))
WEB = tuple(pod(f"web-{n}") for n in range(1, 8))


def evicted(*pods: Any, notes: Any = None, step: Evicted = STEP) -> Decision:
    return step.decide(snapshot(journal=journal(), pods=judged(*pods), notes=notes or {}))


def note(text: str, again: float = 5.0) -> EvictionNote:
    return EvictionNote(text, NOW + again)


def test_pods_are_asked_to_go_and_looked_after() -> None:
    assert evicted(*WEB[:2]) == Decision(
        Status.ACT, "2 pods left", (EvictPod(WEB[0], False, -1), EvictPod(WEB[1], False, -1)), recheck=0.5
    )
    assert evicted() == Decision(Status.DONE, "no workload left")
    options = EvictionOptions(disable_eviction=True, grace_period=3)
    assert evicted(WEB[0], step=Evicted(options)).actions == (EvictPod(WEB[0], True, 3),)


@pytest.mark.parametrize(("again", "status"), [(-1.0, Status.ACT), (0.0, Status.ACT), (0.1, Status.WAIT)])
def test_when_a_pod_is_asked_again(again: float, status: Status) -> None:
    decision = evicted(WEB[0], notes={WEB[0].uid: note("", again)})
    assert (decision.status, decision.recheck) == (status, 0.5)


def test_a_pod_that_is_on_its_way_is_not_asked_again() -> None:
    going = replace(WEB[0], deletion_timestamp=NOW + 30)
    decision = evicted(going, WEB[1], notes={WEB[1].uid: note("")})
    assert (decision.status, decision.actions) == (Status.WAIT, ())
    assert decision.reason == "2 pods left, terminating: default/web-1"


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (1, "1 pod left: budget (default/web-1)"),
        (
            5,
            "5 pods left: budget (default/web-1, default/web-2, default/web-3, default/web-4, default/web-5)",
        ),
        (
            7,
            "7 pods left: budget (default/web-1, default/web-2, default/web-3, default/web-4, default/web-5 "
            "and 2 more)",
        ),
    ],
)
def test_what_holds_pods_back_is_named_with_five_of_them(count: int, named: str) -> None:
    pods = WEB[:count]
    assert evicted(*pods, notes={one.uid: note("budget") for one in pods}).reason == named


def test_each_reason_has_its_pods() -> None:
    notes = {WEB[0].uid: note("one"), WEB[1].uid: note("two"), WEB[2].uid: note("one"), WEB[3].uid: note("")}
    assert evicted(*WEB[:5], notes=notes).reason == (
        "5 pods left: one (default/web-1, default/web-3); two (default/web-2)"
    )
    assert evicted(WEB[3], notes={WEB[3].uid: note("")}).reason == "1 pod left"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "no workload"),
        (1, "evict 1 pod: default/web-1"),
        (2, "evict 2 pods: default/web-1, default/web-2"),
    ],
)
def test_what_would_be_evicted(count: int, said: str) -> None:
    assert STEP.preview(snapshot(pods=judged(*WEB[:count]))) == said


def test_what_stands_in_the_way_of_an_eviction_is_no_missing_workload() -> None:
    bare = pod("bare", controller_kind="", controller_name="")
    assert STEP.preview(snapshot(pods=judged(bare))) == "refused without a flag: default/bare"
    both = STEP.preview(snapshot(pods=judged(bare, WEB[0])))
    assert both == "evict 1 pod: default/web-1; refused without a flag: default/bare"


def test_what_it_looks_at() -> None:
    """With the routes withdrawn before, whether they stay away meanwhile."""
    assert Evicted(EvictionOptions()).needs == {"pods"}
    assert Evicted(EvictionOptions(), away=True).needs > {"pods", "routers"}


def test_at_most_fifty_at_once() -> None:
    pods = tuple(pod(f"p-{n}") for n in range(51))
    assert len(evicted(*pods).actions) == 50


# --- deselected ---------------------------------------------------------------------------------------------

RACK = Lever(("rack",), LABEL)


def leaving(record: Any, **changes: Any) -> Decision:
    return Deselected().decide(snapshot(**{"journal": record, "state": running(), **changes}))


def asked_as(times: int) -> str:
    """The name of a request of now."""
    return f"run-a-{times}.{round(NOW * 1000):x}"


def test_the_first_request_to_leave() -> None:
    before = journal(
        steps={"Evicted": NOW, "Withdrawn": NOW, "Settled": NOW, "ShutDown": NOW}, peers=(ROUTER_2,)
    )
    decision = leaving(before, lever=RACK)
    asked = replace(
        before,
        steps={"Evicted": NOW},
        marks={"Relabelled": NOW},
        leaves=1,
        request=asked_as(1),
        peers=(ROUTER_2, ROUTER),
        locals={ROUTER: ("10.0.0.1",)},
    )
    text = "label enable-bgp=false"
    change = ChangeNode(text, labels={"enable-bgp": "false"}, journal=asked, leave=asked_as(1))
    assert decision == Decision(Status.ACT, text, (change,))


def test_a_request_that_somebody_took_back_has_another_name() -> None:
    decision = leaving(relabelled(), lever=RACK)
    (change,) = decision.actions
    assert (change.leave, change.journal.leaves) == (asked_as(2), 2)
    assert decision.reason.startswith("label enable-bgp=false, again")


@pytest.mark.parametrize(
    ("record", "labels", "leave"),
    [
        (relabelled(), {"enable-bgp": "true"}, LEAVE),
        (relabelled(), ASKED, "run-x-1"),
        (replace(relabelled(), marks={}), ASKED, LEAVE),
    ],
)
def test_what_makes_a_request_incomplete(record: Any, labels: dict[str, str], leave: str) -> None:
    decision = leaving(record, node=node(labels=labels, leave=leave))
    assert decision.status is Status.ACT


def test_a_request_that_stands() -> None:
    asked = node(labels=ASKED, leave=LEAVE)
    assert leaving(relabelled(), node=asked) == Decision(
        Status.DONE, "label enable-bgp=false: no policy selects the node"
    )
    removed = replace(relabelled(), deselect=("enable-bgp", None))
    assert leaving(removed, node=node(labels={}, leave=LEAVE)).reason.startswith("label enable-bgp removed")
    assert leaving(relabelled(), node=asked, lever=RACK).status is Status.BLOCKED


PATCH = Patch("/x", "point its peers at copies", ())
BY_PATCH = Lever(("cc",), patches=(PATCH,), prior={"way": "copies"}, objects=("/x",))
PULLED = replace(relabelled(), deselect=None, prior={"way": "copies"})


def by_patch(record: Any, **changes: Any) -> Decision:
    return leaving(record, **{"node": node(leave=LEAVE), "lever": BY_PATCH, **changes})


def test_objects_are_patched_in_the_decision_that_notes_it() -> None:
    fresh = replace(journal(), deselect=None, prior={"way": "copies"})
    first = by_patch(fresh, node=node())
    change, patch = first.actions
    assert (first.reason, change.leave, patch) == (PATCH.what, asked_as(1), PatchObject(PATCH))
    again = by_patch(PULLED)
    assert again.actions == (PatchObject(PATCH),), "it was killed in between"
    undone = by_patch(replace(PULLED, steps={"Deselected": NOW - 9}))
    assert undone.actions[0].leave == asked_as(2), "somebody took it back"
    assert undone.actions[0].journal.steps == {} and undone.actions[1:] == (PatchObject(PATCH),)


def test_that_nothing_is_left_to_patch_is_noted_and_then_so() -> None:
    done = replace(BY_PATCH, policies=(), patches=())
    (note,) = by_patch(PULLED, lever=done).actions
    assert note.journal.marks == {**PULLED.marks, "Pulled": NOW}
    told = "told to leave; nobody took that back"
    assert by_patch(note.journal, lever=done) == Decision(Status.DONE, told)


def test_what_a_run_before_had_in_its_hands_is_fenced_first() -> None:
    follows = replace(PULLED, marks={**PULLED.marks, AGAIN: NOW - 9})
    fenced = by_patch(follows)
    assert (fenced.status, fenced.actions) == (Status.ACT, (FenceObject("/x"),))
    assert by_patch(follows, fenced=frozenset({"/x"})).actions == (PatchObject(PATCH),)
    assert snapshot(journal=PULLED, lever=BY_PATCH).unfenced == (), "there was none before"
    assert snapshot(lever=BY_PATCH).unfenced == ()


@pytest.mark.parametrize(("times", "status"), [(4, Status.ACT), (5, Status.BLOCKED)])
def test_a_writer_that_does_not_stop(times: int, status: Status) -> None:
    decision = leaving(replace(relabelled(), leaves=times), lever=RACK)
    assert decision.status is status
    assert (f"{times} times" in decision.reason) is (status is Status.BLOCKED)


def test_a_node_that_no_policy_selects() -> None:
    nowhere = replace(journal(), deselect=None)
    assert leaving(nowhere) == Decision(Status.DONE, "no policy selects this node")
    assert leaving(nowhere, lever=RACK).status is Status.BLOCKED


def test_the_peers_that_were_and_those_that_are() -> None:
    s = snapshot(state=running(peer(), peer(ROUTER_2)))
    assert known(("192.0.2.9", ROUTER_2), s) == ("192.0.2.9", ROUTER_2, ROUTER)
    assert known(("192.0.2.9",), snapshot()) == ("192.0.2.9",)
    told = replace(s, configured=((ROUTER, 179), ("192.0.2.7", 179)))
    assert known((), told) == (ROUTER, ROUTER_2, "192.0.2.7"), "also one that the speaker tells of too late"
    told = replace(s, configured=((ROUTER, 179), (ROUTER, 1790)))
    assert known((ROUTER,), told) == (f"{ROUTER}:179", ROUTER_2, f"{ROUTER}:1790"), (
        "two routers at one address"
    )


# --- shut down ----------------------------------------------------------------------------------------------

OFF = ShutDown(("off", "now"))


def test_what_will_be_run() -> None:
    assert OFF.preview(snapshot()) == "run off"
    assert ShutDown().preview(snapshot()) == 'say "safe to power off", with the proof'


@pytest.mark.parametrize(
    ("code", "tail", "status", "reason"),
    [
        (0, "bye", Status.DONE, "off succeeded"),
        (3, "out of reach", Status.BLOCKED, "off failed with exit code 3: out of reach"),
        (3, "", Status.BLOCKED, "off failed with exit code 3: no output"),
    ],
)
def test_how_a_command_ended(code: int, tail: str, status: Status, reason: str) -> None:
    decision = OFF.decide(snapshot(journal=journal(), command_exit=code, command_tail=tail))
    assert (decision.status, decision.told, decision.actions) == (status, reason, ())
    assert decision.reason == reason.partition(":")[0], "what the command said is no part of what is kept"
    assert (decision.hint, decision.tells) == ("", frozenset()), "what is safe now it did not look at"


def test_a_command_runs_under_a_note() -> None:
    decision = OFF.decide(snapshot(journal=journal()))
    noted = journal().with_mark("ShutdownCommand", NOW)
    note = ChangeNode("note that the shutdown command runs", journal=noted)
    assert decision == Decision(Status.ACT, "run off", (note, RunCommand(("off", "now"))))
    assert ShutDown().decide(snapshot(journal=journal())) == Decision(Status.DONE, "safe to power off")


TYPED = CommandLine(("bgpctl", "node", "drain", "n1"))
ON = "to go on anyway: bgpctl node drain n1 --force --x 2"
LATER = "run this again when the reason has gone"


@pytest.mark.parametrize(
    ("flags", "begun", "text", "tells"),
    [
        ([], False, f"nothing was changed on the node; {LATER}", {Tells.SAFE}),
        ([], True, f"the node stays as it is now; {LATER}", set()),
        (["--force", "--x 2"], False, f"nothing was changed on the node; {ON}", {Tells.SAFE, Tells.GO_ON}),
        (["--force", "--x 2"], True, f"the node stays as it is now; {ON}", {Tells.GO_ON}),
        (
            ["--force", ""],
            False,
            "when the other reasons have gone: bgpctl node drain n1 --force\n"
            f"nothing was changed on the node; {LATER}",
            {Tells.SAFE, Tells.GO_ON},
        ),
        (
            ["", "--force"],
            True,
            "when the other reasons have gone: bgpctl node drain n1 --force\n"
            f"the node stays as it is now; {LATER}",
            {Tells.GO_ON},
        ),
        (["", ""], False, f"nothing was changed on the node; {LATER}", {Tells.SAFE}),
    ],
)
def test_what_to_type_after_a_refusal(flags: list[str], begun: bool, text: str, tells: set[Tells]) -> None:
    """And what that tells already, so that the last words need not say it again."""
    record = journal(steps={"Checked": NOW} if begun else {})
    assert lifting(flags, record, TYPED) == (text, frozenset(tells))
    if not begun:
        assert lifting(flags, None, TYPED) == (text, frozenset(tells))


@pytest.mark.parametrize(
    ("record", "since"),
    [
        (None, 0.0),
        (journal(), 0.0),
        (journal(marks={"Relabelled": NOW - 9, "Pulled": NOW - 5}, deselect=("a", "b")), NOW - 9),
        (journal(marks={"Relabelled": NOW - 9, "Pulled": NOW - 5}, deselect=None), NOW - 9),
        (journal(marks={"Relabelled": NOW - 9, "Pulled": NOW - 5}, deselect=None, prior={"a": 1}), NOW - 5),
        (journal(marks={"Relabelled": NOW - 9, "Pulled": NOW - 5}, prior={"a": 1}), NOW - 9),
        (journal(marks={"Relabelled": NOW - 9}, deselect=None, prior={"a": 1}), 0.0),
    ],
)
def test_since_when_a_node_is_told_to_leave(record: Any, since: float) -> None:
    """A label is a request as it is written; objects of a stack were patched some time after."""
    assert pulled(record) == since


def test_who_was_asked_is_known_after_another_request_and_nothing_else_is() -> None:
    """A wait that began before the node was put back would end too early."""
    marks = {
        "Relabelled": NOW - 60,
        f"Asked {ROUTER_2}": NOW - 70,
        "SawWithdrawn": NOW - 50,
        "SawRecord": 1.0,
    }
    (change,) = leaving(relabelled(marks=marks), lever=RACK).actions
    assert change.journal.marks == {"Relabelled": NOW, f"Asked {ROUTER_2}": NOW - 70}


@pytest.mark.parametrize(
    ("labels", "leave", "why"),
    [
        ({"enable-bgp": "true"}, LEAVE, "somebody took it back"),
        ({"enable-bgp": "true"}, "other-1", "somebody took it back"),
        (ASKED, "other-1", "somebody changed the annotation bgpctl.io/leave"),
        (ASKED, "", "somebody changed the annotation bgpctl.io/leave"),
    ],
)
def test_why_it_is_asked_again(labels: dict[str, str], leave: str, why: str) -> None:
    decision = leaving(relabelled(), node=node(labels=labels, leave=leave), lever=RACK)
    assert decision.reason == f"label enable-bgp=false, again: {why}"


def test_objects_that_were_given_back_are_asked_for_again() -> None:
    undone = by_patch(replace(PULLED, steps={"Deselected": NOW - 9}))
    assert undone.reason == f"{PATCH.what}, again: somebody took it back"


def test_a_policy_that_came_meanwhile_and_cannot_be_left_says_why() -> None:
    stands = node(labels=ASKED, leave=LEAVE)
    refusal = Lever(("rack", "zone"), refusal="no label takes the node out of zone")
    assert leaving(relabelled(), node=stands, lever=refusal) == Decision(Status.BLOCKED, refusal.refusal)
    other = leaving(relabelled(), node=stands, lever=RACK)
    assert other.reason == "the node is selected by rack (in spite of label enable-bgp=false)"


def test_what_a_refused_eviction_tells_is_not_told_again() -> None:
    decision = evicted(pod("bare", controller_kind="", controller_name=""))
    assert (decision.status, decision.tells) == (Status.BLOCKED, {Tells.SAFE, Tells.GO_ON})

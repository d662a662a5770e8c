"""Every step's answers as tables: a snapshot in, a decision out. Who owns the node, what is refused, what is
done next, and what is never taken for done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.drain.lever import Lever
from bgpctl.runbooks.actions import ChangeNode, EvictPod, ReleaseLease, RunCommand, TakeLease
from bgpctl.runbooks.catalogue import node_drain
from bgpctl.runbooks.claim import Claimed, Released
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import RELABELLED, RELABELS, Cordoned, Deselected, Evicted, ShutDown
from bgpctl.runbooks.journal import AGAIN
from bgpctl.runbooks.model import Status
from bgpctl.runbooks.options import ORDERS, DrainOptions
from bgpctl.runbooks.restore_steps import Announced, Established, Selected, Uncordoned, Up
from bgpctl.runbooks.snapshot import EvictionNote
from bgpctl.witness.model import RouteState
from tests.support.snapshots import (
    LABEL,
    ME,
    NOW,
    OTHER,
    ROUTER,
    journal,
    judged,
    lease,
    node,
    peer,
    pod,
    relabelled,
    running,
    seen,
    snapshot,
    withdrawn,
)

DONE, ACT, WAIT, BLOCKED = Status.DONE, Status.ACT, Status.WAIT, Status.BLOCKED
RACK = Lever(("rack",), LABEL)
DRAINED = {"enable-bgp": "false"}


def change(decision: Any) -> ChangeNode:
    (action,) = decision.actions
    assert isinstance(action, ChangeNode)
    return action


# --- Claimed, Released --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen_lease", "contested", "take_over", "status", "words"),
    [
        (None, False, False, ACT, "free"),
        (lease(ME), False, False, ACT, "free"),
        (lease(expires=NOW - 1), False, False, ACT, "free"),
        (lease(), False, False, WAIT, OTHER),
        (lease(), True, False, BLOCKED, OTHER),
        (lease(), True, True, ACT, OTHER),
    ],
)
def test_a_node_is_taken_only_from_nobody(
    seen_lease: Any, contested: bool, take_over: bool, status: Status, words: str
) -> None:
    s = snapshot(holds_lease=False, lease=seen_lease, lease_contested=contested, lease_watched=9.0)
    decision = Claimed("drain", "run-a", take_over=take_over).decide(s)
    assert decision.status is status
    assert words in decision.reason
    assert decision.actions == ((TakeLease(),) if status is ACT else ())
    if status is BLOCKED:
        assert "--take-over" in decision.hint


def test_a_fresh_claim_writes_nothing() -> None:
    assert Claimed("drain", "run-a").decide(snapshot()).status is DONE
    restore = Claimed("restore", "run-a").decide(snapshot())
    assert (restore.status, "nothing to restore" in restore.reason) == (DONE, True)


def test_a_resumed_run_writes_itself_into_the_journal_and_keeps_the_prior_state() -> None:
    theirs = journal(holder=OTHER, prior_unschedulable=True, steps={"Cordoned": NOW - 9}, run="run-b")
    decision = Claimed("drain", "run-a").decide(snapshot(journal=theirs))
    assert decision.status is ACT
    assert OTHER in decision.reason
    ours = replace(theirs, holder=ME, marks={**theirs.marks, AGAIN: NOW})
    assert change(decision).journal == ours
    stopped = replace(theirs, ending={"status": "deadline", "reason": "time is up", "at": NOW})
    resumed = change(Claimed("drain", "run-a").decide(snapshot(journal=stopped)))
    assert resumed.journal == ours, "it runs again, so it has not stopped"
    assert Claimed("drain", "run-a").decide(snapshot(journal=replace(theirs, holder=ME))).status is DONE


def test_a_journal_that_somebody_removed_is_written_back() -> None:
    lost = journal(prior_unschedulable=True, holder=OTHER, leaves=2)
    for command in ("drain", "restore"):
        decision = Claimed(command, "run-c").decide(snapshot(lost=lost))
        ours = replace(lost, holder=ME, marks={AGAIN: NOW})
        assert (decision.status, change(decision).journal) == (ACT, ours)
        assert "somebody removed it" in decision.reason
    both = Claimed("drain", "run-c").decide(snapshot(journal=journal(), lost=lost))
    assert both.status is DONE, "one that is there is not overwritten"


def test_a_new_direction_keeps_the_prior_state_and_voids_steps_waits_and_proof() -> None:
    drained = journal(
        prior_unschedulable=True,
        steps={"Withdrawn": NOW},
        marks={RELABELLED: NOW},
        evidence={"proof": "confirmed"},
        holder=OTHER,
        leaves=3,
        baselines={ROUTER: 2},
        ending={"status": "blocked", "reason": "x", "at": NOW},
    )
    turned = change(Claimed("restore", "run-c").decide(snapshot(journal=drained))).journal
    assert turned is not None
    assert (turned.command, turned.run, turned.holder) == ("restore", "run-c", ME)
    assert (turned.prior_unschedulable, turned.prior_labels) == (True, drained.prior_labels)
    assert (turned.steps, turned.marks, turned.evidence) == ({}, {AGAIN: NOW}, {})
    assert (turned.leaves, turned.ending) == (0, {})


@pytest.mark.parametrize(
    ("watched", "contested", "status", "words"),
    [
        (0.0, False, WAIT, "is it renewed all the same?"),
        (9.0, False, ACT, "free"),
        (9.0, True, BLOCKED, OTHER),  # the holder's clock is wrong, or ours
    ],
)
def test_an_expired_lease_is_watched_before_it_is_taken(
    watched: float, contested: bool, status: Status, words: str
) -> None:
    expired = lease(expires=NOW - 3600)
    s = snapshot(holds_lease=False, lease=expired, lease_contested=contested, lease_watched=watched)
    decided = Claimed("drain", "run-a").decide(s)
    assert decided.status is status and words in decided.reason


@pytest.mark.parametrize(("watched", "status"), [(0.0, WAIT), (14.9, WAIT), (15.0, ACT)])
def test_a_lease_from_a_clock_that_is_ahead_is_nobodys_when_nobody_renews_it(
    watched: float, status: Status
) -> None:
    """Its own time says that it holds for an hour more; for its duration nobody renewed it."""
    s = snapshot(holds_lease=False, lease=lease(expires=NOW + 3600), lease_watched=watched)
    decided = Claimed("drain", "run-a").decide(s)
    assert decided.status is status
    assert decided.eta == (NOW + 15.0 - watched if status is WAIT else None)


def test_released_gives_the_lease_back_once() -> None:
    assert Released().decide(snapshot()).actions == (ReleaseLease(),)
    assert Released().decide(snapshot(holds_lease=False)).status is DONE


# --- Cordoned -----------------------------------------------------------------------------------------------


def test_cordon() -> None:
    assert change(Cordoned().decide(snapshot(journal=journal()))).unschedulable is True
    cordoned = snapshot(journal=journal(), node=node(unschedulable=True))
    assert Cordoned().decide(cordoned).status is DONE
    admins = replace(cordoned, journal=journal(prior_unschedulable=True))
    assert "stays so after restore" in Cordoned().decide(admins).reason


# --- Evicted ------------------------------------------------------------------------------------------------

GOING = pod("going", deletion_timestamp=NOW + 5)
HELD = {"uid-web-1": EvictionNote("default/web-1: the disruption budget web needs 2", NOW + 2)}
DUE = {"uid-web-1": EvictionNote("default/web-1: the disruption budget web needs 2", NOW)}


@pytest.mark.parametrize(
    ("pods", "notes", "status", "evicted", "words"),
    [
        ((), {}, DONE, 0, "no workload left"),
        ((pod("agent", controller_kind="DaemonSet", controller_name="agent"),), {}, DONE, 0, "no workload"),
        ((pod(), pod("web-2")), {}, ACT, 2, "2 pods left"),
        ((pod(), GOING), {}, ACT, 1, "default/going"),
        ((GOING,), {}, WAIT, 0, "1 pod left, terminating: default/going"),
        ((pod(),), HELD, WAIT, 0, "disruption budget web"),
        ((pod(),), DUE, ACT, 1, "disruption budget web"),
        ((pod(empty_dir=True),), {}, BLOCKED, 0, "local storage"),
    ],
)
def test_evictions(pods: Any, notes: Any, status: Status, evicted: int, words: str) -> None:
    s = snapshot(journal=journal(), pods=judged(*pods), notes=notes)
    decision = Evicted(EvictionOptions()).decide(s)
    assert (decision.status, len(decision.actions)) == (status, evicted)
    assert all(isinstance(action, EvictPod) for action in decision.actions)
    assert words in decision.reason


def test_a_flood_of_evictions_is_sent_in_parts() -> None:
    s = snapshot(journal=journal(), pods=judged(*(pod(f"web-{number}") for number in range(120))))
    decision = Evicted(EvictionOptions(disable_eviction=True, grace_period=7)).decide(s)
    assert len(decision.actions) == 50
    assert decision.actions[0] == EvictPod(pod("web-0"), delete=True, grace_period=7)


def test_a_cordon_that_somebody_took_back_is_said_to_be_so() -> None:
    again = snapshot(journal=journal(steps={"Cordoned": NOW - 9}))
    assert change(Cordoned().decide(again)).what == "cordon again: somebody uncordoned the node"


def test_a_refused_eviction_is_lifted_by_the_whole_command() -> None:
    typed = CommandLine(("bgpctl", "node", "drain", "n1", "--order", "guide"))
    s = snapshot(journal=journal(steps={"Cordoned": NOW}), pods=judged(pod(empty_dir=True)))
    hint = Evicted(EvictionOptions(), typed).decide(s).hint
    assert hint == (
        "the node stays as it is now; to go on anyway: "
        "bgpctl node drain n1 --order guide --delete-emptydir-data"
    )


# --- Deselected, ShutDown -----------------------------------------------------------------------------------


def asked(times: int) -> str:
    """The name of a request of now."""
    return f"run-a-{times}.{round(NOW * 1000):x}"


def test_the_relabel_its_instant_and_name_and_the_baselines_are_one_patch_that_voids_proofs() -> None:
    old = journal(
        steps={"Checked": NOW - 50, "Withdrawn": NOW - 9, "Settled": NOW - 8}, evidence={"proof": "confirmed"}
    )
    state = running(peer(), peer("192.0.2.2"))
    s = snapshot(journal=old, lever=RACK, state=state, answers=(seen(RouteState.PRESENT),))
    written = change(Deselected().decide(s))
    assert written.labels == {"enable-bgp": "false"}
    assert written.leave == asked(1)
    assert written.journal is not None
    assert written.journal.marks == {RELABELLED: NOW}
    assert written.journal.steps == {"Checked": NOW - 50}
    assert written.journal.evidence == {}
    assert (written.journal.leaves, written.journal.leave) == (1, asked(1))
    assert written.journal.baselines == {ROUTER: 2}
    assert written.journal.peers == (ROUTER, "192.0.2.2")


def test_a_journal_makes_no_drain_set_a_label_that_others_decide_by() -> None:
    """A kubelet may write it on its own Node. What the operator names in this run he may."""
    theirs = ("node-restriction.kubernetes.io/tenant", "other")
    forged = journal(deselect=theirs, prior_labels={theirs[0]: "x"})
    decision = Deselected().decide(snapshot(journal=forged))
    assert (decision.status, decision.actions) == (BLOCKED, ())
    assert f"label {theirs[0]}=other (it is not ours)" in decision.reason
    named = Deselected().decide(snapshot(journal=forged, lever=Lever(("rack",), theirs)))
    assert change(named).labels == dict([theirs])


@pytest.mark.parametrize(
    ("label", "leave", "why"),
    [
        ("true", "run-a-1", "somebody took it back"),
        ("true", "theirs", "somebody took it back"),
        ("false", "theirs", "somebody changed the annotation bgpctl.io/leave"),
    ],
)
def test_a_request_that_is_made_again_says_what_became_of_the_one_before(
    label: str, leave: str, why: str
) -> None:
    changed = node(labels={"enable-bgp": label}, unschedulable=True, leave=leave)
    again = Deselected().decide(snapshot(journal=relabelled(), lever=RACK, node=changed))
    assert again.reason == f"label enable-bgp=false, again: {why}"


def test_whoever_puts_the_label_back_is_answered_by_a_request_of_another_name() -> None:
    s = snapshot(journal=relabelled(), lever=RACK)
    again = change(Deselected().decide(s))
    assert (again.leave, again.what) == (asked(2), "label enable-bgp=false, again: somebody took it back")
    assert again.journal is not None and again.journal.leaves == 2
    assert again.journal.baselines == {ROUTER: 2}, "what was seen before counts on"

    last = Deselected().decide(replace(s, journal=relabelled(leaves=RELABELS)))
    assert (last.status, last.actions) == (BLOCKED, ())
    assert f"{RELABELS} times" in last.reason and "GitOps" in last.hint
    stands = replace(s, node=node(labels=DRAINED, leave=f"run-a-{RELABELS}"), lever=Lever())
    assert Deselected().decide(replace(stands, journal=relabelled(leaves=RELABELS))).status is DONE


@pytest.mark.parametrize(
    ("labels", "marks", "leave", "policies", "deselect", "status"),
    [
        (DRAINED, {RELABELLED: NOW - 5}, "run-a-1", (), LABEL, DONE),
        (DRAINED, {}, "run-a-1", (), LABEL, ACT),
        (DRAINED, {RELABELLED: NOW - 5}, "", (), LABEL, ACT),
        (DRAINED, {RELABELLED: NOW - 5}, "run-old-1", (), LABEL, ACT),
        ({"enable-bgp": "true"}, {RELABELLED: NOW - 5}, "run-a-1", ("rack",), LABEL, ACT),
        (DRAINED, {RELABELLED: NOW - 5}, "run-a-1", ("new",), LABEL, BLOCKED),
        ({}, {RELABELLED: NOW - 5}, "run-a-1", (), ("enable-bgp", None), DONE),
        ({}, {}, "", (), None, DONE),
        ({}, {}, "", ("new",), None, BLOCKED),
    ],
)
def test_deselected(
    labels: Any, marks: Any, leave: str, policies: Any, deselect: Any, status: Status
) -> None:
    s = snapshot(
        node=node(labels=labels, leave=leave),
        journal=journal(marks=marks, deselect=deselect, leaves=1 if marks else 0),
        lever=Lever(policies),
    )
    decision = Deselected().decide(s)
    assert decision.status is status
    if status is BLOCKED:
        assert "new" in decision.reason
        assert "running this again" in decision.hint


@pytest.mark.parametrize(
    ("command", "exit_code", "status", "words"),
    [
        ((), None, DONE, "safe to power off"),
        (("off", "n1"), None, ACT, "run off"),
        (("off", "n1"), 0, DONE, "off succeeded"),
        (("off", "n1"), 7, BLOCKED, "exit code 7: no route to BMC"),
    ],
)
def test_shut_down(command: Any, exit_code: Any, status: Status, words: str) -> None:
    s = snapshot(journal=journal(), command_exit=exit_code, command_tail="no route to BMC")
    decision = ShutDown(command).decide(s)
    assert decision.status is status
    assert words in decision.told
    assert "BMC" not in decision.reason, "what it said is not kept for everybody to read"
    if status is not ACT:
        assert decision.actions == ()
        return
    note, deed = decision.actions
    assert deed == RunCommand(command)
    assert isinstance(note, ChangeNode) and note.journal is not None, "the note goes first, under our version"
    assert note.journal.marks == {"ShutdownCommand": NOW}


def test_the_last_step_sees_everything_that_any_step_before_it_sees() -> None:
    """So every goal is decided again on one look before it."""
    for order in ORDERS:
        steps = node_drain(DrainOptions("n1", order), "run")
        assert steps[-1].name == "ShutDown"
        assert all(step.needs <= steps[-1].needs for step in steps)


# --- restore ------------------------------------------------------------------------------------------------

RESTORE = journal(command="restore")


@pytest.mark.parametrize(
    ("cordoned", "lever", "told"),
    [
        (False, RACK, "nothing to do"),
        (True, RACK, "it is cordoned: `kubectl uncordon n1`"),
        (
            False,
            Lever(ways_in=(("enable-bgp", "true"),)),
            "no policy selects it: `kubectl label node n1 enable-bgp=true --overwrite`",
        ),
        (True, Lever(), "it is cordoned: `kubectl uncordon n1`; no policy selects it"),
    ],
)
def test_a_node_that_was_taken_out_by_hand_is_brought_back_by_hand_and_it_says_how(
    cordoned: bool, lever: Lever, told: str
) -> None:
    s = snapshot(node=node(unschedulable=cordoned), lever=lever)
    decision = Established().decide(s)
    assert (decision.status, decision.actions, decision.reason) == (DONE, (), told)


@pytest.mark.parametrize("step", [Up(), Selected(), Established(), Announced()])
def test_without_a_journal_there_is_nothing_to_restore(step: Any) -> None:
    assert step.decide(snapshot(node=node(ready=False))).status is DONE


@pytest.mark.parametrize(
    ("ready", "state", "status"),
    [
        (False, running(), WAIT),
        (True, None, WAIT),
        (True, running(heartbeat=NOW - 1000), WAIT),
        (True, running(phase="Stopped"), WAIT),
        (True, withdrawn(), DONE),
    ],
)
def test_up(ready: bool, state: Any, status: Status) -> None:
    assert Up().decide(snapshot(journal=RESTORE, node=node(ready=ready), state=state)).status is status


def test_labels_come_back_also_those_that_were_absent() -> None:
    prior = journal(command="restore", prior_labels={"enable-bgp": "true", "zone": None})
    changed = node(labels={"enable-bgp": "false", "zone": "x", "other": "1"})
    s = snapshot(journal=prior, node=changed, lever=Lever(keys=frozenset(("enable-bgp", "zone"))))
    assert change(Selected().decide(s)).labels == {"enable-bgp": "true", "zone": None}
    back = snapshot(journal=prior, node=node(labels={"enable-bgp": "true", "other": "1"}))
    assert Selected().decide(back).status is DONE


@pytest.mark.parametrize(
    ("state", "lever", "status", "words"),
    [
        (running(), RACK, DONE, "1/1"),
        (running(peer(), peer("192.0.2.2", up=False)), RACK, WAIT, "192.0.2.2 is active"),
        (withdrawn(), RACK, WAIT, "withdrawn"),
        (None, RACK, WAIT, "silent"),
        (withdrawn(), Lever(), BLOCKED, "no policy selects"),
    ],
)
def test_established(state: Any, lever: Lever, status: Status, words: str) -> None:
    decision = Established().decide(snapshot(journal=RESTORE, state=state, lever=lever))
    assert decision.status is status
    assert words in decision.reason


SENT = journal(command="restore", marks={"SawAnnounced": NOW - 11})
PART = replace(
    seen(RouteState.PRESENT),
    answer=replace(seen(RouteState.PRESENT).answer, paths=seen(RouteState.PRESENT).answer.paths[:1]),
)


@pytest.mark.parametrize(
    ("record", "state", "answers", "status", "words", "proof"),
    [
        (RESTORE, withdrawn(), (), WAIT, "full set", None),
        (RESTORE, running(peer(announced=1)), (), WAIT, "1 of 2 routes", None),
        (RESTORE, running(peer(end_of_rib=False)), (), WAIT, "End-of-RIB", None),
        (RESTORE, running(peer(pending=3)), (), WAIT, "2 of 2", None),
        (RESTORE, running(), (), DONE, "no router was asked", ""),
        (RESTORE, running(), (seen(RouteState.PRESENT),), DONE, "confirmed by bird", "confirmed"),
        (
            RESTORE,
            running(),
            (seen(RouteState.UNKNOWN),),
            DONE,
            "bird 192.0.2.1 did not answer: it is unk",
            "",
        ),
        (RESTORE, running(), (seen(RouteState.ABSENT),), ACT, "has 0 of them", None),
        (SENT, running(), (seen(RouteState.ABSENT),), WAIT, "has 0 of them", None),
        (SENT, running(), (seen(RouteState.STALE),), WAIT, "has 0 of them", None),
        (SENT, running(), (PART,), DONE, "has 1 of them: it may filter", ""),
    ],
)
def test_announced(record: Any, state: Any, answers: Any, status: Status, words: str, proof: Any) -> None:
    decision = Announced().decide(snapshot(journal=record, state=state, answers=answers))
    assert decision.status is status
    assert words in decision.reason
    assert decision.evidence.get("proof") == proof


@pytest.mark.parametrize("prior", [True, False])
def test_uncordon_and_forget_are_one_patch_and_an_admins_cordon_stays(prior: bool) -> None:
    s = snapshot(journal=journal(prior_unschedulable=prior), node=node(unschedulable=True))
    written = change(Uncordoned().decide(s))
    assert (written.unschedulable, written.forget) == (prior, True)
    assert Uncordoned().decide(snapshot(node=node(unschedulable=prior))).status is DONE

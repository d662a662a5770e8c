"""Each goal of a speaker's restart as a table: what is seen, and the whole decision. `test_restart` has the
reasons against it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.errors import Tells
from bgpctl.runbooks.actions import (
    ChangeNode,
    EvictPod,
    ReleaseLease,
    RestartCommand,
    TakeLease,
    WatchRouters,
)
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.restart_steps import ClaimedForRestart, Concluded, Graceful, Restarted, _another
from bgpctl.runbooks.snapshot import Snapshot
from bgpctl.witness.model import RouteState
from tests.support.snapshots import (
    ME,
    NOW,
    OTHER,
    ROUTER,
    ROUTER_2,
    journal,
    judged,
    lease,
    node,
    peer,
    pod,
    running,
    seen,
    snapshot,
)

BEFORE, ASKED = "SpeakerStarted", "RestartAsked"  # in journals of earlier versions too
STARTED = NOW - 3600.1234567
GOOD = running(started_at=STARTED)
AGENT = pod("agent-1", controller_kind="DaemonSet", controller_name="agent")
OLD = Journal("run", "restart", "", ME, NOW - 9, peers=(ROUTER,), marks={BEFORE: round(STARTED, 3)})
KEPT = "1 peer keeps the routes for 120 s"


def asked(ago: float) -> Journal:
    return OLD.with_mark(ASKED, NOW - ago)


def look(**changes: Any) -> Snapshot:
    """In the middle of a restart: the old speaker reports still."""
    return snapshot(**{"journal": OLD, "state": GOOD, "pods": judged(AGENT), **changes})


# --- claimed ------------------------------------------------------------------------------------------------


def test_a_node_that_a_drain_has_is_left_alone() -> None:
    assert ClaimedForRestart("run").decide(look(journal=journal())) == Decision(
        Status.BLOCKED,
        "drain run-a has the node",
        hint="to see how far it is: bgpctl node status n1\n"
        "to bring the node back first: bgpctl node restore n1",
        tells=frozenset((Tells.BACK,)),
    )


def test_a_free_node_is_claimed() -> None:
    free = look(journal=None, holds_lease=False)
    assert ClaimedForRestart("run").decide(free) == Decision(Status.ACT, "the node is free", (TakeLease(),))
    assert ClaimedForRestart("run").decide(look(journal=None)) == Decision(Status.DONE, "run run")
    held = look(journal=None, holds_lease=False, lease=lease())
    assert ClaimedForRestart("run").decide(replace(held, lease_watched=0.0)).status is Status.WAIT
    taken = ClaimedForRestart("run", take_over=True).decide(held)
    assert taken == Decision(Status.ACT, f"take the node over from {OTHER}", (TakeLease(),))


# --- graceful -----------------------------------------------------------------------------------------------

BY_COMMAND, BY_POD = Restarted(("/bin/restart", "x")), Restarted()


def test_what_was_checked_is_not_checked_again() -> None:
    """By now the speaker may be away: that is what was asked for."""
    decision = Graceful("run", 30.0, BY_COMMAND).decide(look(state=None))
    assert decision == Decision(Status.DONE, "checked before the restart was asked for")


def test_the_prior_state_is_written_down() -> None:
    s = look(
        now=NOW + 0.1234567,
        journal=None,
        node=node(unschedulable=True),
        state=running(peer(), peer(ROUTER_2, up=False), started_at=STARTED, announced=7),
        answers=(seen(RouteState.UNKNOWN), seen(RouteState.PRESENT, ROUTER_2)),
    )
    record = Journal(
        "run",
        "restart",
        "",
        ME,
        NOW + 0.123,
        prior_unschedulable=True,
        peers=(ROUTER,),
        routes=7,
        marks={BEFORE: round(STARTED, 3)},
    )
    assert Graceful("run", 30.0, BY_COMMAND, allow_loss=True).decide(s) == Decision(
        Status.ACT,
        "routes may be lost: the session to 192.0.2.2 is active: whether it keeps routes is not known; "
        "bird 192.0.2.1 cannot be asked (it is unknown)",
        (ChangeNode("write down the prior state", journal=record),),
    )
    plain = Graceful("run", 30.0, BY_COMMAND).decide(look(journal=None))
    assert (plain.status, plain.reason) == (Status.ACT, KEPT)


@pytest.mark.parametrize(
    ("state", "reason", "hint"),
    [
        (None, "no speaker reports for this node", "nothing was changed on the node"),
        (
            running(phase="Starting"),
            "its speaker is Starting, not Running",
            "nothing was changed on the node; to go on anyway: bgpctl speaker restart n1 --allow-route-loss",
        ),
    ],
)
def test_why_not(state: Any, reason: str, hint: str) -> None:
    typed = CommandLine(("bgpctl", "speaker", "restart", "n1"))
    decision = Graceful("run", 30.0, BY_COMMAND, typed=typed).decide(look(journal=None, state=state))
    tells = {Tells.SAFE, Tells.GO_ON} if state else {Tells.SAFE}
    assert decision == Decision(Status.BLOCKED, reason, hint=hint, tells=frozenset(tells))


CHOOSE = "choose it with --pod-selector and --namespace, or restart with --restart-command"
TWINS = (AGENT, replace(AGENT, name="agent-2", uid="b"))
ALONE = replace(AGENT, controller_kind="")


@pytest.mark.parametrize(
    ("pods", "reason", "hint"),
    [
        ((), "exactly one pod on n1 must be the speaker's; found: none", CHOOSE),
        (
            TWINS,
            "exactly one pod on n1 must be the speaker's; found: default/agent-1, default/agent-2",
            CHOOSE,
        ),
        (
            (ALONE,),
            "pod default/agent-1 has no controller: nothing would make it anew",
            "restart it with --restart-command",
        ),
    ],
)
def test_which_pod(pods: Any, reason: str, hint: str) -> None:
    """Decided before anything is written, and again by a run that resumes before it has noted a pod."""
    found = judged(*pods)
    blocked = Decision(Status.BLOCKED, reason, hint=hint)
    assert Graceful("run", 30.0, BY_POD).decide(look(journal=None, pods=found)) == blocked
    assert BY_POD.decide(look(pods=found)) == blocked


# --- restarted ----------------------------------------------------------------------------------------------

REPORT = "waiting for the new speaker to report"


def ran(*actions: Any, reason: str = "run /bin/restart") -> Decision:
    return Decision(Status.ACT, reason, actions, recheck=0.1)


NOTED = ChangeNode("note the time", journal=OLD.with_mark(ASKED, NOW))
RUN = ran(NOTED, WatchRouters(), RestartCommand(("/bin/restart", "x")))


@pytest.mark.parametrize(
    ("s", "decision"),
    [
        (look(), RUN),
        (look(state=None), RUN),
        (look(journal=asked(0.0)), Decision(Status.WAIT, REPORT, recheck=0.1)),
        (look(journal=asked(14.9)), Decision(Status.WAIT, REPORT, recheck=0.1)),
        (look(journal=asked(15.0)), RUN),  # of a run that was killed
        (look(journal=asked(99.0), restarted=True), Decision(Status.WAIT, REPORT, recheck=0.1)),
    ],
)
def test_by_a_command(s: Snapshot, decision: Decision) -> None:
    assert BY_COMMAND.decide(s) == decision


def test_by_its_pod() -> None:
    note = replace(OLD.with_mark(ASKED, NOW), evidence={"routes": 2, "pod": AGENT.uid})
    s = look(journal=replace(OLD, evidence={"routes": 2}))
    delete = EvictPod(AGENT, delete=True)
    expected = ran(
        ChangeNode("note the pod", journal=note), WatchRouters(), delete, reason="delete pod default/agent-1"
    )
    assert BY_POD.decide(s) == expected
    assert BY_POD.decide(replace(s, journal=note)) == expected, "killed before the deletion"
    waiting = Decision(Status.WAIT, "waiting for the new pod's speaker to report", recheck=0.1)
    for pods in ((), (replace(AGENT, deletion_timestamp=NOW),), (replace(AGENT, uid="new"),)):
        assert BY_POD.decide(replace(s, journal=note, pods=judged(*pods))) == waiting


@pytest.mark.parametrize("namespace", ["", "default"])
def test_whose_pod_it_is(namespace: str) -> None:
    """With a namespace, others' pods do not count; without one, all do."""
    other = replace(AGENT, namespace="other", uid="c")
    found = Restarted(namespace=namespace).decide(look(pods=judged(other, AGENT)))
    assert found.status is (Status.ACT if namespace else Status.BLOCKED)
    if namespace:
        assert found.actions[-1] == EvictPod(AGENT, delete=True)


@pytest.mark.parametrize(
    ("record", "started", "reason"),
    [
        (OLD, NOW + 1.0, "the new speaker started"),
        (asked(2.0), NOW + 1.0, "the new speaker started 3.0 s after it was asked to"),
        (asked(0.0), NOW - 1.0, "the new speaker started 0.0 s after it was asked to"),  # another clock
        (asked(0.0), STARTED + 0.001, "the new speaker started 0.0 s after it was asked to"),
    ],
)
def test_another_speaker_reports(record: Journal, started: float, reason: str) -> None:
    s = look(journal=record, state=running(started_at=started))
    assert BY_COMMAND.decide(s) == BY_POD.decide(s) == Decision(Status.DONE, reason)


def test_the_start_is_the_same_in_milliseconds() -> None:
    """As the journal has it."""
    assert BY_COMMAND.decide(look(state=running(started_at=round(STARTED, 3)))).status is Status.ACT


# --- concluded ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("s", "decision"),
    [
        (
            look(),
            Decision(Status.ACT, "remove the journal", (ChangeNode("remove the journal", forget=True),)),
        ),
        (look(journal=None), Decision(Status.ACT, "nothing is left to do", (ReleaseLease(),))),
        (look(journal=None, holds_lease=False), Decision(Status.DONE, "the node is free")),
    ],
)
def test_the_node_is_let_go_of(s: Snapshot, decision: Decision) -> None:
    assert Concluded().decide(s) == decision


def test_what_is_foreseen_of_a_restart_is_said_once() -> None:
    assert Restarted().preview(look(journal=None)) == "restart the speaker"
    assert Restarted().preview(look()) == "", "the checks have said what will be"


def test_what_nobody_counts_is_written_down_as_none_and_nothing_where_nobody_reports() -> None:
    step = Graceful("run", 30.0, BY_COMMAND)
    record = step.leaves(look(journal=None, state=running(announced=None)))
    assert record is not None and record.routes == 0
    assert step.leaves(look(journal=None, state=None)) is None
    assert step.leaves(look()) == look().journal


# --- an engine in a pod of its own --------------------------------------------------------------------------

APART = replace(AGENT, labels={"bgpctl.io/engine": "apart"})
UNGRACEFUL = replace(running(peer(peer_gr=None), started_at=STARTED), engine_mode="external")


def test_a_pod_without_the_engine_may_go_though_no_router_keeps_the_routes() -> None:
    goal = Graceful("run", 30.0, Restarted())
    told = goal.decide(look(journal=None, state=UNGRACEFUL, pods=judged(APART)))
    assert (told.status, told.reason) == (
        Status.ACT,
        "its engine (external) stays: no session is touched",
    )


@pytest.mark.parametrize("pods", [judged(AGENT), judged(AGENT, APART)])
def test_a_pod_with_the_engine_may_not(pods: Any) -> None:
    """Also where it is not clear which pod it is."""
    told = Graceful("run", 30.0, Restarted()).decide(look(journal=None, state=UNGRACEFUL, pods=pods))
    assert told.status is Status.BLOCKED
    assert "graceful restart is not negotiated" in told.reason


def test_the_label_says_nothing_of_an_engine_that_ends_with_its_speaker() -> None:
    """An operator changed the flag of `speaker run` by hand."""
    state = replace(UNGRACEFUL, engine_mode="own")
    told = Graceful("run", 30.0, Restarted()).decide(look(journal=None, state=state, pods=judged(APART)))
    assert told.status is Status.BLOCKED


def test_the_journal_of_a_restart_keeps_what_was_asked_for() -> None:
    """A run that goes on with it begins with that."""
    asked_for = {"--namespace": ("bgp",)}
    decision = Graceful("run", 30.0, BY_COMMAND, asked=asked_for).decide(
        look(journal=None, state=replace(GOOD, uid="process-1"), clock="b/1.5")
    )
    (change,) = decision.actions
    assert isinstance(change, ChangeNode) and change.journal is not None
    assert (change.journal.options, change.journal.clock) == (asked_for, "b/1.5")


def test_a_speaker_that_has_no_name_leaves_none_in_the_journal() -> None:
    decision = Graceful("run", 30.0, BY_COMMAND).decide(look(journal=None))
    (change,) = decision.actions
    assert isinstance(change, ChangeNode) and change.journal is not None and change.journal.evidence == {}
    named = Graceful("run", 30.0, BY_COMMAND).decide(look(journal=None, state=replace(GOOD, uid="a")))
    (change,) = named.actions
    assert isinstance(change, ChangeNode) and change.journal is not None
    assert change.journal.evidence == {"speaker": "a"}


@pytest.mark.parametrize(
    ("before", "uid", "started", "another"),
    [
        ("a", "b", STARTED, True),
        ("a", "a", STARTED + 9, False),  # its clock was set
        ("a", "", STARTED, False),
        ("a", "", STARTED + 9, True),
        ("", "b", STARTED, False),
        ("", "b", STARTED + 9, True),
    ],
)
def test_whether_it_is_another_process(before: str, uid: str, started: float, another: bool) -> None:
    """By its name where both have one."""
    record = replace(OLD, evidence={"speaker": before} if before else {})
    assert _another(replace(GOOD, uid=uid, started_at=started), record) is another


def test_a_command_restarts_the_speaker_alone_and_a_pod_goes_with_its_engine() -> None:
    s = look(pods=judged(AGENT))
    assert BY_POD.takes_engine(s) and not BY_COMMAND.takes_engine(s)
    apart = replace(AGENT, labels={"bgpctl.io/engine": "apart"})
    assert not BY_POD.takes_engine(look(pods=judged(apart)))

"""May the node leave: what is refused before the first change, what lifts it, where the journal begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.guards import Guard
from bgpctl.core.drain.lever import Lever
from bgpctl.core.state import ANOTHER_SPEAKER, DOUBT
from bgpctl.errors import Tells
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.checked import Checked
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.model import Status
from bgpctl.runbooks.snapshot import PeerAnswer
from bgpctl.witness.model import RouteState
from tests.support.snapshots import (
    ASKED,
    LABEL,
    ME,
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
    seen,
    snapshot,
    withdrawn,
)

DONE, ACT, WAIT, BLOCKED = Status.DONE, Status.ACT, Status.WAIT, Status.BLOCKED
RACK = Lever(("rack",), LABEL)
TYPED = CommandLine(("bgpctl", "node", "drain", "n1", "--dry-run", "--max-unavailable", "1"))


def change(decision: Any) -> ChangeNode:
    (action,) = decision.actions
    assert isinstance(action, ChangeNode)
    return action


def checked(s: Any, run: str = "run-a", **options: Any) -> Any:
    return Checked(run, "guide", **{"typed": TYPED, **options}).decide(s)


NO = Guard("last-path", "refuse", "it is the last path", "--allow-last-path")
NEVER = Guard("kured", "refuse", "kured reboots it")
MANY = Guard("out-of-service", "refuse", "two are out", "--max-unavailable 3")
WARNING = Guard("sole-endpoint", "warn", "a gap is possible")
DECIDING = Guard("out-of-service", "wait", "the drain of n2 is being checked too")
GO_ON = "to go on anyway: bgpctl node drain n1 --dry-run --max-unavailable"


@pytest.mark.parametrize(
    ("guards", "pods", "words", "hint"),
    [
        ((NO,), (), "last path", f"{GO_ON} 1 --allow-last-path"),
        ((MANY,), (), "two are out", f"{GO_ON} 3"),
        (
            (NO,),
            (pod(empty_dir=True),),
            "local storage",
            f"{GO_ON} 1 --allow-last-path --delete-emptydir-data",
        ),
        ((NEVER,), (), "kured", "when the reason has gone"),
        ((NO, NEVER), (), "last path; kured", "when the reason has gone"),
        ((), (pod(controller_kind="", controller_name=""),), "no controller", f"{GO_ON} 1 --force"),
    ],
)
def test_a_refused_drain_changes_nothing_and_says_what_lifts_it(
    guards: Any, pods: Any, words: str, hint: str
) -> None:
    decision = checked(snapshot(guards=guards, pods=judged(*pods), lever=RACK))
    assert (decision.status, decision.actions) == (BLOCKED, ())
    assert words in decision.reason
    assert decision.hint.endswith(hint)
    assert "nothing was changed" in decision.hint
    assert ("to go on anyway" in decision.hint) == (NEVER not in guards)
    assert ("--dry-run" in decision.hint) is ("bgpctl node drain" in decision.hint), (
        "a pasted hint must not evict"
    )


def test_what_can_be_lifted_is_not_lost_where_something_else_cannot() -> None:
    hint = checked(snapshot(guards=(NO, NEVER), lever=RACK)).hint
    assert hint.splitlines() == [
        "when the other reasons have gone: "
        "bgpctl node drain n1 --dry-run --max-unavailable 1 --allow-last-path",
        "nothing was changed on the node; run this again when the reason has gone",
    ]


def test_no_label_takes_the_node_out() -> None:
    decision = checked(snapshot(lever=Lever(("rack",), refusal="rack selects every node")))
    assert (decision.status, decision.reason) == (BLOCKED, "rack selects every node")


def test_another_drain_at_this_very_check_is_waited_for() -> None:
    decision = checked(snapshot(guards=(DECIDING,), lever=RACK, journal=journal()))
    assert (decision.status, decision.reason, decision.actions) == (WAIT, DECIDING.message, ())


def test_the_journal_begins_with_the_prior_state() -> None:
    s = snapshot(
        node=node(unschedulable=True),
        lever=RACK,
        state=running(),
        guards=(WARNING,),
        pods=judged(pod()),
        answers=(seen(RouteState.PRESENT),),
    )
    decision = checked(s)
    written = change(decision).journal
    told = {"baselines": {ROUTER: 2}, "locals": {ROUTER: ("10.0.0.1",)}}
    assert written == journal(started_at=NOW, prior_unschedulable=True, **told)
    assert "1 pod to evict" in decision.reason
    assert WARNING.message in decision.reason
    assert checked(replace(s, journal=written)).status is DONE


def test_a_resumed_drain_keeps_the_first_prior_state() -> None:
    """The node is relabelled by now: what it was before is in the journal only."""
    half = snapshot(node=node(labels=ASKED, unschedulable=True), journal=journal(), state=withdrawn())
    assert checked(half).status is DONE
    another = replace(half, lever=Lever(("new",), ("zone", None)), node=node(labels={"zone": "a"}))
    written = change(checked(another)).journal
    assert written is not None
    assert written.deselect == ("zone", None)
    assert written.prior_labels == {"enable-bgp": "true", "zone": "a"}
    assert (written.prior_unschedulable, written.peers, written.routes) == (False, (ROUTER,), 2)


# --- what was named has to be of use ------------------------------------------------------------------------

DEAF = seen(RouteState.UNKNOWN)
ELSEWHERE = {
    "typed": CommandLine(("bgpctl", "node", "drain", "n1")),
    "probes_in": "the extension bgpctl.io/router-probes of the kubeconfig's context",
}
BEGUN = relabelled(steps={"Claimed": NOW - 9, "Checked": NOW - 8})


@pytest.mark.parametrize("command", ["bgpctl calico prepare", "bgpctl cilium prepare --soak"])
def test_a_cluster_that_is_not_prepared_is_prepared_by_a_whole_command(command: str) -> None:
    lever = Lever(("rack",), refusal=f"there is no filter yet: {command} makes it")
    assert f"to prepare the cluster: {command}\n" in checked(snapshot(lever=lever)).hint


@pytest.mark.parametrize(
    ("changes", "options", "words", "advice"),
    [
        pytest.param(
            {"answers": (DEAF,)},
            {},
            "bird 192.0.2.1 cannot be asked: it is unknown",
            "correct --router-probe",
            id="a router that cannot be asked",
        ),
        pytest.param(
            {"answers": (seen(RouteState.PRESENT), seen(RouteState.UNKNOWN, ROUTER_2))},
            {},
            "bird 192.0.2.2 cannot be asked",
            "correct --router-probe, or wait for the estimate: bgpctl node drain n1 --dry-run "
            "--max-unavailable 1 --router-probe none",
            id="one of two routers",
        ),
        pytest.param(
            {"answers": (DEAF,)},
            ELSEWHERE,
            "cannot be asked",
            f"correct {ELSEWHERE['probes_in']}, or wait for the estimate: "
            "bgpctl node drain n1 --router-probe none",
            id="a router that nobody typed",
        ),
        pytest.param(
            {},
            {"profiled": ("192.0.2.77",)},
            "--peer-profile 192.0.2.77: n1 has no such peer",
            "its peers are 192.0.2.1",
            id="a profile for nobody",
        ),
        pytest.param(
            {"lever": Lever(), "state": running(selected_by="rack", selected_by_kind="Policy")},
            {},
            "the speaker of n1 runs Policy rack, but the cluster lists none that selects the node",
            "kubectl get crd",
            id="a policy that the cluster does not list",
        ),
        pytest.param(
            {"lever": Lever(), "state": running(phase="Starting", selected_by="rack")},
            {},
            "runs policy rack",
            "relabelled a moment ago",
            id="also while it starts",
        ),
        pytest.param(
            {"state": running(problems=(f"{ANOTHER_SPEAKER}: process b",))},
            {},
            f"{ANOTHER_SPEAKER}: process b",
            "kubectl annotate --overwrite bgpnodestate n1 bgpctl.io/ended=b",
            id="two speakers",
        ),
        pytest.param(
            {"state": running(problems=(f"{DOUBT}: until 12:00",))},
            {},
            f"{DOUBT}: until 12:00",
            "wait until then: routers have let go",
            id="perhaps two speakers",
        ),
    ],
)
def test_what_cannot_be_believed_or_was_mistyped_is_refused_before_any_change(
    changes: Any, options: Any, words: str, advice: str
) -> None:
    s = snapshot(**{"lever": RACK, "state": running(), **changes})
    decision = checked(s, **options)
    assert (decision.status, decision.actions) == (BLOCKED, ())
    assert words in decision.reason
    assert advice in decision.hint and "nothing was changed on the node" in decision.hint
    assert "to go on anyway" not in decision.hint, "no flag makes a wrong word right"
    begun = replace(s, journal=replace(BEGUN, deselect=None if not s.lever.label else LABEL))
    assert checked(begun, **options).status is DONE, "a drain that has begun is not turned back by it"


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        pytest.param({"answers": (seen(RouteState.PRESENT),)}, {"profiled": (ROUTER,)}, id="all is well"),
        pytest.param({"answers": (seen(RouteState.ABSENT),)}, {}, id="it has no route of the node"),
        pytest.param({"state": None}, {"profiled": ("192.0.2.77",)}, id="nobody tells the node's peers"),
        pytest.param(
            {"lever": Lever(), "state": withdrawn(selected_by="")},
            {},
            id="no policy, and none runs",
        ),
        pytest.param(
            {"lever": Lever(), "state": running(selected_by="rack", heartbeat=NOW - 9_999)},
            {},
            id="it is long ago that the speaker ran it",
        ),
    ],
)
def test_what_is_no_reason_to_refuse(changes: Any, options: Any) -> None:
    s = snapshot(**{"lever": RACK, "state": running(), **changes})
    assert checked(s, **options).status is ACT


# --- only the routers' word ---------------------------------------------------------------------------------

STRICT = CommandLine(("bgpctl", "node", "drain", "n1", "--require-confirmed"))
TWO_PEERS = running(peer(), peer(ROUTER_2))
EACH = (seen(RouteState.PRESENT), seen(RouteState.PRESENT, ROUTER_2))


def forgetful(router: str) -> PeerAnswer:
    answer = seen(RouteState.PRESENT, router)
    return replace(answer, answer=replace(answer.answer, forgets=True))


@pytest.mark.parametrize(
    ("answers", "words", "advice"),
    [
        pytest.param(
            (),
            f"--require-confirmed needs a router probe for every peer; none asks {ROUTER}, {ROUTER_2}",
            f"add --router-probe KIND=TARGET@{ROUTER} --router-probe KIND=TARGET@{ROUTER_2} (such as",
            id="no probe",
        ),
        pytest.param(
            (seen(RouteState.PRESENT),),
            f"none asks {ROUTER_2}",
            f"add --router-probe KIND=TARGET@{ROUTER_2} (such as",
            id="a probe for one of two",
        ),
        pytest.param(
            (seen(RouteState.PRESENT), seen(RouteState.ABSENT, ROUTER_2)),
            "needs every router to show the routes before they go, but bird 192.0.2.2 was never seen to have "
            "a route of this node: is it the right one?",
            "correct --router-probe",
            id="a router that shows nothing",
        ),
        pytest.param(
            (seen(RouteState.PRESENT), forgetful(ROUTER_2)),
            "needs a word afterwards, but bird 192.0.2.2 forgets a dynamic neighbor with its session",
            "make n1 a neighbor of its own there",
            id="a router that will not know the node afterwards",
        ),
    ],
)
def test_what_cannot_be_confirmed_is_refused_before_any_change_where_it_is_required(
    answers: Any, words: str, advice: str
) -> None:
    s = snapshot(lever=RACK, state=TWO_PEERS, answers=answers)
    decision = Checked("run-a", "guide", STRICT, require_confirmed=True).decide(s)
    assert (decision.status, decision.actions) == (BLOCKED, ())
    assert words in decision.reason
    assert advice in decision.hint and "nothing was changed on the node" in decision.hint
    first, *_ = decision.hint.splitlines()
    assert first.endswith("or take the estimate: bgpctl node drain n1")
    assert checked(s).status is ACT, "an estimate is enough where it is not required"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"state": TWO_PEERS, "answers": EACH}, ACT, id="every router shows them"),
        pytest.param({"state": withdrawn()}, BLOCKED, id="a peer it had"),
        pytest.param({"state": None}, ACT, id="nobody tells of a peer: nobody can be asked"),
        pytest.param(
            {"state": withdrawn(), "journal": BEGUN, "answers": (seen(RouteState.ABSENT),)},
            DONE,
            id="it is under way, and its routes are gone",
        ),
        pytest.param({"state": withdrawn(), "journal": BEGUN}, BLOCKED, id="under way, and nobody asks"),
        pytest.param(
            {
                "state": running(),
                "journal": replace(BEGUN, baselines={}),
                "answers": (seen(RouteState.ABSENT),),
            },
            DONE,
            id="it is under way: that a router shows nothing is what was wanted",
        ),
        pytest.param(
            {"state": running(), "journal": journal(), "answers": (seen(RouteState.ABSENT),), "lever": RACK},
            BLOCKED,
            id="it has not begun, and the router shows nothing",
        ),
    ],
)
def test_when_a_confirmation_can_still_be_had(changes: Any, status: Status) -> None:
    s = snapshot(**{"lever": RACK if "journal" not in changes else Lever(), **changes})
    assert checked(s, require_confirmed=True).status is status


# --- a refusal leaves no trace ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "forgets", "kept"),
    [
        pytest.param(
            journal(steps={"Claimed": NOW - 1}), True, "nothing was changed", id="ours, just written"
        ),
        pytest.param(journal(), True, "nothing was changed", id="ours, bare"),
        pytest.param(BEGUN, False, "the node stays as it is now", id="ours, and the drain has begun"),
        pytest.param(journal(run="run-b"), False, "nothing was changed", id="an earlier run's"),
        pytest.param(
            replace(BEGUN, run="run-b", holder=ME),
            False,
            "the node stays as it is now",
            id="we go on from another",
        ),
        pytest.param(None, False, "nothing was changed", id="none yet"),
    ],
)
def test_a_refusal_takes_back_what_it_wrote_and_nothing_else(record: Any, forgets: bool, kept: str) -> None:
    decision = checked(snapshot(guards=(MANY,), lever=RACK, journal=record))
    assert decision.status is BLOCKED
    assert kept in decision.hint
    if forgets:
        written = change(decision)
        assert written.forget and not written.labels and written.unschedulable is None
    else:
        assert decision.actions == ()


NOTHING_DONE = "nothing was changed on the node; run this again when the reason has gone"


def test_a_refusal_whose_reason_has_to_go_says_no_more_than_that() -> None:
    refused = checked(snapshot(lever=Lever(("rack",), refusal="no label takes the node out")))
    assert (refused.status, refused.hint, refused.tells) == (BLOCKED, NOTHING_DONE, {Tells.SAFE})
    lifted = checked(snapshot(lever=RACK, guards=(NO,)))
    assert lifted.tells == {Tells.SAFE, Tells.GO_ON}, "what a hint tells already is not told again"


def test_a_router_that_is_not_the_one_of_before_is_refused_where_its_word_is_required() -> None:
    other = replace(seen(RouteState.ABSENT), witness="bird=/run/other.ctl")
    record = replace(BEGUN, baselines={ROUTER: 2}, witnesses={ROUTER: ("bird=/run/bird.ctl",)})
    s = snapshot(state=running(), journal=record, answers=(other,))
    decision = checked(s, require_confirmed=True)
    assert decision.status is BLOCKED and "needs the routers that showed the routes" in decision.reason
    assert "correct --router-probe, or take the estimate" in decision.hint


def test_how_its_bgp_was_is_written_down_before_anything_is_changed() -> None:
    """Of a journal of a version before, or of a node that came to another stack."""
    lever = replace(Lever(("rack",)), prior={"way": "copies"})
    (write,) = checked(snapshot(lever=lever, journal=journal())).actions
    assert isinstance(write, ChangeNode) and write.journal is not None
    assert write.journal.prior == {"way": "copies"}
    written = snapshot(lever=lever, journal=journal(prior={"way": "copies", "more": 1}))
    assert checked(written).status is DONE

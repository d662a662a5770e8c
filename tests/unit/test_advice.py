"""What a person reads when a run is not at its end: each command is whole, and what is safe comes first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.errors import Tells
from bgpctl.kube.lease import LeaseView, lost, taken_over
from bgpctl.queries.nodes import NodeReport, report_of
from bgpctl.runbooks import advice
from bgpctl.runbooks.claim import Claimed
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import ANNOTATION, dump
from bgpctl.runbooks.model import Result, Status, StepReport, ended
from tests.support.snapshots import LEAVE, NOW, OTHER, journal, lease, node, running, snapshot

TYPED = CommandLine(
    ("kubectl", "bgp", "--context=lab", "node", "drain", "n1", "--kubeconfig", "/k", "--force")
)
CLUSTER = "--context=lab --kubeconfig /k"
BACK = f"to undo it: kubectl bgp {CLUSTER} node restore n1"
POWER = "ssh {node} sudo poweroff"
ASKED = journal(
    order="withdraw-first",
    steps={"Checked": NOW - 9},
    options={"--require-confirmed": (), "--router-probe": ("frr", "bird"), "--shutdown-command": (POWER,)},
)
WORDS = "--order withdraw-first --require-confirmed --router-probe frr --router-probe bird"
GO_ON = f"to go on: kubectl bgp {CLUSTER} node drain n1 {WORDS}"
AGAIN = (
    "it was asked for with --shutdown-command too: whoever may annotate the Node could have written that, so "
    "type yourself what you want of it"
)


def hint(result: Result, record: Any = None, **more: Any) -> list[str]:
    return advice.completed(result, record, TYPED, **more).hint.splitlines()


def stopped(
    message: str, told: str = "", status: str = "blocked", *steps: StepReport, tells: tuple[Tells, ...] = ()
) -> Result:
    return Result("drain", "n1", status, message, hint=told, steps=steps, tells=frozenset(tells))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "do not power off n1: routers may still send it traffic"),
        ({"steps": {}}, "do not power off n1: routers may still send it traffic"),
        ({"steps": {"Evicted": 1.0}}, "do not power off n1: routers may still send it traffic"),
        ({"steps": {"Withdrawn": 1.0}}, "(it announced none), but its pods may still run"),
        (
            {"steps": {"Withdrawn": 1.0, "Evicted": 1.0}, "evidence": {"proof": "estimated"}},
            "do not power off n1 yet: its routes were gone (estimated), but",
        ),
        (
            {"steps": {"Withdrawn": 1.0, "Evicted": 1.0}, "marks": {"ShutdownCommand": NOW}},
            "n1 was out of service and safe to power off when its shutdown command began, at 08:00:00 UTC on "
            "2027-01-15; run the drain again to see whether it still is",
        ),
        ({"command": "restore"}, "do not power off n1: it is on its way back"),
        ({"command": "restart"}, "do not power off n1: it is in service"),
    ],
)
def test_what_is_safe(changes: dict[str, Any], words: str) -> None:
    assert words in advice.standing(journal(**changes), "n1")


def test_nothing_is_said_to_be_unchanged_where_there_is_a_journal() -> None:
    assert advice.standing(None, "n1") == "this run changed nothing on n1"


def test_status_tells_what_is_safe_and_the_whole_command() -> None:
    report = NodeReport("n1", True, True, running(), ASKED, typed=TYPED)
    assert report.ways == ("do not power off n1: routers may still send it traffic", GO_ON, AGAIN, BACK)
    copied = replace(report, journal=None, lost=ASKED)
    assert copied.ways == report.ways, "also by the copy"
    assert replace(report, holder=OTHER).ways == (), "somebody is at it"


def test_words_that_were_not_kept_are_asked_for() -> None:
    secret = replace(ASKED, options={"--router-probe": ("…",), "--shutdown-command": ("…",)})
    told = NodeReport("n1", True, True, running(), secret, typed=TYPED).ways
    assert (
        told[1] == f"to go on: kubectl bgp {CLUSTER} node drain n1 --order withdraw-first --router-probe '…'"
    )
    assert told[2] == AGAIN
    assert "put your own words for … (--router-probe)" in told[3]


def test_what_stands_in_a_journal_is_no_command_to_paste() -> None:
    """Typed as it stood, it rebooted the machine of the operator."""
    forged = {
        "--shutdown-command": ("sudo reboot -f",),
        "--disable-eviction": (),
        "--force": (),
        "--max-unavailable": ("99",),
        "--deselect-label": ("node-restriction.kubernetes.io/tenant=x",),
    }
    rows = NodeReport("n1", True, True, running(), replace(ASKED, options=forged), typed=TYPED).ways
    assert rows[1] == f"to go on: kubectl bgp {CLUSTER} node drain n1 --order withdraw-first"
    assert f"with {', '.join(forged)} too" in rows[2] and "reboot" not in "".join(rows)


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        ("interrupted", "interrupted at Evicted: 2 pods left", "interrupted at Evicted: 2 pods left"),
        ("deadline", "time is up at Evicted: 2 pods left", "time is up at Evicted: 2 pods left"),
        ("blocked", "it is the last path", "blocked: it is the last path"),
        ("failed", "", "failed"),
    ],
)
def test_nothing_is_said_twice(status: str, reason: str, words: str) -> None:
    assert ended(status, reason) == Result("drain", "n1", status, reason).words == words


def test_a_run_that_was_stopped_tells_what_is_safe_how_to_go_on_and_back() -> None:
    way = f"nothing is lost; to go on: {TYPED}"
    told = hint(stopped("interrupted at Evicted", way, "interrupted", tells=(Tells.GO_ON,)), ASKED)
    assert told == [
        "do not power off n1: routers may still send it traffic",
        f"nothing is lost; to go on: {TYPED}",
        BACK,
    ]
    assert hint(stopped("it broke", "mend it"), ASKED)[1:] == ["mend it", f"to go on: {TYPED}", BACK]
    assert hint(stopped("x", "run this again"))[1:] == ["run this again", f"to run it again: {TYPED}"]


@pytest.mark.parametrize(
    ("tells", "rows"),
    [
        (
            (),
            ["do not power off n1: routers may still send it traffic", "mend it", f"to go on: {TYPED}", BACK],
        ),
        ((Tells.SAFE,), ["mend it", f"to go on: {TYPED}", BACK]),
        ((Tells.SAFE, Tells.GO_ON), ["mend it", BACK]),
        ((Tells.SAFE, Tells.GO_ON, Tells.BACK), ["mend it"]),
    ],
)
def test_what_a_hint_tells_already_is_not_told_again(tells: tuple[Tells, ...], rows: list[str]) -> None:
    assert hint(stopped("it broke", "mend it", tells=tells), ASKED) == rows


@pytest.mark.parametrize(
    ("record", "again"),
    [
        (replace(ASKED, steps={}), f"to run it again: {TYPED}"),
        (replace(ASKED, command="restore"), f"to go on: {TYPED}"),
    ],
)
def test_what_has_not_begun_or_is_on_its_way_back_is_not_undone(record: Any, again: str) -> None:
    assert hint(stopped("it broke"), record)[1:] == [again]


def test_a_restore_that_was_interrupted_at_its_beginning_is_not_undone_by_itself() -> None:
    """The journal still says drain."""
    begun = journal(steps={"Claimed": NOW, "Checked": NOW})
    assert any(row.startswith("to undo it") for row in hint(stopped("interrupted", ""), begun))
    back = replace(stopped("interrupted", ""), command="restore")
    assert not any(row.startswith("to undo it") for row in hint(back, begun))


@pytest.mark.parametrize("status", ["done", "planned"])
def test_a_run_that_came_to_its_end_is_told_nothing_more(status: str) -> None:
    assert hint(stopped("safe to power off", "said already", status), ASKED) == ["said already"]


def test_a_run_that_was_refused_after_the_drain_was_done_points_at_what_is_true_now() -> None:
    done = dict.fromkeys(("Checked", "Evicted", "Withdrawn", "ShutDown"), NOW)
    told = hint(stopped("another order", "mend it"), replace(ASKED, steps=done))
    assert told[:3] == [
        "n1 was out of service and safe to power off when its drain was done, at 08:00:00 UTC on 2027-01-15",
        f"to see whether it still is: kubectl bgp {CLUSTER} node status n1",
        "mend it",
    ]


def test_an_estimate_that_was_not_enough_can_be_accepted() -> None:
    text = "time is up at Withdrawn: --require-confirmed waits for a router's word"
    result = stopped(text, "", "deadline", tells=(Tells.LESSER,))
    assert f"to be content with the estimate: {TYPED} --no-require-confirmed" in hint(result, ASKED)


def test_a_shutdown_command_that_did_not_end_well_is_no_word_about_now() -> None:
    """The label may have been put back, and the node uncordoned, while it ran (issue 7)."""
    gone = dict.fromkeys(("Checked", "Evicted", "Withdrawn"), NOW - 5)
    for status, last in (("interrupted", "interrupted"), ("blocked", "blocked"), ("deadline", "deadline")):
        step = StepReport("ShutDown", "power off", last, "run ssh", started_at=NOW - 2)
        noted = replace(ASKED, steps=gone, marks={"ShutdownCommand": NOW - 1})
        told = hint(stopped("it did not end well", "", status, step), noted)
        assert told[0].startswith(
            "n1 was out of service and safe to power off when its shutdown command began, at "
        )
        assert told[0].endswith("run the drain again to see whether it still is")
    told = hint(stopped("interrupted at ShutDown", "", "interrupted", step), replace(noted, steps={}))
    assert told[0].startswith("do not power off n1"), "an earlier run noted it: what is true now is not known"


def test_a_run_that_was_replaced_points_at_the_other_one() -> None:
    taken = taken_over(OTHER)
    told = hint(stopped(taken.message, taken.hint, tells=tuple(taken.tells)), ASKED)
    assert told[1:] == [
        f"to see how far it is: kubectl bgp {CLUSTER} node status n1",
        f"to go on when it has ended (or was stopped): {TYPED}",
    ]


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        (None, "somebody deleted the Lease kube-system/bgpctl-node-n1: this run changes nothing more"),
        (lease(""), "somebody took this run's name out of the Lease kube-system/bgpctl-node-n1: this run"),
        (lease(OTHER), f"another run took the node over: {OTHER}"),
    ],
)
def test_a_lease_that_is_lost_is_told_as_it_was_lost(seen: Any, message: str) -> None:
    assert lost("n1", seen).message.startswith(message)


GONE = stopped(lost("n1", None).message)


def test_where_journal_and_lease_are_gone_the_prior_values_are_told() -> None:
    prior = replace(ASKED, prior_labels={"enable-bgp": "true", "zone": None, "rack": "7"})
    now = node(labels={"enable-bgp": "false", "zone": "a", "rack": "7"}, unschedulable=True)
    told = hint(GONE, prior, orphan=(prior, now))
    assert (
        "before this run n1 was schedulable, labelled enable-bgp=true, without label zone, labelled rack=7"
        in (told[0])
    )
    assert told[1] == "do not power off n1: routers may still send it traffic"
    assert told[2:] == [
        f"to put the label back by hand: kubectl label node n1 enable-bgp=true --overwrite {CLUSTER}",
        f"to put the label back by hand: kubectl label node n1 zone- {CLUSTER}",
        f"to let pods in again: kubectl uncordon n1 {CLUSTER}",
        f"and then: kubectl annotate node n1 bgpctl.io/leave- {CLUSTER}",
    ]
    cordoned = replace(prior, prior_unschedulable=True)
    told = hint(GONE, cordoned, orphan=(cordoned, now))
    assert "before this run n1 was cordoned" in told[0] and not any("uncordon" in text for text in told)


def test_where_another_run_brought_the_node_back_there_is_nothing_to_undo() -> None:
    told = hint(GONE, ASKED, orphan=(ASKED, node()))
    assert told[1:] == ["it is so again: nothing is left to undo"]


@pytest.mark.parametrize(
    ("labels", "cordoned", "rows"),
    [
        ({"enable-bgp": "false"}, False, ["do not power off", "to put the label back", "and then: kubectl"]),
        ({"enable-bgp": "true"}, True, ["do not power off", "to let pods in again", "and then: kubectl"]),
        ({"enable-bgp": "true"}, False, ["it is so again: nothing is left to undo"]),
    ],
)
def test_what_is_not_as_it_was_is_named_one_by_one(
    labels: dict[str, str], cordoned: bool, rows: list[str]
) -> None:
    prior = replace(ASKED, prior_labels={"enable-bgp": "true"})
    told = hint(GONE, prior, orphan=(prior, node(labels=labels, unschedulable=cordoned)))[1:]
    assert len(told) == len(rows) and all(map(str.startswith, told, rows)), told


def test_how_its_bgp_was_is_told_to_the_letter_where_it_is_no_label() -> None:
    """In the provider's words: nobody else in the cluster knows them any more."""
    prior = replace(ASKED, provider="cilium", prior={"way": "copies", "a": 1}, prior_labels={})
    told = hint(GONE, prior, orphan=(prior, node(unschedulable=True)))
    assert told[0] == "before this run n1 was schedulable"
    assert told[1].startswith("do not power off n1") and told[1].endswith("how its BGP was before (cilium):")
    assert told[2:] == [
        '{"a": 1, "way": "copies"}',
        f"to let pods in again: kubectl uncordon n1 {CLUSTER}",
        f"and then: kubectl annotate node n1 bgpctl.io/leave- {CLUSTER}",
    ]


def test_a_node_that_is_only_cordoned_still_is_not_as_it_was() -> None:
    told = hint(GONE, ASKED, orphan=(ASKED, node(unschedulable=True)))
    assert told[1] == "do not power off n1: routers may still send it traffic"
    assert f"to let pods in again: kubectl uncordon n1 {CLUSTER}" in told


def document(**annotations: str) -> dict[str, Any]:
    metadata = {"name": "n1", "annotations": {f"bgpctl.io/{k}": v for k, v in annotations.items()}}
    return {"metadata": metadata, "spec": {"unschedulable": True}, "status": {}}


def test_status_knows_that_a_lease_was_deleted() -> None:
    found = report_of(document(run=dump(ASKED)), running(), None, NOW, TYPED)
    assert found.stopped == "somebody deleted the Lease kube-system/bgpctl-node-n1, which ends a run"
    assert GO_ON in found.ways
    held = report_of(document(run=dump(ASKED)), running(), lease(expires=NOW - 1), NOW)
    assert held.stopped == "its process was killed, or could not write down how it ended"


@pytest.mark.parametrize(
    ("leave", "run"),
    [("1a2b-1", "run 1a2b"), (LEAVE, "a run"), ("`reboot`-1", "a run"), ("x" * 999, "a run")],
)
def test_status_knows_that_a_run_lost_its_journal_and_the_copy(leave: str, run: str) -> None:
    found = report_of(document(leave=leave), running(), None, NOW)
    place = "the Lease kube-system/bgpctl-node-n1 with its copy"
    assert found.problem == f"somebody removed the journal of {run}, and {place}"
    assert found.ways == (
        "do not power off n1: whether its routes are gone, only a drain that ends can tell",
        "how it was before may stand in the last lines of that run",
        "to put a label back by hand: kubectl label node n1 KEY=VALUE --overwrite",
        "to let pods in again: kubectl uncordon n1",
        "and then, so that this is not told again: kubectl annotate node n1 bgpctl.io/leave-",
    )
    assert report_of(document(), running(), None, NOW).problem == ""
    assert ANNOTATION == "bgpctl.io/run"


# --- the claim ----------------------------------------------------------------------------------------------

THEIRS = replace(ASKED, holder=OTHER, run="run-b")


def claim(record: Any = THEIRS, command: str = "drain", order: str = "withdraw-first", **asked: Any) -> Any:
    options = {f"--{name.replace('_', '-')}": value for name, value in asked.items()}
    return Claimed(command, "run-a", order, asked=options, typed=TYPED).decide(snapshot(journal=record))


def test_another_order_is_refused_with_the_command_that_goes_on() -> None:
    decision = Claimed("drain", "run-a", "guide", asked={"--order": ("guide",)}, typed=TYPED).decide(
        snapshot(journal=THEIRS)
    )
    assert decision.status is Status.BLOCKED
    assert "run-b was asked for with --order withdraw-first" in decision.reason
    assert GO_ON.removeprefix("to go on: ") in decision.hint
    assert f"kubectl bgp {CLUSTER} node restore n1" in decision.hint


def test_options_that_were_written_meanwhile_are_not_dropped() -> None:
    decision = claim()
    assert decision.status is Status.BLOCKED
    assert "--require-confirmed, which another run wrote down just now" in decision.reason
    assert f"kubectl bgp {CLUSTER} node drain n1 --order withdraw-first --require-confirmed" in decision.hint


def test_a_run_that_goes_on_writes_its_options_down_and_tells_what_it_leaves_out() -> None:
    decision = claim(require_confirmed=(), settle=("9",))
    (change,) = decision.actions
    assert change.journal.options == {**THEIRS.options, "--settle": ("9",)}
    assert "asked for: --require-confirmed --settle 9" in decision.reason
    assert "without its --router-probe, --shutdown-command, which must be said again" in decision.reason


def test_what_a_restore_goes_on_with_is_not_told() -> None:
    """It inherits nothing."""
    assert "asked for" not in claim(command="restore", order="", settle=("9",)).reason
    own = replace(THEIRS, command="restore", options={"--router-probe": ("frr",)})
    assert "asked for" not in claim(own, command="restore", order="", router_probe=("frr",)).reason


def test_a_restore_of_a_drain_of_another_order_is_no_other_run() -> None:
    asked = {"--order": ("guide",)}
    turned = Claimed("restore", "run-a", "guide", asked=asked, typed=TYPED).decide(snapshot(journal=THEIRS))
    assert turned.status is Status.ACT


def test_a_new_direction_has_its_own_options() -> None:
    (change,) = claim(command="restore", order="", settle=("9",)).actions
    assert change.journal.options == {"--settle": ("9",)}


def test_a_node_that_another_run_has_is_taken_over_by_a_whole_command() -> None:
    s = snapshot(holds_lease=False, lease=lease(), lease_contested=True)
    decision = Claimed("drain", "run-a", typed=TYPED).decide(s)
    assert decision.tells == {Tells.GO_ON, Tells.BACK}, "nothing else has to be said"
    told = decision.hint.splitlines()
    assert told == [
        f"let it finish, or stop it; then: {TYPED}",
        f"when it cannot be stopped: {TYPED} --take-over",
    ]


def test_a_node_that_a_stack_withdrew_is_a_problem_where_no_run_has_it() -> None:
    out = replace(running(), told_out=True)
    assert report_of(document(run=dump(ASKED)), out, None, NOW).problem == ""
    alone = report_of(document(), out, None, NOW)
    assert alone.problem and not alone.orphan
    assert report_of(document(), running(), None, NOW).problem == ""


COPY = dump(journal(run="run-c"))
LEFT = {"leave": "1a2b-1"}


def of_lease(holder: str = "", copy: str = "", owner: str = "") -> LeaseView:
    return replace(lease(holder, expires=NOW - 1), copy=copy, owner=owner)


@pytest.mark.parametrize(
    ("annotations", "held", "out", "told"),
    [
        # What a Node and its Lease tell: the journal, else its copy, else that both are gone.
        ({"run": dump(ASKED)}, None, False, ("", "", False)),
        ({"run": dump(ASKED)}, of_lease(copy=COPY), True, ("", "", False)),
        ({}, of_lease(copy=COPY), False, ("somebody removed the journal", "run-c", False)),
        ({}, of_lease(copy=COPY), True, ("somebody removed the journal", "run-c", False)),
        ({}, of_lease(copy=COPY, owner="another node"), False, ("", "", False)),
        ({}, of_lease(), False, ("", "", False)),
        (LEFT, of_lease(), False, ("", "", False)),  # its Lease is there: a run may be at work
        (LEFT, None, False, ("somebody removed the journal of run 1a2b", "", True)),
        (LEFT, None, True, ("", "", False)),
        ({}, None, False, ("", "", False)),
    ],
)
def test_what_is_known_of_a_nodes_run(
    annotations: dict[str, str], held: LeaseView | None, out: bool, told: tuple[str, str, bool]
) -> None:
    problem, run, orphan = told
    found = report_of(document(**annotations), replace(running(), told_out=out), held, NOW)
    assert found.problem.startswith(problem) and found.orphan is orphan
    assert (found.lost.run if found.lost else "") == run
    assert found.leased is (held is not None)
    if out and not annotations.get("run") and not run:
        assert found.problem and not found.problem.startswith("somebody removed")

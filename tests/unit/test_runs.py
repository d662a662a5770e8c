"""Whole drains and restores on the embedded API, in one process, while others write: what was reached is
reached again, what was there before is never lost, and who was replaced stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bgpctl.errors import Blocked, Exit
from bgpctl.kube import paths
from bgpctl.queries.nodes import journal_of, node_reports
from bgpctl.runbooks.drain_steps import RELABELS
from tests.support import objects, second_writer
from tests.support.second_writer import LEASE, NODE, Rig, finish, until

EXPIRED = 60.0  # seconds after which a killed run's Lease has run out, and was watched


@pytest.fixture
def rig() -> Iterator[Rig]:
    with second_writer.running() as started:
        yield started


def service(rig: Rig) -> Any:
    """What a drain must give back."""
    node = rig.node
    return node["metadata"]["labels"], bool(node["spec"].get("unschedulable")), rig.journal


def drained(rig: Rig) -> None:
    node = rig.node
    assert node["spec"]["unschedulable"] is True
    assert node["metadata"]["labels"]["enable-bgp"] == "false"
    assert rig.pods == []
    assert rig.journal is not None and rig.journal.finished("ShutDown")


def test_a_journal_that_cannot_be_read_is_got_rid_of_by_commands_with_the_nodes_name(rig: Rig) -> None:
    rig.admin.patch(paths.node(NODE), {"metadata": {"annotations": {"bgpctl.io/run": "{"}}})
    with pytest.raises(Blocked) as caught:
        journal_of(rig.admin, NODE)
    for hint in (finish(rig.drain()).hint, finish(rig.restore()).hint, caught.value.hint):
        assert f"to remove it: kubectl annotate node {NODE} bgpctl.io/run-" in hint.splitlines()
        assert "NODE" not in hint


def test_there_and_back_leaves_no_trace(rig: Rig) -> None:
    before = service(rig)
    result = finish(rig.drain())
    assert (result.status, result.proof) == ("done", "estimated")
    drained(rig)
    lease = rig.lease()
    assert lease is not None, "it keeps the journal's copy"
    assert not lease["spec"].get("holderIdentity") and lease["metadata"]["annotations"]["bgpctl.io/run"]
    assert finish(rig.restore()).status == "done"
    assert service(rig) == before
    assert rig.lease() is None
    assert "bgpctl.io/leave" not in (rig.node["metadata"].get("annotations") or {})


def test_a_restore_of_nothing_changes_nothing_and_says_what_to_type(rig: Rig) -> None:
    rig.admin.patch(paths.node(NODE), {"spec": {"unschedulable": True}})
    rig.label("false")
    client = rig.client()
    result = finish(rig.restore(client=client))
    assert (result.status, result.exit_code, result.in_service) == ("blocked", 3, False)
    assert result.message.startswith("still out of service: ")
    assert result.hint.splitlines() == [
        f"this run changed nothing on {NODE}",
        f"it is cordoned: kubectl uncordon {NODE}",
        f"no policy selects it: kubectl label node {NODE} enable-bgp=true --overwrite",
    ]
    assert {path for method, path in client.writes()} <= {LEASE, LEASE.rpartition("/")[0]}
    assert rig.lease() is None


# --- what was there before is never lost --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "state"),
    [("Cordoned", "done"), ("Evicted", "waiting"), ("Withdrawn", "waiting"), ("Settled", "waiting")],
)
def test_a_running_drain_writes_its_journal_back(rig: Rig, step: str, state: str) -> None:
    before = service(rig)
    events = rig.drain()
    until(events, step, state)
    prior = rig.journal
    assert prior is not None
    rig.remove_journal()
    assert finish(events).status == "done"
    drained(rig)
    assert rig.journal is not None
    assert (rig.journal.run, rig.journal.prior_labels) == (prior.run, prior.prior_labels)
    assert finish(rig.restore()).status == "done"
    assert service(rig) == before


@pytest.mark.parametrize("again", ["restore", "drain"])
@pytest.mark.parametrize("ended", [True, False])
def test_the_copy_in_the_lease_brings_a_removed_journal_back(rig: Rig, again: str, ended: bool) -> None:
    """Also that of a drain which was killed: its Lease has run out."""
    rig.admin.patch(paths.node(NODE), {"spec": {"unschedulable": True}})  # an administrator's own cordon
    before = service(rig)
    events = rig.drain()
    if ended:
        finish(events)
    else:
        until(events, "Withdrawn", "waiting")
    rig.clock.at += EXPIRED
    rig.speak()
    rig.remove_journal()
    (report,) = node_reports(rig.admin, (NODE,))
    assert report.lost is not None and report.lost.prior_unschedulable
    assert (report.journal, report.unreadable) == (None, True)
    assert f"`bgpctl node restore {NODE}` brings the node back by its copy" in report.problem
    if again == "drain":
        assert finish(rig.drain("run-c")).status == "done"
        drained(rig)
    assert finish(rig.restore()).status == "done"
    assert service(rig) == before


def test_a_run_whose_lease_was_deleted_stops_and_the_next_goes_on(rig: Rig) -> None:
    before = service(rig)
    events = rig.drain()
    until(events, "Evicted", "waiting")
    rig.admin.delete(LEASE)
    ended = finish(events)
    assert (ended.status, ended.exit_code) == ("blocked", Exit.BLOCKED)
    gone = f"somebody deleted the Lease kube-system/bgpctl-node-{NODE}"
    assert ended.message == f"{gone}: this run changes nothing more"
    assert ended.hint.splitlines() == [
        f"do not power off {NODE}: routers may still send it traffic",
        f"to go on: bgpctl node drain {NODE}",
        f"to undo it: bgpctl node restore {NODE}",
    ]
    (report,) = node_reports(rig.admin, (NODE,))
    assert (report.service, report.stopped) == ("drain-stopped", f"{gone}, which ends a run")
    assert finish(rig.drain("run-b")).status == "done"
    drained(rig)
    assert finish(rig.restore()).status == "done"
    assert service(rig) == before


def test_a_run_that_lost_journal_and_lease_tells_how_the_node_was(rig: Rig) -> None:
    """Nothing in the cluster knows it any more."""
    events = rig.drain()
    until(events, "Withdrawn", "waiting")
    rig.remove_journal()
    rig.admin.delete(LEASE)
    ended = finish(events)
    assert ended.status == "blocked"
    assert ended.message.startswith("another run took the node over and has ended, or somebody removed both")
    assert f"before this run {NODE} was schedulable, labelled enable-bgp=true" in ended.hint
    assert f"kubectl label node {NODE} enable-bgp=true --overwrite" in ended.hint
    assert f"kubectl uncordon {NODE}" in ended.hint
    (report,) = node_reports(rig.admin, (NODE,))
    assert report.problem.startswith("somebody removed the journal of a run, and the Lease kube-system/")
    assert f"to let pods in again: kubectl uncordon {NODE}" in report.ways


def test_a_drain_that_was_done_is_no_word_about_a_node_that_announces_again(rig: Rig) -> None:
    finish(rig.drain())
    (report,) = node_reports(rig.admin, (NODE,))
    assert (report.service, report.ways) == ("drained", ())
    rig.label("true")
    rig.speak()
    (report,) = node_reports(rig.admin, (NODE,))
    assert report.service == "announces-again"
    assert report.ways[0].startswith(f"do not power off {NODE}: it announces again (")
    assert finish(rig.drain("run-b")).status == "done"
    assert node_reports(rig.admin, (NODE,))[0].service == "drained"


def test_a_run_that_is_refused_after_the_drain_was_done_says_when_it_was_safe(rig: Rig) -> None:
    finish(rig.drain())
    ended = finish(rig.drain("run-b", order="withdraw-first", asked={"--order": ("withdraw-first",)}))
    assert (ended.status, ended.hint.splitlines()[1]) == (
        "blocked",
        f"to see whether it still is: bgpctl node status {NODE}",
    )
    assert ended.hint.startswith(
        f"{NODE} was out of service and safe to power off when its drain was done, at "
    )
    assert node_reports(rig.admin, (NODE,))[0].service == "drained"


def test_a_drain_that_is_gone_on_with_is_done_only_when_that_attempt_is(rig: Rig) -> None:
    finish(rig.drain())
    rig.admin.patch(paths.node(NODE), {"spec": {"unschedulable": None}})
    assert node_reports(rig.admin, (NODE,))[0].service == "uncordoned"
    rig.add_pod()
    rig.clock.at += 1
    until(rig.drain("run-b"), "Evicted", "waiting")  # and is killed: it has cordoned the node again
    rig.clock.at += EXPIRED
    rig.speak()
    (report,) = node_reports(rig.admin, (NODE,))
    assert (report.service, report.unschedulable, bool(rig.pods)) == ("drain-stopped", True, True)
    assert f"{NODE} was out of service and safe to power off when its drain was done" in report.ways[0]
    assert finish(rig.drain("run-c")).status == "done"
    assert node_reports(rig.admin, (NODE,))[0].service == "drained"


# --- what was reached is kept -------------------------------------------------------------------------------


def test_an_uncordon_in_the_middle_is_noticed_before_it_is_safe_to_power_off(rig: Rig) -> None:
    """Somebody uncordons the node while the drain settles, and pods come."""
    events = rig.drain()
    until(events, "Settled", "waiting")
    rig.admin.patch(paths.node(NODE), {"spec": {"unschedulable": None}})
    rig.add_pod()
    assert finish(events).status == "done"
    drained(rig)


def test_pods_that_came_without_a_cordon_taken_back_are_evicted_too(rig: Rig) -> None:
    """A DaemonSet-like tool that binds pods by itself: only the last look sees it."""
    events = rig.drain()
    until(events, "Settled", "waiting")
    rig.add_pod()
    assert finish(events).status == "done"
    drained(rig)


@pytest.mark.parametrize("order", ["guide", "withdraw-first"])
@pytest.mark.parametrize("step", ["Withdrawn", "Evicted", "Settled"])
def test_a_label_that_is_put_back_is_asked_for_again_by_another_name(rig: Rig, order: str, step: str) -> None:
    events = rig.drain(order=order)
    until(events, step, "waiting")
    rig.label("true")
    rig.speak()
    assert finish(events).status == "done"
    drained(rig)
    assert rig.journal is not None
    asked = rig.journal.leaves
    assert asked == (1 if (order, step) == ("guide", "Evicted") else 2)
    leave = rig.node["metadata"]["annotations"]["bgpctl.io/leave"]
    assert leave == rig.journal.leave and leave.startswith(f"run-a-{asked}.")
    assert rig.left is not None and rig.left[1] == leave, "the answer is to the last request"


def test_a_writer_that_puts_the_label_back_for_ever_is_named(rig: Rig) -> None:
    def gitops() -> None:
        rig.end_pods()
        rig.label("true")
        rig.speak()

    rig.clock.meanwhile = gitops
    result = finish(rig.drain())
    assert (result.status, result.exit_code) == ("blocked", Exit.BLOCKED)
    assert f"{RELABELS} times" in result.message
    assert "GitOps" in result.hint
    assert rig.journal is not None and rig.journal.ending["status"] == "blocked"
    (report,) = node_reports(rig.admin, (NODE,))
    assert (report.service, report.stopped) == ("drain-stopped", f"blocked: {result.message}")


@pytest.mark.parametrize(
    ("made_anew", "words"), [(False, "was deleted meanwhile"), (True, "was deleted and made anew meanwhile")]
)
def test_a_node_that_goes_in_the_middle_is_no_usage_error(rig: Rig, made_anew: bool, words: str) -> None:
    events = rig.drain()
    until(events, "Withdrawn", "waiting")
    rig.clock.meanwhile = lambda: None
    rig.admin.delete(paths.node(NODE))
    if made_anew:
        rig.server.apply(objects.node(NODE))
    ended = finish(events)
    assert (ended.status, ended.exit_code) == ("blocked", Exit.BLOCKED)
    assert words in ended.message
    if made_anew:
        assert rig.journal is None and not rig.node["spec"].get("unschedulable")


# --- who was replaced stops ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["guide", "withdraw-first"])
@pytest.mark.parametrize("step", ["Evicted", "Withdrawn", "Settled"])
def test_a_drain_that_a_restore_took_over_writes_nothing_more(rig: Rig, order: str, step: str) -> None:
    before, client = service(rig), rig.client()
    old = rig.drain(client=client, order=order)
    until(old, step, "waiting")
    assert finish(rig.restore(take_over=True)).status == "done"
    rig.add_pod() if not rig.pods else None
    left, written = (service(rig), rig.pods), len(client.writes())
    assert left[0] == before
    ended = finish(old)
    assert (ended.status, ended.exit_code) == ("blocked", Exit.BLOCKED)
    assert "took the node over" in ended.message
    assert ended.hint.splitlines()[1:] == ["it is so again: nothing is left to undo"]
    assert (service(rig), rig.pods) == left
    assert len(client.writes()) == written


@pytest.mark.parametrize("step", ["Evicted", "Withdrawn", "Settled"])
def test_a_drain_that_another_took_over_leaves_the_rest_to_it(rig: Rig, step: str, tmp_path: Any) -> None:
    """Paused, and woken after the other has come to its end: its shutdown command never runs."""
    mark, client = tmp_path / "off", rig.client()
    old = rig.drain(client=client, shutdown_command=("touch", str(mark)))
    until(old, step, "waiting")
    assert finish(rig.drain("run-b", take_over=True)).status == "done"
    left, written = rig.node, len(client.writes())
    ended = finish(old)
    assert (ended.status, "took the node over" in ended.message) == ("blocked", True)
    assert f"to see how far it is: bgpctl node status {NODE}" in ended.hint
    assert rig.node == left and not mark.exists()
    assert len(client.writes()) == written


def test_the_shutdown_command_runs_under_a_version_that_says_so(rig: Rig, tmp_path: Any) -> None:
    """Somebody puts the label back between the last look and the command: it does not run until the routes
    are gone again."""
    mark, client = tmp_path / "off", rig.client()

    meddled: list[bool] = []

    def meddle() -> None:
        if rig.journal is not None and rig.journal.finished("Settled") and not meddled:
            meddled.append(True)
            rig.label("true")
            rig.speak()

    events = rig.drain(client=client, shutdown_command=("touch", str(mark)))
    until(events, "Settled", "done")
    client.before("PATCH", f"{paths.node(NODE)}$", meddle, times=9)
    result = finish(events)
    assert result.status == "done" and mark.exists()
    drained(rig)
    assert rig.journal is not None and rig.journal.leaves == 2


# --- a refusal ---------------------------------------------------------------------------------------------


REFUSALS: dict[str, tuple[Callable[[Rig], object], dict[str, Any], str]] = {
    "a probe that cannot be asked": (
        lambda rig: None,
        {"probes": ("bird=/nonexistent.ctl",)},
        "cannot be asked",
    ),
    "a CRD that is gone": (
        lambda rig: rig.admin.delete(f"{paths.PEERING_POLICIES}/policy"),
        {},
        "runs CiliumBGPPeeringPolicy policy, but the cluster lists none",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_drain_leaves_no_trace(rig: Rig, name: str) -> None:
    deed, options, words = REFUSALS[name]
    deed(rig)
    before, pods = rig.node, rig.pods
    result = finish(rig.drain(**options))
    assert (result.status, result.exit_code) == ("blocked", Exit.BLOCKED)
    assert words in result.message
    assert (rig.node, rig.pods, rig.lease()) == (before, pods, None)

"""Drains, dry runs and restores as the command line begins them: on the embedded API, in one process. What is
done at its objects, what is told, and that every option gets to where it decides something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.timing import withdrawal
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER
from bgpctl.errors import UsageError
from bgpctl.kube import paths
from bgpctl.queries.nodes import node_reports
from bgpctl.runbooks import drain, observe, perform
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.engine import Events
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Event, Result, StepReport
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from bgpctl.witness.model import Path, RouterAnswer, RouteState
from tests.support import objects, second_writer
from tests.support.direct import EPOCH
from tests.support.second_writer import NODE, Rig

ROUTER = "192.0.2.1"
ALL = EvictionOptions(force=True)
BARE = "1 pod to evict; deleting Pods that declare no controller: default/web-1"


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with second_writer.running() as started:
        monkeypatch.setattr(worlds, "build", partial(worlds.build, clock=started.clock, background=False))
        yield started


def told(events: Events) -> tuple[list[Event], Result]:
    found: list[Event] = []
    while True:
        try:
            found.append(next(events))
        except StopIteration as end:
            return [event for event in found if event.kind != "steps"], end.value


def lines(events: list[Event], *steps: str) -> list[str]:
    """Those of some steps, with their words."""
    return [f"{e.kind} {e.step} {e.state}: {e.text}" for e in events if e.step in steps]


def states(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(e.kind, e.step, e.state) for e in events]


def started(rig: Rig, **options: Any) -> tuple[list[Event], Result]:
    return told(drain.drain(rig.client(), DrainOptions(NODE, **{"eviction": ALL, **options})))


def planned(rig: Rig, **options: Any) -> tuple[list[Event], Result]:
    return told(drain.plan(rig.client(), DrainOptions(NODE, **{"eviction": ALL, **options})))


def restored(rig: Rig, **options: Any) -> tuple[list[Event], Result]:
    return told(drain.restore(rig.client(), RestoreOptions(NODE, **options)))


@pytest.mark.parametrize("begin", [started, planned])
def test_what_another_run_was_asked_for_is_said_before_anything_is_done(rig: Rig, begin: Any) -> None:
    events, _ = begin(rig, inherited={"--force": (), "--settle": ("9",)})
    first, second = events[:2]
    words = "as the run before was asked to: --force --settle 9"
    assert (first.kind, first.node, first.text.partition(" (")[0]) == ("note", NODE, words)
    assert second.kind == "step"


@pytest.mark.parametrize("begin", [started, planned])
def test_a_profile_for_nobody_is_wrong_usage_before_anything_is_done(rig: Rig, begin: Any) -> None:
    before = rig.node
    with pytest.raises(UsageError) as caught:
        begin(rig, profiles={"192.0.2.77": UNKNOWN_ROUTER})
    assert caught.value.message == f"--peer-profile 192.0.2.77: {NODE} has no such peer"
    assert caught.value.hint == f"its peers are {ROUTER}"
    assert rig.node == before


# --- a drain ------------------------------------------------------------------------------------------------


def test_a_drain(rig: Rig) -> None:
    events, result = started(rig)
    assert states(events) == [
        ("step", "Claimed", "acting"),
        ("action", "Claimed", "acting"),
        ("step", "Claimed", "done"),
        ("step", "Checked", "acting"),
        ("action", "Checked", "acting"),
        ("step", "Checked", "done"),
        ("step", "Cordoned", "acting"),
        ("action", "Cordoned", "acting"),
        ("step", "Cordoned", "done"),
        ("step", "Evicted", "acting"),
        ("action", "Evicted", "acting"),
        ("step", "Evicted", "waiting"),
        ("step", "Evicted", "done"),
        ("step", "Deselected", "acting"),
        ("action", "Deselected", "acting"),
        ("step", "Deselected", "done"),
        ("step", "Withdrawn", "waiting"),
        ("step", "Withdrawn", "acting"),
        ("action", "Withdrawn", "acting"),
        ("step", "Withdrawn", "waiting"),
        ("step", "Withdrawn", "done"),
        ("step", "Settled", "waiting"),
        ("step", "Settled", "done"),
        ("step", "ShutDown", "done"),
    ]
    assert lines(events, "Claimed", "Checked", "Cordoned", "Evicted") == [
        "step Claimed acting: the node is free",
        "action Claimed acting: take the node's Lease",
        f"step Claimed done: run {result.run}",
        f"step Checked acting: {BARE}",
        "action Checked acting: write down the prior state",
        f"step Checked done: {BARE}",
        "step Cordoned acting: cordon",
        "action Cordoned acting: cordon",
        "step Cordoned done: cordoned",
        "step Evicted acting: 1 pod left",
        "action Evicted acting: evict pod default/web-1",
        "step Evicted waiting: 1 pod left, terminating: default/web-1",
        "step Evicted done: no workload left",
    ]
    node = rig.node
    assert node["spec"]["unschedulable"] is True
    assert node["metadata"]["labels"]["enable-bgp"] == "false"
    assert node["metadata"]["annotations"]["bgpctl.io/leave"].startswith(f"{result.run}-1.")
    assert rig.pods == []
    record = rig.journal
    assert record is not None
    assert (record.run, record.command, record.order) == (result.run, "drain", "guide")
    assert set(record.steps) == {report.step for report in result.steps} - {"Claimed"}
    assert (result.command, result.node, result.status, result.proof) == ("drain", NODE, "done", "estimated")
    assert (len(result.run), result.started_at, result.ended_at) == (8, EPOCH, EPOCH + 11.0)
    assert result.evidence == record.evidence and result.evidence["routes"] == 6
    assert result.message == f"{NODE}: safe to power off — 6 routes gone, estimated: no router was asked"
    assert result.reason.startswith("5 s were waited: ")


def test_a_drained_node_that_a_policy_selects_again_is_not_safe_whatever_its_speaker_could_write(
    rig: Rig,
) -> None:
    """Nobody touched the Node; its speaker may have obeyed, and have no right to say so (issue 7)."""
    _, result = started(rig)
    assert result.status == "done"
    (report,) = node_reports(rig.admin, (NODE,))
    assert report.drained
    rig.api.server.apply(objects.policy(name="all", nodeSelector=None))
    (report,) = node_reports(rig.admin, (NODE,))
    assert (report.service, report.since and report.since.told) == (
        "unknown",
        "all selects it again, and its speaker may announce its routes again",
    )


def test_a_drained_node_whose_policies_cannot_be_read_is_not_safe(rig: Rig) -> None:
    """Their CRD was deleted: the speaker keeps what it runs (issue 7)."""
    assert started(rig)[1].status == "done"
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for kind, why in (
        ("ciliumbgppeeringpolicies", "no policy selects nodes by enable-bgp any more"),
        ("ciliumbgpclusterconfigs", "a policy selects it again is not known (the cluster serves neither"),
    ):
        rig.admin.delete(f"{definitions}/{kind}.cilium.io")
        (report,) = node_reports(rig.admin, (NODE,))
        assert report.service == "unknown" and report.since and why in report.since.told


def test_a_drain_that_does_not_end_says_what_it_knows(rig: Rig) -> None:
    """The speaker does not react: it is Running for ever."""
    rig.clock.meanwhile = rig.end_pods
    _, result = started(rig, timeout=30.0, typed=CommandLine(("bgpctl", "node", "drain", NODE, "--force")))
    assert (result.status, result.proof, result.exit_code) == ("deadline", "", 4)
    assert result.message.startswith("time is up at Withdrawn: ")
    safe, on, undo = result.hint.splitlines()
    assert safe == f"do not power off {NODE}: routers may still send it traffic"
    assert on.endswith(f": bgpctl node drain {NODE} --force")
    assert undo == f"to undo it: bgpctl node restore {NODE}"
    assert result.ended_at == EPOCH + 30.0
    record = rig.journal
    assert record is not None and record.ending == {
        "status": "deadline",
        "reason": result.message,
        "at": EPOCH + 30.0,
    }
    lease = rig.lease()
    assert lease is not None and not lease["spec"].get("holderIdentity"), "the next run need not wait"


def test_the_run_that_goes_on_keeps_its_name(rig: Rig) -> None:
    rig.clock.meanwhile = rig.end_pods
    _, first = started(rig, timeout=30.0)
    rig.clock.meanwhile = rig.live
    _, second = started(rig)
    assert (first.status, second.status) == ("deadline", "done")
    assert second.run == first.run


OPTIONS: dict[str, tuple[dict[str, Any], Any]] = {
    "the label of the user's own": (
        {"deselect_label": "enable-bgp=off"},
        lambda rig, result: rig.node["metadata"]["labels"]["enable-bgp"] == "off",
    ),
    "the pods that are chosen": (
        {"eviction": EvictionOptions(force=True, pod_selector="app=other")},
        lambda rig, result: len(rig.pods) == 1,
    ),
    "how long traffic settles": ({"settle": 60.0}, lambda rig, result: result.ended_at == EPOCH + 69.0),
    "the order": ({"order": "withdraw-first"}, lambda rig, result: rig.journal.order == "withdraw-first"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_gets_to_where_it_decides(rig: Rig, name: str) -> None:
    options, holds = OPTIONS[name]
    _, result = started(rig, **options)
    assert result.status == "done", result.message
    assert holds(rig, result)


def test_how_each_router_is_known_to_behave(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    def noted(event: Any, facts: Any, profile: Any, **how: Any) -> Any:
        asked.add(profile.name)
        return withdrawal.estimate(event, facts, profile, **how)

    monkeypatch.setattr(observe, "estimate", noted)
    planned(rig, profiles={ROUTER: replace(UNKNOWN_ROUTER, name="slow")})
    assert asked == {"slow"}
    asked.clear()
    planned(rig)
    assert asked == {UNKNOWN_ROUTER.name}


def _other(rig: Rig) -> None:
    """Another node is out, and announces nothing more; ours alone has the address then."""
    from tests.support import objects

    rig.server.apply(objects.service("web", "203.0.113.10", ports=[{"port": 80}]))
    rig.server.apply(objects.endpoint_slice("web", objects.endpoint(NODE, ready=True)))


def test_a_guard_is_lifted_by_its_flag(rig: Rig) -> None:
    _other(rig)
    _, refused = planned(rig)
    assert (
        refused.status == "blocked" and "is the only node that announces 203.0.113.10/32" in refused.message
    )
    _, lifted = planned(rig, lifted=frozenset({"--allow-last-path"}))
    assert lifted.status == "planned"


def test_so_many_nodes_may_be_out(rig: Rig) -> None:
    from bgpctl.runbooks.journal import ANNOTATION, dump
    from tests.support import objects

    theirs = Journal("r", "drain", "guide", "h", EPOCH, steps={"Checked": EPOCH})
    rig.server.apply(objects.node("worker-2", annotations={ANNOTATION: dump(theirs)}))
    _, refused = planned(rig)
    assert refused.message.startswith("worker-2 is out of service already, and at most 1 may be")
    assert planned(rig, max_unavailable=2)[1].status == "planned"


class Router:
    """A probe of the peer's router: it has what the speaker announces."""

    kind, target, peer = "bird", "/run/bird.ctl", None

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def routes_from(self, neighbor: str) -> RouterAnswer:
        if self.rig.left is not None:
            return RouterAnswer("bird", neighbor, RouteState.ABSENT)
        routes = tuple(Path(ip_network(f"203.0.113.{n}/32"), neighbor) for n in range(6))
        return RouterAnswer("bird", neighbor, RouteState.PRESENT, routes)

    def paths(self, prefix: object) -> tuple[Path, ...]:
        return ()


def test_routers_that_can_be_asked_are_asked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def parse(text: str) -> Any:
        asked.append(text)
        return Router(rig)

    monkeypatch.setattr(drain, "parse_probe", parse)
    _, result = started(rig, probes=("bird=/run/bird.ctl",), require_confirmed=True)
    assert (result.status, result.proof) == ("done", "confirmed")
    assert asked == ["bird=/run/bird.ctl"]
    assert f"6 routes gone, confirmed by bird {ROUTER}" in result.message
    _, back = restored(rig, probes=("bird=/run/bird.ctl",))
    assert (back.status, back.proof) == ("done", "confirmed")
    assert back.message == f"{NODE}: in service, schedulable — 6 routes, confirmed by bird {ROUTER}"


def test_the_command_is_the_last_word(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    class Command:
        def run(self, argv: list[str], timeout: float | None, still: object = None) -> tuple[int, str]:
            assert argv == ["off", NODE] and timeout is not None and timeout < 600.0
            return 0, "bye"

    monkeypatch.setattr(perform, "child", Command())
    _, result = started(rig, shutdown_command=("off", "{node}"))
    assert result.message.startswith(f"{NODE}: off succeeded — 6 routes gone")


def test_what_a_command_said_stays_with_who_ran_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody who may read Nodes reads the journal."""

    class Command:
        def run(self, argv: list[str], timeout: float | None, still: object = None) -> tuple[int, str]:
            return 3, "ipmitool -P hunter2: Unable to establish session"

    monkeypatch.setattr(perform, "child", Command())
    events, result = started(rig, shutdown_command=("sh", "-c", "off"))
    assert result.status == "blocked"
    said = "sh failed with exit code 3: ipmitool -P hunter2: Unable to establish session"
    assert (result.message, result.steps[-1].text) == (said, said)
    assert lines(events, "ShutDown")[-1] == f"step ShutDown blocked: {said}"
    assert rig.journal is not None
    assert rig.journal.ending["reason"] == "sh failed with exit code 3"
    kept = [rig.admin.items(path) for path in (paths.NODES, paths.leases("kube-system"))]
    assert "hunter2" not in str(kept)


# --- a restore ----------------------------------------------------------------------------------------------


def test_a_restore(rig: Rig) -> None:
    _, out = started(rig)
    begun = rig.clock.at
    events, result = restored(rig)
    assert lines(events, *(report.step for report in result.steps)) == [
        "step Claimed acting: the node is free",
        "action Claimed acting: take the node's Lease",
        f"step Claimed acting: undo drain {out.run}",
        f"action Claimed acting: undo drain {out.run}",
        f"step Claimed done: run {result.run}",
        "step Up done: node Ready, speaker reporting",
        "step Selected acting: label enable-bgp=true",
        "action Selected acting: label enable-bgp=true",
        "step Selected done: label enable-bgp=true",
        "step Established waiting: waiting for the speaker (now withdrawn)",
        "step Established done: 1/1 sessions Established",
        "step Announced done: 6 routes sent; no router was asked",
        "step Uncordoned acting: uncordon",
        "action Uncordoned acting: uncordon",
        "step Uncordoned done: schedulable",
        "step Released acting: nothing is left to do",
        "action Released acting: release the node's Lease",
        "step Released done: the node is free",
    ]
    assert (result.command, result.status, result.proof) == ("restore", "done", "")
    assert result.run != out.run
    assert result.message == f"{NODE}: in service, schedulable — 6 routes sent; no router was asked"
    assert result.evidence == {"proof": "", "routes": 6}
    assert result.ended_at - begun == pytest.approx(0.2)
    assert (rig.journal, rig.lease()) == (None, None)


def test_an_administrators_cordon_stays(rig: Rig) -> None:
    rig.admin.patch(paths.node(NODE), {"spec": {"unschedulable": True}})
    started(rig)
    _, result = restored(rig)
    assert result.message == (
        f"{NODE}: in service, still cordoned, as it was before — 6 routes sent; no router was asked"
    )
    assert rig.node["spec"]["unschedulable"] is True


def test_a_node_that_no_policy_selected(rig: Rig) -> None:
    rig.label("other")
    rig.speak()
    _, out = started(rig)
    assert out.status == "done"
    _, result = restored(rig)
    assert result.message == (
        f"{NODE}: schedulable — no label was changed; no policy selects it, so it announces nothing"
    )


def test_a_restore_of_nothing(rig: Rig) -> None:
    _, result = restored(rig)
    assert result.message == f"{NODE}: bgpctl did not take this node out: nothing to restore"
    rig.admin.patch(paths.node(NODE), {"spec": {"unschedulable": True}})
    _, result = restored(rig)
    assert result.message.endswith(f"nothing to restore; it is cordoned: `kubectl uncordon {NODE}`")


def test_a_restore_in_vain(rig: Rig) -> None:
    """The speaker does not come back."""
    started(rig)
    rig.clock.meanwhile = lambda: None
    _, result = restored(rig, timeout=5.0)
    assert (result.status, result.message) == (
        "deadline",
        "time is up at Established: waiting for the speaker (now withdrawn)",
    )
    assert result.hint.endswith(f"bgpctl node restore {NODE}")
    _, again = restored(rig, timeout=5.0, typed=CommandLine(("bgpctl", "x")), take_over=True)
    assert again.hint.endswith("bgpctl x")


# --- the last line ------------------------------------------------------------------------------------------


def last(journal: Journal | None, command: str = "drain", **texts: str) -> str:
    steps = tuple(StepReport(name, "", "done", text) for name, text in texts.items())
    return drain.conclude(Result(command, "n1", "done", "", steps=steps), journal).message


def record(**evidence: Any) -> Journal:
    return Journal("r", "drain", "guide", "h", 0.0, deselect=("a", "b"), evidence=evidence)


@pytest.mark.parametrize(
    ("evidence", "gone"),
    [
        ({}, "it announced no routes"),
        ({"proof": "confirmed", "by": "x"}, "0 routes gone, confirmed by x"),
        ({"proof": "confirmed", "by": "x", "routes": 1}, "1 route gone, confirmed by x"),
        (
            {
                "proof": "confirmed",
                "by": "x",
                "secondsAfterRelabel": 0.0,
                "assumed": "that",
                "earlier": "y did",
            },
            "0 routes gone, confirmed by x, within 0.00 s of being told to leave, assuming that; y did",
        ),
        (
            {"proof": "estimated", "why": "so", "earlier": "y did"},
            "0 routes gone, estimated: no router was asked; y did",
        ),
        (
            {
                "proof": "estimated",
                "why": "so",
                "worstSeconds": 2.5,
                "missing": ["a", "b"],
                "assumed": "that",
            },
            "0 routes gone, estimated: a; b, assuming that",
        ),
    ],
)
def test_where_the_routes_are(evidence: dict[str, Any], gone: str) -> None:
    assert last(record(**evidence), Settled="settled", ShutDown="off") == f"n1: off — {gone}"
    assert last(record(**evidence)) == f"n1: safe to power off — {gone}"


def test_without_a_journal_nothing_is_known() -> None:
    result = drain.conclude(Result("drain", "n1", "done", "", run="r"), None)
    assert (result.run, result.proof, result.evidence) == ("r", "", {})
    assert result.message == "n1: safe to power off — it announced no routes"
    failed = drain.conclude(
        Result("drain", "n1", "failed", "boom", run="x"), record(proof="confirmed", by="z")
    )
    assert (failed.run, failed.proof, failed.message) == ("r", "", "boom")
    assert failed.evidence == {"proof": "confirmed", "by": "z"}


# --- a restore that is only planned -------------------------------------------------------------------------


def test_a_restore_is_planned_and_nothing_is_written(rig: Rig) -> None:
    started(rig)
    before, client = (rig.node, rig.lease()), rig.client()
    events, result = told(drain.plan_restore(client, RestoreOptions(NODE)))
    assert (rig.node, rig.lease()) == before and client.writes() == []
    assert (result.command, result.status, result.exit_code) == ("restore", "planned", 0)
    assert [(report.step, report.text) for report in result.steps][2:] == [
        ("Selected", "label enable-bgp=true"),
        ("Established", "until every session is Established"),
        ("Announced", "until every route is sent (no router is asked)"),
        ("Uncordoned", "uncordon"),
        ("Released", "give the node's Lease back"),
    ]
    assert [event.state for event in events[2:]] == ["planned"] * 5


def test_a_restore_of_an_untouched_node_plans_nothing(rig: Rig) -> None:
    events, _ = told(drain.plan_restore(rig.client(), RestoreOptions(NODE)))
    texts = [event.text for event in events if event.step in ("Selected", "Established", "Announced")]
    assert "until" not in " ".join(texts)

"""Whole upgrades on a clock that only tests move: the order, what stops it where, and the last words.

How one node is restarted is told in test_restart_runs.py; here it is one step, and ends as a test says.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.model import SessionState
from bgpctl.core.preflight.rollout import ANNOTATION
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.api import auth
from bgpctl.runbooks import upgrade as upgrades
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import ANNOTATION as JOURNAL
from bgpctl.runbooks.journal import dump
from bgpctl.runbooks.model import Event, Result
from bgpctl.runbooks.options import RestartOptions
from bgpctl.runbooks.upgrade import plan, upgrade
from bgpctl.runbooks.upgrade_look import UpgradeOptions
from tests.support import direct
from tests.support.moved import IMAGE, OLD, Document, Moved, World
from tests.support.snapshots import journal

PATH = "/apis/apps/v1/namespaces/bgp/daemonsets/bgpctl-speaker"
SELECTOR = "app.kubernetes.io/name=bgpctl-speaker"
WORDS = ("bgpctl", "speaker", "upgrade", "--image", IMAGE)
OPTIONS = UpgradeOptions(IMAGE, SELECTOR, typed=CommandLine(WORDS))
WATCHED = {"watched": True, "routers": [{"gone": 0, "longestGapSeconds": 0}]}


class Restarts:
    """Stands for `runbooks.restart`: deletes the node's pod, which its DaemonSet makes anew, and ends as
    `ends` says of the node. `image`: what a new pod runs all the same, "" = its DaemonSet's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked: list[RestartOptions] = []
        self.ends: dict[str, Mapping[str, Any]] = {}
        self.stays: set[str] = set()

    def restart(self, client: Client, options: RestartOptions) -> Generator[Event, None, Result]:
        self.asked.append(options)
        now = self._world.api.clock()
        yield Event(now, "step", "Restarted", "its speaker", "acting", "delete its pod")
        if options.node not in self.stays:
            name = self._world.speaker(options.node)["metadata"]["name"]
            direct.Wire(self._world.api).client().delete(paths.pod("bgp", name), {"gracePeriodSeconds": 0})
            self._world.sleep(1)
        return self._result(options.node)

    def plan(self, client: Client, options: RestartOptions) -> Generator[Event, None, Result]:
        self.asked.append(options)
        yield Event(self._world.api.clock(), "step", "Restarted", "its speaker", "planned", "delete its pod")
        return replace(self._result(options.node, "planned"), message="would")

    def _result(self, node: str, status: str = "done") -> Result:
        told = {"status": status, "message": f"{node}: back in 4 s", "evidence": WATCHED}
        return Result("speaker restart", node, **{**told, **self.ends.get(node, {})})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    made.daemon_set()
    monkeypatch.setattr(upgrades, "Clock", lambda client: Moved(made))
    return made


@pytest.fixture
def restarts(world: World, monkeypatch: pytest.MonkeyPatch) -> Restarts:
    made = Restarts(world)
    monkeypatch.setattr(upgrades, "restarts", made)
    return made


def finished(events: Generator[Event, None, Result]) -> tuple[list[Event], Result]:
    told: list[Event] = []
    while True:
        try:
            told.append(next(events))
        except StopIteration as end:
            return told, end.value


def run(world: World, **changes: Any) -> tuple[list[Event], Result]:
    return finished(upgrade(world.wire.client(), replace(OPTIONS, **changes)))


def told(events: Sequence[Event]) -> list[str]:
    return [f"{one.step} {one.state}: {one.text}" for one in events]


def daemon_set(world: World) -> Document:
    found: Document = direct.Wire(world.api).client().get(PATH)
    return found


def images(world: World) -> dict[str, str]:
    return {
        one["spec"]["nodeName"]: one["spec"]["containers"][0]["image"] for one in world.pods("bgpctl-speaker")
    }


def test_every_node_after_the_other_and_the_strategy_back(world: World, restarts: Restarts) -> None:
    before = daemon_set(world)["spec"].get("updateStrategy")
    events, result = run(world)
    assert told(events) == [
        f"Pulled waiting: {IMAGE} on 2 nodes",
        "Pulled waiting: worker-1: 0.4 s",
        "Pulled waiting: worker-2: 0.4 s",
        "Pulled done: the image is on 2 nodes",
        f"Template done: DaemonSet bgp/bgpctl-speaker: image {IMAGE}, updateStrategy OnDelete",
        "worker-1 acting: Restarted: delete its pod",
        "worker-1 done: back in 4 s",
        "worker-2 acting: Restarted: delete its pod",
        "worker-2 done: back in 4 s",
        "Strategy done: DaemonSet bgp/bgpctl-speaker: updateStrategy RollingUpdate again",
    ]
    assert (result.status, result.proof) == ("done", "confirmed")
    assert result.message == f"every speaker runs {IMAGE}; no router lost a route" and result.hint == ""
    assert result.node == "DaemonSet bgp/bgpctl-speaker"
    assert images(world) == dict.fromkeys(("worker-1", "worker-2"), IMAGE)
    after = daemon_set(world)
    assert after["spec"].get("updateStrategy") == before and ANNOTATION not in str(after["metadata"])
    assert [one.step for one in result.steps] == ["Pulled", "Template", "worker-1", "worker-2", "Strategy"]
    assert result.ended_at > result.started_at > 0 and dict(result.evidence["worker-1"]) == WATCHED
    assert {one.node for one in events if one.step.startswith("worker") and one.state == "done"} == set(
        images(world)
    )


def test_what_a_restart_is_told(world: World, restarts: Restarts) -> None:
    run(world, expected=7.0, timeout=99.0, probes=("bird",), take_over=True)
    one = restarts.asked[0]
    assert (one.node, one.namespace, one.pod_selector) == ("worker-1", "bgp", SELECTOR)
    assert (one.expected, one.timeout, one.probes, one.take_over) == (7.0, 99.0, ("bird",), True)
    assert one.asked == {"--pod-selector": (SELECTOR,), "--namespace": ("bgp",)}
    assert one.typed == OPTIONS.typed, "the command to type again is the one that was typed"


def test_only_these_nodes_and_the_rest_keeps_the_old_image(world: World, restarts: Restarts) -> None:
    _, result = run(world, nodes=("worker-2",))
    assert images(world) == {"worker-1": OLD, "worker-2": IMAGE}
    assert result.message == (
        f"worker-2 runs {IMAGE}; no router lost a route; worker-1 keeps the old one, "
        "and the DaemonSet stays at OnDelete"
    )
    assert result.hint == f"for the others: bgpctl speaker upgrade --image {IMAGE} --nodes worker-1"
    assert daemon_set(world)["spec"]["updateStrategy"] == {"type": "OnDelete"}
    again, other = run(world, nodes=("worker-1",))
    assert (
        told(again)[-1] == "Strategy done: DaemonSet bgp/bgpctl-speaker: updateStrategy RollingUpdate again"
    )
    assert other.message == f"every speaker runs {IMAGE}; no router lost a route while worker-1 restarted"
    assert "Template done: is so already" in told(again)


def test_these_run_it_already(world: World, restarts: Restarts) -> None:
    run(world, nodes=("worker-2",))
    _, result = run(world, nodes=("worker-2",))
    assert result.status == "done" and result.message == f"these nodes run {IMAGE} already"
    assert len(restarts.asked) == 1


def test_where_nothing_is_to_be_done(world: World, restarts: Restarts) -> None:
    run(world)
    events, result = run(world)
    assert (events, result.status, result.message) == ([], "done", f"every speaker runs {IMAGE}")
    assert result.proof == "" and len(restarts.asked) == 2


def test_routers_that_were_not_watched(world: World, restarts: Restarts) -> None:
    restarts.ends["worker-2"] = {"evidence": {}}
    _, result = run(world)
    assert result.message.endswith("; not all routers were watched") and result.proof == ""


# --- where it stops ---------------------------------------------------------------------------------------

HELD = "the DaemonSet keeps updateStrategy OnDelete: no other node is touched meanwhile"
GO_ON = f"to go on: bgpctl speaker upgrade --image {IMAGE}"


@pytest.mark.parametrize("status", ["blocked", "deadline", "failed", "interrupted"])
def test_the_first_that_does_not_come_back_is_the_last(world: World, restarts: Restarts, status: str) -> None:
    restarts.ends["worker-1"] = {"status": status, "message": "it hangs", "hint": "see its log"}
    _, result = run(world)
    assert (result.status, result.message) == (status, "worker-1: it hangs; 1 more keep the old image")
    assert result.hint.splitlines() == ["see its log", HELD, GO_ON] and result.proof == ""
    assert len(restarts.asked) == 1 and images(world)["worker-2"] == OLD


def test_the_last_one_leaves_none(world: World, restarts: Restarts) -> None:
    restarts.ends["worker-2"] = {"status": "deadline", "message": "it hangs"}
    assert run(world)[1].message == "worker-2: it hangs"


@pytest.mark.parametrize(
    "router", [{"gone": 1, "longestGapSeconds": 0}, {"gone": 0, "longestGapSeconds": 0.5}]
)
def test_a_router_that_lost_routes_ends_it(
    world: World, restarts: Restarts, router: Mapping[str, Any]
) -> None:
    evidence = {"watched": True, "routers": [WATCHED["routers"][0], router]}  # type: ignore[index]
    restarts.ends["worker-1"] = {"evidence": evidence, "message": "worker-1: back — 1 route gone for 0.5 s"}
    events, result = run(world)
    text = "worker-1: a router lost routes: 1 route gone for 0.5 s"
    assert (result.status, result.message) == ("blocked", f"{text}; 1 more keep the old image")
    assert result.hint.splitlines() == ["find out why before the next node is restarted", HELD, GO_ON]
    assert told(events)[-1] == f"worker-1 blocked: {text}"


def test_a_pod_that_runs_the_old_image_all_the_same(world: World, restarts: Restarts) -> None:
    restarts.stays.add("worker-1")
    _, result = run(world)
    assert result.status == "blocked"
    assert (
        result.message == f"worker-1: its new pod runs another image than {IMAGE}; 1 more keep the old image"
    )


def test_somebody_changes_the_daemonset_meanwhile(world: World, restarts: Restarts) -> None:
    going = upgrade(world.wire.client(), OPTIONS)
    while next(going).step != "worker-1":
        pass
    direct.Wire(world.api).client().patch(PATH, {"spec": {"updateStrategy": {"type": "RollingUpdate"}}})
    _, result = finished(going)
    assert result.status == "blocked" and "somebody changed DaemonSet bgp/bgpctl-speaker" in result.message
    assert "its controller replaces older pods by itself" in result.hint


def test_somebody_gives_it_another_image(world: World, restarts: Restarts) -> None:
    going = upgrade(world.wire.client(), OPTIONS)
    while next(going).step != "worker-1":
        pass
    image = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x"}
    direct.Wire(world.api).client().patch(PATH, [image], "json")
    _, result = finished(going)
    assert (result.status, len(restarts.asked)) == ("blocked", 1)


def test_somebody_takes_the_note_of_its_strategy_away(world: World, restarts: Restarts) -> None:
    """Nothing in the cluster tells any more how it was: the command that gives it back does."""
    going = upgrade(world.wire.client(), OPTIONS)
    while next(going).step != "worker-2":
        pass
    direct.Wire(world.api).client().patch(PATH, {"metadata": {"annotations": {ANNOTATION: None}}})
    _, result = finished(going)
    assert result.status == "blocked" and "its update strategy stays" in result.message
    assert "kubectl patch daemonset bgpctl-speaker -n bgp --type merge" in result.hint
    assert set(images(world).values()) == {IMAGE}


def test_one_that_was_on_delete_before_has_no_strategy_to_give_back(world: World, restarts: Restarts) -> None:
    direct.Wire(world.api).client().patch(PATH, {"spec": {"updateStrategy": {"type": "OnDelete"}}})
    events, result = run(world)
    assert result.status == "done" and set(images(world).values()) == {IMAGE}
    assert told(events)[-1].startswith("Strategy done")
    assert daemon_set(world)["spec"]["updateStrategy"]["type"] == "OnDelete"


def test_every_line_of_progress_is_a_step(world: World, restarts: Restarts) -> None:
    assert {one.kind for one in run(world)[0]} == {"step"}


def test_one_of_two_containers_with_another_image_is_enough_to_stop(world: World, restarts: Restarts) -> None:
    world.daemon_set(containers=[{"name": name, "image": OLD} for name in ("speaker", "engine")])
    going = upgrade(world.wire.client(), replace(OPTIONS, containers=("speaker", "engine")))
    while next(going).step != "Template":
        pass
    image = {"op": "replace", "path": "/spec/template/spec/containers/1/image", "value": "x"}
    direct.Wire(world.api).client().patch(PATH, [image], "json")
    _, result = finished(going)
    assert result.status == "blocked" and "its image or its update strategy" in result.message


def test_an_image_that_no_registry_has_restarts_nobody(world: World, restarts: Restarts) -> None:
    world.api.server.images.missing.add(IMAGE)
    before = daemon_set(world)
    _, result = run(world)
    assert result.status == "blocked" and result.message.startswith(
        f"{IMAGE} was not pulled on worker-1: ErrImage"
    )
    assert result.hint.splitlines() == ["the DaemonSet was not changed", "no speaker was restarted"]
    assert daemon_set(world) == before and not restarts.asked and not world.pods()


def test_time_is_up_for_the_pulls(world: World, restarts: Restarts) -> None:
    world.api.server.images.seconds["worker-2", IMAGE] = 60.0
    _, result = run(world, timeout=3.0)
    assert result.message == f"{IMAGE} was not pulled on worker-2: time was up before it ended"


def test_what_an_earlier_one_left_is_noted(world: World, restarts: Restarts) -> None:
    refused = direct.refused(503)
    world.wire.before = lambda asked: (
        refused if asked.verb == "delete" and "preflight" in asked.path else None
    )
    events, _ = run(world, nodes=("worker-1",))
    (note,) = [one for one in events if one.kind == "note"]
    assert note.text.startswith("warning: pods of this preflight may be left")
    world.wire.before = lambda asked: None
    events, _ = run(world)
    (note,) = [one for one in events if one.kind == "note"]
    assert note.text == "removed 1 pod that an earlier preflight left"


def test_interrupted_between_two_nodes(world: World, restarts: Restarts) -> None:
    going = upgrade(world.wire.client(), OPTIONS)
    while next(going).step != "Template":
        pass
    with pytest.raises(StopIteration) as end:
        going.throw(KeyboardInterrupt)
    result: Result = end.value.value
    assert (result.status, result.message) == ("interrupted", "interrupted")
    assert result.hint.splitlines() == [HELD, GO_ON]


def test_an_interrupt_in_a_restart_is_the_restarts(world: World, restarts: Restarts) -> None:
    def restart(client: Client, options: RestartOptions) -> Generator[Event, None, Result]:
        try:
            yield Event(0.0, "step", "Restarted", "its speaker", "waiting", "wait")
        except KeyboardInterrupt:
            return Result("speaker restart", options.node, "interrupted", "waited for its pod")
        raise AssertionError("not reached")

    restarts.restart = restart  # type: ignore[method-assign]
    going = upgrade(world.wire.client(), OPTIONS)
    while next(going).step != "worker-1":
        pass
    with pytest.raises(StopIteration) as end:
        going.throw(KeyboardInterrupt)
    assert end.value.value.message == "worker-1: waited for its pod; 1 more keep the old image"


# --- what is refused before -------------------------------------------------------------------------------


def test_routes_that_would_be_lost(world: World, restarts: Restarts) -> None:
    world.speaks("worker-1", session={"state": SessionState.ACTIVE})
    _, result = run(world)
    lost = "worker-1: the session to 192.0.2.1 is active: whether it keeps routes is not known"
    assert (result.status, result.message) == ("blocked", lost)
    assert result.hint.splitlines() == [
        "the DaemonSet was not changed",
        f"to go on anyway: bgpctl speaker upgrade --image {IMAGE} --allow-route-loss",
    ]
    assert not world.said and daemon_set(world)["spec"]["template"]["spec"]["containers"][0]["image"] == OLD
    assert run(world, allow_route_loss=True)[1].status == "done"


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, " (and 1 more)")])
def test_of_many_reasons_the_first_are_told(world: World, restarts: Restarts, count: int, more: str) -> None:
    for number in range(count - 2):
        world.node(f"n{number}")
    client = direct.Wire(world.api).client()
    for name in ("worker-1", "worker-2"):
        client.delete(paths.node_state(name))
    world.controllers.catch_up()
    _, result = run(world)
    assert result.message.count("no speaker reports for this node") == 5
    assert result.message.endswith(f"no speaker reports for this node{more}")


def test_a_node_that_a_drain_has(world: World, restarts: Restarts) -> None:
    client = direct.Wire(world.api).client()
    client.patch(paths.node("worker-1"), {"metadata": {"annotations": {JOURNAL: dump(journal())}}})
    _, result = run(world)
    assert (result.status, result.message) == ("blocked", "worker-1: drain run-a has the node")
    leave_out = f"to leave them out: bgpctl speaker upgrade --image {IMAGE} --nodes worker-2"
    assert result.hint.splitlines() == [
        "the DaemonSet was not changed",
        "see `bgpctl node status`",
        leave_out,
    ]
    _, alone = run(world, nodes=("worker-1",))
    assert alone.hint.splitlines() == ["the DaemonSet was not changed", "see `bgpctl node status`"]
    assert run(world, nodes=("worker-2",))[1].status == "done", "of others it is nobody's business"


def test_a_restart_that_is_not_at_its_end_is_gone_on_with(world: World, restarts: Restarts) -> None:
    """Its node counts as old, and what its speaker says meanwhile is no refusal."""
    run(world)
    client = direct.Wire(world.api).client()
    begun = dump(replace(journal(), command="restart"))
    client.patch(paths.node("worker-2"), {"metadata": {"annotations": {JOURNAL: begun}}})
    world.speaks("worker-2", session={"state": SessionState.ACTIVE})
    _, result = run(world)
    assert result.status == "done" and [one.node for one in restarts.asked][2:] == ["worker-2"]


def test_a_journal_that_cannot_be_read_is_for_its_own_restart_to_refuse(
    world: World, restarts: Restarts
) -> None:
    client = direct.Wire(world.api).client()
    client.patch(paths.node("worker-2"), {"metadata": {"annotations": {JOURNAL: "{"}}})
    assert run(world)[1].status == "done"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"nodes": ("worker-1", "worker-9")}, "worker-9"),
        ({"nodes": ("away",)}, "DaemonSet bgp/bgpctl-speaker has no pod on away"),
        ({"containers": ("speaker", "x")}, "DaemonSet bgp/bgpctl-speaker has no container x"),
    ],
)
def test_what_does_not_exist(world: World, restarts: Restarts, changes: Mapping[str, Any], told: str) -> None:
    world.node("away", ready=True, spec={"taints": [{"key": "a", "effect": "NoSchedule"}]})
    for one in world.pods("bgpctl-speaker"):
        if one["spec"].get("nodeName") == "away":
            direct.Wire(world.api).client().delete(paths.pod("bgp", one["metadata"]["name"]), {})
    with pytest.raises(UsageError, match=told):
        run(world, **changes)


def test_which_container_has_to_be_clear(world: World, restarts: Restarts) -> None:
    other = {"name": "sidecar", "image": "example/sidecar:1"}
    world.daemon_set(containers=[{"name": "speaker", "image": "example/another:1"}, other])
    with pytest.raises(UsageError) as raised:
        run(world)
    has = "It has speaker (example/another:1), sidecar (example/sidecar:1)"
    assert raised.value.message == f"which container of DaemonSet bgp/bgpctl-speaker gets {IMAGE}? {has}"
    assert raised.value.hint == "choose with --container"
    _, result = run(world, containers=("speaker",))
    assert result.status == "done"
    assert {one["image"] for one in daemon_set(world)["spec"]["template"]["spec"]["containers"]} == {
        IMAGE,
        "example/sidecar:1",
    }


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"pod_selector": "a=b"}, "exactly one DaemonSet must run the speakers (a=b); found: none"),
        ({"namespace": "default"}, f"exactly one DaemonSet must run the speakers ({SELECTOR}); found: none"),
    ],
)
def test_no_daemonset(world: World, restarts: Restarts, changes: Mapping[str, Any], found: str) -> None:
    _, result = run(world, **changes)
    assert (result.status, result.message) == ("blocked", found)
    assert result.node == "speakers"


def test_two_daemonsets(world: World, restarts: Restarts) -> None:
    other = daemon_set(world)
    other["metadata"] = {"name": "other", "namespace": "default"}
    world.api.server.apply(other)
    _, result = run(world)
    assert result.message.endswith("found: bgp/bgpctl-speaker, default/other")
    assert run(world, namespace="bgp")[1].status == "done"


def test_the_rights_that_are_missing(world: World, restarts: Restarts) -> None:
    world.api.server.rights = ("get *", "list *", "watch *")
    world.wire.user = auth.PERSON
    _, result = run(world)
    missing = "patch daemonsets, create pods, delete pods, patch nodes, create leases"
    assert (result.status, result.message) == ("blocked", f"the right to {missing} is missing")


def test_a_change_that_the_api_server_refuses(world: World, restarts: Restarts) -> None:
    world.wire.before = lambda asked: (
        direct.refused(422, message="no") if asked.verb == "patch" and asked.path == PATH else None
    )
    _, result = run(world)
    assert result.message == "DaemonSet bgp/bgpctl-speaker could not be changed: no"
    assert result.hint.splitlines()[0] == "the DaemonSet was not changed"


def test_a_failure_has_its_words(world: World, restarts: Restarts, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise BgpctlError("it broke", "mend it")

    monkeypatch.setattr(upgrades._Work, "_graceful", fails)
    _, result = run(world)
    assert (result.status, result.message) == ("failed", "it broke") and "mend it" in result.hint


# --- what it would do -------------------------------------------------------------------------------------


def test_a_plan_changes_nothing(world: World, restarts: Restarts) -> None:
    before = daemon_set(world)
    events, result = finished(plan(world.wire.client(), OPTIONS))
    assert told(events) == [
        f"Pulled planned: pull {IMAGE} on worker-1, worker-2",
        f"Template planned: DaemonSet bgp/bgpctl-speaker: image {IMAGE}, updateStrategy OnDelete",
        "worker-1 planned: Restarted: delete its pod",
        "worker-2 planned: Restarted: delete its pod",
    ]
    assert (result.status, result.hint) == ("planned", "")
    assert result.message == "nothing was changed; without --dry-run this is what happens"
    assert daemon_set(world) == before and not [one for one in world.wire.sent if one.verb == "patch"]


def test_a_plan_ends_at_the_first_that_may_not_be_restarted(world: World, restarts: Restarts) -> None:
    restarts.ends["worker-1"] = {"status": "blocked", "message": "it is drained", "hint": "restore it"}
    _, result = finished(plan(world.wire.client(), OPTIONS))
    assert (result.status, result.message) == ("blocked", "worker-1: would")
    assert len(restarts.asked) == 1 and "restore it" in result.hint


def test_a_plan_of_what_is_half_done(world: World, restarts: Restarts) -> None:
    run(world, nodes=("worker-2",))
    pod = paths.pod("bgp", world.speaker("worker-1")["metadata"]["name"])
    direct.Wire(world.api).client().delete(pod, {"gracePeriodSeconds": 0})
    world.sleep(1)
    events, _ = finished(plan(world.wire.client(), OPTIONS))
    assert told(events) == [f"Pulled planned: pull {IMAGE} on no node", "Template planned: is so already"]


def test_what_is_done_is_planned_as_done(world: World, restarts: Restarts) -> None:
    run(world)
    events, result = finished(plan(world.wire.client(), OPTIONS))
    assert (events, result.status, result.message) == ([], "planned", f"every speaker runs {IMAGE}")

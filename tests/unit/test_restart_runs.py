"""Whole restarts of a speaker on the embedded API, in one process: what is done, told and left behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.model import IPV4
from bgpctl.errors import UsageError
from bgpctl.kube import paths
from bgpctl.queries.nodes import node_reports
from bgpctl.runbooks import perform, restart, router_watch
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.actions import WatchRouters
from bgpctl.runbooks.model import Event, Result
from bgpctl.runbooks.options import RestartOptions
from bgpctl.runbooks.router_watch import Gaps
from bgpctl.runbooks.routers import Routers
from bgpctl.witness.model import Path, RouterAnswer, RouteState
from tests.support import second_writer
from tests.support.direct import EPOCH
from tests.support.node_states import peer
from tests.support.second_writer import NODE, Rig, finish, speaker

ROUTER, LOCAL = "192.0.2.1", "192.0.2.11"
ROUTES = tuple(Path(ip_network(f"203.0.113.{n}/32"), LOCAL) for n in range(6))
KEPT = "1 peer keeps the routes for 120 s"


@dataclass
class Speaker:
    """The node's speaker: it reports while time goes on, and can be restarted."""

    rig: Rig
    started: float = EPOCH - 900.0

    @property
    def uid(self) -> str:
        return f"process-{self.started}"

    def report(self) -> None:
        now = self.rig.clock.at
        one = peer(now, ROUTER, advertised={IPV4: 6}, local_address=LOCAL)
        self.rig.publish(replace(speaker(now, "", None), started_at=self.started, uid=self.uid, peers=(one,)))
        self.rig.end_pods()

    def restart(self) -> None:
        self.started = self.rig.clock.at


@dataclass
class Command:
    """Stands for `child`: the operator's command, and what it does."""

    does: Callable[[], object]
    ends: tuple[int, str] = (0, "")
    asked: list[list[str]] = field(default_factory=list)

    def run(self, argv: list[str], timeout: float | None, still: object = None) -> tuple[int, str]:
        self.asked.append(argv)
        self.does()
        return self.ends


@dataclass
class Probe:
    """The router; `at` are the instants that it says it answered at."""

    peer: str | None = None
    kind: str = "bird"
    target: str = "/run/bird.ctl"

    def routes_from(self, neighbor: str) -> RouterAnswer:
        assert neighbor == LOCAL
        return RouterAnswer("bird", neighbor, RouteState.PRESENT, ROUTES, at=EPOCH)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """On the rig's clock, with routers that are asked once and then no more: a second look depends on how
    fast this machine is."""
    with second_writer.running() as started:
        monkeypatch.setattr(worlds, "build", partial(worlds.build, clock=started.clock, background=False))
        monkeypatch.setattr(restart, "RouterWatch", partial(router_watch.RouterWatch, interval=3600.0))
        monkeypatch.setattr(restart, "parse_probe", lambda text: Probe(peer=text or None))
        yield started


@pytest.fixture
def agent(rig: Rig) -> Speaker:
    made = Speaker(rig)
    made.report()
    rig.clock.meanwhile = made.report
    return made


@pytest.fixture
def command(agent: Speaker, monkeypatch: pytest.MonkeyPatch) -> Command:
    made = Command(agent.restart)
    monkeypatch.setattr(perform, "child", made)
    return made


def run(rig: Rig, *argv: str, **options: Any) -> tuple[list[Event], Result]:
    events: list[Event] = []
    going = restart.restart(rig.client(), RestartOptions(NODE, argv, **options))
    while True:
        try:
            events.append(next(going))
        except StopIteration as end:
            return [event for event in events if event.kind != "steps"], end.value


def told(events: list[Event]) -> list[str]:
    return [f"{e.kind} {e.step} {e.state}: {e.text}" for e in events]


BACK = [
    "step Established done: 1/1 sessions Established",
    "step Announced done: 6 routes sent; no router was asked",
    "step Released acting: remove the journal",
    "action Released acting: remove the journal",
    "step Released acting: nothing is left to do",
    "action Released acting: release the node's Lease",
    "step Released done: the node is free",
]


def begun(run: str) -> list[str]:
    return [
        "step Claimed acting: the node is free",
        "action Claimed acting: take the node's Lease",
        f"step Claimed done: run {run}",
        f"step Graceful acting: {KEPT}",
        "action Graceful acting: write down the prior state",
        "step Graceful done: checked before the restart was asked for",
    ]


def test_by_a_command(rig: Rig, command: Command) -> None:
    before = rig.node
    events, result = run(rig, "ssh", "{node}", "restart")
    assert told(events) == [
        *begun(result.run),
        "step Restarted acting: run ssh",
        "action Restarted acting: note the time",
        "action Restarted acting: run ssh",
        "step Restarted done: the new speaker started 0.0 s after it was asked to",
        *BACK,
    ]
    assert command.asked == [["ssh", NODE, "restart"]]
    assert (result.command, result.node, result.status, result.proof) == ("speaker restart", NODE, "done", "")
    assert (len(result.run), result.started_at) == (8, EPOCH)
    assert result.ended_at == pytest.approx(EPOCH + 0.1, abs=0.01)
    assert result.message == (
        f"{NODE}: the new speaker started 0.0 s after it was asked to; 1/1 sessions Established; "
        "6 routes sent; no router was asked — "
        "the routers were not watched: whether a route left meanwhile is not known"
    )
    assert result.evidence == {"watched": False, "routers": []}
    after = rig.node
    for node in (before, after):
        node["metadata"].pop("resourceVersion")
        node["metadata"].pop("managedFields", None)
        node["metadata"].pop("annotations", None)
    assert (after, rig.journal, rig.lease()) == (before, None, None)


def test_routers_are_watched_from_before_the_restart(rig: Rig, command: Command) -> None:
    events, result = run(rig, "go", probes=("",))
    assert told(events)[6:9] == [
        "step Restarted acting: run go",
        "action Restarted acting: note the time",
        "action Restarted acting: watch the routers",
    ]
    assert (result.status, result.proof) == ("done", "confirmed")
    assert result.message.endswith(
        "6 routes, confirmed by bird 192.0.2.1 — "
        "no gap seen in 1 looks at bird /run/bird.ctl, at most 0.00 s apart"
    )
    assert result.evidence == {
        "watched": True,
        "routers": [
            {
                "router": "bird /run/bird.ctl",
                "routes": 6,
                "looks": 1,
                "unanswered": 0,
                "longestPauseSeconds": 0.0,
                "longestGapSeconds": 0.0,
                "gone": 0,
            }
        ],
    }


def test_by_its_pod(rig: Rig, agent: Speaker) -> None:
    owned = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "a", "uid": "u", "controller": True}
    rig.admin.patch(second_writer.POD, {"metadata": {"ownerReferences": [owned], "labels": {"app": "agent"}}})
    spec = {"nodeName": NODE, "containers": [{"name": "c", "image": "x"}]}
    rig.admin.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "web-2"}, "spec": spec})

    def kubelet() -> None:
        """The pod ends, and its DaemonSet makes another."""
        agent.report()
        if not rig.admin.find(second_writer.POD) and agent.started < EPOCH:
            agent.restart()

    rig.clock.meanwhile = kubelet
    events, result = run(rig, pod_selector="app=agent")
    assert told(events) == [
        *begun(result.run),
        "step Restarted acting: delete pod default/web-1",
        "action Restarted acting: note the pod",
        "action Restarted acting: delete pod default/web-1",
        "step Restarted waiting: waiting for the new pod's speaker to report",
        f"step Restarted done: the new speaker started {agent.started - EPOCH:.1f} s after it was asked to",
        *BACK,
    ]
    assert [pod["metadata"]["name"] for pod in rig.admin.items(paths.PODS)] == ["web-2"]


@pytest.mark.parametrize(("last", "said"), [("boom", "boom"), ("", "it said nothing")])
def test_a_command_that_fails_is_run_again_by_the_next_run(
    rig: Rig, agent: Speaker, command: Command, last: str, said: str
) -> None:
    command.does, command.ends = lambda: None, (7, last)
    _, result = run(rig, "go", probes=("",))
    assert result.status == "failed"
    assert result.message == f"the restart command go ended with 7: {said}"
    assert result.hint.splitlines() == [
        f"do not power off {NODE}: it is in service",
        f"to go on: bgpctl speaker restart {NODE}",
    ]
    assert result.proof == ""
    assert result.evidence["watched"] is True, "what was seen until then is told"
    (report,) = node_reports(rig.admin, (NODE,))
    assert report.journal is not None and set(report.journal.steps) == {"Graceful"}
    assert (report.service, report.stopped) == (
        "restart-stopped",
        "failed: the restart command go ended with 7",
    ), "without its words, which may hold a secret"
    command.does, command.ends = agent.restart, (0, "")
    events, again = run(rig, "go")
    assert again.status == "done"
    assert "step Restarted waiting: waiting for the new speaker to report" in told(events)
    assert rig.journal is None


def test_what_the_watch_saw_is_the_proof(rig: Rig, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    class Watch:
        """Saw what the test says."""

        def __init__(self, targets: Any) -> None:
            begun.append(targets)

        def start(self) -> None: ...
        def stop(self) -> tuple[Gaps, ...]:
            stopped.append(True)
            return seen

    prefix, other = ROUTES[0].prefix, ROUTES[1].prefix

    def gaps(*looks: tuple[float, Any]) -> Gaps:
        found = Gaps("bird x")
        for at, prefixes in looks:
            found.look(at, prefixes)
        return found

    good = gaps((0.0, {prefix}), (0.12345, {prefix}))
    cases: list[tuple[tuple[Gaps, ...], str, bool]] = [
        ((good,), "confirmed", True),
        ((good, gaps((0.0, None))), "", False),  # one that never answered
        ((good, gaps((0.0, set()))), "", False),  # one that had nothing
        ((good, gaps((0.0, {prefix}), (0.1, None), (9.0, {prefix}))), "", False),  # away meanwhile
        ((good, gaps((0.0, {prefix}), (0.1, None))), "", False),  # away since
        ((good, gaps((0.0, None), (0.1, {prefix}))), "", False),  # its baseline is late
        ((good, gaps((0.0, {prefix}), (0.1, set()), (0.2346, {prefix}))), "", True),
        ((good, gaps((0.0, {prefix, other}), (0.1, {other}))), "", True),
    ]
    for seen, proof, watched in cases:
        begun: list[Any] = []
        stopped: list[bool] = []
        monkeypatch.setattr(restart, "RouterWatch", Watch)
        _, result = run(rig, "go", probes=("",))
        assert (result.status, result.proof, result.evidence["watched"]) == ("done", proof, watched)
        assert result.message.endswith(" — " + "; ".join(one.sentence() for one in seen))
        (target,) = begun[0]
        assert (target.probe.kind, target.neighbor, len(begun), stopped) == ("bird", LOCAL, 1, [True])
        told = result.evidence["routers"]
        assert told[0]["longestPauseSeconds"] == 0.123
        if len(told) > 1:
            last = seen[-1]
            assert (told[1]["gone"], told[1]["unanswered"]) == (last.gone, last.unanswered)
            assert told[1]["longestGapSeconds"] == (0.235 if last.longest_gap else 0.0)


def test_the_watch_ends_with_a_run_that_is_refused(rig: Rig, command: Command) -> None:
    """Nothing was begun: there is nothing to stop, and nothing is written."""
    before = rig.node
    _, result = run(rig, "go", expected=600.0, probes=("",))
    assert (result.status, result.exit_code) == ("blocked", 3)
    assert result.message == "192.0.2.1 keeps the routes for 120 s, and a restart may take 600 s"
    assert result.evidence == {"watched": False, "routers": []}
    assert (rig.node, rig.lease(), command.asked) == (before, None, [])
    _, lifted = run(rig, "go", expected=600.0, allow_route_loss=True)
    assert lifted.status == "done"


def test_a_command_is_not_run_again_however_long_the_new_speaker_takes(
    rig: Rig, agent: Speaker, command: Command
) -> None:
    def slow() -> None:
        agent.report()
        if rig.clock.at > EPOCH + 40.0 and agent.started < EPOCH:
            agent.restart()

    command.does = lambda: None
    rig.clock.meanwhile = slow
    _, result = run(rig, "go")
    assert (result.status, len(command.asked)) == ("done", 1)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (
            FileNotFoundError(2, "No such file"),
            "failed",
            "the restart command go cannot be run: No such file",
        ),
        (
            subprocess.TimeoutExpired("go", 1.0),
            "deadline",
            "time is up at Restarted: go did not end, and was killed",
        ),
    ],
)
def test_a_command_that_does_not_come_to_an_end(
    rig: Rig, command: Command, error: Exception, status: str, message: str
) -> None:
    def fail() -> None:
        raise error

    command.does = fail
    _, result = run(rig, "go")
    assert (result.status, result.message) == (status, message)


def test_a_usage_error_after_the_first_change_is_none(rig: Rig, command: Command) -> None:
    """Exit code 2 says that nothing was changed."""

    def fail() -> None:
        raise UsageError("the credential is not accepted")

    command.does = fail
    _, result = run(rig, "go")
    assert (result.status, result.message) == ("blocked", "the credential is not accepted")
    with pytest.raises(UsageError):
        told_usage = restart.restart(rig.client(), RestartOptions("worker-9", ("go",)))
        next(iter(told_usage))
        next(told_usage)


def test_the_routers_are_watched_once(rig: Rig, agent: Speaker) -> None:
    """A step that is decided again asks for it again."""
    routers = Routers((Probe(),))
    inner = worlds.build(rig.client(), NODE, "run", timeout=9.0, routers=routers)
    hands = restart.Restarter(inner)
    assert inner.perform(WatchRouters()) is False, "nobody has told the node's address yet"
    assert hands.watch is None
    inner.observe(frozenset({"routers"}))
    assert inner.perform(WatchRouters()) is True
    watch = hands.watch
    assert inner.perform(WatchRouters()) is True
    assert hands.watch is watch is not None
    hands.rest()
    assert [(gaps.looks, gaps.routes) for gaps in hands.gaps] == [(1, 6)]
    hands.rest()
    assert len(hands.gaps) == 1, "twice is harmless"


def test_time_is_up(rig: Rig, command: Command) -> None:
    command.does = lambda: None
    _, result = run(rig, "go", timeout=20.0)
    assert (result.status, result.exit_code) == ("deadline", 4)
    assert result.message == "time is up at Restarted: waiting for the new speaker to report"
    assert f"bgpctl speaker restart {NODE}" in result.hint


def test_a_second_run_stands_back_or_takes_over(rig: Rig, agent: Speaker, command: Command) -> None:
    """The first is killed while it waits; its command had been run."""
    options = RestartOptions(NODE, ("go",))
    command.does = lambda: None
    first = restart.restart(rig.client(), options)
    second_writer.until(first, "Restarted", "waiting")
    holder = str(rig.lease()["spec"]["holderIdentity"])  # type: ignore[index]
    agent.restart()
    events, result = run(rig, "go", take_over=True)
    assert result.status == "done"
    assert told(events)[0] == f"step Claimed acting: take the node over from {holder}"
    assert len(command.asked) == 1, "the speaker is another already"


def test_a_restart_is_planned_and_nothing_is_written(rig: Rig, agent: Speaker, command: Command) -> None:
    client, before = rig.client(), rig.node
    events: list[Event] = []
    going = restart.plan(client, RestartOptions(NODE, ("go",)))
    try:
        while True:
            events.append(next(going))
    except StopIteration as end:
        result = end.value
    assert (client.writes(), rig.node, command.asked) == ([], before, [])
    assert (result.command, result.status) == ("speaker restart", "planned")
    assert [(event.step, event.text) for event in events][1:] == [
        ("Graceful", KEPT),
        ("Restarted", "run go"),
        ("Established", "until every session is Established"),
        ("Announced", "until every route is sent (no router is asked)"),
        ("Released", "remove the journal, and give the node's Lease back"),
    ]


def test_a_restart_that_would_be_refused_is_planned_as_that(rig: Rig, agent: Speaker) -> None:
    rig.clock.meanwhile = lambda: None
    going = restart.plan(rig.client(), RestartOptions(NODE, ("go",), expected=9999.0))
    try:
        while True:
            next(going)
    except StopIteration as end:
        assert (end.value.status, end.value.exit_code) == ("blocked", 3)


def test_a_restart_of_a_node_whose_drain_was_done_says_when_it_was_safe(rig: Rig) -> None:
    finish(rig.drain())
    _, result = run(rig, "go")
    assert result.status == "blocked"
    told = result.hint.splitlines()
    assert told[0].startswith(f"{NODE} was out of service and safe to power off when its drain was done, at")
    assert told[1] == f"to see whether it still is: bgpctl node status {NODE}"
    assert node_reports(rig.admin, (NODE,))[0].service == "drained"


def test_one_router_of_two_is_not_the_word_of_both(rig: Rig, agent: Speaker, command: Command) -> None:
    """What the other one lost meanwhile nobody saw: `speaker upgrade` called it confirmed (issue 7)."""

    def report() -> None:
        now = rig.clock.at
        both = tuple(
            peer(now, address, advertised={IPV4: 6}, local_address=LOCAL) for address in (ROUTER, "192.0.2.2")
        )
        state = replace(speaker(now, "", None), started_at=agent.started, uid=agent.uid, peers=both)
        rig.publish(state)

    report()
    rig.clock.meanwhile = report
    _, result = run(rig, "go", probes=(ROUTER,))
    assert (result.status, result.proof, result.evidence["watched"]) == ("done", "", False)
    assert result.message.endswith("; nobody watched 192.0.2.2, which no probe asks")


def test_another_router_than_the_peer_is_not_watched_for_it(
    rig: Rig, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stranger(Probe):
        def routes_from(self, neighbor: str) -> RouterAnswer:
            return replace(super().routes_from(neighbor), session="established", local="192.0.2.99")

    monkeypatch.setattr(restart, "parse_probe", lambda text: Stranger())
    _, result = run(rig, "go", probes=("",))
    assert (result.status, result.proof, result.evidence["watched"]) == ("done", "", False)

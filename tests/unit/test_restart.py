"""A speaker's restart: when it may be done, how it is found to have happened, what the routers saw."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.drain.lever import Lever
from bgpctl.core.drain.restart import kept, refusals
from bgpctl.core.model import IPV4, IPV6, Family, GracefulRestart
from bgpctl.core.state import NodeState
from bgpctl.runbooks.actions import ChangeNode, EvictPod, ReleaseLease, RestartCommand, WatchRouters
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.runbooks.restart_steps import ASKED, BEFORE, ClaimedForRestart, Concluded, Graceful, Restarted
from bgpctl.runbooks.restore_steps import Announced, Established
from bgpctl.runbooks.router_watch import Gaps, RouterWatch
from bgpctl.runbooks.routers import Target
from bgpctl.witness.model import Path, RouterAnswer, RouteState
from tests.support.snapshots import ME, NOW, ROUTER, ROUTER_2, journal, judged, peer, pod, running, snapshot
from tests.support.wait import eventually

LONG = GracefulRestart(120, families=((IPV4, True),))
GOOD = running(peer(local_gr=LONG, peer_gr=LONG, advertised={IPV4: 2}))
STARTED = round(GOOD.started_at, 3)
AGENT = pod("agent-1", controller_kind="DaemonSet", controller_name="agent")


def restarting(**changes: Any) -> Journal:
    fresh = journal(command="restart", order="", deselect=None, prior_labels={}, marks={BEFORE: STARTED})
    return replace(fresh, **changes)


# --- may it be done? --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "expected", "words"),
    [
        (GOOD, 30.0, ""),
        (GOOD, 120.0, ""),
        (GOOD, 120.5, "192.0.2.1 keeps the routes for 120 s, and a restart may take 120.5 s"),
        (None, 30.0, "no speaker reports for this node"),
        (replace(GOOD, heartbeat=NOW - 1000), 30.0, "its speaker has not reported for 1000 s"),
        (replace(GOOD, phase="Starting"), 30.0, "its speaker is Starting, not Running"),
        (running(peer(up=False)), 30.0, "the session to 192.0.2.1 is active"),
        (running(peer(peer_gr=None)), 30.0, "not negotiated with 192.0.2.1 (the router does not offer it)"),
        (running(peer(local_gr=None)), 30.0, "not negotiated with 192.0.2.1 (the policy does not offer it)"),
        (
            running(peer(local_gr=LONG, advertised={IPV4: 1, IPV6: 3})),
            30.0,
            "graceful restart with 192.0.2.1 does not cover ipv6/unicast",
        ),
        (running(peer(local_gr=LONG, advertised={IPV4: 1, IPV6: 0})), 30.0, ""),
    ],
)
def test_refusals(state: NodeState | None, expected: float, words: str) -> None:
    found = "; ".join(refusals(state, NOW, expected))
    assert words in found and bool(words) == bool(found)


@pytest.mark.parametrize("mode", ["detached", "external"])
def test_an_engine_that_stays_needs_no_graceful_restart(mode: str) -> None:
    """Its sessions are not touched, unless it ends with the pod that is deleted."""
    state = replace(running(peer(peer_gr=None), peer(ROUTER_2, up=False)), engine_mode=mode)
    assert refusals(state, NOW, 3600, pod=False) == ()
    assert kept(state, pod=False) == f"its engine ({mode}) stays: no session is touched"
    assert len(refusals(state, NOW, 30, pod=True)) == 2
    assert "has not reported" in refusals(replace(state, heartbeat=NOW - 1000), NOW, 30, pod=False)[0]
    for other in ("own", ""):
        assert len(refusals(replace(state, engine_mode=other), NOW, 30, pod=False)) == 2


def test_the_step_knows_how_it_is_restarted() -> None:
    state = replace(running(peer(peer_gr=None)), engine_mode="detached")
    decision = Graceful("run", 30, BY_COMMAND).decide(snapshot(state=state))
    assert decision.status is Status.ACT and "no session is touched" in decision.reason
    decision = Graceful("run", 30, BY_POD).decide(snapshot(state=state, pods=judged(AGENT)))
    assert decision.status is Status.BLOCKED


def test_every_peer_has_its_own_reason() -> None:
    state = running(peer(peer_gr=None), peer(ROUTER_2, up=False))
    assert len(refusals(state, NOW, 30)) == 2


def test_the_shortest_time_counts() -> None:
    state = running(peer(), peer(ROUTER_2, local_gr=GracefulRestart(60)))
    assert kept(state) == "2 peers keep the routes for 60 s"
    assert "nothing to lose" in kept(replace(GOOD, peers=()))


# --- the steps --------------------------------------------------------------------------------------------


def kinds(decision: Decision) -> list[type]:
    return [type(action) for action in decision.actions]


@pytest.mark.parametrize("command", ["drain", "restore"])
def test_a_drain_is_not_undone_by_a_restart(command: str) -> None:
    decision = ClaimedForRestart("run").decide(snapshot(journal=journal(command=command)))
    assert decision.status is Status.BLOCKED and f"{command} run-a has the node" in decision.reason
    assert not decision.actions


def test_a_killed_restart_is_gone_on_with() -> None:
    decision = ClaimedForRestart("run").decide(snapshot(journal=restarting()))
    assert decision.status is Status.DONE


BY_COMMAND, BY_POD = Restarted(("restart",)), Restarted(namespace="default")


def test_what_would_lose_routes_is_blocked_before_anything_is_written() -> None:
    bad = snapshot(state=running(peer(peer_gr=None)))
    decision = Graceful("run", 30, BY_COMMAND).decide(bad)
    assert decision.status is Status.BLOCKED and not decision.actions
    assert "--allow-route-loss" in decision.hint
    lifted = Graceful("run", 30, BY_COMMAND, allow_loss=True).decide(bad)
    assert lifted.status is Status.ACT and "routes may be lost" in lifted.reason


def test_nothing_lifts_a_speaker_that_is_not_there() -> None:
    decision = Graceful("run", 30, BY_COMMAND, allow_loss=True).decide(snapshot())
    assert decision.status is Status.BLOCKED and "--allow" not in decision.hint


def test_the_journal_keeps_what_must_be_known_afterwards() -> None:
    state = running(peer(), peer(ROUTER_2, up=False), announced=2)
    (write,) = Graceful("run", 30, BY_COMMAND, True).decide(snapshot(state=state)).actions
    made = write.journal
    assert (made.command, made.holder, made.peers, made.routes) == ("restart", ME, (ROUTER,), 2)
    assert made.marks == {BEFORE: round(state.started_at, 3)}


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ((), "found: none"),
        ((AGENT, replace(AGENT, name="agent-2", uid="b")), "found: default/agent-1, default/agent-2"),
        ((replace(AGENT, namespace="other"),), "found: none"),
        ((replace(AGENT, controller_kind=""),), "has no controller"),
    ],
)
def test_a_pod_that_cannot_be_found_blocks_before_anything_is_written(pods: Any, words: str) -> None:
    decision = Graceful("run", 30, BY_POD).decide(snapshot(state=GOOD, pods=judged(*pods)))
    assert decision.status is Status.BLOCKED and words in decision.reason and not decision.actions


def test_by_pod() -> None:
    seen = snapshot(state=GOOD, journal=restarting(), pods=judged(AGENT))
    decision = BY_POD.decide(seen)
    assert kinds(decision) == [ChangeNode, WatchRouters, EvictPod], "the routers are watched before it goes"
    noted = decision.actions[0].journal
    assert decision.actions[2].delete and decision.actions[2].pod.uid == noted.evidence["pod"] == AGENT.uid
    again = replace(seen, journal=noted)
    assert kinds(BY_POD.decide(again)) == [ChangeNode, WatchRouters, EvictPod], "killed before the deletion"
    ending = replace(again, pods=judged(replace(AGENT, deletion_timestamp=NOW + 5)))
    fresh = replace(again, pods=judged(replace(AGENT, uid="new")))
    for later in (ending, fresh):
        decision = BY_POD.decide(later)
        assert decision.status is Status.WAIT and not decision.actions, "it is not deleted twice"


def test_by_command() -> None:
    seen = snapshot(state=GOOD, journal=restarting())
    assert kinds(BY_COMMAND.decide(seen)) == [ChangeNode, WatchRouters, RestartCommand]
    ran = replace(seen, journal=restarting(marks={BEFORE: STARTED, ASKED: NOW}), command_exit=0)
    assert BY_COMMAND.decide(ran).status is Status.WAIT
    resumed = replace(ran, command_exit=None)
    assert BY_COMMAND.decide(resumed).status is Status.WAIT, "it may be restarting right now"
    assert BY_COMMAND.decide(replace(resumed, now=NOW + 60)).status is Status.ACT


def test_it_is_done_when_another_speaker_reports() -> None:
    again = replace(GOOD, started_at=NOW + 2.5, phase="Starting")
    seen = snapshot(state=again, journal=restarting(marks={BEFORE: STARTED, ASKED: NOW}))
    decision = BY_POD.decide(seen)
    assert decision.status is Status.DONE and "2.5 s after it was asked to" in decision.reason


def test_a_peer_that_was_down_before_holds_nothing_up() -> None:
    state = running(peer(), peer(ROUTER_2, up=False))
    seen = snapshot(state=state, journal=restarting(), lever=Lever(("rack",)))
    assert Established(restart=True).decide(seen).status is Status.DONE
    assert Announced(restart=True).decide(seen).status is Status.DONE
    both = replace(seen, journal=restarting(peers=(ROUTER, ROUTER_2)))
    assert Established(restart=True).decide(both).status is Status.WAIT
    assert Announced(restart=True).decide(both).status is Status.WAIT


def test_the_node_is_let_go_of_in_the_end() -> None:
    with_journal = Concluded().decide(snapshot(journal=restarting()))
    assert with_journal.actions[0].forget and with_journal.actions[0].unschedulable is None
    assert kinds(Concluded().decide(snapshot())) == [ReleaseLease]
    assert Concluded().decide(snapshot(holds_lease=False)).status is Status.DONE


# --- the watch --------------------------------------------------------------------------------------------

A, B = ip_network("192.0.2.1/32"), ip_network("192.0.2.2/32")


def gaps(*looks: tuple[float, set[Any] | None]) -> Gaps:
    found = Gaps("bird x")
    for at, prefixes in looks:
        found.look(at, prefixes)
    return found


def test_no_gap() -> None:
    seen = gaps((0.0, {A, B}), (0.1, {A, B}), (0.4, {A, B}))
    assert (seen.longest_gap, seen.gone, seen.routes) == (0.0, 0, 2)
    assert seen.sentence() == "no gap seen in 3 looks at bird x, at most 0.30 s apart"


def test_a_gap_is_as_long_as_it_can_have_been() -> None:
    seen = gaps((0.0, {A, B}), (0.1, {A}), (0.2, {A}), (0.3, {A, B}), (0.4, {B}), (0.5, {A, B}))
    assert seen.longest_gap == pytest.approx(0.3)
    assert "away for up to 0.30 s" in seen.sentence()


def test_a_route_that_does_not_come_back() -> None:
    assert "1 of 2 routes left and did not come back" in gaps((0.0, {A, B}), (0.1, {A})).sentence()


def test_a_router_that_does_not_answer_proves_nothing() -> None:
    assert gaps((0.0, None)).sentence() == "bird x was not watched: it never answered"
    seen = gaps((0.0, {A}), (0.1, None), (0.9, {A}))
    assert "at most 0.90 s apart (1 more without an answer)" in seen.sentence()


def test_a_router_that_had_nothing_proves_nothing() -> None:
    assert "nothing to see" in gaps((0.0, set()), (0.1, {A})).sentence()


class Router:
    """A probe whose answers are chosen by the test."""

    kind, target, peer = "bird", "socket", ROUTER

    def __init__(self) -> None:
        self.has: set[Any] = {A}
        self.asked = 0

    def routes_from(self, neighbor: str) -> RouterAnswer:
        self.asked += 1
        routes = RouteState.STALE if self.has else RouteState.ABSENT
        return RouterAnswer("bird", neighbor, routes, tuple(Path(p, neighbor, stale=True) for p in self.has))


def test_the_watch_would_have_seen_a_gap() -> None:
    router = Router()
    router_watch = RouterWatch([Target(router, (ROUTER, 179), "10.0.0.1")], interval=0.005)
    router_watch.start()
    for has in (set(), {A}):
        router.has = has
        before = router.asked
        eventually(lambda now=before: router.asked > now + 1)  # type: ignore[misc]
    (seen,) = router_watch.stop()
    assert seen.looks == router.asked, "it ends with stop"
    assert seen.longest_gap > 0 and seen.gone == 0


def test_a_session_that_is_down_is_the_only_reason_against_it() -> None:
    found = refusals(running(peer(up=False, local_gr=None, peer_gr=None)), NOW, 9999.0)
    assert found == ("the session to 192.0.2.1 is active: whether it keeps routes is not known",)


def test_families_that_are_not_covered_are_listed_in_order() -> None:
    families = [Family(afi, safi) for afi in ("ipv4", "ipv6") for safi in ("a", "b", "c")]
    carried = dict.fromkeys(reversed(families), 1)
    (found,) = refusals(running(peer(local_gr=LONG, advertised=carried)), NOW, 30.0)
    assert found.endswith(f"does not cover {', '.join(map(str, families))}")
    silent = GracefulRestart(120)  # an older speaker that did not say which
    assert refusals(running(peer(local_gr=silent, advertised=carried)), NOW, 30.0) == ()


@pytest.mark.parametrize(
    ("peers", "sentence"),
    [
        ((peer(),), "1 peer keeps the routes for 120 s"),
        ((peer(), peer(ROUTER_2, local_gr=None)), "1 peer keeps the routes for 120 s"),
    ],
)
def test_who_keeps_the_routes(peers: Any, sentence: str) -> None:
    assert kept(replace(GOOD, peers=peers)) == sentence

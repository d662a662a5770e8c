"""The loop, tick by tick, between a source and an engine in memory."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.diff import Action, Announce, Leave
from bgpctl.core.policy.annotations import GRACEFUL_SHUTDOWN_SOAK
from bgpctl.core.state import UNPROVED, NodeState
from bgpctl.core.state_document import from_document, to_document
from bgpctl.core.timing.soak import GRACEFUL_SHUTDOWN
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.ports import Mode
from bgpctl.speaker import intending
from bgpctl.speaker import manager as module
from bgpctl.speaker.manager import IDLE_SECONDS, RETRY_SECONDS
from bgpctl.speaker.readiness import Readiness
from tests.support import objects
from tests.support.rig import AWAY, TWO, A, B, Clock, Rig, world


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module.time, "monotonic", made)
    return made


@pytest.fixture
def rig(clock: Clock) -> Rig:
    made = Rig(world(objects.service("web", "192.0.2.80")))
    made.engine.established = {A, B}
    made.tick()
    clock.now += 1
    return made


# --- running ----------------------------------------------------------------------------------------------


def test_the_first_tick_starts_the_engine_and_announces_everything_before_end_of_rib(rig: Rig) -> None:
    assert rig.engine.observed().running
    assert rig.did()[0] == "Configure" and rig.did()[-1] == "Synced"
    assert set(rig.did()[1:-1]) == {"Announce"}
    assert rig.state.phase == "Running"
    assert (rig.state.announced, rig.state.intended, rig.state.established) == (6, 6, 2)
    assert rig.state.selected_by == "policy"
    assert rig.state.problems == ()


def test_nothing_changed_nothing_done(rig: Rig) -> None:
    assert rig.tick() == IDLE_SECONDS
    assert rig.did() == []


def test_not_ready_is_starting_and_touches_nothing() -> None:
    rig = Rig(None)
    rig.source.sentences = ("the API server is away",)
    assert rig.tick() == RETRY_SECONDS
    assert rig.did() == [] and not rig.engine.observed().running
    assert rig.published[-1].phase == "Starting"
    assert rig.published[-1].problems == ("the API server is away",)


def test_what_the_source_cannot_read_is_in_the_state(rig: Rig) -> None:
    rig.source.sentences = ("403", "403", "gone")
    rig.tick()
    assert rig.state.problems == ("403", "gone")
    rig.source.sentences = ()
    rig.tick()
    assert rig.state.problems == ()


def test_withdrawals_go_at_once_and_announcements_together(rig: Rig, clock: Clock) -> None:
    web, new = objects.service("web", "192.0.2.80"), objects.service("new", "192.0.2.81")
    late = objects.service("late", "192.0.2.82")
    assert rig.tick(world(web, new)) == IDLE_SECONDS  # the first one after a pause
    clock.now += 0.03
    wait = rig.tick(world(new, late))
    assert rig.did() == ["Withdraw", "Withdraw"]
    assert wait == pytest.approx(0.07)
    clock.now += 0.05
    assert rig.tick() == pytest.approx(0.02)
    assert rig.did() == []
    clock.now += 0.021
    rig.tick()
    assert rig.did() == ["Announce", "Announce"]


def test_a_steady_stream_of_changes_cannot_hold_announcements_back(rig: Rig, clock: Clock) -> None:
    services = [objects.service("web", "192.0.2.80")]
    begun, waited = clock.now, []
    for number in range(1, 40):
        services.append(objects.service(f"s{number}", f"192.0.2.{100 + number}"))
        rig.tick(world(*services))
        if rig.did():
            waited.append(clock.now)
        clock.now += 0.01
    assert all(b - a <= 0.111 for a, b in zip([begun, *waited], waited, strict=False))


def test_one_line_when_something_changed(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rig.tick()
    assert caplog.messages == []
    rig.tick(world())
    assert caplog.messages == ["speaker.reconciled"]
    assert "4/4 routes announced, 2/2 peers established" in caplog.records[0].summary  # type: ignore[attr-defined]


# --- leaving ----------------------------------------------------------------------------------------------


def test_a_deselected_node_leaves_and_keeps_the_proof(rig: Rig) -> None:
    rig.tick(world(objects.service("web", "192.0.2.80"), labels=AWAY))
    assert rig.did() == ["Leave", "Configure"]
    leave = rig.engine.performed[0]
    assert isinstance(leave, Leave) and set(leave.peers) == {A, B}
    assert rig.phases() == ["Running", "Leaving", "Withdrawn"]
    assert not any(state.problems for state in rig.published)
    record = rig.state.withdrawn
    assert record is not None
    assert (record.routes, len(record.peers)) == (6, 2)
    assert (record.sent_at, record.closed_at) == (1000.0, 1001.0)
    assert all(peer.flushed and peer.state.session.established for peer in record.peers)
    assert (rig.state.selected_by, rig.state.peers, rig.state.announced) == ("", (), 0)


def test_a_router_that_does_not_read_is_not_called_withdrawn_from(rig: Rig) -> None:
    rig.engine.deaf, rig.engine.established = {B}, {A, B}
    rig.tick(world(labels=AWAY))
    assert rig.state.withdrawn is not None
    assert {p.state.name: p.flushed for p in rig.state.withdrawn.peers} == {A: True, B: False}


def test_a_peer_without_a_session_had_nothing_to_flush(rig: Rig) -> None:
    rig.engine.established = set()
    rig.tick(world(labels=AWAY))
    record = rig.state.withdrawn
    assert record is not None and record.sent_at >= record.observed_at
    assert not any(peer.flushed for peer in record.peers)


def test_a_peer_that_goes_is_left_without_a_record(rig: Rig) -> None:
    rig.tick(world(policy=objects.policy()))
    assert "Leave" in rig.did()
    assert rig.state.withdrawn is None
    assert rig.phases() == ["Running"]


def test_the_record_stays_after_re_selection_until_the_next_leave(rig: Rig) -> None:
    rig.tick(world(labels=AWAY))
    first = rig.state.withdrawn
    assert first is not None
    rig.tick(world(objects.service("web", "192.0.2.80")))
    assert (rig.state.phase, rig.state.withdrawn) == ("Running", first)
    rig.engine.clock = 2000.0
    rig.tick(world(labels=AWAY))
    assert rig.state.withdrawn is not None and rig.state.withdrawn.sent_at == 2000.0


def test_a_leave_that_fails_is_tried_again_and_proves_nothing_meanwhile(rig: Rig) -> None:
    rig.tick(world(labels=AWAY))
    rig.tick(world())

    def refuse(action: Action) -> None:
        if isinstance(action, Leave):
            raise Temporary("the engine did not answer `leave`")

    rig.engine.refuse = refuse
    assert rig.tick(world(labels=AWAY)) == RETRY_SECONDS
    assert (rig.state.phase, rig.state.withdrawn) == ("Leaving", None)
    assert "the engine did not answer `leave`" in rig.state.problems
    assert rig.did() == [], "removing a peer from the configuration would close its session silently"
    rig.engine.refuse = lambda action: None
    rig.tick()
    assert rig.state.phase == "Withdrawn" and rig.state.problems == ()


def test_a_node_deselected_while_the_engine_was_dead_has_not_withdrawn(rig: Rig) -> None:
    """Its routers may have kept the routes of the dead sessions: an older proof must not cover that."""
    rig.tick(world(labels=AWAY))
    rig.tick(world())
    rig.engine.die()
    rig.tick(world(labels=AWAY))
    assert (rig.state.phase, rig.state.withdrawn) == ("Idle", None)
    assert UNPROVED in rig.state.problems
    rig.tick(world())
    assert UNPROVED not in rig.state.problems


def test_a_leave_soaks_first(rig: Rig, clock: Clock) -> None:
    """Announced again with GRACEFUL_SHUTDOWN; then, and not before, it leaves as ever."""
    away = world(objects.service("web", "192.0.2.80"), labels=AWAY)
    away.node["metadata"]["annotations"] = {GRACEFUL_SHUTDOWN_SOAK: "3s"}  # type: ignore[index]
    assert rig.tick(away) == 3.0
    assert set(rig.did()) == {"Announce"}
    assert all(
        GRACEFUL_SHUTDOWN in action.attributes.communities
        for action in rig.engine.performed
        if isinstance(action, Announce)
    )
    assert (rig.state.phase, rig.state.announced, rig.state.selected_by) == ("Leaving", 6, "")
    assert rig.state.soak == 3.0 and rig.state.soak_until is not None and rig.state.withdrawn is None
    clock.now += 2.9
    assert 0 < rig.tick() <= 0.11 and rig.did() == []
    clock.now += 0.2
    rig.tick()
    assert rig.did() == ["Leave", "Configure"]
    assert (rig.state.phase, rig.state.soak_until) == ("Withdrawn", None)
    record = rig.state.withdrawn
    assert record is not None and record.shut_down_at is not None and record.routes == 6
    assert rig.tick() == IDLE_SECONDS and rig.did() == []


def test_a_node_that_is_selected_again_does_not_leave(rig: Rig, clock: Clock) -> None:
    away = world(objects.service("web", "192.0.2.80"), labels=AWAY)
    away.node["metadata"]["annotations"] = {GRACEFUL_SHUTDOWN_SOAK: "3s"}  # type: ignore[index]
    rig.tick(away)
    clock.now += 1
    rig.tick(world(objects.service("web", "192.0.2.80")))
    assert set(rig.did()) == {"Announce"}
    assert not any(
        GRACEFUL_SHUTDOWN in attributes.communities
        for table in rig.engine.observed().announced.values()
        for attributes in table.values()
    )
    assert rig.state.phase == "Running" and rig.state.withdrawn is None
    clock.now += 60
    assert rig.tick() == IDLE_SECONDS and rig.did() == []


def test_a_speaker_that_is_stopped_while_it_soaks_leaves(rig: Rig) -> None:
    away = world(objects.service("web", "192.0.2.80"), labels=AWAY)
    away.node["metadata"]["annotations"] = {GRACEFUL_SHUTDOWN_SOAK: "30s"}  # type: ignore[index]
    rig.engine.graceful = {A, B}
    rig.tick(away)
    rig.engine.performed.clear()
    rig.manager.stop()
    rig.manager.run()
    assert rig.did() == ["Leave"] and rig.state.phase == "Withdrawn"


def test_a_leave_soaks_for_nobody_when_every_session_is_down(rig: Rig) -> None:
    rig.engine.established = set()
    away = world(objects.service("web", "192.0.2.80"), labels=AWAY)
    away.node["metadata"]["annotations"] = {GRACEFUL_SHUTDOWN_SOAK: "3s"}  # type: ignore[index]
    rig.tick(away)
    assert rig.did() == ["Leave", "Configure"]


# --- over a restart ---------------------------------------------------------------------------------------


def restarted(rig: Rig, seen: ClusterObjects) -> Rig:
    """The next process: it knows what was published last, as it was on the wire."""
    wire = from_document(to_document(rig.manager.state))
    after = Rig(seen, recall=lambda: wire)
    after.tick()
    return after


@pytest.mark.parametrize("stopped", [False, True])
def test_the_record_outlives_the_process(rig: Rig, stopped: bool) -> None:
    rig.tick(world(labels=AWAY))
    if stopped:
        rig.manager._shut_down()
        assert rig.state.phase == "Stopped"
    after = restarted(rig, world(labels=AWAY))
    assert after.state.phase == "Withdrawn"
    assert after.state.withdrawn == from_document(to_document(rig.state)).withdrawn
    again = restarted(after, world(labels=AWAY))
    assert again.state.phase == "Withdrawn"


def test_a_node_deselected_while_no_speaker_ran_has_not_withdrawn(rig: Rig) -> None:
    rig.tick(world(labels=AWAY))
    rig.tick(world())
    after = restarted(rig, world(labels=AWAY))
    assert (after.state.phase, after.state.withdrawn) == ("Idle", None)
    assert UNPROVED in after.state.problems
    assert restarted(after, world(labels=AWAY)).state.phase == "Idle"


def test_the_owner_outlives_the_process(clock: Clock) -> None:
    """Another policy that selects the node too takes it neither now nor at the next start."""
    first, second = objects.policy(name="z"), objects.policy(name="a")
    rig = Rig(world(policy=first))
    rig.tick()
    both = replace(world(), policies=(first, second))
    after = restarted(rig, both)
    assert after.state.selected_by == "z"
    assert (after.state.engine_mode, after.state.selected_by_kind) == ("own", "CiliumBGPPeeringPolicy")
    half = Rig(None, recall=lambda: from_document(to_document(after.state)))
    half.tick()
    unreadable = restarted(half, replace(both, node=None))
    assert restarted(unreadable, both).state.selected_by == "z"
    assert Rig(both).manager._intending.owner == ("", "")
    fresh = Rig(both)
    fresh.tick()
    assert fresh.state.selected_by == "a"


def test_not_a_word_before_the_record_is_known() -> None:
    """Whatever is published replaces the whole status."""
    calls = []

    def recall() -> NodeState | None:
        calls.append(1)
        if len(calls) < 3:
            raise Temporary("the API server did not answer")
        return None

    rig = Rig(world(), recall)
    assert rig.tick() == RETRY_SECONDS and rig.published == []
    rig.tick()
    assert rig.published == []
    rig.tick()
    assert rig.state.phase == "Running"
    rig.tick()
    assert len(calls) == 3


def test_a_record_that_may_not_be_read_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def recall() -> NodeState | None:
        raise BgpctlError("forbidden")

    rig = Rig(world(), recall)
    rig.tick()
    assert rig.state.phase == "Running"
    assert "speaker.state_unreadable" in caplog.messages


def test_a_speaker_that_dies_twice_before_it_is_ready_remembers_its_policy(rig: Rig) -> None:
    wire = from_document(to_document(rig.state))
    half = Rig(None, recall=lambda: wire)
    half.tick()
    assert half.published[-1].phase == "Starting"
    after = restarted(half, world(labels=AWAY))
    assert after.state.phase == "Idle"


# --- the engine dies, or refuses --------------------------------------------------------------------------


def test_a_new_engine_gets_everything_again(rig: Rig) -> None:
    rig.engine.die()
    rig.tick()
    assert rig.did()[0] == "Configure" and rig.did()[-1] == "Synced"
    assert (rig.state.announced, rig.state.engine_restarts, rig.state.phase) == (6, 1, "Running")


def test_an_engine_that_does_not_start_is_waited_for(rig: Rig) -> None:
    rig.engine.die()
    rig.engine.refuse_start = Temporary("it is started again shortly", retry_after=3.0)
    assert rig.tick() == 3.0
    assert rig.state.phase == "Starting"
    assert rig.state.problems == ("it is started again shortly",)
    rig.engine.refuse_start = None
    rig.tick()
    assert (rig.state.phase, rig.state.problems) == ("Running", ())


def refuse_announcements_to(peer: str) -> Any:
    def refuse(action: Action) -> None:
        if isinstance(action, Announce) and action.peer == peer:
            raise Temporary(f"refused for {peer}")

    return refuse


def test_one_failure_costs_its_peer_only_and_is_told_once(
    caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    rig = Rig(world())
    rig.engine.refuse = refuse_announcements_to(A)
    assert rig.tick() == RETRY_SECONDS
    assert rig.engine.observed().synced == {B}, "no End-of-RIB to a peer whose routes are not out"
    assert {p.name: p.announced for p in rig.state.peers} == {A: 0, B: 2}
    assert (rig.state.phase, rig.state.problems) == ("Starting", (f"refused for {A}",))
    for _ in range(3):
        clock.now += 1
        rig.tick()
    assert [r.getMessage() for r in caplog.records].count("speaker.problem") == 1
    assert rig.manager.counters.reconcile_errors == 4
    rig.engine.refuse = lambda action: None
    clock.now += 1
    rig.tick()
    assert (rig.state.phase, rig.state.problems, rig.state.announced) == ("Running", (), 4)


def test_withdrawals_do_not_wait_for_an_announcement_that_fails(rig: Rig) -> None:
    rig.engine.refuse = refuse_announcements_to(A)
    rig.tick(world(objects.service("new", "192.0.2.99")))
    assert rig.did().count("Withdraw") == 2
    assert ip_network("192.0.2.99/32") in rig.engine.observed().announced[B]


def test_a_bug_keeps_what_runs_and_is_told_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("s3cret value")

    monkeypatch.setattr(intending, "compile_intent", broken)
    for _ in range(3):
        assert rig.tick() == IDLE_SECONDS
    assert rig.did() == []
    assert rig.state.announced == 6 and rig.state.phase == "Running"
    assert rig.state.problems == ("bug: KeyError, see the speaker's log",)
    assert caplog.messages.count("speaker.bug") == 1


# --- bad input --------------------------------------------------------------------------------------------


def test_an_invalid_policy_keeps_the_last_good_form(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    bad = {**TWO, "spec": {**TWO["spec"], "virtualRouters": [{"localASN": "x"}]}}
    for _ in range(3):
        rig.tick(world(objects.service("web", "192.0.2.80"), policy=bad))
    assert rig.did() == []
    assert rig.state.announced == 6
    assert "CiliumBGPPeeringPolicy policy is invalid" in rig.state.policy_problem
    assert rig.state.policy_problem.endswith("its last good form stays in force")
    told = [r.problem for r in caplog.records if r.getMessage() == "speaker.problem"]  # type: ignore[attr-defined]
    assert len(told) == len(set(told)) and any("is invalid" in line for line in told)
    rig.tick(world(objects.service("web", "192.0.2.80")))
    assert rig.state.policy_problem == ""


def test_a_policy_that_never_was_valid_announces_nothing() -> None:
    bad = {**TWO, "spec": {**TWO["spec"], "virtualRouters": [{"localASN": "x"}]}}
    rig = Rig(world(policy=bad))
    rig.tick()
    assert rig.state.policy_problem.endswith("nothing is announced")
    assert rig.state.peers == ()


def test_a_node_that_cannot_be_read_is_no_reason_to_leave(rig: Rig) -> None:
    seen = world(objects.service("web", "192.0.2.80"))
    rig.tick(replace(seen, node=None))
    assert rig.did() == []
    assert (rig.state.phase, rig.state.policy_problem) == ("Running", "")
    assert any("was not found" in problem for problem in rig.state.problems)


def test_a_node_that_no_policy_selects_is_idle() -> None:
    rig = Rig(world(labels=AWAY))
    rig.tick()
    assert (rig.state.phase, rig.state.problems) == ("Idle", ())
    assert rig.state.absent == {"notSelected": 2}


# --- stopping ---------------------------------------------------------------------------------------------


def run_and_stop(rig: Rig) -> list[Action]:
    thread = threading.Thread(target=rig.manager.run)
    thread.start()
    rig.manager.stop()
    thread.join(5)
    assert not thread.is_alive()
    return [action for action in rig.engine.performed if isinstance(action, Leave)]


def test_a_stop_is_silent_to_peers_that_keep_forwarding(rig: Rig) -> None:
    rig.engine.graceful = {A, B}
    rig.engine.performed.clear()
    assert run_and_stop(rig) == []
    assert rig.engine.stopped == [True]
    assert (rig.state.phase, rig.state.peers, rig.state.selected_by) == ("Stopped", (), "policy")


def test_a_stop_leaves_the_peers_that_would_not(rig: Rig) -> None:
    rig.engine.graceful = {A}
    rig.engine.performed.clear()
    (leave,) = run_and_stop(rig)
    assert isinstance(leave, Leave) and leave.peers == (B,)
    assert rig.state.withdrawn is None, "a restart is no leave"
    assert rig.engine.stopped == [True]


def test_a_leave_that_fails_at_the_stop_does_not_leave_the_engine_behind(rig: Rig) -> None:
    rig.engine.refuse = lambda action: (_ for _ in ()).throw(Temporary("no answer"))
    run_and_stop(rig)
    assert rig.engine.stopped == [True]


def test_the_engine_is_stopped_whatever_ends_the_loop(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> float:
        raise MemoryError

    monkeypatch.setattr(rig.manager, "tick", broken)
    with pytest.raises(MemoryError):
        rig.manager.run()
    assert rig.engine.stopped == [True]


def changes(rig: Rig) -> tuple[int, int]:
    """How many announcements and withdrawals were measured so far."""
    measured = rig.manager.counters.changes
    return measured["announce"].count, measured["withdraw"].count


def test_a_change_is_measured_from_its_ring_to_the_engines_word(rig: Rig, clock: Clock) -> None:
    assert changes(rig) == (0, 0), "the first full set is no change"
    rig.bell.changed()
    clock.now += 0.03
    rig.tick(world(objects.service("web", "192.0.2.81")))
    assert rig.did() == ["Withdraw", "Withdraw", "Announce", "Announce"]
    measured = rig.manager.counters.changes
    assert changes(rig) == (1, 1)
    assert measured["announce"].total == measured["withdraw"].total == pytest.approx(0.03)


def test_the_oldest_of_several_changes_counts_while_announcements_are_held(rig: Rig, clock: Clock) -> None:
    rig.bell.changed()
    rig.tick(world(objects.service("web", "192.0.2.81")))
    assert changes(rig) == (1, 1)
    clock.now += 0.02
    rig.bell.changed()
    held = rig.tick(world(objects.service("web", "192.0.2.82")))
    assert held < IDLE_SECONDS and changes(rig) == (1, 2), "withdrawn at once, announced later"
    clock.now += held
    rig.bell.changed()
    rig.tick()
    assert changes(rig) == (2, 2)
    assert rig.manager.counters.changes["announce"].total == pytest.approx(held)


def test_what_no_change_caused_is_not_measured(rig: Rig) -> None:
    rig.engine.die()
    rig.bell.set()
    rig.tick()
    assert "Announce" in rig.did() and changes(rig) == (0, 0)


def test_a_change_that_needs_no_update_is_forgotten(rig: Rig, clock: Clock) -> None:
    rig.bell.changed()
    rig.tick()
    clock.now += 60
    rig.tick(world(objects.service("web", "192.0.2.81")))
    assert changes(rig) == (0, 0)


def test_a_change_that_the_engine_refuses_counts_until_it_is_through(rig: Rig, clock: Clock) -> None:
    def refuse(action: Action) -> None:
        if isinstance(action, Announce):
            raise Temporary("busy")

    rig.engine.refuse = refuse
    rig.bell.changed()
    rig.tick(world(objects.service("web", "192.0.2.81")))
    assert changes(rig) == (0, 1)
    rig.engine.refuse = lambda action: None
    clock.now += 5
    rig.tick()
    assert changes(rig) == (1, 1)
    assert rig.manager.counters.changes["announce"].total == pytest.approx(5)


def test_the_bell_wakes_the_loop() -> None:
    rig = Rig(world(labels=AWAY))
    rig.engine.established = {A, B}
    thread = threading.Thread(target=rig.manager.run)
    woken = threading.Event()
    rig.manager._reporting._publish = lambda state: woken.set() if state.phase == "Running" else None
    thread.start()
    rig.source.objects = world()
    rig.bell.set()
    assert woken.wait(5), "the next tick without a bell is 15 s away"
    rig.manager.stop()
    thread.join(5)
    assert not thread.is_alive()


# --- an engine that outlives its manager ------------------------------------------------------------------


def outlived(rig: Rig) -> Rig:
    """A new manager, and the engine of `rig` that nobody manages."""
    after = Rig(None)
    after.engine.mode = Mode.DETACHED
    after.engine.outlived = rig.engine.observed()
    after.engine.established = {A, B}
    return after


def test_an_engine_is_adopted_before_anything_is_known_and_nothing_is_changed_by_that(rig: Rig) -> None:
    after = outlived(rig)
    after.tick()
    assert after.did() == []
    assert (after.state.phase, after.state.established) == ("Starting", 2)
    assert [(peer.intended, peer.announced) for peer in after.state.peers] == [(3, 3), (3, 3)]
    assert after.tick(rig.source.objects) == IDLE_SECONDS
    assert after.did() == []
    assert after.state.phase == "Running"


def test_only_the_difference_is_made_up(rig: Rig, clock: Clock) -> None:
    after = outlived(rig)
    after.tick()
    clock.now += 1
    after.tick(world(objects.service("new", "192.0.2.81")))
    assert after.did() == ["Withdraw", "Withdraw", "Announce", "Announce"]


def test_a_node_that_was_deselected_meanwhile_leaves(rig: Rig) -> None:
    after = outlived(rig)
    after.tick(world(labels=AWAY))
    assert next(a for a in after.engine.performed if isinstance(a, Leave)).peers == (A, B)
    assert after.state.phase == "Withdrawn"
    assert after.manager.withdrawn is not None and after.manager.withdrawn.routes == 6


@pytest.mark.parametrize("unreadable", ["policy", "node"])
def test_who_cannot_tell_what_should_run_keeps_what_runs(rig: Rig, unreadable: str) -> None:
    after, good = outlived(rig), rig.source.objects
    assert good is not None
    bad = objects.policy(objects.router(objects.neighbor(), objects.neighbor()))
    seen = replace(good, policies=(bad,)) if unreadable == "policy" else replace(good, node=None)
    for _ in range(2):
        assert after.tick(seen) == RETRY_SECONDS
        assert after.did() == []
    assert intending.KEPT in after.state.problems[-1]
    assert after.state.established == 2
    after.tick(good)
    assert after.did() == [] and after.state.problems == ()


def test_an_engine_that_cannot_be_adopted_is_told(rig: Rig) -> None:
    after = outlived(rig)
    after.engine.refuse_start = Temporary("another speaker (process 7) manages the BGP engine")
    assert after.tick() == RETRY_SECONDS
    assert after.state.problems == ("another speaker (process 7) manages the BGP engine",)


def test_the_end_of_the_manager_leaves_it_alone(rig: Rig) -> None:
    after = outlived(rig)
    after.tick(rig.source.objects)
    after.engine.performed.clear()
    after.manager.stop()
    after.manager.run()
    assert after.engine.released and after.engine.stopped == []
    assert after.did() == []
    assert (after.state.phase, after.state.established) == ("Running", 2)


# --- a stop because the node goes away --------------------------------------------------------------------


def taken_down(seen: ClusterObjects) -> ClusterObjects:
    node = dict(seen.node or {})
    ready = {"type": "Ready", "status": "False", "message": "node is shutting down"}
    return replace(seen, node={**node, "status": {**node["status"], "conditions": [ready]}})


def test_a_stop_with_a_node_that_goes_away_leaves_every_peer_and_keeps_the_proof(rig: Rig) -> None:
    rig.engine.graceful = {A, B}
    rig.source.objects = taken_down(world())
    (leave,) = run_and_stop(rig)
    assert isinstance(leave, Leave) and leave.peers == (A, B)
    assert leave.reason == "node leaves service: the kubelet shuts the node down (bgpctl)"
    assert rig.engine.stopped == [True]
    assert rig.phases()[-1] == "Leaving", "told before, because a router that reads slowly takes seconds"
    state = rig.state
    assert (state.phase, state.announced, state.peers, state.intended) == ("Withdrawn", 0, (), 0)
    assert state.withdrawn is not None and state.withdrawn.reason == leave.reason


def test_after_such_a_stop_the_proof_stands_and_the_next_start_is_a_return(rig: Rig) -> None:
    rig.source.objects = taken_down(world())
    run_and_stop(rig)
    gone = restarted(rig, world(labels=AWAY))
    assert gone.state.phase == "Withdrawn" and gone.state.withdrawn is not None
    assert UNPROVED not in gone.state.problems
    back = restarted(rig, taken_down(world()))
    assert back.state.announced == 0 and back.state.absent == {"nodeNotReady": 2}


def test_a_leave_at_the_stop_that_fails_proves_nothing(rig: Rig) -> None:
    rig.tick(world(labels=AWAY))
    rig.tick(world())
    rig.engine.refuse = lambda action: (_ for _ in ()).throw(Temporary("no answer"))
    rig.source.objects = taken_down(world())
    run_and_stop(rig)
    assert rig.engine.stopped == [True]
    assert (rig.state.phase, rig.state.withdrawn) == ("Stopped", None)


def test_the_node_object_that_is_gone_goes_on_until_the_stop(rig: Rig) -> None:
    good = rig.source.objects
    assert good is not None
    rig.tick(replace(good, node=None))
    assert rig.did() == [] and rig.state.announced == 6
    assert "was not found: what ran before stays; a stop withdraws it" in rig.state.problems[0]
    (leave,) = run_and_stop(rig)
    assert isinstance(leave, Leave) and "the Node object was deleted" in leave.reason


def test_an_api_that_does_not_answer_says_nothing_about_the_node(rig: Rig) -> None:
    rig.engine.graceful = {A, B}
    good = rig.source.objects
    assert good is not None
    rig.tick(replace(good, node=None))
    rig.source.answers = False
    assert run_and_stop(rig) == []


@pytest.mark.parametrize(
    ("mode", "released", "stopped"), [(Mode.DETACHED, False, [True]), (Mode.EXTERNAL, True, [])]
)
def test_an_engine_that_stays_leaves_too(rig: Rig, mode: Mode, released: bool, stopped: list[bool]) -> None:
    """A detached engine ends with the node; of an external one nothing is left but the process."""
    after = outlived(rig)
    after.engine.mode = mode
    after.tick(rig.source.objects)
    after.source.objects = taken_down(world())
    (leave,) = run_and_stop(after)
    assert isinstance(leave, Leave) and leave.peers == (A, B)
    assert (after.engine.released, after.engine.stopped) == (released, stopped)
    assert after.engine.observed().peers == {}
    assert after.state.phase == "Withdrawn"


def test_an_engine_that_was_not_adopted_yet_leaves_too(rig: Rig) -> None:
    after = outlived(rig)
    after.source.objects = replace(world(), node=None)
    after.manager.stop()
    after.manager.run()
    assert [a.peers for a in after.engine.performed if isinstance(a, Leave)] == [(A, B)]
    assert after.engine.stopped == [True]


# --- addresses that flap ----------------------------------------------------------------------------------


def with_endpoint(here: bool) -> ClusterObjects:
    one = world(objects.service("web", "192.0.2.80", local=True))
    where = objects.endpoint("worker-1" if here else "worker-2")
    return replace(one, endpoint_slices=(objects.endpoint_slice("web", where),))


def test_a_flapping_address_is_held_back_and_comes_by_itself(clock: Clock) -> None:
    rig = Rig(with_endpoint(True))
    for _ in range(3):
        clock.now += 0.2
        rig.tick(with_endpoint(True))
        assert rig.state.announced == 6
        clock.now += 0.2
        rig.tick(with_endpoint(False))
        assert rig.did() == ["Withdraw", "Withdraw"]
    clock.now += 0.2
    wait = rig.tick(with_endpoint(True))
    assert rig.did() == [] and wait == pytest.approx(0.8)
    assert (rig.state.announced, rig.state.intended, rig.state.absent) == (4, 4, {"damped": 1})
    clock.now += wait
    assert rig.tick() == IDLE_SECONDS
    assert rig.did() == ["Announce", "Announce"] and rig.state.absent is None


def test_a_node_that_cannot_be_read_meanwhile_holds_nothing_back_for_ever(clock: Clock) -> None:
    rig = Rig(with_endpoint(True))
    for here in (True, False) * 3:
        clock.now += 0.2
        rig.tick(with_endpoint(here))
    clock.now += 0.2
    rig.tick(with_endpoint(True))
    assert rig.state.absent == {"damped": 1}
    rig.tick(replace(with_endpoint(True), node=None))
    clock.now += 1
    rig.tick()
    assert rig.state.announced == 6 and rig.state.absent is None


def test_damping_can_be_switched_off(clock: Clock) -> None:
    rig = Rig(with_endpoint(True), damping=False)
    for here in (True, False) * 9:
        clock.now += 0.2
        rig.tick(with_endpoint(here))
        assert rig.state.announced == (6 if here else 4)


# --- a gate on the way up ---------------------------------------------------------------------------------


class Checks(Readiness):
    """Answers what the test says, once it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.said, self.waited_for = "healthz answers 503", False

    @property
    def unconfirmed(self) -> str:
        return self.said

    def want(self, waiting: bool) -> None:
        self.waited_for = waiting


def test_nothing_is_announced_before_the_checks_agree_and_they_are_asked_no_more_then(clock: Clock) -> None:
    rig, checks = Rig(world()), Checks()
    rig.manager._intending._readiness = checks
    rig.tick()
    assert (rig.state.phase, rig.state.announced, checks.waited_for) == ("Starting", 0, True)
    assert rig.state.absent == {"nodeReadinessNotConfirmed": 2}
    assert rig.state.problems == ("warning: nothing is announced yet: healthz answers 503",)
    checks.said = ""
    clock.now += 1
    rig.tick()
    assert (rig.state.phase, rig.state.announced, checks.waited_for) == ("Running", 4, False)
    checks.said = "healthz answers 503"
    rig.tick()
    assert rig.state.announced == 4 and not checks.waited_for
    rig.tick(world(labels=AWAY))
    assert not checks.waited_for
    rig.tick(world())
    assert (rig.state.phase, rig.state.announced, checks.waited_for) == ("Starting", 0, True)


def test_a_restarted_speaker_does_not_ask_but_a_booted_machine_does(rig: Rig) -> None:
    wire = from_document(to_document(replace(rig.state, heartbeat=1000.0)))
    for booted_at, announced in ((900.0, 4), (1100.0, 0)):
        after, checks = Rig(world(), recall=lambda: wire, booted_at=booted_at), Checks()
        after.manager._intending._readiness = checks
        after.tick()
        assert (after.state.announced, checks.waited_for) == (announced, not announced)


# --- a leave that outlives its manager --------------------------------------------------------------------


def killed_while_leaving(rig: Rig) -> Rig:
    """The next manager; the engine has left every peer meanwhile, and knows it."""
    told: list[NodeState] = []
    rig.manager._reporting._publish = told.append
    rig.tick(world(labels=AWAY))
    leaving = next(state for state in told if state.phase == "Leaving")
    wire = from_document(to_document(leaving))
    after = Rig(world(labels=AWAY), recall=lambda: wire)
    after.engine.mode = Mode.DETACHED
    after.engine.outlived = rig.engine.observed()
    after.engine.departed = rig.engine.departed
    return after


def test_what_the_engine_knows_of_an_unfinished_leave_is_the_proof(rig: Rig) -> None:
    after = killed_while_leaving(rig)
    after.tick()
    assert (after.state.phase, after.state.problems) == ("Withdrawn", ())
    record = after.state.withdrawn
    assert record is not None and record.routes == 6 and all(peer.flushed for peer in record.peers)
    assert (record.sent_at, record.closed_at) == (1000.0, 1001.0)
    assert record.observed_at >= after.state.started_at


def test_an_engine_that_does_not_know_how_a_peer_left_proves_nothing(rig: Rig) -> None:
    after = killed_while_leaving(rig)
    after.engine.departed = {A: after.engine.departed[A]}
    after.tick()
    assert (after.state.phase, after.state.withdrawn) == ("Idle", None)

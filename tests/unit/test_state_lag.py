"""What of a published state waits, and what never does."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.model import IPV4, LastError, SessionState
from bgpctl.core.state import LocalAddresses, NodeState, PeerState, WithdrawnRecord
from bgpctl.core.state_lag import FRESH_SECONDS, LAG_SECONDS, may_lag
from bgpctl.speaker.status.publisher import Pace, Publisher
from bgpctl.speaker.status.waiting import Waiting
from tests.support import node_states

NOW = 1_800_000_000.0


def reported(intended: int | None = 9, announced: int | None = 9, **session: Any) -> PeerState:
    return replace(node_states.peer(NOW, "192.0.2.1", **session), intended=intended, announced=announced)


def state(intended: int | None = 9, announced: int | None = 9, **session: Any) -> NodeState:
    made = node_states.state("n", NOW, reported(intended, announced, **session))
    return replace(made, heartbeat=0.0, intended=intended, announced=announced)


SERVES = state()
LOST = reported()
PROOF = WithdrawnRecord("why", 1.0, 2.0, 3.0, ())


def other(**session: Any) -> NodeState:
    return state(**session)


LAGS = {
    "more routes": state(12, 12),
    "fewer": state(3, 3),
    "one is not out": state(9, 8),
    "one is not on the socket": state(pending=1),
    "what the session counts": state(advertised={IPV4: 4}),
    "what the router sends us": state(received={IPV4: 4000}),
    "that it is alive": replace(state(12, 12), heartbeat=NOW, sequence=7),
    "what is absent": replace(SERVES, absent={"noLocalEndpoints": 1}),
}
NEVER = {
    "that it should announce nothing": replace(SERVES, intended=0),
    "that nobody knows what it should announce": replace(SERVES, intended=None),
    "that it announces nothing": replace(SERVES, announced=0),
    "the last route": state(0, 0),
    "a count that is not known": state(None, None),
    "a phase": replace(SERVES, phase="Leaving"),
    "a session": state(state=SessionState.IDLE),
    "another session": state(established_at=NOW + 1),
    "the End-of-RIB": state(end_of_rib=False),
    "why it went down": state(last_error=LastError(NOW, "sent", "x")),
    "a proof": replace(SERVES, withdrawn=PROOF),
    "a router that keeps routes": replace(SERVES, unwithdrawn=(LOST,)),
    "a request to leave": replace(SERVES, observed_leave="one"),
    "a problem": replace(SERVES, problems=("a bad Service",)),
    "a bad policy": replace(SERVES, policy_problem="it is invalid"),
    "the engine": replace(SERVES, engine_restarts=1),
    "an address of the node": replace(SERVES, locals=(LocalAddresses("192.0.2.1", 179, ("192.0.2.9",)),)),
    "a peer": replace(SERVES, peers=()),
    "a soak": replace(SERVES, soak_until=NOW),
}


@pytest.mark.parametrize("offered", LAGS.values(), ids=LAGS)
def test_counts_of_a_node_that_serves_may_lag(offered: NodeState) -> None:
    assert may_lag(offered, SERVES)


@pytest.mark.parametrize("offered", NEVER.values(), ids=NEVER)
def test_all_else_does_not(offered: NodeState) -> None:
    assert not may_lag(offered, SERVES)
    assert not may_lag(replace(offered, absent={"damped": 3}), SERVES), "whatever else changed"


def pair(*peers: PeerState) -> NodeState:
    return replace(SERVES, peers=peers)


@pytest.mark.parametrize(
    ("written", "offered", "lags"),
    [
        (pair(reported(9, 8), reported(9, 8)), pair(reported(9, 9), reported(9, 8)), False),
        (pair(reported(9, 9), reported(9, 8)), pair(reported(9, 9), reported(9, 9)), False),
        (pair(reported(9, 8), reported(9, 8)), pair(reported(9, 7), reported(9, 6)), True),
        (pair(reported(9, 9), reported(9, 9)), pair(reported(8, 8), reported(7, 7)), True),
        (pair(reported(None, 8)), pair(reported(None, 9)), True),
        (pair(reported(9, None)), pair(reported(8, None)), True),
    ],
)
def test_one_peer_that_has_them_all_is_news(written: NodeState, offered: NodeState, lags: bool) -> None:
    """Of one that does not say how many it should have, none is late."""
    assert may_lag(offered, written) is lags


@pytest.mark.parametrize("late", [state(9, 8), state(pending=4)], ids=("not announced", "not sent"))
def test_a_restore_hears_at_once_that_all_routes_are_out(late: NodeState) -> None:
    assert not may_lag(SERVES, late)
    assert not may_lag(state(0, 0), late) and not may_lag(SERVES, state(0, 0)), "the first and the last"


# --- how long ---------------------------------------------------------------------------------------------

CALM = 1000.0
FEW, MANY = state(8, 8), state(10, 10)


def waiting() -> Waiting:
    made = Waiting(draw=lambda least, most: most)
    made.offered(SERVES, None, CALM - FRESH_SECONDS)
    made.wrote(SERVES, SERVES, CALM - FRESH_SECONDS)
    return made


def test_a_wait_begins_with_the_first_change_and_no_further_one_makes_it_longer() -> None:
    wait = waiting()
    for later, offered in enumerate((FEW, MANY, FEW)):
        wait.offered(offered, SERVES, CALM + later)
        assert wait.until == CALM + LAG_SECONDS[1]
    wait.wrote(FEW, MANY, CALM + 30)
    assert wait.until == CALM + 30 + LAG_SECONDS[1], "what was offered meanwhile waits anew"


def test_what_is_as_it_was_written_waits_for_nothing() -> None:
    wait = waiting()
    wait.offered(FEW, SERVES, CALM)
    wait.offered(SERVES, SERVES, CALM + 5)
    assert wait.until == -math.inf
    wait.offered(FEW, SERVES, CALM + 20)
    assert wait.until == CALM + 20 + LAG_SECONDS[1]


def test_after_a_session_came_up_counts_do_not_wait() -> None:
    wait, up = waiting(), state(established_at=NOW + 5)
    wait.offered(up, SERVES, CALM)
    wait.wrote(up, up, CALM)
    more = state(12, 12, established_at=NOW + 5)
    wait.offered(more, up, CALM + FRESH_SECONDS - 1)
    assert wait.until == CALM + FRESH_SECONDS - 1


def test_a_fleet_does_not_write_in_step() -> None:
    dues = set()
    for _ in range(50):
        wait = Waiting()
        wait.offered(SERVES, SERVES, 0.0)
        wait.offered(FEW, SERVES, CALM)
        dues.add(wait.until - CALM)
    assert len(dues) > 40 and LAG_SECONDS[0] <= min(dues) <= max(dues) <= LAG_SECONDS[1]


def test_counts_are_written_when_they_have_waited_and_with_the_heartbeat_at_the_latest() -> None:
    assert Pace().due(FEW, SERVES, CALM, 0, CALM + 20) == CALM + 20
    assert Pace().due(FEW, SERVES, CALM, 0, CALM + 90) == CALM + 60
    assert Pace().due(FEW, SERVES, CALM, 0, CALM - 20) == CALM + 1, "never more often than each second"
    assert Pace().due(replace(FEW, problems=("x",)), SERVES, CALM, 0, CALM + 20) == CALM + 1


# --- what a busy Service costs ----------------------------------------------------------------------------


class Written:
    def __init__(self) -> None:
        self.states: list[NodeState] = []

    def read(self) -> NodeState | None:
        return None

    def write(self, state: NodeState) -> None:
        self.states.append(state)


def published(seconds: int, waits: bool) -> int:
    """Writes of one speaker whose routes change five times a second, and more often would be no more."""
    now, sink, states = CALM, Written(), [state(9 + n, 9 + n) for n in range(7)]
    publisher = Publisher(sink, clock=lambda: now, waiting=Waiting() if waits else None)
    for tick in range(seconds * 5):
        now, offered = CALM + tick / 5, states[tick % 7]
        publisher.offer(offered)
        if offered != publisher._written and publisher._patience() <= 0:
            publisher._write(offered)
    return len(sink.states)


def test_a_busy_service_costs_some_writes_a_minute() -> None:
    assert published(150, waits=False) == 150
    assert published(150, waits=True) <= FRESH_SECONDS + 1 + (150 - FRESH_SECONDS) / LAG_SECONDS[0]

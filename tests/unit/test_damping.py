"""Flapping endpoints: held back on the way up, for a bounded time, and never on the way down."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpctl.core.intent.compile import compile_intent
from bgpctl.core.intent.damping import FREE, HIGHEST, LONGEST, QUIET, Flaps, Memory, damp, delay
from bgpctl.core.model import Absent, Intent, Route
from tests.support.intents import PEER, world
from tests.support.objects import endpoint, endpoint_slice, node, policy, service

WEB, API, POD = (ip_network(p) for p in ("203.0.113.1/32", "203.0.113.2/32", "10.244.1.0/24"))
CLOCK = 1_800_000_000.0


def wants(*up: Any, reason: str = "noLocalEndpoints", selected: bool = True) -> Intent:
    """WEB and API are Services; those that are not `up` are absent for `reason`."""
    table = {prefix: Route(prefix, origin=f"Service {prefix}") for prefix in (POD, *up)}
    absent = tuple(Absent(f"Service {p}", p, reason, "") for p in (WEB, API) if p not in up)
    return Intent("n", selected, "policy", (), {"a": table, "b": table} if selected else {}, absent)


class Node:
    """The stage over time."""

    def __init__(self) -> None:
        self.intent: Intent | None = None
        self.memory: Memory = {}
        self.now, self.due = 0.0, inf

    def at(self, now: float, wanted: Intent) -> set[Any]:
        """What is announced then, besides POD."""
        self.now = now
        self.intent, self.memory, self.due = damp(wanted, self.intent, self.memory, now, CLOCK + now)
        tables = list(self.intent.routes.values())
        assert all(table is tables[0] for table in tables), "peers go on sharing their table"
        return set(tables[0]) - {POD} if tables else set()

    def flap(self, times: int, began: float = 0.0, every: float = 0.1) -> float:
        for n in range(times):
            self.at(began + n * every, wants(WEB))
            self.at(began + (n + 0.5) * every, wants())
        return began + (times - 0.5) * every


def test_the_first_announcement_and_the_first_returns_are_not_held_back() -> None:
    one = Node()
    for n in range(FREE + 1):
        assert one.at(n, wants(WEB)) == {WEB}
        assert one.at(n + 0.5, wants()) == set()
    assert one.at(FREE + 1.0, wants(WEB)) == set(), "the next one is"


def test_an_address_that_flaps_is_held_back_longer_each_time() -> None:
    one, waited = Node(), []
    for _ in range(12):
        one.at(one.now, wants(WEB))
        waited.append(0.0 if one.due == inf else one.due)
        if one.due < inf:
            assert one.at(one.now + one.due - 0.01, wants(WEB)) == set()
            assert one.at(one.now + 0.01, wants(WEB)) == {WEB}
        assert one.at(one.now, wants()) == set(), "a withdrawal waits for nothing"
    assert waited[: FREE + 1] == [0.0] * (FREE + 1)
    assert waited[FREE + 1 :] == [pytest.approx(s) for s in (1, 2, 4, 8, 16, 32, 60, 60, 60)]


def test_what_is_held_back_says_why_and_until_when() -> None:
    one = Node()
    lost = one.flap(FREE + 1)
    assert one.at(lost + 0.1, wants(WEB, API)) == {API}, "another address does not suffer"
    assert one.intent is not None and one.due == pytest.approx(0.9)
    (held,) = [a for a in one.intent.absent if a.reason == "damped"]
    assert (held.prefix, held.origin, held.peer) == (WEB, f"Service {WEB}", "")
    assert held.detail == "its endpoints came and went 3 times: held back until 2027-01-15T08:00:02Z"
    again = one.intent
    assert one.at(lost + 0.2, wants(WEB, API)) == {API} and one.intent == again, "no new sentence each time"
    assert one.at(lost + 1.0, wants(WEB, API)) == {WEB, API} and one.due == inf
    assert [a.reason for a in one.intent.absent] == []


@pytest.mark.parametrize("reason", ["noLocalEndpoints", "noEndpoints", "noEndpointSlice"])
def test_endpoints_count(reason: str) -> None:
    one = Node()
    for n in range(FREE + 1):
        one.at(n, wants(WEB))
        one.at(n, wants(reason=reason))
    assert one.at(FREE + 0.5, wants(WEB)) == set()
    assert one.memory[WEB].level == FREE + 1


@pytest.mark.parametrize("reason", ["notSelected", "nodeNetworkUnavailable", "noMatchingAdvertisement"])
def test_what_somebody_wants_is_no_flap(reason: str) -> None:
    one = Node()
    for n in range(9):
        assert one.at(n, wants(WEB)) == {WEB}
        one.at(n + 0.5, replace(wants(), absent=()) if n % 2 else wants(reason=reason))
    assert one.memory == {}


def test_quiet_time_is_forgiven() -> None:
    one = Node()
    lost = one.flap(FREE + 1)
    assert one.memory[WEB].level == FREE + 1
    assert one.at(lost + 2.0, wants(WEB)) == {WEB}
    one.at(lost + 2 * QUIET + 1, wants())
    assert one.memory[WEB].level == FREE, "two forgiven, one more"
    one.at(lost + 5 * QUIET, wants(WEB))
    assert one.memory == {}


def test_a_node_that_leaves_service_begins_anew() -> None:
    one = Node()
    lost = one.flap(9)
    one.at(lost, wants(selected=False))
    assert one.at(lost + 0.1, wants(WEB)) == {WEB} and one.memory == {}


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgpctl.core.intent.damping.REMEMBERED", 1)
    one = Node()
    one.at(0, wants(WEB, API))
    one.at(1, wants(API))
    one.at(2, wants())
    assert set(one.memory) == {API}, "the newest stays"


def test_nothing_held_is_the_very_same_intent() -> None:
    wanted = wants(WEB)
    assert damp(wanted, wants(), {}, 0.0, CLOCK).intent is wanted


def test_delay_grows_and_is_bounded() -> None:
    delays = [delay(level) for level in range(HIGHEST + 3)]
    assert delays == sorted(delays) and delays[: FREE + 1] == [0.0] * (FREE + 1)
    assert delays[HIGHEST] == delays[-1] == LONGEST and delays[HIGHEST - 1] < LONGEST


steps = st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.booleans()), max_size=60)


@settings(deadline=None)
@given(steps, st.floats(-1e9, 1e9))
def test_whatever_happens(steps: list[tuple[float, bool, bool]], jump: float) -> None:
    """Withdrawn at once; announced LONGEST after the last loss at the latest; one look at the time that was
    said is enough; never taken back by damping; and a clock that jumps decides nothing."""
    one, other, now, last_lost = Node(), Node(), 0.0, -inf
    for number, (pause, web, api) in enumerate(steps):
        now += pause
        wanted = wants(*[WEB] * web, *[API] * api)
        was = set(one.intent.routes["a"]) if one.intent else set()
        out = one.at(now, wanted)
        other.intent, other.memory, _ = damp(wanted, other.intent, other.memory, now, jump * number % 1e9)
        assert set(other.intent.routes["a"]) == {POD, *out}
        assert out <= set(wanted.routes["a"]), "withdrawals are never delayed"
        assert (was & set(wanted.routes["a"])) - {POD} <= out, "and nothing is taken back"
        if {WEB, API} & was - out:
            last_lost = now
        assert out == set(wanted.routes["a"]) - {POD} or 0 < one.due <= LONGEST - (now - last_lost) + 1e-6
    wanted = wants(WEB, API)
    one.at(now, wanted)
    while one.due < inf:
        assert one.now + one.due <= last_lost + LONGEST + 1e-6
        one.at(one.now + one.due + 1e-6, wanted)
    assert one.intent is wanted, "what is stable is announced at last"


def test_a_real_service_that_loses_its_local_endpoint() -> None:
    web = service("web", "203.0.113.1", local=True)
    here = compile_intent(world(web, slices=[endpoint_slice("web", endpoint())]), "worker-1")
    gone = compile_intent(world(web, slices=[endpoint_slice("web", endpoint("other"))]), "worker-1")
    before, memory = here, dict[Any, Any]()
    for now in range(FREE + 1):
        before, memory, _ = damp(gone, before, memory, now, CLOCK)
        assert WEB not in before.routes[PEER]
        before, memory, due = damp(here, before, memory, now, CLOCK)
    assert WEB not in before.routes[PEER] and 0 < due <= 1
    away = compile_intent(world(web, policies=[policy()], node=node(labels={})), "worker-1")
    assert damp(away, before, memory, 9.0, CLOCK).memory == {}


def test_levels_end_with_service_whatever_the_caller_remembers() -> None:
    memory = {WEB: Flaps(9, 0.0, CLOCK)}
    assert damp(wants(WEB), wants(selected=False), memory, 1.0, CLOCK) == (wants(WEB), {}, inf)


def test_what_is_announced_is_not_taken_back() -> None:
    memory = {WEB: Flaps(9, 0.0, CLOCK)}
    assert damp(wants(WEB), wants(WEB), memory, 1.0, CLOCK).intent == wants(WEB)


def test_the_next_look_is_for_the_address_that_is_due_first() -> None:
    memory = {WEB: Flaps(9, 0.0, CLOCK), API: Flaps(FREE + 2, 0.0, CLOCK)}
    assert damp(wants(WEB, API), wants(), memory, 0.5, CLOCK).due == pytest.approx(1.5)


def test_a_long_time_forgives_everything() -> None:
    one = Node()
    lost = one.flap(1)
    one.at(lost + 9 * QUIET, wants())
    assert one.memory == {}


def test_the_memory_is_in_the_order_of_the_last_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgpctl.core.intent.damping.REMEMBERED", 1)
    before = {API: Flaps(1, 0.0, CLOCK), WEB: Flaps(1, 1.0, CLOCK)}
    kept = damp(wants(WEB), wants(WEB, API), before, 2.0, CLOCK).memory
    assert set(kept) == {API}, "it was lost again, and last"


def test_peers_may_have_different_tables() -> None:
    """The origin of an address is said wherever a table has it."""
    wanted = wants(WEB)
    routes = {"a": {POD: wanted.routes["a"][POD]}, "b": wanted.routes["b"]}
    found = damp(replace(wanted, routes=routes), wants(), {WEB: Flaps(9, 0.0, CLOCK)}, 1.0, CLOCK).intent
    assert [set(table) for table in found.routes.values()] == [{POD}, {POD}]
    assert [(a.prefix, a.origin) for a in found.absent if a.reason == "damped"] == [(WEB, f"Service {WEB}")]

"""When a refusal of the API server is believed: at once, or only when it stays."""

from __future__ import annotations

import pytest

from bgpctl.kube.doubts import PASSING, Doubts, right

NODE, EVICT = right("GET", "/api/v1/nodes/n"), right("POST", "/api/v1/namespaces/d/pods/p/eviction")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def doubts(clock: Clock) -> Doubts:
    return Doubts(clock)


def test_the_first_word_of_a_process_is_believed(doubts: Doubts) -> None:
    assert not doubts.passing(NODE)


def test_a_refusal_beside_what_is_allowed_is_believed(doubts: Doubts) -> None:
    doubts.granted(NODE)
    assert not doubts.passing(EVICT)


def test_after_trouble_it_may_pass_for_a_while(doubts: Doubts, clock: Clock) -> None:
    doubts.trouble()
    clock.now += PASSING - 0.1
    assert doubts.passing(NODE)
    clock.now += PASSING + 0.1
    assert not doubts.passing(NODE)


def test_the_while_begins_with_the_first_answer(doubts: Doubts, clock: Clock) -> None:
    """However long the pause between two tries was."""
    doubts.trouble()
    clock.now += 60.0
    assert doubts.passing(NODE)
    clock.now += PASSING
    assert not doubts.passing(NODE)


def test_trouble_of_long_ago_is_over_with_a_good_answer(doubts: Doubts, clock: Clock) -> None:
    doubts.trouble()
    doubts.granted(NODE)
    assert doubts.passing(EVICT)
    clock.now += PASSING
    assert not doubts.passing(EVICT)


def test_what_was_allowed_before_may_be_again(doubts: Doubts, clock: Clock) -> None:
    """A restart between two requests: nobody saw the trouble."""
    doubts.granted(NODE)
    clock.now += 60.0
    assert doubts.passing(NODE)
    clock.now += PASSING - 0.1
    assert doubts.passing(NODE)
    clock.now += 0.2
    assert not doubts.passing(NODE)  # it was taken away for good
    assert not doubts.passing(NODE)
    doubts.granted(NODE)
    assert doubts.passing(NODE)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("GET", "/api/v1/nodes/a"), ("GET", "/api/v1/nodes/b"), True),
        (("GET", "/api/v1/nodes/a"), ("GET", "/api/v1/nodes"), False),
        (("GET", "/api/v1/nodes/a"), ("PATCH", "/api/v1/nodes/a"), False),
        (("PATCH", "/api/v1/nodes/a/status"), ("PATCH", "/api/v1/nodes/a"), False),
        (("GET", "/api/v1/namespaces/a/pods"), ("GET", "/api/v1/namespaces/b/pods"), False),
        (("GET", "/api/v1/namespaces/a/pods/x"), ("GET", "/api/v1/namespaces/a/pods/y"), True),
        (("GET", "/api/v1/namespaces/a/pods"), ("GET", "/api/v1/pods"), False),
        (("GET", "/apis/apps/v1/daemonsets"), ("GET", "/apis/apps/v1/deployments"), False),
        (("GET", "/api/v1/namespaces/a"), ("GET", "/api/v1/namespaces/b"), True),
    ],
)
def test_what_a_request_needs(one: tuple[str, str], other: tuple[str, str], same: bool) -> None:
    assert (right(*one) == right(*other)) is same


def test_a_watch_is_no_list() -> None:
    path = "/api/v1/nodes"
    assert right("GET", path, {"watch": "true"}) != right("GET", path, {"limit": "5"}) == right("GET", path)

"""A fleet that was sent away in one instant does not come back in one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube.client import Gone
from bgpctl.kube.pulse import Pulse
from bgpctl.kube.watch import Mirror, Timing

FLEET = 60
BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "2"}}}


class Pauses(threading.Event):
    """Notes how long somebody meant to wait, and ends with the second pause (the first is the start's)."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        if len(self.seconds) > 1:
            self.set()
        return self.is_set()


class Paused(Pulse):
    def pause(self, watch: threading.Event, over: threading.Event, seconds: float, least: float) -> None:
        over.wait(seconds)


def pauses(follow: Callable[[], Any], within: float = 0.0) -> list[tuple[float, ...]]:
    """Of each of a fleet: before its first list, and after what `follow` did."""
    found = []
    for _ in range(FLEET):
        client: Any = SimpleNamespace(
            read_list=lambda *_: ([], "1"), stream=lambda *_: follow(), pulse=Paused()
        )
        mirror: Mirror[Any] = Mirror(client, "/x", lambda: None, timing=Timing(healthy=0.0))
        stopped = Pauses()
        mirror._stopped = stopped
        mirror._first_within = within
        mirror._run()
        found.append(tuple(stopped.seconds[:2]))
    return found


def gone() -> Any:
    raise Gone(410, "Expired", "too old", {})


def away() -> Any:
    raise Temporary("the API server is away")


def refused() -> Any:
    raise BgpctlError("forbidden")


class Early:
    """A watch that ends long before its time, in good order: a server that is shut down."""

    def __iter__(self) -> Iterator[Any]:
        yield BOOKMARK

    def close(self) -> None: ...


@pytest.mark.parametrize("sent_away", [gone, away, Early], ids=lambda each: each.__name__)
def test_whoever_was_sent_away_comes_back_within_a_second_and_at_a_moment_of_its_own(
    sent_away: Callable[[], Any],
) -> None:
    after = [second for _, second in pauses(sent_away)]
    spread = Timing().spread
    assert max(after) - min(after) > spread / 2, "in step"
    assert max(after) <= 1.2 * Timing().backoff[0] + spread


def test_what_is_refused_is_refused_to_all_and_at_any_time() -> None:
    assert max(second for _, second in pauses(refused)) <= 1.2 * Timing().backoff[0]


def test_first_lists_are_spread_over_a_part_of_a_second() -> None:
    first = [before for before, _ in pauses(gone, within=0.2)]
    assert max(first) - min(first) > 0.1 and max(first) <= 0.2
    assert {before for before, _ in pauses(gone)} == {0.0}, "one command that watches waits for nothing"

"""`--set`: what is taken, what is refused with what exists, and what a session would be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.whatif import (
    FIELDS,
    Settings,
    changed,
    parse_settings,
    with_graceful,
    without_graceful,
)
from bgpctl.errors import UsageError

FACTS = PeerFacts(
    "p", "192.0.2.1", 90, 30, None, False, False, False, None, negotiated=True, peer_graceful=True
)
GRACEFUL = replace(FACTS, restart_time=120, graceful=True, local_n=True, peer_n=True, long_lived=60)


def test_what_is_typed() -> None:
    assert parse_settings([]) is None
    given = [
        "holdTimeSeconds=3",
        "spec.timers.keepAliveTimeSeconds=1",
        "gracefulRestart.restartTimeSeconds = 30 ",
    ]
    found = parse_settings(given)
    assert found == Settings(3, 1, None, 30)
    assert found.told == "holdTimeSeconds=3 keepAliveTimeSeconds=1 gracefulRestart.restartTimeSeconds=30"
    off = parse_settings(["gracefulRestart.enabled=False"])
    assert off == Settings(graceful=False)
    assert off.told == "gracefulRestart.enabled=false"
    assert Settings(9, 3, True, 20).told == (
        "holdTimeSeconds=9 keepAliveTimeSeconds=3 gracefulRestart.enabled=true "
        "gracefulRestart.restartTimeSeconds=20"
    )
    assert Settings().told == ""


@pytest.mark.parametrize(
    ("texts", "message", "hint"),
    [
        (["holdTime=3"], '--set "holdTime=3": there is no "holdTime"', ", ".join(FIELDS)),
        (["connectRetryTimeSeconds=5"], 'there is no "connectRetryTimeSeconds"', "that count here"),
        (["holdTimeSeconds"], '--set "holdTimeSeconds" has no value', "write FIELD=VALUE"),
        (["holdTimeSeconds=2"], '"2" is no number of seconds from 3 to 65535', "range"),
        (["holdTimeSeconds=65536"], '"65536" is no number of seconds from 3 to 65535', "range"),
        (["holdTimeSeconds=9" + "9" * 5000], "is no number of seconds from 3 to 65535", "range"),
        (["holdTimeSeconds=9x"], '"9x" is no number', "range"),
        (["holdTimeSeconds="], '"" is no number', "range"),
        (["holdTimeSeconds=1_0"], '"1_0" is no number', "range"),
        (["holdTimeSeconds=-3"], '"-3" is no number', "range"),
        (["holdTimeSeconds=٣"], '"٣" is no number', "range"),
        (["gracefulRestart.restartTimeSeconds=4096"], "from 1 to 4095", "range"),
        (["gracefulRestart.enabled=yes"], '"yes" is neither true nor false', "=true"),
        (["holdTimeSeconds=3", "timers.holdTimeSeconds=4"], "--set gives holdTimeSeconds twice", "once"),
        (["holdTimeSeconds=3", "keepAliveTimeSeconds=4"], "it is longer than holdTimeSeconds=3", "Seconds=1"),
        (
            ["gracefulRestart.enabled=false", "gracefulRestart.restartTimeSeconds=9"],
            "gracefulRestart.enabled=false turns it off",
            "give one of them",
        ),
    ],
)
def test_what_is_refused(texts: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_settings(texts)
    assert message in told.value.message and hint in told.value.hint
    assert len(told.value.message) < 250


@pytest.mark.parametrize(
    ("facts", "settings", "hold", "keepalive", "negotiated"),
    [
        (FACTS, Settings(hold_time=3), 3, 1, True),
        (FACTS, Settings(hold_time=3, keepalive_time=2), 3, 2, True),
        (FACTS, Settings(hold_time=240), 240, 30, False),  # the router's own may be smaller
        (replace(FACTS, negotiated=False), Settings(hold_time=9), 9, 3, False),
        (replace(FACTS, hold_time=0, keepalive_time=0), Settings(hold_time=9), 0, 0, True),  # it wants none
        (FACTS, Settings(keepalive_time=10), 90, 10, True),
    ],
)
def test_timers(facts: PeerFacts, settings: Settings, hold: int, keepalive: int, negotiated: bool) -> None:
    found = changed(facts, settings)
    assert (found.hold_time, found.keepalive_time, found.negotiated) == (hold, keepalive, negotiated)
    assert (found.restart_time, found.graceful) == (None, False)


def test_graceful_restart() -> None:
    assert changed(GRACEFUL, Settings(graceful=False)) == without_graceful(GRACEFUL)
    off = without_graceful(GRACEFUL)
    assert (off.restart_time, off.graceful, off.local_n, off.long_lived) == (None, False, False, None)
    assert changed(GRACEFUL, Settings(restart_time=30)) == replace(GRACEFUL, restart_time=30)
    assert changed(GRACEFUL, Settings(graceful=True)) == GRACEFUL
    on = changed(FACTS, Settings(graceful=True))
    assert (on.restart_time, on.graceful, on.local_n) == (120, True, True), "by the router's own OPEN"
    assert with_graceful(replace(FACTS, peer_graceful=False), 9).graceful is False
    assert with_graceful(replace(FACTS, peer_graceful=None), 9).graceful is None, "nobody knows"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gracefulRestart.enabled=true", Settings(graceful=True)),
        ("gracefulRestart.enabled=TRUE", Settings(graceful=True)),
        ("gracefulRestart.enabled=false", Settings(graceful=False)),
        ("holdTimeSeconds=3", Settings(hold_time=3)),
        ("holdTimeSeconds=65535", Settings(hold_time=65535)),
        ("keepAliveTimeSeconds=1", Settings(keepalive_time=1)),
        ("keepAliveTimeSeconds=65535", Settings(keepalive_time=65535)),
        ("gracefulRestart.restartTimeSeconds=1", Settings(restart_time=1)),
        ("gracefulRestart.restartTimeSeconds=4095", Settings(restart_time=4095)),
    ],
)
def test_each_field_alone_to_its_bounds(text: str, found: Settings) -> None:
    assert parse_settings([text]) == found


def test_a_keepalive_may_be_as_long_as_the_hold_time() -> None:
    assert parse_settings(["holdTimeSeconds=9", "keepAliveTimeSeconds=9"]) == Settings(9, 9)


@pytest.mark.parametrize(("negotiated", "hold"), [(True, 0), (False, 30)])
def test_a_hold_time_of_none_is_a_routers_wish_only_where_it_told(negotiated: bool, hold: int) -> None:
    facts = replace(FACTS, hold_time=0, keepalive_time=0, negotiated=negotiated)
    assert changed(facts, Settings(hold_time=30)).hold_time == hold

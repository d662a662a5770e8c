"""Drills: which are made, and what is a failure of a forecast."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from math import inf
from pathlib import Path

import pytest

from bgpctl.core.timing.drills import (
    CLASSES,
    FACTOR,
    NOTHING_SECONDS,
    OFF,
    ON,
    SETTINGS,
    SHORT_OFF,
    SLACK_SECONDS,
    Drill,
    Held,
    Measured,
    Report,
    Setting,
    Verdict,
    claimed,
    judge,
    plan,
    unapplied,
)
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import RouteClass, Scenario, Span, foretell
from bgpctl.core.timing.profiles import BIRD2, GOBGP3
from bgpctl.lab.drill.events import HAPPENS
from bgpctl.lab.drill.run import measured
from bgpctl.lab.routers import DRIVERS, Neighbor, RouterSpec
from bgpctl.lab.traffic.counting import Request
from bgpctl.lab.traffic.mirror import changes, table
from bgpctl.witness import model as witness
from bgpctl.witness.model import RouterAnswer, RouteState

NEGOTIATED = PeerFacts("r", "10.77.0.1", 9, 3, 20, True, False, False, None, negotiated=True)


@pytest.mark.parametrize(
    ("forecast", "seconds", "verdict"),
    [
        (Span(5, 9), 8.5, Verdict.HELD),
        (Span(5, 9), 9 + SLACK_SECONDS, Verdict.HELD),
        (Span(5, 9), 9.1 + SLACK_SECONDS, Verdict.LONGER),
        (Span(5, 9), 4.9 - SLACK_SECONDS, Verdict.SHORTER),
        (Span(5, 9), 5 - SLACK_SECONDS, Verdict.HELD),
        (Span(0, 9), 8.5, Verdict.HELD),  # chance: not the best case's fault
        (Span(0, 0), NOTHING_SECONDS, Verdict.HELD),
        (Span(0, 0), 0.1 + NOTHING_SECONDS, Verdict.LONGER),
        (Span(0, 0.7), 0.7 + SLACK_SECONDS, Verdict.HELD),
        (Span(4, 4), 4 * FACTOR, Verdict.HELD),  # one instant is a figure
        (Span(4, 4), 4 * FACTOR + 0.1 + SLACK_SECONDS, Verdict.LONGER),
        (Span(4, 4), 2.9, Verdict.SHORTER),
        (Span(1, inf), 10000.0, Verdict.HELD),
        (Span(inf, inf), 100.0, Verdict.SHORTER),
    ],
)
def test_verdicts(forecast: Span, seconds: float, verdict: Verdict) -> None:
    assert judge(forecast, seconds) is verdict


@pytest.mark.parametrize(
    ("setting", "facts", "words"),
    [
        (ON, NEGOTIATED, ""),
        (ON, replace(NEGOTIATED, graceful=False), "graceful restart was not negotiated"),
        (ON, replace(NEGOTIATED, graceful=None), "graceful restart was not negotiated"),
        (OFF, NEGOTIATED, "graceful restart was negotiated"),
        (OFF, replace(NEGOTIATED, graceful=False, restart_time=None), ""),
        (SHORT_OFF, replace(NEGOTIATED, graceful=False), "a hold time of 9 s was negotiated"),
        (ON, replace(NEGOTIATED, negotiated=False), "no session was negotiated"),
    ],
)
def test_a_mitigation_that_is_not_in_force_is_named(setting: Setting, facts: PeerFacts, words: str) -> None:
    assert unapplied(setting, facts) == words
    if facts.graceful is not None:
        assert unapplied(setting, facts, "cilium") == words
    assert not unapplied(setting, claimed(setting, facts))


@pytest.mark.parametrize(
    ("setting", "text", "short"),
    [
        (Setting(9, 3, 30, notification=True), "GR 30 s+N, hold 9 s", "30+N/9"),
        (Setting(9, 3, 30), "GR 30 s, hold 9 s", "30/9"),
        (Setting(90, 30, None), "GR off, hold 90 s", "off/90"),
    ],
)
def test_a_setting_in_words(setting: Setting, text: str, short: str) -> None:
    assert (str(setting), setting.short) == (text, short)


def test_what_is_drilled_to_the_second() -> None:
    """The guide's mitigations: graceful restart or none, and the smallest timers."""
    text = {
        str(scenario): [(*one[:3], one.notification) for one in settings]
        for scenario, settings in SETTINGS.items()
    }
    off, on, on_n = (9, 3, None, False), (9, 3, 20, False), (9, 3, 20, True)
    short_off, short_on = (3, 1, None, False), (3, 1, 20, False)
    assert list(text.values()) == [
        [off, on],
        [off, on],
        [off, on, on_n],
        [on_n, on, off, short_off],
        [on, short_on],
        [on, short_on],
        [on],
    ]


def test_a_stack_that_does_not_tell_of_graceful_restart_is_not_held_against_it() -> None:
    """The forecast does not count on it either."""
    assert unapplied(ON, replace(NEGOTIATED, graceful=None), "cilium") == ""


def test_every_scenario_has_its_event_its_settings_and_its_routes() -> None:
    assert set(SETTINGS) == set(CLASSES) == set(HAPPENS)
    assert set(Scenario) - set(SETTINGS) == {Scenario.UPGRADE, Scenario.OPERATOR_DOWN}
    assert all(any(one is ON for one in settings) for settings in SETTINGS.values())


def test_all_drills_or_those_with_one_restart_time() -> None:
    assert len([*plan(list(SETTINGS))]) == 16
    assert [*plan([Scenario.POWER_OFF], None)] == [
        Drill(Scenario.POWER_OFF, OFF),
        Drill(Scenario.POWER_OFF, SHORT_OFF),
    ]
    assert [*plan([Scenario.POWER_OFF], 30)][:2] == [
        Drill(Scenario.POWER_OFF, Setting(9, 3, 30, notification=True)),
        Drill(Scenario.POWER_OFF, Setting(9, 3, 30)),
    ]
    assert [*plan([Scenario.RESTART], 30)] == [Drill(Scenario.RESTART, Setting(9, 3, 30))]


def test_what_became_of_requests() -> None:
    said = ["a", "a", "", "", "b", "", "b", "b"]
    requests = [Request(9.7 + 0.3 * n, who, "x", n % 2, refused=n == 3) for n, who in enumerate(said)]
    found = measured([*requests, Request(11.0, "", "y")], "x", 10.0)
    assert (found.sent, found.lost, found.refused, found.moved) == (7, 3, 1, 1.0)
    assert [(round(begin, 3), round(end, 3)) for begin, end in found.stretches] == [(0.3, 0.6), (1.2, 1.2)]
    assert found.seconds == pytest.approx(0.3)


def test_one_row_of_another_length_fails_the_drill() -> None:
    course = foretell(Scenario.POWER_OFF, NEGOTIATED, RouteClass.CLUSTER, BIRD2, elsewhere=True)
    good = Held(course, Measured(9, 3, 0, 0.5, ((0.0, 8.0),)))
    bad = Held(course, Measured(9, 3, 0, 0.5, ((0.0, 8.0), (9.0, 12.0))))
    drill = Drill(Scenario.POWER_OFF, ON)
    assert Report("bird", drill, (good,)).passed
    assert not Report("bird", drill, (good, bad)).passed
    assert not Report("bird", drill, (good,), "nothing was asked").passed


def test_a_router_that_does_not_watch_its_link_waits_for_the_hold_timer() -> None:
    blind = replace(GOBGP3, watches_link=False)
    words = (NEGOTIATED, RouteClass.CLUSTER)
    found = foretell(Scenario.LINK_DOWN, *words, blind, elsewhere=True)
    assert found.loss == foretell(Scenario.POWER_OFF, *words, blind, elsewhere=True).loss == Span(24.0, 29.0)
    assert foretell(Scenario.LINK_DOWN, *words, GOBGP3, elsewhere=True).loss == Span(0.0, 29.0)


def test_a_mirror_keeps_the_kernel_as_the_router() -> None:
    def said(neighbor: str, *prefixes: str, stale: bool = False) -> RouterAnswer:
        paths = tuple(witness.Path(ip_network(prefix), neighbor, stale=stale) for prefix in prefixes)
        return RouterAnswer("gobgp", neighbor, RouteState.PRESENT, paths)

    both = table([said("10.0.0.2", "1.0.0.0/24"), said("10.0.0.1", "1.0.0.0/24", "2.0.0.0/24", stale=True)])
    assert both == {"1.0.0.0/24": ("10.0.0.1", "10.0.0.2"), "2.0.0.0/24": ("10.0.0.1",)}
    left = table([said("10.0.0.2", "1.0.0.0/24"), said("10.0.0.1")])
    assert [*changes(both, left)] == [
        ("replace", "1.0.0.0/24", "nexthop", "via", "10.0.0.2"),
        ("del", "2.0.0.0/24"),
    ]
    assert not [*changes(both, both)]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("bird", "local 10.79.0.1 port 1790 as 65000;\n  neighbor 10.79.0.12"),
        ("frr", "-l 10.77.0.1 -l 10.79.0.1 "),
        ("gobgp", 'local-address-list = ["10.77.0.1", "10.79.0.1"]'),
        ("gobgp", 'local-address = "10.79.0.1"'),
        ("openbgpd", "listen on 10.79.0.1 port 1790"),
        ("openbgpd", "local-address 10.79.0.1"),
    ],
)
def test_a_router_has_an_address_on_each_of_its_links(kind: str, words: str, tmp_path: Path) -> None:
    neighbors = (Neighbor("10.77.0.11", 65001), Neighbor("10.79.0.12", 65001, "10.79.0.1"))
    spec = RouterSpec(kind, "10.77.0.1", 1790, 65000, neighbors)
    recipe = DRIVERS[kind].recipe(spec, tmp_path, kind)
    assert words in " ".join((*recipe.argv, *recipe.files.values()))

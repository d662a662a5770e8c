"""What the tables of docs/ list is what the code has: metrics, reasons, steps, routers, messages, codes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from math import isinf

import pytest

from bgpctl.core.drain import guards
from bgpctl.core.intent import damping, gates, podcidrs, services
from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION, GRACEFUL_SHUTDOWN_SOAK
from bgpctl.core.state import PHASES, NodeState
from bgpctl.core.timing.profiles import PROFILES
from bgpctl.errors import Exit
from bgpctl.kube import lease
from bgpctl.providers.pods import TABLE
from bgpctl.runbooks import catalogue
from bgpctl.runbooks.journal import ANNOTATION
from bgpctl.runbooks.options import DEFAULT_SETTLE, DrainOptions, RestartOptions, RestoreOptions
from bgpctl.speaker.counters import Counters
from bgpctl.speaker.status.metrics import render
from tests.support.pages import ROOT, prose, section


@cache
def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def first_cells(text: str) -> list[str]:
    """What stands in backticks in the first column of its tables."""
    rows = re.findall(r"^\| ([^|]*) \|", text, re.M)
    return [word for cell in rows for word in re.findall(r"`([^`]+)`", cell)]


# --- metrics ------------------------------------------------------------------------------------------------


def test_every_metric_is_listed_with_its_type_and_no_other_one() -> None:
    told = re.findall(r"^# TYPE (\S+) (\S+)$", render(NodeState("n1"), Counters(), 0.0), re.M)
    listed = re.findall(
        r"^\| `(\w+)` \| (gauge|counter|histogram) \|", section(page("metrics"), "Of our speaker"), re.M
    )
    assert sorted(listed) == sorted(told)
    assert all(f"`{phase}`" in page("metrics") for phase in PHASES)
    health = section(page("speaker"), "Health")
    assert re.findall(r"^\| `([A-Z]\w+)` \|", health, re.M) == list(PHASES)


def test_where_each_stack_serves_metrics() -> None:
    text = section(page("metrics"), "Of other stacks")
    for pods in TABLE.values():
        assert all(f"`{prefix}`" in text for prefix in pods.prefixes)
        assert all(str(port) in text for _, port in pods.metrics if port)


# --- why a route is absent ----------------------------------------------------------------------------------


def test_every_reason_of_an_absent_route_is_listed() -> None:
    known = {
        value
        for module in (damping, gates, podcidrs, services)
        for name, value in vars(module).items()
        if name.isupper()
        and isinstance(value, str)
        and re.fullmatch(r"[a-z]+[A-Z]\w+|headless|damped", value)
    }
    assert len(known) > 20
    assert sorted(first_cells(section(page("explain"), "Why a route is absent"))) == sorted(known)


# --- routers ------------------------------------------------------------------------------------------------


def test_every_profile_is_listed_with_its_stale_time() -> None:
    text = section(page("routers"), "Routers that bgpctl knows")
    known = {profile.name: profile for profile in PROFILES if profile.name != "unknown"}
    listed = [name for name in first_cells(text) if not name.startswith("stale:")]
    assert sorted(listed) == sorted(known)
    for row in re.findall(r"^\| `.*$", text, re.M):
        names = first_cells(row)
        caps = [known[name].stale_cap for name in names]
        told = row.split("|")[3]
        if all(cap is not None and not isinf(cap) for cap in caps):
            numbers = [float(number) for number in re.findall(r"\d+", told)]
            assert numbers == (caps if len(names) > 1 else caps[:1])
        else:
            assert "unknown" in told or "Restart Time" in told


# --- runbooks -----------------------------------------------------------------------------------------------


def test_every_step_is_listed_in_its_order() -> None:
    drain = catalogue.node_drain(DrainOptions("n1", provider="cilium", soak=1.0), "r1")
    restore = catalogue.node_restore(RestoreOptions("n1"), "r1")
    steps = [row for row in re.findall(r"^\| ([A-Z]\w+) \|", section(page("drain"), "The steps"), re.M)]
    assert steps == [step.name for step in (*drain, *restore)]
    restart = catalogue.speaker_restart(RestartOptions("n1"), "r1")
    told = re.findall(r"^\| ([A-Z]\w+) \|", section(page("upgrade"), "One speaker"), re.M)
    assert told == [step.name for step in restart]


def test_names_and_numbers_of_a_run() -> None:
    text = page("drain")
    assert f"`{ANNOTATION}`" in text and f"a Lease of {lease.DURATION} s in `{lease.NAMESPACE}`" in text
    assert f"`--settle`, {DEFAULT_SETTLE:g} s" in text
    assert GRACEFUL_SHUTDOWN_SOAK in page("speaker") and GRACEFUL_NOTIFICATION in page("speaker")


def test_every_flag_that_lifts_a_guard_is_in_the_table_of_refusals() -> None:
    text = section(page("drain"), "What refuses it")
    for flag in (
        guards.ALLOW_LAST_PATH,
        guards.ALLOW_ADDRESS_GAP,
        guards.MAX_UNAVAILABLE,
        guards.BESIDE_ANOTHER,
    ):
        assert f"`{flag}" in text


# --- exit codes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "docs/exit-codes.md"])
def test_every_exit_code_is_listed(name: str) -> None:
    text = (ROOT / name).read_text()
    listed = re.findall(r"^\| (\d+) \|", text, re.M)
    assert sorted(map(int, listed)) == sorted(map(int, Exit))


# --- troubleshooting ----------------------------------------------------------------------------------------


@cache
def said() -> str:
    """Every text of the code, a line each; what differs from case to case is "…"."""
    return "\n".join(text for file in (ROOT / "bgpctl").rglob("*.py") for text in _texts(file.read_text()))


def _texts(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            yield "".join(map(str, parts))


def messages(text: str) -> list[str]:
    """What somebody sees, in the tables: not commands, flags and words."""
    quoted = (
        word for row in re.findall(r"^\|.*$", prose(text), re.M) for word in re.findall(r"`([^`]+)`", row)
    )
    return [
        one
        for one in quoted
        if " " in one and not re.match(r"(bgpctl|kubectl|ps|--[\w-]+) \S+$|(bgpctl|kubectl|ps) ", one)
    ]


def unsaid(text: str) -> list[str]:
    """The parts of messages that no text of the code has."""
    parts = (part.strip(" ,;:()") for one in messages(text) for part in one.split("…"))
    return [part for part in parts if len(part) > 3 and part not in said()]


def test_troubleshooting_quotes_what_the_code_says() -> None:
    assert len(messages(page("troubleshooting"))) > 50
    assert not unsaid(page("troubleshooting"))


def test_a_message_that_nobody_says_is_noticed() -> None:
    assert unsaid("| `the moon is … full tonight` | | |\n") == ["the moon is", "full tonight"]


# --- architecture -------------------------------------------------------------------------------------------


def test_every_room_has_its_line_in_the_house() -> None:
    rooms = [room.name for room in (ROOT / "bgpctl").iterdir() if room.is_dir() and room.name[0] != "_"]
    assert len(rooms) > 10
    assert not [
        room for room in rooms if f"bgpctl/{room}/" not in section(page("architecture"), "Where things are")
    ]

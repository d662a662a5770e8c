"""Text of flags -> values, and what is said about bad ones."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
import typer

from bgpctl.cli import parse
from bgpctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("1h", 3600),
        ("1h30m", 5400),
        ("45", 45),
        ("0", 0),
        ("500ms", 0.5),
        ("1.5m", 90),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5x", "m", "10 m", "-5", "1m30", "inf", "nan", "1h-5m", "٣s"])
def test_bad_durations_name_what_is_allowed(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"30s, 10m, 1h, 1h30m or a number of seconds"):
        parse.duration(text)


@pytest.mark.parametrize("text", ["0", "0s", "0h0m"])
def test_a_timeout_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="longer than 0"):
        parse.positive_duration(text)


@pytest.mark.parametrize(
    "text", ["enable-bgp=false", "example.com/enable-bgp=", "enable-bgp-", "a.b/c=D_e.f-1"]
)
def test_label_changes(text: str) -> None:
    assert parse.label_change(text) == text


@pytest.mark.parametrize(
    "text", ["enable-bgp", "=false", "-", "a=b=c", "a b=c", "Example.com/x=1", "k=" + "x" * 64]
)
def test_bad_label_changes(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse.label_change(text)


def test_a_command_line_is_split_as_a_shell_would() -> None:
    assert parse.command_line("ssh '{node}' \"power off\"") == ("ssh", "{node}", "power off")


@pytest.mark.parametrize("text", ["", "  ", "ssh 'x"])
def test_bad_command_lines(text: str) -> None:
    with pytest.raises(UsageError, match="--shutdown-command"):
        parse.command_line(text)


@pytest.mark.parametrize("text", ["ssh {nod} poweroff", "ssh {Node} x", "ssh {nodes} x"])
def test_a_mistyped_placeholder_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"name is \{node\}"):
        parse.command_line(text)
    assert parse.command_line("awk '{print}' ${NODE}")


def test_addresses() -> None:
    assert parse.ip("2001:db8::1") == ip_address("2001:db8::1")
    with pytest.raises(UsageError, match="not an IP address"):
        parse.ip("localhost")


def test_peer_profiles_by_address() -> None:
    found = parse.profiles(["192.0.2.1=bird", "2001:DB8::1=stale:300"])
    assert found["192.0.2.1"].name == "bird2"
    assert found["2001:db8::1"].stale_cap == 300
    with pytest.raises(UsageError, match="no router profile"):
        parse.profiles(["192.0.2.1=nonsense"])

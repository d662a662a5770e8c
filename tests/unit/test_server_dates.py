"""Dates of an API server are GMT, wherever the machine is that reads them."""

from __future__ import annotations

import time

import pytest

from bgpctl.core.timing.servertime import epoch


@pytest.mark.parametrize("zone", ["UTC0", "JST-9", "PET5"])
def test_a_date_is_gmt(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert epoch("Fri, 15 Jan 2027 08:00:00 GMT") == 1_800_000_000.0
    finally:
        monkeypatch.undo()
        time.tzset()


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def test_every_month() -> None:
    found = [epoch(f"Fri, 15 {month} 2027 08:00:00 GMT") for month in MONTHS]
    assert [time.gmtime(instant)[:3] for instant in found] == [(2027, n, 15) for n in range(1, 13)]


@pytest.mark.parametrize(("year", "known"), [(2019, False), (2020, True), (2199, True), (2200, False)])
def test_years_in_which_api_servers_run(year: int, known: bool) -> None:
    assert (epoch(f"Fri, 15 Jan {year} 08:00:00 GMT") is not None) is known

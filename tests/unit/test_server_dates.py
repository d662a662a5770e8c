"""Dates of an API server are GMT, wherever the machine is that reads them."""

from __future__ import annotations

import time

import pytest

from bgpctl.core.servertime import epoch


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Lima"])
def test_a_date_is_gmt(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert epoch("Fri, 15 Jan 2027 08:00:00 GMT") == 1_800_000_000.0
    finally:
        monkeypatch.undo()
        time.tzset()

"""A tier that cannot run is skipped and told at the end; under BGPCTL_REQUIRE=all it fails."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support import require

ALL = tuple(require.PARTS)
HERE, GONE = require.Part(lambda: True, "nothing"), require.Part(lambda: False, "apt install gone")


@pytest.fixture(autouse=True)
def two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts, one of them missing."""
    monkeypatch.setattr(require, "PARTS", {"here": HERE, "gone": GONE})
    monkeypatch.delenv(require.VARIABLE, raising=False)


def test_what_is_there_lets_the_test_run() -> None:
    require.require("here")


def test_what_is_missing_skips_and_is_counted() -> None:
    reasons = []
    for _ in range(2):
        with pytest.raises(pytest.skip.Exception, match="apt install gone") as skipped:
            require.require("here", "gone")
        reasons.append(f"Skipped: {skipped.value}")
    assert require.missing([*reasons, "Skipped: not today", "Skipped: a file is missing: x"]) == {"gone": 2}


def test_what_is_missing_fails_when_all_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(require.VARIABLE, "all")
    with pytest.raises(pytest.fail.Exception, match="gone is missing"):
        require.require("gone")


def test_the_closing_block_names_the_parts_and_the_remedy() -> None:
    assert require.closing_block(Counter()) == []
    assert require.closing_block(Counter(gone=1, here=3)) == [
        "this run did not test: gone, here",
        "  gone (1 test): apt install gone",
        "  here (3 tests): nothing",
    ]


def test_every_router_of_the_lab_is_a_part() -> None:
    assert {"bird", "frr", "gobgp", "openbgpd", "exabgp"} <= set(ALL)

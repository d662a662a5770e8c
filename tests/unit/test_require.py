"""A tier that cannot run is skipped and told at the end; under BGPCTL_REQUIRE=all it fails."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support import require

HERE, GONE = require.Part(lambda: True, "nothing"), require.Part(lambda: False, "apt install gone")


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Two parts, one of them missing, and a count of its own."""
    counts: Counter[str] = Counter()
    monkeypatch.setattr(require, "PARTS", {"here": HERE, "gone": GONE})
    monkeypatch.setattr(require, "missing", counts)
    monkeypatch.delenv(require.VARIABLE, raising=False)
    return counts


def test_what_is_there_lets_the_test_run(missing: Counter[str]) -> None:
    require.require("here")
    assert not missing


def test_what_is_missing_skips_and_is_counted(missing: Counter[str]) -> None:
    for _ in range(2):
        with pytest.raises(pytest.skip.Exception, match="apt install gone"):
            require.require("here", "gone")
    assert missing == {"gone": 2}


def test_what_is_missing_fails_when_all_is_required(
    missing: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(require.VARIABLE, "all")
    with pytest.raises(pytest.fail.Exception, match="gone is missing"):
        require.require("gone")
    assert not missing


def test_the_closing_block_names_the_parts_and_the_remedy(missing: Counter[str]) -> None:
    assert require.closing_block(missing) == []
    missing["gone"] = 1
    missing["here"] = 3
    assert require.closing_block(missing) == [
        "this run did not test: gone, here",
        "  gone (1 test): apt install gone",
        "  here (3 tests): nothing",
    ]


def test_every_router_of_the_lab_is_a_part() -> None:
    assert {"bird", "frr", "gobgp", "openbgpd", "exabgp"} <= set(require.PARTS)

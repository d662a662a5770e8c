"""What traffic costs: requests and answers -> how many were lost; results -> table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bgpctl.lab.traffic.counting import Lost, Request, answered, lost
from tests.traffic import table
from tests.traffic.cells import Cell, Way
from tests.traffic.counting import complaints
from tests.traffic.result import Result

REQUESTS = [
    Request(at, node) for at, node in zip((0, 1, 2, 3, 4.5, 5), ("a", "b", "", "a", "", "a"), strict=True)
]


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        (0.0, 2.0, Lost(2, 0)),
        (0.0, 6.0, Lost(6, 2, 2.5)),
        (2.0, 3.0, Lost(1, 1)),
        (9.0, 10.0, Lost()),
    ],
)
def test_what_was_not_answered_is_lost(begin: float, end: float, found: Lost) -> None:
    assert lost(REQUESTS, begin, end) == found


def test_who_answered() -> None:
    assert answered(REQUESTS, "b", 0, 2)
    assert not answered(REQUESTS, "b", 2, 9)


@pytest.mark.parametrize(
    ("promised", "silent", "before", "leave", "back", "words"),
    [
        (True, False, 0, 0, 0, []),
        (True, False, 1, 0, 0, ["1 of 9 were lost before anything happened"]),
        (True, False, 0, 2, 3, ["2 were lost on leave and 3 on return: none may be"]),
        (False, False, 0, 2, 3, []),
        (False, True, 0, 2, 0, []),
        (
            False,
            True,
            0,
            0,
            0,
            ["a power cut lost nothing: the node had no requests, or nobody looked"],
        ),
    ],
)
def test_complaints(
    promised: bool, silent: bool, before: int, leave: int, back: int, words: list[str]
) -> None:
    counts = (Lost(9, number) for number in (before, leave, back))
    assert complaints(promised, *counts, silent=silent) == words


def test_a_refused_drain_has_a_row_of_its_own() -> None:
    *_, row = table.markdown([Result("bird", "kube-router", Way.DRAIN, Lost(3000), Lost(2000))])
    leaves = "what `node drain` says when it refuses: stopped, then waited"
    assert row == f"| `kube-router` | {leaves} | 0 of 3000 | 0 of 2000 |"


RESULTS = [
    Result("bird", "bgpctl", Way.DRAIN, Lost(3000), Lost(2000)),
    Result("bird", "bgpctl", Way.STOP, Lost(9000, 2700, 20.0), Lost(2000, 7, 0.1), endless=True),
    Result.broken(Cell("frr", "bgpctl", Way.STOP), "no router"),
]


def test_the_table_has_a_row_for_each_way_that_was_run() -> None:
    assert list(table.markdown(RESULTS)) == [
        "| nodes of | leaves by | BIRD, on leave | BIRD, on return | FRR, on leave | FRR, on return |",
        "|---|---|---|---|---|---|",
        "| `bgpctl` | `bgpctl node drain`, `node restore` | 0 of 3000 | 0 of 2000 | not run | not run |",
        "| `bgpctl` | its BGP stopped | 2700 (20.0 s)… | 7 (0.1 s) | FAILED | FAILED |",
    ]


def test_what_was_not_as_promised_is_named() -> None:
    assert list(table.summary(RESULTS)) == [
        "3 cells, 1 not as promised (a drain loses nothing, a power-off some).",
        "- frr / bgpctl / stop: it could not be run: no router",
    ]


def test_the_document_is_written_between_its_marks_and_again() -> None:
    document = Path("docs/traffic.md").read_text()
    once = table.written(document, RESULTS, "here")
    assert "0 of 3000" in once and "2700 (20.0 s)…" in once and "## How it is measured" in once
    assert table.written(once, RESULTS, "here") == once


def test_a_result_survives_its_json() -> None:
    for result in RESULTS:
        assert Result.from_json(result.to_json()) == result

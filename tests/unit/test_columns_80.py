"""Nothing is wider than a terminal of 80 columns but what is not broken: a word, a command to paste."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.state import NodeState
from bgpctl.render import estimate, node, peers, routes, runbook, speaker
from bgpctl.render.columns import table
from bgpctl.render.text import Line, Span, folded, line, plain, prose
from tests.support.golden import check_golden
from tests.support.node_states import peer, state
from tests.unit import test_out_node, test_out_peers, test_out_runbook, test_routes_seen
from tests.unit.test_out_peers import NOW

COLUMNS = 80
HELD = (
    "2 pods left: default/web-1 (PodDisruptionBudget web needs 2 ready replicas, and 2 are), "
    "kube-system/a-deployment-with-a-long-name-5d8f7c9b6d-x2x4z"
)


def steps() -> list[Line]:
    """A drain's lines where nothing is redrawn."""
    printer, one = runbook.PlainLines(), test_out_runbook.event
    events = (*test_out_runbook.EVENTS, one(4.0, "Evicted", "waiting", HELD, eta=65))
    shown = (printer.line(event) for event in events)
    return [row for told in shown if told for row in folded(told, COLUMNS, runbook.HANG)]


def board() -> list[Line]:
    """The same, redrawn."""
    drawn = test_out_runbook.board(7)
    drawn.apply(test_out_runbook.event(4.0, "Evicted", "waiting", HELD, eta=65))
    return drawn.lines(test_out_runbook.AT + 5, COLUMNS)


def told() -> NodeState:
    return state(
        "worker-1", NOW, peer(NOW), problems=("Secret kube-system/bgp-password is missing: " + HELD,)
    )


def spoken(wide: bool) -> Iterable[Line]:
    shown = routes.Shown((test_routes_seen.spoken(),), absent=True)
    return routes.text(shown, wide=wide, columns=COLUMNS)


SCREENS: dict[str, Callable[[], Iterable[Line]]] = {
    "node_status": lambda: node.text(test_out_node.reports(), NOW, COLUMNS),
    "node_estimate": lambda: estimate.text("worker-1", test_out_node.ESTIMATES, COLUMNS),
    "peers_status": lambda: peers.text(test_out_peers.zoo(), width=COLUMNS),
    "peers_status_wide": lambda: peers.text(test_out_peers.zoo(), wide=True, width=COLUMNS),
    "routes": lambda: spoken(wide=False),
    "routes_wide": lambda: spoken(wide=True),
    "speaker_status": lambda: speaker.text(told(), "/run/bgpctl/" + "directory-" * 3, NOW, COLUMNS),
    "drain_steps": steps,
    "drain_board": board,
}


@pytest.mark.parametrize("name", SCREENS)
def test_at_80_columns(name: str) -> None:
    shown = list(SCREENS[name]())
    check_golden(f"{name}_80_columns.txt", shown)
    rows = [plain(row) for row in shown]
    assert [row for row in rows if len(row) > COLUMNS and not re.match(r" +(bgpctl|kubectl) ", row)] == []


NARROW = 40


@pytest.mark.parametrize("name", SCREENS)
def test_at_40_columns_only_what_is_not_broken_is_wider(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word, a command to paste, or a row of a table whose cells are no texts."""
    monkeypatch.setitem(globals(), "COLUMNS", NARROW)
    rows = [plain(row) for row in SCREENS[name]()]
    wide = [row for row in rows if len(row) > NARROW and not re.match(r" +(bgpctl|kubectl) ", row)]
    assert [row for row in wide if len(row.split()) > 1 and not re.search(r"\S  +\S", row.strip())] == []


Cells = list[list[str]]
words = st.text("abc 1:", min_size=0, max_size=60)


@given(st.lists(st.lists(words, min_size=4, max_size=4), max_size=5), st.integers(60, 120))
def test_a_table_is_as_wide_as_it_may_be_and_whole(rows: Cells, width: int) -> None:
    shown = [plain(row) for row in table(("NODE", "PEER", "STATE", "WHY"), rows, ("PEER",), width)]
    assert not [row for row in shown if len(row) > width and max(map(len, row.split())) < width - 40]
    out = "\n".join(shown)
    assert all(word in out for row in rows for cell in row for word in cell.split())


def test_columns_that_do_not_fit_come_below_under_their_names() -> None:
    rows = [["worker-1", "x" * 30, "y" * 30, "7"], ["w", "-", "-", "-"], ["", "", "z", ""]]
    assert [plain(row) for row in table(("NODE", "ONE", "OTHER", "COUNT"), rows, ("COUNT",), 60, "-")] == [
        "NODE      ONE",
        "    OTHER                           COUNT",
        f"worker-1  {'x' * 30}",
        f"    {'y' * 30}      7",
        "w         -",
        "    z",
    ]


def test_a_deck_on_which_no_row_says_anything_is_left_out() -> None:
    rows = [["worker-1", "x" * 30, "-"], ["worker-2", "-", ""]]
    names = ("NODE", "SESSIONS", "A RUN THAT WAS BEGUN")
    assert [plain(row) for row in table(names, rows, width=50, nothing="-")] == [
        "NODE      SESSIONS",
        f"worker-1  {'x' * 30}",
        "worker-2  -",
    ]
    assert "A RUN" in "".join(map(plain, table(names, rows, nothing="-"))), "not where scripts cut columns"


@given(words, st.integers(0, 20), st.integers(60, 100))
def test_what_is_folded_reads_on(text: str, hang: int, width: int) -> None:
    row = line(Span("#" * hang, "dim"), Span(text[:7], "bold"), text[7:])
    shown = folded(row, width, hang)
    first, *rest = (plain(one) for one in shown)
    assert " ".join((first[hang:], *rest)).split() == text.split()
    assert all(one.startswith(" " * min(hang, 2)) for one in rest)
    if len(shown) > 1:
        styles: Any = {span.style for one in shown for span in one if span.text.strip("# ")}
        assert styles <= {"bold", ""}


def test_a_sentence_goes_on_a_bit_to_the_right() -> None:
    assert [plain(row) for row in prose("one two three " * 5, 40)] == [
        "one two three one two three one two",
        "  three one two three one two three",
    ]
    assert [plain(row) for row in prose("one two", None)] == ["one two"]

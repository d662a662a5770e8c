"""Lines, tables and units: aligned, never cut, nothing a terminal would obey."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.render import units
from bgpctl.render.columns import table
from bgpctl.render.text import Span, hint_lines, line, plain, printable, wrapped


def shown(*args: object, **kwargs: object) -> list[str]:
    return [plain(row) for row in table(*args, **kwargs)]  # type: ignore[arg-type]


def test_columns_are_aligned_and_numbers_flush_right() -> None:
    rows = [["worker-1", "4", "yes"], ["w", "12", Span("no", "accent")]]
    assert shown(("NODE", "ROUTES", "UP"), rows, ("ROUTES",)) == [
        "NODE      ROUTES  UP",
        "worker-1       4  yes",
        "w             12  no",
    ]


def test_a_long_text_goes_on_below_itself() -> None:
    why = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff does not answer although it was asked twice in a row"
    assert shown(("PEER", "WHY"), [["a", why], ["b", ""]], width=10) == [
        "PEER  WHY",
        "a     2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "      does not answer",
        "      although it was",
        "      asked twice in a row",
        "b",
    ]


@given(st.lists(st.lists(st.text(min_size=1), min_size=3, max_size=3), max_size=6), st.integers(1, 200))
def test_no_cell_is_ever_cut(rows: list[list[str]], width: int) -> None:
    """Folding breaks at blanks only: every word of every cell is on a line of its own, whole."""
    out = "\n".join(shown(("A", "B", "C"), rows, width=width))
    for row in rows:
        for cell in row:
            assert all(word in out for word in printable(cell).split())


@given(st.text())
def test_nothing_printable_drives_a_terminal(text: str) -> None:
    assert printable(text).isprintable()


def test_escapes_stay_visible() -> None:
    assert printable("bye\x1b[2J\nnow") == "bye\\x1b[2J now"
    assert plain(line("a", Span("b\x07", "bold"))) == "ab\\x07"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.021, "0.02 s"),
        (0.2, "0.2 s"),
        (5.0, "5 s"),
        (42.4, "42 s"),
        (125, "2m5s"),
        (3600, "1h"),
        (93784, "1d2h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert units.duration(seconds) == words


def test_more_units() -> None:
    assert units.duration(inf) == "for ever"
    assert units.duration(-0.3) == "0 s"
    assert [units.age(value) for value in (-1, 0.9, 59, 60, 3725)] == ["0s", "0s", "59s", "1m", "1h2m"]
    assert [units.stopwatch(value) for value in (0.04, 59.9, 61)] == ["0.0 s", "59.9 s", "1m1s"]
    assert units.clock(1.5) == "00:00:01.500"
    assert units.day(86400) == "1970-01-02"
    assert units.rfc3339(1.5) == "1970-01-01T00:00:01.500Z"
    assert units.rfc3339(0.0) is None
    assert [units.count(value, "route") for value in (0, 1, 2)] == ["0 routes", "1 route", "2 routes"]


COMMAND = "bgpctl node drain worker-1 --order withdraw-first --shutdown-command 'ssh {node} sudo poweroff'"


@pytest.mark.parametrize("width", [None, 40, 80])
def test_a_command_in_a_hint_is_never_broken(width: int | None) -> None:
    hint = f"nothing is lost, and the node stays as it is now; to go on anyway: {COMMAND}\nelse wait for it"
    shown = hint_lines(hint, width)
    assert f"        {COMMAND}" in shown
    prose = [row for row in shown if COMMAND not in row]
    assert (
        " ".join(row.strip() for row in prose)
        == f"hint: {hint.replace(f' {COMMAND}', ' ').replace(chr(10), '')}"
    )
    assert shown[0].startswith("hint: ") and all(row.startswith("      ") for row in shown[1:])
    assert width is None or all(len(row) <= max(width, 46) for row in prose)


def test_prose_wraps_at_words_and_around_commands() -> None:
    text = "see `kubectl get bgpnodestate n1 -o yaml`; where none runs, `kubectl delete bgpnodestate n1`"
    rows = wrapped(text, 60)
    assert " ".join(rows) == text
    assert len(rows) > 1 and all(row.count("`") % 2 == 0 for row in rows), "none is broken"
    assert wrapped("\x1b[2J", 60) == ["\\x1b[2J"] and hint_lines("") == []

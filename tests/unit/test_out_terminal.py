"""Colours and redrawing only where there is a terminal that wants them: tried on a real pseudo-terminal."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from bgpctl.render import runbook, terminal
from bgpctl.render.text import Span, line
from tests.unit.test_out_runbook import DONE, EVENTS, event, run

LINES = [line(Span("NODE", "dim"), "  ", Span("worker-1", "accent")), line("2001:db8:ffff:ffff::1 " * 4)]


@contextmanager
def pseudo_terminal(
    monkeypatch: pytest.MonkeyPatch, **environment: str
) -> Iterator[tuple[TextIO, list[bytes]]]:
    """A terminal to write to; what reached it is in the list afterwards."""
    for name in ("NO_COLOR", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    master, slave = os.openpty()
    seen: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(master, seen), daemon=True)
    reader.start()
    try:
        with os.fdopen(slave, "w", encoding="utf-8") as stream:
            yield stream, seen
        reader.join(10)
    finally:
        os.close(master)


def _drain(master: int, seen: list[bytes]) -> None:
    try:
        while chunk := os.read(master, 65536):
            seen.append(chunk)
    except OSError:
        return  # the writer closed: how Linux ends a pseudo-terminal


def written(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    with pseudo_terminal(monkeypatch, **environment) as (stream, seen):
        terminal.write(LINES, stream)
    return b"".join(seen).decode()


def test_a_terminal_gets_one_accent_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[36mworker-1\x1b[0m" in written(monkeypatch)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_plain_when_asked(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    assert "\x1b" not in written(monkeypatch, **environment)


def test_nothing_is_cut_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(monkeypatch, COLUMNS="20").count("2001:db8:ffff:ffff::1") == 4


def test_a_pipe_gets_plain_text() -> None:
    pipe = io.StringIO()
    terminal.write(LINES, pipe)
    assert pipe.getvalue().splitlines()[0] == "NODE  worker-1"


def test_the_width_to_fold_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert terminal.width(io.StringIO()) is None
    monkeypatch.setenv("COLUMNS", "77")
    assert terminal.width(io.StringIO()) == 77
    monkeypatch.setenv("COLUMNS", "wide")
    assert terminal.width(io.StringIO()) is None


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_terminal_is_folded_at_its_width_whatever_it_can_draw(
    monkeypatch: pytest.MonkeyPatch, term: str
) -> None:
    with pseudo_terminal(monkeypatch, TERM=term) as (stream, _):
        assert terminal.width(stream) == 80


def test_a_run_is_redrawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with pseudo_terminal(monkeypatch) as (stream, seen):
        monkeypatch.setattr("sys.stdout", stream)
        assert runbook.follow_text(run(DONE), "drain worker-1") is DONE
        monkeypatch.undo()
    shown = b"".join(seen).decode()
    assert "✓ Cordoned" in shown
    assert "✓ Evicted" in shown
    folded = [row.strip("\x1b[0123456789;m\r ") for row in shown.rstrip().splitlines()[-2:]]
    assert " ".join(folded) == DONE.message, "at 80 columns, whole"


def test_a_note_stays_above_what_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is to be read: the step's next words must not take its place."""
    note = event(0, "Claimed", "acting", "as the run before was asked to: --force", "note")
    with pseudo_terminal(monkeypatch) as (stream, seen):
        monkeypatch.setattr("sys.stdout", stream)
        runbook.follow_text(run(DONE, (note, *EVENTS)), "drain worker-1")
        monkeypatch.undo()
    before, _, after = b"".join(seen).decode().partition("as the run before was asked to: --force")
    assert "✓ Cordoned" in after and "Cordoned" not in before

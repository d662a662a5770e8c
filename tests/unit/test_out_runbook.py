"""A run as plain lines, as JSON lines and on the board; its last line is the one that counts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.errors import Exit
from bgpctl.render import runbook
from bgpctl.render.board import Board
from bgpctl.render.heard import silence
from bgpctl.render.text import plain
from bgpctl.runbooks.model import Event, Result, StepReport
from bgpctl.runbooks.moments import Moment

BLOCKING = "1 pod left: default/db (PodDisruptionBudget db)"
AT = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


def event(
    seconds: float, step: str, state: str, text: str, kind: str = "step", eta: float | None = None
) -> Event:
    return Event(AT + seconds, kind, step, step.lower(), state, text, AT + eta if eta else None)


EVENTS = (
    event(0, "Cordoned", "pending", ""),
    event(0, "Cordoned", "acting", "the node takes pods"),
    event(0.1, "Cordoned", "acting", "cordon", "action"),
    event(0.2, "Cordoned", "done", "cordoned"),
    event(0.3, "Evicted", "acting", "2 pods left"),
    event(0.4, "Evicted", "acting", "evict pod default/web\x1b[2J", "action"),
    event(1.0, "Evicted", "waiting", BLOCKING, eta=61),
    event(1.5, "Evicted", "waiting", BLOCKING, eta=61),
    event(3.1, "Evicted", "done", "2 pods gone in 2.8 s"),
)
DONE = Result(
    "drain",
    "worker-1",
    "done",
    "worker-1: safe to power off — 4 routes gone, confirmed by bird 192.0.2.1 (0.21 s after relabel)",
    run="1a2b3c4d",
    proof="confirmed",
    started_at=AT,
    ended_at=AT + 4,
    steps=(StepReport("Cordoned", "cordoned", "done", "cordoned", AT, AT + 0.2),),
    evidence={"by": "bird 192.0.2.1", "routes": 4},
)
BLOCKED = Result("drain", "worker-1", "blocked", "pod default/db may not go", hint="pass --force")


def run(result: Result, events: tuple[Event, ...] = EVENTS) -> Generator[Event, None, Result]:
    yield from events
    return result


@contextmanager
def piped(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard output is a pipe; yields the end that somebody may read, and closes."""
    reader, writer = os.pipe()
    with open(writer, "w") as stream, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream)
        yield reader


def test_who_has_seen_enough_is_not_told_the_timeline(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with piped(monkeypatch) as reader:
        result = replace(DONE, timeline=(Moment(AT, "the drain began", "bgpctl"),))
        runbook.RENDERERS["text"](leaving(result, reader), "drain worker-1")
    assert capsys.readouterr().err.splitlines()[1:] == [DONE.message]


def leaving(result: Result, reader: int) -> Generator[Event, None, Result]:
    """A run whose reader goes away after its first event."""
    for number, one in enumerate(EVENTS):
        if number == 3:
            os.close(reader)
        yield one
    return result


@pytest.mark.parametrize("output", sorted(runbook.RENDERERS))
def test_a_run_goes_on_without_its_reader_and_says_how_it_ended(
    output: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with piped(monkeypatch) as reader:
        assert runbook.RENDERERS[output](leaving(DONE, reader), "drain worker-1") is DONE
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "warning: standard output was closed: the run goes on; how it ends is said here",
        DONE.message,
    ]


@pytest.mark.parametrize("output", sorted(runbook.RENDERERS))
def test_a_run_begins_without_a_reader(
    output: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`node drain … | true`: as `| head -1`, whichever of the two is faster."""
    with piped(monkeypatch) as reader:
        os.close(reader)
        assert runbook.RENDERERS[output](run(DONE), "drain worker-1") is DONE
    assert capsys.readouterr().err.splitlines()[-1] == DONE.message


def test_a_terminal_that_goes_away_is_no_end_of_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """rich ends the program at a closed pipe, by itself and without a word."""
    monkeypatch.setattr(runbook, "interactive", lambda: True)
    with piped(monkeypatch) as reader:
        assert runbook.follow_text(leaving(DONE, reader), "drain worker-1") is DONE
    assert capsys.readouterr().err.splitlines()[-1] == DONE.message


@pytest.mark.parametrize("output", sorted(runbook.RENDERERS))
def test_a_plan_whose_reader_has_seen_enough_ends_as_it_would_have(
    output: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`node drain … --dry-run | head -1`: quietly, and the exit code is that of the whole plan."""
    with piped(monkeypatch) as reader:
        assert runbook.RENDERERS[output](leaving(BLOCKED, reader), "plan", plan=True) is BLOCKED
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("output", sorted(runbook.RENDERERS))
def test_a_plan_that_nobody_can_read_has_failed(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="No space left"):
            runbook.RENDERERS[output](run(BLOCKED), "plan", plan=True)
        silence()  # as whoever catches it does


def test_a_run_goes_on_when_the_disk_is_full(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert runbook.RENDERERS["json"](run(BLOCKED), "drain") is BLOCKED
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("warning: standard output fails (No space left on device): the run goes on")
    assert said[1:] == ["worker-1: blocked: pod default/db may not go", "hint: pass --force"]


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert runbook.RENDERERS["text"](run(DONE), "drain worker-1") is DONE
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("drain worker-1  2")
    assert first.endswith(", times are UTC")
    assert rest == [
        "08:00:00.100  Cordoned     acting    cordon",
        "08:00:00.200  Cordoned     done      cordoned",
        "08:00:00.400  Evicted      acting    evict pod default/web\\x1b[2J",
        f"08:00:01.000  Evicted      waiting   {BLOCKING} (at most 1m more)",
        "08:00:03.100  Evicted      done      2 pods gone in 2.8 s",
        "",
        "worker-1: safe to power off — 4 routes gone, confirmed by bird 192.0.2.1 (0.21 s after relabel)",
    ]


STILL = Event(AT + 11, "still", "Evicted", "evicted", "waiting", BLOCKING, AT + 61, AT + 600)


def test_a_pipe_is_told_every_while_what_is_waited_for_and_when_it_gives_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    waiting, again = EVENTS[6], replace(STILL, at=AT + 21, eta=None, until=None)
    runbook.RENDERERS["text"](run(BLOCKED, (waiting, STILL, again, waiting)), "drain worker-1")
    assert capsys.readouterr().out.splitlines()[1:4] == [
        f"08:00:01.000  Evicted      waiting   {BLOCKING} (at most 1m more)",
        f"08:00:11.000  Evicted      waiting   still: {BLOCKING}, until 08:01:01; gives up at 08:10:00",
        f"08:00:21.000  Evicted      waiting   still: {BLOCKING}",
    ]
    runbook.RENDERERS["json"](run(BLOCKED, (STILL,)), "drain worker-1")
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["kind"], first["givesUp"]) == ("still", "2027-01-15T08:10:00.000Z")
    assert "givesUp" not in runbook.event_document(waiting)


def test_a_run_that_did_not_finish_ends_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert runbook.RENDERERS["text"](run(BLOCKED, ()), "drain worker-1").exit_code is Exit.BLOCKED
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "worker-1: blocked: pod default/db may not go",
        "hint: pass --force",
    ]


@pytest.mark.parametrize("proof", ["confirmed", "estimated"])
def test_the_last_line_always_names_the_proof(proof: str) -> None:
    result = Result("drain", "w", "done", "w: safe to power off", proof=proof)
    assert plain(runbook.result_lines(result)[-1]) == f"w: safe to power off ({proof})"


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    runbook.RENDERERS["json"](run(DONE), "drain worker-1")
    *events, last = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert len(events) == len(EVENTS)
    assert events[6] == {
        "schema": "bgpctl/v1",
        "type": "event",
        "time": "2027-01-15T08:00:01.000Z",
        "kind": "step",
        "step": "Evicted",
        "title": "evicted",
        "state": "waiting",
        "text": BLOCKING,
        "eta": "2027-01-15T08:01:01.000Z",
    }
    assert last == {
        "schema": "bgpctl/v1",
        "command": "node drain",
        "status": "done",
        "type": "result",
        "node": "worker-1",
        "run": "1a2b3c4d",
        "proof": "confirmed",
        "message": DONE.message,
        "startedAt": "2027-01-15T08:00:00.000Z",
        "endedAt": "2027-01-15T08:00:04.000Z",
        "steps": [
            {
                "step": "Cordoned",
                "title": "cordoned",
                "state": "done",
                "text": "cordoned",
                "startedAt": "2027-01-15T08:00:00.000Z",
                "endedAt": "2027-01-15T08:00:00.200Z",
            }
        ],
        "evidence": {"by": "bird 192.0.2.1", "routes": 4},
    }


def test_the_run_is_closed_when_showing_fails() -> None:
    closed: list[str] = []

    def watched() -> Generator[Event, None, Result]:
        try:
            yield EVENTS[0]
        finally:
            closed.append("yes")
        raise AssertionError("a closed run goes no further")

    def show(_: Event) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        runbook.drive(watched(), show)
    assert closed == ["yes"]


def test_a_control_c_while_an_event_is_shown_ends_the_run_in_its_own_words() -> None:
    shown: list[str] = []

    def waiting() -> Generator[Event, None, Result]:
        try:
            yield EVENTS[6]
        except KeyboardInterrupt:
            yield EVENTS[8]
            return replace(BLOCKED, status="interrupted", message=f"interrupted at Evicted: {BLOCKING}")
        raise AssertionError("it does not go on")

    def show(event: Event) -> None:
        shown.append(event.state)
        if event is EVENTS[6]:
            raise KeyboardInterrupt

    result = runbook.drive(waiting(), show)
    assert (result.exit_code, result.message) == (Exit.INTERRUPTED, f"interrupted at Evicted: {BLOCKING}")
    assert shown == ["waiting", "done"]


def board(count: int) -> Board:
    shown = Board()
    shown.apply(event(0, "Deselected", "pending", ""))
    for one in EVENTS[:count]:
        shown.apply(one)
    return shown


@pytest.mark.parametrize(
    ("count", "now", "lines"),
    [
        (1, 0.0, ["· Deselected", "· Cordoned"]),
        (3, 0.1, ["· Deselected", "⠋ Cordoned     0.1 s  cordon"]),
        (
            7,
            2.0,
            [
                "· Deselected",
                "✓ Cordoned     0.2 s  cordoned",
                f"⠴ Evicted      1.7 s  {BLOCKING} (at most 59 s more)",
            ],
        ),
        (
            9,
            99.0,
            ["· Deselected", "✓ Cordoned     0.2 s  cordoned", "✓ Evicted      2.8 s  2 pods gone in 2.8 s"],
        ),
    ],
)
def test_board(count: int, now: float, lines: list[str]) -> None:
    found = [plain(row) for row in board(count).lines(AT + now)]
    # the spinner's phase is a matter of taste
    assert [row[1:] for row in found] == [row[1:] for row in lines]
    assert [row[0] for row in found if row[0] in "·✓✗"] == [row[0] for row in lines if row[0] in "·✓✗"]


def test_the_board_has_every_step_from_the_start_and_when_it_gives_up() -> None:
    shown = Board()
    shown.apply(replace(event(0, "", "pending", "Cordoned Evicted Settled", "steps"), until=AT + 150))
    for one in EVENTS[1:7]:
        shown.apply(one)
    assert [plain(row)[1:] for row in shown.lines(AT + 2)] == [
        " Cordoned   0.2 s  cordoned",
        f" Evicted    1.7 s  {BLOCKING} (at most 59 s more)",
        " Settled",
        " gives up in 2m28s; ^C is safe: the same command goes on",
    ]
    assert {span.style for span in shown.lines(AT + 2)[2] if span.text.strip()} == {"dim"}
    assert plain(shown.lines(AT + 2.1)[1]).endswith("(at most 59 s more)"), "whole seconds"
    assert plain(shown.lines(AT + 60.5)[1]).endswith("(at most 1 s more)")
    shown.end()
    assert plain(shown.lines(AT + 3)[-1]) == "· Settled"


def test_without_a_deadline_nothing_gives_up() -> None:
    shown = Board()
    shown.apply(event(0, "", "pending", "Cordoned", "steps"))
    assert plain(shown.lines(AT)[-1]) == "  ^C is safe: the same command goes on"


def test_a_drain_ends_with_its_timeline(capsys: pytest.CaptureFixture[str]) -> None:
    began = (Moment(AT, "the drain began", "bgpctl"), Moment(AT + 1.25, "the last route is gone", "bird x"))
    result = replace(DONE, timeline=(*began, Moment(AT - 0.5, "every Cease is sent", "speaker")))
    assert runbook.RENDERERS["text"](run(result), "drain worker-1") is result
    assert capsys.readouterr().out.splitlines()[-6:] == [
        "timeline  from 2027-01-15 08:00:00.000 UTC",
        "   +0 s  the drain began  (bgpctl)",
        "+1.25 s  the last route is gone  (bird x)",
        " -0.5 s  every Cease is sent  (speaker)",
        "",
        DONE.message,
    ]
    runbook.RENDERERS["json"](run(result), "drain worker-1")
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["timeline"][1] == {
        "time": "2027-01-15T08:00:01.250Z",
        "what": "the last route is gone",
        "by": "bird x",
    }


def test_board_marks_a_failed_step() -> None:
    shown = Board()
    shown.apply(event(0, "Evicted", "blocked", "PodDisruptionBudget db"))
    assert plain(shown.lines(AT)[0]).startswith("✗ Evicted")


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_the_board_counts_by_the_runs_clock(ahead: float) -> None:
    """Ours may be an hour off, and another kind of clock at that."""
    shown, ours = Board(), 500.0 + ahead
    shown.tell(EVENTS[6], ours)
    (row,) = (plain(line) for line in shown.lines(shown.now(ours + 2.0)))
    assert row[1:].split() == f" Evicted 2.0 s {BLOCKING} (at most 58 s more)".split()


def test_a_wait_that_goes_on_is_still_the_same_wait_on_the_board() -> None:
    shown = board(7)
    shown.apply(STILL)
    assert plain(shown.lines(AT + 12)[2])[1:] == f" Evicted     11.7 s  {BLOCKING} (at most 49 s more)"


def test_the_spinner_turns() -> None:
    symbols: set[Any] = {plain(board(7).lines(AT + 1 + n / 8)[2])[0] for n in range(10)}
    assert len(symbols) == 10


def test_a_long_title_is_whole_at_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runbook, "width", lambda: 80)
    title = f"plan: upgrade the speakers to quay.io/example/{'speaker' * 3}:v1.18.1"
    runbook.follow_text(run(DONE), title)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert len(first) <= 80 and first.startswith("plan: upgrade") and second.startswith("  ")

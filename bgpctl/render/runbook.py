"""A run as it happens: redrawn on a terminal, one line per event in a pipe, one object per event as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from bgpctl.render import units
from bgpctl.render.board import Board
from bgpctl.render.envelope import SCHEMA, Document, envelope, present, write_json
from bgpctl.render.heard import Listener
from bgpctl.render.terminal import console, interactive, rich_text, width, write
from bgpctl.render.text import Line, Span, folded, hint_lines, line, plain, prose

if TYPE_CHECKING:
    from rich.text import Text

    from bgpctl.runbooks.model import Event, Result, StepReport
    from bgpctl.runbooks.moments import Moment

    Run = Generator[Event, None, Result]

REFRESH_PER_SECOND = 8

_UNFINISHED = ("blocked", "deadline", "failed", "interrupted")


def drive(run: Run, show: Callable[[Event], None], begin: Callable[[], None] = lambda: None) -> Result:
    """Every event to `show`, then the result; `begin` once there is a first one: a run that is refused for
    what it was asked has not begun. The run is closed, whatever happens. A ^C that comes while an event is
    shown is the run's: it knows what it waited for."""
    try:
        event = next(run)
        begin()
        while True:
            try:
                show(event)
            except KeyboardInterrupt as interrupt:
                event = run.throw(interrupt)
            else:
                event = next(run)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    finally:
        run.close()


# --- text ---------------------------------------------------------------------------------------------------


def follow_text(run: Run, title: str, *, plan: bool = False) -> Result:
    """Progress and result for people; the last line is the one that counts. `plan`: nothing is done, so it
    ends when nobody reads it."""
    now = time.time()
    listener = Listener(needed=plan)
    say = listener.hears(write)
    head = line(Span(title, "bold"), Span(f"  {units.day(now)}, times are UTC", "dim"))
    follow = _follow_live if interactive() else _follow_plain
    result = follow(run, listener, lambda: say(folded(head, width(), 2)))
    say(result_lines(result, width()))
    _told_anyhow(result, listener)
    return result


def _follow_plain(run: Run, listener: Listener, begin: Callable[[], None]) -> Result:
    printer = PlainLines()

    @listener.hears
    def show(event: Event) -> None:
        if (shown := printer.line(event)) is not None:
            write(folded(shown, width(), HANG))

    return drive(run, show, begin)


def _told_anyhow(result: Result, listener: Listener) -> None:
    if listener.lost:
        short = replace(result, timeline=())
        listener.tell("".join(plain(row) + "\n" for row in result_lines(short)).lstrip("\n"))


class PlainLines:
    """One line per event; what says nothing new is left out."""

    def __init__(self) -> None:
        self._last: tuple[str, ...] = ()

    def line(self, event: Event) -> Line | None:
        """`17:03:12.123  Evicted      waiting  2 pods left`; None for repetitions and for what is to come."""
        said = (event.step, event.state, event.text)
        # A step that acts says why; what it does follows at once, as actions.
        announcing = event.kind == "step" and event.state == "acting"
        if event.kind == "steps":
            return None
        if event.kind == "still":
            return self._still(event)
        if said == self._last or announcing or event.state == "pending":
            return None
        self._last = said
        return _row(event, f"{event.text}{_at_most(event)}")

    def _still(self, event: Event) -> Line:
        """A pipe is silent for minutes otherwise: what is waited for, and when the run gives up."""
        gives_up = f"; gives up at {units.clock(event.until)[:8]}" if event.until else ""
        ends = f", until {units.clock(event.eta)[:8]}" if event.eta and event.eta > event.at else ""
        return _row(event, f"still: {event.text}{ends}{gives_up}")


HANG = len("17:03:12.123  Evicted      waiting   ")  # where a row's words begin


def _row(event: Event, text: str) -> Line:
    return line(
        Span(units.clock(event.at), "dim"),
        f"  {event.step:<11}  ",
        Span(f"{event.state:<8}", "accent" if event.state in _UNFINISHED else ""),
        f"  {text}",
    )


def _at_most(event: Event) -> str:
    if event.eta is None or event.eta <= event.at:
        return ""
    return f" (at most {units.duration(event.eta - event.at)} more)"


def _follow_live(run: Run, listener: Listener, begin: Callable[[], None]) -> Result:
    from rich.live import Live

    board = Board()

    def draw() -> Text:
        from rich.text import Text

        return Text("\n").join(map(rich_text, board.lines(board.now(time.monotonic()), width())))

    def show(event: Event) -> None:
        if event.kind == "note":
            for row in folded(_row(event, event.text), width(), HANG):
                listener.hears(live.console.print)(rich_text(row), soft_wrap=True)
        else:
            board.tell(event, time.monotonic())

    live = Live(get_renderable=draw, console=console(), refresh_per_second=REFRESH_PER_SECOND)

    def start() -> None:
        begin()
        listener.hears(live.start)()

    try:
        return drive(run, show, start)
    finally:
        board.end()
        listener.hears(live.stop)()


def result_lines(result: Result, width: int | None = None) -> list[Line]:
    """How it ended. What it rests on stands before the last line, which counts; a run that did not finish
    ends with what to type next."""
    good = result.status not in _UNFINISHED
    words = _proved(result) if good else f"{result.node}: {result.words}"
    message = prose(words, width, "bold" if good else "accent")
    hint = [line(row) for row in hint_lines(result.hint, width)]
    reason = prose(f"{result.node}: {result.reason}", width) if result.reason else []
    before = [line(""), *reason]
    if not good:
        return [*before, *message, *hint]
    return [*timeline_lines(result, width), *before, *hint, *message]


def timeline_lines(result: Result, width: int | None = None) -> list[Line]:
    """`+1.19 s  told to leave: label enable-bgp=false  bgpctl`, for each moment since the first."""
    if not result.timeline:
        return []
    first = result.timeline[0].at
    after = [
        f"{'+' if one.at >= first else '-'}{units.duration(abs(one.at - first))}" for one in result.timeline
    ]
    room = max(map(len, after))
    rows = [
        line(Span(f"{at:>{room}}  ", "dim"), one.what, Span(f"  ({one.by})", "dim"))
        for at, one in zip(after, result.timeline, strict=True)
    ]
    head = line(Span("timeline", "bold"), Span(f"  from {units.day(first)} {units.clock(first)} UTC", "dim"))
    return [line(""), *folded(head, width, 2), *(one for row in rows for one in folded(row, width, room + 2))]


def _proved(result: Result) -> str:
    """The message with the kind of its proof; the two kinds must never be mixed up."""
    if not result.proof or result.proof in result.message:
        return result.message
    return f"{result.message} ({result.proof})"


# --- JSON ---------------------------------------------------------------------------------------------------


def follow_json(run: Run, title: str, *, plan: bool = False) -> Result:
    """JSON lines: one object per event, then the result's document."""
    listener = Listener(needed=plan)
    say = listener.hears(lambda document: write_json(document, one_line=True))
    result = drive(run, lambda event: say(event_document(event)) if event.kind != "steps" else None)
    say(result_document(result))
    _told_anyhow(result, listener)
    return result


def event_document(event: Event) -> Document:
    """{"schema", "type": "event", "time", "kind", "step", "title", "state", "text"[, "eta", "givesUp"]}."""
    return present(
        schema=SCHEMA,
        type="event",
        time=units.rfc3339(event.at),
        kind=event.kind,
        node=event.node or None,
        step=event.step,
        title=event.title,
        state=event.state,
        text=event.text,
        eta=units.rfc3339(event.eta),
        givesUp=units.rfc3339(event.until),
    )


def result_document(result: Result) -> Document:
    """The document that a run ends with."""
    return envelope(
        command_name(result.command),
        result.status,
        type="result",
        node=result.node,
        run=result.run or None,
        proof=result.proof or None,
        inService=result.in_service,
        message=result.message,
        reason=result.reason or None,
        hint=result.hint or None,
        startedAt=units.rfc3339(result.started_at),
        endedAt=units.rfc3339(result.ended_at),
        steps=[_step(report) for report in result.steps],
        timeline=[_moment(one) for one in result.timeline] or None,
        evidence=dict(result.evidence),
    )


def command_name(command: str) -> str:
    """ "drain" and "node drain" are one command; "speaker restart" is another."""
    return command if " " in command else f"node {command}"


def _moment(one: Moment) -> Document:
    return {"time": units.rfc3339(one.at), "what": one.what, "by": one.by}


def _step(report: StepReport) -> Document:
    return present(
        step=report.step,
        title=report.title,
        state=report.state,
        text=report.text,
        startedAt=units.rfc3339(report.started_at),
        endedAt=units.rfc3339(report.ended_at),
    )


class Renderer(Protocol):
    """Shows a run while it goes on, and answers its Result; `plan` as in `follow_text`."""

    def __call__(self, run: Run, title: str, *, plan: bool = False) -> Result: ...


RENDERERS: Mapping[str, Renderer] = {"text": follow_text, "json": follow_json}

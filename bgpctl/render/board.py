"""The live view of a run: one line per step, as values. Pure: it is told events and the time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bgpctl.render import units
from bgpctl.render.text import Line, Span, Style, folded, line

if TYPE_CHECKING:
    from bgpctl.runbooks.model import Event

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SPINS_PER_SECOND = 8

_SYMBOLS = {"pending": "·", "planned": "·", "done": "✓"}
_RUNNING = ("acting", "waiting")
TIMES = len("59.9 s")


@dataclass(frozen=True, slots=True)
class Progress:
    """One step's line: what is known of it so far."""

    step: str
    state: str = "pending"
    text: str = ""
    began: float | None = None
    ended: float | None = None
    eta: float | None = None


class Board:
    """The steps in the order in which they were first heard of."""

    def __init__(self) -> None:
        self._steps: dict[str, Progress] = {}
        self._offset = 0.0  # the run's clock minus ours
        self._until: float | None = None
        self._goes_on = False

    def tell(self, event: Event, at: float) -> None:
        """Take one event in that came `at` this instant of our clock: the run has another one."""
        self._offset = event.at - at
        self.apply(event)

    def now(self, at: float) -> float:
        """The run's time at this instant of our clock."""
        return at + self._offset

    def apply(self, event: Event) -> None:
        """Take one event in. An action's text is shown on the line of its step until the step says more."""
        if event.kind == "steps":
            self._steps = {name: self._steps.get(name, Progress(name)) for name in event.text.split()}
            self._until, self._goes_on = event.until, True
            return
        known = self._steps.get(event.step, Progress(event.step))
        if event.kind == "action":
            self._steps[event.step] = replace(known, text=event.text)
            return
        running = event.state in _RUNNING
        began = known.began if known.began is not None or event.state == "pending" else event.at
        self._steps[event.step] = Progress(
            event.step,
            event.state,
            event.text or known.text,
            began,
            None if running or event.state == "pending" else event.at,
            event.eta if running else None,
        )

    def end(self) -> None:
        """The run has ended: nothing gives up any more."""
        self._goes_on = False

    def lines(self, now: float, width: int | None = None) -> list[Line]:
        """Per step: symbol, name, time taken, words, and until when at the latest; what is longer than
        `width` goes on below the words. Last, while it goes on, when it gives up."""
        steps = list(self._steps.values())
        times = [_took(step, now) for step in steps]
        names = max((len(step.step) for step in steps), default=0)
        room = max((len(took) for took in times), default=0)
        room = max(room, TIMES)  # nothing jumps
        rows = [
            line(
                Span(f"{_symbol(step, now)} {step.step:<{names}}", _style(step)),
                Span(f"  {took:>{room}}  ", "dim"),
                Span(step.text, "dim" if step.state == "pending" else ""),
                Span(_remaining(step, now), "dim"),
            )
            for step, took in zip(steps, times, strict=True)
        ]
        shown = [one for row in rows for one in folded(row, width, 2 + names + 2 + room + 2)]
        return [*shown, *(folded(self._footer(now), width, 2) if self._goes_on else [])]

    def _footer(self, now: float) -> Line:
        until = f"gives up in {units.countdown(self._until - now)}; " if self._until is not None else ""
        return line(Span(f"  {until}^C is safe: the same command goes on", "dim"))


def _symbol(step: Progress, now: float) -> str:
    if step.state in _RUNNING:
        return SPINNER[int(now * SPINS_PER_SECOND) % len(SPINNER)]
    return _SYMBOLS.get(step.state, "✗")


def _style(step: Progress) -> Style:
    if step.state in ("pending", "planned"):
        return "dim"
    return "" if step.state == "done" else "accent"


def _took(step: Progress, now: float) -> str:
    if step.began is None:
        return ""
    return units.stopwatch((step.ended if step.ended is not None else now) - step.began)


def _remaining(step: Progress, now: float) -> str:
    if step.eta is None or step.eta <= now:
        return ""
    return f" (at most {units.countdown(step.eta - now)} more)"

"""`install --apply` and `uninstall`: a line per object as it is done, and the last word. A reader that has
seen enough (`| head`) ends none of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bgpctl.render.envelope import Document, envelope, write_json
from bgpctl.render.heard import Listener
from bgpctl.render.terminal import width, write
from bgpctl.render.text import Line, Span, Style, line, prose
from bgpctl.render.units import count

if TYPE_CHECKING:
    from bgpctl.install.apply import Done

WIDTH = len("unchanged")


def row(one: Done) -> Line:
    """One object."""
    style: Style = "dim" if one.verb == "unchanged" else ""
    why = f"  ({one.why})" if one.why and one.verb in ("kept", "pruned", "keep") else ""
    return line(Span(f"{one.verb:<{WIDTH}}  {one.name}{why}", style))


def summary(done: Sequence[Done], planned: bool) -> str:
    """How many of each, and whether that was only a plan."""
    verbs = Counter(one.verb for one in done)
    told = ", ".join(f"{number} {verb}" for verb, number in verbs.items()) or "nothing to do"
    return f"{count(len(done), 'object')}: {told}" + ("; nothing was changed" if planned else "")


def document(command: str, done: Sequence[Done], planned: bool, **more: object) -> Document:
    """The same for programs."""
    return envelope(
        command,
        "planned" if planned else "done",
        message=summary(done, planned),
        objects=[
            {"verb": one.verb, "name": one.name, **({"why": one.why} if one.why else {})} for one in done
        ],
        **more,
    )


class Teller:
    """Tells of one run. `planned`: nothing is done, so what is told is all there is to it."""

    def __init__(self, command: str, output: str, *, planned: bool) -> None:
        self._command, self._planned, self._json = command, planned, output == "json"
        self._write = Listener(needed=planned).hears(write)
        self._done: list[Done] = []

    def follow(self, done: Iterable[Done]) -> None:
        """Each when it is done."""
        for one in done:
            self._done.append(one)
            self.say(row(one))

    def say(self, text: Line) -> None:
        """What is no part of the document."""
        if not self._json:
            self._write([text])

    def end(self, then: str = "") -> None:
        """The last word: how many of each, and what one types next."""
        if self._json:
            write_json(document(self._command, self._done, self._planned))
            return
        self._write(prose(summary(self._done, self._planned), width(), "bold"))
        if then:
            self._write([line(then)])

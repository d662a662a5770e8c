"""Log lines of BGP control planes, whoever's: read, chosen, merged by time. Pure.

Each is known by its own form (`logforms`), so that a log needs no word about who wrote it. Lines of none
of them belong to something else in the same log and are left out.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bgpctl.core import logforms
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.foreign import LAST_INSTANT

# What an API server puts before a line when it is asked for the time at which it was written.
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z) (.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `at` is in epoch seconds; `node` is where it was written, `fields` the rest as written."""

    at: float
    node: str
    fields: Mapping[str, str] = field(hash=False)

    @property
    def level(self) -> str:
        """As written (info, warn, warning …), "" where the line names none."""
        return self.fields.get("level", "")

    @property
    def message(self) -> str:
        """The event's name in our own lines (`speaker.started`), a sentence in Cilium's; "" = none."""
        return self.fields.get("msg", "")


def read(text: str, node: str, before: float = 0.0) -> LogLine | None:
    """One line of a log, None when it is not a BGP control plane's. `node` is the log's node, for lines
    that do not name one; a line without a time, or with a later one than when it came, has the API server's,
    or that of the line before it."""
    stamped = _STAMP.match(text)
    fields = logforms.fields(stamped[2] if stamped else text)
    if fields is None:
        return None
    own = fields.pop("time", "") or fields.pop("ts", "")
    told = filter(None, (_time(own), _time(stamped[1]) if stamped else None))
    return LogLine(max(min(told, default=before), before), fields.pop("node", "") or node, fields)


def _time(text: str) -> float | None:
    """RFC 3339 -> epoch seconds. Go writes nanoseconds, of which Python reads six digits."""
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        seconds = datetime.fromisoformat(shortened.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds <= LAST_INSTANT else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of these nodes (none = all), about this peer's address ("" = any), not before `since`."""

    nodes: tuple[str, ...] = ()
    peer: str = ""
    since: float = 0.0

    def has(self, line: LogLine) -> bool:
        """The peer counts as named when any field's value mentions its address."""
        if line.at < self.since or (self.nodes and line.node not in self.nodes):
            return False
        return not self.peer or any(mentions(text, self.peer) for text in line.fields.values())


def mentions(text: str, address: str) -> bool:
    """Does a text name this address, alone or with a port? 192.0.2.1 is not in 192.0.2.10."""
    wanted = parse_zoned(address)
    if wanted.version == 4:
        pattern = rf"(?<![\w.]){re.escape(str(wanted))}(?!\w|\.\w)"
    else:
        pattern = rf"(?<![\w:.]){re.escape(str(wanted))}(?![\w]|:[0-9a-f:])"
    return re.search(pattern, text.lower()) is not None


STRANGE = 1000  # lines that nobody knows, after which a log that is followed is none


def chosen(
    texts: Iterable[str], node: str, wanted: Wanted, strange: Callable[[int], None] | None = None
) -> Iterator[LogLine]:
    """The wanted lines of one log, in its order; their times never go back. `strange` is told once of how
    many lines not one was a BGP control plane's: at their end, or after STRANGE of them."""
    before, known, number = 0.0, strange is None, 0
    for text in texts:
        line = read(text, node, before)
        if line is not None:
            before, known = line.at, True
            if wanted.has(line):
                yield line
        elif not known and text.strip():
            number += 1
            if strange is not None and number == STRANGE:
                known = True
                strange(number)
    if strange is not None and not known and number:
        strange(number)


def merged(logs: Iterable[Iterator[LogLine]]) -> Iterator[LogLine]:
    """Several logs as one, by time; one line of each is held at a time."""
    return heapq.merge(*logs, key=lambda line: line.at)


class Window:
    """Merges lines as they come: each waits `hold` seconds for an earlier one that is still on its way."""

    def __init__(self, hold: float = 0.5) -> None:
        self._hold = hold
        self._waiting: list[tuple[float, int, float, LogLine]] = []
        self._number = 0

    def push(self, line: LogLine, now: float) -> None:
        """`now` in seconds, on the clock that `release` is asked with."""
        self._number += 1
        heapq.heappush(self._waiting, (line.at, self._number, now + self._hold, line))

    def release(self, now: float) -> list[LogLine]:
        """What has waited long enough, and everything earlier than it."""
        due = [entry[:2] for entry in self._waiting if entry[2] <= now]
        last = max(due, default=None)
        found = []
        while last is not None and self._waiting and self._waiting[0][:2] <= last:
            found.append(heapq.heappop(self._waiting)[3])
        return found

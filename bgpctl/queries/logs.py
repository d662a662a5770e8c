"""Read the logs of several speakers as one, once or for as long as they are written."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from bgpctl.core.loglines import LogLine, Wanted, Window, chosen, merged
from bgpctl.errors import BgpctlError, UsageError

FIND_AGAIN = 5.0  # seconds after which new pods are looked for, and logs that ended are begun again
STEP = 0.1
MOST_WAITING = 10_000  # lines; while nobody takes them (a pager), no more are read


class Log(Protocol):
    """One log: a container's, or a file. `node` is where it is written; `key` is its own; `name` is for
    messages; `named`: the user said that it is one, so somebody knows its lines. `lines`: those from
    `since_seconds` ago on (None = all that are kept), with `follow` also those to come. Raises BgpctlError
    when it cannot be read."""

    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def node(self) -> str: ...
    @property
    def named(self) -> bool: ...
    def lines(self, follow: bool, since_seconds: float | None) -> Iterator[str]: ...


Complain = Callable[[str], None]


def once(logs: Sequence[Log], wanted: Wanted, complain: Complain) -> Iterator[LogLine]:
    """The wanted lines of all logs by time. One that cannot be read is complained about; the others go on.
    Raises BgpctlError when none of them could."""
    failed: list[str] = []
    yield from merged([_read(log, wanted, complain, failed) for log in logs])
    if logs and len(failed) == len(logs):
        raise BgpctlError("no log could be read", "what each of them answered stands above")


def _read(log: Log, wanted: Wanted, complain: Complain, failed: list[str]) -> Iterator[LogLine]:
    def strange(lines: int) -> None:
        failed.append(log.key)
        complain(_strange(log, lines))

    try:
        told = strange if log.named else None
        yield from chosen(log.lines(False, _ago(wanted)), log.node, wanted, told)
    except UsageError:
        raise
    except BgpctlError as error:
        failed.append(log.key)
        complain(f"{log.name}: {error.message}")


def _strange(log: Log, lines: int) -> str:
    some = "its only line is none" if lines == 1 else f"none of its {lines} lines is one"
    return f"{log.name}: {some} of a BGP control plane"


def _ago(wanted: Wanted) -> float | None:
    return time.time() - wanted.since if wanted.since else None


@dataclass(slots=True)
class Follower:
    """Follows every log that `find` names, now and later (a pod that is made anew has another)."""

    find: Callable[[], Sequence[Log]]
    wanted: Wanted
    complain: Complain
    _queue: queue.Queue[tuple[str, LogLine | None]] = field(default_factory=lambda: queue.Queue(MOST_WAITING))
    _running: set[str] = field(default_factory=set)
    _last: dict[str, float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def lines(self) -> Iterator[LogLine]:
        """For ever. Raises what the first `find` raises."""
        window, due = Window(), time.monotonic()
        self._begin(self.find())
        while True:
            self._take(window)
            yield from window.release(time.monotonic())
            if time.monotonic() >= due + FIND_AGAIN:
                due = time.monotonic()
                self._look_again()

    def _look_again(self) -> None:
        try:
            self._begin(self.find())
        except BgpctlError as error:
            self._complain(error.message)

    def _take(self, window: Window) -> None:
        """Whatever comes within one step."""
        end = time.monotonic() + STEP
        while (left := end - time.monotonic()) > 0:
            try:
                key, line = self._queue.get(timeout=left)
            except queue.Empty:
                return
            if line is None:
                self._running.discard(key)
                continue
            self._last[key] = line.at
            window.push(line, time.monotonic())

    def _begin(self, logs: Sequence[Log]) -> None:
        for log in logs:
            if log.key not in self._running:
                self._running.add(log.key)
                threading.Thread(target=self._follow, args=(log,), daemon=True).start()

    def _follow(self, log: Log) -> None:
        """One log to its end. Begun again, it goes on after the last line that it gave: the API server's
        `since` has whole seconds, so lines that were seen come once more."""
        last = self._last.get(log.key)
        wanted = replace(self.wanted, since=max(self.wanted.since, last or 0.0))
        try:
            lines, told = log.lines(True, _ago(wanted)), self._strange(log) if log.named else None
            for line in chosen(lines, log.node, wanted, told):
                if last is None or line.at > last:
                    self._queue.put((log.key, line))
        except BgpctlError as error:
            self._complain(f"{log.name}: {error.message}")
        finally:
            self._queue.put((log.key, None))

    def _strange(self, log: Log) -> Callable[[int], None]:
        return lambda lines: self._complain(_strange(log, lines))

    def _complain(self, text: str) -> None:
        """Once: what cannot be read is tried again every few seconds."""
        if text not in self._told:
            self._told.add(text)
            self.complain(text)

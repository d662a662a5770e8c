"""The speaker's log: text or JSON lines on stderr, each tagged `subsys=bgp-control-plane` as Cilium's are,
so that the guide's `grep "subsys=bgp-control-plane"` works here too."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

SUBSYS = "bgp-control-plane"
MOST_WAITING = 10_000  # records, for whoever reads the log
LAST_WORDS_SECONDS = 1.0  # for them when the process ends

log = logging.getLogger("bgpctl.speaker")

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class TextFormatter(logging.Formatter):
    """`time=… level=info msg=speaker.reconciled key=value subsys=bgp-control-plane` (logfmt)."""

    def format(self, record: logging.LogRecord) -> str:
        pairs = {"time": _time(record), "level": record.levelname.lower(), "msg": record.getMessage()}
        text = " ".join(f"{key}={_quoted(value)}" for key, value in {**pairs, **_fields(record)}.items())
        line = f"{text} subsys={SUBSYS}"
        return (
            f"{line} traceback={_quoted(self.formatException(record.exc_info))}" if record.exc_info else line
        )


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
            **_fields(record),
            "subsys": SUBSYS,
        }
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str, skipkeys=True)


def _quoted(value: object) -> str:
    text = json.dumps(value, default=str, skipkeys=True) if isinstance(value, list | dict) else str(value)
    # A router's own words are in here: nothing of theirs may begin a line or a field.
    bare = text.isprintable() and not any(c in text for c in ' "=\\')
    return text if text and bare else json.dumps(text)


class Aside(logging.Handler):
    """Writes in a thread of its own: nobody who reads the log slowly, or not at all (a full pipe), keeps the
    speaker from withdrawing. What is too much is dropped, and counted once it is read again."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self._put, self._dropped = write, 0
        self._waiting: queue.Queue[str] = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put it aside, at once."""
        try:
            self._waiting.put_nowait(self.format(record) + "\n")
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Wait for what was said, not for ever. Asked by `logging` when the process ends."""
        until = time.monotonic() + LAST_WORDS_SECONDS
        while self._waiting.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.01)

    def _write(self) -> None:
        while True:
            self._say(self._waiting.get())
            if self._dropped and self._waiting.empty():
                dropped, self._dropped = self._dropped, 0
                self._say(self._notice(dropped))
            self._waiting.task_done()

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # nobody is there any more
            self._put(line)

    def _notice(self, dropped: int) -> str:
        """What is said of lines that were dropped; not put aside itself, where it would be one more."""
        told = {"lines": dropped, "why": "nobody read them in time"}
        record = log.makeRecord(log.name, logging.WARNING, "", 0, "log.dropped", (), None, extra=told)
        self.filter(record)
        return self.format(record) + "\n"


def _to_stderr() -> Callable[[str], object]:
    """Past Python's own file, whose lock somebody who is stuck in it would hold while the process ends."""
    stream = sys.stderr
    try:
        descriptor = stream.fileno()
    except OSError:
        return stream.write  # no file of the system's

    def write(line: str) -> None:
        rest = line.encode(errors="backslashreplace")
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write


def configure(log_format: str, level: str, node: str) -> None:
    """Set up the root logger once, at the speaker's start. Every line carries the node's name."""
    handler = Aside(_to_stderr())
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())

    def add_node(record: logging.LogRecord) -> bool:
        record.node = node
        return True

    handler.addFilter(add_node)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    threading.excepthook = _thread_died


def _thread_died(args: threading.ExceptHookArgs) -> None:
    """Python's own words go to stderr without a tag, over several lines."""
    name = args.thread.name if args.thread else "?"
    log.error("speaker.thread_died", extra={"who": name}, exc_info=args.exc_value)

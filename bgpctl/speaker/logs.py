"""The speaker's log: text or JSON lines on stderr, each tagged `subsys=bgp-control-plane` as Cilium's are,
so that the guide's `grep "subsys=bgp-control-plane"` works here too."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime

SUBSYS = "bgp-control-plane"

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
        return json.dumps(document, default=str)


def _quoted(value: object) -> str:
    text = json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
    # A router's own words are in here: nothing of theirs may begin a line or a field.
    bare = text.isprintable() and not any(c in text for c in ' "=\\')
    return text if text and bare else json.dumps(text)


def configure(log_format: str, level: str, node: str) -> None:
    """Set up the root logger once, at the speaker's start. Every line carries the node's name."""
    handler = logging.StreamHandler(sys.stderr)
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

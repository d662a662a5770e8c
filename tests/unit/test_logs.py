"""Every line is one line, tagged, and can be read by a machine; nothing of a router's can forge one."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import pytest

from bgpctl.core.model import Secret
from bgpctl.speaker import logs

Log = Callable[[], list[str]]


@pytest.fixture(params=["text", "json"])
def log_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    threading.excepthook = hook


@pytest.fixture
def lines(log_format: str, monkeypatch: pytest.MonkeyPatch) -> Log:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure(log_format, "info", "worker-1")
    return lambda: written() or stream.getvalue().split("\n")[:-1]


def written() -> None:
    """Until what was said is."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def fields(line: str) -> dict[str, object]:
    """A line of either format as its fields, by a reader of its own."""
    if line.startswith("{"):
        found: dict[str, object] = json.loads(line)
        return found
    result: dict[str, object] = {}
    rest = line
    while rest:
        key, _, rest = rest.partition("=")
        assert key.isidentifier(), f"{key!r} in {line!r}"
        if rest.startswith('"'):
            result[key], end = json.JSONDecoder().raw_decode(rest)
            rest = rest[end:].removeprefix(" ")
        else:
            result[key], _, rest = rest.partition(" ")
    return result


def test_every_line_is_tagged(lines: Log) -> None:
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger("some.library").log(level, "words %s", "with spaces")
    logging.getLogger("bgpctl.speaker").info("speaker.started", extra={"engine": "exabgp 5"})
    told = [fields(line) for line in lines()]
    assert len(told) == 4
    assert {line["subsys"] for line in told} == {"bgp-control-plane"}
    assert {line["node"] for line in told} == {"worker-1"}
    assert [line["level"] for line in told] == ["info", "warning", "error", "info"]
    assert told[0]["msg"] == "words with spaces"
    assert told[3]["engine"] == "exabgp 5"


def test_the_guides_grep_finds_text_lines(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "info", "n")
    logging.getLogger("bgpctl.speaker").info("x", extra={"a": 1})
    written()
    assert " subsys=bgp-control-plane" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "maintenance\ntime=2026 level=info msg=forged subsys=bgp-control-plane",
        "a\rb",
        "tab\there",
        "\x1b[31mred\x1b[0m",
        'quote " and = sign',
        "back\\slash",
        "line\u2028separator",
        "",
        "ümläut",
        "{'not': 'json'}",
    ],
)
def test_a_routers_words_stay_in_their_field(lines: Log, words: str) -> None:
    logging.getLogger("x").info("peer.down", extra={"text": words, "after": "yes"})
    (line,) = lines()
    assert "\x1b" not in line and "\r" not in line
    assert fields(line)["text"] == words
    assert fields(line)["after"] == "yes"
    assert fields(line)["msg"] == "peer.down"


def test_structures_become_json(lines: Log) -> None:
    logging.getLogger("x").info("m", extra={"problems": ["a b", "c"], "count": 3})
    found = fields(lines()[0])
    problems = found["problems"]
    assert (json.loads(problems) if isinstance(problems, str) else problems) == ["a b", "c"]
    assert str(found["count"]) == "3"


def test_secrets_print_as_nothing(lines: Log) -> None:
    secret = Secret("hunter2")
    logging.getLogger("x").info("peer %s", secret, extra={"password": secret, "all": {"p": secret}})
    (line,) = lines()
    assert "hunter2" not in line and "Secret" in line


def test_a_traceback_is_one_line(lines: Log) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logging.getLogger("x").exception("speaker.bug")
    (line,) = lines()
    assert "ValueError: first\nsecond" in str(fields(line)["traceback"])
    assert fields(line)["subsys"] == "bgp-control-plane"


def test_a_thread_that_dies_says_so_in_the_log(lines: Log) -> None:
    def fail() -> None:
        raise RuntimeError("boom")

    thread = threading.Thread(target=fail, name="watch nodes")
    thread.start()
    thread.join()
    (line,) = lines()
    assert fields(line)["who"] == "watch nodes"
    assert "RuntimeError: boom" in str(fields(line)["traceback"])


def test_warnings_of_libraries_are_lines_too(lines: Log) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old\nthing", DeprecationWarning, stacklevel=1)
    (line,) = lines()
    assert "old" in str(fields(line)["msg"])


def test_the_level_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "warning", "n")
    logging.getLogger("x").info("quiet")
    logging.getLogger("urllib3.connectionpool").debug("never")
    logging.getLogger("x").warning("loud")
    written()
    assert [fields(line)["msg"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_whoever_does_not_read_the_log_keeps_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full pipe: the speaker has to withdraw all the same (issue 7)."""
    reading, writing = os.pipe()
    monkeypatch.setattr(logs, "MOST_WAITING", 50)
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as writer:
        monkeypatch.setattr(sys, "stderr", writer)
        logs.configure("json", "info", "n")
        began = time.monotonic()
        for number in range(3000):
            logging.getLogger("x").info("line", extra={"number": number, "filler": "x" * 200})
        assert time.monotonic() - began < 10
        said = map(json.loads, reader)
        dropped = next(line for line in said if line["msg"] == "log.dropped")
        assert dropped["lines"] > 0 and dropped["level"] == "warning"

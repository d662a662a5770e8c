"""Log lines of BGP control planes: read, chosen and merged."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from bgpctl.core.loglines import STRANGE, LogLine, Wanted, Window, chosen, mentions, merged, read
from bgpctl.render import logs as out
from bgpctl.render.text import plain
from bgpctl.speaker.logs import JsonFormatter, TextFormatter

CILIUM = (
    'time="2026-11-23T18:32:55.803123456Z" level=warning msg="Failed to fetch secret \\"bgp\\"" '
    "subsys=bgp-control-plane peer=192.0.2.1:179"
)
AT = datetime(2026, 11, 23, 18, 32, 55, tzinfo=UTC).timestamp()


def ours(formatter: logging.Formatter, **fields: Any) -> str:
    record = logging.makeLogRecord(
        {"msg": "speaker.reconciled", "levelname": "INFO", "created": AT + 0.25, "node": "worker-1", **fields}
    )
    return formatter.format(record)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_what_our_speakers_write_is_read_back(formatter: logging.Formatter) -> None:
    words = 'a "word", a\nline = two\\'
    line = read(ours(formatter, summary=words, peers=["a", "b"]), "elsewhere")
    assert line is not None
    assert (line.at, line.node, line.level, line.message) == (
        AT + 0.25,
        "worker-1",
        "info",
        "speaker.reconciled",
    )
    assert line.fields["summary"] == words and line.fields["peers"] == '["a", "b"]'


def test_ciliums_lines() -> None:
    line = read(CILIUM, "worker-2")
    assert line is not None
    assert line.at == pytest.approx(AT + 0.803123, abs=1e-6)
    assert (line.node, line.message) == ("worker-2", 'Failed to fetch secret "bgp"')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "panic: oh no",
        "{",
        "[1]",
        '{"subsys": "datapath"}',
        "time=x level=info subsys=envoy",
        '{"subsys": 1}',
    ],
)
def test_other_lines_are_left_out(text: str) -> None:
    assert read(text, "n") is None


def test_a_line_without_a_time_has_that_of_the_one_before() -> None:
    for text in ("subsys=bgp-control-plane msg=x", "time=nonsense subsys=bgp-control-plane"):
        line = read(text, "n", 12.5)
        assert line is not None and line.at == 12.5


@pytest.mark.parametrize(
    ("text", "address", "found"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("65000/192.0.2.1", "192.0.2.1", True),
        ("to 192.0.2.1:179.", "192.0.2.1", True),
        ("lost 192.0.2.1.", "192.0.2.1", True),
        ("192.0.2.10", "192.0.2.1", False),
        ("1192.0.2.1", "192.0.2.1", False),
        ("192.0.2.1.5", "192.0.2.1", False),
        ("[2001:db8::1]:179", "2001:db8::1", True),
        ("2001:DB8::1", "2001:db8:0::1", True),
        ("2001:db8::1:2", "2001:db8::1", False),
        ("2001:db8::12", "2001:db8::1", False),
    ],
)
def test_a_peer_is_found_whole(text: str, address: str, found: bool) -> None:
    assert mentions(text, address) is found


def text_line(at: float, node: str = "a", **fields: str) -> str:
    moment = datetime.fromtimestamp(at, UTC).isoformat()
    rest = " ".join(f"{key}={value}" for key, value in fields.items())
    return f"time={moment} node={node} subsys=bgp-control-plane {rest}"


def test_only_what_is_wanted() -> None:
    texts = [text_line(AT), text_line(AT + 1, "b"), text_line(AT + 2, peer="192.0.2.1"), "noise"]
    ats = lambda wanted: [line.at - AT for line in chosen(texts, "n", wanted)]  # noqa: E731
    assert ats(Wanted()) == [0, 1, 2]
    assert ats(Wanted(nodes=("b",))) == [1]
    assert ats(Wanted(since=AT + 1)) == [1, 2]
    assert ats(Wanted(peer="192.0.2.1")) == [2]


def test_several_logs_are_one_by_time() -> None:
    one = [text_line(AT + at, "a") for at in (0, 3, 4)]
    two = [text_line(AT + at, "b") for at in (1, 2, 5)]
    lines = merged([chosen(texts, "n", Wanted()) for texts in (one, two)])
    assert "".join(line.node for line in lines) == "abbaab"


def line(at: float, node: str = "a") -> LogLine:
    return LogLine(at, node, {"level": "info", "msg": "m"})


def test_a_line_that_is_late_is_still_in_order() -> None:
    window = Window(hold=0.5)
    window.push(line(10.2), 100.0)
    assert window.release(100.4) == []
    window.push(line(10.1, "late"), 100.45)
    assert [found.node for found in window.release(100.5)] == ["late", "a"], "earlier ones do not wait longer"
    assert window.release(200.0) == []


def test_lines_of_one_moment_keep_their_order() -> None:
    window = Window(hold=0.0)
    for node in "abc":
        window.push(line(1.0, node), 1.0)
    assert [found.node for found in window.release(1.0)] == ["a", "b", "c"]


def test_how_a_line_looks() -> None:
    found = read(CILIUM, "worker-2")
    assert found is not None
    words = 'Failed to fetch secret "bgp"'
    assert plain(out.text(found)) == f"2026-11-23 18:32:55.803  worker-2  warning {words}  peer=192.0.2.1:179"
    assert out.document(found)["node"] == "worker-2" and out.document(found)["msg"] == words


def test_a_routers_words_do_not_steer_the_terminal() -> None:
    found = read(ours(JsonFormatter(), text="\x1b[2J\nsubsys=x"), "n")
    assert found is not None
    assert "\x1b" not in plain(out.text(found)) and "\n" not in plain(out.text(found))


def test_a_long_word_is_looked_through_once() -> None:
    """It took minutes: every letter of it was taken for a key's first."""
    begun = time.monotonic()
    assert read("[" * 200_000, "n1") is None
    assert time.monotonic() - begun < 2


NAME = "subsys=bgp-control-plane"


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        (NAME, "", ""),
        (f'{NAME} level=info msg="a b"', "info", "a b"),
        (f'{NAME} msg="\\a bell"', "", "\\a bell"),  # Go's, not JSON's
    ],
)
def test_what_a_line_says(text: str, level: str, message: str) -> None:
    line = read(text, "n")
    assert line is not None and (line.level, line.message) == (level, message)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (f"time=2026-11-23T18:32:55Z {NAME}", AT),
        (f"ts=2026-11-23T18:32:55Z {NAME}", AT),
        (f"time=then {NAME}", 7.0),
        (f"time=1969-12-31T23:59:59Z {NAME}", 7.0),
        (f"time=9999-12-31T23:59:59+00:00 {NAME}", 253402300799.0),
        (f"time=9999-12-31T23:59:59-01:00 {NAME}", 7.0),
        (f"time=0001-01-01T00:00:00+23:00 {NAME}", 7.0),
        (f"2026-11-23T18:32:55Z time=9999-12-31T23:59:59+00:00 {NAME}", AT),
        (f"9999-11-23T18:32:55Z time=2026-11-23T18:32:55Z {NAME}", AT),
        (NAME, 7.0),
        ('  {"time": "2026-11-23T18:32:55Z", "subsys": "bgp-control-plane"}  ', AT),
    ],
)
def test_when_a_line_was_written(text: str, at: float) -> None:
    line = read(text, "n", 7.0)
    assert line is not None and line.at == at


def test_a_log_without_times_is_at_the_beginning_of_time_until_one_is_told() -> None:
    texts = [NAME, f"time=1970-01-01T00:00:00.5Z {NAME}", NAME, f"time=1970-01-01T00:00:09Z {NAME}", NAME]
    assert [line.at for line in chosen(texts, "n", Wanted())] == [0.0, 0.5, 0.5, 9.0, 9.0]


def test_a_line_that_is_still_awaited_stays_in_the_window() -> None:
    window = Window(hold=1.0)
    lines = [LogLine(at, "n", {}) for at in (1.0, 2.0, 3.0)]
    for now, line in zip((10.0, 10.9, 10.9), lines, strict=True):
        window.push(line, now)
    assert window.release(10.5) == []
    assert window.release(11.0) == lines[:1]
    assert window.release(11.9) == lines[1:]


def test_what_came_earlier_than_a_due_line_goes_with_it() -> None:
    window = Window(hold=1.0)
    late, due, same = (
        LogLine(1.0, "n", {"a": "late"}),
        LogLine(2.0, "n", {"a": "due"}),
        LogLine(2.0, "n", {"a": "same"}),
    )
    window.push(due, 10.0)
    window.push(same, 10.9)
    window.push(late, 10.9)
    assert window.release(11.0) == [late, due]
    assert window.release(11.9) == [same]


@pytest.mark.parametrize("text", ['{"subsys": ' + "[" * 100_000, "{", '{"subsys": 5}', f"{NAME}x"])
def test_a_line_that_is_none_of_ours(text: str) -> None:
    assert read(text, "n") is None


@pytest.mark.parametrize(
    ("before", "lines", "after", "told"),
    [
        (0, 0, 0, []),
        (0, 3, 0, [3]),
        (0, STRANGE - 1, 0, [STRANGE - 1]),
        (0, STRANGE, 0, [STRANGE]),  # while it is followed, and not again at its end
        (0, STRANGE + 5, 0, [STRANGE]),
        (1, STRANGE + 5, 0, []),
        (0, 5, 1, []),
        (0, STRANGE, 1, [STRANGE]),
    ],
)
def test_a_log_in_which_nothing_is_a_speakers_is_told_of_once(
    before: int, lines: int, after: int, told: list[int]
) -> None:
    """Blank lines count for nothing."""
    ours = 'time=2026-11-23T18:32:55.803Z level=info msg="Peer Up" subsys=bgp-control-plane'
    texts = [ours] * before + ["something else", " "] * lines + [ours] * after
    found: list[int] = []
    assert len(list(chosen(texts, "n1", Wanted(), found.append))) == before + after
    assert found == told
    assert len(list(chosen(texts, "n1", Wanted()))) == before + after

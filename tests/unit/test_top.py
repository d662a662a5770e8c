"""The fleet's screen: what comes first, that it always fits, what each key does, and what terminals send."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.cli import top
from bgpctl.cli.keys import Keys
from bgpctl.queries.nodes import NodeReport
from bgpctl.render.text import plain
from bgpctl.render.top import Seen, View, chosen, frame, pressed
from bgpctl.runbooks.journal import Journal
from tests.support.node_states import peer, state, withdrawn
from tests.support.wait import eventually

NOW = 1_800_000_000.0
WIDTH, HEIGHT = 80, 20
LIST = View()

GONE = Journal(
    *("1a2b3c4d", "drain", "guide", "me@host", NOW - 90),
    steps={"Claimed": NOW - 80, "Cordoned": NOW - 70, "ShutDown": NOW - 5},
    evidence={"proof": "confirmed", "by": "bird 192.0.2.1"},
)
HALF = replace(GONE, steps={"Claimed": NOW - 80, "Cordoned": NOW - 70}, evidence={})


def fleet(count: int = 3) -> Seen:
    fine = [
        NodeReport(f"a-{n:03}", True, False, state(f"a-{n:03}", NOW, peer(NOW)), None) for n in range(count)
    ]
    others = [
        NodeReport("b-drained", True, True, withdrawn("b-drained", NOW), GONE),
        NodeReport("c-draining", True, True, state("c-draining", NOW, peer(NOW)), HALF, holder="anna@desk"),
        NodeReport("d-stale", True, False, state("d-stale", NOW, peer(NOW), heartbeat=NOW - 400), None),
        NodeReport("e-none", True, False, None, None),
    ]
    return Seen((*fine, *others), NOW)


def drawn(seen: Seen, view: View = LIST, width: int = WIDTH, height: int = HEIGHT) -> list[str]:
    return [plain(row) for row in frame(seen, view, width, height)]


def after(seen: Seen, *keys: str) -> View:
    view = View()
    for key in keys:
        found = pressed(key, seen, view)
        assert found is not None, key
        view = found
    return view


# --- what is shown


def test_what_needs_somebody_comes_first() -> None:
    assert [one.node for one in chosen(fleet(), View())] == [
        *("c-draining", "d-stale"),
        *("a-000", "a-001", "a-002", "b-drained", "e-none"),
    ]
    words = "7 nodes, 4 of 4 sessions up, 30 routes announced, 1 run at work  2 to look at"
    assert drawn(fleet())[0] == words, "no room for the clock"
    assert drawn(fleet(), width=100)[0] == f"{words}  08:00:00 UTC"


@pytest.mark.parametrize("count", [0, 1, 200])
@pytest.mark.parametrize("size", [(80, 24), (40, 10), (200, 6), (20, 3), (80, 1)])
@pytest.mark.parametrize(
    "view", [View(), View(detail=True, chosen="c-draining"), View(typing=True, words="a")]
)
def test_it_is_as_large_as_the_screen(count: int, size: tuple[int, int], view: View) -> None:
    rows = drawn(fleet(count), view, *size)
    assert len(rows) == size[1] and all(len(row) <= size[0] for row in rows)


def test_before_the_first_look_and_without_nodes() -> None:
    assert "looking …" in drawn(Seen())
    assert "no nodes" in drawn(Seen(at=NOW))
    assert "no node matches" in drawn(fleet(), View(words="nobody"))


def test_the_cursor_is_always_on_the_screen() -> None:
    seen = fleet(200)
    for node in (one.node for one in chosen(seen, View())):
        assert sum(row.startswith(f"> {node} ") for row in drawn(seen, View(chosen=node))) == 1


def test_the_cursor_stays_on_its_node_whatever_becomes_of_the_others() -> None:
    view = after(fleet(), "down", "down", "down")
    assert view.chosen == "a-001"
    worse = Seen(tuple(replace(one, problem="garbage") for one in fleet().reports), NOW)
    assert any(row.startswith("> a-001 ") for row in drawn(worse, view))
    fewer = Seen(fleet(1).reports, NOW)
    assert any(row.startswith("> c-draining ") for row in drawn(fewer, view)), "a node that is gone"


def test_a_look_that_failed_is_told() -> None:
    assert (
        drawn(replace(fleet(), problem="the API server is away"))[-1] == "not current: the API server is away"
    )


def test_a_look_that_breaks_is_told_and_the_next_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(top, "SHARE", 0)
    broken = threading.Event()

    def look() -> Seen:
        if broken.is_set():
            raise ValueError("half an object")
        return fleet()

    eye = top.Eye(look).start()
    try:
        broken.set()
        eventually(lambda: eye.seen.problem.startswith("bug: ValueError: half an object"), 10)
        broken.clear()
        eventually(lambda: not eye.seen.problem, 10)
    finally:
        eye.stop()


def test_detail_says_what_the_other_commands_say() -> None:
    text = "\n".join(drawn(fleet(), after(fleet(), "down", "enter"), height=40))
    assert "has been silent since" in text and "PEER ADDRESS" in text and "esc back" in text


# --- keys


@pytest.mark.parametrize(
    ("keys", "node"),
    [
        (("down",), "d-stale"),
        (("up",), "c-draining"),
        (("end",), "e-none"),
        (("G", "g"), "c-draining"),
        (("j", "j", "k"), "d-stale"),
        (("page-down",), "e-none"),
        (("end", "page-up"), "c-draining"),
    ],
)
def test_it_moves(keys: tuple[str, ...], node: str) -> None:
    assert after(fleet(), *keys).chosen == node


def test_a_filter_is_typed_kept_and_cleared() -> None:
    seen = fleet()
    view = after(seen, "/", "d", "r", "a", "I", "n", "backspace", "backspace", "i", "n", "up", "enter")
    assert not view.typing and view.words == "drain"
    assert [one.node for one in chosen(seen, view)] == ["c-draining", "b-drained"]
    assert after(seen, "/", "q", "escape") == View()
    assert after(seen, "/", *"x" * 500).words == "x" * 60
    assert [one.node for one in chosen(seen, after(seen, "p"))] == ["c-draining", "d-stale"]


def test_detail_scrolls_and_goes_back() -> None:
    seen = fleet()
    view = after(seen, "enter", "down", "down")
    assert view.detail and view.scrolled == 2
    assert after(seen, "enter", "end", "page-down").scrolled < 100
    assert not after(seen, "enter", "down", "escape").scrolled
    assert not after(seen, "enter", "escape").detail


@pytest.mark.parametrize("view", [View(), View(detail=True, chosen="a-000"), View(typing=True)])
def test_it_ends(view: View) -> None:
    assert pressed("ctrl-c", fleet(), view) is None
    assert (pressed("q", fleet(), view) is None) is not view.typing


_KEYS = (
    "up",
    "down",
    "enter",
    "escape",
    "/",
    "p",
    "a",
    "backspace",
    "end",
    "page-down",
    "right",
    "left",
    " ",
    "é",
)


@given(st.lists(st.sampled_from(_KEYS), max_size=30), st.sampled_from([0, 2]))
def test_no_keys_break_it(keys: list[str], count: int) -> None:
    seen = fleet(count) if count else Seen(at=NOW)
    assert len(drawn(seen, after(seen, *keys))) == HEIGHT


# --- what a terminal sends


@pytest.fixture
def pipe() -> Iterator[tuple[Keys, int]]:
    read, write = os.pipe()
    yield Keys(read), write
    os.close(read)


@pytest.mark.parametrize(
    ("octets", "names"),
    [
        (b"a", ["a"]),
        (b"\x1b[A\x1bOB\x1b[5~q", ["up", "down", "page-up", "q"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[1;5C/", ["", "/"]),
        (b"\x1b[200~x", ["", "x"]),
        (b"\x1b\x1b[A", ["escape", "up"]),
        (b"\x1b[", ["escape", "["]),
        (b"\x00\r\n\x7f\x03", ["", "enter", "enter", "backspace", "ctrl-c"]),
        ("é".encode(), ["é"]),
        (b"\xff", ["\ufffd"]),
    ],
)
def test_each_sequence_is_one_key(pipe: tuple[Keys, int], octets: bytes, names: list[str]) -> None:
    keys, write = pipe
    os.write(write, octets)
    assert [keys.read(1.0) for _ in names] == names
    assert keys.read(0.0) == ""
    os.close(write)
    with pytest.raises(EOFError):
        keys.read(1.0)

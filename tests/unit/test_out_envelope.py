"""Documents for machines that people look at all the same: nothing in them drives a terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.render.envelope import Kept, escaped, plain_data, write_json, write_yaml

HOSTILE = (
    "\x1b[2J",
    "\x9b2J",
    "\x7f",
    "\x85",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\u2028",
    "\U000e0041",
)


def written(write: object, text: str) -> str:
    stream = io.StringIO()
    write({"message": text}, stream)  # type: ignore[operator]
    return stream.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_not_seen_is_escaped(text: str) -> None:
    for write, read in ((write_json, json.loads), (write_yaml, yaml.safe_load)):
        shown = written(write, f"a{text}é")
        assert shown.replace("\n", "").isprintable()
        assert read(shown) == {"message": f"a{text}é"}


def test_half_a_character_is_escaped() -> None:
    assert written(write_json, "\ud800") == '{\n  "message": "\\ud800"\n}\n'
    assert written(write_yaml, "\ud800") == 'message: "\\uD800"\n'


def test_what_is_seen_stays() -> None:
    assert "é – 中" in written(write_json, "é – 中")
    assert "é – 中" in written(write_yaml, "é – 中")


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=12,
)


def streaming(value: Any, kept: bool = False) -> Any:
    """The same, with iterators in the place of lists and documents that are part of many."""
    if isinstance(value, dict):
        inner = {key: streaming(item, not kept) for key, item in value.items()}
        return Kept(value) if kept else inner
    return (streaming(item, not kept) for item in value) if isinstance(value, list) else value


@given(st.dictionaries(st.text(max_size=3), TREES, max_size=4))
def test_a_document_that_comes_bit_by_bit_is_the_same_to_the_byte(document: dict[str, Any]) -> None:
    whole = escaped(json.dumps(plain_data(document), indent=2, ensure_ascii=False)) + "\n"
    stream = io.StringIO()
    write_json(document, stream)
    assert stream.getvalue() == whole
    stream = io.StringIO()
    write_json(streaming(document), stream)
    assert stream.getvalue() == whole
    assert plain_data(streaming(document)) == plain_data(document)


PLAIN = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=120)
ROWS = st.lists(st.dictionaries(PLAIN, PLAIN | st.lists(PLAIN, max_size=2), max_size=3), max_size=3)
NODES = st.lists(st.fixed_dictionaries({"node": PLAIN, "peers": st.lists(ROWS, max_size=3), "notes": ROWS}))


@given(NODES)
def test_yaml_that_comes_bit_by_bit_is_the_same_to_the_byte(nodes: list[dict[str, Any]]) -> None:
    def written_nodes(rows: Callable[[list[Any]], Any]) -> Any:
        for node in nodes:
            peers = ({"name": "p", "routes": rows(routes)} for routes in node["peers"])
            yield {**node, "peers": peers, "only": {"routes": rows(node["notes"])}}

    whole = plain_data({"status": "done", "nodes": written_nodes(list)})
    stream = io.StringIO()
    write_yaml({"status": "done", "nodes": written_nodes(lambda rows: map(Kept, rows))}, stream)
    assert stream.getvalue() == yaml.safe_dump(whole, sort_keys=False, allow_unicode=True)


def test_a_text_that_documents_share_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, dump = list[Any](), yaml.safe_dump

    def counted(value: Any, **options: Any) -> Any:
        made.append(value)
        return dump(value, **options)

    monkeypatch.setattr(yaml, "safe_dump", counted)
    row = Kept({"prefix": "192.0.2.1/32"})
    nodes = ({"node": f"n{number}", "routes": iter([row] * 50)} for number in range(4))
    write_yaml({"nodes": nodes}, io.StringIO())
    assert len(made) == 4 + 1


def test_an_item_is_written_before_the_next_one_is_made() -> None:
    stream, seen = io.StringIO(), list[str]()

    def items() -> Iterator[int]:
        for number in range(3):
            seen.append(stream.getvalue())
            yield number

    write_json({"nodes": items()}, stream)
    assert seen == ['{\n  "nodes": ', seen[1], seen[2]]
    assert seen[1].endswith("0") and seen[2].endswith("1")


@given(st.text())
def test_nothing_is_lost(text: str) -> None:
    shown = written(write_json, text)
    assert shown.replace("\n", "").isprintable() and json.loads(shown) == {"message": text}
    shown = written(write_yaml, text)
    assert shown.replace("\n", "").isprintable() and yaml.safe_load(shown) == {"message": text}

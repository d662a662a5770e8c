"""YAML as kubectl reads it: scalars, anchors, bounds, and the place of every fault."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.documents.stream import Lines, RawDocument, read_stream, resolve


def one(text: str) -> RawDocument:
    (document,) = read_stream(text.encode())
    return document


# --- YAML as kubectl reads it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("65000:10", "65000:10"),  # PyYAML's loaders say 3900010
        ("65000:1:2", "65000:1:2"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),  # … and a datetime
        ("179", 179),
        ("-1", -1),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0b11", 3),
        ("010", 8),
        ("0o10", 8),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1/32", "10.0.0.1/32"),
        ("'179'", "179"),
        ('"true"', "true"),
        ("true", True),
        ("Off", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("=", "="),
        ("1" * 100, "1" * 100),
        ("0b_", "0b_"),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    document = one(f"key: {text}\n")
    assert document.faults == []
    assert document.value == {"key": value} and type(document.value["key"]) is type(value)


def test_keys_are_strings() -> None:
    assert one("1: a\ntrue: b\n'x': c\n").value == {"1": "a", "true": "b", "x": "c"}


def test_anchors_and_merge_keys() -> None:
    text = "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\nc: [*x, *x]\nd: {<<: [*x, {r: 4}]}\n"
    value = one(text).value
    assert value["b"] == {"p": 1, "q": 3} and value["c"] == [value["a"]] * 2
    assert value["d"] == {"p": 1, "q": 2, "r": 4}


def test_documents_are_counted_and_placed() -> None:
    documents = list(read_stream(b"# comment\na: 1\n---\n---\n\nb: 2\n...\n"))
    assert [(d.index, d.line, d.value) for d in documents] == [
        (1, 2, {"a": 1}),
        (2, 4, None),
        (3, 6, {"b": 2}),
    ]


def laughs() -> str:
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    levels += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join(levels)


@pytest.mark.parametrize(
    ("text", "words", "line", "column"),
    [
        ("a: 1\nb: [\n", "not YAML", 3, 1),
        ("a: 1\n b: 2\n", "not YAML", 2, 3),
        ("a: b: c\n", "not YAML", 1, 5),
        ("\tkind: x\n", "not YAML", 1, 1),
        ("a: 1\nb: x\x01y\n", "control characters are not allowed", 2, 5),
        ("a: 1\nb: 1\na: 2\n", 'duplicate key "a"', 3, 1),
        ("a: *b\n", "the alias *b has no anchor", 1, 4),
        ("a: &a\n  b: *a\n", "the alias *a contains itself", 2, 6),
        ("a: !!python/object/apply:os.system [id]\n", "is not allowed", 1, 4),
        ("a: !custom x\n", "the tag !custom is not allowed", 1, 4),
        ("? [1]\n: 2\n", "a key must be a string", 1, 3),
        ("a: {<<: 5}\n", "merge key", 1, 10),
        ("[" * 200, "nested deeper than 64 levels", 1, 66),
        ("[" * 5000, "nest", 1, None),  # newer libyaml has a limit of its own, and reads ahead of ours
        (laughs(), "aliases add more than 100000 values", None, None),
    ],
)
def test_yaml_faults(text: str, words: str, line: int | None, column: int | None) -> None:
    start = time.process_time()
    (fault,) = one(text).faults
    assert words in str(fault)
    assert line is None or fault.line == line
    assert column is None or fault.column == column
    assert time.process_time() - start < 1


def test_documents_before_a_fault_stand() -> None:
    first, empty, broken = read_stream(b"a: 1\n---\n---\nb: [\n")
    assert first.value == {"a": 1} and first.faults == [] and empty.faults == []
    assert broken.index == 3 and broken.value is None and broken.faults
    empty, broken = read_stream(b"---\n...\n@\n")
    assert empty.faults == [] and broken.index == 2 and broken.faults


words = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=40)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, plain, min_size=1, max_size=4))
def test_json_is_read_as_json(document: dict[str, Any]) -> None:
    # Outside of YAML's subset of JSON: surrogate pairs, and keys longer than 1024 characters.
    text = json.dumps(document)
    assert one(text).value == json.loads(text)


@given(st.binary(max_size=60))
def test_any_bytes_give_documents_or_faults_never_an_exception(data: bytes) -> None:
    for document in read_stream(data.decode("utf-8", "replace").encode()):
        assert document.value is None or document.index > 0


def test_lines_of_paths() -> None:
    lines = Lines(b"# c\nspec:\n  routers:\n  - a: 1\n    b:\n      x.y/z: 2\n---\nother: 1\n")
    assert lines.of(1, "spec.routers[0].b[x.y/z]") == 6
    assert lines.of(1, "spec.routers[0]") == 4
    assert lines.of(1, "spec.routers[0].missing") == 4
    assert lines.of(1, "") == 2 and lines.of(2, "other") == 8 and lines.of(3, "other") is None


@pytest.mark.parametrize(
    "text", ["? [a, b]\n: c\nd: e\n", "? {a: b}\n: c\nd: e\n", "? - [x]\n  - {}\n: c\nd: e\n"]
)
def test_lines_behind_a_key_that_is_a_collection(text: str) -> None:
    """Its end was taken for that of the mapping around it."""
    assert Lines(text.encode()).of(1, "d") == text.count("\n")


@pytest.mark.parametrize("text", ["1e999", "-1e999"])
def test_a_number_without_end_is_text(text: str) -> None:
    assert resolve(text) == text

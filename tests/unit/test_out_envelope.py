"""Documents for machines that people look at all the same: nothing in them drives a terminal."""

from __future__ import annotations

import io
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.render.envelope import write_json, write_yaml

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


@given(st.text())
def test_nothing_is_lost(text: str) -> None:
    shown = written(write_json, text)
    assert shown.replace("\n", "").isprintable() and json.loads(shown) == {"message": text}
    shown = written(write_yaml, text)
    assert shown.replace("\n", "").isprintable() and yaml.safe_load(shown) == {"message": text}

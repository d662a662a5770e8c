"""The reader of docs/json.md's outlines notices what it is for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from bgpctl.core.intent.routeview import ABSENT, ATTRIBUTES, ROW
from bgpctl.core.state_document import GRACEFUL_RESTART, LAST_ERROR, PEER, STATUS, WITHDRAWN
from tests.support.outlines import Key, faults, outlines
from tests.support.pages import ROOT, section

SECTION = """
```text
message
nodes[]          one for each
  node
  stale?
  labels
    *
```
"""


def test_a_document_that_is_as_told_has_no_fault() -> None:
    outline = outlines(SECTION)[""]
    assert not [*faults({"message": "", "nodes": [{"node": "n1", "labels": {"a": 1}}]}, outline)]


def test_what_is_missing_new_or_of_another_form_is_a_fault() -> None:
    outline = outlines(SECTION)[""]
    document = {"nodes": [{"node": "n1", "stale": False, "labels": {}, "colour": "red"}]}
    assert [*faults(document, outline)] == [".message is not there", ".nodes[].colour is not told"]
    assert [*faults({"message": "", "nodes": {}}, outline)] == [".nodes is no list"]


def test_two_outlines_of_one_section_have_names() -> None:
    both = outlines("```text\nevent:\n  time\nresult:\n  node?\n```\n")
    assert {name: [*outline.keys] for name, outline in both.items()} == {
        "event": ["time"],
        "result": ["node"],
    }


# --- what no lab shows --------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "json.md").read_text()
TITLES = [title for title in re.findall(r"^## (.*)$", PAGE, re.M) if "```text" in section(PAGE, title)]


def names(outline: Key) -> Iterator[str]:
    for name, key in outline.keys.items():
        yield name
        yield from names(key)


def known() -> frozenset[str]:
    """Every text and every argument's name of the code: a key that nothing writes is none of them."""
    found = set[str]()
    for file in (ROOT / "bgpctl").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.keyword) and node.arg:
                found.add(node.arg)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)  # a field of what is written as it is
    return frozenset(found)


def test_every_key_of_the_page_is_one_that_the_code_has() -> None:
    all_of_them = (outline for title in TITLES for outline in outlines(section(PAGE, title)).values())
    told = [name for outline in all_of_them for name in names(outline)]
    assert len(told) > 150
    assert not sorted(set(told) - known())


@pytest.mark.parametrize(
    ("title", "tables"),
    [
        ("peers status", (STATUS, PEER, WITHDRAWN, LAST_ERROR, GRACEFUL_RESTART)),
        ("routes", (ROW, ABSENT, ATTRIBUTES)),
    ],
)
def test_every_field_of_what_is_published_is_on_the_page(title: str, tables: Sequence[Any]) -> None:
    (outline,) = outlines(section(PAGE, title)).values()
    written = {field.name for table in tables for field in table.fields}
    assert not written - {*names(outline)}

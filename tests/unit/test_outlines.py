"""The reader of docs/json.md's outlines notices what it is for."""

from __future__ import annotations

from tests.support.outlines import faults, outlines

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

"""The outlines of docs/json.md as values, and what a document has beside them or lacks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.pages import blocks

_LINE = re.compile(r"^( *)(\*|[A-Za-z]\w*)(\?)?(\[\])?(?:  +(.*))?$")


@dataclass(slots=True)
class Key:
    """One line: `optional` ends with ?, `listed` with []. `open`: it has a line *, so any key is in order."""

    optional: bool = False
    listed: bool = False
    open: bool = False
    keys: dict[str, Key] = field(default_factory=dict)


def outlines(section: str) -> dict[str, Key]:
    """Of a section's text block, by the name that stands before each ("" where there is one alone)."""
    (text,) = blocks(section, "text")
    parts = re.split(r"^(?:(\S+):)$", text, flags=re.M)
    named = list(zip(parts[1::2], parts[2::2], strict=True))
    return {name: _read(body) for name, body in ([] if parts[0].strip() == "" else [("", parts[0])]) + named}


def _read(text: str) -> Key:
    lines = [line for line in text.splitlines() if line.strip()]
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    root, stack = Key(), list[Key]()
    for line in lines:
        found = _LINE.match(line[indent:])
        assert found, f"docs/json.md: {line!r} is no line of an outline"
        depth = len(found[1]) // 2
        above = stack[depth - 1] if depth else root
        if found[2] == "*":
            above.open = True
            continue
        key = Key(bool(found[3]), bool(found[4]))
        above.keys[found[2]] = key
        stack[depth:] = [key]
    return root


def faults(document: Any, outline: Key, at: str = "") -> Iterator[str]:
    """A sentence for each key that the outline has not, and for each that it has and the document lacks."""
    if isinstance(document, list):
        for item in document:
            yield from faults(item, outline, f"{at}[]")
        return
    if not isinstance(document, Mapping):
        if outline.keys and document is not None:
            yield f"{at} has no keys"
        return
    if not outline.keys and not outline.open:
        return  # "a course": told once, elsewhere
    for name, key in outline.keys.items():
        if name not in document:
            if not key.optional:
                yield f"{at}.{name} is not there"
        elif isinstance(document[name], list) is not key.listed and document[name] is not None:
            yield f"{at}.{name} is {'no' if key.listed else 'a'} list"
        else:
            yield from faults(document[name], key, f"{at}.{name}")
    if not outline.open:
        yield from (f"{at}.{name} is not told" for name in document if name not in outline.keys)

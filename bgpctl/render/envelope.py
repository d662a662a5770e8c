"""The one JSON document that every command with `-o json` ends with, and its YAML twin."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import isinf
from typing import Any, TextIO, TypeVar

SCHEMA = "bgpctl/v1"

Document = dict[str, Any]
T = TypeVar("T")


def envelope(command: str, status: str, **content: Any) -> Document:
    """`status` is done, planned, blocked, deadline, failed, interrupted or usage, as the exit code says. Keys
    whose value is None are left out."""
    return {"schema": SCHEMA, "command": command, "status": status, **present(**content)}


def present(**content: Any) -> Document:
    """What is known of it."""
    return {key: value for key, value in content.items() if value is not None}


def write_json(document: Mapping[str, Any], stream: TextIO | None = None, *, one_line: bool = False) -> None:
    """One JSON document, indented, or on one line where lines are the records."""
    stream = stream or sys.stdout
    if one_line:
        stream.write(escaped(json.dumps(plain_data(document), ensure_ascii=False)))
    else:
        stream.writelines(_pieces(document, "\n"))
    stream.write("\n")
    stream.flush()


def write_text(text: str) -> None:
    """A whole document in another format, as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


class Kept:
    """A document that is part of many: its text is made once for all that write it in the same way, at the
    same depth."""

    __slots__ = ("_made", "document")

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._made: tuple[object, str] = None, ""

    def text(self, place: T, make: Callable[[Mapping[str, Any], T], str]) -> str:
        """What `make` makes of the document for `place`; only the text of the last place is kept."""
        if self._made[0] != place:
            self._made = place, make(self.document, place)
        return self._made[1]


def _pieces(value: Any, newline: str) -> Iterator[str]:
    """The text of an indented JSON document, piece by piece: of an iterator in it, an item is written before
    the next one is asked for. `newline` is one with the indentation of the value."""
    if isinstance(value, Mapping):
        named = ((f"{_dumped(str(key), newline)}: ", item) for key, item in value.items())
        yield from _listed("{}", named, newline)
    elif isinstance(value, Iterator):
        yield from _listed("[]", (("", item) for item in value), newline)
    else:
        yield _dumped(value, newline)


def _listed(brackets: str, items: Iterator[tuple[str, Any]], newline: str) -> Iterator[str]:
    inner = f"{newline}  "
    lead = f"{brackets[0]}{inner}"
    for name, item in items:
        if isinstance(item, Kept):
            yield f"{lead}{name}{item.text(inner, _dumped)}"
        else:
            yield f"{lead}{name}"
            yield from _pieces(item, inner)
        lead = f",{inner}"
    yield f"{newline}{brackets[1]}" if lead[0] == "," else brackets


def _dumped(value: Any, newline: str) -> str:
    return escaped(json.dumps(plain_data(value), indent=2, ensure_ascii=False)).replace("\n", newline)


def write_yaml(document: Mapping[str, Any], stream: TextIO | None = None) -> None:
    """The items of an iterator at the top are written as they come, as in JSON."""
    stream = stream or sys.stdout
    stream.writelines(_yaml_pieces(document))
    stream.flush()


def _yaml_pieces(document: Mapping[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        head, items = f"{name}:\n", value if isinstance(value, Iterator) else ()
        for item in items:
            yield head
            yield from _yaml_item(item)
            head = ""
        if head:
            yield _yaml({name: [] if isinstance(value, Iterator) else value})


def _yaml_item(item: Any) -> Iterator[str]:
    """One item of a list. A list of kept documents in it has one line, in whose place their texts are put:
    yaml takes a millisecond for each."""
    token, lists = f"kept-{secrets.token_hex(8)}", list[list[Kept]]()

    def marked(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: marked(inner) for key, inner in value.items()}
        if not isinstance(value, Iterator):
            return value
        inside = list(value)
        if not inside or not all(isinstance(one, Kept) for one in inside):
            return [marked(one) for one in inside]
        lists.append(inside)
        return f"{token}-{len(lists) - 1}"

    for text in _yaml([marked(item)]).splitlines(keepends=True):
        name, found, number = text.partition(f" {token}-")
        if not found:
            yield text
            continue
        yield f"{name}\n"
        column = len(name) - len(name.lstrip(" -"))
        yield from (kept.text(column, _yaml_at) for kept in lists[int(number)])


def _yaml_at(document: Mapping[str, Any], column: int) -> str:
    """The document as an item of a list whose dashes are in this column: lines fold by it."""
    nested: Any = [document]
    for _ in range(column // 2):
        nested = [{"in": nested}]
    return "".join(_yaml(nested).splitlines(keepends=True)[column // 2 :])


def _yaml(value: Any) -> str:
    import yaml

    plain = plain_data(value)
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    if not shows(text):
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=False)  # escapes all that is not ASCII
    return text


def escaped(text: str) -> str:
    r"""JSON text without what a terminal would obey and the eye would not see: C1 controls, marks that turn
    the direction of text, lone surrogates. They stay in it as \uXXXX, as C0 controls do anyway."""
    if shows(text):
        return text
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def shows(text: str) -> bool:
    """Is every character of it one that is seen, or the end of a line?"""
    return text.replace("\n", "").isprintable()


def plain_data(value: Any) -> Any:
    """Values as JSON knows them: dataclasses by field, addresses as text, sets sorted, infinity as null."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return None if isinf(value) or value != value else value
    if isinstance(value, Mapping):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain_data(item) for item in value)
    if isinstance(value, list | tuple):
        return [plain_data(item) for item in value]
    if isinstance(value, Iterator):
        return [plain_data(item) for item in value]
    if isinstance(value, Kept):
        return plain_data(value.document)
    if is_dataclass(value):
        return {field.name: plain_data(getattr(value, field.name)) for field in fields(value)}
    return str(value)

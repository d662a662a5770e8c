"""The sorts of values in a document, each read (hostile, bounded) and written: the columns of a `Table`."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple

from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import COUNT, LAST_INSTANT, LONGEST_TEXT, Foreign

Document = dict[str, Any]

ASK: Final = object()
"""A default: the kind's reader says what an absent field is, or refuses it."""


class Kind(NamedTuple):
    """How one sort of value looks in a document: its OpenAPI schema, its reader (object and name -> value, as
    the methods of Foreign), its writer (a known value -> JSON; None leaves the field out; no
    writer = as it is), and what absence reads as."""

    schema: Document
    read: Callable[[Foreign, str], Any]
    write: Callable[[Any], Any] | None = None
    default: Any = ASK


STRING: Document = {"type": "string"}
OBJECT: Document = {"type": "object"}
TEXT = Kind(STRING, Foreign.text, default="")
REQUIRED_TEXT = Kind(STRING, Foreign.required)
SENTENCE = Kind(STRING, Foreign.text, lambda text: text[:LONGEST_TEXT], "")
FLAG = Kind({"type": "boolean"}, Foreign.flag, default=False)


def integer(limits: Range = COUNT, default: int | None = 0, **schema: Any) -> Kind:
    """A whole number; `schema` has what its property says beside the type. `default` None: may be unknown."""
    return Kind({"type": "integer", **schema}, partial(Foreign.integer, limits=limits), default=default)


def number(most: float = LAST_INSTANT) -> Kind:
    """A finite number from 0 to `most`."""
    return Kind({"type": "number"}, partial(Foreign.number, most=most), default=0.0)


def parsed(parse: Callable[[str], Any], what: str) -> Kind:
    """A string that `parse` understands (it raises ValueError), written by `str`; None when it is empty."""
    return Kind(STRING, partial(Foreign.parsed, parse=parse, what=what), str, None)


def as_text(kind: Kind) -> Kind:
    """The same, kept as the text that it is written as; "" when there is none."""
    return kind._replace(read=lambda *place: str(kind.read(*place) or ""), default="")


def required(kind: Kind, what: str) -> Kind:
    """The same, but it must be there; `what` it should be, in words."""

    def read(foreign: Foreign, name: str) -> Any:
        found = kind.read(foreign, name)
        return foreign.refuse(name, what) if found is None else found

    return kind._replace(read=read, default=ASK)


def texts(most: int = 10_000) -> Kind:
    """A list of sentences, of which no more than `most` are written."""
    write = lambda found: [text[:LONGEST_TEXT] for text in found[:most]]  # noqa: E731
    return Kind(array(STRING), Foreign.texts, write, ())


def each_text(parse: Callable[[str], Any]) -> Kind:
    """A list of strings that `parse` understands, whatever they are; written by `str`."""
    read = lambda foreign, name: tuple(map(parse, foreign.texts(name)))  # noqa: E731
    return Kind(array(STRING), read, lambda values: list(map(str, values)), ())


def choice(words: type[StrEnum]) -> Kind:
    """One of these words; it must be there."""
    return Kind(STRING, lambda foreign, name: words(foreign.choice(name, tuple(words))), str)


def array(items: Document) -> Document:
    """The schema of a list, as a CRD spells it."""
    return {"type": "array", "items": items}


WORDS = Kind(array(STRING), lambda foreign, name: frozenset(foreign.texts(name)), sorted, frozenset())
"""A set of strings, written in order."""

"""One table of fields per object, read both ways: a document -> a value, and the value -> the document.

    PLACE = Table(Place, Field("peerPort", "port", kinds.integer(Range(0, 65535)), default=179), …)
    PLACE.read(Foreign.of(document))    # Place(port=179, …), or Unreadable with the field's path
    PLACE.write(place)                  # {"peerPort": 179, …}

To add a field is one line here, the attribute, and the property in the CRD (a test compares them). What is
read is hostile: a kind's reader is one of `Foreign`, with its bounds. None is *unknown*: it is never written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

from bgpctl.core.reading.foreign import Foreign
from bgpctl.core.reading.kinds import ASK, Document, Kind, array

Values = dict[str, dict[str, Any]]
"""The attributes of a value and of its parts ("" is the value itself), by name."""

Fill = Callable[[Foreign, Values], None]

T = TypeVar("T")


@dataclass(eq=False)
class Field:
    """One property: its name in the document, the attribute ("session.state": of the part `session`) and its
    kind. `default`: what an absent one reads as, where it is not the kind's. `terse`: left out while it is
    empty. Not `read`: it follows from others; not `written`: another field writes it."""

    name: str
    attribute: str
    kind: Kind
    default: Any = ASK
    terse: bool = False
    read: bool = True
    written: bool = True

    def __post_init__(self) -> None:
        self.schema = self.kind.schema
        self.get = attrgetter(self.attribute)
        self.write = self.kind.write
        self.fill = self._filler()

    def _filler(self) -> Fill:
        """Reads it from the document into the values."""
        name, read = self.name, self.kind.read
        part, _, last = self.attribute.rpartition(".")
        default = self.kind.default if self.default is ASK else self.default

        def ask(foreign: Foreign, values: Values) -> None:
            values[part][last] = read(foreign, name)

        def fill(foreign: Foreign, values: Values) -> None:
            values[part][last] = default if foreign.value.get(name) is None else read(foreign, name)

        return ask if default is ASK else fill

    def under(self, part: str) -> Field:
        """The same property as an attribute of the value's part `part`."""
        return replace(self, attribute=f"{part}.{self.attribute}")


class Group:
    """A nested object whose properties are attributes of the same value. `needs`: the property without which
    the object is left out."""

    read = written = True
    terse = False

    def __init__(self, name: str, *fields: Field, needs: str = "") -> None:
        self.name, self.fields, self.needs = name, fields, needs
        self.schema = _schema(fields)
        self._writers = _writers(fields)

    def get(self, value: Any) -> Any:
        """The value itself: the group's properties are attributes of it, not of a part."""
        return value

    def write(self, value: Any) -> Document | None:
        """None when what `needs` names is unknown: the object is then left out."""
        document = _write(self._writers, value)
        return None if self.needs and self.needs not in document else document

    def fill(self, foreign: Foreign, values: Values) -> None:
        """An absent object reads as an empty one, so each property gets its default. Raises Unreadable."""
        child = foreign.child(self.name)
        for one in self.fields:
            one.fill(child, values)

    def under(self, part: str) -> Group:
        """The same object, its properties as attributes of the value's part `part`."""
        return Group(self.name, *(one.under(part) for one in self.fields), needs=self.needs)


def under(part: str, fields: Iterable[Field | Group]) -> tuple[Field | Group, ...]:
    """The same properties as attributes of the value's part `part`."""
    return tuple(one.under(part) for one in fields)


class Table(Generic[T]):
    """All properties of one object of the document, and `make`, which builds the value from its attributes.
    `parts`: what builds the attributes that are values themselves, where the object has their fields beside
    its own; the inner ones first."""

    def __init__(
        self,
        make: Callable[..., T],
        *fields: Field | Group,
        parts: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.fields = fields
        self.schema = _schema(fields)
        self._make = make
        self._parts = dict(parts or {})
        self._readers = [one.fill for one in fields if one.read]
        self._writers = _writers(fields)

    def read(self, foreign: Foreign) -> T:
        """The document's object -> the value. Raises Unreadable."""
        values: Values = {part: {} for part in ("", *self._parts)}
        for fill in self._readers:
            fill(foreign, values)
        for part, make in self._parts.items():
            owner, _, last = part.rpartition(".")
            values[owner][last] = make(**values[part])
        return self._make(**values[""])

    def write(self, value: Any) -> Document:
        """The value -> the document's object, without what is unknown."""
        return _write(self._writers, value)


Writer = tuple[str, Callable[[Any], Any], Callable[[Any], Any] | None, bool]


def _writers(fields: Iterable[Field | Group]) -> list[Writer]:
    return [(one.name, one.get, one.write, one.terse) for one in fields if one.written]


def _write(writers: list[Writer], value: Any) -> Document:
    """5,000 nodes are written and read at once: a tuple per field, and one loop."""
    document: Document = {}
    for name, get, write, terse in writers:
        found = get(value)
        if write is not None and found is not None:
            found = write(found)
        if found or not (terse or found is None):
            document[name] = found
    return document


def _schema(fields: Iterable[Field | Group]) -> Document:
    return {"type": "object", "properties": {one.name: one.schema for one in fields}}


def nested(table: Table[Any], *, empty: bool = False) -> Kind:
    """One object. `empty`: it may be, and is when it is absent; else that is None."""

    def read(foreign: Foreign, name: str) -> Any:
        child = foreign.child(name)
        return table.read(child) if child.value or empty else None

    return Kind(table.schema, read, table.write, ASK if empty else None)


def each(table: Table[T], most: int = 10_000, row: Callable[[Any], T] | None = None) -> Kind:
    """A list of objects, at most `most`. `row` makes what the table writes of an item, where that differs."""

    def read(foreign: Foreign, name: str) -> tuple[T, ...]:
        return tuple([table.read(child) for child in foreign.children(name, most)])

    def write(values: Iterable[Any]) -> list[Document]:
        return [table.write(value if row is None else row(value)) for value in values]

    return Kind(array(table.schema), read, write, ())

"""Reads a document's fields one by one and collects every fault with its exact path. Raises nothing.

A `Fields` is one mapping of the document. Each read names the field, what is allowed and what absence means;
a wrong value is reported and a harmless stand-in is returned, so that reading goes on and the user gets all
faults at once. `close` reports the fields that nobody asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from bgpctl.errors import Problem


class Range(NamedTuple):
    """Inclusive bounds of an integer field, written as `1..65535` in messages."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"

    def holds(self, value: int) -> bool:
        return self.low <= value <= self.high


class Faults:
    """Where the faults of one document go. `strict` makes an unknown field an error; objects from the API
    server are read without it, because a newer schema may know fields that we do not.

    `prefix` is put before every path (an item of a List lives at `items[3].`).
    """

    __slots__ = ("document", "prefix", "problems", "source", "strict", "warnings")

    def __init__(self, source: str, document: int = 1, strict: bool = True, prefix: str = "") -> None:
        self.source = source
        self.document = document
        self.strict = strict
        self.prefix = prefix
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def error(self, path: str, message: str) -> None:
        """A fault that costs the document; `path` is what comes after the prefix."""
        self.problems.append(self._problem(path, message))

    def warn(self, path: str, message: str) -> None:
        """Something without effect in a document that stays valid."""
        self.warnings.append(self._problem(path, message))

    def _problem(self, path: str, message: str) -> Problem:
        return Problem(self.source, self.document, self.prefix + path, message)


def show(value: object) -> str:
    """A value as a message may quote it: short, on one line, with its type told apart."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 60 else value[:57] + "…", ensure_ascii=False)
    if isinstance(value, Sequence):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)[:60]


def one_of(allowed: Sequence[str]) -> str:
    """`one of In, NotIn, Exists`, as a message goes on after "must be"."""
    return "one of " + ", ".join(allowed)


def suggestion(name: str, known: Sequence[str]) -> str:
    """` Did you mean "peerASN"?`, or nothing."""
    close = get_close_matches(name, known, n=1, cutoff=0.6) or [k for k in known if k.lower() == name.lower()]
    return f' Did you mean "{close[0]}"?' if close else ""


class Fields:
    """One mapping of a document under reading. `null` counts as absent, as in the API server."""

    __slots__ = ("_asked", "faults", "path", "value")

    def __init__(self, value: Mapping[str, Any], path: str, faults: Faults) -> None:
        self.value = value
        self.path = path
        self.faults = faults
        self._asked: dict[str, None] = {}

    def at(self, name: str) -> str:
        """The path of a field in here: `spec.virtualRouters[0].localASN`."""
        return f"{self.path}.{name}" if self.path else name

    def error(self, name: str, message: str) -> None:
        """A fault of the field `name`; `message` goes on after its path."""
        self.faults.error(self.at(name), message)

    def warn(self, name: str, message: str) -> None:
        """As `error`, and the document stays valid."""
        self.faults.warn(self.at(name), message)

    def raw(self, name: str, allowed: str = "", required: bool = False) -> Any:
        """The value as it stands, None when absent; absent and required is a fault."""
        self._asked[name] = None
        value = self.value.get(name)
        if value is None and required:
            self.error(name, f"required; {allowed}" if allowed else "required")
        return value

    def integer(self, name: str, limits: Range, default: int = 0, required: bool = False) -> int:
        """An integer within `limits`; absent gives `default`."""
        value = self.raw(name, f"an integer, {limits}", required)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.error(name, f"must be an integer, {limits}; it is {show(value)}{_kind(value)}")
            return default
        if not limits.holds(value):
            self.error(name, f"must be {limits}; it is {value}")
            return default
        return value

    def optional_integer(self, name: str, limits: Range) -> int | None:
        """As `integer`; absent gives None."""
        return None if self.raw(name) is None else self.integer(name, limits, limits.low)

    def boolean(self, name: str, default: bool = False, required: bool = False) -> bool:
        """A YAML boolean; absent or wrong gives `default`. "true" in quotes is wrong."""
        value = self.raw(name, "true or false", required)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.error(name, f"must be true or false; it is {show(value)}{_kind(value)}")
            return default
        return value

    def string(self, name: str, allowed: str = "a string", required: bool = False) -> str | None:
        """A non-empty string, None when absent or wrong. `allowed` says in words what it should be."""
        value = self.raw(name, allowed, required)
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            self.error(name, f"must be {allowed}; it is {show(value)}{_kind(value)}")
            return None
        return value

    def choice(self, name: str, allowed: Sequence[str], required: bool = False) -> str | None:
        """One of `allowed`, None when absent or wrong."""
        value = self.raw(name, one_of(allowed), required)
        if value is None or value in allowed:
            return value  # type: ignore[no-any-return]
        guess = suggestion(value, allowed) if isinstance(value, str) else ""
        self.error(name, f"must be {one_of(allowed)}; it is {show(value)}.{guess}".rstrip("."))
        return None

    def mapping(self, name: str, required: bool = False) -> Fields | None:
        """A nested object, None when absent or wrong."""
        value = self.raw(name, "an object", required)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.error(name, f"must be an object; it is {show(value)}")
            return None
        return Fields(value, self.at(name), self.faults)

    def items(
        self, name: str, what: str = "a list", minimum: int = 0, maximum: int | None = None
    ) -> Iterator[tuple[str, Any]]:
        """The items of a list with the path of each; absent gives nothing unless `minimum` asks for some."""
        needed = f"{what} of at least {minimum}" if minimum else what
        if maximum is not None:
            needed = f"{what} of {minimum} to {maximum}"
        value = self.raw(name, needed, required=minimum > 0)
        if value is None:
            return
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.error(name, f"must be {needed}; it is {show(value)}")
            return
        if len(value) < minimum or (maximum is not None and len(value) > maximum):
            self.error(name, f"must be {needed}; it has {len(value)}")
        yield from ((f"{self.at(name)}[{index}]", item) for index, item in enumerate(value))

    def objects(
        self, name: str, what: str = "a list", minimum: int = 0, maximum: int | None = None
    ) -> Iterator[Fields]:
        """The items of a list of objects; an item that is none is reported and skipped."""
        for path, item in self.items(name, what, minimum, maximum):
            if isinstance(item, Mapping):
                yield Fields(item, path, self.faults)
            else:
                self.faults.error(path, f"must be an object; it is {show(item)}")

    def strings(self, name: str, what: str = "a list of strings", minimum: int = 0) -> list[tuple[str, str]]:
        """(path, text) of a list of strings; an item that is none is reported and skipped."""
        texts: list[tuple[str, str]] = []
        for path, item in self.items(name, what, minimum):
            if isinstance(item, str):
                texts.append((path, item))
            else:
                self.faults.error(path, f"must be a string; it is {show(item)}{_kind(item)}")
        return texts

    def string_map(self, name: str) -> dict[str, str]:
        """An object whose values are strings (labels, annotations); others are reported and left out."""
        nested = self.mapping(name)
        if nested is None:
            return {}
        texts: dict[str, str] = {}
        for key, value in nested.value.items():
            if isinstance(key, str) and isinstance(value, str):
                texts[key] = value
            else:
                wrong = value if isinstance(key, str) else key
                message = f"must be a string; it is {show(wrong)}{_kind(wrong)}"
                self.faults.error(f"{nested.path}[{key}]", message)
        return texts

    def close(self) -> None:
        """Report the fields that nobody read (when strict)."""
        if not self.faults.strict:
            return
        known = list(self._asked)
        for name in self.value:
            if name not in self._asked:
                guess = suggestion(name, known) if isinstance(name, str) else ""
                self.error(str(name), f"unknown field.{guess} Known here: {', '.join(known)}")


def _kind(value: object) -> str:
    """Why a value that looks right is not: YAML took it for another type."""
    if isinstance(value, str):
        return " (a string: take the quotes away)" if value.lstrip("-").isdigit() else ""
    if isinstance(value, bool):
        return " (a boolean: quote it if you mean the word)"
    return " (a number: quote it)" if isinstance(value, int | float) else ""

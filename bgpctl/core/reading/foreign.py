"""Reads what others wrote (annotations, custom resources, answers of routers, messages of engines) into typed
values.

Whatever it holds, the outcome is a value of the type that was asked for or one `Unreadable` that names the
place: no other error, no endless number, no depth that a later walk could drown in. `null` counts as absent,
as in the API server. For documents that people write, where every fault is told at once, see `fields.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from bgpctl.core.reading.fields import Range, show
from bgpctl.errors import BgpctlError

T = TypeVar("T")

# The last instant that a calendar can show: 9999-12-31T23:59:59Z.
LAST_INSTANT = 253402300799.0
# What 64 signed bits hold: nothing that is counted here comes near it.
COUNT = Range(0, 2**63 - 1)
LONGEST_TEXT = 4096
_DEEPEST = 8
# What JSON gives comes first: asking an abstract class costs five times as much.
_OBJECT, _LIST = (dict, Mapping), (list, Sequence)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Unreadable(BgpctlError):
    """Something that others wrote is not what it should be. The message names the place and the fault."""


def parse_json(text: str | bytes, longest: int) -> Any:
    """JSON of at most `longest` characters or bytes, finite numbers only. Raises Unreadable."""
    if len(text) > longest:
        raise Unreadable(f"longer than {longest} bytes")
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise Unreadable("nested too deep") from None
    except ValueError as error:
        raise Unreadable(f"no JSON: {error}") from None


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no finite number")


def plain(value: Any, path: str = "", depth: int = _DEEPEST) -> Any:
    """`value` when it is JSON that may be kept and written again as it is: not deeper than `depth`, numbers
    finite. Raises Unreadable."""
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, int | float):
        return value if abs(value) <= COUNT.high else _refuse(path, "a finite number", value)
    if depth == 0:
        return _refuse(path, "less deeply nested", value)
    if isinstance(value, Mapping):
        return {str(k): plain(v, f"{path}.{k}", depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{path}[{i}]", depth - 1) for i, item in enumerate(value)]
    return _refuse(path, "JSON", value)


def _refuse(path: str, allowed: str, value: Any) -> NoReturn:
    raise Unreadable(f"{path[:200] or 'it'} must be {allowed}; it is {show(value)}")


@dataclass(slots=True)  # not frozen: 100,000s are made at once
class Foreign:
    """One JSON object that somebody else wrote. Every read names a field and gives a value of that type, the
    default when it is absent, or raises Unreadable with the field's path."""

    value: Mapping[str, Any]
    path: str = ""

    @classmethod
    def of(cls, value: Any, path: str = "") -> Foreign:
        """`value` as an object. Raises Unreadable when it is none."""
        return cls(value, path) if isinstance(value, _OBJECT) else _refuse(path, "an object", value)

    def at(self, name: str) -> str:
        """The path of a field in here, as `Unreadable` names it."""
        return f"{self.path}.{name}" if self.path else name

    def refuse(self, name: str, allowed: str) -> NoReturn:
        """Raises Unreadable: the field must be `allowed`, and what it is instead."""
        _refuse(self.at(name), allowed, self.value.get(name))

    def has(self, name: str) -> bool:
        """Is it there, and not null?"""
        return self.value.get(name) is not None

    def text(self, name: str, default: str = "", longest: int = LONGEST_TEXT) -> str:
        """A string, whatever characters it holds: whoever prints it escapes them."""
        value = self.value.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or len(value) > longest:
            self.refuse(name, f"a string of at most {longest} characters")
        return value

    def required(self, name: str, longest: int = LONGEST_TEXT) -> str:
        """As `text`, but it must be there."""
        if not self.has(name):
            self.refuse(name, "a string")
        return self.text(name, longest=longest)

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """One of `allowed`; it must be there."""
        value = self.value.get(name)
        return (
            value if isinstance(value, str) and value in allowed else self.refuse(name, " or ".join(allowed))
        )

    def flag(self, name: str, default: bool = False) -> bool:
        """A JSON boolean: neither 0 and 1 nor words stand for one."""
        value = self.value.get(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else self.refuse(name, "true or false")

    def integer(self, name: str, default: int = 0, limits: Range = COUNT) -> int:
        """A whole number within `limits`, bounds included; 1.0 and true are none."""
        value = self.value.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not limits.low <= value <= limits.high:
            self.refuse(name, f"an integer, {limits}")
        return value

    def optional_integer(self, name: str, limits: Range = COUNT) -> int | None:
        """As `integer`; None when it is absent."""
        return self.integer(name, limits=limits) if self.has(name) else None

    def number(self, name: str, default: float = 0.0, most: float = LAST_INSTANT) -> float:
        """A finite number that is not negative: a duration, or an instant in epoch seconds."""
        value = self.value.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            self.refuse(name, f"a number, 0..{most:.0f}")
        return value

    def instant(self, name: str) -> float:
        """An RFC 3339 time as epoch seconds, 0 when it is absent or empty."""
        text = self.text(name, longest=64)
        if not text:
            return 0.0
        try:
            seconds = datetime.fromisoformat(text.upper()).timestamp() if _RFC3339.fullmatch(text) else -1.0
        except (ValueError, OverflowError):
            seconds = -1.0
        return seconds if 0 <= seconds <= LAST_INSTANT else self.refuse(name, "an RFC 3339 time since 1970")

    def parsed(self, name: str, parse: Callable[[str], T], what: str) -> T | None:
        """A string that `parse` understands (it raises ValueError for others); None when absent or empty."""
        text = self.text(name)
        try:
            return parse(text) if text else None
        except ValueError:
            return self.refuse(name, what)

    def child(self, name: str) -> Foreign:
        """A nested object; an empty one when it is absent."""
        value = self.value.get(name)
        return Foreign({}, self.at(name)) if value is None else Foreign.of(value, self.at(name))

    def items(self, name: str, most: int = 10_000) -> Iterator[tuple[str, Any]]:
        """The items of a list, each with its path; none when it is absent."""
        value = self.value.get(name)
        if value is None:
            return iter(())
        if isinstance(value, str) or not isinstance(value, _LIST) or len(value) > most:
            self.refuse(name, f"a list of at most {most}")
        path = self.at(name)
        return ((f"{path}[{index}]", item) for index, item in enumerate(value))

    def children(self, name: str, most: int = 10_000) -> tuple[Foreign, ...]:
        """The items of a list of objects."""
        return tuple([Foreign.of(item, path) for path, item in self.items(name, most)])

    def texts(self, name: str, most: int = 10_000, longest: int = LONGEST_TEXT) -> tuple[str, ...]:
        """The items of a list of strings."""
        return tuple(
            [
                item
                if isinstance(item, str) and len(item) <= longest
                else Foreign({path: item}).required(path, longest)
                for path, item in self.items(name, most)
            ]
        )

    def each(self, name: str) -> Iterator[tuple[Foreign, str]]:
        """The keys of a nested object, each with the object to read its value from."""
        nested = self.child(name)
        for key in nested.value:
            if not isinstance(key, str) or len(key) > LONGEST_TEXT:
                _refuse(nested.path, "an object whose keys are short strings", key)
            yield nested, key

"""kubectl's JSONPath templates, as far as scripts use them: `{range .nodes[*]}{.node}{"\\n"}{end}`.

In braces: paths (`.field`, `['field']`, `[*]`, `.*`, `[n]`, `[from:to:step]`, `[?(@.field == "word")]`),
texts in quotes, range and end; what is outside stays as it is. Measured against kubectl, except that an index
that a list has not gives nothing, as a key does. The rest of the dialect (`..`, unions) is refused with its
column.
PyPI's JSONPath libraries have the paths of another dialect, and no templates.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

Step = Callable[[Any], Iterator[Any]]
"""One value to those that it leads to."""

_FIELD = re.compile(r"(?:[^\s.\[\]{}()'\"\\=!<>?@$*,:|&~]|\\.)+")
_SLICE = re.compile(r"(-?\d{1,9})?(?::(-?\d{1,9})?)?(?::(-?\d{1,9})?)?\]")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_COMPARES: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Text:
    """What is printed as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Path:
    """Its values are printed with a blank between."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """`parts` once for each value of the path, which is where their own paths begin."""

    path: Path
    parts: tuple[Part, ...]


Part = Text | Path | Range


def parse(template: str) -> tuple[Part, ...]:
    """The template's parts. Raises ValueError: what is wrong, and in which column (from 1)."""
    return _Reader(template).parts()


def evaluate(parts: Sequence[Part], document: Any) -> str:
    """The template filled in from plain data: what is no text as JSON, what is not there not at all."""
    return "".join(_part(part, document) for part in parts)


def _part(part: Part, value: Any) -> str:
    if isinstance(part, Text):
        return part.text
    if isinstance(part, Path):
        return " ".join(_shown(found) for found in _walk(part, value))
    return "".join(evaluate(part.parts, found) for found in _walk(part.path, value))


def _walk(path: Path, value: Any) -> list[Any]:
    found = [value]
    for step in path.steps:
        found = [one for before in found for one in step(before)]
    return found


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- steps --------------------------------------------------------------------------------------------------


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and value.get(name) is not None:
            yield value[name]

    return step


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield from value.values() if isinstance(value, dict) else value


def _items(of: slice) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[of]

    return step


def _item(number: int) -> Step:
    return _items(slice(number, number + 1 or None))


def _where(path: Path, compare: Callable[[Any, Any], bool], other: Any) -> Step:
    def step(value: Any) -> Iterator[Any]:
        return (one for one in _every(value) if any(_holds(compare, got, other) for got in _walk(path, one)))

    return step


def _holds(compare: Callable[[Any, Any], bool], value: Any, other: Any) -> bool:
    """Values of different kinds are unequal, and neither is less."""
    try:
        return compare(value, other)
    except TypeError:
        return False


# --- the template's text ------------------------------------------------------------------------------------


class _Reader:
    """A template and the place in it that is read next."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def parts(self) -> tuple[Part, ...]:
        found: list[list[Part]] = [[]]
        ranges: list[Path] = []
        while self._at < len(self._text):
            if not self._took("{"):
                end = self._text.find("{", self._at)
                end = len(self._text) if end < 0 else end
                found[-1].append(Text(self._text[self._at : end]))
                self._at = end
                continue
            self._blanks()
            while not self._took("}"):
                if self._word("end"):
                    if not ranges:
                        self._refuse("there is no range to end", back=3)
                    inside = tuple(found.pop())
                    found[-1].append(Range(ranges.pop(), inside))
                elif self._word("range"):
                    self._blanks()
                    ranges.append(self._path())
                    found.append([])
                else:
                    found[-1].append(self._quoted() or self._path())
                self._blanks()
        if ranges:
            self._refuse("a range has no {end}")
        return tuple(found[0])

    def _quoted(self) -> Text | None:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        text = found[1] if found[1] is not None else found[2]
        return Text(re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), text))

    def _path(self) -> Path:
        begin = self._at
        if self._took("$") or self._took("@"):
            begin = -1
        steps: list[Step] = []
        while self._at < len(self._text):
            if self._ahead(".."):
                self._refuse("`..` is not understood here: name the fields")
            if self._took("."):
                if self._took("*"):
                    steps.append(_every)
                elif name := self._name():
                    steps.append(_field(name))
                elif not self._ahead("["):
                    break
            elif self._took("["):
                steps.append(self._bracket())
            else:
                break
        if self._at == begin:
            self._refuse("write a path that begins with a dot, a text in quotes, range or end")
        return Path(tuple(steps))

    def _name(self) -> str:
        found = _FIELD.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return re.sub(r"\\(.)", r"\1", found[0])

    def _bracket(self) -> Step:
        """What follows "["."""
        if self._took("*]"):
            return _every
        if self._took("?("):
            return self._filter()
        begin = self._at
        if (name := self._quoted()) is not None and self._took("]"):
            return _field(name.text)
        self._at = begin
        found = _SLICE.match(self._text, self._at)
        if found is None or found[0] == "]":
            self._refuse("write [*], [0], [0:2], ['field'] or [?(@.field==\"text\")]")
        self._at = found.end()
        first, then, by = (int(number) if number else None for number in found.groups())
        if ":" not in found[0]:
            assert first is not None, "neither a number nor a colon was refused"
            return _item(first)
        if by is not None and by < 1:
            self._refuse("a slice goes forward", back=len(found[0]))
        return _items(slice(first, then, by))

    def _filter(self) -> Step:
        """What follows "[?(": a path, and perhaps a comparison with a text, a number, true or false."""
        self._blanks()
        path = self._path()
        self._blanks()
        sign = next((sign for sign in _COMPARES if self._took(sign)), "")
        other: Any = None
        if sign:
            self._blanks()
            other = self._literal()
            self._blanks()
        if not self._took(")]"):
            self._refuse('a filter is [?(@.field)] or [?(@.field == "text")]')
        return _where(path, _COMPARES[sign] if sign else lambda *_: True, other)

    def _literal(self) -> Any:
        if (text := self._quoted()) is not None:
            return text.text
        for word, value in (("true", True), ("false", False)):
            if self._word(word):
                return value
        found = _NUMBER.match(self._text, self._at)
        if found is None:
            self._refuse("compare with a text in quotes, a number, true or false")
        self._at = found.end()
        return float(found[0]) if "." in found[0] else int(found[0])

    # -- the next characters

    def _ahead(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _took(self, text: str) -> bool:
        if not self._ahead(text):
            return False
        self._at += len(text)
        return True

    def _word(self, word: str) -> bool:
        after = self._text[self._at + len(word) : self._at + len(word) + 1]
        return not (after.isalnum() or after == "_") and self._took(word)

    def _blanks(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1
        if self._at == len(self._text):
            self._refuse("a brace is not closed")

    def _refuse(self, why: str, back: int = 0) -> NoReturn:
        raise ValueError(f"column {self._at - back + 1}: {why}")

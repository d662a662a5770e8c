"""Calico's selector expressions (`rack == "r1" && !has(spare)`), as its documentation has them.

A label that is absent satisfies `!=` and `not in`, and nothing else. `&&` binds tighter than `||`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from bgpctl.core.reading.foreign import LONGEST_TEXT, Unreadable

Labels = Mapping[str, str]


class Part(NamedTuple):
    """A part of an expression. `pairs`: labels that whatever it matches has."""

    matches: Callable[[Labels], bool]
    pairs: Mapping[str, str] = {}


DEEPEST = 30  # parentheses and negations within each other
_WORD = re.compile(
    r"""\s*(?:(?P<mark>&&|\|\||==|!=|[!(){},])|"(?P<double>[^"]*)"|'(?P<single>[^']*)'"""
    r"""|(?P<name>[A-Za-z0-9_./-]+))"""
)


@dataclass(frozen=True, slots=True)
class Selector:
    """`keys`: the labels that it speaks of; `pairs`: those that whatever it matches has."""

    text: str
    keys: frozenset[str]
    pairs: Mapping[str, str]
    matches: Callable[[Labels], bool]

    def __str__(self) -> str:
        return self.text or "all()"


def parse(text: str) -> Selector:
    """An empty one selects everything, as Calico has it. Raises Unreadable."""
    if len(text) > LONGEST_TEXT:
        raise Unreadable(f"a selector longer than {LONGEST_TEXT} characters")
    parser = _Parser(text)
    found = parser.whole()
    return Selector(text.strip(), frozenset(parser.keys), found.pairs, found.matches)


_ALL = Part(lambda labels: True)
EVERYTHING = Selector("", frozenset(), {}, _ALL.matches)


class _Parser:
    """Recursive descent over the words of one expression."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self.keys: set[str] = set()
        self._kind, self._word = "", ""
        self._next()

    def whole(self) -> Part:
        found = _ALL if self._kind == "end" else self._either()
        if self._kind != "end":
            self._refuse()
        return found

    def _next(self) -> str:
        """The word that was current; the one after it becomes it."""
        before = self._word
        if not self._text[self._at :].strip():
            self._kind, self._word = "end", "the end"
            return before
        found = _WORD.match(self._text, self._at)
        if found is None:
            raise Unreadable(
                f"selector {self._text[:200]!r}: cannot be read from character {self._at + 1} on"
            )
        kind = str(found.lastgroup)
        self._kind, self._word = ("text" if kind in ("double", "single") else kind), found[kind]
        self._at = found.end()
        return before

    def _refuse(self) -> NoReturn:
        raise Unreadable(f"selector {self._text[:200]!r}: {self._word!r} is not expected there")

    def _take(self, word: str) -> bool:
        """Is the current word this mark or name? Then it is gone past."""
        here = self._kind in ("mark", "name") and self._word == word
        if here:
            self._next()
        return here

    def _need(self, word: str) -> None:
        if not self._take(word):
            self._refuse()

    def _either(self) -> Part:
        first, others = self._both(), list[Part]()
        while self._take("||"):
            others.append(self._both())
        return Part(lambda labels: any(p.matches(labels) for p in (first, *others))) if others else first

    def _both(self) -> Part:
        parts = [self._single()]
        while self._take("&&"):
            parts.append(self._single())
        pairs = {key: value for part in parts for key, value in part.pairs.items()}
        return Part(lambda labels: all(p.matches(labels) for p in parts), pairs)

    def _single(self) -> Part:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unreadable("a selector that is nested too deep")
        found = self._term()
        self._depth -= 1
        return found

    def _term(self) -> Part:
        if self._take("!"):
            inverted = self._single()
            return Part(lambda labels: not inverted.matches(labels))
        if self._take("("):
            inside = self._either()
            self._need(")")
            return inside
        name = self._name()
        if name in ("all", "global", "has") and self._take("("):
            key = self._key() if name == "has" else ""
            self._need(")")
            return Part(lambda labels: key in labels) if key else _ALL
        self.keys.add(name)
        return self._compared(name)

    def _name(self) -> str:
        return self._next() if self._kind == "name" else self._refuse()

    def _key(self) -> str:
        key = self._name()
        self.keys.add(key)
        return key

    def _compared(self, key: str) -> Part:
        if self._take("=="):
            wanted = self._value()
            return Part(lambda labels: labels.get(key) == wanted, {key: wanted})
        if self._take("!="):
            unwanted = self._value()
            return Part(lambda labels: labels.get(key) != unwanted)
        if self._take("in"):
            among = self._values()
            return Part(lambda labels: labels.get(key) in among)
        if self._take("not"):
            self._need("in")
            outside = self._values()
            return Part(lambda labels: labels.get(key) not in outside)
        return self._partly(key)

    def _partly(self, key: str) -> Part:
        if self._take("contains"):
            inside = self._value()
            return Part(lambda labels: inside in labels[key] if key in labels else False)
        if self._take("starts"):
            self._need("with")
            first = self._value()
            return Part(lambda labels: key in labels and labels[key].startswith(first))
        self._need("ends")
        self._need("with")
        last = self._value()
        return Part(lambda labels: key in labels and labels[key].endswith(last))

    def _value(self) -> str:
        return self._next() if self._kind == "text" else self._refuse()

    def _values(self) -> frozenset[str]:
        self._need("{")
        found: set[str] = set()
        while not self._take("}"):
            if found:
                self._need(",")
            found.add(self._value())
        return frozenset(found)

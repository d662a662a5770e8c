"""Label and field selectors: text or LabelSelector document -> predicate. Pure.

Source: k8s.io/apimachinery/pkg/labels/selector.go (the text grammar) and pkg/fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.lab.api.documents import Document, reach


class SelectorError(ValueError):
    """The selector's text does not parse, or names a field that cannot be selected on."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. `operator` is In, NotIn, Exists, DoesNotExist, Gt or Lt (`=` is In with one value)."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return _OPERATORS[self.operator](labels.get(self.key), self.values)


def _compare(found: str | None, values: frozenset[str], sign: int) -> bool:
    try:
        return found is not None and (int(found) - int(next(iter(values)))) * sign > 0
    except ValueError:
        return False


_OPERATORS: Mapping[str, Callable[[str | None, frozenset[str]], bool]] = {
    "In": lambda found, values: found in values,
    # An absent key satisfies NotIn and !=, as the documentation of labels says.
    "NotIn": lambda found, values: found not in values,
    "Exists": lambda found, values: found is not None,
    "DoesNotExist": lambda found, values: found is None,
    "Gt": lambda found, values: _compare(found, values, 1),
    "Lt": lambda found, values: _compare(found, values, -1),
}


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, document: Document) -> bool:
        """Does the object carry labels that satisfy the selector?"""
        return self.matches_labels((document.get("metadata") or {}).get("labels") or {})

    def matches_labels(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


_KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
_VALUE = r"[-A-Za-z0-9_.]*"
_TERMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"!\s*({_KEY})"), "DoesNotExist"),
    (re.compile(rf"({_KEY})\s+in\s*\(([^()]*)\)"), "In"),
    (re.compile(rf"({_KEY})\s+notin\s*\(([^()]*)\)"), "NotIn"),
    (re.compile(rf"({_KEY})\s*!=\s*({_VALUE})"), "NotIn"),
    (re.compile(rf"({_KEY})\s*==?\s*({_VALUE})"), "In"),
    (re.compile(rf"({_KEY})\s*>\s*(-?\d+)"), "Gt"),
    (re.compile(rf"({_KEY})\s*<\s*(-?\d+)"), "Lt"),
    (re.compile(rf"({_KEY})"), "Exists"),
)


def parse_labels(text: str) -> LabelSelector:
    """`a=b,c!=d,e in (f, g),!h,i` -> selector; raises SelectorError."""
    return LabelSelector(tuple(_requirement(term) for term in _terms(text)))


def _terms(text: str) -> Iterator[str]:
    """Split at commas that are not inside parentheses."""
    for term in re.split(r",(?![^()]*\))", text) if text.strip() else ():
        yield term.strip()


def _requirement(term: str) -> Requirement:
    for pattern, operator in _TERMS:
        if found := pattern.fullmatch(term):
            key, *rest = found.groups()
            return Requirement(key, operator, _values(rest[0]) if rest else frozenset())
    raise SelectorError(f"unable to parse requirement: {term!r}")


def _values(text: str) -> frozenset[str]:
    return frozenset(value.strip() for value in text.split(","))


def from_document(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """A metav1.LabelSelector. None selects nothing (and stays None), an empty one everything."""
    if selector is None:
        return None
    equal = [
        Requirement(key, "In", frozenset({value}))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    listed = [
        Requirement(term["key"], term["operator"], frozenset(term.get("values") or ()))
        for term in selector.get("matchExpressions") or ()
    ]
    return LabelSelector((*equal, *listed))


def from_map(labels: Mapping[str, str] | None) -> LabelSelector | None:
    """A Service's `spec.selector`: equality only, and an empty one selects nothing."""
    return from_document({"matchLabels": labels}) if labels else None


@dataclass(frozen=True, slots=True)
class FieldTerm:
    path: str
    value: str
    negated: bool = False

    def matches(self, document: Document) -> bool:
        return (_field(document, self.path) == self.value) is not self.negated


def _field(document: Document, path: str) -> str:
    """A field as the server compares it: absent is empty, booleans are words, false when absent."""
    value = reach(document, path)
    if path == "spec.unschedulable":
        return "true" if value else "false"
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class FieldSelector:
    terms: tuple[FieldTerm, ...] = ()

    def matches(self, document: Document) -> bool:
        return all(term.matches(document) for term in self.terms)


EVERY_KIND_FIELDS = frozenset({"metadata.name", "metadata.namespace"})


def parse_fields(text: str, supported: frozenset[str] = frozenset()) -> FieldSelector:
    """`spec.nodeName=a,status.phase!=Failed` -> selector; fields outside `supported` are refused."""
    terms = tuple(_field_term(term) for term in text.split(",") if term.strip())
    for term in terms:
        if term.path not in supported | EVERY_KIND_FIELDS:
            raise SelectorError(f"field label not supported: {term.path}")
    return FieldSelector(terms)


def _field_term(term: str) -> FieldTerm:
    found = re.fullmatch(r"\s*([^=!\s]+)\s*(!=|==|=)\s*(.*?)\s*", term)
    if not found:
        raise SelectorError(f"invalid field selector: {term!r}; can't understand {term!r}")
    path, operator, value = found.groups()
    return FieldTerm(path, value, operator == "!=")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list or a watch asked for: namespace ("" = all), labels and fields."""

    namespace: str = ""
    labels: LabelSelector = LabelSelector()
    fields: FieldSelector = FieldSelector()

    def matches(self, document: Document) -> bool:
        if self.namespace and (document.get("metadata") or {}).get("namespace") != self.namespace:
            return False
        return self.labels.matches(document) and self.fields.matches(document)

    @property
    def selective(self) -> bool:
        """Are there selectors beyond the namespace?"""
        return bool(self.labels.requirements or self.fields.terms)

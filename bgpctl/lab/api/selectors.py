"""Label and field selectors: text or LabelSelector document -> predicate. Pure.

Labels are selected as in the product (`core/reading/selectors.py`); fields: k8s.io/apimachinery/pkg/fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bgpctl.core.reading import selectors
from bgpctl.lab.api.documents import Document, reach


class SelectorError(ValueError):
    """The selector's text does not parse, or names a field that cannot be selected on."""


EVERYTHING = selectors.LabelSelector()


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none at all matches everything."""

    chosen: selectors.LabelSelector = EVERYTHING

    def matches(self, document: Document) -> bool:
        """Does the object carry labels that satisfy the selector?"""
        return self.matches_labels((document.get("metadata") or {}).get("labels") or {})

    def matches_labels(self, labels: Mapping[str, str]) -> bool:
        """The same for labels without their object: those of a pod template."""
        return self.chosen.matches(labels)


@lru_cache(256)
def parse_labels(text: str) -> LabelSelector:
    """`a=b,c!=d,e in (f, g),!h,i` -> selector; raises SelectorError."""
    try:
        return LabelSelector(selectors.parse_selector(text))
    except ValueError as error:
        raise SelectorError(f"unable to parse requirement: {error}") from None


def from_document(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """A metav1.LabelSelector. None selects nothing (and stays None), an empty one everything."""
    if selector is None:
        return None
    listed = [
        selectors.Requirement(term["key"], term["operator"], frozenset(term.get("values") or ()))
        for term in selector.get("matchExpressions") or ()
    ]
    equal = (selector.get("matchLabels") or {}).items()
    return LabelSelector(selectors.LabelSelector(tuple(equal), tuple(listed)))


def from_map(labels: Mapping[str, str] | None) -> LabelSelector | None:
    """A Service's `spec.selector`: equality only, and an empty one selects nothing."""
    return from_document({"matchLabels": labels}) if labels else None


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One `path=value`, or `path!=value`."""

    path: str
    value: str
    negated: bool = False

    def matches(self, document: Document) -> bool:
        """Compared as text; an absent field is the empty one."""
        return (_field(document, self.path) == self.value) is not self.negated


def _field(document: Document, path: str) -> str:
    """A field as the server compares it: absent is empty, booleans are words, false when absent."""
    value = reach(document, path)
    if path == "spec.unschedulable":
        return "true" if value else "false"
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All terms must hold; none at all matches everything."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, document: Document) -> bool:
        return all(term.matches(document) for term in self.terms)


EVERY_KIND_FIELDS = frozenset({"metadata.name", "metadata.namespace"})


@lru_cache(256)
def parse_fields(text: str, supported: frozenset[str] = frozenset()) -> FieldSelector:
    """`spec.nodeName=a,status.phase!=Failed` -> selector; fields outside `supported` are refused."""
    terms = tuple(_field_term(term) for term in text.split(",") if term.strip())
    for term in terms:
        if term.path not in supported | EVERY_KIND_FIELDS:
            raise SelectorError(f"field label not supported: {term.path}")
    return FieldSelector(terms)


def one_name(query: Mapping[str, str]) -> str:
    """The one name that a request's field selector demands, by which roles may grant it; "" = it demands
    none."""
    for term in query.get("fieldSelector", "").split(","):
        path, _, value = term.strip().replace("==", "=").partition("=")
        if path == "metadata.name":
            return value
    return ""


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
        """An object without a namespace is in none: a Selection that names one leaves it out."""
        if self.namespace and (document.get("metadata") or {}).get("namespace") != self.namespace:
            return False
        return self.labels.matches(document) and self.fields.matches(document)

    @property
    def selective(self) -> bool:
        """Are there selectors beyond the namespace?"""
        return bool(not self.labels.chosen.empty or self.fields.terms)

"""Kubernetes LabelSelectors: read from a document with every fault, and matched against labels.

What an absent or an empty selector means differs from field to field (all nodes, no service …), so that is
left to the caller: `read_selector` gives None for an absent one, and an empty one matches everything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bgpctl.core.fields import Fields

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

_NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_DNS = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

KEY_RULE = "a label key: [DNS prefix/]name, the name at most 63 of A-Z a-z 0-9 - _ ."
VALUE_RULE = (
    "a label value: empty, or at most 63 of A-Z a-z 0-9 - _ . that begins and ends with a letter or digit"
)


def valid_label_key(key: str) -> bool:
    """Kubernetes' qualified name: an optional DNS-1123 subdomain (253) and "/", then a name (63)."""
    prefix, slash, name = key.rpartition("/")
    prefix_ok = not slash or (len(prefix) <= 253 and _DNS.fullmatch(prefix) is not None)
    return prefix_ok and _NAME.fullmatch(name) is not None


def valid_label_value(value: str) -> bool:
    return not value or _NAME.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One `matchExpressions` entry."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """A label that is absent satisfies NotIn and DoesNotExist, as in Kubernetes."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self.values
            case "NotIn":
                return value not in self.values
            case "Exists":
                return value is not None
            case _:
                return value is None

    def __str__(self) -> str:
        match self.operator:
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
            case _:
                return f"{self.key} {self.operator.lower()} ({','.join(sorted(self.values))})"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """`matchLabels` and `matchExpressions`, all of which must hold. No requirement at all matches everything.

    `str()` gives kubectl's `-l` syntax, "" for a selector that matches everything.
    """

    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[Requirement, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.match_labels and not self.match_expressions

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.match_labels) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )

    def __str__(self) -> str:
        parts = [f"{key}={value}" for key, value in self.match_labels]
        return ",".join(parts + [str(requirement) for requirement in self.match_expressions])


def read_selector(parent: Fields, name: str) -> LabelSelector | None:
    """The selector in the field `name`; None when it is absent. Faults go where `parent`'s go."""
    fields = parent.mapping(name)
    if fields is None:
        return None
    labels = fields.string_map("matchLabels")
    for key, value in labels.items():
        path = f"{fields.at('matchLabels')}[{key}]"
        if not valid_label_key(key):
            fields.faults.error(path, f"the key must be {KEY_RULE}")
        if not valid_label_value(value):
            fields.faults.error(path, f"must be {VALUE_RULE}")
    expressions = tuple(_requirement(item) for item in fields.objects("matchExpressions"))
    fields.close()
    return LabelSelector(tuple(sorted(labels.items())), expressions)


def _requirement(fields: Fields) -> Requirement:
    key = fields.string("key", KEY_RULE, required=True) or ""
    operator = fields.choice("operator", OPERATORS, required=True)
    values = fields.strings("values")
    fields.close()
    if key and not valid_label_key(key):
        fields.error("key", f"must be {KEY_RULE}")
    for path, value in values:
        if not valid_label_value(value):
            fields.faults.error(path, f"must be {VALUE_RULE}")
    if operator in ("In", "NotIn") and not fields.value.get("values"):
        fields.error("values", f"required for {operator}: at least one value")
    if operator in ("Exists", "DoesNotExist") and fields.value.get("values"):
        fields.error("values", f"must be absent for {operator}")
    return Requirement(key, operator or "Exists", frozenset(value for _, value in values))

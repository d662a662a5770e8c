"""Kubernetes LabelSelectors: read from a document with every fault, and matched against labels.

What an absent or an empty selector means differs from field to field (all nodes, no service …), so that is
left to the caller: `read_selector` gives None for an absent one, and an empty one matches everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bgpctl.core.reading.fields import Fields, show

OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

_NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
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
    """Does it follow VALUE_RULE? The empty string does."""
    return not value or _NAME.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One `matchExpressions` entry, or one of a selector in text, which has Gt and Lt too."""

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
            case "Gt" | "Lt":
                return value is not None and self._compares(value)
            case _:
                return value is None

    def _compares(self, value: str) -> bool:
        """As whole numbers; a label that is none compares to nothing."""
        (limit,) = self.values
        if not _INTEGER.fullmatch(value):
            return False
        return int(value) > int(limit) if self.operator == "Gt" else int(value) < int(limit)

    def __str__(self) -> str:
        match self.operator:
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"
            case "Gt" | "Lt":
                return f"{self.key} {'>' if self.operator == 'Gt' else '<'} {min(self.values)}"
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


# --- in text ------------------------------------------------------------------------------------------------

_KEY, _VALUE = r"([-A-Za-z0-9_./]+)", r"([-A-Za-z0-9_.]*)"
_TERMS = tuple(
    (re.compile(pattern), operator)
    for pattern, operator in (
        (rf"!\s*{_KEY}", "DoesNotExist"),
        (rf"{_KEY}\s+in\s*\(([^()]*)\)", "In"),
        (rf"{_KEY}\s+notin\s*\(([^()]*)\)", "NotIn"),
        (rf"{_KEY}\s*!=\s*{_VALUE}", "NotIn"),
        (rf"{_KEY}\s*==?\s*{_VALUE}", "In"),
        (rf"{_KEY}\s*>\s*(-?[0-9]{{1,18}})", "Gt"),
        (rf"{_KEY}\s*<\s*(-?[0-9]{{1,18}})", "Lt"),
        (_KEY, "Exists"),
    )
)


def parse_selector(text: str) -> LabelSelector:
    """`a=b,c!=d,e in (f,g),!h,i` as kubectl's `-l` takes it; "" matches everything. Raises ValueError with
    what is wrong. Source: k8s.io/apimachinery/pkg/labels/selector.go."""
    return LabelSelector((), tuple(map(_term, _terms(text) if text.strip() else ())))


def _terms(text: str) -> Iterator[str]:
    """Between the commas that are not inside parentheses."""
    start = depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth <= 0:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()


def _term(text: str) -> Requirement:
    for pattern, operator in _TERMS:
        if found := pattern.fullmatch(text):
            key, *rest = found.groups()
            values = frozenset(value.strip() for part in rest for value in part.split(","))
            if valid_label_key(key) and (operator in ("Gt", "Lt") or all(map(valid_label_value, values))):
                return Requirement(key, operator, values)
    raise ValueError(f"{show(text)} is no requirement of a label selector")

"""What the four v2 kinds share: their API versions, what reading one gives, and names, ports and addresses.

`cilium.io/v2` is what Cilium stores since 1.18, `v2alpha1` is the older spelling; the few differences are
told apart by `Reader.v2` (facts: cilium.md section 1.3). A value that the API server accepts and that cannot
take effect here is a warning, never a fault: a fault would cost the whole object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Generic, TypeVar

from bgpctl.core.model import IPAddress
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.documents import labels_of, metadata, name_of, read_header
from bgpctl.core.reading.fields import Faults, Fields, Range, show
from bgpctl.errors import Problem

V2, V2ALPHA1 = "cilium.io/v2", "cilium.io/v2alpha1"
API_VERSIONS = (V2, V2ALPHA1)

NAME_LENGTH = Range(1, 255)
PORTS = Range(1, 65535)

ADDRESS_RULE = "an IPv4 or IPv6 address without a prefix length: 10.0.0.1, or 2001:db8::1"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """What reading one object gave: `value` is None exactly when there are problems."""

    kind: str
    name: str
    value: T | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    created: str = ""


class Reader:
    """One object under reading: `spec` are its fields (None = absent), `v2` says which schema it is of."""

    __slots__ = ("document", "faults", "kind", "spec", "v2")

    def __init__(
        self,
        kind: str,
        document: Mapping[str, Any],
        source: str,
        index: int,
        strict: bool,
        prefix: str,
    ) -> None:
        self.kind, self.document = kind, document
        self.faults = Faults(source, index, strict, prefix)
        self.v2 = document.get("apiVersion") != V2ALPHA1
        top = read_header(document, kind, API_VERSIONS, self.faults)
        self.spec = top.mapping("spec", required=True)
        top.raw("status")  # the operator's, not the user's
        top.close()

    def parsed(self, value: T) -> Parsed[T]:
        """`value` unless there was a fault, with everything that was found."""
        return Parsed(
            self.kind,
            name_of(self.document),
            None if self.faults.problems else value,
            tuple(self.faults.problems),
            tuple(self.faults.warnings),
            tuple(sorted(labels_of(self.document).items())),
            created_at(self.document),
        )


def created_at(document: Mapping[str, Any]) -> str:
    """The creationTimestamp as it is written, "" in a file."""
    return str(metadata(document).get("creationTimestamp") or "")


def read_name(fields: Fields, seen: dict[str, str]) -> str:
    """The key `name` of an item in a list where it must be unique; "" when it is wrong. `seen` collects them
    with their paths."""
    rule = f"a name of {NAME_LENGTH.low} to {NAME_LENGTH.high} characters"
    name = fields.string("name", rule, required=True)
    if name is None:
        return ""
    if not NAME_LENGTH.holds(len(name)):
        fields.error("name", f"must be {rule}; it has {len(name)}")
    elif name in seen:
        fields.error("name", f"{show(name)} is the name of {seen[name]} already; it must be unique")
    else:
        seen[name] = fields.path
    return name


def read_address(fields: Fields, name: str) -> IPAddress | None:
    """An IP address; None when it is absent, wrong (a fault) or of no use for a session (a warning)."""
    text = fields.string(name, ADDRESS_RULE)
    if text is None:
        return None
    try:
        address = parse_zoned(text.strip())  # the CRD's pattern allows blanks around it
    except ValueError:
        fields.error(name, f"must be {ADDRESS_RULE}; it is {show(text)}")
        return None
    if isinstance(address, IPv6Address) and address.scope_id:
        fields.warn(name, f"{text} cannot be honoured: a zone (%) is not supported, so it is left out")
    elif address.is_unspecified or address.is_multicast:
        fields.warn(name, f"{text} cannot be honoured: it is no address of one host, so it is left out")
    else:
        return address
    return None

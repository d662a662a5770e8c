"""What a proposal is made from, and the labels that a selector asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.explaining.repair import Document, Path, Repairs, at, setting
from bgpctl.core.intent.explaining.verdict import Target
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import Intent, IPAddress
from bgpctl.core.policy.nodeconfig import AddressType
from bgpctl.core.reading.addresses import parse_address
from bgpctl.core.reading.documents import labels_of, name_of, namespace_of
from bgpctl.core.reading.fields import Faults, Fields
from bgpctl.core.reading.selectors import LabelSelector, Requirement, read_selector

LABELS: Path = ("metadata", "labels")


@dataclass(frozen=True, slots=True)
class Case:
    """A target that has no route to `peer` ("" = to any) on `node`, for this reason; `intent` is what these
    objects ask for."""

    objects: ClusterObjects
    node: str
    target: Target
    peer: str
    reason: str
    intent: Intent

    @property
    def service(self) -> Document | None:
        """The Service of the target, None when it is none."""
        return next(
            (one for one in documents(self.objects.services) if origin_of(one) == self.target.origin), None
        )

    @property
    def kinds(self) -> tuple[AddressType, ...]:
        """What types of address of its Service it is, those that are meant for outside first; () =
        it is none's, or there is none yet."""
        texts = read_service(self.service).texts if self.service is not None else ()
        own = self.target.prefix.network_address if self.target.prefix else None
        found = [kind for kind, listed in texts if any(own == _address(text) for text in listed)]
        return tuple(sorted(found, key=lambda kind: kind is AddressType.CLUSTER))

    @property
    def version(self) -> int:
        """The IP version of the target; 4 where it has no address yet."""
        return self.target.prefix.version if self.target.prefix else 4

    @property
    def afi(self) -> str:
        """The same as the Cilium resources write it."""
        return f"ipv{self.version}"


def _address(text: str) -> IPAddress | str:
    try:
        return parse_address(text)
    except ValueError:
        return text


def documents(listed: Any) -> list[Document]:
    """Those of a field of `ClusterObjects` that are objects at all."""
    return [one for one in listed or () if isinstance(one, Mapping)]


def items(document: Any, *path: str | int) -> list[Any]:
    """The list that stands there; empty for anything else."""
    found = at(document, path)
    return list(found) if isinstance(found, list) else []


def origin_of(service: Document) -> str:
    """As routes and absences call a Service."""
    return f"Service {namespace_of(service)}/{name_of(service)}"


def selector_at(parent: Any, name: str) -> LabelSelector | None:
    """The selector in this field; None = there is none."""
    return read_selector(Fields(parent, "", Faults("", 1, strict=False)), name) if parent else None


def asked(selector: LabelSelector, labels: Mapping[str, str]) -> dict[str, str | None]:
    """What labels would have to be to match: those to set, and those to take away (None)."""
    found: dict[str, str | None] = {
        key: value for key, value in selector.match_labels if labels.get(key) != value
    }
    for requirement in selector.match_expressions:
        if not requirement.matches({**labels, **{k: v for k, v in found.items() if v is not None}}):
            found[requirement.key] = _asked(requirement)
    return found


def _asked(requirement: Requirement) -> str | None:
    match requirement.operator:
        case "In":
            return min(requirement.values)
        case "Exists":
            return "true"
        case "Gt" | "Lt":
            (limit,) = requirement.values
            return str(int(limit) + (1 if requirement.operator == "Gt" else -1))
        case _:
            return None


def relabelled(kind: str, document: Document, selector: LabelSelector | None) -> Repairs:
    """The document with labels that the selector matches; () = it needs none, or asks for nothing."""
    if selector is None:
        return ()
    changes = asked(selector, labels_of(document))
    return tuple(setting(kind, document, (*LABELS, key), value) for key, value in changes.items())


def joined(*parts: Sequence[Any]) -> Iterator[Repairs]:
    """Each of the parts alone, and all of them together; none that is empty."""
    whole = [tuple(part) for part in parts if part]
    yield from whole
    if len(whole) > 1:
        yield tuple(repair for part in whole for repair in part)

"""CiliumBGPAdvertisement documents -> what is advertised, in the neutral form, and the labels that choose it.

Every field with its type, range and enum, and the CRD's rules on which fields go with which type (facts:
cilium.md sections 1.3 and 1.5). A selector that is absent selects nothing, for Services and pod IP pools.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.bgp.communities import read_communities
from bgpctl.core.model import NO_ATTRIBUTES, Attributes
from bgpctl.core.policy.nodeconfig import AddressType, Advertisement, Source
from bgpctl.core.policy.v2.common import Parsed, Reader
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.fields import Fields, Range, show
from bgpctl.core.reading.selectors import LabelSelector, read_selector

KIND = "CiliumBGPAdvertisement"

LIMITS = {"aggregationLengthIPv4": Range(0, 31), "aggregationLengthIPv6": Range(0, 127)}
V2ALPHA1_TYPES = (Source.POD_CIDR, Source.POD_POOL, Source.SERVICE)
TYPES = (*V2ALPHA1_TYPES, Source.INTERFACE)
ADDRESSES = tuple(AddressType)

INT64 = Range(-(2**63), 2**63 - 1)  # all that the CRD says of localPreference
LOCAL_PREFERENCE = Range(0, 4294967295)  # RFC 4271 section 5.1.5: four octets


@dataclass(frozen=True, slots=True)
class BGPAdvertisement:
    """A valid resource: its advertisements, for every family whose selector matches `labels`."""

    name: str
    labels: tuple[tuple[str, str], ...]
    advertisements: tuple[Advertisement, ...]


def parse_advertisement(
    document: Mapping[str, Any], source: str, index: int = 1, strict: bool = True, prefix: str = ""
) -> Parsed[BGPAdvertisement]:
    """Read one CiliumBGPAdvertisement; the parameters are those of `core.policy.peering.parse_policy`."""
    reader = Reader(KIND, document, source, index, strict, prefix)
    name, spec = name_of(document), reader.spec
    found: list[Advertisement] = []
    if spec is not None:
        spec.raw("advertisements", "a list of advertisements", required=True)
        items = spec.objects("advertisements", "a list of advertisements")
        found += (_advertisement(fields, reader.v2, name) for fields in items)
        spec.close()
    return reader.parsed(BGPAdvertisement(name, tuple(sorted(labels_of(document).items())), tuple(found)))


def _advertisement(fields: Fields, v2: bool, origin: str) -> Advertisement:
    kind = fields.choice("advertisementType", TYPES if v2 else V2ALPHA1_TYPES, required=True)
    addresses, aggregation = _service(fields, kind, v2)
    interface = _interface(fields, kind) if v2 else ""
    selector = read_selector(fields, "selector")
    attributes = _attributes(fields)
    fields.close()
    _check_selector(fields, kind, selector)
    source = Source(kind or Source.POD_CIDR)
    return Advertisement(source, addresses, selector, attributes, aggregation, interface, origin)


def _check_selector(fields: Fields, kind: str | None, selector: LabelSelector | None) -> None:
    if kind == Source.POD_CIDR and selector is not None:
        fields.error("selector", "must be absent for advertisementType PodCIDR")
    elif kind == Source.INTERFACE and selector is not None:
        fields.warn("selector", "has no effect for advertisementType Interface")
    elif kind in (Source.SERVICE, Source.POD_POOL) and selector is None:
        what = "Service" if kind == Source.SERVICE else "pool"
        fields.warn("selector", f"is not set: no {what} is advertised. An empty one, {{}}, selects all")


def _service(
    fields: Fields, kind: str | None, v2: bool
) -> tuple[frozenset[AddressType], tuple[int | None, int | None]]:
    block = fields.mapping("service", required=kind == Source.SERVICE)
    if block is None:
        return frozenset(), (None, None)
    if kind not in (Source.SERVICE, None):
        _misplaced(fields, "service", kind, v2)
    addresses: set[AddressType] = set()
    for path, text in block.strings("addresses", "a list of address types", minimum=1):
        if text in ADDRESSES:
            addresses.add(AddressType(text))
        else:
            block.faults.error(path, f"must be one of {', '.join(ADDRESSES)}; it is {show(text)}")
    v4, v6 = (block.optional_integer(name, limits) for name, limits in LIMITS.items())
    block.close()
    return frozenset(addresses), (v4, v6)


def _misplaced(fields: Fields, name: str, kind: str | None, v2: bool) -> None:
    """v2's schema forbids it, v2alpha1's lets it pass."""
    if v2:
        fields.error(name, f"must be absent for advertisementType {kind}")
    else:
        fields.warn(name, f"has no effect for advertisementType {kind}")


def _interface(fields: Fields, kind: str | None) -> str:
    block = fields.mapping("interface", required=kind == Source.INTERFACE)
    if block is None:
        return ""
    if kind not in (Source.INTERFACE, None):
        _misplaced(fields, "interface", kind, v2=True)
    name = block.string("name", "the name of an interface of the node", required=True)
    block.close()
    return name or ""


def _attributes(fields: Fields) -> Attributes:
    block = fields.mapping("attributes")
    if block is None:
        return NO_ATTRIBUTES
    standard, large = read_communities(block, "communities")
    preference = block.optional_integer("localPreference", INT64)
    block.close()
    if preference is not None and not LOCAL_PREFERENCE.holds(preference):
        if preference == block.value["localPreference"]:  # not the stand-in for a wrong one
            block.warn(
                "localPreference",
                f"{preference} cannot be honoured: LOCAL_PREF is {LOCAL_PREFERENCE}, so it is left out",
            )
        preference = None
    attributes = Attributes(communities=standard, large_communities=large, local_preference=preference)
    return NO_ATTRIBUTES if attributes == NO_ATTRIBUTES else attributes

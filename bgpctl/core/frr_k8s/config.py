"""FRRConfigurations: what gives a node its peers. frr-k8s merges all whose nodeSelector is right for a node.

Anybody with the right may have written one: it reads as typed values, or as one fault that is named
(`Unreadable`). What becomes a line of FRR's configuration (an address, a VRF's name, a number) is parsed
before it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from bgpctl.core.reading.addresses import parse_address, parse_network
from bgpctl.core.reading.documents import labels_of, metadata, name_of, namespace_of
from bgpctl.core.reading.durations import seconds
from bgpctl.core.reading.fields import Faults, Fields, Range
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.reading.selectors import LabelSelector, read_selector

GROUP = "frrk8s.metallb.io"
VERSION = f"{GROUP}/v1beta1"
KIND = "FRRConfiguration"
DEFAULT_PORT = 179
LONG_LIVED = 0
"""The stale time in the capability of RFC 9494, which FRR always sends, in seconds."""
HOLD_TIME, KEEPALIVE_TIME, RESTART_TIME = 180, 60, 120
"""FRR's own, where nobody says anything else. It offers the Restart Time in any case: without graceful
restart for no family, but beside the long-lived capability for each, by which BIRD 2.0.12 keeps the routes so
long all the same (measured: 129 s after a power-off, hold time 9 s)."""
LONGEST_RESTART, LONGEST_HOLD = 2**24 - 1, 2**16 - 1
"""What lines of somebody else may make of it: the long-lived stale time has 24 bits (RFC 9494), the hold time
16 (RFC 4271)."""
LABEL, LABELLED = "bgpctl.io/withdrawn", "true"
NAMED = "bgpctl-leave-"
"""Of the one by which a node withdraws; the name of the node follows."""

LONGEST_RAW = 1 << 20
MOST_ROUTERS, MOST_NEIGHBORS, MOST_PREFIXES = 50, 10_000, 100_000
_ASN = Range(0, 2**32 - 1)
_PORT = Range(0, 65535)
_VRF = re.compile(r"[A-Za-z0-9._-]{1,15}", re.ASCII)  # a Linux interface is called so

Document = Mapping[str, Any]
Key = tuple[str, str]
"""A peer: the VRF, "" = the default one, and the address."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A peer of a node. `asn` 0 = any but the node's own (`dynamicASN: external`). `local` "" = the kernel
    chooses the address. `versions`: the unicast families. `graceful`: graceful restart is enabled.
    `prefixes` None = which are announced to it is not told. `evpn`: it gets more than unicast routes.
    `source`: the FRRConfiguration that it is of."""

    source: str
    vrf: str
    address: str
    port: int
    asn: int
    router_asn: int
    local_asn: int
    local: str = ""
    versions: tuple[int, ...] = (4,)
    hold_time: int = HOLD_TIME
    keepalive_time: int = KEEPALIVE_TIME
    graceful: bool = False
    prefixes: frozenset[str] | None = frozenset()
    evpn: bool = False

    @property
    def key(self) -> Key:
        """By which FRR knows it."""
        return self.vrf, self.address

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.vrf}/{self.address}" if self.vrf else self.address


@dataclass(frozen=True, slots=True)
class Configuration:
    """One FRRConfiguration. `version` is its resourceVersion. `raw`: lines of FRR's own that frr-k8s adds.
    `ours`: bgpctl made it, by its label and name, and it has no peer: what gives a node one counts,
    whatever somebody copied to it."""

    name: str
    namespace: str
    uid: str
    version: str
    created: float
    selector: LabelSelector
    neighbors: tuple[Neighbor, ...]
    raw: str
    ours: bool

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Is it for a node with these labels?"""
        return self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class Unread:
    """One that cannot be read. `selector` None = for which nodes it is is not known either: frr-k8s then
    changes nothing on any node."""

    name: str
    selector: LabelSelector | None
    why: str

    def selects(self, labels: Mapping[str, str]) -> bool:
        """May it be for a node with these labels?"""
        return self.selector is None or self.selector.matches(labels)

    def __str__(self) -> str:
        return f"{KIND} {self.name} cannot be read ({self.why})"


def read(document: Document) -> Configuration | Unread:
    """One object."""
    selector = None
    try:
        whole = Foreign.of(document)
        spec = whole.child("spec")
        selector = _selector(spec, "nodeSelector")
        name, about = name_of(document), Foreign(metadata(document), "metadata")
        routers = spec.child("bgp").children("routers", MOST_ROUTERS)
        labelled = labels_of(document).get(LABEL) == LABELLED
        return Configuration(
            name,
            namespace_of(document),
            about.text("uid"),
            about.text("resourceVersion"),
            about.instant("creationTimestamp"),
            selector,
            tuple(one for router in routers for one in _neighbors(router, name)),
            spec.child("raw").text("rawConfig", longest=LONGEST_RAW),
            labelled and name.startswith(NAMED) and not routers,
        )
    except Unreadable as error:
        return Unread(name_of(document), selector, error.message)


def _selector(parent: Foreign, name: str) -> LabelSelector:
    """An absent one selects every node. Raises Unreadable."""
    faults = Faults("", strict=False)
    found = read_selector(Fields(parent.value, parent.path, faults), name)
    if faults.problems:
        first = faults.problems[0]
        raise Unreadable(f"{first.path}: {first.message}")
    return found or LabelSelector()


def read_selectors(parent: Foreign, name: str, most: int = 100) -> tuple[LabelSelector, ...]:
    """A list of them. Raises Unreadable."""
    return tuple(
        _selector(Foreign({"selector": one.value}, one.path), "selector")
        for one in parent.children(name, most)
    )


def _neighbors(router: Foreign, source: str) -> Iterable[Neighbor]:
    asn = router.integer("asn", limits=_ASN)
    vrf = read_vrf(router)
    own = router.texts("prefixes", MOST_PREFIXES)
    imports = bool(router.children("imports", MOST_ROUTERS))
    for read_ in router.children("neighbors", MOST_NEIGHBORS):
        one = _neighbor(read_, source, vrf, asn)
        yield replace(one, prefixes=None if imports else _prefixes(read_, own, one.versions))


def read_vrf(parent: Foreign) -> str:
    """Its name, "" = the default one. Raises Unreadable for what is none."""
    vrf = parent.text("vrf")
    if vrf and not _VRF.fullmatch(vrf):
        parent.refuse("vrf", "the name of a network interface")
    return "" if vrf == "default" else vrf


def _neighbor(read_: Foreign, source: str, vrf: str, asn: int) -> Neighbor:
    if read_.text("interface"):
        read_.refuse("interface", "absent: by its interface alone (unnumbered) no router is known")
    address = read_.parsed("address", parse_address, "an IP address")
    if address is None or (address.version == 4 and ":" in read_.text("address")):
        # IPv4 as IPv6 (::ffff:192.0.2.1) FRR knows by that name alone, and all else here by the other one.
        read_.refuse("address", "an IP address, and no IPv4 address as IPv6")
    families = read_.texts("addressFamilies")
    both = read_.flag("dualStackAddressFamily")
    internal = read_.text("dynamicASN") == "internal"
    return Neighbor(
        source,
        vrf,
        str(address),
        read_.integer("port", DEFAULT_PORT, _PORT) or DEFAULT_PORT,
        asn if internal else read_.integer("asn", limits=_ASN),
        asn,
        read_.integer("localASN", limits=_ASN) or asn,
        _source(read_),
        (4, 6) if both else (address.version,) if not families or "unicast" in families else (),
        _duration(read_, "holdTime", HOLD_TIME),
        _duration(read_, "keepaliveTime", KEEPALIVE_TIME),
        read_.flag("enableGracefulRestart"),
        evpn="evpn" in families,
    )


def _source(read_: Foreign) -> str:
    """An address, or the name of an interface, whose addresses nobody tells."""
    try:
        return str(parse_address(read_.text("sourceaddress")))
    except ValueError:
        return ""


def _duration(read_: Foreign, name: str, default: int) -> int:
    found = read_.parsed(name, seconds, "a duration")
    return default if found is None else int(min(found, 65535.0))


def _prefixes(read_: Foreign, own: Iterable[str], versions: tuple[int, ...]) -> frozenset[str]:
    """What is announced to it: some of those of its router, or all."""
    allowed = read_.child("toAdvertise").child("allowed")
    listed = own if allowed.text("mode") == "all" else allowed.texts("prefixes", MOST_PREFIXES)
    return frozenset(one for one in listed if _version(one) in versions)


def _version(prefix: str) -> int:
    try:
        return parse_network(prefix, strict=False).version
    except ValueError:
        return 0


def merged(configurations: Iterable[Configuration]) -> tuple[Neighbor, ...]:
    """The peers of a node that all of these are for. Two that say different things of a peer frr-k8s refuses
    to merge, and says so (`nodestate`); here the first counts."""
    found: dict[Key, Neighbor] = {}
    for one in (neighbor for configuration in configurations for neighbor in configuration.neighbors):
        had = found.get(one.key)
        found[one.key] = one if had is None else _both(had, one)
    return tuple(found[key] for key in sorted(found, key=_order))


def _both(one: Neighbor, other: Neighbor) -> Neighbor:
    return replace(
        one,
        versions=tuple(sorted({*one.versions, *other.versions})),
        prefixes=None if one.prefixes is None or other.prefixes is None else one.prefixes | other.prefixes,
        evpn=one.evpn or other.evpn,
    )


def _order(key: Key) -> tuple[str, int, int]:
    address = ip_address(key[1])
    return key[0], address.version, int(address)

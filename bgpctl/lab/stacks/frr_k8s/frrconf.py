"""FRRConfigurations merged for one node, and frr.conf from them in the words of frr-k8s' own templates
(internal/controller/merge.go, internal/frr/templates), as far as a lab goes: no VRFs, BFD, EVPN, passwords.

Three things differ. Without zebra nothing can be said of next hops, and graceful restart is not taken in
("Invalid value"), so it is left out. On loopback next hops are martian, and a router ID is needed.
`ebgp-multihop` has its number: without one FRR's reload takes it for a change each time (metallb #1944).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from bgpctl.core.reading.durations import seconds

Document = Mapping[str, Any]


@dataclass
class Neighbor:
    """One peer, of all configurations. `settings`: what must be the same in all of them."""

    settings: dict[str, Any]
    families: set[int]
    prefixes: set[str] = field(default_factory=set)
    next_hop: str = ""


@dataclass
class Merged:
    """What frr-k8s makes of the configurations of a node. `raw`: as they are appended."""

    asn: int = 0
    router_id: str = ""
    prefixes: set[str] = field(default_factory=set)
    neighbors: dict[str, Neighbor] = field(default_factory=dict)
    raw: str = ""


def merged(configurations: Iterable[Document]) -> Merged:
    """Raises ValueError, as frr-k8s fails: then nothing is changed on the node."""
    found, raw = Merged(), list[tuple[int, str, str]]()
    for document in configurations:
        spec, name = document.get("spec") or {}, document["metadata"]["name"]
        lines = spec.get("raw") or {}
        if lines.get("rawConfig"):
            raw.append((int(lines.get("priority") or 0), name, lines["rawConfig"]))
        for router in (spec.get("bgp") or {}).get("routers") or ():
            _router(found, router)
    found.raw = "".join(f"{text}\n" for _, _, text in sorted(raw))
    return found


def _router(found: Merged, router: Document) -> None:
    asn = int(router["asn"])
    if found.asn not in (0, asn):
        raise ValueError(f"different asns ({found.asn} != {asn}) specified for same vrf: ")
    found.asn, found.router_id = asn, found.router_id or router.get("id") or ""
    own = router.get("prefixes") or []
    found.prefixes |= set(own)
    for one in router.get("neighbors") or ():
        _neighbor(found, one, own)


def _neighbor(found: Merged, one: Document, own: Sequence[str]) -> None:
    if not one.get("address"):
        raise ValueError(f"neighbor with ASN {one.get('asn')} has no address and no interface")
    address = str(ip_address(one["address"]))
    names = ("asn", "port", "sourceaddress", "ebgpMultiHop", "holdTime", "keepaliveTime", "connectTime")
    settings = {name: one[name] for name in names if one.get(name) is not None}
    families: set[int] = {4, 6} if one.get("dualStackAddressFamily") else {ip_address(address).version}
    known = found.neighbors.setdefault(address, Neighbor(settings, families))
    for name in names:
        if known.settings.get(name) != settings.get(name):
            raise ValueError(f"multiple {name}s specified for {address}")
    advertise = one.get("toAdvertise") or {}
    allowed = advertise.get("allowed") or {}
    listed = own if allowed.get("mode") == "all" else allowed.get("prefixes") or []
    if missing := set(listed) - set(own):
        raise ValueError(f"prefix {min(missing)} is not configured in the router")
    known.prefixes |= set(listed)
    known.next_hop = known.next_hop or (advertise.get("nextHop") or {}).get("ipv4") or ""


def render(merged_: Merged, head: str, router_id: str) -> str:
    """frr.conf. `head`: what the engine has in any case."""
    lines: list[str] = []
    for address in sorted(merged_.neighbors):
        lines += _filters(address, merged_.neighbors[address])
    if merged_.asn:
        lines += [
            f"router bgp {merged_.asn}",
            "  no bgp ebgp-requires-policy",
            "  no bgp network import-check",
            "  no bgp default ipv4-unicast",
            "  bgp graceful-restart preserve-fw-state",
            f"  bgp router-id {merged_.router_id or router_id}",
            "  bgp allow-martian-nexthop",
        ]
        for address in sorted(merged_.neighbors):
            lines += _session(address, merged_.neighbors[address], merged_.asn)
        for address in sorted(merged_.neighbors):
            lines += _families(address, merged_.neighbors[address])
        lines += _networks(merged_.prefixes)
    return head + "\n".join((*lines, merged_.raw))


def _filters(address: str, neighbor: Neighbor) -> Iterator[str]:
    for version, family in ((4, "ip"), (6, "ipv6")):
        name = f"{address}-allowed-ipv{version}"
        mine = [p for p in sorted(neighbor.prefixes) if ip_network(p).version == version]
        if version not in neighbor.families:
            mine = []
        for number, prefix in enumerate(mine, 1):
            yield f"{family} prefix-list {name} seq {number} permit {prefix}"
        if not mine:
            yield f"{family} prefix-list {name} seq 1 deny any"
    yield f"route-map {address}-out permit 1"
    yield f"  match ip address prefix-list {address}-allowed-ipv4"
    if neighbor.next_hop:
        yield f"  set ip next-hop {neighbor.next_hop}"
    yield "exit"
    yield f"route-map {address}-out permit 2"
    yield f"  match ipv6 address prefix-list {address}-allowed-ipv6"
    yield "exit"
    for number, family in ((1, "ip"), (2, "ipv6")):
        yield f"{family} prefix-list {address}-inpl seq {number} deny any"
        yield f"route-map {address}-in permit {number + 2}"
        yield f"  match {family} address prefix-list {address}-inpl"
        yield "exit"


def _session(address: str, neighbor: Neighbor, asn: int) -> Iterator[str]:
    said, name = neighbor.settings, f"  neighbor {address}"
    yield f"{name} remote-as {said['asn']}"
    if said.get("ebgpMultiHop") and said["asn"] != asn:
        yield f"{name} ebgp-multihop 255"
    if said.get("port", 179) != 179:
        yield f"{name} port {said['port']}"
    if said.get("holdTime") and said.get("keepaliveTime"):
        keepalive, hold = (int(seconds(said[key])) for key in ("keepaliveTime", "holdTime"))
        yield f"{name} timers {keepalive} {hold}"
    if said.get("connectTime"):
        yield f"{name} timers connect {int(seconds(said['connectTime']))}"
    if said.get("sourceaddress"):
        yield f"{name} update-source {said['sourceaddress']}"


def _families(address: str, neighbor: Neighbor) -> Iterator[str]:
    for version in sorted(neighbor.families):
        yield f"  address-family ipv{version} unicast"
        yield f"    neighbor {address} activate"
        yield f"    neighbor {address} route-map {address}-in in"
        yield f"    neighbor {address} route-map {address}-out out"
        yield "  exit-address-family"


def _networks(prefixes: Iterable[str]) -> Iterator[str]:
    for version in (4, 6):
        mine = sorted(prefix for prefix in prefixes if ip_network(prefix).version == version)
        if mine:
            yield f"  address-family ipv{version} unicast"
            yield from (f"    network {prefix}" for prefix in mine)
            yield "  exit-address-family"

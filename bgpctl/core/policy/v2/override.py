"""CiliumBGPNodeConfigOverride documents -> what one node changes of its instances. The object's name is the
node's name. Facts: cilium.md section 1.7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from bgpctl.core.model import IPAddress
from bgpctl.core.policy.v2.common import PORTS, Parsed, Reader, read_address, read_name
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.fields import Fields, Range, show

KIND = "CiliumBGPNodeConfigOverride"

LIMITS = {"localASN": Range(1, 4294967295)}
INT32 = Range(-(2**31), 2**31 - 1)  # all that the CRD says of localPort
NO_LISTENER = 0

ROUTER_ID_RULE = "an IPv4 address: 10.0.0.1"


@dataclass(frozen=True, slots=True)
class PeerOverride:
    """The address that this node connects from to the peer of this name."""

    name: str
    local_address: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class InstanceOverride:
    """What this node changes of the instance of this name; None = nothing. `local_port` 0 = no listener."""

    name: str
    router_id: IPv4Address | None = None
    local_port: int | None = None
    local_asn: int | None = None
    peers: tuple[PeerOverride, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeConfigOverride:
    """A valid override. `name` is the node's."""

    name: str
    instances: tuple[InstanceOverride, ...] = ()

    def instance(self, name: str) -> InstanceOverride:
        """The changes of one instance; of one that is not named, none."""
        return next((found for found in self.instances if found.name == name), InstanceOverride(name))


def parse_override(
    document: Mapping[str, Any], source: str, index: int = 1, strict: bool = True, prefix: str = ""
) -> Parsed[NodeConfigOverride]:
    """Read one CiliumBGPNodeConfigOverride; the parameters are those of `parse_policy`."""
    reader = Reader(KIND, document, source, index, strict, prefix)
    instances: tuple[InstanceOverride, ...] = ()
    if reader.spec is not None:
        seen: dict[str, str] = {}
        items = reader.spec.objects("bgpInstances", "a list of BGP instances", minimum=1)
        instances = tuple(_instance(fields, seen) for fields in items)
        reader.spec.close()
    return reader.parsed(NodeConfigOverride(name_of(document), instances))


def _instance(fields: Fields, seen: dict[str, str]) -> InstanceOverride:
    name = read_name(fields, seen)
    router_id, local_port = _router_id(fields), _local_port(fields)
    local_asn = fields.optional_integer("localASN", LIMITS["localASN"])
    peers_seen: dict[str, str] = {}
    peers = tuple(_peer(item, peers_seen) for item in fields.objects("peers", "a list of peers"))
    fields.close()
    return InstanceOverride(name, router_id, local_port, local_asn, peers)


def _router_id(fields: Fields) -> IPv4Address | None:
    text = fields.string("routerID", ROUTER_ID_RULE)
    if text is None:
        return None
    try:
        address = IPv4Address(text)
    except AddressValueError:
        fields.error("routerID", f"must be {ROUTER_ID_RULE}; it is {show(text)}")
        return None
    if not int(address):
        fields.warn("routerID", "0.0.0.0 cannot be honoured: no router accepts it (RFC 6286), it is left out")
        return None
    return address


def _local_port(fields: Fields) -> int | None:
    port = fields.optional_integer("localPort", INT32)
    if port is None or PORTS.holds(port):
        return port
    if port == fields.value["localPort"]:  # not the stand-in for a wrong one
        fields.warn("localPort", f"{port} is no port ({PORTS}): the instance does not listen on this node")
    return NO_LISTENER


def _peer(fields: Fields, seen: dict[str, str]) -> PeerOverride:
    name = read_name(fields, seen)
    address = read_address(fields, "localAddress")
    if fields.optional_integer("localPort", INT32) is not None:
        fields.warn("localPort", "has no effect: it is deprecated, the kernel chooses the source port")
    fields.close()
    return PeerOverride(name, address)

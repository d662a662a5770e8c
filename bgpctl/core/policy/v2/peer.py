"""CiliumBGPPeerConfig documents -> validated session settings, which the peers of a cluster configuration
refer to.

Every field with its default, type, range and enum, and the CRD's rule keepAlive <= hold (facts: cilium.md
sections 1.3 and 1.4). `BGPPeerConfig("")` is what a peer without a reference gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bgpctl.core.model import IPV4, IPV6, Family
from bgpctl.core.policy.annotations import read_graceful_notification
from bgpctl.core.policy.peering import AFIS, SAFIS, SPOKEN, read_restart_time, read_timers
from bgpctl.core.policy.v2.common import PORTS, Parsed, Reader
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.fields import Fields, Range
from bgpctl.core.reading.selectors import LabelSelector, read_selector

KIND = "CiliumBGPPeerConfig"

LIMITS = {
    "peerPort": PORTS,
    "connectRetryTimeSeconds": Range(1, 2147483647),
    "holdTimeSeconds": Range(3, 65535),
    "keepAliveTimeSeconds": Range(1, 65535),
    "restartTimeSeconds": Range(1, 4095),
    "ebgpMultihop": Range(1, 255),
}
V2ALPHA1_LIMITS = {**LIMITS, "localPort": PORTS}
DEFAULTS = {
    "peerPort": 179,
    "connectRetryTimeSeconds": 120,
    "holdTimeSeconds": 90,
    "keepAliveTimeSeconds": 30,
    "restartTimeSeconds": 120,
    "ebgpMultihop": 1,
}


@dataclass(frozen=True, slots=True)
class PeerFamily:
    """One family and which CiliumBGPAdvertisements it advertises: None = nothing at all."""

    family: Family
    advertisements: LabelSelector | None = None


@dataclass(frozen=True, slots=True)
class BGPPeerConfig:
    """The settings of one or more sessions, defaults filled in. Times in seconds; `restart_time` None =
    graceful restart off. `families` has only those that we speak. `graceful_notification`: with the N bit
    (RFC 8538)?"""

    name: str
    port: int = DEFAULTS["peerPort"]
    source_interface: str | None = None
    connect_retry_time: int = DEFAULTS["connectRetryTimeSeconds"]
    hold_time: int = DEFAULTS["holdTimeSeconds"]
    keepalive_time: int = DEFAULTS["keepAliveTimeSeconds"]
    secret: str | None = None
    restart_time: int | None = None
    multihop_ttl: int = DEFAULTS["ebgpMultihop"]
    families: tuple[PeerFamily, ...] = (PeerFamily(IPV6), PeerFamily(IPV4))
    graceful_notification: bool = False


def parse_peer_config(
    document: Mapping[str, Any], source: str, index: int = 1, strict: bool = True, prefix: str = ""
) -> Parsed[BGPPeerConfig]:
    """Read one CiliumBGPPeerConfig; the parameters are those of `core.policy.peering.parse_policy`."""
    reader = Reader(KIND, document, source, index, strict, prefix)
    value = BGPPeerConfig("")
    if reader.spec is not None:
        value = _peer_config(name_of(document), reader.spec, reader.v2)
        without = ("its peers",) if value.restart_time is None else ()
        notification = read_graceful_notification(document, reader.faults, without)
        value = replace(value, graceful_notification=notification)
    return reader.parsed(value)


def _integer(fields: Fields | None, name: str) -> int:
    return DEFAULTS[name] if fields is None else fields.integer(name, LIMITS[name], DEFAULTS[name])


def _peer_config(name: str, spec: Fields, v2: bool) -> BGPPeerConfig:
    port, interface = _transport(spec, v2)
    retry, hold, keepalive = _timers(spec)
    secret = spec.string("authSecretRef", "the name of a Secret with the key password")
    restart = read_restart_time(spec, _integer)
    ttl = _integer(spec, "ebgpMultihop")
    families = _families(spec)
    spec.close()
    return BGPPeerConfig(name, port, interface, retry, hold, keepalive, secret, restart, ttl, families)


def _transport(spec: Fields, v2: bool) -> tuple[int, str | None]:
    block = spec.mapping("transport")
    if block is None:
        return DEFAULTS["peerPort"], None
    port, interface = _integer(block, "peerPort"), None
    if v2:
        interface = block.string("sourceInterface", "the name of an interface of the node")
    elif block.optional_integer("localPort", V2ALPHA1_LIMITS["localPort"]) is not None:
        block.warn("localPort", "has no effect: it is deprecated, the kernel chooses the source port")
    block.close()
    return port, interface


def _timers(spec: Fields) -> tuple[int, int, int]:
    block = spec.mapping("timers")
    if block is None:
        return (
            DEFAULTS["connectRetryTimeSeconds"],
            DEFAULTS["holdTimeSeconds"],
            DEFAULTS["keepAliveTimeSeconds"],
        )
    retry = _integer(block, "connectRetryTimeSeconds")
    hold, keepalive = read_timers(block, _integer)
    block.close()
    return retry, hold, keepalive


def _families(spec: Fields) -> tuple[PeerFamily, ...]:
    """The unicast families that we speak; the others are warned about. None written = both, silent ones."""
    written = False
    spoken: list[PeerFamily] = []
    for item in spec.objects("families"):
        written = True
        found = _family(item)
        if found is not None:
            spoken.append(found)
    if not written:
        spec.warn("families", "is not set: sessions come up and advertise nothing")
        return BGPPeerConfig("").families
    return tuple(spoken)


def _family(fields: Fields) -> PeerFamily | None:
    afi = fields.choice("afi", AFIS, required=True)
    safi = fields.choice("safi", SAFIS, required=True)
    selector = read_selector(fields, "advertisements")
    fields.close()
    family = Family(afi or "", safi or "")
    if family in SPOKEN:
        if selector is None:
            fields.warn("advertisements", f"is not set: nothing is advertised for {family}")
        return PeerFamily(family, selector)
    if afi and safi:
        names = " and ".join(str(known) for known in SPOKEN)
        fields.faults.warn(fields.path, f"{family} cannot be honoured: bgpctl's speaker speaks {names}")
    return None

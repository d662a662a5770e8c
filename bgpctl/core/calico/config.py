"""What gives a Calico node its peers: the Node, the BGPPeers, the default BGPConfiguration, the IPPools.

Anybody with the right may have written one: it reads as typed values, or as one fault that is named and costs
that object (`Unreadable`). Field names: projectcalico/calico, api/pkg/apis/projectcalico/v3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.calico.selector import EVERYTHING, Selector, parse
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.model import IPAddress
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.reading.addresses import parse_address, parse_network
from bgpctl.core.reading.documents import annotations_of, labels_of, name_of
from bgpctl.core.reading.durations import seconds
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign, Unreadable

DEFAULT_ASN, DEFAULT_PORT = 64512, 179
# BIRD's own, which Calico does not let anybody set (hold time) or leaves as they are (speakers.md 1.4).
HOLD_TIME, KEEPALIVE_TIME, RESTART_TIME = 240, 80, 120
MAINTENANCE, MAINTAINED = "lb.projectcalico.org/maintenance", "exclude-local-backends"
"""Calico Enterprise's own drain of a node's load-balancer backends."""
_ASN = Range(0, 2**32 - 1)
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)
_WITH_PORT = re.compile(r"(?:\[([^]]*)\]|([^:]*)):(\d{1,5})", re.ASCII)

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Host:
    """A Node as Calico sees it. `address4`, `address6`: from where its sessions come, "" = not told. `asn`
    None = the default one. `excluded`: no load balancer may send it traffic; `maintained`: Calico Enterprise
    drains it; `asked`: a run of bgpctl asked it to leave."""

    name: str
    labels: Mapping[str, str]
    address4: str
    address6: str
    asn: int | None
    excluded: bool
    maintained: bool
    asked: bool

    def address(self, version: int) -> str:
        """From where its sessions of an IP version come."""
        return self.address4 if version == 4 else self.address6


@dataclass(frozen=True, slots=True)
class Peering:
    """One BGPPeer. `version` is its resourceVersion. `node`: the one that has it, "" = those of `nodes`.
    `address` "" = its peers are the nodes that `remotes` selects; `reverse`: those of them that have the
    session in their configuration too, None = none. `asn` None = that of each such node. `filters` are names
    of BGPFilters, the first that matches decides; None = the object has no such list. `workload`: its peers
    are pods of the node itself."""

    name: str
    version: str
    node: str
    nodes: Selector
    address: str
    port: int
    asn: int | None
    remotes: Selector | None
    reverse: Selector | None
    local_asn: int | None
    restart_time: int
    keepalive_time: int
    filters: tuple[str, ...] | None
    workload: bool

    def selects(self, host: Host) -> bool:
        """Is it for this node?"""
        return self.node == host.name if self.node else self.nodes.matches(host.labels)

    def answers(self, host: Host) -> bool:
        """Has the node the other end of a session of it?"""
        return self.reverse is not None and self.reverse.matches(host.labels)

    @property
    def chosen(self) -> str:
        """By what it selects nodes, for people."""
        return f"node {self.node}" if self.node else f"nodeSelector {self.nodes}"


@dataclass(frozen=True, slots=True)
class Defaults:
    """The BGPConfiguration `default`. `mesh`: every node peers with every other one."""

    asn: int = DEFAULT_ASN
    mesh: bool = True


def read_host(node: Document) -> Host:
    """Raises Unreadable for what calico-node would not have written."""
    annotations, labels = annotations_of(node), labels_of(node)
    notes = Foreign(annotations, "metadata.annotations")
    return Host(
        name_of(node),
        labels,
        _interface(notes, "projectcalico.org/IPv4Address"),
        _interface(notes, "projectcalico.org/IPv6Address"),
        read_asn(notes, "projectcalico.org/ASNumber"),
        labels.get(EXCLUDE) == "true",
        annotations.get(MAINTENANCE) == MAINTAINED,
        LEAVE in annotations,
    )


def _interface(read: Foreign, name: str) -> str:
    """An address with the length of its network."""
    found = read.parsed(name, _within, "an address with a prefix length")
    return str(found) if found else ""


def _within(text: str) -> IPAddress:
    parse_network(text, strict=False)
    return parse_address(text.partition("/")[0])


def read_asn(read: Foreign, name: str) -> int | None:
    """A number, or text: decimal, or two halves with a dot. None = absent."""
    value = read.value.get(name)
    if not isinstance(value, str):
        return read.optional_integer(name, _ASN)
    high, dot, low = value.partition(".")
    parts = (high, low) if dot else ("0", high)
    if not all(map(_NUMBER.fullmatch, parts)):
        read.refuse(name, "an AS number")
    found = (int(parts[0]) << 16) + int(parts[1])
    if found > _ASN.high or (dot and max(int(part) for part in parts) > 0xFFFF):
        read.refuse(name, "an AS number")
    return found


def read_peering(document: Document) -> Peering:
    """Raises Unreadable."""
    whole = Foreign.of(document)
    metadata, spec = whole.child("metadata"), whole.child("spec")
    address, port = _endpoint(spec)
    remotes = _selector(spec, "peerSelector")
    if address and remotes:
        raise Unreadable("spec.peerIP and spec.peerSelector are both there")
    node, nodes = spec.text("node"), _selector(spec, "nodeSelector")
    if node and nodes:
        raise Unreadable("spec.node and spec.nodeSelector are both there")
    return Peering(
        name=metadata.required("name"),
        version=metadata.text("resourceVersion"),
        node=node,
        nodes=nodes or EVERYTHING,
        address=address,
        port=port,
        asn=read_asn(spec, "asNumber") or None,
        remotes=remotes,
        reverse=None if spec.text("reversePeering") == "Manual" else remotes,
        local_asn=read_asn(spec, "localASNumber"),
        restart_time=_seconds(spec, "maxRestartTime", RESTART_TIME),
        keepalive_time=_seconds(spec, "keepaliveTime", KEEPALIVE_TIME),
        filters=spec.texts("filters") if spec.has("filters") else None,
        workload=bool(spec.text("localWorkloadSelector")),
    )


def whose(document: Document) -> tuple[str, Selector]:
    """A glance at a BGPPeer: the only node that it can be for, "" = any of those that the selector matches.
    What connects nodes with each other, or cannot be read, can be for any."""
    spec = document.get("spec")
    if not isinstance(spec, Mapping) or spec.get("peerSelector"):
        return "", EVERYTHING
    node, nodes = spec.get("node"), spec.get("nodeSelector")
    if isinstance(node, str) and not nodes:
        return node, EVERYTHING
    try:
        return "", parse(nodes) if isinstance(nodes, str) and not node else EVERYTHING
    except Unreadable:
        return "", EVERYTHING


def _selector(spec: Foreign, name: str) -> Selector | None:
    text = spec.text(name)
    try:
        return parse(text) if text else None
    except Unreadable as error:
        raise Unreadable(f"{spec.at(name)}: {error.message}") from None


def _endpoint(spec: Foreign) -> tuple[str, int]:
    """ADDRESS, IPV4:PORT or [IPV6]:PORT."""
    text = spec.text("peerIP")
    if not text:
        return "", DEFAULT_PORT
    found = _WITH_PORT.fullmatch(text)
    host, port = (found[1] or found[2], int(found[3])) if found else (text, DEFAULT_PORT)
    try:
        address = str(parse_address(host))
    except ValueError:
        address = ""
    if not address or not 0 < port < 65536:
        spec.refuse("peerIP", "an address, with or without a port")
    return address, port


def _seconds(spec: Foreign, name: str, default: int) -> int:
    """A metav1.Duration; a fraction of a second counts as a whole one."""
    found = spec.parsed(name, seconds, "a duration")
    if found is None:
        return default
    return int(-(-found // 1)) if found <= 86400 else spec.refuse(name, "a duration of at most a day")


def read_defaults(document: Document | None) -> Defaults:
    """Of the BGPConfiguration `default`; None = there is none. Raises Unreadable."""
    spec = Foreign.of(document or {}).child("spec")
    return Defaults(read_asn(spec, "asNumber") or DEFAULT_ASN, spec.flag("nodeToNodeMeshEnabled", True))


def exported(pools: Iterable[Document] | None) -> Iterator[str]:
    """The IPPools whose pods' addresses Calico announces; what cannot be read may be one. None = they may not
    be read."""
    if pools is None:
        yield "which cannot be listed"
        return
    for pool in pools:
        try:
            spec = Foreign.of(pool).child("spec")
            balancers = "LoadBalancer" in spec.texts("allowedUses")
            hidden = spec.flag("disableBGPExport") or spec.flag("disabled") or balancers
        except Unreadable:
            hidden = False
        if not hidden:
            yield name_of(pool)

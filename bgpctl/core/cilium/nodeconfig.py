"""CiliumBGPNodeConfig: what Cilium's operator tells the agent of one node, and what that one says of it.

Anybody with the right may have written one: it reads as typed values, or as one fault that is named and costs
this node and no other (`Unreadable`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.model import Family, SessionState
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json, plain

KIND, OWNER_KIND = "CiliumBGPNodeConfig", "CiliumBGPClusterConfig"
ANNOTATION = "bgpctl.io/withdrawn"  # how the object was before bgpctl made its node withdraw
LABEL, LABELLED = "bgpctl.io/withdrawn", "true"  # by which it is found again
SUFFIX = ".bgpctl-withdrawn"  # of the copies of CiliumBGPPeerConfigs (`copies`)
SOAK_SUFFIX = ".bgpctl-soak"  # of those that announce with GRACEFUL_SHUTDOWN (`soak`)
LONGEST_KEPT = 256 << 10  # what the API server allows for all annotations of an object together
KEPT_VERSION = 1
MOST_INSTANCES, MOST_PEERS = 16, 1000

Document = Mapping[str, Any]
Counts = Mapping[str, int]
"""Family ("ipv4/unicast") -> how many routes Cilium says it advertises: with graceful restart negotiated one
more than there are, because it counts the End-of-RIB."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What the agent said last of one peer: up to 5 s late, and never again once the peer is gone."""

    address: str
    asn: int
    state: SessionState
    established_at: float
    hold_time: int | None
    keepalive_time: int | None
    advertised: Counts
    received: Counts


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer as the agent is told to have it. `address` "" = discovered, and nobody said yet what it is.
    `config`: the CiliumBGPPeerConfig, "" = the default one, which advertises nothing. `reported` None = the
    agent says nothing of it."""

    instance: str
    name: str
    address: str
    asn: int
    local_asn: int
    config: str
    reported: Reported | None

    @property
    def key(self) -> str:
        """As the policies name it (`core.model.Peer.name`)."""
        return f"{self.instance}/{self.name}"


@dataclass(frozen=True, slots=True)
class Instance:
    """One BGP instance of a node, by its name, with its peers as they stand."""

    name: str
    peers: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """How a CiliumBGPNodeConfig was before its node was made to withdraw: its owners, the peers of each
    instance (both as Kubernetes has them), and what was advertised to each. `node`: the Node's UID. `at`:
    when, in epoch seconds by the API server's clock, 0 = not written down. `since`: by peer since when its
    session was up, in epoch seconds by the agent's clock."""

    owners: tuple[Document, ...] = ()
    instances: tuple[Document, ...] = ()
    advertised: Mapping[str, Counts] = field(default_factory=dict)
    node: str = ""
    at: float = 0.0
    since: Mapping[str, float] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What the journal keeps."""
        return {
            "version": KEPT_VERSION,
            "owners": [dict(one) for one in self.owners],
            "instances": [dict(one) for one in self.instances],
            "advertised": {key: dict(counts) for key, counts in self.advertised.items()},
            "node": self.node,
            "at": self.at,
            "since": dict(self.since),
        }

    def text(self) -> str:
        """The same as one line of JSON, for the annotation."""
        return json.dumps(self.document(), sort_keys=True, separators=(",", ":"))

    @property
    def owner(self) -> str:
        """The CiliumBGPClusterConfig that the node had, "" = none."""
        return next((str(one["name"]) for one in self.owners if one["kind"] == OWNER_KIND), "")


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """`version` is its resourceVersion. `owners` as Kubernetes has them, `owner` the CiliumBGPClusterConfig
    among them, "" = none: then Cilium's operator leaves it alone. `kept` None = it has no such annotation.
    `raw`: the instances as Kubernetes has them. `told`: the agent says something of its sessions at all,
    which 1.16 and one without status report do not."""

    node: str
    version: str
    owner: str
    owners: tuple[Document, ...]
    instances: tuple[Instance, ...]
    kept: Kept | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    raw: tuple[Document, ...]
    told: bool

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Of all instances."""
        return tuple(peer for instance in self.instances for peer in instance.peers)

    @property
    def withdrawn(self) -> bool:
        """Does it stand as bgpctl leaves it, with nothing to announce? Not once somebody owns it: Cilium's
        operator writes over it at once. Also where somebody took the annotation away."""
        if self.soaks:
            return False
        marked = self.kept is not None or LABEL in self.labels
        return not self.owner and (marked or any(peer.config.endswith(SUFFIX) for peer in self.peers))

    @property
    def soaks(self) -> bool:
        """Does it announce with GRACEFUL_SHUTDOWN, as bgpctl leaves it before it withdraws?"""
        return not self.owner and any(peer.config.endswith(SOAK_SUFFIX) for peer in self.peers)

    def emptied(self, kept: Kept) -> bool:
        """Was it left without owner and peers, both of which it had? Then it is withdrawn, whatever somebody
        did to its marks."""
        had = any(one.get("peers") for one in kept.instances)
        return bool(kept.owner and had) and not self.owner and not self.peers

    def keep(self, node_uid: str, now: float, before: Kept | None = None) -> Kept:
        """What is needed to bring it back. `now`: epoch seconds by the API server's clock. `before`: what was
        kept already, of a node that somebody brought back in part: its references are the right ones."""
        counted = {peer.key: peer.reported.advertised for peer in self.peers if peer.reported}
        named = ({"name": one["name"], "peers": one.get("peers") or []} for one in self.raw)
        fewer: tuple[Document, ...] = tuple(named)
        owners: tuple[Document, ...] = self.owners
        if before and any(peer.config.endswith((SUFFIX, SOAK_SUFFIX)) for peer in self.peers):
            owners, fewer = before.owners, before.instances
        since = {peer.key: peer.reported.established_at for peer in self.peers if peer.reported}
        return Kept(owners, fewer, counted, node_uid, now, {k: at for k, at in since.items() if at})


def read(document: Document) -> NodeConfig:
    """One CiliumBGPNodeConfig, v2 or v2alpha1. Raises Unreadable."""
    whole = Foreign.of(document)
    metadata = whole.child("metadata")
    owners = tuple(plain(one.value, one.path) for one in metadata.children("ownerReferences"))
    for number, one in enumerate(owners):
        _owner(Foreign(one, f"metadata.ownerReferences[{number}]"))
    annotations, labels = (_texts(metadata, name) for name in ("annotations", "labels"))
    told, reported = _reported(whole.child("status"))
    instances = tuple(whole.child("spec").children("bgpInstances", MOST_INSTANCES))
    return NodeConfig(
        node=metadata.required("name"),
        version=metadata.text("resourceVersion"),
        owner=next((str(one["name"]) for one in owners if one["kind"] == OWNER_KIND), ""),
        owners=owners,
        instances=tuple(_instance(one, reported) for one in instances),
        kept=read_kept(annotations[ANNOTATION]) if ANNOTATION in annotations else None,
        labels=labels,
        annotations=annotations,
        raw=tuple(plain(one.value, one.path) for one in instances),
        told=told,
    )


def read_kept(text: str) -> Kept:
    """The annotation. Raises Unreadable."""
    try:
        return kept_of(parse_json(text, LONGEST_KEPT))
    except Unreadable as error:
        raise Unreadable(f"annotation {ANNOTATION}: {error.message}") from None


def kept_of(value: Any) -> Kept:
    """What `Kept.document` wrote, here or in a journal. Raises Unreadable."""
    kept = Foreign.of(value)
    if kept.integer("version") != KEPT_VERSION:
        kept.refuse("version", str(KEPT_VERSION))
    owners = kept.children("owners")
    for one in owners:
        _owner(one)
    instances = kept.children("instances", MOST_INSTANCES)
    for one in instances:
        _instance(one, {})
    counted = {key: {f: counts.integer(f) for f in counts.value} for key, counts in _objects(kept)}
    return Kept(
        tuple(plain(one.value, one.path) for one in owners),
        tuple(plain(one.value, one.path) for one in instances),
        counted,
        kept.text("node"),
        kept.number("at"),
        {key: values.number(key) for values, key in kept.each("since")},
    )


def _objects(kept: Foreign) -> Iterator[tuple[str, Foreign]]:
    return ((key, values.child(key)) for values, key in kept.each("advertised"))


def _owner(read: Foreign) -> None:
    for name in ("apiVersion", "kind", "name", "uid"):
        read.required(name)


def _texts(metadata: Foreign, name: str) -> dict[str, str]:
    return {key: values.text(key, longest=LONGEST_KEPT) for values, key in metadata.each(name)}


def _instance(read: Foreign, reported: Mapping[str, Reported]) -> Instance:
    name, asn = read.required("name"), read.integer("localASN")
    peers = (_peer(one, name, asn, reported) for one in read.children("peers", MOST_PEERS))
    return Instance(name, tuple(peers))


def _peer(read: Foreign, instance: str, local_asn: int, reported: Mapping[str, Reported]) -> Peer:
    name = read.required("name")
    said = reported.get(f"{instance}/{name}")
    reference = read.child("peerConfigRef")
    return Peer(
        instance,
        name,
        _address(read) or (said.address if said else ""),
        read.integer("peerASN") or (said.asn if said else 0),
        local_asn,
        reference.required("name") if reference.value else "",
        said,
    )


def _address(read: Foreign) -> str:
    address = read.parsed("peerAddress", parse_zoned, "an IP address")
    return str(address) if address else ""


def _reported(status: Foreign) -> tuple[bool, dict[str, Reported]]:
    """Whether anything is said of sessions, and by peer what."""
    found: dict[str, Reported] = {}
    for instance in status.children("bgpInstances", MOST_INSTANCES):
        for peer in instance.children("peers", MOST_PEERS):
            found[f"{instance.required('name')}/{peer.required('name')}"] = _said(peer)
    return status.has("bgpInstances"), found


def _said(peer: Foreign) -> Reported:
    timers, counts = peer.child("timers"), peer.children("routeCount")
    return Reported(
        _address(peer),
        peer.integer("peerASN"),
        SessionState(peer.choice("peeringState", tuple(SessionState)))
        if peer.has("peeringState")
        else SessionState.UNKNOWN,
        peer.instant("establishedTime"),
        timers.optional_integer("appliedHoldTimeSeconds"),
        timers.optional_integer("appliedKeepaliveSeconds"),
        {str(Family(one.required("afi"), one.required("safi"))): one.integer("advertised") for one in counts},
        {str(Family(one.required("afi"), one.required("safi"))): one.integer("received") for one in counts},
    )

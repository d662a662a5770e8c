"""Policies, Services, endpoints and the Node -> what one node should run (Intent), each with its reason.

Pure: the same values give the same Intent. One bad object costs that object only, and a sentence says so.

Which policy owns a node: exactly one. When several select it, the one that had it keeps it, else the oldest
(creationTimestamp, then name); the others become a problem sentence. Cilium clears every session of the node
in that case (facts: cilium.md section 1.1), which turns one stray policy into an outage.

An owner that no longer parses: its last good form stays in force with `stale` set, and goes on following
Services, endpoints and Secrets, because a frozen `externalTrafficPolicy: Local` route would attract traffic
that nobody answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from bgpctl.core.documents import annotations_of, labels_of, name_of
from bgpctl.core.model import Absent, Intent, IPAddress, Peer, Secret
from bgpctl.core.nexthops import with_next_hops
from bgpctl.core.nodeconfig import (
    AddressType,
    Instance,
    NodeConfig,
    PeerConfig,
    RouterSettings,
    router_settings,
)
from bgpctl.core.policy import KIND, ParsedPolicy, node_config, parse_policy
from bgpctl.core.pools import read_pools
from bgpctl.core.routes import compile_routes
from bgpctl.core.services import (
    MALFORMED,
    NO_ENDPOINT_SLICE,
    NOT_SELECTED,
    Candidate,
    EndpointIndex,
    candidates,
)

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """The cluster as the speaker of one node sees it, as raw documents.

    `secrets` maps a Secret's name to its key `password`, and has only Secrets with that key. None says that
    the reader may not see Secrets (a CLI that asks what a node would announce): every peer is listed, without
    its password, and nobody may run such an intent. `lb_pools` are CiliumLoadBalancerIPPools, None when
    nobody reads them.
    """

    node: Document | None = None
    policies: Sequence[Document] = ()
    services: Sequence[Document] = ()
    endpoint_slices: Sequence[Document] = ()
    secrets: Mapping[str, Secret] | None = field(default_factory=dict)
    lb_pools: Sequence[Document] | None = None


def compile_intent(
    objects: ClusterObjects,
    node_name: str,
    *,
    source_address: IPAddress | None = None,
    next_hops: Sequence[IPAddress] = (),
    previous: Intent | None = None,
) -> Intent:
    """What `node_name` should run now.

    `source_address` is the local address of every session to a peer of its IP version (None = the kernel
    chooses). `next_hops` replace "self", at most one per IP version. `previous` is the last result: it
    decides which policy keeps the node, and it is what stays in force while the owner does not parse or the
    Node cannot be read.
    """
    if objects.node is None:
        return _without_node(node_name, previous)
    # Only a policy that we could run is an owner: one that never parsed has nothing to keep.
    owner = previous.policy if previous is not None and previous.config is not None else ""
    selection = select_policy(objects.policies, labels_of(objects.node), owner)
    settings, annotation_problems = router_settings(annotations_of(objects.node))
    config, stale = _config(selection, settings, previous)
    world = _World(objects, node_name, config)
    problems = (*selection.problems, *annotation_problems)
    if selection.owner is None:
        absent = tuple(world.unselected())
        return Intent(node_name, absent=absent, problems=_unique(problems, world.problems))
    if config is None:
        return Intent(
            node_name, True, selection.owner.name, problems=_unique(problems, world.problems), stale=True
        )
    intent = _intent(world, config, source_address, problems, stale)
    addresses = tuple(_internal_ips(objects.node))
    return replace(intent, routes=with_next_hops(intent.routes, intent.peers, addresses, next_hops))


def _without_node(node_name: str, previous: Intent | None) -> Intent:
    """An unreadable Node is no evidence that the node should leave: keep what runs."""
    sentence = f"Node {node_name} was not found"
    if previous is None or not previous.selected:
        return Intent(node_name, problems=(f"{sentence}: no policy can select it",))
    return replace(previous, stale=True, problems=(f"{sentence}: the previous intent stays in force",))


# --- which policy -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Selection:
    """`owner` is the policy that has the node (None = none selects it); `others` select it too."""

    owner: ParsedPolicy | None
    others: tuple[ParsedPolicy, ...] = ()
    problems: tuple[str, ...] = ()


def select_policy(policies: Sequence[Document], node_labels: Mapping[str, str], previous: str) -> Selection:
    """The one policy that owns a node with these labels. `previous` is the owner's name so far.

    A policy whose nodeSelector does not parse selects only the node it owned. A valid policy goes before an
    invalid one, unless that had the node.
    """
    parsed = [_parse(document) for document in policies]
    selecting = [item for item in parsed if _selects(item, node_labels, previous)]
    selecting.sort(key=lambda item: (item.name != previous, item.policy is None, *_age(item)))
    owner = selecting[0] if selecting else None
    others = tuple(selecting[1:])
    problems = [line for item in parsed for line in _policy_problems(item, item in selecting)]
    if owner is not None and others:
        names = ", ".join(item.name for item in others)
        problems.append(
            f"{KIND} {names} selects this node too and is ignored here: {owner.name} has it already"
        )
    return Selection(owner, others, tuple(problems))


def _parse(document: Document) -> ParsedPolicy:
    return parse_policy(document, f"{KIND}/{name_of(document)}", strict=False)


def _age(item: ParsedPolicy) -> tuple[str, str]:
    # A file has no creationTimestamp: such a policy counts as the youngest.
    return item.created or "9999", item.name


def _selects(item: ParsedPolicy, labels: Mapping[str, str], previous: str) -> bool:
    if not item.node_selector_valid:
        return bool(previous) and item.name == previous
    return item.node_selector is None or item.node_selector.matches(labels)


def _policy_problems(item: ParsedPolicy, selecting: bool) -> Iterator[str]:
    for problem in item.problems:
        yield f"{KIND} {item.name} is invalid: {problem.path or '(document)'}: {problem.message}"
    if selecting:
        for warning in item.warnings:
            yield f"warning: {KIND} {item.name}: {warning.path}: {warning.message}"


def _config(
    selection: Selection, settings: Mapping[int, RouterSettings], previous: Intent | None
) -> tuple[NodeConfig | None, bool]:
    """The configuration in force and whether it is a stale one. None = nothing to run."""
    if selection.owner is None:
        return None, False
    if selection.owner.policy is not None:
        return node_config(selection.owner.policy, settings), False
    return (previous.config if previous is not None and previous.selected else None), True


# --- routes -----------------------------------------------------------------------------------------------


class _World:
    """The candidates of one node, and the sentences about what could not be read."""

    def __init__(self, objects: ClusterObjects, node_name: str, config: NodeConfig | None) -> None:
        self.problems: list[str] = []
        self.node = objects.node or {}
        self.name = node_name
        self.secrets = objects.secrets
        self.pools = read_pools(objects.lb_pools, self.problems)
        index = EndpointIndex(objects.endpoint_slices, node_name)
        self.problems += index.problems
        found = candidates(objects.services, index, _kinds(config), self.problems)
        self.candidates = [*self._pod_cidrs(), *found]
        self._missing_slices()

    def _pod_cidrs(self) -> Iterator[Candidate]:
        labels = labels_of(self.node)
        for text in _pod_cidrs(self.node):
            try:
                prefix = ip_network(text)
            except MALFORMED:
                self.problems.append(f"Node {self.name}: spec.podCIDRs has {text!r}, which is no CIDR")
                continue
            yield Candidate("PodCIDR", None, prefix, labels, "", "the policy exports this node's PodCIDR")

    def _missing_slices(self) -> None:
        # One sentence for all of them: a fresh cluster has hundreds for a moment.
        names = sorted({c.origin for c in self.candidates if c.reason == NO_ENDPOINT_SLICE})
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            self.problems.append(f"without EndpointSlice, so not announced: {', '.join(names[:3])}{more}")

    def unselected(self) -> Iterator[Absent]:
        detail = f"no {KIND} selects node {self.name}"
        for candidate in self.candidates:
            yield Absent(candidate.origin, candidate.prefix, NOT_SELECTED, detail)


def _pod_cidrs(node: Document) -> list[Any]:
    spec = node.get("spec")
    if not isinstance(spec, Mapping):
        return []
    many, one = spec.get("podCIDRs"), spec.get("podCIDR")
    if isinstance(many, Sequence) and not isinstance(many, str) and many:
        return list(many)
    return [one] if one else []


def _kinds(config: NodeConfig | None) -> tuple[AddressType, ...]:
    """LoadBalancer and external addresses are always worth a reason; every Service has a ClusterIP, so those
    are looked at only where they are advertised."""
    wanted = {AddressType.LOAD_BALANCER, AddressType.EXTERNAL}
    for peer in _peers(config):
        for family in peer.families:
            wanted.update(kind for advertisement in family.advertisements for kind in advertisement.addresses)
    return tuple(kind for kind in AddressType if kind in wanted)


def _peers(config: NodeConfig | None) -> list[PeerConfig]:
    return [peer for instance in (config.instances if config else ()) for peer in instance.peers]


def _intent(
    world: _World,
    config: NodeConfig,
    source_address: IPAddress | None,
    problems: Sequence[str],
    stale: bool,
) -> Intent:
    peers = [
        (peer_config, peer)
        for instance in config.instances
        for peer_config in instance.peers
        if (peer := _peer(world, instance, peer_config, source_address)) is not None
    ]
    routes = compile_routes([peer_config for peer_config, _ in peers], world.candidates, world.pools)
    for peer_config, peer in peers:
        world.problems += [
            f"warning: peer {peer.name}: {s}" for s in world.pools.undecidable(peer_config.rules)
        ]
    return Intent(
        node=world.name,
        selected=True,
        policy=config.owner,
        peers=tuple(peer for _, peer in peers),
        routes=routes.tables,
        absent=routes.absent,
        problems=_unique(problems, world.problems),
        stale=stale,
        config=config,
    )


# --- peers ------------------------------------------------------------------------------------------------


def _peer(
    world: _World, instance: Instance, config: PeerConfig, source_address: IPAddress | None
) -> Peer | None:
    """The session, or None with a problem sentence when it cannot be held."""
    password = (world.secrets or {}).get(config.secret) if config.secret else None
    if config.secret and password is None and world.secrets is not None:
        # Cilium tries with an empty password, which a router logs as an attack (facts: cilium.md 1.4).
        world.problems.append(
            f'peer {config.name}: no session, because Secret "{config.secret}" (key password) is missing'
        )
        return None
    if not config.families:
        world.problems.append(f"peer {config.name}: no session, because none of its families can be spoken")
        return None
    return Peer(
        name=config.name,
        instance=instance.name,
        address=config.address,
        asn=config.asn,
        local_asn=instance.local_asn,
        router_id=instance.router_id or router_id(world.node, world.name),
        port=config.port,
        local_address=config.local_address or _source(source_address, config),
        local_port=instance.local_port,
        hold_time=config.hold_time,
        keepalive_time=config.keepalive_time,
        connect_retry_time=config.connect_retry_time,
        multihop_ttl=config.multihop_ttl,
        restart_time=config.restart_time,
        families=tuple(family.family for family in config.families),
        password=password,
    )


def _source(address: IPAddress | None, config: PeerConfig) -> IPAddress | None:
    return address if address is not None and address.version == config.address.version else None


def router_id(node: Document, node_name: str) -> IPv4Address:
    """The node's first IPv4 InternalIP, else 32 bits derived from its name (RFC 6286: any non-zero value
    that is unique within the AS)."""
    for address in _internal_ips(node):
        if isinstance(address, IPv4Address) and int(address):
            return address
    digest = int.from_bytes(sha256(node_name.encode()).digest()[:4])
    # Into 1.0.0.0 .. 126.255.255.255 and 128.0.0.0 .. 223.…: implementations refuse others as a router ID.
    first, rest = digest >> 24, digest & 0xFFFFFF
    octet = 1 + first % 222
    return IPv4Address(((octet if octet < 127 else octet + 1) << 24) | rest)


def _internal_ips(node: Document) -> Iterator[IPAddress]:
    status = node.get("status")
    addresses = status.get("addresses") if isinstance(status, Mapping) else None
    for entry in addresses if isinstance(addresses, Sequence) else ():
        try:
            if entry["type"] == "InternalIP":
                yield ip_address(entry["address"])
        except MALFORMED:
            continue


def _unique(*groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for group in groups for line in group))

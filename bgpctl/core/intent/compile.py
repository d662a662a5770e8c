"""Policies, Services, endpoints and the Node -> what one node should run (Intent), each with its reason.

Pure: the same values give the same Intent. One bad object costs that object only, and a sentence says so.
Which object owns the node is decided in `core/policy/owners.py`, what the Node itself withholds in
`core/intent/gates.py`.

An owner that no longer parses: its last good form stays in force with `stale` set, and goes on following
Services, endpoints and Secrets, because a frozen `externalTrafficPolicy: Local` route would attract traffic
that nobody answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from bgpctl.core.intent.candidates import Batch, batch, candidates
from bgpctl.core.intent.compile_cache import Memo, Same
from bgpctl.core.intent.endpoints import Key, Part, Served, Slice, backends_of, merged_after, read_slice
from bgpctl.core.intent.gates import OPEN, Gate, gate
from bgpctl.core.intent.nexthops import next_hops as next_hops_of
from bgpctl.core.intent.podcidrs import pod_cidrs, pool_cidrs
from bgpctl.core.intent.routes import compile_routes
from bgpctl.core.intent.services import (
    NO_INTERFACE_ADDRESS,
    NOT_SELECTED,
    Candidate,
    Service,
    host_prefix,
    read_service,
)
from bgpctl.core.intent.sessions import Surroundings, internal_ips, sessions
from bgpctl.core.model import Absent, Intent, IPAddress, Secret
from bgpctl.core.policy.annotations import node_settings
from bgpctl.core.policy.claim import NO_OWNER, Owner
from bgpctl.core.policy.nodeconfig import AddressType, Advertisement, NodeConfig, Source, router_settings
from bgpctl.core.policy.owners import OWNER_KINDS, AnyClaim, read_claims, select_owner
from bgpctl.core.policy.peering import PeeringPolicy, node_config
from bgpctl.core.policy.pools import read_pools
from bgpctl.core.policy.v2.cluster import ClusterConfig
from bgpctl.core.policy.v2.compile import Host, compile_node, read_resources, usable
from bgpctl.core.reading.documents import annotations_of, labels_of
from bgpctl.core.timing.soak import shut_down

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What one node sees of all EndpointSlices: backends by Service, and sentences about malformed ones.
    `parts`: from which groups of slices, each the same object as long as nothing of it changes; () = not
    told."""

    backends: Mapping[Key, Served] = field(default_factory=dict)
    problems: Sequence[str] = ()
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """The cluster as the speaker of one node sees it, as raw documents. Services and EndpointSlices, of which
    there are thousands, may also be what `read_service` and `read_slice` made of theirs, or all slices what
    was counted of them (`Endpoints`).

    `policies` are CiliumBGPPeeringPolicies; `cluster_configs`, `peer_configs`, `advertisements` and
    `overrides` the v2 resources. `secrets` maps a Secret's name to its key `password`, and has only Secrets
    with that key. None says that the reader may not see Secrets (a CLI that asks what a node would announce):
    every peer is listed, without its password, and nobody may run such an intent. `lb_pools` are
    CiliumLoadBalancerIPPools, None when nobody reads them; `pod_pools` are CiliumPodIPPools, None when they
    cannot be read, and `cilium_node` is the node's CiliumNode, None when it has none. `interfaces` and
    `gateways` are the node's own (`core.policy.v2.compile.Host`), None when the reader is not on the node.
    `unserved` are the kinds in `core.policy.owners.OWNER_KINDS` that the API server does not know.
    """

    node: Document | None = None
    policies: Sequence[Document] = ()
    services: Sequence[Document | Service] = ()
    endpoint_slices: Sequence[Document | Slice] | Endpoints = ()
    secrets: Mapping[str, Secret] | None = field(default_factory=dict)
    lb_pools: Sequence[Document] | None = None
    pod_pools: Sequence[Document] | None = ()
    cilium_node: Document | None = None
    cluster_configs: Sequence[Document] = ()
    peer_configs: Sequence[Document] = ()
    advertisements: Sequence[Document] = ()
    overrides: Sequence[Document] = ()
    interfaces: Mapping[str, Sequence[IPAddress]] | None = field(default_factory=dict)
    gateways: Mapping[str, IPAddress] | None = field(default_factory=dict)
    unserved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Context:
    """What a compile goes by besides the cluster's objects.

    `source_address` is the local address of every session to a peer of its IP version (None = the kernel
    chooses). `next_hops` replace "self", at most one per IP version. `owner` had the node before this run.
    `opened`: the node announced before this run (`gates.announced_before`). `unconfirmed`: why the
    operator's own readiness checks do not agree yet. `withdraw_without_endpoints`: a Service whose traffic
    policy is Cluster is announced only while it has a usable endpoint; without it always, as the operation
    guide says. `leaving`: what a node that nothing selects any more goes on with for a while, with
    GRACEFUL_SHUTDOWN (`core.timing.soak`).
    """

    source_address: IPAddress | None = None
    next_hops: Sequence[IPAddress] = ()
    owner: Owner = NO_OWNER
    opened: bool = False
    unconfirmed: str = ""
    withdraw_without_endpoints: bool = False
    leaving: NodeConfig | None = None


ALONE = Context()


def compile_intent(
    objects: ClusterObjects,
    node_name: str,
    context: Context = ALONE,
    *,
    previous: Intent | None = None,
    memo: Memo | None = None,
) -> Intent:
    """What `node_name` should run now.

    `previous` is the last result: it decides which object keeps the node, and it is what stays in force while
    the owner does not parse or the Node cannot be read. `memo`: what earlier compiles of this node found out;
    it changes how long this takes and nothing else.
    """
    if objects.node is None:
        return _without_node(node_name, previous)
    if memo is None:
        return _compiled(objects, node_name, context, previous, Memo())
    before = previous and (previous.selected, previous.undecided, previous.opened, previous.config)
    given = _given(objects), node_name, context, before
    return memo.once("intent", given, lambda: _compiled(objects, node_name, context, previous, memo))


def _given(objects: ClusterObjects) -> tuple[object, ...]:
    """All that a compile is made of, to be compared with the next one's: what a mirror has not read anew is
    the same object."""
    raw = Same(
        objects.node,
        objects.policies,
        objects.services,
        objects.endpoint_slices,
        objects.lb_pools,
        objects.pod_pools,
        objects.cilium_node,
        objects.cluster_configs,
        objects.peer_configs,
        objects.advertisements,
        objects.overrides,
    )
    return raw, objects.secrets, objects.interfaces, objects.gateways, objects.unserved


def _each(kinds: Iterable[Sequence[Document]]) -> tuple[Same, ...]:
    return tuple(Same(*documents) for documents in kinds)


def _compiled(
    objects: ClusterObjects, node_name: str, context: Context, previous: Intent | None, memo: Memo
) -> Intent:
    """For one that has a Node. Of `previous` it takes what `compile_intent` compares, and nothing else."""
    node = objects.node or {}
    owners = tuple(objects.policies), tuple(objects.cluster_configs)
    claims = memo.once("claims", _each(owners), lambda: read_claims(*owners))
    had = _owner(previous, context.owner)
    if (previous is None or previous.undecided) and had.kind in objects.unserved:
        return _without_kind(node_name, had)
    selection = select_owner(claims, labels_of(node), had)
    opened = context.opened or (previous is not None and previous.opened)
    found = gate(node, opened, context.unconfirmed)
    in_force = _in_force(selection.owner, objects, node_name, previous, memo)
    if selection.owner is None:
        in_force = replace(in_force, config=context.leaving)
    world = _World(objects, node_name, in_force.config, found, context.withdraw_without_endpoints, memo)
    problems = (*selection.problems, *in_force.problems)
    if selection.owner is None and context.leaving is None:
        absent = tuple(world.unselected())
        return Intent(node_name, absent=absent, problems=_unique(problems, world.problems))
    if selection.owner is not None and in_force.config is None:
        told = _unique(problems, world.problems)
        return Intent(node_name, True, selection.owner.name, problems=told, stale=True)
    settings, faults = node_settings(annotations_of(node))
    around = Surroundings(
        node, node_name, objects.secrets, context.source_address, settings, context.next_hops
    )
    intent = _intent(world, in_force, around, (*problems, *faults), memo)
    return intent if selection.owner is not None else shut_down(intent)


def _without_node(node_name: str, previous: Intent | None) -> Intent:
    """An unreadable Node is no evidence that the node should leave: keep what runs."""
    sentence = f"Node {node_name} was not found"
    if previous is None or not previous.selected:
        return Intent(node_name, problems=(f"{sentence}: no policy can select it",), stale=True)
    kept = f"{sentence}: what ran before stays; a stop withdraws it"
    return replace(previous, stale=True, problems=(kept,))


def _without_kind(node_name: str, had: Owner) -> Intent:
    """Objects that went with their CustomResourceDefinition are no evidence either. Only where they were
    never read: a reader that saw them keeps them (`kube.watch.Mirror`, `cling`)."""
    gone = f"{had} had this node, and the API server does not know {had.kind} (any more)"
    then = "nothing is decided until its CustomResourceDefinition is installed again"
    return Intent(node_name, problems=(f"{gone}: {then}",), stale=True)


# --- what is in force -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _InForce:
    """The configuration in force (None = nothing to run) and whether it is a stale one."""

    config: NodeConfig | None = None
    problems: tuple[str, ...] = ()
    stale: bool = False


def _owner(previous: Intent | None, before: Owner = NO_OWNER) -> Owner:
    """Only an object that we could run is an owner: one that never parsed has nothing to keep. `before` had
    the node until this run began, and counts until something was decided in it."""
    if previous is None or previous.undecided:
        return before
    if previous.config is None:
        return NO_OWNER
    return Owner(previous.config.kind, previous.policy)


def _in_force(
    owner: AnyClaim | None, objects: ClusterObjects, node_name: str, previous: Intent | None, memo: Memo
) -> _InForce:
    settings, problems = router_settings(annotations_of(objects.node or {}))
    if owner is None:
        return _InForce(problems=problems)
    before = previous.config if previous is not None and previous.selected else None
    if isinstance(owner.value, PeeringPolicy):
        return _InForce(node_config(owner.value, settings), problems)
    if isinstance(owner.value, ClusterConfig):
        ours = before if before is not None and _owner(previous) == owner.owner else None
        kinds = tuple(objects.peer_configs), tuple(objects.advertisements), tuple(objects.overrides)
        resources = memo.once("resources", _each(kinds), lambda: read_resources(*kinds))
        host = Host(objects.interfaces, objects.gateways)
        joined = compile_node(owner.value, resources, node_name, host, ours)
        return _InForce(joined.config, joined.problems, joined.stale)
    return _InForce(before, problems, stale=True)


def owner_problem(intent: Intent) -> str:
    """Why the configuration in force is not the one that is written, "" when it is."""
    if not intent.stale:
        return ""
    owners = {f"{kind} {intent.policy} is invalid" for kind in OWNER_KINDS}
    own = f"CiliumBGPNodeConfigOverride {intent.node} is invalid"
    faults = [p for p in intent.problems if p.startswith((*owners, own))]
    if not faults:
        return ""
    kept = "its last good form stays in force" if intent.config else "nothing is announced"
    return f"{faults[0]}; {kept}"


# --- routes -----------------------------------------------------------------------------------------------


class _World:
    """The candidates of one node, and the sentences about what could not be read."""

    def __init__(
        self,
        objects: ClusterObjects,
        node_name: str,
        config: NodeConfig | None,
        found: Gate,
        withdraw_without_endpoints: bool,
        memo: Memo,
    ) -> None:
        self.problems: list[str] = [f"warning: {found.note}"] if found.note and config else []
        self.node = objects.node or {}
        self.name, self.gate = node_name, found
        self.pools = read_pools(objects.lb_pools, self.problems)
        seen = _endpoints(objects.endpoint_slices, node_name, memo)
        self.problems += seen.problems
        services = candidates(
            _read(objects.services),
            seen.backends,
            _kinds(config),
            withdraw_without_endpoints,
            memo,
            labels_of(self.node),
            seen.parts,
        )
        self.problems += chain.from_iterable(each.problems for each in services)
        interfaces = _interface_candidates(config, objects.interfaces)
        pods = _pods(config, self.node, objects, self.problems)
        self.batches = _withheld([batch([*pods, *interfaces]), *services], found)
        self._missing_slices()

    def _missing_slices(self) -> None:
        # One sentence for all of them: a fresh cluster has hundreds for a moment.
        names = sorted(frozenset[str]().union(*(each.unsliced for each in self.batches)))
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            self.problems.append(f"without EndpointSlice, so not announced: {', '.join(names[:3])}{more}")

    def unselected(self) -> Iterator[Absent]:
        detail = f"no {' or '.join(OWNER_KINDS)} selects node {self.name}"
        for candidate in chain.from_iterable(each.candidates for each in self.batches):
            yield Absent(candidate.origin, candidate.prefix, NOT_SELECTED, detail)


def _read(services: Sequence[Document | Service]) -> tuple[Service, ...]:
    if isinstance(services, tuple) and set(map(type, services)) <= {Service}:  # a speaker's, at every change
        return services
    return tuple([s if isinstance(s, Service) else read_service(s) for s in services])


def _endpoints(slices: Sequence[Document | Slice] | Endpoints, node: str, memo: Memo) -> Endpoints:
    """Counted again only when a slice changed."""
    if isinstance(slices, Endpoints):
        return slices
    given = node, tuple(slices)
    return memo.once("slices", given, lambda: _counted(*given, memo))


def _counted(node: str, slices: tuple[Document | Slice, ...], memo: Memo) -> Endpoints:
    def count(part: tuple[Document | Slice, ...]) -> Endpoints:
        read = [s if isinstance(s, Slice) else read_slice(s, node) for s in part]
        return Endpoints(backends_of(read), [s.problem for s in read if s.problem])

    counted = memo.parts("parts of slices", node, slices, count)
    parts = [each.backends for each in counted]
    before = memo.results("counted", node).get("made", Endpoints())
    found = merged_after(before.parts, before.backends, parts)
    made = Endpoints(found, [problem for each in counted for problem in each.problems], parts)
    memo.keep("counted", node, {"made": made})
    return made


def _withheld(batches: list[Batch], gate: Gate) -> list[Batch]:
    """The candidates with what the node itself says against them, which goes before their own reasons."""
    if gate.everything == gate.services == OPEN:
        return batches
    return [batch([_held_back(candidate, gate) for candidate in each.candidates]) for each in batches]


def _held_back(candidate: Candidate, gate: Gate) -> Candidate:
    verdict = gate.everything
    if verdict == OPEN and candidate.source is Source.SERVICE:
        verdict = gate.services
    return candidate if verdict == OPEN else replace(candidate, reason=verdict[0], detail=verdict[1])


def _interface_candidates(
    config: NodeConfig | None, interfaces: Mapping[str, Sequence[IPAddress]] | None
) -> Iterator[Candidate]:
    """The addresses of the interfaces that are advertised by name."""
    names = {a.interface: None for a in _advertisements(config) if a.source is Source.INTERFACE}
    for name in names:
        origin = f"Interface {name}"
        made = [host_prefix(str(address)) for address in usable((interfaces or {}).get(name, ()))]
        for prefix in made:
            why = f"interface {name} has this address"
            yield Candidate(origin, None, prefix, {}, "", why, Source.INTERFACE, interface=name)
        if not made:
            if interfaces is None:
                why = f"the addresses of interface {name} are not known here"
            else:
                what = "has no usable address" if name in interfaces else "is not up on this node"
                why = f"interface {name} {what}"
            yield Candidate(
                origin, None, None, {}, NO_INTERFACE_ADDRESS, why, Source.INTERFACE, interface=name
            )


def _pods(
    config: NodeConfig | None, node: Document, objects: ClusterObjects, problems: list[str]
) -> Iterator[Candidate]:
    """The CIDRs of the node's pods: its own, and those from pools."""
    yield from pod_cidrs(node, objects.cilium_node, problems)
    advertised = [a.selector for a in _advertisements(config) if a.source is Source.POD_POOL and a.selector]
    yield from pool_cidrs(objects.cilium_node, objects.pod_pools, advertised, problems)


def _kinds(config: NodeConfig | None) -> tuple[AddressType, ...]:
    """LoadBalancer and external addresses are always worth a reason; every Service has a ClusterIP, so those
    are looked at only where they are advertised."""
    wanted = {AddressType.LOAD_BALANCER, AddressType.EXTERNAL}
    wanted.update(kind for advertisement in _advertisements(config) for kind in advertisement.addresses)
    return tuple(kind for kind in AddressType if kind in wanted)


def _advertisements(config: NodeConfig | None) -> Iterator[Advertisement]:
    for instance in config.instances if config else ():
        for peer in instance.peers:
            for family in peer.families:
                yield from family.advertisements


def _intent(
    world: _World,
    in_force: _InForce,
    around: Surroundings,
    problems: Sequence[str],
    memo: Memo,
) -> Intent:
    assert in_force.config is not None, "asked only where something is in force"
    peers = sessions(in_force.config, around, world.problems)
    addresses = tuple(internal_ips(around.node))
    hops = [(config, next_hops_of(peer, addresses, around.next_hops)) for config, peer in peers]
    routes = compile_routes(hops, world.batches, world.pools, memo)
    for peer_config, _ in peers:
        world.problems += [
            f"warning: peer {peer_config.name}: {s}" for s in world.pools.undecidable(peer_config.rules)
        ]
    return Intent(
        node=world.name,
        selected=True,
        policy=in_force.config.owner,
        peers=tuple(peer for _, peer in peers),
        routes=routes.tables,
        absent=routes.absent,
        problems=_unique(problems, world.problems),
        stale=in_force.stale,
        opened=world.gate.opened,
        config=in_force.config,
    )


def _unique(*groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for group in groups for line in group))

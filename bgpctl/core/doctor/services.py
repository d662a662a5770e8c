"""Rules about Services: who announces their addresses, who answers for them, where addresses come from."""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.doctor.facts import Facts, PoolFacts, Reach
from bgpctl.core.doctor.finding import Finding, Rule, Said, Severity
from bgpctl.core.intent.services import LOAD_BALANCER_CLASS
from bgpctl.core.model import IPAddress
from bgpctl.core.policy.nodeconfig import AddressType
from bgpctl.core.reading.addresses import parse_address

FULL = 0.9
ENOUGH_NODES = 2


def _where(reach: Reach) -> str:
    return f"{', '.join(reach.owners)} {reach.prefix.network_address}"


def _describe(reach: Reach) -> str:
    namespace, _, name = reach.owners[0].removeprefix("Service ").partition("/")
    return f"kubectl -n {namespace} describe service {name}"


def one_next_hop(facts: Facts) -> Iterator[Said]:
    """An address whose traffic policy is Cluster is announced by one node only.

    Every node could answer for it. When that one restarts, fails or is drained, nobody does, and a drain of
    it is refused.
    """
    for reach in facts.reaches or ():
        if not reach.local and reach.announcers == 1 and len(facts.nodes) >= ENOUGH_NODES:
            fix = "let the policy select a second node: kubectl label node NODE enable-bgp=true"
            yield Finding(_where(reach), f"only {reach.only} announces it", fix, reach.only)


def local_on_one_node(facts: Facts) -> Iterator[Said]:
    """An address whose traffic policy is Local is announced by one node: all of its endpoints are there, or
    the other nodes that have some announce nothing.

    That node is the only way to it: its restart or its drain takes the address away until pods run elsewhere.
    """
    for reach in facts.reaches or ():
        if reach.local and reach.announcers == 1 and len(facts.nodes) >= ENOUGH_NODES:
            why = f"its traffic policy is Local, and only {reach.only} has endpoints"
            fix = "more replicas, with a topologySpreadConstraint over kubernetes.io/hostname"
            if reach.idle:
                nodes = f"{reach.idle + 1} nodes with endpoints"
                why = f"its traffic policy is Local, and of {nodes} only {reach.only} announces it"
                fix = f"bgpctl explain {reach.prefix}"
            yield Finding(_where(reach), why, fix, reach.only)


def local_nowhere(facts: Facts) -> Iterator[Said]:
    """An address whose traffic policy is Local has endpoints, and none on a node that announces.

    Nobody announces it: its pods run where no policy selects the node, or where the speaker is down.
    """
    for reach in facts.reaches or ():
        if reach.local and reach.announcers == 0 and reach.endpoints:
            why = "its traffic policy is Local, and no node that announces has one of its endpoints"
            yield Finding(_where(reach), why, _describe(reach))


def no_endpoints(facts: Facts) -> Iterator[Said]:
    """An address is announced, and no endpoint can take traffic.

    Nodes answer with a reset or not at all. Cilium and our speaker announce such an address all the same, as
    the guide says, unless the speaker runs with --withdraw-without-endpoints.
    """
    for reach in facts.reaches or ():
        if not reach.local and reach.announcers and not reach.endpoints:
            yield Finding(
                _where(reach), "it is announced, and has no endpoint that is ready", _describe(reach)
            )


def service_pending(facts: Facts) -> Iterator[Said]:
    """A LoadBalancer Service has no address.

    No pool is for it, the pools are full, or nobody allocates. It is announced nowhere. Services of another
    load balancer's class are not meant.
    """
    for service in facts.services or ():
        if service.pending and service.load_balancer_class in (None, LOAD_BALANCER_CLASS):
            namespace, name = service.key
            fix = f"kubectl -n {namespace} describe service {name}"
            yield Finding(f"Service {namespace}/{name}", service.pending, fix)


# --- pools --------------------------------------------------------------------------------------------------


def _edit(pool: PoolFacts) -> str:
    return f"kubectl edit ciliumloadbalancerippool {pool.name}"


def _called(pool: PoolFacts) -> str:
    return f"CiliumLoadBalancerIPPool {pool.name}"


def pool_unreadable(facts: Facts) -> Iterator[Said]:
    """A pool cannot be read: nothing is allocated from it."""
    for pool in facts.pools or ():
        if pool.problem:
            yield Finding(_called(pool), pool.problem, _edit(pool))


def pool_overlaps(facts: Facts) -> Iterator[Said]:
    """Two pools share addresses.

    Cilium gives the second one the condition cilium.io/PoolConflict and allocates nothing from it; other
    allocators give one address to two Services.
    """
    blocks = sorted(
        (
            (first.version, int(first), int(last), pool)
            for pool in facts.pools or ()
            if not pool.disabled
            for first, last in pool.blocks
        ),
        key=lambda block: block[:3],
    )
    # Of those before it the one that ends last: a long block overlaps more than the one that follows it.
    longest: tuple[int, int, PoolFacts | None] = (0, 0, None)
    for version, begin, end, pool in blocks:
        known, until, other = longest
        if other and other is not pool and version == known and begin <= until:
            yield Finding(_called(pool), f"it shares addresses with {other.name}", _edit(pool))
        longest = max(longest, (version, end, pool), key=lambda block: block[:2])


def pool_conflict(facts: Facts) -> Iterator[Said]:
    """Cilium says of a pool that it conflicts with another one (condition cilium.io/PoolConflict)."""
    for pool in facts.pools or ():
        if pool.conflict:
            yield Finding(
                _called(pool), "Cilium allocates nothing from it: cilium.io/PoolConflict", _edit(pool)
            )


def pool_empty(facts: Facts) -> Iterator[Said]:
    """A pool has no block, or every address of it is in use.

    The next Service that is for it stays without an address.
    """
    for pool in facts.pools or ():
        if pool.disabled or pool.problem or pool.used < pool.size:
            continue
        why = "it has no block" if not pool.blocks else f"all of its {pool.size} addresses are in use"
        yield Finding(_called(pool), why, _edit(pool))


def pool_nearly_empty(facts: Facts) -> Iterator[Said]:
    """Nine tenths or more of a pool are in use."""
    for pool in facts.pools or ():
        if not pool.disabled and pool.size > pool.used >= FULL * pool.size:
            yield Finding(_called(pool), f"{pool.used} of its {pool.size} addresses are in use", _edit(pool))


def pool_disabled(facts: Facts) -> Iterator[Said]:
    """A pool is disabled, and Services have addresses of it.

    They keep them (and are announced); one that is deleted and made again gets none.
    """
    for pool in facts.pools or ():
        if pool.disabled and pool.used:
            yield Finding(
                _called(pool), f"it is disabled, and {pool.used} of its addresses are in use", _edit(pool)
            )


def address_in_no_pool(facts: Facts) -> Iterator[Said]:
    """A LoadBalancer address is in none of the pools.

    A pool was made smaller, or somebody set the address by hand: the allocator may take it away at its next
    restart.
    """
    pools = facts.pools or ()
    if not pools or any(pool.problem for pool in pools):
        return
    blocks = [block for pool in pools for block in pool.blocks]
    for service in facts.services or ():
        if service.load_balancer_class not in (None, LOAD_BALANCER_CLASS):
            continue
        namespace, name = service.key
        for text in dict(service.texts).get(AddressType.LOAD_BALANCER, ()):
            address = address_of(text)
            if address is not None and not any(_in(address, block) for block in blocks):
                fix = f"kubectl -n {namespace} describe service {name}"
                yield Finding(f"Service {namespace}/{name}", f"{text} is in no pool", fix)


def address_of(text: str) -> IPAddress | None:
    """None for what is no address."""
    try:
        return parse_address(text)
    except ValueError:
        return None


def _in(address: IPAddress, block: tuple[IPAddress, IPAddress]) -> bool:
    first, last = block
    return address.version == first.version and int(first) <= int(address) <= int(last)


RULES = (
    Rule("one-next-hop", Severity.WARNING, one_next_hop, ("reaches",)),
    Rule("local-on-one-node", Severity.WARNING, local_on_one_node, ("reaches",)),
    Rule("local-nowhere", Severity.ERROR, local_nowhere, ("reaches",)),
    Rule("announced-without-endpoints", Severity.WARNING, no_endpoints, ("reaches",)),
    Rule("service-without-address", Severity.WARNING, service_pending, ("services",)),
    Rule("pool-unreadable", Severity.ERROR, pool_unreadable, ("pools",)),
    Rule("pool-overlaps", Severity.ERROR, pool_overlaps, ("pools",)),
    Rule("pool-conflict", Severity.ERROR, pool_conflict, ("pools",)),
    Rule("pool-empty", Severity.ERROR, pool_empty, ("pools",)),
    Rule("pool-nearly-empty", Severity.WARNING, pool_nearly_empty, ("pools",)),
    Rule("pool-disabled", Severity.NOTE, pool_disabled, ("pools",)),
    Rule("address-in-no-pool", Severity.WARNING, address_in_no_pool, ("services", "pools")),
)

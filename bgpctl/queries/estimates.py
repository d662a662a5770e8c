"""`node estimate`: per peer of a node and per event, how long the router may keep its routes, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bgpctl.core.drain.restart import STAYING
from bgpctl.core.reading.documents import name_of
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.timing.nbit import advice
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, Profile
from bgpctl.core.timing.withdrawal import Close, Estimate, Event, PeerFacts, estimate, facts_from_state
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.runbooks import cluster, whose
from bgpctl.runbooks.journal import load
from bgpctl.runbooks.objects import no_such_node

EVENTS = (Event.DESELECT, Event.RESTART, Event.CRASH, Event.POWER_OFF, Event.LINK_DOWN)


def node_estimates(
    client: Client, node: str, profiles: Mapping[str, Profile], provider: Provider | None = None
) -> tuple[Estimate, ...]:
    """Every peer times every event: from the negotiated values where a session told them, else from the
    policy. Raises UsageError for a node or a profile's peer that does not exist, BgpctlError when it has no
    peer."""
    document = client.find(paths.node(node))
    if document is None:
        raise no_such_node(node)
    known = peers_of(provider or whose.provider(client, node), document)
    facts = known.peers
    refuse_strangers("--peer-profile", [node], profiles, [fact.address for fact in facts])
    by_address: dict[str, list[PeerFacts]] = {}
    for fact in facts:
        by_address.setdefault(fact.address, []).append(fact)
    return tuple(
        max((_estimate(event, fact, profile, known) for fact in of_one), key=lambda one: one.worst)
        for address, of_one in by_address.items()
        for profile in (profiles.get(address, UNKNOWN_ROUTER),)
        for event in EVENTS
    )


def refuse_strangers(flag: str, nodes: Sequence[str], named: Iterable[str], addresses: Sequence[str]) -> None:
    """Raises UsageError for an address that a flag names and none of the nodes peers with."""
    if nobody := sorted(set(named) - set(addresses)):
        has, whose_peers = f"{nodes[0]} has no such peer", "its peers are"
        if len(nodes) > 1:
            has, whose_peers = "none of these nodes has such a peer", "their peers are"
        known = f"{whose_peers} {', '.join(dict.fromkeys(addresses))}"
        raise UsageError(
            f"{flag} {', '.join(nobody)}: {has}", known if addresses else "no policy gives it any"
        )


@dataclass(frozen=True, slots=True)
class Known:
    """A node's peers, and what its speaker said of each (None = only the policy tells of it); for how long a
    leave soaks (only while a session is up), and how its sessions end when it is made to leave (None = as our
    speaker's do)."""

    peers: tuple[PeerFacts, ...]
    told: tuple[PeerState | None, ...]
    soak: float = 0.0
    close: Close | None = None


def _estimate(event: Event, facts: PeerFacts, profile: Profile, known: Known) -> Estimate:
    close = known.close if event is Event.DESELECT else None
    found = estimate(event, facts, profile, close=close, soak=known.soak)
    note = advice(facts, profile) if event is Event.POWER_OFF else ""
    return replace(found, why=f"{found.why} {note}") if note else found


def peers_of(provider: Provider, document: cluster.Document) -> Known:
    """The peers of a Node: as negotiated where a session told, else as its policy has them. Raises
    BgpctlError where it has none, Blocked where what its speaker published cannot be read."""
    node = name_of(document)
    told = provider.state(node) or NodeState(node)
    close = provider.lever(document).close
    if told.peers:
        return reported(told, close)
    facts = cluster.policy_facts(provider, document, load(document["metadata"].get("annotations")))
    if not facts:
        raise BgpctlError(
            f"node {node} has no BGP peer: no policy selects it",
            "see `bgpctl peers status` and `kubectl get ciliumbgppeeringpolicies`",
        )
    return Known(facts, (None,) * len(facts), close=close)


def reported(told: NodeState, close: Close | None) -> Known:
    """The peers that a speaker told of."""
    stays = told.engine_mode in STAYING
    # What a router negotiated with a session that was not withdrawn it still keeps. A session that is down is
    # among both; then the one that tells what was announced counts.
    lost = set(map(facts_from_state, told.unwithdrawn))
    there = (one for one in told.peers if one.session.established or facts_from_state(one) not in lost)
    kept = (*there, *told.unwithdrawn)
    peers = tuple(replace(facts_from_state(peer), engine_stays=stays) for peer in kept)
    return Known(peers, kept, told.soak if told.established else 0.0, close)

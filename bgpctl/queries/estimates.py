"""`node estimate`: per peer of a node and per event, how long the router may keep its routes, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bgpctl.core.drain.restart import STAYING
from bgpctl.core.state import NodeState
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
    known = _facts(client, provider or whose.provider(client, node), node)
    facts = known.peers
    if not facts:
        raise BgpctlError(
            f"node {node} has no BGP peer: no policy selects it",
            "see `bgpctl peers status` and `kubectl get ciliumbgppeeringpolicies`",
        )
    _refuse_strangers(node, profiles, [fact.address for fact in facts])
    by_address: dict[str, list[PeerFacts]] = {}
    for fact in facts:
        by_address.setdefault(fact.address, []).append(fact)
    return tuple(
        max((_estimate(event, fact, profile, known) for fact in of_one), key=lambda one: one.worst)
        for address, of_one in by_address.items()
        for profile in (profiles.get(address, UNKNOWN_ROUTER),)
        for event in EVENTS
    )


def _refuse_strangers(node: str, profiles: Mapping[str, Profile], addresses: Sequence[str]) -> None:
    if nobody := sorted(set(profiles) - set(addresses)):
        raise UsageError(
            f"--peer-profile {', '.join(nobody)}: {node} has no such peer",
            f"its peers are {', '.join(addresses)}" if addresses else "no policy gives it any",
        )


@dataclass(frozen=True, slots=True)
class _Facts:
    """The node's peers, for how long a leave soaks (only while a session is up), and how its sessions end
    when it is made to leave (None = as our speaker's do)."""

    peers: tuple[PeerFacts, ...]
    soak: float = 0.0
    close: Close | None = None


def _estimate(event: Event, facts: PeerFacts, profile: Profile, known: _Facts) -> Estimate:
    close = known.close if event is Event.DESELECT else None
    found = estimate(event, facts, profile, close=close, soak=known.soak)
    note = advice(facts, profile) if event is Event.POWER_OFF else ""
    return replace(found, why=f"{found.why} {note}") if note else found


def _facts(client: Client, provider: Provider, node: str) -> _Facts:
    document = client.find(paths.node(node))
    if document is None:
        raise no_such_node(node)
    told = provider.state(node) or NodeState(node)
    close = provider.lever(document).close
    if not told.peers:
        journal = load(document["metadata"].get("annotations"))
        return _Facts(cluster.policy_facts(provider, document, journal), close=close)
    stays = told.engine_mode in STAYING
    # What a router negotiated with a session that was not withdrawn it still keeps.
    kept = (*told.peers, *told.unwithdrawn)
    peers = tuple(replace(facts_from_state(peer), engine_stays=stays) for peer in kept)
    return _Facts(peers, told.soak if told.established else 0.0, close)

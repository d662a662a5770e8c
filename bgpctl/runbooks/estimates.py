"""`node estimate`: per peer of a node and per event, how long the router may keep its routes, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bgpctl.core.nodestate import from_document
from bgpctl.core.profiles import UNKNOWN_ROUTER, Profile
from bgpctl.core.restart import STAYING
from bgpctl.core.withdrawal import Estimate, Event, PeerFacts, estimate, facts_from_state
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.runbooks import cluster
from bgpctl.runbooks.journal import load

EVENTS = (Event.DESELECT, Event.RESTART, Event.CRASH, Event.POWER_OFF, Event.LINK_DOWN)


def node_estimates(client: Client, node: str, profiles: Mapping[str, Profile]) -> tuple[Estimate, ...]:
    """Every peer times every event: from the negotiated values where a session told them, else from the
    policy. Raises UsageError for a node that does not exist, BgpctlError when it has no peer."""
    facts = _facts(client, node)
    if not facts:
        raise BgpctlError(
            f"node {node} has no BGP peer: no policy selects it",
            "see `bgpctl peers status` and `kubectl get ciliumbgppeeringpolicies`",
        )
    return tuple(
        estimate(event, fact, profiles.get(fact.address, UNKNOWN_ROUTER))
        for fact in facts
        for event in EVENTS
    )


def _facts(client: Client, node: str) -> tuple[PeerFacts, ...]:
    document = client.find(paths.node(node))
    if document is None:
        raise UsageError(f"node {node} does not exist", "see `kubectl get nodes`")
    state = client.find(paths.node_state(node))
    seen = from_document(state) if state else None
    if seen and seen.peers:
        stays = seen.engine_mode in STAYING
        return tuple(replace(facts_from_state(peer), engine_stays=stays) for peer in seen.peers)
    return cluster.policy_facts(client, document, load(document["metadata"].get("annotations")))

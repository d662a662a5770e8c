"""Where a setting of a peer is written, in the resources that the node runs by. Pure."""

from __future__ import annotations

from bgpctl.core.doctor.facts import Facts
from bgpctl.core.policy.peering import KIND as POLICY
from bgpctl.core.policy.v2.cluster import KIND as CLUSTER_CONFIG
from bgpctl.core.policy.v2.cluster import ClusterConfig
from bgpctl.core.policy.v2.peer import KIND as PEER_CONFIG
from bgpctl.core.state import NodeState, PeerState

NEIGHBOR = "spec.virtualRouters[].neighbors[]"

# What it is called: in a CiliumBGPPeeringPolicy's neighbor, in a CiliumBGPPeerConfig, elsewhere.
FIELDS = {
    "hold": ("holdTimeSeconds", "spec.timers.holdTimeSeconds", "hold time"),
    "keepalive": ("keepAliveTimeSeconds", "spec.timers.keepAliveTimeSeconds", "keepalive time"),
    "restart": (
        "gracefulRestart.restartTimeSeconds",
        "spec.gracefulRestart.restartTimeSeconds",
        "Restart Time",
    ),
    "graceful": ("gracefulRestart.enabled", "spec.gracefulRestart.enabled", "graceful restart"),
    "ttl": ("eBGPMultihopTTL", "spec.ebgpMultihop", "multihop TTL"),
    "password": ("authSecretRef", "spec.authSecretRef", "password"),
}


def change(facts: Facts, state: NodeState, peer: PeerState, setting: str, value: str) -> str:
    """How to give a setting of `FIELDS` this value, as one line: the field, its value, and the object."""
    old, new, word = FIELDS[setting]
    if state.selected_by_kind == POLICY:
        return f"set {NEIGHBOR}.{old}: {value} in {POLICY} {state.selected_by}"
    if state.selected_by_kind == CLUSTER_CONFIG:
        return f"set {new}: {value} in {PEER_CONFIG} {_peer_config(facts, state, peer)}"
    where = f" in {state.selected_by_kind} {state.selected_by}" if state.selected_by_kind else ""
    return f"set the {word} of this peer to {value}{where}"


def _peer_config(facts: Facts, state: NodeState, peer: PeerState) -> str:
    """The name of the one that the peer refers to, as far as it can be told."""
    for claim in facts.claims or ():
        if claim.name == state.selected_by and isinstance(claim.value, ClusterConfig):
            for instance in claim.value.instances:
                for one in instance.peers:
                    if f"{instance.name}/{one.name}" == peer.name and one.config:
                        return one.config
    return f"of the peer {peer.name}"

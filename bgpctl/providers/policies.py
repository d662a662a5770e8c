"""The Cilium BGP resources as somebody outside the nodes reads them: what each node should announce, and what
selects it. Our own speaker runs by them, and so does Cilium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bgpctl.core.drain.deselection import deselecting_label
from bgpctl.core.drain.lever import Lever
from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.endpoints import read_shared
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.intent.services import read_service
from bgpctl.core.policy.owners import read_claims
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.optional import optional, permitted, served

Selectors = Mapping[str, LabelSelector | None]


def read_fleet(client: Client) -> tuple[Fleet, bool]:
    """Every object that decides what nodes announce; whether the API server knows a kind of policy that
    selects nodes."""
    policies, known = read_policies(client)
    services, _ = client.read_list(paths.SERVICES, {}, read_service)
    slices, _ = client.read_list(paths.ENDPOINT_SLICES, paths.BALANCED_SLICES, read_shared)
    cilium_nodes = permitted(client, paths.CILIUM_NODES) or ()
    return Fleet(policies, services, slices, {name_of(each): each for each in cilium_nodes}), known


def read_policies(client: Client) -> tuple[ClusterObjects, bool]:
    """Every object that tells nodes what to run, as seen by somebody who is on none of them: a CLI may not
    read Secrets and knows neither interfaces nor routes there; peers that need them count all the same.
    Whether the API server knows a kind of them that selects nodes."""
    peering, configs = served(client, paths.PEERING_POLICIES), served(client, *paths.CLUSTER_CONFIGS)
    found = ClusterObjects(
        policies=peering or (),
        cluster_configs=configs or (),
        peer_configs=optional(client, *paths.PEER_CONFIGS),
        advertisements=optional(client, *paths.ADVERTISEMENTS),
        overrides=optional(client, *paths.OVERRIDES),
        pod_pools=permitted(client, paths.POD_POOLS),
        lb_pools=permitted(client, *paths.LB_POOLS) or None,
        secrets=None,
        interfaces=None,
        gateways=None,
    )
    return found, peering is not None or configs is not None


def read_selectors(client: Client) -> tuple[Selectors, bool]:
    """What selects nodes, and nothing else; whether the API server knows a kind of policy that does."""
    policies, configs = served(client, paths.PEERING_POLICIES), served(client, *paths.CLUSTER_CONFIGS)
    return selectors(policies or (), configs or ()), policies is not None or configs is not None


def selectors(policies: Sequence[Mapping[str, Any]], configs: Sequence[Mapping[str, Any]]) -> Selectors:
    """By the objects' names; where two kinds share one, the second by its kind too. A selector that cannot be
    applied selects nothing."""
    found: dict[str, LabelSelector | None] = {}
    for claim in read_claims(policies, configs):
        if claim.node_selector_valid:
            found[str(claim.owner) if claim.name in found else claim.name] = claim.node_selector
    return found


def label_lever(selecting: Selectors, node: Mapping[str, Any], override: str | None) -> Lever:
    """The guide's lever: the label that the policies select by."""
    return deselecting_label(selecting, (node.get("metadata") or {}).get("labels") or {}, override)

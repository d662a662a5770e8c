"""Does Cilium's agent on a node speak BGP by a CiliumBGPPeeringPolicy (v1, up to 1.18)?

Our own speaker runs by the same kind, and Cilium writes nothing about a node that has none but this. So the
policy tells nothing by itself, nor does a CiliumNode: our speaker beside Cilium's network is the common case.
What tells the two apart is the configuration of Cilium's agents: without `enable-bgp-control-plane` they obey
no policy, from 1.19 on none of this kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bgpctl.core.cilium import policies
from bgpctl.core.handover import Neighbour
from bgpctl.core.policy.peering import KIND
from bgpctl.core.reading.documents import labels_of, namespace_of
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.optional import optional
from bgpctl.providers.asking import on_host
from bgpctl.providers.cilium_agent import CONTAINER, SELECTOR

ENABLED = "enable-bgp-control-plane"
ENDS = (
    "It runs by the same policies as this one, so no drain hands the node over: set "
    f"{ENABLED} to false in the ConfigMap {{where}} and restart Cilium's agents"
)
FIRST_WITHOUT = (1, 19)
_VERSION = re.compile(r":v?(\d{1,4})\.(\d{1,4})")


def neighbour(client: Client, node: str) -> Neighbour | None:
    """None: it does not. Raises BgpctlError where that cannot be seen."""
    if client.find(f"{paths.CILIUM_NODES}/{paths.named(node)}") is None:
        return None
    there = policies.pairs(optional(client, paths.PEERING_POLICIES))
    labels = labels_of(client.find(paths.node(node)) or {}) if there else {}
    mine = next((pair for pair in there if pair.selects(labels) or pair.has_out(labels)), None)
    pod = _agent(client, node) if mine else None
    if mine is None or pod is None or _too_new(pod):
        return None
    where = namespace_of(pod), "cilium-config"
    if not _enabled(client.find(paths.config_map(*where)) or {}):
        return None
    sign = f"which {KIND} {mine.name} selects"
    return Neighbour("cilium", "Cilium", sign, ends=ENDS.format(where="/".join(where)))


def _agent(client: Client, node: str) -> Mapping[str, Any] | None:
    """The pod of a node's agent, else of any: it may just be replaced."""
    for query in ({"fieldSelector": f"spec.nodeName={node}"}, {}):
        pods = client.items(paths.PODS, labelSelector=SELECTOR, **query)
        if found := next(filter(on_host, pods), None):
            return found
    return None


def _enabled(config: Mapping[str, Any]) -> bool:
    """Does Cilium's own configuration say so? One that is none says nothing."""
    try:
        return Foreign.of(config).child("data").text(ENABLED) == "true"
    except Unreadable:
        return False


def _too_new(pod: Mapping[str, Any]) -> bool:
    """Is the agent of a version that does not know the kind? One that is not told may."""
    try:
        containers = Foreign.of(pod).child("spec").children("containers", 100)
        images = [one.text("image") for one in containers if one.text("name") == CONTAINER]
    except Unreadable:
        return False
    version = _VERSION.search(images[0].partition("@")[0]) if images else None
    return version is not None and (int(version[1]), int(version[2])) >= FIRST_WITHOUT

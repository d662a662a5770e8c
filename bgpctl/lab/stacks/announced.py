"""What a node of any stack of the lab should announce: its PodCIDRs, and the addresses of the Services that
carry the lab's label. Written apart from the product's own compiler, so that one can be held against the
other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.spec import Site
from bgpctl.witness.probe import parse_probe

SERVICE_LABEL = "expose=bgp"


def prefixes(client: Client, node: str) -> tuple[str, ...]:
    """In CIDR notation, sorted. A Service with externalTrafficPolicy Local counts where a ready endpoint of
    it is on the node."""
    found = client.find(paths.node(node)) or {}
    cidrs = (found.get("spec") or {}).get("podCIDRs") or ()
    return tuple(sorted({*cidrs, *_services(client, node)}))


def behind(site: Site) -> dict[str, str]:
    """The nodes of which the router has not these routes and no other, each with a sentence."""
    client, probe = site.client(), parse_probe(site.probe)
    found = {}
    for node in site.nodes:
        wanted = prefixes(client, node.name)
        has = {str(path.prefix) for path in probe.routes_from(node.address).paths}
        if has != set(wanted):
            found[node.name] = f"the router has {len(has)} of its {len(wanted)} routes"
    return found


def _services(client: Client, node: str) -> Iterator[str]:
    for service in client.items(paths.SERVICES, labelSelector=SERVICE_LABEL):
        local = service["spec"].get("externalTrafficPolicy") == "Local"
        if local and not _endpoint_on(client, service, node):
            continue
        balancer = (service.get("status") or {}).get("loadBalancer") or {}
        yield from (f"{one['ip']}/32" for one in balancer.get("ingress") or ())


def _endpoint_on(client: Client, service: dict[str, Any], node: str) -> bool:
    metadata = service["metadata"]
    selector = f"kubernetes.io/service-name={metadata['name']}"
    slices = client.items(paths.ENDPOINT_SLICES, labelSelector=selector)
    mine = (one for one in slices if one["metadata"]["namespace"] == metadata["namespace"])
    endpoints = (endpoint for one in mine for endpoint in one.get("endpoints") or ())
    return any(
        one.get("nodeName") == node and (one.get("conditions") or {}).get("ready") is not False
        for one in endpoints
    )

"""Where a Service may be announced from at all, and by which of its addresses, as Cilium's load balancer has
it: what has no frontend on a node is answered by nobody there.

- Headless, by `clusterIP: None` or by the label of that name: no address at all, not even an external one.
- Annotation `service.cilium.io/node-selector` (a label selector in text), else `service.cilium.io/node` (the
  value of the Node's label of that name): the nodes that have the Service. `service.cilium.io/type`: the one
  type of address that is made for it; external addresses have no type.
- An ingress whose `ipMode` is not VIP is answered outside of the cluster (KEP-1860).
- Services that Cilium's Gateway API and Ingress controllers made are answered by Envoy on every node.

A value that cannot be read is left out and told, as in Cilium. Source: Cilium's `convertService`,
`CheckServiceNodeExposure` and `NewSvcExposureType`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.reading.documents import annotations_of
from bgpctl.core.reading.fields import show
from bgpctl.core.reading.selectors import LabelSelector, parse_selector

HEADLESS_LABEL = "service.kubernetes.io/headless"
NODE_SELECTOR = "service.cilium.io/node-selector"
NODE = "service.cilium.io/node"
TYPE = "service.cilium.io/type"
TYPES = ("ClusterIP", "NodePort", "LoadBalancer")

GATEWAY_LABEL = "io.cilium.gateway/owning-gateway"
INGRESS_LABEL = "cilium.io/ingress"


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a Service says of where it is. `nodes` None = every node; `annotation` is what said otherwise.
    `only` is the one type of address that it has, "" = all. `envoy`: Cilium made it for a Gateway or an
    Ingress."""

    headless: bool = False
    nodes: LabelSelector | None = None
    annotation: str = ""
    only: str = ""
    envoy: bool = False

    def on(self, labels: Mapping[str, str]) -> bool:
        """Is it on a node with these labels?"""
        return self.nodes is None or self.nodes.matches(labels)


EVERYWHERE = Exposure()


def read_exposure(service: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[Exposure, str]:
    """Of a Service document and its labels; the second is a sentence about a value that is ignored, "" = none
    is."""
    annotations = annotations_of(service)
    text = service["spec"].get("clusterIP")
    headless = HEADLESS_LABEL in labels or (isinstance(text, str) and text.lower() == "none")
    envoy = GATEWAY_LABEL in labels or labels.get(INGRESS_LABEL) == "true"
    if not (headless or envoy or NODE_SELECTOR in annotations or NODE in annotations or TYPE in annotations):
        return EVERYWHERE, ""
    nodes, annotation, fault = _nodes(annotations)
    only = annotations.get(TYPE, "")
    if only and only not in TYPES:
        only, fault = "", f"annotation {TYPE}: must be one of {', '.join(TYPES)}; it is {show(only)}"
    return Exposure(headless, nodes, annotation, only, envoy), fault


def _nodes(annotations: Mapping[str, str]) -> tuple[LabelSelector | None, str, str]:
    """The nodes, the annotation in words, and why it is ignored."""
    selector, value = annotations.get(NODE_SELECTOR), annotations.get(NODE)
    if selector is not None:
        try:
            return parse_selector(selector), f"{NODE_SELECTOR}: {show(selector)}", ""
        except ValueError as error:
            return None, "", f"annotation {NODE_SELECTOR}: {error}"
    if value is not None:
        return LabelSelector(((NODE, value),)), f"{NODE}: {show(value)}", ""
    return None, "", ""

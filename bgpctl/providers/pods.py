"""In which pods each stack speaks BGP, which of their containers write about it, and where its metrics are:
one row per provider.

Labels, ports and names as each stack's documentation and chart have them: Cilium's metrics.rst, MetalLB's
prometheus-metrics and charts/metallb/values.yaml, metallb/frr-k8s charts/frr-k8s/values.yaml, kube-router's
docs/metrics.md. Calico's open-source edition has no BGP metrics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core import kube_router, metallb
from bgpctl.core.calico import bird
from bgpctl.core.frr_k8s import told
from bgpctl.core.reading.documents import annotations_of
from bgpctl.providers import SPEAKER_PODS
from bgpctl.providers.asking import on_host
from bgpctl.providers.cilium_agent import CONTAINER as CILIUM_AGENT
from bgpctl.providers.cilium_agent import SELECTOR as CILIUM_PODS

CONTROL_PLANE = "cilium_bgp_control_plane_"
PORT, SCHEME = "prometheus.io/port", "prometheus.io/scheme"
_DECLARED = {"metrics", "monitoring", "prometheus", "frrmetrics", "metricshttps", "frrmetricshttps"}

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a pod serves metrics. `port` 0 = it does not say."""

    port: int
    https: bool = False


@dataclass(frozen=True, slots=True)
class Pods:
    """`selectors`: one for each way to install it. `logs`: the containers that write about BGP, () = all.
    `metrics`: those that serve metrics, each with its documented port; 0 = off unless somebody turned it on.
    `prefixes`: how the names of its BGP metrics begin; the first is the one that goes without saying.
    `chosen`: somebody named the labels, and means whatever has them."""

    selectors: tuple[str, ...]
    logs: tuple[str, ...] = ()
    metrics: tuple[tuple[str, int], ...] = ()
    prefixes: tuple[str, ...] = ()
    chosen: bool = False

    def counts(self, pod: Mapping[str, Any]) -> bool:
        """Is a pod with these labels one of the stack's?"""
        return self.chosen or on_host(pod)


TABLE: Mapping[str, Pods] = {
    "bgpctl": Pods((SPEAKER_PODS,), (), (("", 9180),), (CONTROL_PLANE, "bgpctl_")),
    "cilium": Pods((CILIUM_PODS,), (CILIUM_AGENT,), ((CILIUM_AGENT, 9962),), (CONTROL_PLANE,)),
    "metallb": Pods(
        metallb.SELECTORS,
        (metallb.CONTAINER, told.CONTAINER),
        ((metallb.CONTAINER, 7472), ("frr-metrics", 7473)),
        ("metallb_bgp_",),
    ),
    "frr-k8s": Pods((told.SELECTOR,), (told.CONTAINER,), (("frr-metrics", 7573),), ("frrk8s_bgp_",)),
    "calico": Pods((bird.SELECTOR,), (bird.CONTAINER,)),
    "kube-router": Pods(
        ("k8s-app=kube-router",),
        (kube_router.CONTAINER,),
        ((kube_router.CONTAINER, 0),),
        ("kube_router_bgp_", "kube_router_controller_bgp_"),
    ),
}


def endpoints(pods: Pods, pod: Document) -> Iterator[Endpoint]:
    """Those of one pod: by its annotation, which tells of its first container only; by a port that the
    container declares for them; else the documented one."""
    declared = dict(_containers(pod))
    notes = annotations_of(pod)
    for place, (container, port) in enumerate(pods.metrics):
        if container and container not in declared:
            continue
        if place == 0 and (noted := _number(notes.get(PORT))):
            yield Endpoint(noted, notes.get(SCHEME) == "https")
        else:
            yield next(_ports(declared.get(container)), Endpoint(port))


def _containers(pod: Document) -> Iterator[tuple[str, Document]]:
    spec = pod.get("spec")
    listed = spec.get("containers") if isinstance(spec, Mapping) else None
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("name"), str):
            yield one["name"], one


def _ports(container: Document | None) -> Iterator[Endpoint]:
    listed = container.get("ports") if container else None
    for one in listed if isinstance(listed, list) else ():
        name = one.get("name") if isinstance(one, Mapping) else None
        if isinstance(name, str) and name in _DECLARED and (port := _number(one.get("containerPort"))):
            yield Endpoint(port, name.endswith("https"))


def _number(value: object) -> int:
    """A port's number, 0 = it is none."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536 else 0

"""The cluster of a cell as documents: two nodes, a policy for each, and Services that both announce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION
from bgpctl.core.shutdown import SHUTTING_DOWN
from bgpctl.lab import seed
from bgpctl.lab.traffic.network import Host
from tests.matrix.cells import HOLD_SECONDS, KEEPALIVE_SECONDS, RESTART_SECONDS, Graceful
from tests.support import objects

NODE, OTHER = "worker-1", "worker-2"
NODE_ASN = {NODE: 65001, OTHER: 65002}
ROUTER_ASN, PORT = 65000, 1790
COMMUNITY, NEW_COMMUNITY = "65001:100", "65001:200"

Document = dict[str, Any]
_NUMBERS = {NODE: 1, OTHER: 2}
_SERVICES = ("a", "b", "c", "d")


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one node, as far as cells edit it. It announces the PodCIDR, with `community`, and the
    addresses of these Services."""

    node: str
    graceful: Graceful
    services: tuple[str, ...] = ("a", "b", "c")
    community: str = COMMUNITY
    hold: int = HOLD_SECONDS

    @property
    def prefixes(self) -> frozenset[str]:
        return frozenset((pod_cidr(self.node), *(f"{address(name)}/32" for name in self.services)))

    def document(self, router: str) -> Document:
        neighbor = objects.neighbor(
            f"{router}/32",
            ROUTER_ASN,
            peerPort=PORT,
            holdTimeSeconds=self.hold,
            keepAliveTimeSeconds=KEEPALIVE_SECONDS,
            connectRetryTimeSeconds=1,
            gracefulRestart={
                "enabled": self.graceful is not Graceful.OFF,
                "restartTimeSeconds": RESTART_SECONDS,
            },
            families=[{"afi": "ipv4", "safi": "unicast"}],
            advertisedPathAttributes=[
                {"selectorType": "PodCIDR", "communities": {"standard": [self.community]}}
            ],
        )
        chosen = {"matchExpressions": [{"key": "app", "operator": "In", "values": list(self.services)}]}
        instance = objects.router(neighbor, asn=NODE_ASN[self.node], serviceSelector=chosen)
        selector = {"matchLabels": {seed.LABEL: "true", "kubernetes.io/hostname": self.node}}
        policy = objects.policy(instance, name=f"policy-{self.node}", nodeSelector=selector)
        if self.graceful is Graceful.NOTIFICATION:
            policy["metadata"]["annotations"] = {GRACEFUL_NOTIFICATION: "true"}
        return policy


def pod_cidr(node: str) -> str:
    return f"10.244.{_NUMBERS[node]}.0/24"


def address(service: str) -> str:
    return f"203.0.113.{10 + _SERVICES.index(service)}"


def node(name: str, host: Host, *, selected: bool = True, ready: bool = True) -> Document:
    """One that is not ready is being shut down by its kubelet."""
    labels = {seed.LABEL: "true" if selected else "false", "kubernetes.io/hostname": name}
    condition = {"type": "Ready", "status": "True"}
    if not ready:
        condition |= {"status": "False", "reason": "KubeletNotReady", "message": SHUTTING_DOWN}
    status = {
        "addresses": [{"type": "InternalIP", "address": host.address}],
        "conditions": [condition],
    }
    return objects.node(name, labels, spec={"podCIDRs": [pod_cidr(name)]}, status=status)


def services() -> list[Document]:
    """All of them, also those that no policy announces yet."""
    found = []
    for name in _SERVICES:
        ends = [objects.endpoint(node, ready=True) for node in (NODE, OTHER)]
        found += [
            objects.service(name, address(name), ports=[{"port": 80}]),
            objects.endpoint_slice(name, *ends),
        ]
    return found

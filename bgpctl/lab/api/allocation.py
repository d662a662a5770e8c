"""Cluster addresses and node ports of Services, handed out in order from the usual ranges."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import count

from bgpctl.lab.api.documents import Document

SERVICE_RANGE = IPv4Network("10.96.0.0/12")
FIRST_NODE_PORT, NODE_PORTS = 30000, 2768


class ServiceAddresses:
    """One counter each; nothing is reused, which a lab never notices (a million Services fit)."""

    def __init__(self) -> None:
        self._hosts = count(10)
        self._ports = count()

    def assign(self, service: Document) -> None:
        """Fill in clusterIP(s), nodePorts and the health check port of a Service that has none, in place."""
        spec = service["spec"]
        if spec.get("type") == "ExternalName":
            return
        if not spec.get("clusterIP"):
            spec["clusterIP"] = str(SERVICE_RANGE[next(self._hosts)])
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        if spec.get("type") not in {"LoadBalancer", "NodePort"}:
            return
        if spec.get("allocateLoadBalancerNodePorts", True):
            for port in spec.get("ports") or ():
                port.setdefault("nodePort", self._port())
        if spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
            spec.setdefault("healthCheckNodePort", self._port())

    def _port(self) -> int:
        return FIRST_NODE_PORT + next(self._ports) % NODE_PORTS

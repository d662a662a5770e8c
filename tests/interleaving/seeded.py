"""The cluster that every interleaving begins with: made once for each process, copied for each
interleaving."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.support import direct, objects
from tests.support.kinds import KINDS

NODE, OTHER = "worker-1", "worker-2"
LABEL = "enable-bgp"
ROUTER, SECOND = "192.0.2.1", "192.0.2.2"
POLICY = "/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies/policy"
VIP, CIDR = "203.0.113.10/32", "10.244.1.0/24"
GRACE = 2  # seconds that a pod takes to end
HOLD_SECONDS, RESTART_SECONDS = 3, 3
Document = dict[str, Any]


@cache
def api() -> direct.Api:
    return seed(direct.Api())


def seed(api: direct.Api) -> direct.Api:
    made = api.server
    made.apply(*KINDS)
    made.apply(*(node(name) for name in (NODE, OTHER)))
    made.apply(policy(ROUTER), objects.service("web", "203.0.113.10", ports=[{"port": 80}]))
    made.apply(
        objects.endpoint_slice("web", objects.endpoint(NODE, ready=True), objects.endpoint(OTHER, ready=True))
    )
    made.apply(daemonset())
    made.apply(pod("web-0"), pod("web-1"), pod("agent-0", kind="DaemonSet", owner="agent"))
    return api


def node(name: str, **spec: Any) -> Document:
    number = name.rpartition("-")[2]
    ready = [{"type": "Ready", "status": "True"}]
    addresses = [{"type": "InternalIP", "address": f"192.0.2.1{number}"}]
    return objects.node(
        name,
        spec={"podCIDRs": [f"10.244.{number}.0/24"], **spec},
        status={"conditions": ready, "addresses": addresses},
    )


def policy(*routers: str) -> Document:
    restart = {"enabled": True, "restartTimeSeconds": RESTART_SECONDS}
    timers = {"holdTimeSeconds": HOLD_SECONDS, "keepAliveTimeSeconds": 1}
    peers = [objects.neighbor(f"{address}/32", gracefulRestart=restart, **timers) for address in routers]
    return objects.policy(objects.router(*peers))


def daemonset() -> Document:
    labels = {"app": "agent"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def pod(name: str, kind: str = "ReplicaSet", owner: str = "web", node: str = NODE) -> Document:
    reference = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": owner,
        "uid": f"u-{owner}",
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "ownerReferences": [reference]},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": GRACE,
            "containers": [{"name": "c", "image": "x"}],
        },
        "status": {"phase": "Running"},
    }

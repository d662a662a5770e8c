"""A whole lab (API, speakers, router) for a test, and the commands that a test runs against it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bgpctl.lab import cluster
from bgpctl.lab.cluster import Lab
from bgpctl.lab.watcher import Watcher
from bgpctl.runbooks.journal import Journal, load
from tests.support.cli import Ran, bgpctl
from tests.support.wait import eventually

Document = dict[str, Any]

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NODES = "/api/v1/nodes"
PODS = "/api/v1/pods"
POLICY = "/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies/rack-1"


@contextlib.contextmanager
def running(router: str = "auto", nodes: int = 3, kubeconfig: Path | None = None) -> Iterator[Lab]:
    """A lab that is ready. Call it in the main thread: children die with the thread that made them."""
    with cluster.running(nodes, router, kubeconfig) as lab:
        yield lab


def watcher(lab: Lab, interval: float = 0.05) -> Watcher:
    """An eye on the lab's router that knows nothing of what bgpctl does."""
    return Watcher(lab.router.probe(), {s.node: s.address for s in lab.speakers}, interval)


def run(lab: Lab, *arguments: str) -> Ran:
    """One bgpctl command against the lab's API, in a process of its own."""
    return bgpctl(*arguments, kubeconfig=lab.kubeconfig)


def run_ok(lab: Lab, *arguments: str) -> Ran:
    """The same, and it must succeed."""
    ran = run(lab, *arguments)
    assert ran.code == 0, f"bgpctl {' '.join(arguments)}: exit {ran.code}\n{ran.out}{ran.err}"
    return ran


def node(lab: Lab, name: str) -> Document:
    return lab.client().get(f"{NODES}/{name}")


def journal(lab: Lab, name: str) -> Journal | None:
    return load(node(lab, name)["metadata"].get("annotations"))


def pods_on(lab: Lab, name: str) -> list[str]:
    """The pods of the node that no DaemonSet owns."""
    found = lab.client().items(PODS, fieldSelector=f"spec.nodeName={name}")
    return [pod["metadata"]["name"] for pod in found if not _of_daemonset(pod)]


def gather_pods(lab: Lab, name: str) -> list[str]:
    """Bring every pod of the Deployments to this node: the others are cordoned meanwhile."""
    others = [other for other in lab.nodes if other != name]
    for other in others:
        _cordon(lab, other, True)
    try:
        for pod in (pod for other in others for pod in pods_on(lab, other)):
            lab.client().delete(f"/api/v1/namespaces/default/pods/{pod}")
        eventually(lambda: _all_ready_on(lab, name), deadline=15, why=f"all pods run on {name}")
    finally:
        for other in others:
            _cordon(lab, other, None)
    return pods_on(lab, name)


def _cordon(lab: Lab, name: str, value: bool | None) -> None:
    lab.client().patch(f"{NODES}/{name}", {"spec": {"unschedulable": value}})


def _all_ready_on(lab: Lab, name: str) -> bool:
    """The Deployments have as many ready pods as they want, all here, and their budgets know it."""
    deployments = lab.client().items("/apis/apps/v1/deployments")
    budgets = lab.client().items("/apis/policy/v1/poddisruptionbudgets")
    wanted = sum(deployment["spec"]["replicas"] for deployment in deployments)
    healthy = all(b["status"]["currentHealthy"] == b["status"]["expectedPods"] for b in budgets)
    return healthy and len(pods_on(lab, name)) == wanted and not _elsewhere(lab, name)


def _elsewhere(lab: Lab, name: str) -> list[str]:
    return [pod for other in lab.nodes if other != name for pod in pods_on(lab, other)]


def _of_daemonset(pod: Document) -> bool:
    return any(owner.get("kind") == "DaemonSet" for owner in pod["metadata"].get("ownerReferences") or ())

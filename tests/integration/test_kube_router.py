"""A cluster whose BGP kube-router runs, by its DaemonSet alone: what only looks works, and a drain
says what it cannot do before it changes anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.kube import paths
from bgpctl.lab.api import ApiServer
from tests.support import apiserver, clients, objects
from tests.support.cli import inside

pytestmark = pytest.mark.integration

READY = {"conditions": [{"type": "Ready", "status": "True"}]}
ARGUMENTS = [
    "--run-router=true",
    "--peer-router-ips=192.0.2.1",
    "--peer-router-asns=65000",
    "--bgp-graceful-restart=true",
]


def daemonset() -> dict[str, Any]:
    image = "docker.io/cloudnativelabs/kube-router:v2.11.1"
    container = {"name": "kube-router", "image": image, "args": ARGUMENTS}
    labels = {"k8s-app": "kube-router"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "kube-router", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"hostNetwork": True, "containers": [container]},
            },
        },
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ApiServer, Path]]:
    with apiserver.running() as server:
        server.apply(*(objects.node(name, status=READY) for name in ("n1", "n2")), daemonset())
        kubeconfig = tmp_path_factory.mktemp("kube-router") / "kubeconfig"
        kubeconfig.write_text(server.kubeconfig())
        yield server, kubeconfig


def asked(served: tuple[ApiServer, Path], *arguments: str) -> tuple[int, str]:
    return inside(*arguments, kubeconfig=served[1])


def test_what_only_looks(served: tuple[ApiServer, Path]) -> None:
    code, out = asked(served, "providers", "-o", "json")
    (row,) = json.loads(out)["providers"]
    assert (code, row["provider"], row["nodes"], row["lever"]) == (0, "kube-router", 2, "nothing")
    code, out = asked(served, "peers", "status")
    assert code == 1 and "unknown" in out and "kube_router_bgp_peer_info" in out
    code, out = asked(served, "node", "estimate", "n1", "-o", "json")
    worst = {one["event"]: one["worstSeconds"] for one in json.loads(out)["estimates"]}
    assert code == 0 and worst["deselect"] == worst["crash"] == 95 and worst["power-off"] == 90 + 90
    assert "cannot be told from outside" in asked(served, "routes")[1]


def test_a_drain_says_what_it_cannot_do_and_changes_nothing(served: tuple[ApiServer, Path]) -> None:
    client = clients.client(served[0])
    before = client.get(paths.node("n1"))
    for more in ((), ("--dry-run",)):
        code, out = asked(served, "node", "drain", "n1", *more)
        assert code == 3 and "nothing by which one node withdraws" in " ".join(out.split())
        assert "wait 95 s" in " ".join(out.split())
    after = client.get(paths.node("n1"))
    assert (after.get("spec"), after["metadata"].get("annotations")) == (
        before.get("spec"),
        before["metadata"].get("annotations"),
    )

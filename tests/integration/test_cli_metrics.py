"""`bgpctl metrics` and `logs` about pods that the embedded API has: nothing runs in them, and it says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpctl.lab.api import ApiServer
from tests.support.apiserver import running
from tests.support.cli import bgpctl

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running(controllers=False) as api:
        api.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}})
        api.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "cilium-1", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
                "spec": {
                    "nodeName": "worker-1",
                    "hostNetwork": True,
                    "containers": [{"name": "cilium-agent", "image": "x"}],
                },
                "status": {"phase": "Running"},
            }
        )
        yield api


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    server.write_kubeconfig(tmp_path / "kubeconfig", server.person_token)
    return tmp_path / "kubeconfig"


def test_pods_of_the_lab_have_no_logs(kubeconfig: Path) -> None:
    for flags in (("--pod-selector", "k8s-app=cilium"), ("--provider", "cilium")):
        ran = bgpctl("logs", *flags, kubeconfig=kubeconfig)
        assert ran.code == 1
        assert "pods of the lab run no process: they have no logs" in ran.err
        assert "could not find the requested resource" not in ran.err


def test_nothing_listens_in_pods_of_the_lab(kubeconfig: Path) -> None:
    ran = bgpctl("metrics", "--provider", "cilium", kubeconfig=kubeconfig)
    assert ran.code == 1
    assert "worker-1: pod kube-system/cilium-1 port 9962: pods of the lab run no process" in " ".join(
        ran.out.split()
    )


def test_the_right_that_is_missing_is_named(server: ApiServer, kubeconfig: Path) -> None:
    server.rights = ("get nodes", "list pods")
    ran = bgpctl("metrics", "--provider", "cilium", "-o", "json", kubeconfig=kubeconfig)
    (unread,) = ran.document["unread"]
    assert (ran.code, unread["missingRight"]) == (1, "get pods/proxy")

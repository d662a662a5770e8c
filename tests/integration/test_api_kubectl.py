"""kubectl on the embedded API: the commands of the operation guide, and those that are typed around them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpctl.lab.api import ApiServer
from tests.support.apiserver import Document, running
from tests.support.cli import bgpctl
from tests.support.cluster_documents import budget, nodes, service, workload
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

CRDS = Path(__file__).parents[2] / "bgpctl" / "deploy" / "crds"
POLICY: Document = {
    "apiVersion": "cilium.io/v2alpha1",
    "kind": "CiliumBGPPeeringPolicy",
    "metadata": {"name": "rack-0"},
    "spec": {
        "nodeSelector": {"matchLabels": {"enable-bgp": "true"}},
        "virtualRouters": [
            {"localASN": 65001, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 65000}]},
        ],
    },
}

Kubectl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    require("kubectl")
    with running(tls=True, start_delay=0.05, grace_cap=0.3) as started:
        crds = [yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml"))]
        started.apply(*crds, *nodes())
        started.apply(workload("DaemonSet", "agent", "kube-system"), POLICY)
        yield started


@pytest.fixture
def command(server: ApiServer, tmp_path: Path) -> list[str]:
    server.write_kubeconfig(tmp_path / "kubeconfig")
    return ["kubectl", "--kubeconfig", str(tmp_path / "kubeconfig"), "--cache-dir", str(tmp_path / "cache")]


@pytest.fixture
def kubectl(command: list[str]) -> Kubectl:
    def run(*arguments: str, stdin: Any = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        text = None if stdin is None else yaml.safe_dump_all(stdin)
        done = subprocess.run([*command, *arguments], input=text, capture_output=True, text=True, timeout=30)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


def running_pods(server: ApiServer, namespace: str = "default") -> dict[str, str]:
    """name -> node of the pods that run and stay"""
    return {
        p["metadata"]["name"]: p["spec"]["nodeName"]
        for p in server.objects("pods", namespace)
        if p["status"].get("phase") == "Running" and not p["metadata"].get("deletionTimestamp")
    }


def test_get(server: ApiServer, kubectl: Kubectl) -> None:
    assert kubectl("get", "nodes").stdout.split()[:5] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    kubectl("cordon", "worker-2")
    lines = kubectl("get", "no", "--no-headers").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["worker-1", "Ready"],
        ["worker-2", "Ready,SchedulingDisabled"],
        ["worker-3", "Ready"],
    ]
    assert kubectl("get", "nodes", "-l", "enable-bgp=true", "-o", "name").stdout.count("node/") == 3
    server.apply(workload("Deployment", replicas=2), service(), budget(minAvailable=1))
    eventually(lambda: len(running_pods(server)) == 2)
    wide = kubectl("get", "pods", "-o", "wide").stdout
    assert "1/1" in wide
    assert "worker-" in wide
    everything = kubectl("get", "all,pdb,endpointslices").stdout
    for word in ("deployment.apps/web", "service/web", "LoadBalancer", "<pending>", "8080"):
        assert word in everything


def test_policies_as_yaml(kubectl: Kubectl) -> None:
    listed = yaml.safe_load(kubectl("get", "ciliumbgppeeringpolicies", "-o", "yaml").stdout)
    found = listed["items"][0]
    assert (found["kind"], found["metadata"]["name"]) == ("CiliumBGPPeeringPolicy", "rack-0")
    neighbor = found["spec"]["virtualRouters"][0]["neighbors"][0]
    assert neighbor["peerAddress"] == "10.0.0.1/32"
    assert neighbor["peerPort"] == 179  # the CRD's default


def test_label(server: ApiServer, kubectl: Kubectl) -> None:
    kubectl("label", "node", "worker-1", "--overwrite", "enable-bgp=false")
    assert (server.get("nodes", "worker-1") or {})["metadata"]["labels"]["enable-bgp"] == "false"
    kubectl("label", "node", "worker-1", "enable-bgp-")
    assert "enable-bgp" not in (server.get("nodes", "worker-1") or {})["metadata"]["labels"]
    refused = kubectl("label", "node", "worker-2", "enable-bgp=false", check=False)
    assert refused.returncode == 1
    kubectl("label", "ciliumbgppeeringpolicies", "rack-0", "a=b")
    kubectl("annotate", "node", "worker-1", "note=hello")


def test_watching_nodes(server: ApiServer, command: list[str], kubectl: Kubectl) -> None:
    watching = subprocess.Popen(
        [*command, "get", "nodes", "-w", "--no-headers"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout
        assert [watching.stdout.readline().split()[0] for _ in range(3)] == [
            "worker-1",
            "worker-2",
            "worker-3",
        ]
        kubectl("cordon", "worker-3")
        line = watching.stdout.readline().split()
        assert line[:2] == ["worker-3", "Ready,SchedulingDisabled"]
    finally:
        watching.kill()
        watching.communicate()


def test_drain(server: ApiServer, kubectl: Kubectl) -> None:
    server.apply(workload("Deployment", replicas=3), service(), budget(minAvailable=2))
    eventually(lambda: len(running_pods(server)) == 3)
    refused = kubectl("drain", "worker-1", check=False)
    assert "use --ignore-daemonsets to ignore" in refused.stderr
    done = kubectl("drain", "worker-1", "--ignore-daemonsets", "--timeout", "20s")
    assert "node/worker-1 drained" in done.stdout
    assert "worker-1" not in running_pods(server).values()
    assert "worker-1" in running_pods(server, "kube-system").values()
    eventually(lambda: len(running_pods(server)) == 3)
    kubectl("uncordon", "worker-1")
    assert not (server.get("nodes", "worker-1") or {})["spec"].get("unschedulable")


def test_drain_waits_for_a_budget(server: ApiServer, kubectl: Kubectl) -> None:
    server.apply(workload("Deployment", replicas=1), budget(minAvailable=1))
    node = next(iter(eventually(lambda: running_pods(server)).values()))
    eventually(
        lambda: (
            (server.get("poddisruptionbudgets", "web", "default") or {})["status"].get("currentHealthy") == 1
        )
    )
    done = kubectl("drain", node, "--ignore-daemonsets", "--timeout", "2s", check=False)
    assert done.returncode == 1
    assert "Cannot evict pod as it would violate the pod's disruption budget." in done.stderr


def test_apply(server: ApiServer, kubectl: Kubectl) -> None:
    documents = [workload("Deployment", replicas=1), service()]
    assert "deployment.apps/web created" in kubectl("apply", "-f", "-", stdin=documents).stdout
    assert "deployment.apps/web unchanged" in kubectl("apply", "-f", "-", stdin=documents).stdout
    documents[0]["spec"]["replicas"] = 2
    assert "deployment.apps/web configured" in kubectl("apply", "-f", "-", stdin=documents).stdout
    eventually(lambda: len(running_pods(server)) == 2)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=documents)
    policy = {**POLICY, "metadata": {"name": "rack-1"}}
    assert "created" in kubectl("apply", "-f", "-", stdin=[policy]).stdout
    policy["spec"] = {**POLICY["spec"], "nodeSelector": {"matchLabels": {"rack": "1"}}}
    assert "configured" in kubectl("apply", "-f", "-", stdin=[policy]).stdout
    found = server.get("ciliumbgppeeringpolicies", "rack-1") or {}
    assert found["spec"]["nodeSelector"] == {"matchLabels": {"rack": "1"}}


def test_create(server: ApiServer, command: list[str], kubectl: Kubectl) -> None:
    """With a file it is JSON; `create KIND NAME` is protobuf since 1.32, and the refusal says the way."""
    kubectl("create", "-f", "-", stdin=[service("made")])
    create = ("create", "namespace", "made")
    refused = kubectl(*create, check=False)
    if refused.returncode:  # an older kubectl sends JSON
        way = "--dry-run=client -o yaml | kubectl create -f -"
        assert f"add `{way}`" in refused.stderr
        document = kubectl(*create, *way.partition(" |")[0].split()).stdout
        kubectl("create", "-f", "-", stdin=[yaml.safe_load(document)])
    assert {"made"} <= {o["metadata"]["name"] for o in server.objects("namespaces", "")}


def test_a_bad_policy_is_refused_with_its_fields(kubectl: Kubectl) -> None:
    router = {"neighbors": [{"peerAddress": "10.0.0.1/32", "peerPort": 70000, "peerASN": 65000}]}
    bad = {**POLICY, "metadata": {"name": "bad"}, "spec": {"virtualRouters": [router]}}
    refused = kubectl("apply", "-f", "-", stdin=[bad], check=False)
    assert refused.returncode == 1
    assert "spec.virtualRouters[0].localASN: Required value" in refused.stderr
    assert "spec.virtualRouters[0].neighbors[0].peerPort" in refused.stderr
    typo = json.loads(json.dumps(POLICY))
    typo["spec"]["virtualRouters"][0]["localASNN"] = 1
    refused = kubectl("apply", "-f", "-", stdin=[{**typo, "metadata": {"name": "typo"}}], check=False)
    assert 'unknown field "spec.virtualRouters[0].localASNN"' in refused.stderr


def test_delete(server: ApiServer, kubectl: Kubectl) -> None:
    server.apply(workload("Deployment", replicas=1), service())
    name = next(iter(eventually(lambda: running_pods(server))))
    kubectl("delete", "pod", name)
    assert server.get("pods", name, "default") is None
    kubectl("delete", "deployment", "web", "--cascade=foreground")
    assert not server.objects("pods", "default")
    kubectl("delete", "ciliumbgppeeringpolicies", "rack-0")
    kubectl("delete", "services", "--all")
    assert not server.objects("services", "default")
    assert "NotFound" in kubectl("delete", "node", "nobody", check=False).stderr


def test_patch_scale_and_wait(server: ApiServer, kubectl: Kubectl) -> None:
    server.apply(workload("Deployment", replicas=1))
    kubectl("patch", "deployment", "web", "-p", '{"spec":{"replicas":2}}')
    kubectl("wait", "--for=jsonpath={.status.readyReplicas}=2", "deployment/web", "--timeout=10s")
    assert len(running_pods(server)) == 2
    kubectl("wait", "--for=condition=Ready", "node/worker-1", "--timeout=5s")
    assert "worker-1" in kubectl("describe", "node", "worker-1").stdout
    kubectl("scale", "deployment", "web", "--replicas=1")
    eventually(lambda: len(running_pods(server)) == 1)


def test_who_am_i(kubectl: Kubectl, server: ApiServer) -> None:
    assert "bgpctl-lab-admin" in kubectl("auth", "whoami").stdout
    assert kubectl("auth", "can-i", "delete", "nodes").stdout == "yes\n"
    refused = kubectl("--token", server.nobody_token, "get", "nodes", check=False)
    assert 'User "bgpctl-lab-nobody" cannot list resource "nodes"' in refused.stderr


# --- bgpctl's own manifests ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [("apply",), ("apply", "--server-side"), ("create",)])
def test_what_install_prints_is_taken(server: ApiServer, kubectl: Kubectl, how: tuple[str, ...]) -> None:
    """Every object, by each way of kubectl; the pods then are there."""
    ran = bgpctl("install", "--set", "crds=none", "--set", "networkPolicy=true", "--set", "authSecrets=a")
    assert ran.code == 0, ran.err
    found = [one for one in yaml.safe_load_all(ran.out) if one]
    kubectl(*how, "-f", "-", stdin=found)
    named = kubectl("get", "-n", "bgpctl-system", "daemonsets,serviceaccounts,networkpolicies", "-o", "name")
    assert named.stdout.split() == [
        "daemonset.apps/bgpctl-engine",
        "daemonset.apps/bgpctl-speaker",
        "serviceaccount/bgpctl-engine",
        "serviceaccount/bgpctl-speaker",
        "networkpolicy.networking.k8s.io/bgpctl",
    ]
    if how != ("create",):
        again = kubectl(*how, "-f", "-", stdin=found).stdout.splitlines()
        assert len(again) == len(found)


def test_who_may_what_by_kubectl(server: ApiServer, command: list[str], tmp_path: Path) -> None:
    """A token of the speakers' account, and kubectl's own question."""
    ran = bgpctl("install", "--set", "crds=none", "-o", "json")
    server.apply(*(one for one in json.loads(ran.out)["items"] if one["kind"] != "DaemonSet"))
    token = server.token_of("system:serviceaccount:bgpctl-system:bgpctl-speaker")
    server.write_kubeconfig(tmp_path / "speaker", token)

    def may(*words: str) -> str:
        argv = ["kubectl", "--kubeconfig", str(tmp_path / "speaker"), "auth", "can-i", *words]
        told = subprocess.run(argv, capture_output=True, text=True, timeout=30).stdout
        return told.split()[0]  # "no" has a reason behind it

    assert (may("list", "nodes"), may("patch", "nodes")) == ("yes", "no")
    assert (may("get", "secrets", "-n", "kube-system"), may("delete", "pods", "-A")) == ("no", "no")

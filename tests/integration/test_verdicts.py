"""Conditions on the v2 resources, written by one of two speakers and read with kubectl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.conditions import verdicts
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client
from bgpctl.kube.config import load_access
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.api.server import ApiServer
from bgpctl.lab.seed import crds
from bgpctl.speaker.verdictsource import VerdictSource
from tests.support import apiserver, v2
from tests.support.objects import node, password_secret
from tests.support.require import require
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration

NODES = ("worker-1", "worker-2")
RACK, TOR = f"{paths.CLUSTER_CONFIGS[0]}/rack", f"{paths.PEER_CONFIGS[0]}/tor"
LEASE = paths.lease(lease.NAMESPACE, verdicts.LEASE)
Sources = dict[str, VerdictSource]


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with apiserver.running(controllers=False, tls=True) as running:
        running.apply(*crds(), *map(node, NODES))
        yield running


@pytest.fixture(scope="module")
def kubeconfig(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "kubeconfig"
    server.write_kubeconfig(path)
    return path


@pytest.fixture(scope="module")
def api(kubeconfig: Path) -> Client:
    return Client(load_access(str(kubeconfig)))


@pytest.fixture
def sources(kubeconfig: Path) -> Iterator[Sources]:
    """What two speakers run of it; without their engines."""
    made = {
        name: VerdictSource(Client(load_access(str(kubeconfig))), name, "kube-system", lambda: None)
        for name in NODES
    }
    for source in made.values():
        source.start()
    try:
        for source in made.values():
            eventually(source.ready)
        yield made
    finally:
        for source in made.values():
            source.stop()


def condition(api: Client, path: str, kind: str) -> dict[str, Any]:
    found = (api.get(path).get("status") or {}).get("conditions") or ()
    return next((dict(entry) for entry in found if entry["type"] == kind), {})


def says(api: Client, path: str, kind: str, status: str) -> dict[str, Any]:
    def seen() -> dict[str, Any] | None:
        entry = condition(api, path, kind)
        return entry if entry.get("status") == status else None

    return eventually(seen, why=f"{kind} is {status} on {path}: {api.get(path).get('status')}") or {}


def test_verdicts_follow_the_objects_and_the_holder(api: Client, sources: Sources) -> None:
    throughout(lambda: api.find(LEASE) is None, 0.5, why="no v2 object, no Lease")
    theirs = {**_entry("example.com/Reviewed"), "message": "by us"}
    api.create(paths.CLUSTER_CONFIGS[0], v2.cluster_config())
    api.patch(f"{RACK}/status", {"status": {"conditions": [theirs]}})
    missing = says(api, RACK, "cilium.io/MissingPeerConfigs", "True")
    assert missing["message"] == "Referenced CiliumBGPPeerConfig(s) are missing: [tor]"
    assert says(api, RACK, "cilium.io/NoMatchingNode", "False")["message"] == (
        "2 nodes match spec.nodeSelector"
    )
    assert condition(api, RACK, "example.com/Reviewed") == theirs

    api.create(paths.PEER_CONFIGS[0], v2.peer_config(authSecretRef="bgp"))
    assert says(api, RACK, "cilium.io/MissingPeerConfigs", "False")["observedGeneration"] == 1
    assert "have no session" in says(api, TOR, "cilium.io/MissingAuthSecret", "True")["message"]
    api.create(paths.secrets("kube-system"), password_secret("hunter2"))
    says(api, TOR, "cilium.io/MissingAuthSecret", "False")

    versions = [api.get(path)["metadata"]["resourceVersion"] for path in (RACK, TOR)]
    throughout(
        lambda: [api.get(path)["metadata"]["resourceVersion"] for path in (RACK, TOR)] == versions, 1.5
    )
    first = api.get(LEASE)["spec"]["holderIdentity"]
    sources[first].stop()
    (second,) = set(NODES) - {first}
    api.patch(TOR, {"spec": {"families": [{"afi": "l2vpn", "safi": "evpn"}]}})
    honoured = says(api, TOR, "bgpctl.io/NotHonoured", "True")
    assert "l2vpn/evpn cannot be honoured" in honoured["message"] and honoured["observedGeneration"] == 2
    assert api.get(LEASE)["spec"]["holderIdentity"] == second


def test_the_first_owner_is_told_apart_by_what_speakers_report(api: Client, sources: Sources) -> None:
    for name in NODES:
        api.create(
            paths.NODE_STATES,
            {"apiVersion": "bgpctl.io/v1alpha1", "kind": "BGPNodeState", "metadata": {"name": name}},
        )
        api.patch(f"{paths.node_state(name)}/status", {"status": {"selectedBy": "rack"}})
    api.create(paths.CLUSTER_CONFIGS[0], v2.cluster_config(name="a-second"))
    second = f"{paths.CLUSTER_CONFIGS[0]}/a-second"
    message = says(api, second, "cilium.io/ConflictingClusterConfig", "True")["message"]
    assert message == "Selecting the same node(s) with ClusterConfig(s): [rack]"
    assert condition(api, RACK, "cilium.io/ConflictingClusterConfig")["status"] == "False"
    api.delete(second)


def test_kubectl_reads_and_waits(api: Client, sources: Sources, kubectl: Callable[..., str]) -> None:
    says(api, RACK, "cilium.io/NoMatchingNode", "False")
    waiting = kubectl(
        "wait",
        "cbgpcluster/rack",
        "--for=condition=cilium.io/NoMatchingNode=true",
        "--timeout=10s",
        wait=False,
    )
    for name in NODES:
        api.patch(paths.node(name), {"metadata": {"labels": {"enable-bgp": "false"}}})
    assert "condition met" in waiting.communicate(timeout=20)[0]
    (rack,) = json.loads(kubectl("get", "cbgpcluster", "-o", "json"))["items"]
    (found,) = [c for c in rack["status"]["conditions"] if c["type"] == "cilium.io/NoMatchingNode"]
    assert found["message"] == "No node matches spec.nodeSelector" and found["reason"] == "NoMatchingNode"
    assert "No node matches spec.nodeSelector" in kubectl("get", "cbgpcluster", "rack", "-o", "yaml")


def test_a_missing_permission_is_one_sentence(server: ApiServer, api: Client, sources: Sources) -> None:
    server.faults.add(Fault("answer", verb="patch", resource=".*/status", code=403))
    api.patch(TOR, {"spec": {"authSecretRef": "gone"}})
    try:
        told = eventually(lambda: [p for s in sources.values() for p in s.problems()])
        assert len(told) == 1 and told[0].startswith("conditions are not written: ")
        assert all(source.ready() for source in sources.values())
        holder = api.get(LEASE)["spec"]["holderIdentity"]
        throughout(lambda: api.get(LEASE)["spec"]["holderIdentity"] == holder, 1.0)
    finally:
        server.faults.clear()


def _entry(kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True",
        "reason": "Read",
        "message": "",
        "lastTransitionTime": "2026-11-25T03:00:00Z",
    }


@pytest.fixture
def kubectl(kubeconfig: Path, tmp_path: Path) -> Callable[..., Any]:
    require("kubectl")
    command = ["kubectl", "--kubeconfig", str(kubeconfig), "--cache-dir", str(tmp_path / "c")]

    def run(*arguments: str, wait: bool = True) -> Any:
        if not wait:
            return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout

    return run

"""A node that a CiliumBGPPeeringPolicy selects leaves and comes back: real gobgpd processes, a real BIRD that
keeps routes over a lost session, and agents that do what Cilium's up to 1.18 were measured to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from bgpctl.core.cilium import copies
from bgpctl.lab import cluster, seed, stacks
from bgpctl.lab.cluster import Lab
from bgpctl.lab.stacks import cilium
from bgpctl.lab.stacks.announced import prefixes
from bgpctl.lab.stacks.cilium import CiliumStack
from bgpctl.lab.stacks.cilium.agent import Agent
from bgpctl.lab.stacks.cilium.agent_v1 import AgentV1
from bgpctl.lab.stacks.cilium.client import daemonset
from bgpctl.lab.stacks.cilium.documents import cilium_node, crd
from bgpctl.lab.stacks.gobgp import Gobgp
from bgpctl.lab.watcher import Watcher
from bgpctl.runbooks.journal import load
from tests.support.cli import inside
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE = "worker-1"


class Stack(CiliumStack):
    """Of agents up to 1.18: a v1 policy goes before what the operator makes, which here is nothing."""

    def _agent(self, node: str, engine: Gobgp) -> Agent:
        client = self.site.client()
        return AgentV1(client, node, engine, lambda: prefixes(client, node))

    def waiting(self) -> Mapping[str, str]:
        return {name: why for name, why in super().waiting().items() if "routes" in why}


def documents(site: stacks.Site) -> Iterator[stacks.Document]:
    yield from seed.crds()
    yield crd()
    yield daemonset()
    yield from (cilium_node(node.name, cilium.SELECTED) for node in site.nodes)
    yield seed.policy(site.router.address, site.router.port)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    require("bird")
    require("gobgp")
    with pytest.MonkeyPatch.context() as patch:
        driver = replace(cilium.DRIVER, name="v1", documents=documents, make=Stack)
        patch.setitem(stacks.STACKS, "v1", driver)
        patch.setattr(copies, "SETTLE_SECONDS", 1.0)
        patch.setattr("bgpctl.core.cilium.policies.SETTLE_SECONDS", 1.0)
        with cluster.running(2, "bird", stack="v1") as made:
            yield made


def test_who_may_exec_sees_the_sessions_by_the_agents_own_word(lab: Lab) -> None:
    code, out = inside("peers", "status", kubeconfig=lab.kubeconfig)
    assert code == 0 and "all 2 sessions established" in out, out
    code, out = inside("node", "status", NODE, "-o", "json", kubeconfig=lab.kubeconfig)
    assert code == 0 and json.loads(out)["nodes"][0]["service"] == "in-service", out


def run(lab: Lab, *words: str) -> dict[str, object]:
    code, out = inside("node", *words, NODE, "--timeout", "60", "-o", "json", kubeconfig=lab.kubeconfig)
    assert code == 0, out
    return dict(json.loads(out.splitlines()[-1]))


@pytest.mark.parametrize("prepares", [False, True], ids=["relabelled", "prepared"])
def test_it_leaves_with_proof_and_comes_back(lab: Lab, prepares: bool) -> None:
    if prepares:
        assert inside("cilium", "prepare", kubeconfig=lab.kubeconfig)[0] == 0
        eventually(lambda: "withdraws" in inside("providers", kubeconfig=lab.kubeconfig)[1], 10)
    labels = lab.client().get(f"/api/v1/nodes/{NODE}")["metadata"]["labels"]
    with Watcher(lab.router.probe(), {name: lab.address_of(name) for name in lab.nodes}) as eye:
        lowest = eye.count("worker-2")
        drained = run(lab, "drain", "--settle", "0", "--allow-last-path", "--allow-address-gap")
        assert (drained["status"], drained["proof"]) == ("done", "confirmed"), drained
        assert eye.count(NODE) == 0
        journal = load(lab.client().get(f"/api/v1/nodes/{NODE}")["metadata"]["annotations"])
        assert journal is not None and (journal.prior["way"] == "policy") is prepares
        restored = run(lab, "restore")
        assert restored["status"] == "done" and eye.count(NODE) > 0
        assert eye.lowest("worker-2", 0) >= lowest
    assert lab.client().get(f"/api/v1/nodes/{NODE}")["metadata"]["labels"] == labels

"""`bgpctl providers` and `bgpctl cilium prepare`: what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.cilium import copies
from bgpctl.core.state_document import to_document
from bgpctl.kube import paths
from bgpctl.lab.stacks.cilium.documents import PEER_CONFIGS
from bgpctl.providers import cilium_copies
from bgpctl.providers.stack import Summary
from bgpctl.providers.summary import summaries
from bgpctl.render.providers import changes_document, changes_text, document, text
from bgpctl.render.text import plain
from tests.support import direct, node_states
from tests.support.cilium_cluster import NODE, Cluster
from tests.support.direct import EPOCH
from tests.support.kinds import KINDS


def only(cluster: Cluster) -> Summary:
    (found,) = summaries(cluster.client)
    return found


def test_what_the_lever_does_now() -> None:
    cluster = Cluster()
    assert (only(cluster).provider, only(cluster).nodes, only(cluster).lever) == ("cilium", 2, "closes")
    assert "`bgpctl cilium prepare` lets it withdraw" in only(cluster).why
    cluster.prepare(wait=0)
    assert only(cluster).lever == "nothing" and "are new" in only(cluster).why
    cluster.api.time.move(copies.SETTLE_SECONDS)
    assert (only(cluster).lever, only(cluster).missing) == ("withdraws", ())


def test_what_was_left_behind_is_named() -> None:
    cluster = Cluster()
    cluster.prepare()
    cluster.pull(*cluster.lever().patches)
    assert only(cluster).notes == (f"{NODE}: withdrawn by bgpctl",)
    cluster.client.delete(paths.node(NODE))
    assert only(cluster).notes[-1] == f"{NODE}: no such node any more, `bgpctl cilium prepare` clears it away"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("quay.io/cilium/cilium:v1.18.3@sha256:0123", "v1.18.3"),
        ("registry:5000/cilium:1.17.0", "1.17.0"),
        ("registry:5000/cilium", ""),
        ("quay.io/cilium/cilium@sha256:0123", ""),
    ],
)
def test_the_version_is_that_of_the_agents_image(image: str, version: str) -> None:
    cluster = Cluster()
    agent = _daemonset()
    agent["spec"]["template"]["spec"]["containers"] = [{"name": "cilium-agent", "image": image}]
    cluster.api.server.apply(agent)
    assert only(cluster).version == version


def _daemonset() -> dict[str, Any]:
    labels = {"k8s-app": "cilium"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": []}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "cilium", "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def test_rights_that_a_drain_needs() -> None:
    cluster = Cluster()
    wire = direct.Wire(cluster.api, user="nobody")
    wire.before = lambda asked: _answered(cluster, asked) if asked.method == "GET" else None
    (found,) = summaries(wire.client())
    assert {"patch nodes", "create pods/eviction", "patch ciliumbgpnodeconfigs"} <= set(found.missing)


def _answered(cluster: Cluster, asked: direct.Asked) -> Any:
    """As somebody who may look at all."""
    return direct.Wire(cluster.api).carry(asked)


def test_our_own_speaker() -> None:
    api = direct.Api()
    api.server.apply(*KINDS, to_document(node_states.state("n1", EPOCH)))
    (found,) = summaries(direct.Wire(api).client())
    assert (found.provider, found.nodes, found.lever) == ("bgpctl", 1, "withdraws")


def test_a_cluster_with_nobody() -> None:
    api = direct.Api()
    api.server.apply(*KINDS)
    (found,) = summaries(direct.Wire(api).client())
    assert (found.nodes, found.lever) == (0, "nothing")


FOUND = Summary("cilium", 2, "v1.18.3", "closes", "a label of the Node", ("patch nodes",), ("n1: withdrawn",))


def test_a_row_per_stack_and_its_notes() -> None:
    head, row, note = map(plain, text([FOUND]))
    assert head.split() == ["PROVIDER", "NODES", "VERSION", "LEVER", "MISSING", "RIGHTS", "HOW"]
    assert row.split()[:4] == ["cilium", "2", "v1.18.3", "closes"] and "patch nodes" in row
    assert note == "n1: withdrawn"
    assert "none" in plain(text([replace(FOUND, missing=(), notes=())])[1])
    (told,) = document([replace(FOUND, at_work=frozenset({"n2", "n1"}))])["providers"]
    assert (told["provider"], told["atWork"]) == (FOUND.provider, ["n1", "n2"])
    assert "at_work" not in told


def test_what_was_prepared() -> None:
    cluster = Cluster()
    changes = cilium_copies.prepared(cluster.client)
    lines = [plain(one) for one in changes_text(changes, planned=True)]
    assert lines[1].split()[:2] == ["create", copies.copy_name("pc1")]
    assert lines[-1] == "2 objects would be changed"
    cluster.prepare()
    again = cilium_copies.prepared(cluster.client)
    assert plain(changes_text(again, planned=False)[-1]) == "nothing is to be done"
    assert changes_document("cilium prepare", again, planned=False)["status"] == "done"
    assert len(cluster.client.items(PEER_CONFIGS)) == 4

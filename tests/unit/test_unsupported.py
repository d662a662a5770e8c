"""Stacks that are recognised and not supported: a drain of their nodes is refused, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl import providers
from bgpctl.errors import Blocked
from bgpctl.kube.client import Client
from bgpctl.providers import detect
from bgpctl.providers.summary import summaries
from bgpctl.providers.unsupported import ISOVALENT, OPENPEROUTER
from tests.support import direct, objects
from tests.support.kinds import KINDS


def crd(group: str, version: str, kind: str, plural: str) -> dict[str, Any]:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": free}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [served],
        },
    }


def made(api: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": {}}


ENTERPRISE = (
    crd("isovalent.com", "v1", "IsovalentBGPNodeConfig", "isovalentbgpnodeconfigs"),
    made("isovalent.com/v1", "IsovalentBGPNodeConfig", "n1"),
)
GROUP = "openpe.openperouter.github.io"
PEROUTER = (
    crd(GROUP, "v1alpha1", "Underlay", "underlays"),
    crd(GROUP, "v1alpha1", "RouterNodeConfigurationStatus", "routernodeconfigurationstatuses"),
    made(f"{GROUP}/v1alpha1", "Underlay", "underlay"),
    made(f"{GROUP}/v1alpha1", "RouterNodeConfigurationStatus", "n1"),
)


def cluster(*documents: dict[str, Any]) -> Client:
    api = direct.Api()
    api.server.apply(*KINDS, objects.node("n1"), *documents)
    return direct.Wire(api).client()


@pytest.mark.parametrize(
    ("stack", "documents"), [(ISOVALENT, ENTERPRISE), (OPENPEROUTER, PEROUTER)], ids=lambda one: str(one)[:24]
)
def test_it_is_recognised_and_its_drains_are_refused(stack: Any, documents: Any) -> None:
    client = cluster(*documents)
    assert detect.look(client).stacks == (stack.name,)
    (row,) = summaries(client)
    assert (row.provider, row.nodes, row.lever, row.why) == (stack.name, 1, "nothing", stack.why)
    provider = providers.of(client)
    assert provider.lever(objects.node("n1")).refusal == stack.why
    assert provider.outlook().missing == stack.why
    assert (provider.states(), provider.state("n1"), provider.facts(objects.node("n1"))) == ((), None, ())


def test_beside_another_stack_it_says_whom_to_name() -> None:
    client = cluster(
        *PEROUTER,
        crd("isovalent.com", "v1", "IsovalentBGPNodeConfig", "isovalentbgpnodeconfigs"),
        ENTERPRISE[1],
    )
    with pytest.raises(Blocked, match="two stacks speak BGP on n1") as refused:
        detect.of_node(client, "n1", detect.look(client))
    assert "--provider isovalent or --provider openperouter" in refused.value.hint


def test_its_kinds_alone_are_no_sign_of_it() -> None:
    assert detect.look(cluster(ENTERPRISE[0], *PEROUTER[:2])).stacks == ("bgpctl",)

"""What the contract tests share: a server to ask, a namespace, a node and a custom resource in it.

The server is the embedded one and, when BGPCTL_TEST_KUBECONFIG names a cluster, that cluster's. Only HTTP,
and no help from controllers: what a controller would write, the tests write themselves.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apiserver import Document, RawClient, running
from tests.support.wait import eventually

REAL = os.environ.get("BGPCTL_TEST_KUBECONFIG", "")
GROUP = "contract.bgpctl.io"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRS = f"/apis/{GROUP}/v1/widgets"
# Bound there, a pod is left alone: no kubelet ever reports it.
NO_NODE = "bgpctl-no-such-node"


@pytest.fixture(scope="module", params=["embedded", *(["real"] if REAL else [])])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawClient]:
    if request.param == "real":
        yield RawClient(Path(REAL))
        return
    with running(tls=True, controllers=False) as server:
        kubeconfig = tmp_path_factory.mktemp("api") / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        yield RawClient(kubeconfig)


@pytest.fixture(scope="module")
def namespace(api: RawClient) -> Iterator[str]:
    name = f"bgpctl-contract-{uuid.uuid4().hex[:8]}"
    api.post("/api/v1/namespaces", {"metadata": {"name": name}}).ok()
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def node(api: RawClient) -> Iterator[Document]:
    meta = {"name": f"bgpctl-contract-{uuid.uuid4().hex[:8]}", "labels": {"enable-bgp": "true"}}
    yield api.post("/api/v1/nodes", {"metadata": meta}).ok()
    api.delete(f"/api/v1/nodes/{meta['name']}")


SPEC_SCHEMA: Document = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 10},
        "colour": {"type": "string", "enum": ["red", "green"], "default": "red"},
        "tag": {"type": "string", "maxLength": 5, "pattern": "^[a-z]*$"},
        "ports": {"type": "array", "maxItems": 2, "items": {"type": "integer"}},
        "limit": {"x-kubernetes-int-or-string": True},
        "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
CRD: Document = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"widgets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wdg"]},
        "scope": "Cluster",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {
                        "name": "Ready",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                    },
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": SPEC_SCHEMA,
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def widgets(api: RawClient) -> Iterator[str]:
    """The path of a custom resource's collection."""
    define(api, CRD)
    eventually(lambda: api.get(CRS).code == 200, why="the CRD is served")
    yield CRS
    undefine(api, CRD)


def define(api: RawClient, crd: Document) -> Document:
    """Create the definition once an earlier one of its name is gone; its answer. Returns when established."""
    path = f"{CRDS}/{crd['metadata']['name']}"

    def created() -> Document | None:
        reply = api.post(CRDS, crd)
        if reply.code == 409:
            assert "object is being deleted" in reply.body["message"]
            return None
        return reply.ok()

    def established() -> bool:
        conditions = api.get(path).ok()["status"].get("conditions") or ()
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    answer = eventually(created, deadline=30, why="the definition before it is gone")
    eventually(established, why="the CRD is established")
    assert answer is not None
    return answer


def undefine(api: RawClient, crd: Document) -> None:
    """Delete the definition, and wait until it is gone."""
    path = f"{CRDS}/{crd['metadata']['name']}"
    assert api.delete(path).ok()["metadata"]["deletionTimestamp"]
    eventually(lambda: api.get(path).code == 404, deadline=30, why="the definition is gone")


def widget(name: str, **spec: Any) -> Document:
    return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


def unique(prefix: str = "x") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def config_map(api: RawClient, namespace: str, labels: Document | None = None, **data: str) -> Document:
    body = {"metadata": {"name": unique("cm"), "labels": labels or {}}, "data": data}
    return api.post(maps(namespace), body).ok()


def maps(namespace: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def path_of(document: Document) -> str:
    return maps(document["metadata"]["namespace"], document["metadata"]["name"])


def names(reply: Document) -> list[str]:
    return [item["metadata"]["name"] for item in reply["items"]]


def pod(
    api: RawClient, namespace: str, labels: Document | None = None, node: str = NO_NODE, running: bool = False
) -> Document:
    spec: Document = {"containers": [{"name": "c", "image": "example.invalid/none"}]}
    if node:
        spec["nodeName"] = node
    path = f"/api/v1/namespaces/{namespace}/pods"
    found = api.post(path, {"metadata": {"name": unique("pod"), "labels": labels or {}}, "spec": spec}).ok()
    if running:
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        found = api.patch(f"{pod_path(found)}/status", {"status": status}).ok()
    return found


def pod_path(document: Document) -> str:
    meta = document["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"

"""The official Python client on the embedded API: raw calls, typed models, its watch and its TLS."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.lab.api import ApiServer
from tests.support.apiserver import running
from tests.support.cluster_documents import nodes, workload
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    with running(tls=request.param, start_delay=0.05, grace_cap=0.1) as started:
        started.apply(*nodes(3), workload("Deployment", replicas=2))
        yield started


@pytest.fixture(scope="module")
def client(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from kubernetes import config

    path: Path = tmp_path_factory.mktemp("client") / "kubeconfig"
    server.write_kubeconfig(path)
    return config.new_client_from_config(config_file=str(path))


def test_raw_calls(client: Any) -> None:
    request = client.param_serialize("GET", "/api/v1/nodes", auth_settings=["BearerToken"])
    response = client.call_api(*request, _request_timeout=(5, 10))
    names = [item["metadata"]["name"] for item in json.loads(response.read())["items"]]
    assert (response.status, names) == (200, ["worker-1", "worker-2", "worker-3"])


def test_typed_list_patch_and_watch(client: Any) -> None:
    from kubernetes.client import CoreV1Api
    from kubernetes.watch import Watch

    core = CoreV1Api(client)
    listed = core.list_node(label_selector="enable-bgp=true")
    assert [node.metadata.name for node in listed.items] == ["worker-1", "worker-2", "worker-3"]
    patched = core.patch_node("worker-1", {"metadata": {"labels": {"enable-bgp": "false"}}})
    assert patched.metadata.labels["enable-bgp"] == "false"
    version = listed.metadata.resource_version
    events = Watch().stream(core.list_node, resource_version=version, timeout_seconds=1)
    assert [(e["type"], e["object"].metadata.name) for e in events] == [("MODIFIED", "worker-1")]


def test_typed_eviction_and_errors(client: Any) -> None:
    from kubernetes.client import ApiException, CoreV1Api, V1DeleteOptions, V1Eviction, V1ObjectMeta

    core = CoreV1Api(client)

    def pods() -> list[str]:
        found = core.list_namespaced_pod("default", field_selector="status.phase=Running").items
        return [pod.metadata.name for pod in found if not pod.metadata.deletion_timestamp]

    eventually(lambda: len(pods()) == 2)
    name = pods()[0]
    stale = V1DeleteOptions(preconditions={"uid": "00000000-0000-0000-0000-000000000000"})
    meta = V1ObjectMeta(name=name)
    with pytest.raises(ApiException) as refused:
        core.create_namespaced_pod_eviction(name, "default", V1Eviction(metadata=meta, delete_options=stale))
    assert refused.value.status == 409
    core.create_namespaced_pod_eviction(name, "default", V1Eviction(metadata=meta))
    eventually(lambda: name not in pods() and len(pods()) == 2, why="the pod has a successor")


def test_the_certificate_is_what_makes_the_server_known() -> None:
    """Refused by who does not trust it, accepted by who checks it as strictly as Python 3.13 does."""
    import ssl
    from urllib.error import HTTPError
    from urllib.request import urlopen

    import yaml

    with running(tls=True, controllers=False) as server:
        with pytest.raises(OSError, match="certificate verify failed"):
            urlopen(server.url, context=ssl.create_default_context(), timeout=5)
        cluster = yaml.safe_load(server.kubeconfig())["clusters"][0]["cluster"]
        trusted = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=trusted)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with pytest.raises(HTTPError) as answered:
            urlopen(f"{server.url}/version", context=context, timeout=5)
        assert answered.value.code == 401

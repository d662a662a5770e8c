"""What a Kubernetes API server answers: identity, create, update, patch, apply.

The embedded server always, and unchanged a real one when BGPCTL_TEST_KUBECONFIG names it: what the two answer
must be the same. The other `test_api_contract_*` files go on with it.
"""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest

from tests.support.apiserver import APPLY, JSON, STRATEGIC, Document, RawClient
from tests.support.contract import (
    REAL,
    api,
    config_map,
    maps,
    namespace,
    node,
    path_of,
    unique,
    widget,
    widgets,
)

__all__ = ["api", "namespace", "node", "widgets"]  # fixtures
pytestmark = pytest.mark.integration


def test_a_real_server_answers_the_same() -> None:
    """Stands for the runs that are not there: it is listed at the end as not tested."""
    if not REAL:
        # Not `require`: no package brings a kube-apiserver, so that it is missing fails no run.
        pytest.skip("kube-apiserver is missing: set BGPCTL_TEST_KUBECONFIG")


# --- discovery and identity -------------------------------------------------------------------------------


def test_discovery_lists_what_kubectl_looks_for(api: RawClient) -> None:
    assert int(api.get("/version").ok()["minor"].rstrip("+")) >= 27
    assert "v1" in api.get("/api").ok()["versions"]
    core = {r["name"]: r for r in api.get("/api/v1").ok()["resources"]}
    assert core["nodes"]["namespaced"] is False
    assert "no" in core["nodes"]["shortNames"]
    assert core["pods/eviction"]["kind"] == "Eviction"
    assert core["pods/eviction"]["group"] == "policy"
    groups = {group["name"] for group in api.get("/apis").ok()["groups"]}
    assert {"apps", "policy", "coordination.k8s.io", "discovery.k8s.io", "apiextensions.k8s.io"} <= groups


def test_an_unknown_path_is_not_found(api: RawClient, namespace: str) -> None:
    for path in ("/apis/no.such.group/v1/things", "/api/v1/things", f"/api/v1/namespaces/{namespace}/nodes"):
        assert api.get(path).code == 404, path


def test_an_unknown_token_is_unauthorized(api: RawClient) -> None:
    reply = api.request("GET", "/api/v1/nodes", None, {"authorization": "Bearer nonsense"})
    assert (reply.code, reply.reason) == (401, "Unauthorized")


def test_an_identity_without_rights_is_forbidden(api: RawClient) -> None:
    reply = api.request("GET", "/api/v1/nodes", None, {"Impersonate-User": "bgpctl-nobody"})
    assert (reply.code, reply.reason) == (403, "Forbidden")
    assert 'User "bgpctl-nobody" cannot list resource "nodes"' in reply.body["message"]
    assert reply.body["details"]["kind"] == "nodes"


def test_one_may_ask_what_one_may(api: RawClient) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    question = {"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}}
    nobody = {"Impersonate-User": "bgpctl-nobody", "Impersonate-Group": "system:authenticated"}
    assert api.post(path, question).ok()["status"]["allowed"] is True
    assert api.request("POST", path, question, nobody).ok()["status"]["allowed"] is False


# --- create and get ---------------------------------------------------------------------------------------


def test_create_fills_in_metadata(api: RawClient, namespace: str) -> None:
    reply = api.post(maps(namespace), {"metadata": {"name": unique()}, "data": {"a": "b"}})
    assert reply.code == 201
    meta = reply.body["metadata"]
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("ConfigMap", "v1")
    assert uuid.UUID(meta["uid"])
    assert meta["creationTimestamp"].endswith("Z")
    assert meta["namespace"] == namespace
    assert int(meta["resourceVersion"]) > 0
    assert "generation" not in meta
    assert api.get(path_of(reply.body)).ok() == reply.body


def test_create_twice_already_exists(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace)
    name = found["metadata"]["name"]
    reply = api.post(maps(namespace), {"metadata": {"name": name}})
    assert (reply.code, reply.reason) == (409, "AlreadyExists")
    assert reply.body["message"] == f'configmaps "{name}" already exists'
    assert reply.body["details"] == {"name": name, "kind": "configmaps"}


def test_generate_name(api: RawClient, namespace: str) -> None:
    name = api.post(maps(namespace), {"metadata": {"generateName": "made-"}}).ok()["metadata"]["name"]
    assert name.startswith("made-")
    assert len(name) == len("made-") + 5


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ({"metadata": {}}, 422, "Invalid"),
        ({"metadata": {"name": "Not_A_Name"}}, 422, "Invalid"),
        ({"metadata": {"name": "x", "labels": {"a": "not a value"}}}, 422, "Invalid"),
        ({"metadata": {"name": "x", "namespace": "elsewhere"}}, 400, "BadRequest"),
        ({"apiVersion": "v2", "kind": "ConfigMap", "metadata": {"name": "x"}}, 400, "BadRequest"),
        (b"{nonsense", 400, "BadRequest"),
        ({"metadata": {"name": "x"}, "data": ["a"]}, 400, "BadRequest"),
        ({"metadata": {"name": "x", "labels": {"a": 1}}}, 400, "BadRequest"),
        ({"metadata": {"name": 1}}, 400, "BadRequest"),
    ],
)
def test_create_refuses(api: RawClient, namespace: str, body: Any, code: int, reason: str) -> None:
    reply = api.post(maps(namespace), body)
    assert (reply.code, reply.reason) == (code, reason)
    assert reply.body["kind"] == "Status"


def test_create_in_a_missing_namespace(api: RawClient) -> None:
    reply = api.post(maps("no-such-namespace"), {"metadata": {"name": "x"}})
    assert (reply.code, reply.reason) == (404, "NotFound")
    assert reply.body["message"] == 'namespaces "no-such-namespace" not found'


def test_get_a_missing_object(api: RawClient, namespace: str) -> None:
    reply = api.get(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/none")
    assert (reply.code, reply.reason) == (404, "NotFound")
    assert reply.body["message"] == 'leases.coordination.k8s.io "none" not found'
    assert reply.body["details"] == {"name": "none", "group": "coordination.k8s.io", "kind": "leases"}


def test_a_secrets_string_data_becomes_data(api: RawClient, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/secrets"
    secret = api.post(path, {"metadata": {"name": unique()}, "stringData": {"password": "s3cret"}}).ok()
    assert base64.b64decode(secret["data"]["password"]) == b"s3cret"
    assert "stringData" not in secret
    assert secret["type"] == "Opaque"


def test_events_are_the_same_in_both_groups(api: RawClient, namespace: str) -> None:
    name = unique("event")
    body = {
        "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": namespace},
        "reason": "Tested",
        "message": "hello",
        "type": "Normal",
    }
    api.post(f"/api/v1/namespaces/{namespace}/events", body).ok()
    other = api.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events/{name}").ok()
    assert other["note"] == "hello"
    assert other["regarding"]["name"] == "p"
    chosen = api.get(f"/api/v1/namespaces/{namespace}/events", fieldSelector="involvedObject.name=p").ok()
    assert [item["metadata"]["name"] for item in chosen["items"]] == [name]


# --- update -----------------------------------------------------------------------------------------------


def test_update_with_a_stale_version_conflicts(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace, a="1")
    newer = api.put(path_of(found), {**found, "data": {"a": "2"}})
    assert int(newer.version) > int(found["metadata"]["resourceVersion"])
    reply = api.put(path_of(found), {**found, "data": {"a": "3"}})
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert "the object has been modified" in reply.body["message"]
    assert api.get(path_of(found)).ok()["data"] == {"a": "2"}


def test_update_without_a_version_overwrites_a_config_map(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace, a="1")
    body = {"metadata": {"name": found["metadata"]["name"]}, "data": {"b": "2"}}
    assert api.put(path_of(found), body).ok()["data"] == {"b": "2"}


def test_update_without_a_version_is_refused_for_custom_resources(api: RawClient, widgets: str) -> None:
    name = unique()
    api.post(widgets, widget(name, size=1)).ok()
    reply = api.put(f"{widgets}/{name}", widget(name, size=2))
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert reply.causes == [("FieldValueInvalid", "metadata.resourceVersion")]


def test_update_of_the_wrong_object(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace)
    meta = found["metadata"]
    assert api.put(path_of(found), {**found, "metadata": {**meta, "name": "other"}}).code == 400
    other_uid = {**meta, "uid": str(uuid.uuid4())}
    assert api.put(path_of(found), {**found, "metadata": other_uid}).code == 409
    assert api.put(maps(namespace, "none"), {"metadata": {"name": "none"}}).code == 404


def test_an_update_that_changes_nothing_keeps_the_version(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace, a="1")
    assert api.put(path_of(found), found).version == found["metadata"]["resourceVersion"]


def test_put_creates_a_lease(api: RawClient, namespace: str) -> None:
    name = unique()
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
    lease = {"metadata": {"name": name}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}}
    assert api.put(path, lease).code == 201
    assert api.get(path).ok()["spec"]["holderIdentity"] == "me"


# --- patch ------------------------------------------------------------------------------------------------


def test_merge_patch_deletes_with_null(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace, a="1", b="2")
    assert api.patch(path_of(found), {"data": {"a": None, "c": "3"}}).ok()["data"] == {"b": "2", "c": "3"}


def test_a_patch_that_carries_a_version_is_a_lock(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace, a="1")
    stale = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}, "data": {"a": "2"}}
    api.patch(path_of(found), stale).ok()
    reply = api.patch(path_of(found), {**stale, "data": {"a": "3"}})
    assert (reply.code, reply.reason) == (409, "Conflict")


def test_json_patch_is_all_or_nothing(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace, a="1")
    good = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "add", "path": "/data/b", "value": "2"}]
    assert api.patch(path_of(found), good, JSON).ok()["data"] == {"a": "1", "b": "2"}
    bad = [{"op": "remove", "path": "/data/b"}, {"op": "test", "path": "/data/a", "value": "9"}]
    reply = api.patch(path_of(found), bad, JSON)
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert api.get(path_of(found)).ok()["data"] == {"a": "1", "b": "2"}


def test_patches_that_cannot_be(api: RawClient, namespace: str, widgets: str) -> None:
    found = config_map(api, namespace, a="1")
    assert api.patch(maps(namespace, "none"), {"data": {}}).code == 404
    assert api.patch(path_of(found), {}, "application/json").code == 415
    assert api.patch(path_of(found), b"[nonsense", JSON).code == 400
    name = unique()
    api.post(widgets, widget(name, size=1)).ok()
    reply = api.patch(f"{widgets}/{name}", {"spec": {"size": 2}}, STRATEGIC)
    assert (reply.code, reply.reason) == (415, "UnsupportedMediaType")


def test_strategic_merge_merges_conditions_and_replaces_taints(api: RawClient, node: Document) -> None:
    path = f"/api/v1/nodes/{node['metadata']['name']}"

    def condition(kind: str, status: str) -> Document:
        return {"status": {"conditions": [{"type": kind, "status": status}]}}

    api.patch(f"{path}/status", condition("Drained", "False"), STRATEGIC).ok()
    api.patch(f"{path}/status", condition("Ready", "True"), STRATEGIC).ok()
    found = api.patch(f"{path}/status", condition("Drained", "True"), STRATEGIC).ok()
    assert {c["type"]: c["status"] for c in found["status"]["conditions"]} == {
        "Drained": "True",
        "Ready": "True",
    }

    def taint(key: str) -> Document:
        return {"spec": {"taints": [{"key": key, "effect": "PreferNoSchedule"}]}}

    api.patch(path, taint("one"), STRATEGIC).ok()
    taints = api.patch(path, taint("two"), STRATEGIC).ok()["spec"]["taints"]
    assert "one" not in [t["key"] for t in taints]


def test_labels_by_strategic_merge(api: RawClient, node: Document) -> None:
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    patch = {"metadata": {"labels": {"enable-bgp": "false", "more": "x"}}}
    assert api.patch(path, patch, STRATEGIC).ok()["metadata"]["labels"]["enable-bgp"] == "false"
    patch = {"metadata": {"labels": {"enable-bgp": None}}}
    assert "enable-bgp" not in api.patch(path, patch, STRATEGIC).ok()["metadata"]["labels"]


# --- server-side apply ------------------------------------------------------------------------------------


def apply_map(name: str, **data: str) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_apply_creates_updates_and_removes_what_is_left_out(api: RawClient, namespace: str) -> None:
    name = unique()
    path = maps(namespace, name)
    first = api.patch(path, apply_map(name, a="1", b="2"), APPLY, fieldManager="one")
    assert first.code == 201
    entry = first.body["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"]) == ("one", "Apply")
    assert {"f:a", "f:b"} <= entry["fieldsV1"]["f:data"].keys()
    second = api.patch(path, apply_map(name, a="3"), APPLY, fieldManager="one")
    assert second.code == 200
    assert second.body["data"] == {"a": "3"}


def test_apply_conflicts_unless_forced(api: RawClient, namespace: str) -> None:
    name = unique()
    path = maps(namespace, name)
    api.patch(path, apply_map(name, a="1", b="1"), APPLY, fieldManager="one").ok()
    api.patch(path, apply_map(name, a="1"), APPLY, fieldManager="two").ok()
    reply = api.patch(path, apply_map(name, a="2"), APPLY, fieldManager="two")
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert reply.causes == [("FieldManagerConflict", ".data.a")]
    forced = api.patch(path, apply_map(name, a="2"), APPLY, fieldManager="two", force="true").ok()
    assert forced["data"] == {"a": "2", "b": "1"}


def test_apply_needs_a_field_manager(api: RawClient, namespace: str) -> None:
    reply = api.patch(maps(namespace, "x"), apply_map("x"), APPLY)
    assert reply.code in {400, 422}


def test_apply_reads_yaml(api: RawClient, namespace: str) -> None:
    name = unique()
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  a: 'yes'\n"
    found = api.patch(maps(namespace, name), text.encode(), APPLY, fieldManager="one").ok()
    assert found["data"] == {"a": "yes"}

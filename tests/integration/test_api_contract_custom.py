"""Contract, continued: status and generation, custom resources, tables."""

from __future__ import annotations

import pytest

from tests.support.apiserver import APPLY, TABLE, Document, RawClient
from tests.support.contract import (
    CRD,
    GROUP,
    api,
    config_map,
    define,
    maps,
    names,
    namespace,
    node,
    undefine,
    unique,
    widget,
    widgets,
)
from tests.support.wait import eventually

__all__ = ["api", "namespace", "node", "widgets"]  # fixtures
pytestmark = pytest.mark.integration


# --- status and generation --------------------------------------------------------------------------------


def test_status_and_spec_are_walled_off(api: RawClient, widgets: str) -> None:
    name = unique()
    body = {**widget(name, size=1), "status": {"phase": "Forged"}}
    created = api.post(widgets, body).ok()
    assert "status" not in created
    assert created["metadata"]["generation"] == 1
    path = f"{widgets}/{name}"
    reported = api.patch(f"{path}/status", {"status": {"phase": "Good"}, "spec": {"size": 9}}).ok()
    assert (reported["status"], reported["spec"]["size"]) == ({"phase": "Good"}, 1)
    assert reported["metadata"]["generation"] == 1
    changed = api.patch(path, {"status": {"phase": "Bad"}, "spec": {"size": 2}}).ok()
    assert (changed["status"], changed["spec"]["size"]) == ({"phase": "Good"}, 2)
    assert changed["metadata"]["generation"] == 2
    labelled = api.patch(path, {"metadata": {"labels": {"a": "b"}}}).ok()
    assert labelled["metadata"]["generation"] == 2
    assert api.get(f"{path}/status").ok() == labelled


def test_applying_a_status(api: RawClient, widgets: str) -> None:
    name = unique()
    api.post(widgets, widget(name, size=1)).ok()
    body = {**widget(name, size=9), "status": {"phase": "Good"}}
    found = api.patch(f"{widgets}/{name}/status", body, APPLY, fieldManager="reporter").ok()
    assert (found["status"], found["spec"]["size"]) == ({"phase": "Good"}, 1)
    body["status"] = {"ready": True}
    found = api.patch(f"{widgets}/{name}/status", body, APPLY, fieldManager="reporter").ok()
    assert found["status"] == {"ready": True}
    found = api.patch(f"{widgets}/{name}", body, APPLY, fieldManager="writer", force="true").ok()
    assert (found["status"], found["spec"]["size"]) == ({"ready": True}, 9)


def test_a_custom_resource_says_what_it_is(api: RawClient, widgets: str) -> None:
    for missing in ("kind", "apiVersion"):
        body = widget(unique(), size=1)
        del body[missing]
        assert api.post(widgets, body).code == 400


def test_replacing_a_status(api: RawClient, widgets: str) -> None:
    name = unique()
    created = api.post(widgets, widget(name, size=1)).ok()
    body = {**created, "spec": {"size": 5}, "status": {"phase": "Good"}}
    reported = api.put(f"{widgets}/{name}/status", body).ok()
    assert (reported["status"], reported["spec"]["size"]) == ({"phase": "Good"}, 1)
    stale = api.put(f"{widgets}/{name}/status", {**body, "status": {"phase": "Bad"}})
    assert (stale.code, stale.reason) == (409, "Conflict")


def test_a_nodes_status_is_walled_off(api: RawClient, node: Document) -> None:
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    condition = {"type": "Ready", "status": "True", "reason": "Test"}
    changed = api.patch(path, {"spec": {"unschedulable": True}, "status": {"conditions": [condition]}}).ok()
    assert changed["spec"]["unschedulable"] is True
    assert not changed["status"].get("conditions")
    assert "generation" not in changed["metadata"]


# --- custom resources -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({}, [("FieldValueRequired", "spec.size")]),
        ({"size": 0}, [("FieldValueInvalid", "spec.size")]),
        ({"size": 11}, [("FieldValueInvalid", "spec.size")]),
        ({"size": "big"}, [("FieldValueTypeInvalid", "spec.size")]),
        ({"size": 1, "colour": "blue"}, [("FieldValueNotSupported", "spec.colour")]),
        ({"size": 1, "tag": "UPPER"}, [("FieldValueInvalid", "spec.tag")]),
        ({"size": 1, "tag": "toolong"}, [("FieldValueTooLong", "spec.tag")]),
        ({"size": 1, "ports": [1, 2, 3]}, [("FieldValueTooMany", "spec.ports")]),
        ({"size": 1, "ports": ["x"]}, [("FieldValueTypeInvalid", "spec.ports[0]")]),
        ({"size": 1, "limit": True}, [("FieldValueTypeInvalid", "spec.limit")]),
        ({"size": 1, "labels": {"a": 1}}, [("FieldValueTypeInvalid", "spec.labels.a")]),
        (
            {"size": 0, "colour": "blue"},
            [("FieldValueInvalid", "spec.size"), ("FieldValueNotSupported", "spec.colour")],
        ),
    ],
)
def test_a_schema_is_enforced(
    api: RawClient, widgets: str, spec: Document, causes: list[tuple[str, str]]
) -> None:
    reply = api.post(widgets, widget("refused", **spec))
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert sorted(reply.causes) == sorted(causes)
    assert reply.body["message"].startswith(f'Widget.{GROUP} "refused" is invalid: ')
    assert api.get(f"{widgets}/refused").code == 404


def test_a_patch_must_satisfy_the_schema_too(api: RawClient, widgets: str) -> None:
    name = unique()
    api.post(widgets, widget(name, size=1)).ok()
    assert api.patch(f"{widgets}/{name}", {"spec": {"size": 99}}).code == 422
    assert api.get(f"{widgets}/{name}").ok()["spec"]["size"] == 1


def test_defaults_are_filled_in_and_unknown_fields_pruned(api: RawClient, widgets: str) -> None:
    spec = {"size": 1, "unknown": 1, "extra": {"kept": {"deep": 1}}, "limit": "5%"}
    found = api.post(widgets, widget(unique(), **spec)).ok()["spec"]
    assert found == {"size": 1, "colour": "red", "extra": {"kept": {"deep": 1}}, "limit": "5%"}


def test_strict_validation_refuses_unknown_fields(api: RawClient, widgets: str) -> None:
    reply = api.post(widgets, widget("strict", size=1, unknown=1), fieldValidation="Strict")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert 'unknown field "spec.unknown"' in reply.body["message"]


def test_a_crd_is_established_and_discovered(api: RawClient, widgets: str) -> None:
    crd = api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{GROUP}").ok()
    assert crd["status"]["acceptedNames"]["kind"] == "Widget"
    listed = {r["name"]: r for r in api.get(f"/apis/{GROUP}/v1").ok()["resources"]}
    assert listed["widgets"]["shortNames"] == ["wdg"]
    assert listed["widgets/status"]["kind"] == "Widget"


def test_a_crd_begins_without_conditions_and_ends_a_while_after_its_deletion(api: RawClient) -> None:
    names = {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"}
    crd = {**CRD, "metadata": {"name": f"gadgets.{GROUP}"}, "spec": {**CRD["spec"], "names": names}}
    path = f"/apis/{GROUP}/v1/gadgets"
    assert define(api, crd)["status"]["conditions"] is None
    eventually(lambda: api.get(path).code == 200)
    gadget = {**widget(unique(), size=1), "kind": "Gadget"}
    eventually(lambda: api.post(path, gadget).code == 201)
    undefine(api, crd)
    assert api.get(path).code == 404
    define(api, crd)
    eventually(lambda: api.get(path).code == 200)
    assert api.get(path).ok()["items"] == []
    undefine(api, crd)


def test_a_crd_whose_name_does_not_fit(api: RawClient) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    reply = api.post(path, {**CRD, "metadata": {"name": "wrong.example.com"}})
    assert (reply.code, reply.reason) == (422, "Invalid")


# --- tables and metadata ----------------------------------------------------------------------------------


def test_tables(api: RawClient, node: Document, widgets: str) -> None:
    path = f"/api/v1/nodes/{node['metadata']['name']}"
    table = api.request("GET", path, None, {"Accept": TABLE}).ok()
    assert table["kind"] == "Table"
    columns = [column["name"] for column in table["columnDefinitions"]]
    assert columns[:5] == ["Name", "Status", "Roles", "Age", "Version"]
    row = table["rows"][0]
    assert row["cells"][0] == node["metadata"]["name"]
    assert row["object"]["kind"] == "PartialObjectMetadata"
    name = unique()
    api.post(widgets, widget(name, size=7)).ok()
    condition = {"type": "Ready", "status": "True"}
    api.patch(f"{widgets}/{name}/status", {"status": {"conditions": [condition]}}).ok()
    table = api.request("GET", f"{widgets}/{name}", None, {"Accept": TABLE}).ok()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Ready"]
    assert table["rows"][0]["cells"] == [name, 7, "True"]


def test_metadata_only(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace, a="1")
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    listed = api.request("GET", maps(namespace), None, accept).ok()
    assert listed["kind"] == "PartialObjectMetadataList"
    assert found["metadata"]["name"] in names(listed)
    assert not any("data" in item for item in listed["items"])

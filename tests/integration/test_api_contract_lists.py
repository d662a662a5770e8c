"""Contract, continued: lists and watches."""

from __future__ import annotations

import pytest

from tests.support.apiserver import Document, RawClient
from tests.support.contract import (
    NO_NODE,
    api,
    config_map,
    maps,
    names,
    namespace,
    node,
    path_of,
    pod,
    unique,
    widget,
    widgets,
)

__all__ = ["api", "namespace", "node", "widgets"]  # fixtures
pytestmark = pytest.mark.integration


# --- lists ------------------------------------------------------------------------------------------------


def test_items_of_builtin_kinds_come_without_kind(api: RawClient, namespace: str, widgets: str) -> None:
    config_map(api, namespace)
    listed = api.get(maps(namespace)).ok()
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert not any("kind" in item for item in listed["items"])
    api.post(widgets, widget(unique(), size=1)).ok()
    listed = api.get(widgets).ok()
    assert listed["kind"] == "WidgetList"
    assert all(item["kind"] == "Widget" for item in listed["items"])


def test_pages_show_one_moment(api: RawClient, namespace: str) -> None:
    label = {"page": unique()}
    query = {"labelSelector": f"page={label['page']}", "limit": 2}
    made = sorted(config_map(api, namespace, label)["metadata"]["name"] for _ in range(5))
    first = api.get(maps(namespace), **query).ok()
    api.delete(maps(namespace, made[4])).ok()
    config_map(api, namespace, label)
    second = api.get(maps(namespace), **query, **{"continue": first["metadata"]["continue"]}).ok()
    third = api.get(maps(namespace), **query, **{"continue": second["metadata"]["continue"]}).ok()
    assert names(first) + names(second) + names(third) == made
    assert not third["metadata"].get("continue")
    versions = {page["metadata"]["resourceVersion"] for page in (first, second, third)}
    assert len(versions) == 1


def test_a_page_says_how_many_remain(api: RawClient, namespace: str) -> None:
    for _ in range(3):
        config_map(api, namespace)
    total = len(api.get(maps(namespace)).ok()["items"])
    assert api.get(maps(namespace), limit=1).ok()["metadata"]["remainingItemCount"] == total - 1


def test_a_forged_continue_token(api: RawClient, namespace: str) -> None:
    assert api.get(maps(namespace), **{"limit": 1, "continue": "nonsense"}).code == 400


@pytest.fixture(scope="module")
def labelled(api: RawClient, namespace: str) -> str:
    """A mark that three config maps carry: a=1, a=2, and one without a."""
    mark = unique()
    for labels in ({"a": "1", "b": "x"}, {"a": "2"}, {"c": ""}):
        config_map(api, namespace, {"mark": mark, **labels}, which=labels.get("a", "none"))
    return mark


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("a=1", {"1"}),
        ("a==2", {"2"}),
        ("a!=1", {"2", "none"}),
        ("a in (1, 2)", {"1", "2"}),
        ("a notin (1)", {"2", "none"}),
        ("a", {"1", "2"}),
        ("!a", {"none"}),
        ("a,b=x", {"1"}),
        ("c=", {"none"}),
        ("a in (3)", set()),
    ],
)
def test_label_selectors(
    api: RawClient, namespace: str, labelled: str, selector: str, expected: set[str]
) -> None:
    listed = api.get(maps(namespace), labelSelector=f"mark={labelled},{selector}").ok()
    assert {item["data"]["which"] for item in listed["items"]} == expected


def test_a_label_selector_that_does_not_parse(api: RawClient, namespace: str) -> None:
    assert api.get(maps(namespace), labelSelector="a in (").code == 400


def test_field_selectors(api: RawClient, namespace: str, node: Document) -> None:
    here, there = pod(api, namespace), pod(api, namespace, node="")
    path = f"/api/v1/namespaces/{namespace}/pods"
    by_node = names(api.get(path, fieldSelector=f"spec.nodeName={NO_NODE}").ok())
    assert here["metadata"]["name"] in by_node
    assert there["metadata"]["name"] not in by_node
    by_name = api.get("/api/v1/pods", fieldSelector=f"metadata.name={here['metadata']['name']}").ok()
    assert names(by_name) == [here["metadata"]["name"]]
    elsewhere = names(api.get("/api/v1/pods", fieldSelector=f"metadata.namespace!={namespace}").ok())
    assert here["metadata"]["name"] not in elsewhere
    node_name = node["metadata"]["name"]
    assert node_name in names(api.get("/api/v1/nodes", fieldSelector="spec.unschedulable=false").ok())
    reply = api.get(path, fieldSelector="spec.nonsense=1")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert "field label not supported: spec.nonsense" in reply.body["message"]


def test_a_version_from_the_future_times_out(api: RawClient, namespace: str) -> None:
    version = int(api.get(maps(namespace)).version)
    reply = api.get(maps(namespace), resourceVersion=version + 10_000_000)
    assert (reply.code, reply.reason) == (504, "Timeout")


def test_a_list_at_version_zero(api: RawClient, namespace: str) -> None:
    config_map(api, namespace)
    assert api.get(maps(namespace), resourceVersion=0).ok()["items"]


# --- watches ----------------------------------------------------------------------------------------------


def test_a_watch_goes_on_from_a_version(api: RawClient, namespace: str) -> None:
    before = config_map(api, namespace, a="1")
    version = api.get(maps(namespace)).version
    found = config_map(api, namespace, a="1")
    api.patch(path_of(found), {"data": {"a": "2"}}).ok()
    api.delete(path_of(found)).ok()
    events = list(api.watch(maps(namespace), timeout=1, resourceVersion=version))
    assert [kind for kind, _ in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert [each["data"]["a"] for _, each in events] == ["1", "2", "2"]
    assert before["metadata"]["name"] not in [each["metadata"]["name"] for _, each in events]
    versions = [int(each["metadata"]["resourceVersion"]) for _, each in events]
    assert versions == sorted(set(versions))
    assert all(each["kind"] == "ConfigMap" for _, each in events)


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}])
def test_a_watch_from_nowhere_begins_with_what_there_is(
    api: RawClient, namespace: str, query: Document
) -> None:
    name = config_map(api, namespace)["metadata"]["name"]
    events = list(api.watch(maps(namespace), timeout=1, **query))
    assert {kind for kind, _ in events} == {"ADDED"}
    assert name in [each["metadata"]["name"] for _, each in events]


def test_a_watch_of_one_object(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace)
    version = api.get(maps(namespace)).version
    config_map(api, namespace)
    api.patch(path_of(found), {"data": {"a": "1"}}).ok()
    query = {"fieldSelector": f"metadata.name={found['metadata']['name']}", "resourceVersion": version}
    assert [kind for kind, _ in api.watch(maps(namespace), timeout=1, **query)] == ["MODIFIED"]


def test_a_watch_sees_objects_enter_and_leave_its_selection(api: RawClient, namespace: str) -> None:
    mark = unique()
    version = api.get(maps(namespace)).version
    found = config_map(api, namespace, {"other": mark}, a="1")
    api.patch(path_of(found), {"metadata": {"labels": {"mark": mark}}}).ok()
    api.patch(path_of(found), {"data": {"a": "2"}}).ok()
    left = api.patch(path_of(found), {"metadata": {"labels": {"mark": None}}})
    api.delete(path_of(found)).ok()
    query = {"labelSelector": f"mark={mark}", "resourceVersion": version}
    events = list(api.watch(maps(namespace), timeout=1, **query))
    assert [kind for kind, _ in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[2][1]["metadata"]["resourceVersion"] == left.version
    assert events[2][1]["metadata"]["labels"]["mark"] == mark


def test_bookmarks_carry_a_version_and_nothing_else(api: RawClient, namespace: str) -> None:
    """And there is none while nothing happened that the watch did not see: a new version has to be told."""
    version = api.get(maps(namespace)).version
    elsewhere = config_map(api, namespace)
    query = {"allowWatchBookmarks": "true", "resourceVersion": version, "labelSelector": f"a={unique()}"}
    events = list(api.watch(maps(namespace), timeout=3, **query))
    assert {kind for kind, _ in events} == {"BOOKMARK"}
    bookmark = events[-1][1]
    assert bookmark["kind"] == "ConfigMap"
    assert int(bookmark["metadata"]["resourceVersion"]) >= int(elsewhere["metadata"]["resourceVersion"])


def test_without_asking_there_are_no_bookmarks(api: RawClient, namespace: str) -> None:
    version = api.get(maps(namespace)).version
    events = list(api.watch(maps(namespace), timeout=3, resourceVersion=version))
    assert "BOOKMARK" not in [kind for kind, _ in events]

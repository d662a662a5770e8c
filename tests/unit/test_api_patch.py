"""bgpctl.lab.api.patch: the patch types on plain documents."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.lab.api import patch

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text("abc/~", max_size=3)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)
documents = st.dictionaries(st.text("ab/~", max_size=2), values, max_size=4)


# RFC 7386, appendix A: every example of the RFC.
@pytest.mark.parametrize(
    ("target", "change", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_as_the_rfc_says(target: Any, change: Any, expected: Any) -> None:
    assert patch.merge(target, change) == expected


@given(documents, documents)
def test_a_merge_patch_twice_is_once(target: Any, change: Any) -> None:
    once = patch.merge(target, change)
    assert patch.merge(once, change) == once


@given(documents, documents)
def test_patches_leave_their_arguments_alone(target: Any, change: Any) -> None:
    before = copy.deepcopy((target, change))
    patch.merge(target, change)
    patch.strategic(target, change)
    assert (target, change) == before


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/c", "value": 1}, {"a": [1, 2], "b": {"x/y": 1}, "c": 1}),
        ({"op": "add", "path": "/a/1", "value": 9}, {"a": [1, 9, 2], "b": {"x/y": 1}}),
        ({"op": "add", "path": "/a/-", "value": 9}, {"a": [1, 2, 9], "b": {"x/y": 1}}),
        ({"op": "replace", "path": "/b/x~1y", "value": 2}, {"a": [1, 2], "b": {"x/y": 2}}),
        ({"op": "remove", "path": "/a/0"}, {"a": [2], "b": {"x/y": 1}}),
        ({"op": "test", "path": "/b", "value": {"x/y": 1}}, {"a": [1, 2], "b": {"x/y": 1}}),
        ({"op": "test", "path": "/none", "value": None}, {"a": [1, 2], "b": {"x/y": 1}}),
        ({"op": "move", "from": "/a/0", "path": "/c"}, {"a": [2], "b": {"x/y": 1}, "c": 1}),
        ({"op": "copy", "from": "/b", "path": "/c"}, {"a": [1, 2], "b": {"x/y": 1}, "c": {"x/y": 1}}),
    ],
)
def test_json_patch_operations(operation: Any, expected: Any) -> None:
    assert patch.json_patch({"a": [1, 2], "b": {"x/y": 1}}, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/a", "value": True},
        {"op": "test", "path": "/none", "value": 1},
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "replace", "path": "/list/1", "value": 1},
        {"op": "add", "path": "/list/5", "value": 1},
        {"op": "add", "path": "/a/b", "value": 1},
        {"op": "add", "path": "/none/b", "value": 1},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": 1},
    ],
)
def test_json_patches_that_do_not_apply(operation: Any) -> None:
    with pytest.raises(patch.PatchError) as caught:
        patch.json_patch({"a": 1, "list": [0]}, [operation])
    assert not isinstance(caught.value, patch.MalformedPatch)


@pytest.mark.parametrize(
    "operations",
    [
        {},
        [1],
        [{"op": "jump", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": "/a"}],
    ],
)
def test_what_is_no_json_patch(operations: Any) -> None:
    with pytest.raises(patch.MalformedPatch):
        patch.json_patch({"a": 1}, operations)


@given(documents)
def test_a_document_can_be_moved_into_itself_by_json_patch(document: Any) -> None:
    operations = [{"op": "add", "path": f"/{patch_key(k)}", "value": v} for k, v in document.items()]
    assert patch.json_patch({}, operations) == document


def patch_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# --- strategic --------------------------------------------------------------------------------------------


def test_lists_merge_by_their_key() -> None:
    pod = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}
    change = {"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}}
    merged = patch.strategic(pod, change)["spec"]["containers"]
    assert merged == [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}, {"name": "c", "image": "3"}]


def test_the_same_name_has_another_key_in_another_place() -> None:
    container = {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 1, "name": "x"}]}]}}
    change = {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 2}]}]}}
    assert len(patch.strategic(container, change)["spec"]["containers"][0]["ports"]) == 2
    service = {"spec": {"ports": [{"port": 80, "name": "x"}]}}
    merged = patch.strategic(service, {"spec": {"ports": [{"port": 80, "name": "y"}, {"port": 81}]}})
    assert merged["spec"]["ports"] == [{"port": 80, "name": "y"}, {"port": 81}]
    endpoint_slice = {"ports": [{"port": 80}]}
    assert patch.strategic(endpoint_slice, {"ports": [{"port": 81}]})["ports"] == [{"port": 81}]


@pytest.mark.parametrize("field", ["taints", "tolerations"])
def test_atomic_lists_are_replaced(field: str) -> None:
    change = {"spec": {field: [{"key": "b"}]}}
    assert patch.strategic({"spec": {field: [{"key": "a"}]}}, change) == change


def test_finalizers_merge_as_a_set() -> None:
    merged = patch.strategic({"metadata": {"finalizers": ["a"]}}, {"metadata": {"finalizers": ["b", "a"]}})
    assert merged["metadata"]["finalizers"] == ["a", "b"]


def test_directives() -> None:
    node = {"status": {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "True"}]}}
    removed = patch.strategic(node, {"status": {"conditions": [{"type": "A", "$patch": "delete"}]}})
    assert [c["type"] for c in removed["status"]["conditions"]] == ["B"]
    ordered = {
        "$setElementOrder/conditions": [{"type": "C"}, {"type": "A"}],
        "conditions": [{"type": "C", "status": "True"}],
    }
    merged = patch.strategic(node, {"status": ordered})["status"]["conditions"]
    assert [c["type"] for c in merged] == ["C", "A", "B"]
    replaced = patch.strategic({"spec": {"a": 1, "b": 2}}, {"spec": {"$patch": "replace", "c": 3}})
    assert replaced == {"spec": {"c": 3}}
    deleted = patch.strategic({"spec": {"a": 1}, "x": 1}, {"spec": {"$patch": "delete"}})
    assert deleted == {"x": 1}
    retained = patch.strategic(
        {"strategy": {"type": "A", "rolling": 1}}, {"strategy": {"$retainKeys": ["type"], "type": "B"}}
    )
    assert retained == {"strategy": {"type": "B"}}
    primitives = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert patch.strategic({"metadata": {"finalizers": ["a", "b"]}}, primitives)["metadata"] == {
        "finalizers": ["b"]
    }


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(patch.MalformedPatch, match="merge key: name"):
        patch.strategic({}, {"spec": {"containers": [{"image": "x"}]}})

"""bgpctl.lab.api.apply: server-side apply on plain documents."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.lab.api import apply
from bgpctl.lab.api.resources import Registry
from bgpctl.lab.api.status import ApiError

NOW = "2026-11-28T00:00:00Z"
PODS = Registry().by_plural("pods")


def pod(**containers: str) -> Any:
    """A configuration of name=image containers."""
    listed = [{"name": name, "image": image} for name, image in containers.items()]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": listed}}


def images(document: Any) -> dict[str, str]:
    return {c["name"]: c["image"] for c in document["spec"]["containers"]}


def managers(document: Any) -> dict[str, Any]:
    return {e["manager"]: e["fieldsV1"] for e in document["metadata"]["managedFields"]}


def put(old: Any, body: Any, manager: str, force: bool = False) -> Any:
    return apply.applied(PODS, old, body, manager, NOW, force=force)


def test_field_sets_name_list_items_by_their_key() -> None:
    fields = apply.field_set(pod(a="1"))
    item = {".": {}, "f:name": {}, "f:image": {}}
    assert fields == {"f:spec": {"f:containers": {'k:{"name":"a"}': item}}}


def test_what_is_left_out_goes_and_what_others_set_stays() -> None:
    first = put(None, pod(a="1", b="1"), "one")
    both = put(first, pod(b="1", c="1"), "two")
    assert images(both) == {"a": "1", "b": "1", "c": "1"}
    left = put(both, pod(), "one")
    assert images(left) == {"b": "1", "c": "1"}
    assert images(put(left, pod(), "two")) == {}


def test_a_differing_value_conflicts_until_forced() -> None:
    first = put(None, pod(a="1"), "one")
    with pytest.raises(ApiError) as refused:
        put(first, pod(a="2"), "two")
    assert refused.value.code == 409
    assert refused.value.document()["details"]["causes"][0]["message"] == 'conflict with "one"'
    forced = put(first, pod(a="2"), "two", force=True)
    assert images(forced) == {"a": "2"}
    assert "f:image" not in managers(forced)["one"]["f:spec"]["f:containers"]['k:{"name":"a"}']
    # The one who lost the field no longer takes it back by leaving it out.
    assert images(put(forced, pod(), "one")) == {"a": "2"}


def test_the_same_value_is_shared() -> None:
    shared = put(put(None, pod(a="1"), "one"), pod(a="1"), "two")
    assert managers(shared)["one"] == managers(shared)["two"]


def test_applying_the_same_again_changes_nothing() -> None:
    first = put(None, pod(a="1"), "one")
    assert put(first, pod(a="1"), "one") == first


@pytest.mark.parametrize(
    ("body", "manager", "code"),
    [
        ([], "m", 400),
        ({"kind": "Pod"}, "m", 400),
        (pod(), "", 422),
        ({**pod(), "metadata": {"name": "other"}}, "m", 400),
        ({**pod(), "metadata": {"name": "p", "managedFields": [{"manager": "x"}]}}, "m", 400),
    ],
)
def test_what_is_no_apply(body: Any, manager: str, code: int) -> None:
    with pytest.raises(ApiError) as refused:
        apply.check(PODS, "p", body, manager)
    assert refused.value.code == code

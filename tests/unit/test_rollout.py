"""The patches that give a DaemonSet another image, and what its pods tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bgpctl.core.drain.lever import Patch, holds
from bgpctl.core.preflight.rollout import (
    ANNOTATION,
    Rollout,
    begin,
    chosen,
    end,
    outdated,
    rollout,
)
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.lab.api.patch import json_patch

Document = dict[str, Any]

OLD, NEW = "quay.io/example/speaker:v1", "quay.io/example/speaker:v2"
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


def daemon_set(*containers: tuple[str, str], strategy: Any = None, **annotations: str) -> Document:
    listed = [{"name": name, "image": image} for name, image in containers or (("speaker", OLD),)]
    metadata: Document = {"name": "bgpctl-speaker", "namespace": "bgp"}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": {"b": "2", "a": "1"}},
            "updateStrategy": ROLLING if strategy is None else strategy,
            "template": {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": listed}},
        },
    }


def applied(document: Document, patch: Patch | None) -> Document:
    """As the embedded API would, tests and all."""
    assert patch is not None and holds(document, patch.operations)
    found: Document = json_patch(document, [dict(one) for one in patch.operations])
    return found


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"matchLabels": {}},
        {"matchExpressions": [{"key": "a", "operator": "Exists"}]},
        {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["x"]}]},
    ],
)
def test_pods_that_labels_alone_do_not_tell_from_others_are_not_replaced(selector: Document) -> None:
    document = daemon_set()
    document["spec"]["selector"] = selector
    with pytest.raises(Unreadable, match="not by matchLabels alone"):
        rollout(document)


def begun(document: Document) -> Document:
    one = rollout(document)
    return applied(document, begin(one, NEW, chosen(one, NEW)))


@pytest.mark.parametrize("annotations", [{}, {"other": "stays"}])
def test_there_and_back(annotations: dict[str, str]) -> None:
    before = daemon_set(**annotations)
    during = begun(before)
    assert during["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert during["spec"]["template"]["spec"]["containers"] == [{"name": "speaker", "image": NEW}]
    assert json.loads(during["metadata"]["annotations"][ANNOTATION]) == ROLLING
    one = rollout(during)
    assert one.held and one.kept == ROLLING
    assert begin(one, NEW, chosen(one, NEW)) is None, "done twice it is the same"
    after = applied(during, end(one))
    assert after["spec"]["updateStrategy"] == ROLLING
    assert after["metadata"].get("annotations", {}) == annotations
    assert end(rollout(after)) is None


def test_gone_on_with_another_image_the_first_strategy_is_kept() -> None:
    one = rollout(begun(daemon_set()))
    patch = begin(one, "quay.io/example/speaker:v3", chosen(one, "quay.io/example/speaker:v3"))
    assert patch is not None
    assert [op["path"] for op in patch.operations if op["op"] != "test"] == [
        "/spec/template/spec/containers/0/image"
    ], "it is held already"
    again = rollout(applied(begun(daemon_set()), patch))
    assert again.kept == ROLLING and again.containers[0].image.endswith(":v3")


def test_one_that_was_on_delete_before_stays_so() -> None:
    during = begun(daemon_set(strategy={"type": "OnDelete"}))
    after = applied(during, end(rollout(during)))
    assert after["spec"]["updateStrategy"] == {"type": "OnDelete"}


@pytest.mark.parametrize(
    "changed",
    [
        daemon_set(("speaker", "quay.io/example/speaker:other")),
        daemon_set(("another", OLD)),
        daemon_set(strategy={"type": "OnDelete"}),
    ],
)
def test_what_somebody_changed_meanwhile_is_not_overwritten(changed: Document) -> None:
    one = rollout(daemon_set())
    patch = begin(one, NEW, one.containers)
    assert patch is not None and not holds(changed, patch.operations)


def test_a_strategy_that_somebody_gave_back_is_left_alone() -> None:
    during = begun(daemon_set())
    during["spec"]["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    after = applied(during, end(rollout(during)))
    assert after["spec"]["updateStrategy"]["rollingUpdate"] == {"maxSurge": 1}


@pytest.mark.parametrize(
    ("containers", "named", "places"),
    [
        ((("speaker", "x:1"),), (), [0]),
        ((("speaker", OLD), ("engine", OLD), ("sidecar", "x:1")), (), [0, 1]),
        ((("speaker", f"{OLD}@sha256:{'0' * 64}"), ("sidecar", "x:1")), (), [0]),
        ((("speaker", "x:1"), ("sidecar", "y:1")), (), []),
        ((("speaker", OLD), ("sidecar", "x:1")), ("sidecar",), [1]),
    ],
)
def test_which_containers(
    containers: tuple[tuple[str, str], ...], named: tuple[str, ...], places: list[int]
) -> None:
    assert [one.place for one in chosen(rollout(daemon_set(*containers)), NEW, named)] == places


@pytest.mark.parametrize(
    "kept",
    ["", "no JSON", "[]", "{}", '{"type": "Recreate"}', '{"type": 3}', '{"type": "OnDelete", "a": ' * 20],
)
def test_an_annotation_that_no_upgrade_wrote(kept: str) -> None:
    with pytest.raises(Unreadable):
        rollout(daemon_set(**{ANNOTATION: kept}))


def test_what_is_no_daemon_set() -> None:
    for document in (None, {}, {"metadata": {"name": "x"}, "spec": 3}, {"metadata": {"name": 3}}):
        with pytest.raises(Unreadable):
            rollout(document)


def test_its_place_and_its_pods() -> None:
    one: Rollout = rollout(daemon_set())
    assert one.path == "/apis/apps/v1/namespaces/bgp/daemonsets/bgpctl-speaker" and one.selector == "a=1,b=2"


def pod(node: Any, **images: str) -> Document:
    containers = [{"name": name, "image": image} for name, image in images.items()]
    return {"spec": {"nodeName": node, "containers": containers}}


def test_which_pods_are_old() -> None:
    pods = [
        pod("n1", speaker=NEW),
        pod("n2", speaker=OLD),
        pod("n3", speaker=NEW, sidecar="x:1"),
        pod("n4", sidecar="x:1"),
        pod("", speaker=OLD),
        pod(3, speaker=OLD),
        {"spec": None},
    ]
    assert list(outdated(pods, {"speaker": NEW})) == ["n2", "n4"]

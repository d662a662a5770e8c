"""A field by its path: found, put into a copy, and written as messages and kubectl write it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.explaining.repair import (
    SHOWN,
    Path,
    Ref,
    Repair,
    appending,
    at,
    jsonpath,
    put,
    read_path,
    repaired,
    setting,
    shown_path,
    shown_value,
)
from tests.support import objects as kit

DOCUMENT = {"a": {"b": [{"c": 1}, {"c": 2}]}, "s": "text"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ((), DOCUMENT),
        (("a", "b", 1, "c"), 2),
        (("a", "b", 2), None),
        (("a", "b", 2, "c"), None),
        (("a", "b", "c"), None),
        (("a", 0), None),
        (("s", 0), None),
        (("s", "b"), None),
        (("x", "y"), None),
    ],
)
def test_what_stands_there(path: Path, found: Any) -> None:
    assert at(DOCUMENT, path) == found


@pytest.mark.parametrize(
    ("document", "path", "value", "made"),
    [
        ({"a": 1}, (), 7, 7),
        ({"a": 1, "b": 2}, ("a",), 3, {"b": 2, "a": 3}),
        ({"a": 1, "b": 2}, ("a",), None, {"b": 2}),
        ({"a": {"b": 1}}, ("a", "b"), None, {"a": {}}),
        ({}, ("a", "b"), 1, {"a": {"b": 1}}),
        ({"a": 7}, ("a", "b"), 1, {"a": {"b": 1}}),
        ({"a": [1, 2, 3]}, ("a", 1), 9, {"a": [1, 9, 3]}),
        ({"a": [1, 2, 3]}, ("a", 1), None, {"a": [1, 3]}),
        ({"a": [1, 2]}, ("a", 2), 3, {"a": [1, 2, 3]}),
        ({"a": "text"}, ("a", 0), 3, {"a": [3]}),
        ({}, ("a", 0, "b"), 3, {"a": [{"b": 3}]}),
    ],
)
def test_a_copy_with_another_value(document: Any, path: Path, value: Any, made: Any) -> None:
    before = repr(document)
    assert put(document, path, value) == made
    assert repr(document) == before, "what was there stays as it is"


@pytest.mark.parametrize(
    ("path", "shown", "kubectl"),
    [
        ((), "", ""),
        (("spec", "ports", 0, "name"), "spec.ports[0].name", ".spec.ports[0].name"),
        (("metadata", "labels", "a.b/c"), "metadata.labels[a.b/c]", r".metadata.labels.a\.b/c"),
        (("metadata", "labels", "enable-bgp"), "metadata.labels.enable-bgp", ".metadata.labels.enable-bgp"),
        (("2x",), "[2x]", ".2x"),
    ],
)
def test_as_it_is_written(path: Path, shown: str, kubectl: str) -> None:
    assert (shown_path(path), jsonpath(path), read_path(shown)) == (shown, kubectl, path)


STEPS = st.one_of(st.integers(0, 99), st.from_regex(r"[a-z][a-z0-9./-]{0,9}", fullmatch=True))


@given(st.lists(STEPS, max_size=5).map(tuple))
def test_what_is_written_is_read_again(path: Path) -> None:
    assert read_path(shown_path(path)) == path


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "not set"),
        ("é", '"é"'),
        ({"a": [1]}, '{"a": [1]}'),
        ("x" * (SHOWN - 2), '"' + "x" * (SHOWN - 2) + '"'),
        ("x" * (SHOWN - 1), '"' + "x" * (SHOWN - 1) + "…"),
        ({1}, '"{1}"'),
    ],
)
def test_a_value_in_a_sentence(value: Any, shown: str) -> None:
    assert shown_value(value) == shown


WEB = Ref("Service", "web", "shop")


@pytest.mark.parametrize(
    ("repair", "field", "wanted", "command"),
    [
        (
            Repair(WEB, ("spec", "type"), "LoadBalancer", "ClusterIP"),
            "spec.type",
            '"LoadBalancer"',
            "kubectl get service web -n shop -o jsonpath='{.spec.type}'",
        ),
        (
            Repair(Ref("Node", "n"), ("spec", "podCIDRs", 1), None, "x"),
            "spec.podCIDRs[1]",
            "gone",
            "kubectl get node n -o jsonpath='{.spec.podCIDRs[1]}'",
        ),
        (
            Repair(WEB, ("spec", "externalIPs", 1), "x"),
            "spec.externalIPs[1]",
            '"x"',
            "kubectl get service web -n shop -o jsonpath='{.spec.externalIPs}'",
        ),
        (Repair(WEB, (), {"a": 1}, words="there"), "", "there", "kubectl get services -n shop"),
        (Repair(Ref("Node", "n"), (), {"a": 1}), "", '{"a": 1}', "kubectl get nodes"),
        (Repair(WEB, ("a",), None, shows="kubectl get pods"), "a", "gone", "kubectl get pods"),
    ],
)
def test_a_repair_in_words(repair: Repair, field: str, wanted: str, command: str) -> None:
    assert (repair.field, repair.wanted, repair.command) == (field, wanted, command)


def test_an_object_in_words() -> None:
    assert (str(WEB), str(Ref("Node", "n"))) == ("Service shop/web", "Node n")
    assert WEB.command() == "kubectl get service web -n shop -o yaml"


def test_a_field_and_an_item_of_a_document() -> None:
    service = kit.service("web", namespace="shop", externalIPs=["203.0.113.1"])
    assert setting("Service", service, ("spec", "type"), "ClusterIP") == Repair(
        WEB, ("spec", "type"), "ClusterIP", "LoadBalancer"
    )
    assert appending("Service", service, ("spec", "externalIPs"), "x", "why") == Repair(
        WEB, ("spec", "externalIPs", 1), "x", None, "why"
    )
    assert appending("Service", service, ("spec", "type"), "x").path == ("spec", "type", 0)
    assert setting("Node", {**kit.node("n")}, ("a",), 1).object == Ref("Node", "n")


def test_the_cluster_with_its_repairs() -> None:
    web, api = kit.service("web", namespace="shop"), kit.service("api", namespace="shop")
    before = ClusterObjects(node=kit.node(), policies=(), services=(web, 7, api), pod_pools=None)
    changed = setting("Service", web, ("spec", "type"), "ClusterIP")
    elsewhere = Repair(Ref("Service", "web", "other"), ("spec", "type"), "ClusterIP")
    labelled = setting("Node", kit.node(), ("metadata", "labels", "a"), "b")
    added = Repair(Ref("CiliumPodIPPool", "blue"), (), kit.pool("blue"))
    node = Repair(Ref("CiliumNode", "worker-1"), (), kit.cilium_node())
    after = repaired(before, (changed, elsewhere, labelled, added, node))
    assert [at(one, ("spec", "type")) for one in after.services] == ["ClusterIP", None, "LoadBalancer"]
    assert at(after.node, ("metadata", "labels")) == {"enable-bgp": "true", "a": "b"}
    assert after.pod_pools == (kit.pool("blue"),) and after.cilium_node == kit.cilium_node()
    again = repaired(after, (Repair(Ref("CiliumNode", "worker-1"), (), {"new": 1}),))
    assert again.cilium_node == {"new": 1}
    assert repaired(before, ()) is before

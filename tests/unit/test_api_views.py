"""The embedded API's reading side: paths, versions, watches through a selection, tables, certificates."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.lab.api import listing, routes, tables, tls, watching, wire
from bgpctl.lab.api.controllers import placement
from bgpctl.lab.api.documents import clone, sharing, timestamp
from bgpctl.lab.api.resources import Registry
from bgpctl.lab.api.routes import Target
from bgpctl.lab.api.selectors import Selection, parse_labels
from bgpctl.lab.api.status import ApiError
from bgpctl.lab.api.store import ENCODED_EVENTS, Store

REGISTRY = Registry()
NODES = REGISTRY.by_plural("nodes")
DOCUMENTS = st.recursive(
    st.sampled_from([None, 2, "x"]),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from("ab"), below, max_size=2),
)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/nodes", Target("", "v1", "nodes")),
        ("/api/v1/nodes/n1/status", Target("", "v1", "nodes", "", "n1", "status")),
        ("/api/v1/namespaces", Target("", "v1", "namespaces")),
        ("/api/v1/namespaces/d", Target("", "v1", "namespaces", "", "d")),
        ("/api/v1/namespaces/d/status", Target("", "v1", "namespaces", "", "d", "status")),
        ("/api/v1/namespaces/d/pods", Target("", "v1", "pods", "d")),
        ("/api/v1/namespaces/d/pods/p/eviction", Target("", "v1", "pods", "d", "p", "eviction")),
        (
            "/api/v1/namespaces/d/pods/https:p:9962/proxy/metrics",
            Target("", "v1", "pods", "d", "https:p:9962", "proxy"),
        ),
        ("/apis/policy/v1/namespaces/d/x", Target("policy", "v1", "x", "d")),
        ("/apis/cilium.io/v2alpha1/y/z", Target("cilium.io", "v2alpha1", "y", "", "z")),
        ("/version", None),
        ("/api/v1", None),
        ("/apis/apps/v1", None),
        ("/openapi/v3/apis/apps/v1", None),
    ],
)
def test_paths(path: str, target: Target | None) -> None:
    assert routes.target_of(path) == target


def test_a_path_that_is_too_deep() -> None:
    with pytest.raises(ApiError):
        routes.target_of("/api/v1/nodes/n1/proxy/more")


@pytest.mark.parametrize(
    ("method", "name", "query", "verb"),
    [
        ("GET", "", {}, "list"),
        ("GET", "", {"watch": "true"}, "watch"),
        ("GET", "", {"watch": ""}, "watch"),
        ("GET", "", {"watch": "false"}, "list"),
        ("GET", "x", {}, "get"),
        ("GET", "x", {"watch": "1"}, "watch"),
        ("POST", "", {}, "create"),
        ("PUT", "x", {}, "update"),
        ("PATCH", "x", {}, "patch"),
        ("DELETE", "x", {}, "delete"),
        ("DELETE", "", {}, "deletecollection"),
    ],
)
def test_verbs(method: str, name: str, query: dict[str, str], verb: str) -> None:
    assert routes.verb_of(method, Target("", "v1", "nodes", "", name), query) == verb


# --- store ------------------------------------------------------------------------------------------------


def node(name: str, **labels: str) -> Any:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def test_a_list_at_an_older_version() -> None:
    store = Store()
    store.put(NODES.key, node("a", v="1"))
    then = store.put(NODES.key, node("b")).version
    store.put(NODES.key, node("a", v="2"))
    store.remove(NODES.key, "", "b")
    store.put(NODES.key, node("c"))
    old = {
        s.document["metadata"]["name"]: s.document["metadata"]["labels"]
        for s in store.list_at(NODES.key, then)
    }
    assert old == {"a": {"v": "1"}, "b": {}}
    store.compact()
    with pytest.raises(ApiError) as expired:
        store.list_at(NODES.key, then)
    assert expired.value.code == 410


def test_a_stored_document_is_the_stores_own() -> None:
    store, mine = Store(), node("a")
    store.put(NODES.key, mine)
    mine["metadata"]["labels"]["x"] = "y"
    stored = store.get(NODES.key, "", "a")
    assert stored is not None
    assert stored.document["metadata"]["labels"] == {}
    assert "resourceVersion" not in mine["metadata"]


def test_a_history_takes_little_memory() -> None:
    """A version holds what changed. The rest is shared, and the JSON of replaced versions is let go."""
    store, spec = Store(), {"podCIDRs": ["10.0.0.0/24"], "taints": [{"key": "a"}, {"key": "b"}]}
    for number in range(ENCODED_EVENTS + 10):
        found = store.put(NODES.key, {**node("n", v=str(number)), "spec": clone(spec)})
        assert found.encoded
    now, first = store.get(NODES.key, "", "n"), store.list_at(NODES.key, 3)[0]
    assert now is not None and now.document["spec"] is first.document["spec"]
    changed = store.put(
        NODES.key, {**node("n"), "spec": {**clone(spec), "taints": [{"key": "a"}, {"key": "c"}]}}
    )
    assert changed.document["spec"]["podCIDRs"] is first.document["spec"]["podCIDRs"]
    assert changed.document["spec"]["taints"][0] is first.document["spec"]["taints"][0]
    assert now._encoded is not None and first._encoded is None
    assert json.loads(first.encoded)["metadata"]["labels"] == {"v": "1"}


@given(DOCUMENTS, DOCUMENTS)
def test_sharing_changes_nothing(new: Any, old: Any) -> None:
    text = json.dumps([new, old])
    assert sharing(new, old) == new
    assert json.dumps([new, old]) == text


def test_tokens_survive_the_way_and_forgeries_do_not() -> None:
    token = listing.Token(7, ("default", "web"))
    assert listing.parse_token(token.encode()) == token
    for forged in ("", "x", "e30", "bm9uc2Vuc2U"):
        with pytest.raises(ApiError):
            listing.parse_token(forged)


# --- watches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "seen"),
    [
        (["in"], ["ADDED"]),
        (["out"], [None]),
        (["out", "in"], [None, "ADDED"]),
        (["in", "in"], ["ADDED", "MODIFIED"]),
        (["in", "out"], ["ADDED", "DELETED"]),
        (["in", "out", "out"], ["ADDED", "DELETED", None]),
        (["in", "gone"], ["ADDED", "DELETED"]),
        (["out", "gone"], [None, None]),
        (["in", "gone", "in"], ["ADDED", "DELETED", "ADDED"]),
    ],
)
def test_events_as_seen_through_a_selection(steps: list[str], seen: list[str | None]) -> None:
    store = Store()
    subscription = store.subscribe(NODES.key)
    selection = Selection(labels=parse_labels("mark=in"))
    for count, step in enumerate(steps):
        if step == "gone":
            store.remove(NODES.key, "", "n")
        else:
            store.put(NODES.key, node("n", mark=step, count=str(count)))
    events = [subscription.queue.get_nowait() for _ in steps]
    assert [watching.translate(event, selection) for event in events if event] == seen


# --- tables -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (3599, "59m"),
        (3 * 3600, "3h"),
        (7 * 3600 + 120, "7h2m"),
        (9 * 3600 + 120, "9h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (30 * 86400, "30d"),
        (800 * 86400, "2y"),
    ],
)
def test_ages(seconds: int, text: str) -> None:
    assert tables.human_duration(seconds) == text


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.size", [3]),
        (".spec.none", []),
        (".spec.list[0].a", [1]),
        (".spec.list[-1].a", [2]),
        (".spec.list[*].a", [1, 2]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".metadata.labels['a.b/c']", ["x"]),
        (".metadata.labels.a\\.b/c", ["x"]),
    ],
)
def test_printer_columns(path: str, found: list[Any]) -> None:
    document = {
        "metadata": {"labels": {"a.b/c": "x"}},
        "spec": {"size": 3, "list": [{"a": 1}, {"a": 2}]},
        "status": {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]},
    }
    assert tables.json_path(document, path) == found


def test_a_nodes_row() -> None:
    created = timestamp(datetime.now(UTC) - timedelta(days=3))
    document = {
        "metadata": {
            "name": "n1",
            "creationTimestamp": created,
            "labels": {"node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/edge": ""},
        },
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "False"}],
            "nodeInfo": {"kubeletVersion": "v1.32.0"},
        },
    }
    assert tables.cells(NODES, document)[:5] == [
        "n1",
        "NotReady,SchedulingDisabled",
        "edge,worker",
        "3d",
        "v1.32.0",
    ]


def test_every_row_has_a_cell_for_every_column() -> None:
    bare = {"metadata": {"name": "x"}}
    for resource in REGISTRY.all():
        assert len(tables.cells(resource, bare)) == len(tables.definitions(resource)), resource.plural


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", ""),
        ("*/*", ""),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", ""),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "PartialObjectMetadata"),
        ("application/vnd.kubernetes.protobuf,application/json", ""),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", ""),
    ],
)
def test_what_accept_asks_for(accept: str, kind: str) -> None:
    assert wire.form_of(accept).kind == kind


# --- placement and certificate ----------------------------------------------------------------------------


def placed(spec: dict[str, Any], *nodes: Any) -> str | None:
    pod = {"metadata": {"name": "p"}, "spec": spec}
    return placement.choose(pod, nodes, [])


def with_spec(name: str, **spec: Any) -> Any:
    return {"metadata": {"name": name, "labels": {"name": name}}, "spec": spec}


def test_where_a_pod_may_run() -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    free, cordoned, tainted = (
        with_spec("c"),
        with_spec("a", unschedulable=True),
        with_spec("b", taints=[taint]),
    )
    dead = {**with_spec("0"), "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    assert placed({}, free, cordoned, tainted, dead) == "c"
    assert placed({}, cordoned, tainted, dead) is None
    assert placed({"tolerations": [{"operator": "Exists"}]}, cordoned, tainted) == "a"
    assert placed({"tolerations": [{"key": "k", "value": "v"}]}, tainted) == "b"
    assert placed({"tolerations": [{"key": "k", "value": "w"}]}, tainted) is None
    assert placed({"nodeSelector": {"name": "z"}}, free) is None


def test_a_certificate_is_one() -> None:
    made = tls.make("127.0.0.1")
    context = ssl.create_default_context(cadata=made.certificate)
    (found,) = context.get_ca_certs()
    assert found["subject"] == found["issuer"]
    der = ssl.PEM_cert_to_DER_cert(made.certificate)
    assert der[:1] == b"\x30"
    assert tls.make("127.0.0.1").certificate != made.certificate

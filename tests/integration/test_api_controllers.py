"""The embedded API's controllers: what follows by itself when a client changes something."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.deletion import DeleteOptions
from bgpctl.lab.api.eviction import ready
from bgpctl.lab.api.status import ApiError
from tests.support.apiserver import Document, RawClient, running
from tests.support.cluster_documents import budget, nodes, service, workload
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running(grace_cap=0.3, start_delay=0.05) as started:
        started.apply(*nodes())
        yield started


def pods(server: ApiServer, app: str = "web") -> list[Document]:
    return [p for p in server.objects("pods") if p["metadata"]["labels"].get("app") == app]


def serving(server: ApiServer, count: int, app: str = "web") -> list[Document]:
    """Wait until so many pods are ready and none is on its way."""

    def look() -> list[Document]:
        found = pods(server, app)
        good = [p for p in found if ready(p) and not p["metadata"].get("deletionTimestamp")]
        return good if len(good) == len(found) == count else []

    return eventually(look, why=f"{count} pods serve") if count else []


def places(found: list[Document]) -> dict[str, str]:
    return {p["metadata"]["name"]: p["spec"]["nodeName"] for p in found}


def delete(server: ApiServer, plural: str, name: str, namespace: str = "default", **options: Any) -> None:
    resource = server.registry.by_plural(plural)
    server.operations.delete(resource, namespace, name, DeleteOptions(**options))


def evict(server: ApiServer, name: str) -> None:
    server.operations.evict(server.registry.by_plural("pods"), "default", name, DeleteOptions())


def change(
    server: ApiServer, plural: str, name: str, edit: Callable[[Document], Any], namespace: str = ""
) -> None:
    def apply(document: Document) -> Document:
        edit(document)
        return document

    server.operations.modify(server.registry.by_plural(plural), namespace, name, apply)


def cordon(server: ApiServer, name: str, on: bool = True) -> None:
    change(server, "nodes", name, lambda n: n["spec"].update(unschedulable=on))


def test_a_deployment_spreads_its_pods(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=3))
    found = serving(server, 3)
    assert sorted(places(found).values()) == ["worker-1", "worker-2", "worker-3"]
    owner = found[0]["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["controller"]) == ("ReplicaSet", True)
    addresses = {p["spec"]["nodeName"]: p["status"]["podIP"] for p in found}
    assert addresses["worker-2"].startswith("10.244.2.")
    status = eventually(
        lambda: (server.get("deployments", "web", "default") or {})["status"].get("availableReplicas") == 3
    )
    assert status


def test_an_evicted_pod_comes_back_on_another_node(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=3))
    before = places(serving(server, 3))
    cordon(server, "worker-1")
    gone = next(name for name, node in before.items() if node == "worker-1")
    evict(server, gone)
    after = places(serving(server, 3))
    assert gone not in after
    assert set(after.values()) == {"worker-2", "worker-3"}


def test_a_pod_waits_when_no_node_takes_it(server: ApiServer) -> None:
    for n in (1, 2, 3):
        cordon(server, f"worker-{n}")
    server.apply(workload("Deployment", replicas=1))
    waiting = eventually(
        lambda: [p for p in pods(server) if p["status"].get("conditions")], why="the pod is unschedulable"
    )
    assert waiting[0]["status"]["phase"] == "Pending"
    assert waiting[0]["status"]["conditions"][0]["reason"] == "Unschedulable"
    cordon(server, "worker-2", on=False)
    assert list(places(serving(server, 1)).values()) == ["worker-2"]


def test_scaling(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=1))
    serving(server, 1)
    change(server, "deployments", "web", lambda d: d["spec"].update(replicas=4), "default")
    serving(server, 4)
    change(server, "deployments", "web", lambda d: d["spec"].update(replicas=2), "default")
    serving(server, 2)


def test_a_new_template_replaces_the_pods(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=2))
    before = set(places(serving(server, 2)))
    image = {"image": "y"}
    change(
        server,
        "deployments",
        "web",
        lambda d: d["spec"]["template"]["spec"]["containers"][0].update(image),
        "default",
    )
    eventually(
        lambda: not before & {p["metadata"]["name"] for p in pods(server)}, why="the old pods are gone"
    )
    assert all(p["spec"]["containers"][0]["image"] == "y" for p in serving(server, 2))


def test_a_daemon_set_runs_everywhere_and_comes_back_in_place(server: ApiServer) -> None:
    cordon(server, "worker-3")
    server.apply(workload("DaemonSet", "agent"))
    before = places(serving(server, 3, "agent"))
    assert sorted(before.values()) == ["worker-1", "worker-2", "worker-3"]
    gone = next(name for name, node in before.items() if node == "worker-3")
    delete(server, "pods", gone)
    eventually(lambda: gone not in places(pods(server, "agent")))
    assert sorted(places(serving(server, 3, "agent")).values()) == ["worker-1", "worker-2", "worker-3"]


def test_a_stateful_set_keeps_its_names(server: ApiServer) -> None:
    server.apply(workload("StatefulSet", "db", replicas=2))
    assert sorted(places(serving(server, 2, "db"))) == ["db-0", "db-1"]
    uid = server.get("pods", "db-0", "default")["metadata"]["uid"]  # type: ignore[index]
    evict(server, "db-0")
    eventually(
        lambda: (
            (server.get("pods", "db-0", "default") or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid
        )
    )
    assert sorted(places(serving(server, 2, "db"))) == ["db-0", "db-1"]


def test_a_deleted_pod_honours_its_grace(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=1))
    name = next(iter(places(serving(server, 1))))
    evict(server, name)
    going = server.get("pods", name, "default")
    assert going is not None
    assert going["metadata"]["deletionGracePeriodSeconds"] == 30
    eventually(lambda: server.get("pods", name, "default") is None, why="the pod has ended", deadline=3)
    name = next(iter(places(serving(server, 1))))
    delete(server, "pods", name, grace=0)
    assert server.get("pods", name, "default") is None


def test_a_pod_on_a_dead_node_hangs_until_forced(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=1))
    found = serving(server, 1)[0]
    name, node = found["metadata"]["name"], found["spec"]["nodeName"]
    dead = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    server.operations.modify(
        server.registry.by_plural("nodes"), "", node, lambda n: {**n, "status": dead}, "status"
    )
    evict(server, name)
    throughout(lambda: server.get("pods", name, "default") is not None, 0.6, why="nobody confirms its end")
    delete(server, "pods", name, grace=0)
    assert server.get("pods", name, "default") is None


def endpoints(server: ApiServer, name: str = "web") -> list[Document]:
    """All endpoints of a Service's slices."""
    label = "kubernetes.io/service-name"
    slices = [s for s in server.objects("endpointslices") if s["metadata"]["labels"].get(label) == name]
    return list(itertools.chain.from_iterable(s["endpoints"] for s in slices))


def test_endpoint_slices_follow(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=2), service())
    found = serving(server, 2)
    eventually(lambda: len(endpoints(server)) == 2, why="both pods are endpoints")
    assert {e["nodeName"] for e in endpoints(server)} == set(places(found).values())
    assert {tuple(e["addresses"]) for e in endpoints(server)} == {(p["status"]["podIP"],) for p in found}
    assert all(
        e["conditions"] == {"ready": True, "serving": True, "terminating": False} for e in endpoints(server)
    )
    assert server.objects("endpointslices")[0]["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]


def test_a_terminating_endpoint_is_seen_before_it_goes(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=1), service())
    serving(server, 1)
    eventually(lambda: len(endpoints(server)) == 1)
    subscription = server.store.subscribe(("discovery.k8s.io", "endpointslices"))
    name = pods(server)[0]["metadata"]["name"]
    evict(server, name)
    seen = []
    while not seen or any(e["targetRef"]["name"] == name for e in seen[-1]):
        event = subscription.queue.get(timeout=5)
        assert event is not None
        seen.append(event.stored.document["endpoints"])
    states = [e["conditions"] for state in seen for e in state if e["targetRef"]["name"] == name]
    assert {"ready": False, "serving": True, "terminating": True} in states


def test_a_service_without_selector_has_no_slices_of_ours(server: ApiServer) -> None:
    server.apply(service("bare", selector=None), workload("Deployment", replicas=1), service())
    serving(server, 1)
    eventually(lambda: endpoints(server))
    assert endpoints(server, "bare") == []


def test_a_budget_follows_its_pods(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=3), budget(minAvailable=2))

    def status() -> Document:
        return (server.get("poddisruptionbudgets", "web", "default") or {}).get("status", {})

    eventually(lambda: status().get("disruptionsAllowed") == 1, why="one may go")
    assert (status()["currentHealthy"], status()["desiredHealthy"], status()["expectedPods"]) == (3, 2, 3)
    for n in (1, 2, 3):
        cordon(server, f"worker-{n}")
    one, two, _ = places(serving(server, 3))
    evict(server, one)
    with pytest.raises(ApiError) as refused:
        evict(server, two)
    assert refused.value.code == 429
    eventually(lambda: status()["currentHealthy"] == 2 and status()["disruptionsAllowed"] == 0)
    cordon(server, "worker-1", on=False)
    eventually(lambda: status()["disruptionsAllowed"] == 1, why="the replacement serves")
    evict(server, two)


def test_a_cordoned_node_is_tainted(server: ApiServer) -> None:
    def taints() -> list[str]:
        return [t["key"] for t in (server.get("nodes", "worker-1") or {})["spec"].get("taints", [])]

    cordon(server, "worker-1")
    eventually(lambda: taints() == ["node.kubernetes.io/unschedulable"])
    cordon(server, "worker-1", on=False)
    eventually(lambda: taints() == [])


def test_what_was_owned_goes_with_its_owner(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=2), service())
    serving(server, 2)
    eventually(lambda: endpoints(server))
    delete(server, "deployments", "web")
    delete(server, "services", "web")
    eventually(
        lambda: not (pods(server) or server.objects("replicasets") or server.objects("endpointslices")),
        why="nothing is left of it",
    )


def test_foreground_deletion_waits_for_the_pods(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=1))
    serving(server, 1)
    delete(server, "deployments", "web", propagation="Foreground")
    assert server.get("deployments", "web", "default") is not None
    eventually(lambda: server.get("deployments", "web", "default") is None)
    assert not pods(server)


def test_orphans_stay(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=1))
    serving(server, 1)
    delete(server, "deployments", "web", propagation="Orphan")
    eventually(lambda: server.get("deployments", "web", "default") is None)
    orphan = server.objects("replicasets")[0]
    assert not orphan["metadata"].get("ownerReferences")
    serving(server, 1)


def test_a_removed_node_takes_its_pods(server: ApiServer) -> None:
    server.apply(workload("Deployment", replicas=3))
    serving(server, 3)
    delete(server, "nodes", "worker-1", "")
    eventually(lambda: set(places(serving(server, 3)).values()) == {"worker-2", "worker-3"})


def test_a_namespace_goes_with_everything_in_it(server: ApiServer) -> None:
    server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    server.apply(workload("Deployment", namespace="shop", replicas=2))
    eventually(lambda: len(server.objects("pods", "shop")) == 2)
    delete(server, "namespaces", "shop", "")
    with pytest.raises(ApiError) as refused:
        server.apply(workload("Deployment", "late", "shop", replicas=1))
    assert refused.value.code == 403
    eventually(lambda: server.get("namespaces", "shop") is None)
    assert not server.objects("pods", "shop")


def test_ten_thousand_services(server: ApiServer, tmp_path: Path) -> None:
    """About 0.4 s to list on an idle machine; the limit allows for a busy one."""
    server.apply(*[service(f"s-{n}") for n in range(10_000)])
    server.write_kubeconfig(tmp_path / "kubeconfig")
    api = RawClient(tmp_path / "kubeconfig")
    begun = time.monotonic()
    assert len(api.get("/api/v1/services").ok()["items"]) == 10_000
    assert time.monotonic() - begun < 5
    eventually(lambda: len(server.objects("endpointslices")) == 10_000, deadline=60, interval=0.5)

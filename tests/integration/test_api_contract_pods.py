"""Contract, continued: delete, dry run, and the eviction of pods."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.support.apiserver import Document, RawClient
from tests.support.contract import REAL, api, config_map, maps, namespace, path_of, pod, pod_path, unique

__all__ = ["api", "namespace"]  # fixtures
pytestmark = pytest.mark.integration


# --- delete -----------------------------------------------------------------------------------------------


def test_delete_answers_a_status(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace)
    body = api.delete(path_of(found)).ok()
    assert body["status"] == "Success"
    assert body["details"]["uid"] == found["metadata"]["uid"]
    assert api.delete(path_of(found)).code == 404


@pytest.mark.parametrize("precondition", ["uid", "resourceVersion"])
def test_delete_preconditions(api: RawClient, namespace: str, precondition: str) -> None:
    found = config_map(api, namespace)
    wrong = {"uid": str(uuid.uuid4()), "resourceVersion": "1"}[precondition]
    reply = api.delete(path_of(found), {"preconditions": {precondition: wrong}})
    assert (reply.code, reply.reason) == (409, "Conflict")
    right = found["metadata"][precondition]
    api.delete(path_of(found), {"preconditions": {precondition: right}}).ok()


def test_a_finalizer_holds_an_object(api: RawClient, namespace: str) -> None:
    meta = {"name": unique(), "finalizers": ["bgpctl.io/test"]}
    found = api.post(maps(namespace), {"metadata": meta}).ok()
    waiting = api.delete(path_of(found)).ok()
    assert waiting["metadata"]["deletionTimestamp"]
    assert api.get(path_of(found)).ok()["metadata"]["deletionGracePeriodSeconds"] == 0
    api.patch(path_of(found), {"metadata": {"finalizers": None}}).ok()
    assert api.get(path_of(found)).code == 404


def test_delete_collection(api: RawClient, namespace: str) -> None:
    mark = unique()
    gone, kept = config_map(api, namespace, {"mark": mark}), config_map(api, namespace)
    api.delete(maps(namespace), labelSelector=f"mark={mark}").ok()
    assert api.get(path_of(gone)).code == 404
    assert api.get(path_of(kept)).code == 200


def test_the_systems_namespaces_stay(api: RawClient) -> None:
    reply = api.delete("/api/v1/namespaces/kube-system")
    assert (reply.code, reply.reason) == (403, "Forbidden")


def test_method_not_allowed(api: RawClient, namespace: str) -> None:
    assert api.request("PUT", maps(namespace), {"metadata": {"name": "x"}}).code == 405


# --- dry run ----------------------------------------------------------------------------------------------


def test_a_dry_run_persists_nothing(api: RawClient, namespace: str) -> None:
    name = unique()
    made = api.post(maps(namespace), {"metadata": {"name": name}}, dryRun="All")
    assert (made.code, made.body["metadata"]["name"]) == (201, name)
    assert api.get(maps(namespace, name)).code == 404
    found = config_map(api, namespace, a="1")
    assert api.patch(path_of(found), {"data": {"a": "2"}}, dryRun="All").ok()["data"] == {"a": "2"}
    api.delete(path_of(found), dryRun="All").ok()
    assert api.get(path_of(found)).ok() == found


def test_a_dry_run_is_still_checked(api: RawClient, namespace: str) -> None:
    found = config_map(api, namespace)
    again = {"metadata": {"name": found["metadata"]["name"]}}
    assert api.post(maps(namespace), again, dryRun="All").code == 409
    assert api.post(maps(namespace), {"metadata": {"name": "x"}}, dryRun="Some").code in {400, 422}


# --- pods, deletion and eviction --------------------------------------------------------------------------


def budget(
    api: RawClient, namespace: str, labels: Document, allowed: int, healthy: int = 1, generation: int = 1
) -> str:
    """A PodDisruptionBudget with the status that its controller would write."""
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    spec = {"minAvailable": healthy - allowed, "selector": {"matchLabels": labels}}
    name = api.post(path, {"metadata": {"name": unique("pdb")}, "spec": spec}).ok()["metadata"]["name"]
    status = {
        "observedGeneration": generation,
        "currentHealthy": healthy,
        "desiredHealthy": healthy - allowed,
        "disruptionsAllowed": allowed,
        "expectedPods": healthy,
    }
    api.patch(f"{path}/{name}/status", {"status": status}).ok()
    return str(name)


def evict(api: RawClient, document: Document, options: Document | None = None) -> Any:
    body: Document = {"apiVersion": "policy/v1", "kind": "Eviction"}
    body["metadata"] = {name: document["metadata"][name] for name in ("name", "namespace")}
    if options is not None:
        body["deleteOptions"] = options
    return api.post(f"{pod_path(document)}/eviction", body)


def test_a_pod_begins_pending(api: RawClient, namespace: str) -> None:
    found = pod(api, namespace)
    assert found["status"]["phase"] == "Pending"
    assert found["spec"]["terminationGracePeriodSeconds"] == 30
    assert found["spec"]["restartPolicy"] == "Always"


def test_a_pod_needs_containers(api: RawClient, namespace: str) -> None:
    reply = api.post(f"/api/v1/namespaces/{namespace}/pods", {"metadata": {"name": "x"}, "spec": {}})
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert ("FieldValueRequired", "spec.containers") in reply.causes


def test_a_pod_is_deleted_with_grace(api: RawClient, namespace: str) -> None:
    found = pod(api, namespace, running=True)
    going = api.delete(pod_path(found)).ok()
    assert going["kind"] == "Pod"
    assert going["metadata"]["deletionGracePeriodSeconds"] == 30
    assert going["metadata"]["deletionTimestamp"]
    sooner = api.delete(pod_path(found), {"gracePeriodSeconds": 5}).ok()
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 5
    later = api.delete(pod_path(found), {"gracePeriodSeconds": 60}).ok()
    assert later["metadata"]["deletionGracePeriodSeconds"] == 5
    api.delete(pod_path(found), {"gracePeriodSeconds": 0}).ok()
    assert api.get(pod_path(found)).code == 404


def test_a_pod_that_was_never_bound_goes_at_once(api: RawClient, namespace: str) -> None:
    selector = {"nodeSelector": {"bgpctl.io/no-such-label": "x"}}
    spec = {**selector, "containers": [{"name": "c", "image": "example.invalid/none"}]}
    path = f"/api/v1/namespaces/{namespace}/pods"
    found = api.post(path, {"metadata": {"name": unique("pod")}, "spec": spec}).ok()
    api.delete(pod_path(found)).ok()
    assert api.get(pod_path(found)).code == 404


def test_an_eviction_deletes_with_grace(api: RawClient, namespace: str) -> None:
    found = pod(api, namespace, running=True)
    reply = evict(api, found)
    assert (reply.code, reply.body["status"]) == (201, "Success")
    assert api.get(pod_path(found)).ok()["metadata"]["deletionTimestamp"]


def test_a_budget_that_is_used_up_refuses(api: RawClient, namespace: str) -> None:
    labels = {"app": unique()}
    found = pod(api, namespace, labels, running=True)
    name = budget(api, namespace, labels, allowed=0)
    reply = evict(api, found)
    assert (reply.code, reply.reason) == (429, "TooManyRequests")
    assert reply.body["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    cause = reply.body["details"]["causes"][0]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == f"The disruption budget {name} needs 1 healthy pods and has 1 currently"
    assert "Retry-After" not in reply.headers
    assert "deletionTimestamp" not in api.get(pod_path(found)).ok()["metadata"]


def test_an_eviction_uses_the_budget_up(api: RawClient, namespace: str) -> None:
    labels = {"app": unique()}
    one, two = (pod(api, namespace, labels, running=True) for _ in range(2))
    name = budget(api, namespace, labels, allowed=1, healthy=2)
    assert evict(api, one).code == 201
    status = api.get(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/{name}").ok()["status"]
    assert status["disruptionsAllowed"] == 0
    assert evict(api, two).code == 429


def test_a_budget_that_nobody_has_looked_at_asks_for_patience(api: RawClient, namespace: str) -> None:
    if REAL:
        pytest.skip("a real disruption controller looks at it at once")
    labels = {"app": unique()}
    found = pod(api, namespace, labels, running=True)
    budget(api, namespace, labels, allowed=1, generation=0)
    reply = evict(api, found)
    assert reply.code == 429
    assert reply.body["details"]["retryAfterSeconds"] == 10
    assert reply.headers["Retry-After"] == "10"
    assert "is still being processed by the server" in reply.body["details"]["causes"][0]["message"]


def test_two_budgets_are_an_error(api: RawClient, namespace: str) -> None:
    labels = {"app": unique()}
    found = pod(api, namespace, labels, running=True)
    for _ in range(2):
        budget(api, namespace, labels, allowed=1)
    reply = evict(api, found)
    assert reply.code == 500
    assert reply.body["message"].startswith("This pod has more than one PodDisruptionBudget")


def test_a_pending_pod_passes_any_budget(api: RawClient, namespace: str) -> None:
    labels = {"app": unique()}
    found = pod(api, namespace, labels)
    budget(api, namespace, labels, allowed=0)
    assert evict(api, found).code == 201


def test_the_uid_of_an_eviction_must_fit(api: RawClient, namespace: str) -> None:
    found = pod(api, namespace, running=True)
    reply = evict(api, found, {"preconditions": {"uid": str(uuid.uuid4())}})
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert "deletionTimestamp" not in api.get(pod_path(found)).ok()["metadata"]
    assert evict(api, found, {"preconditions": {"uid": found["metadata"]["uid"]}}).code == 201


def test_a_dry_eviction_spends_nothing(api: RawClient, namespace: str) -> None:
    labels = {"app": unique()}
    found = pod(api, namespace, labels, running=True)
    name = budget(api, namespace, labels, allowed=1)
    assert evict(api, found, {"dryRun": ["All"]}).code == 201
    assert "deletionTimestamp" not in api.get(pod_path(found)).ok()["metadata"]
    status = api.get(f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/{name}").ok()["status"]
    assert status["disruptionsAllowed"] == 1


def test_evicting_what_is_not_there(api: RawClient, namespace: str) -> None:
    ghost = {"metadata": {"name": "ghost", "namespace": namespace}}
    assert evict(api, ghost).code == 404

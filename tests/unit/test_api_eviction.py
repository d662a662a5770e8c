"""bgpctl.lab.api.eviction and controllers.budgets: may a pod go, and how many may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bgpctl.lab.api import eviction
from bgpctl.lab.api.controllers import budgets
from bgpctl.lab.api.documents import timestamp
from bgpctl.lab.api.status import ApiError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def pod(
    name: str = "p", *, phase: str = "Running", ready: bool = True, going: bool = False, owner: str = ""
) -> Any:
    meta: dict[str, Any] = {"name": name, "namespace": "d", "labels": {"app": "web"}}
    if going:
        meta["deletionTimestamp"] = timestamp(NOW)
    if owner:
        meta["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}]
    state = {"type": "Ready", "status": "True" if ready else "False"}
    return {"metadata": meta, "spec": {}, "status": {"phase": phase, "conditions": [state]}}


def budget(
    *, allowed: int = 0, healthy: int = 1, desired: int = 1, observed: int = 1, app: str = "web", **spec: Any
) -> Any:
    return {
        "metadata": {"name": "b", "namespace": "d", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
        "status": {
            "observedGeneration": observed,
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
        },
    }


def refusal(*arguments: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        eviction.decide(*arguments, timestamp(NOW))
    return caught.value


def test_without_a_budget_it_goes() -> None:
    assert eviction.decide(pod(), [], "").budget is None
    assert eviction.decide(pod(), [budget(app="other")], "").budget is None


@pytest.mark.parametrize(
    "free", [pod(phase="Pending"), pod(phase="Succeeded"), pod(phase="Failed"), pod(going=True)]
)
def test_pods_that_serve_nobody_pass_every_budget(free: Any) -> None:
    assert eviction.decide(free, [budget(), budget()], "").budget is None


def test_a_disruption_is_taken_off_and_noted() -> None:
    whole = budget(allowed=2)
    spent = eviction.decide(pod(), [whole], "now").budget
    assert spent is not None
    assert spent["status"]["disruptionsAllowed"] == 1
    assert spent["status"]["disruptedPods"] == {"p": "now"}
    assert whole["status"]["disruptionsAllowed"] == 2


def test_a_used_up_budget_names_itself() -> None:
    error = refusal(pod(), [budget(healthy=3, desired=3)])
    assert (error.code, error.reason, error.retry_after) == (429, "TooManyRequests", None)
    assert error.document()["details"]["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget b needs 3 healthy pods and has 3 currently",
        }
    ]


def test_a_budget_not_yet_looked_at_asks_for_patience() -> None:
    error = refusal(pod(), [budget(allowed=1, observed=0)])
    assert (error.code, error.retry_after) == (429, 10)


def test_several_budgets_are_an_error() -> None:
    error = refusal(pod(), [budget(allowed=1), budget(allowed=1)])
    assert (error.code, error.message) == (500, eviction.SEVERAL_BUDGETS)


def test_an_unready_pod_goes_when_the_others_are_enough() -> None:
    assert eviction.decide(pod(ready=False), [budget(healthy=1, desired=1)], "").budget is None
    assert refusal(pod(ready=False), [budget(healthy=0, desired=1)]).code == 429
    always = budget(healthy=0, desired=1, unhealthyPodEvictionPolicy="AlwaysAllow")
    assert eviction.decide(pod(ready=False), [always], "").budget is None


# --- what the budget's controller writes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected", "desired"),
    [
        ({"minAvailable": 2}, 3, 2),
        ({"minAvailable": "50%"}, 3, 2),
        ({"minAvailable": "100%"}, 3, 3),
        ({"maxUnavailable": 1}, 3, 2),
        ({"maxUnavailable": "50%"}, 3, 1),
        ({"maxUnavailable": 5}, 3, 0),
        ({"maxUnavailable": 0}, 3, 3),
        ({"minAvailable": 0}, 3, 0),
    ],
)
def test_desired_healthy(spec: Any, expected: int, desired: int) -> None:
    assert budgets.desired_healthy(spec, expected) == desired


def test_only_ready_pods_that_stay_are_healthy() -> None:
    pods = [pod("a"), pod("b", ready=False), pod("c", going=True), pod("d"), pod("e")]
    noted = {"d": timestamp(NOW - timedelta(seconds=5)), "e": timestamp(NOW - timedelta(minutes=3))}
    found = budget(minAvailable=1)
    found["status"]["disruptedPods"] = noted
    status = budgets.status_of(found, pods, 5, NOW)
    assert status["currentHealthy"] == 2  # a, and e, whose eviction never came to anything
    assert status["disruptionsAllowed"] == 1
    assert status["disruptedPods"] == {"d": noted["d"]}
    assert status["observedGeneration"] == 1


def test_nothing_is_allowed_where_nothing_is_expected() -> None:
    status = budgets.status_of(budget(minAvailable=0), [], 0, NOW)
    assert status["disruptionsAllowed"] == 0
    assert status["conditions"][0]["status"] == "False"


def test_owners_say_how_many_pods_are_expected() -> None:
    pods = [pod("a", owner="rs"), pod("b", owner="rs"), pod("c", owner="unknown"), pod("d")]
    assert budgets.expected_pods(pods, lambda owner: {"rs": 5}.get(owner["name"])) == 7

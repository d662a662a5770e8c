"""May this pod be evicted now? The decision of the eviction subresource. Pure.

Source: k8s.io/kubernetes/pkg/registry/core/pod/storage/eviction.go; facts/drain.md section 1.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bgpctl.lab.api import status
from bgpctl.lab.api.documents import Document, clone, name_of
from bgpctl.lab.api.selectors import from_document

SEVERAL_BUDGETS = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
)
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."


@dataclass(frozen=True, slots=True)
class Verdict:
    """Evict. `budget` is the PodDisruptionBudget with this disruption taken off, None when none is spent."""

    budget: Document | None = None


def decide(pod: Document, budgets: Sequence[Document], now: str) -> Verdict:
    """The verdict for `pod`, or ApiError: 429 with the budget's name, 500 for several budgets.

    `budgets` are the namespace's; `now` (RFC 3339) goes into the budget's `disruptedPods`.
    """
    if ignores_budgets(pod):
        return Verdict()
    guarding = [budget for budget in budgets if guards(budget, pod)]
    if len(guarding) > 1:
        raise status.ApiError(500, "", SEVERAL_BUDGETS)
    if not guarding or _unready_may_go(pod, guarding[0]):
        return Verdict()
    return Verdict(_spend(guarding[0], name_of(pod), now))


def ignores_budgets(pod: Document) -> bool:
    """Finished, not yet running and already terminating pods serve nobody: no budget counts them."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in {"Succeeded", "Failed", "Pending"} or bool(pod["metadata"].get("deletionTimestamp"))


def guards(budget: Document, pod: Document) -> bool:
    """Does the budget's selector match the pod? (policy/v1: an empty selector matches every pod.)"""
    selector = from_document((budget.get("spec") or {}).get("selector"))
    return selector is not None and selector.matches(pod)


def ready(pod: Document) -> bool:
    """The pod's Ready condition."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _unready_may_go(pod: Document, budget: Document) -> bool:
    if ready(pod):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    found = budget.get("status") or {}
    desired = found.get("desiredHealthy", 0)
    return bool(desired > 0 and found.get("currentHealthy", 0) >= desired)


def _spend(budget: Document, pod: str, now: str) -> Document:
    name, found = name_of(budget), budget.get("status") or {}
    if found.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _refusal(f"The disruption budget {name} is still being processed by the server.", 10)
    allowed = found.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise status.forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative")
    if allowed == 0:
        raise _refusal(
            f"The disruption budget {name} needs {found.get('desiredHealthy', 0)} healthy pods"
            f" and has {found.get('currentHealthy', 0)} currently"
        )
    spent: Document = clone(budget)
    spent["status"]["disruptionsAllowed"] = allowed - 1
    spent["status"].setdefault("disruptedPods", {})[pod] = now
    return spent


def _refusal(why: str, retry_after: int = 0) -> status.ApiError:
    return status.too_many_requests(VIOLATES, retry_after, [status.Cause("DisruptionBudget", why)])

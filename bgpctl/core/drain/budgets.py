"""PodDisruptionBudgets: would one hold an eviction back, and what did the eviction subresource answer?

The server's rules and texts are those of its eviction.go (facts/drain.md 1.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bgpctl.core.drain.pods import PodView
from bgpctl.core.reading.fields import Faults, Fields
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.reading.selectors import LabelSelector, read_selector


@dataclass(frozen=True, slots=True)
class Budget:
    """One PodDisruptionBudget. `selector` None selects no pod (policy/v1), an empty one all of its namespace.

    `current` is False while the controller has not seen the newest spec: then its counts mean nothing.
    `always_allow`: pods that are not ready may go at any time (unhealthyPodEvictionPolicy AlwaysAllow).
    """

    namespace: str
    name: str
    selector: LabelSelector | None
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    current: bool = True
    always_allow: bool = False

    def covers(self, pod: PodView) -> bool:
        """Without a selector it covers no pod, with an empty one every pod of its namespace."""
        return (
            self.selector is not None
            and self.namespace == pod.namespace
            and self.selector.matches(pod.labels)
        )


def budget_view(document: Any) -> Budget:
    """A policy/v1 PodDisruptionBudget -> Budget. An invalid selector selects nothing, as on the server.
    Raises Unreadable."""
    read = Foreign.of(document, "budget")
    meta, spec, status = read.child("metadata"), read.child("spec"), read.child("status")
    faults = Faults(source=meta.required("name"), strict=False)
    selector = read_selector(Fields(spec.value, "spec", faults), "selector")
    return Budget(
        namespace=meta.text("namespace", "default"),
        name=meta.required("name"),
        selector=None if faults.problems else selector,
        disruptions_allowed=status.integer("disruptionsAllowed"),
        current_healthy=status.integer("currentHealthy"),
        desired_healthy=status.integer("desiredHealthy"),
        current=status.integer("observedGeneration") >= meta.integer("generation"),
        always_allow=spec.text("unhealthyPodEvictionPolicy") == "AlwaysAllow",
    )


# The server says this, and `_refusal` in its place, only of a budget that allows none.
_EXHAUSTED = re.compile(r"needs -?\d+ healthy pods and has")


@dataclass(frozen=True, slots=True)
class BudgetVerdict:
    """What the budgets say to one eviction. `blocked`: it would be refused now; `forever`: waiting does not
    help, because the pod has more than one budget. `message` is "" when nothing speaks against it."""

    budgets: tuple[str, ...] = ()
    blocked: bool = False
    forever: bool = False
    message: str = ""


def pdb_blocks(pod: PodView, pdbs: Iterable[Budget]) -> BudgetVerdict:
    """Would the server let `pod` be evicted now? The same questions in the same order as the server asks."""
    covering = [budget for budget in pdbs if budget.covers(pod)]
    names = tuple(budget.name for budget in covering)
    if not covering or pod.finished or pod.phase == "Pending" or pod.terminating:
        return BudgetVerdict(names)
    if len(covering) > 1:
        message = (
            f"{pod.where} has {len(names)} PodDisruptionBudgets ({', '.join(names)}), which the eviction API "
            "does not support: let only one of them select it, or use --disable-eviction"
        )
        return BudgetVerdict(names, blocked=True, forever=True, message=message)
    message = _refusal(pod, covering[0])
    return BudgetVerdict(names, blocked=bool(message), message=message)


def held_back(namespace: str, name: str, message: str) -> str:
    """What a person reads of a budget that holds an eviction back: its full name, how many disruptions it
    allows where the server's own sentence says that, and that sentence."""
    allows = " allows 0 disruptions" if _EXHAUSTED.search(message) else ""
    return f"PodDisruptionBudget {namespace}/{name}{allows}: {message}"


def _refusal(pod: PodView, budget: Budget) -> str:
    enough = budget.current_healthy >= budget.desired_healthy > 0
    if not pod.ready and (budget.always_allow or enough):
        return ""
    if not budget.current:
        return f"The disruption budget {budget.name} is still being processed by the server."
    if budget.disruptions_allowed > 0:
        return ""
    return (
        f"The disruption budget {budget.name} needs {budget.desired_healthy} healthy pods "
        f"and has {budget.current_healthy} currently"
    )


# --- the answer of POST pods/NAME/eviction --------------------------------------------------------


class Outcome(StrEnum):
    """What an eviction's answer means for the drain."""

    EVICTED = "evicted"  # accepted: wait until the UID is gone
    GONE = "gone"  # there is no such pod any more
    REPLACED = "replaced"  # the name belongs to another pod now: ours is gone
    BLOCKED = "blocked"  # a PodDisruptionBudget holds it back: try again
    NAMESPACE_TERMINATING = "namespaceTerminating"  # the namespace goes, and the pod with it: wait
    RETRY = "retry"  # nothing about the pod: the server is busy or broken
    REFUSED = "refused"  # the same request will never succeed


@dataclass(frozen=True, slots=True)
class EvictionAnswer:
    """`budget` names the PodDisruptionBudget of BLOCKED; `retry_after` is in seconds, None = the server gave
    none (it gives none for an exhausted budget)."""

    outcome: Outcome
    message: str = ""
    budget: str = ""
    retry_after: float | None = None


MORE_THAN_ONE = "more than one PodDisruptionBudget"
_UID = re.compile(r"precondition.*\bUID\b", re.IGNORECASE)
_BUDGET_NAME = re.compile(r"[Tt]he disruption budget (\S+) ")


def parse_eviction_answer(code: int, status: Mapping[str, Any] | None) -> EvictionAnswer:
    """HTTP status and the `Status` document of the answer (None = it was no JSON object) -> what it means."""
    try:
        return _parsed(code, Foreign.of(status or {}))
    except Unreadable as error:
        outcome = Outcome.EVICTED if 200 <= code < 300 else Outcome.RETRY
        return EvictionAnswer(outcome, f"HTTP {code}, with a Status that cannot be read: {error.message}")


def _parsed(code: int, body: Foreign) -> EvictionAnswer:
    message = body.text("message") or f"HTTP {code}"
    retry = EvictionAnswer(Outcome.RETRY, message, retry_after=_retry_after(body))
    if 200 <= code < 300:
        return EvictionAnswer(Outcome.EVICTED)
    match code:
        case 404:
            return EvictionAnswer(_not_found(body), message)
        case 409:
            return EvictionAnswer(Outcome.REPLACED, message) if _UID.search(message) else retry
        case 403:
            return _forbidden(body, message)
        case 408:
            return retry
        case 429:
            return _budget_exhausted(body, message) or retry
    # More than one budget is a 500 that no retry heals (kubernetes issue 75957).
    return retry if code >= 500 and MORE_THAN_ONE not in message else EvictionAnswer(Outcome.REFUSED, message)


def _not_found(body: Foreign) -> Outcome:
    """A 404 that names no object means that the server has no such path, not that the pod is gone."""
    return Outcome.GONE if body.child("details").text("name") else Outcome.REFUSED


def _forbidden(body: Foreign, message: str) -> EvictionAnswer:
    if any(cause.text("reason") == "NamespaceTerminating" for cause in _causes(body)):
        return EvictionAnswer(Outcome.NAMESPACE_TERMINATING, message)
    details = body.child("details")
    # The server refuses on a budget whose counts are broken for a moment, and says 403 for it.
    if details.text("kind").startswith("poddisruptionbudget"):
        return EvictionAnswer(Outcome.BLOCKED, message, budget=details.text("name"))
    return EvictionAnswer(Outcome.REFUSED, message)


def _budget_exhausted(body: Foreign, message: str) -> EvictionAnswer | None:
    """429 comes from rate limits as well: only a cause DisruptionBudget proves a budget (issue 106286)."""
    causes = [cause for cause in _causes(body) if cause.text("reason") == "DisruptionBudget"]
    if not causes:
        return None
    said = causes[0].text("message") or message
    name = _BUDGET_NAME.search(said)
    return EvictionAnswer(
        Outcome.BLOCKED, said, budget=name[1] if name else "", retry_after=_retry_after(body)
    )


def _retry_after(body: Foreign) -> float | None:
    return body.child("details").number("retryAfterSeconds", most=86400.0) or None


def _causes(body: Foreign) -> Iterable[Foreign]:
    return body.child("details").children("causes")

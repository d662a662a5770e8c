"""What is read of a PodDisruptionBudget and of an eviction's answer where half of it is missing."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.drain.budgets import (
    Budget,
    EvictionAnswer,
    Outcome,
    budget_view,
    parse_eviction_answer,
    pdb_blocks,
)
from bgpctl.core.drain.pods import PodView
from bgpctl.core.reading.selectors import LabelSelector

WEB = LabelSelector((("app", "web"),))
POD = PodView("default", "web-1", "u1", labels={"app": "web"})


@pytest.mark.parametrize(
    ("document", "budget"),
    [
        ({"metadata": {"name": "web"}}, Budget("default", "web", None)),
        (
            {"metadata": {"name": "web", "namespace": "a"}, "spec": None, "status": None},
            Budget("a", "web", None),
        ),
        (
            {
                "metadata": {"name": "web"},
                "spec": {"selector": {"matchLabels": {"app": "web"}, "since137": 1}},
            },
            Budget("default", "web", WEB),  # a field that a newer server has
        ),
        (
            {"metadata": {"name": "web"}, "status": {"disruptionsAllowed": None, "currentHealthy": None}},
            Budget("default", "web", None),
        ),
    ],
)
def test_a_budget_of_which_little_is_said(document: dict[str, Any], budget: Budget) -> None:
    assert budget_view(document) == budget


@pytest.mark.parametrize(
    ("newest", "seen", "current"),
    [(None, None, True), (1, None, False), (2, 1, False), (2, 2, True), (2, 3, True), (None, 1, True)],
)
def test_counts_are_current_when_the_newest_spec_was_seen(
    newest: int | None, seen: int | None, current: bool
) -> None:
    document = {"metadata": {"name": "web", "generation": newest}, "status": {"observedGeneration": seen}}
    assert budget_view(document).current is current


def test_a_budget_that_wants_no_pod_has_none_to_spare() -> None:
    """The server lets a pod that is not ready go only where enough others are; of none it says nothing."""
    ill = PodView("default", "web-1", "u1", labels={"app": "web"}, ready=False)
    assert pdb_blocks(ill, [Budget("default", "web", WEB)]).message == (
        "The disruption budget web needs 0 healthy pods and has 0 currently"
    )


def said(message: str = "", *causes: dict[str, Any], **details: Any) -> dict[str, Any]:
    return {"message": message, "details": {**details, "causes": list(causes)}}


HELD = "The disruption budget web needs 2 healthy pods and has 2 currently"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (199, Outcome.REFUSED),
        (200, Outcome.EVICTED),
        (299, Outcome.EVICTED),
        (300, Outcome.REFUSED),
        (499, Outcome.REFUSED),
        (500, Outcome.RETRY),
    ],
)
def test_where_the_classes_of_codes_end(code: int, outcome: Outcome) -> None:
    assert parse_eviction_answer(code, None).outcome is outcome


@pytest.mark.parametrize(
    ("code", "body", "answer"),
    [
        (
            403,
            said("negative", kind="poddisruptionbudgets.policy", name="web"),
            EvictionAnswer(Outcome.BLOCKED, "negative", "web"),
        ),
        (403, said("negative", kind="poddisruptionbudget"), EvictionAnswer(Outcome.BLOCKED, "negative")),
        (403, said("no"), EvictionAnswer(Outcome.REFUSED, "no")),
        (
            429,
            said("no", {"reason": "Other", "message": "x"}, {"reason": "DisruptionBudget", "message": HELD}),
            EvictionAnswer(Outcome.BLOCKED, HELD, "web"),
        ),
        (
            429,
            said("no", {"reason": "DisruptionBudget", "message": HELD}, {"reason": "DisruptionBudget"}),
            EvictionAnswer(Outcome.BLOCKED, HELD, "web"),
        ),
        (429, said("no", {"reason": "DisruptionBudget"}), EvictionAnswer(Outcome.BLOCKED, "no")),
    ],
)
def test_who_holds_an_eviction_back(code: int, body: dict[str, Any], answer: EvictionAnswer) -> None:
    assert parse_eviction_answer(code, body) == answer


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (199, Outcome.RETRY),
        (200, Outcome.EVICTED),
        (299, Outcome.EVICTED),
        (300, Outcome.RETRY),
        (429, Outcome.RETRY),
    ],
)
def test_an_answer_that_cannot_be_read_proves_only_its_code(code: int, outcome: Outcome) -> None:
    found = parse_eviction_answer(code, {"message": 5})
    assert found.outcome is outcome and found.message.startswith(
        f"HTTP {code}, with a Status that cannot be read: message must be a string"
    )


@pytest.mark.parametrize(("after", "outcome"), [(86400, Outcome.BLOCKED), (86401, Outcome.RETRY)])
def test_nobody_waits_for_longer_than_a_day(after: int, outcome: Outcome) -> None:
    body = said("no", {"reason": "DisruptionBudget", "message": HELD}, retryAfterSeconds=after)
    assert parse_eviction_answer(429, body).outcome is outcome

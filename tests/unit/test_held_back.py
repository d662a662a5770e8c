"""What a person reads of a PodDisruptionBudget that holds evictions back: in a dry run, while the drain
waits, and when its time is up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.budgets import Budget, held_back, parse_eviction_answer
from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, NotFound
from bgpctl.runbooks import cluster
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import Evicted
from bgpctl.runbooks.model import Status
from bgpctl.runbooks.snapshot import EvictionNote
from tests.support.snapshots import NOW, judged, pod, snapshot

SHOP = "PodDisruptionBudget shop/web"
NEEDS = "The disruption budget web needs 2 healthy pods and has 2 currently"
WEB = Budget("default", "web", LabelSelector((("app", "web"),)), 0, current_healthy=2, desired_healthy=2)
PODS = [pod(name, labels={"app": "web"}, ready=True) for name in ("web-1", "web-2")]
TYPED = CommandLine(("bgpctl", "node", "drain", "n1"))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (NEEDS, f"{SHOP} allows 0 disruptions: {NEEDS}"),
        (
            "The disruption budget web is still being processed by the server.",
            f"{SHOP}: The disruption budget web is still being processed by the server.",
        ),
        ("pdb disruptions allowed is negative", f"{SHOP}: pdb disruptions allowed is negative"),
    ],
)
def test_a_budget_has_its_full_name_and_what_it_allows_where_that_is_known(message: str, text: str) -> None:
    assert held_back("shop", "web", message) == text


def test_the_servers_own_answer_names_the_budget() -> None:
    causes = [{"reason": "DisruptionBudget", "message": NEEDS}]
    answer = parse_eviction_answer(429, {"message": "Cannot evict pod", "details": {"causes": causes}})
    assert "allows 0 disruptions" in held_back("default", answer.budget, answer.message)


# --- a dry run ----------------------------------------------------------------------------------------------

TWO_BUDGETS = (WEB, replace(WEB, name="all", selector=LabelSelector()))


@pytest.mark.parametrize(
    ("budgets", "told"),
    [
        pytest.param((), "", id="no budget"),
        pytest.param((replace(WEB, disruptions_allowed=1),), "", id="it allows one"),
        pytest.param((replace(WEB, namespace="shop"),), "", id="another namespace's"),
        pytest.param(
            (WEB,),
            "; it would wait now: PodDisruptionBudget default/web allows 0 disruptions: "
            f"{NEEDS} (default/web-1, default/web-2)",
            id="it allows none",
        ),
        pytest.param(
            TWO_BUDGETS,
            "; it would fail: default/web-1 has 2 PodDisruptionBudgets (web, all)",
            id="two of them",
        ),
        pytest.param(
            None, "; whether a PodDisruptionBudget holds one back is not known", id="nobody may look"
        ),
    ],
)
def test_a_dry_run_foresees_what_budgets_would_answer(budgets: Any, told: str) -> None:
    s = snapshot(pods=judged(*PODS), budgets=budgets)
    text = Evicted(EvictionOptions()).preview(s)
    assert text.startswith(f"evict 2 pods: default/web-1, default/web-2{told}")
    assert told or text == "evict 2 pods: default/web-1, default/web-2"


def test_what_goes_past_budgets_or_has_no_pod_is_not_held_back() -> None:
    s = snapshot(pods=judged(*PODS), budgets=(WEB,))
    past = Evicted(EvictionOptions(disable_eviction=True)).preview(s)
    assert past == "delete 2 pods: default/web-1, default/web-2"
    assert Evicted(EvictionOptions()).preview(snapshot(budgets=None)) == "no workload"


class Served:
    """A client that answers the list of budgets with this, or fails with it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def items(self, path: str) -> Any:
        assert path == paths.BUDGETS
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


GOOD = {"metadata": {"name": "web", "namespace": "default"}, "spec": {}, "status": {"disruptionsAllowed": 3}}


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ([GOOD], [3]),
        ([], []),
        ([GOOD, {"metadata": {"name": ["?"]}}], None),
        (ApiError(403, "Forbidden", "you may not list them", {}), None),
        (NotFound(404, "NotFound", "no such resource", {}), []),
    ],
)
def test_budgets_that_cannot_be_listed_or_read_are_not_taken_for_none(answer: Any, allowed: Any) -> None:
    found = cluster.budgets(Served(answer))  # type: ignore[arg-type]
    assert (None if found is None else [one.disruptions_allowed for one in found]) == allowed


# --- while it waits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("retry_at", "status"), [(NOW + 2, Status.WAIT), (NOW - 1, Status.ACT)])
def test_a_wait_for_a_budget_says_what_to_look_at_and_how_to_go_past_it(
    retry_at: float, status: Status
) -> None:
    note = EvictionNote(held_back("default", "web", NEEDS), retry_at, "web")
    s = snapshot(pods=judged(*PODS), notes={one.uid: note for one in PODS})
    decision = Evicted(EvictionOptions(), TYPED).decide(s)
    assert decision.status is status
    assert decision.reason == (
        f"2 pods left: PodDisruptionBudget default/web allows 0 disruptions: {NEEDS} "
        "(default/web-1, default/web-2)"
    )
    assert "to see what holds it back: kubectl get pdb web -n default" in decision.hint.splitlines()
    assert decision.hint.endswith("bgpctl node drain n1 --disable-eviction")


def test_pods_that_only_take_their_time_need_no_advice() -> None:
    s = snapshot(pods=judged(*PODS), notes={PODS[0].uid: EvictionNote("", NOW + 20)})
    assert Evicted(EvictionOptions(), TYPED).decide(s).hint == ""

"""kubectl's pod filters, the disruption budgets' say, and what the eviction subresource answers."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.drain.eviction import (
    Budget,
    EvictionOptions,
    Outcome,
    PodView,
    Verdict,
    budget_view,
    parse_eviction_answer,
    pdb_blocks,
    pod_view,
    refusals,
    remaining,
    to_evict,
    verdicts,
    warnings,
)
from bgpctl.core.reading.selectors import LabelSelector

NOW = 1_800_000_000.0
NONE = EvictionOptions()
ALL = EvictionOptions(ignore_daemonsets=True, force=True, delete_emptydir_data=True)

MANAGED = PodView("default", "web-1", "u1", "worker-1", controller_kind="ReplicaSet", controller_name="web")
BARE = replace(MANAGED, name="bare", controller_kind="", controller_name="")
EMPTY_DIR = replace(MANAGED, name="cache", empty_dir=True)
DAEMON = replace(MANAGED, name="agent", controller_kind="DaemonSet", controller_name="agent")
DAEMON_EMPTY_DIR = replace(DAEMON, empty_dir=True)
ORPHAN = replace(DAEMON, controller_name="removed")
MIRROR = replace(MANAGED, name="etcd", mirror=True, controller_kind="Node")
DONE = replace(BARE, name="job", phase="Succeeded", empty_dir=True)
BARE_EMPTY_DIR = replace(BARE, empty_dir=True)
DAEMONSETS = {("default", "agent")}


def verdict_of(pod: PodView, options: EvictionOptions) -> tuple[Verdict, tuple[str, ...]]:
    (found,) = verdicts([pod], DAEMONSETS, options, NOW)
    return found.verdict, tuple(dict.fromkeys(reason.lift for reason in found.refusals))


@pytest.mark.parametrize(
    ("pod", "options", "verdict", "lifts"),
    [
        (MANAGED, NONE, Verdict.EVICT, ()),
        (DAEMON, NONE, Verdict.REFUSE, ("--ignore-daemonsets",)),
        (DAEMON, EvictionOptions(ignore_daemonsets=True), Verdict.KEEP, ()),
        (DAEMON, EvictionOptions(force=True), Verdict.REFUSE, ("--ignore-daemonsets",)),
        (DAEMON_EMPTY_DIR, NONE, Verdict.REFUSE, ("--ignore-daemonsets",)),
        (DAEMON_EMPTY_DIR, EvictionOptions(ignore_daemonsets=True), Verdict.KEEP, ()),
        (replace(DAEMON, phase="Failed"), NONE, Verdict.EVICT, ()),
        (replace(DAEMON, namespace="other"), NONE, Verdict.REFUSE, ("--force",)),
        (ORPHAN, EvictionOptions(ignore_daemonsets=True), Verdict.REFUSE, ("--force",)),
        (ORPHAN, EvictionOptions(force=True), Verdict.EVICT, ()),
        (MIRROR, NONE, Verdict.KEEP, ()),
        (replace(MIRROR, empty_dir=True), NONE, Verdict.KEEP, ()),
        (EMPTY_DIR, NONE, Verdict.REFUSE, ("--delete-emptydir-data",)),
        (EMPTY_DIR, EvictionOptions(delete_emptydir_data=True), Verdict.EVICT, ()),
        (BARE, NONE, Verdict.REFUSE, ("--force",)),
        (BARE, EvictionOptions(force=True), Verdict.EVICT, ()),
        (BARE_EMPTY_DIR, NONE, Verdict.REFUSE, ("--delete-emptydir-data", "--force")),
        (BARE_EMPTY_DIR, EvictionOptions(force=True), Verdict.REFUSE, ("--delete-emptydir-data",)),
        (replace(ORPHAN, empty_dir=True), NONE, Verdict.REFUSE, ("--force", "--delete-emptydir-data")),
        (DONE, NONE, Verdict.EVICT, ()),
        (replace(BARE, deletion_timestamp=NOW), NONE, Verdict.REFUSE, ("--force",)),
    ],
)
def test_filters(pod: PodView, options: EvictionOptions, verdict: Verdict, lifts: tuple[str, ...]) -> None:
    assert verdict_of(pod, options) == (verdict, lifts)


@pytest.mark.parametrize(
    ("timeout", "age", "verdict"),
    [
        (0, 1e6, Verdict.REFUSE),
        (10, 10.9, Verdict.REFUSE),  # kubectl compares whole seconds
        (10, 11, Verdict.KEEP),
        (10, -30, Verdict.REFUSE),  # still within its grace period
    ],
)
def test_pods_of_a_dead_kubelet_are_skipped(timeout: int, age: float, verdict: Verdict) -> None:
    pod = replace(BARE, deletion_timestamp=NOW - age)
    options = EvictionOptions(skip_wait_for_delete_timeout=timeout)
    assert verdict_of(pod, options)[0] is verdict


def test_refusals_are_grouped_in_kubectls_words() -> None:
    pods = [DAEMON, BARE, EMPTY_DIR, replace(BARE, name="b2"), MANAGED]
    found = verdicts(pods, DAEMONSETS, NONE, NOW)
    assert [str(group) for group in refusals(found)] == [
        "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/agent",
        "cannot delete Pods that declare no controller (use --force to override): default/bare, default/b2",
        "cannot delete Pods with local storage (use --delete-emptydir-data to override): default/cache",
    ]
    assert to_evict(found) == (MANAGED,)


def test_every_warning_of_a_pod_survives() -> None:
    found = verdicts([BARE_EMPTY_DIR, DAEMON, EMPTY_DIR, MIRROR], DAEMONSETS, ALL, NOW)
    assert refusals(found) == ()
    assert [str(group) for group in warnings(found)] == [
        "deleting Pods with local storage: default/bare, default/cache",
        "deleting Pods that declare no controller: default/bare",
        "ignoring DaemonSet-managed Pods: default/agent",
    ]
    assert to_evict(found) == (BARE_EMPTY_DIR, EMPTY_DIR)


pods_strategy = st.builds(
    PodView,
    namespace=st.sampled_from(["default", "kube-system"]),
    name=st.text("abc", min_size=1, max_size=3),
    uid=st.uuids().map(str),
    phase=st.sampled_from(["Running", "Pending", "Succeeded", "Failed", "Unknown"]),
    controller_kind=st.sampled_from(["", "DaemonSet", "ReplicaSet", "Node"]),
    controller_name=st.sampled_from(["agent", "removed"]),
    mirror=st.booleans(),
    empty_dir=st.booleans(),
    deletion_timestamp=st.none() | st.floats(NOW - 100, NOW + 100),
)
options_strategy = st.builds(
    EvictionOptions,
    ignore_daemonsets=st.booleans(),
    force=st.booleans(),
    delete_emptydir_data=st.booleans(),
    skip_wait_for_delete_timeout=st.integers(0, 50),
)
FLAGS = {
    "--ignore-daemonsets": "ignore_daemonsets",
    "--force": "force",
    "--delete-emptydir-data": "delete_emptydir_data",
}


@given(st.lists(pods_strategy, max_size=8), options_strategy)
def test_the_flags_that_the_refusals_name_lift_them_all_at_once(
    pods: list[PodView], options: EvictionOptions
) -> None:
    named = {group.lift for group in refusals(verdicts(pods, DAEMONSETS, options, NOW))}
    lifted = replace(options, **dict.fromkeys((FLAGS[flag] for flag in named), True))  # type: ignore[arg-type]
    assert refusals(verdicts(pods, DAEMONSETS, lifted, NOW)) == ()
    for flag in named:
        rest = replace(lifted, **{FLAGS[flag]: False})  # type: ignore[arg-type]
        assert refusals(verdicts(pods, DAEMONSETS, rest, NOW)), "no flag is asked for in vain"


@given(pods_strategy, options_strategy)
def test_a_live_daemonset_pod_or_a_mirror_pod_is_never_evicted(
    pod: PodView, options: EvictionOptions
) -> None:
    (found,) = verdicts([pod], DAEMONSETS, options, NOW)
    kept_daemon = pod.controller_kind == "DaemonSet" and (pod.namespace, pod.controller_name) in DAEMONSETS
    if pod.mirror or (kept_daemon and not pod.finished):
        assert found.verdict is not Verdict.EVICT
    assert (found.verdict is Verdict.REFUSE) == bool(found.refusals)


def test_verdicts_agree_with_kubectls_chain() -> None:
    """kubectl's own rule, written the other way round: the first filter that does not delete decides."""
    kinds = ["", "DaemonSet", "ReplicaSet"]
    cube = product(kinds, [True, False], [True, False], ["Running", "Failed"], [True, False])
    for kind, mirror, empty_dir, phase, exists in cube:
        name = "agent" if exists else "removed"
        pod = replace(MANAGED, controller_kind=kind, controller_name=name, phase=phase)
        pod = replace(pod, mirror=mirror, empty_dir=empty_dir)
        for ignore, force, delete in product([True, False], repeat=3):
            options = EvictionOptions(ignore_daemonsets=ignore, force=force, delete_emptydir_data=delete)
            assert verdict_of(pod, options)[0] is _kubectl(pod, options, exists), (pod, options)


def _kubectl(pod: PodView, options: EvictionOptions, exists: bool) -> Verdict:
    live_daemon = pod.controller_kind == "DaemonSet" and not pod.finished
    if live_daemon and exists:
        return Verdict.KEEP if options.ignore_daemonsets else Verdict.REFUSE
    if live_daemon and not options.force:
        return Verdict.REFUSE
    if pod.mirror:
        return Verdict.KEEP
    if pod.empty_dir and not pod.finished and not options.delete_emptydir_data:
        return Verdict.REFUSE
    if not pod.controller_kind and not pod.finished and not options.force:
        return Verdict.REFUSE
    return Verdict.EVICT


# --- the document -------------------------------------------------------------------------------------------


def test_pod_view_reads_what_decides() -> None:
    document: dict[str, Any] = {
        "metadata": {
            "namespace": "kube-system",
            "name": "dns-0",
            "uid": "u-7",
            "labels": {"app": "dns"},
            "annotations": {"kubernetes.io/config.mirror": ""},
            "deletionTimestamp": "2027-01-15T08:00:00Z",
            "ownerReferences": [
                {"kind": "Node", "name": "worker-1"},
                {"kind": "StatefulSet", "name": "dns", "controller": True},
            ],
        },
        "spec": {"nodeName": "worker-1", "volumes": [{"name": "a", "hostPath": {}}, {"emptyDir": {}}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    assert pod_view(document) == PodView(
        "kube-system",
        "dns-0",
        "u-7",
        "worker-1",
        "Running",
        True,
        "StatefulSet",
        "dns",
        True,
        True,
        1_800_000_000.0,
        {"app": "dns"},
    )


def test_pod_view_of_a_bare_new_pod() -> None:
    pod = pod_view({"metadata": {"name": "a", "uid": "u"}, "spec": {"volumes": [{"emptyDir": None}]}})
    assert (pod.controller_kind, pod.empty_dir, pod.ready, pod.terminating) == ("", False, False, False)


def test_an_owner_that_is_no_controller_does_not_manage_the_pod() -> None:
    owners = [{"kind": "ReplicaSet", "name": "web"}]
    pod = pod_view({"metadata": {"name": "a", "uid": "u", "ownerReferences": owners}})
    assert verdict_of(pod, NONE)[0] is Verdict.REFUSE


def test_a_pod_is_gone_by_uid_not_by_name() -> None:
    replacement = replace(MANAGED, uid="u2", node="worker-2")
    assert remaining([MANAGED], [replacement]) == ()
    leaving = replace(MANAGED, deletion_timestamp=NOW)
    assert remaining([MANAGED], [replacement, leaving]) == (leaving,)


# --- disruption budgets -------------------------------------------------------------------------------------

WEB = LabelSelector((("app", "web"),))
POD = replace(MANAGED, labels={"app": "web"})
BUDGET = Budget("default", "web", WEB, disruptions_allowed=0, current_healthy=1, desired_healthy=1)


@pytest.mark.parametrize(
    ("pod", "budget", "message"),
    [
        (POD, BUDGET, "The disruption budget web needs 1 healthy pods and has 1 currently"),
        (POD, replace(BUDGET, disruptions_allowed=1), ""),
        (POD, replace(BUDGET, namespace="other"), ""),
        (POD, replace(BUDGET, selector=None), ""),
        (
            POD,
            replace(BUDGET, selector=LabelSelector()),
            "The disruption budget web needs 1 healthy pods and has 1 currently",
        ),
        (replace(POD, labels={}), BUDGET, ""),
        (
            POD,
            replace(BUDGET, current=False, disruptions_allowed=5),
            "The disruption budget web is still being processed by the server.",
        ),
        (replace(POD, ready=False), BUDGET, ""),
        (
            replace(POD, ready=False),
            replace(BUDGET, current_healthy=0),
            "The disruption budget web needs 1 healthy pods and has 0 currently",
        ),
        (replace(POD, ready=False), replace(BUDGET, current_healthy=0, always_allow=True), ""),
        (replace(POD, phase="Pending"), BUDGET, ""),
        (replace(POD, phase="Failed"), BUDGET, ""),
        (replace(POD, deletion_timestamp=NOW), BUDGET, ""),
    ],
)
def test_one_budget(pod: PodView, budget: Budget, message: str) -> None:
    found = pdb_blocks(pod, [budget])
    assert (found.message, found.blocked, found.forever) == (message, bool(message), False)


def test_two_budgets_block_forever_and_both_are_named() -> None:
    found = pdb_blocks(POD, [replace(BUDGET, disruptions_allowed=9), replace(BUDGET, name="all")])
    assert found.blocked and found.forever and found.budgets == ("web", "all")
    assert "default/web-1 has 2 PodDisruptionBudgets (web, all)" in found.message
    assert "--disable-eviction" in found.message


def test_budget_view_reads_the_status() -> None:
    document: dict[str, Any] = {
        "metadata": {"namespace": "default", "name": "web", "generation": 2},
        "spec": {
            "minAvailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {"app": "web"}},
        },
        "status": {
            "disruptionsAllowed": 3,
            "currentHealthy": 4,
            "desiredHealthy": 1,
            "observedGeneration": 1,
        },
    }
    assert budget_view(document) == Budget("default", "web", WEB, 3, 4, 1, current=False, always_allow=True)


@pytest.mark.parametrize(
    ("selector", "covers"),
    [
        (None, False),
        ({}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In"}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Like", "values": ["web"]}]}, False),
    ],
)
def test_absent_empty_and_invalid_selectors(selector: dict[str, Any] | None, covers: bool) -> None:
    budget = budget_view(
        {"metadata": {"namespace": "default", "name": "b"}, "spec": {"selector": selector}, "status": {}}
    )
    assert budget.covers(POD) is covers


# --- the answer --------------------------------------------------------------------------------------------


def status(message: str, *causes: tuple[str, str], **details: Any) -> dict[str, Any]:
    listed = [{"reason": reason, "message": text} for reason, text in causes]
    return {"kind": "Status", "message": message, "details": {**details, "causes": listed}}


VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
NEEDS = "The disruption budget web needs 2 healthy pods and has 2 currently"
LAGS = "The disruption budget web is still being processed by the server."


@pytest.mark.parametrize(
    ("code", "body", "outcome", "message", "budget", "retry_after"),
    [
        (201, {"kind": "Status", "status": "Success"}, Outcome.EVICTED, "", "", None),
        (200, None, Outcome.EVICTED, "", "", None),
        (
            404,
            status('pods "a" not found', name="a", kind="pods"),
            Outcome.GONE,
            'pods "a" not found',
            "",
            None,
        ),
        (404, status("the server could not find the requested resource"), Outcome.REFUSED, None, "", None),
        (404, None, Outcome.REFUSED, "HTTP 404", "", None),
        (429, status(VIOLATES, ("DisruptionBudget", NEEDS)), Outcome.BLOCKED, NEEDS, "web", None),
        (
            429,
            status(VIOLATES, ("DisruptionBudget", LAGS), retryAfterSeconds=10),
            Outcome.BLOCKED,
            LAGS,
            "web",
            10.0,
        ),
        (429, status("too many requests", retryAfterSeconds=1), Outcome.RETRY, "too many requests", "", 1.0),
        (429, None, Outcome.RETRY, "HTTP 429", "", None),
        (
            403,
            status("forbidden", ("NamespaceTerminating", "namespace x is being terminated")),
            Outcome.NAMESPACE_TERMINATING,
            "forbidden",
            "",
            None,
        ),
        (
            403,
            status("pdb disruptions allowed is negative", name="web", kind="poddisruptionbudget"),
            Outcome.BLOCKED,
            None,
            "web",
            None,
        ),
        (
            403,
            status('pods "a" is forbidden: User "x"', name="a", kind="pods"),
            Outcome.REFUSED,
            None,
            "",
            None,
        ),
        (401, status("Unauthorized"), Outcome.REFUSED, "Unauthorized", "", None),
        (
            409,
            status("Precondition failed: UID in precondition: u1, UID in object meta: u2"),
            Outcome.REPLACED,
            None,
            "",
            None,
        ),
        (
            409,
            status('Operation cannot be fulfilled on pods "uid-1": the object has been modified'),
            Outcome.RETRY,
            None,
            "",
            None,
        ),
        (422, status("Invalid value"), Outcome.REFUSED, "Invalid value", "", None),
        (400, status("dry run does not agree"), Outcome.REFUSED, None, "", None),
        (
            500,
            status(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not…"
            ),
            Outcome.REFUSED,
            None,
            "",
            None,
        ),
        (500, status("failed calling webhook: EOF"), Outcome.RETRY, None, "", None),
        (503, None, Outcome.RETRY, "HTTP 503", "", None),
        (
            504,
            status("couldn't update PodDisruptionBudget due to conflicts", retryAfterSeconds=10),
            Outcome.RETRY,
            None,
            "",
            10.0,
        ),
        (408, None, Outcome.RETRY, "HTTP 408", "", None),
    ],
)
def test_answers(
    code: int,
    body: dict[str, Any] | None,
    outcome: Outcome,
    message: str | None,
    budget: str,
    retry_after: float | None,
) -> None:
    answer = parse_eviction_answer(code, body)
    assert (answer.outcome, answer.budget, answer.retry_after) == (outcome, budget, retry_after)
    assert message is None or answer.message == message


@given(st.integers(100, 599), st.none() | st.fixed_dictionaries({}, optional={"message": st.text()}))
def test_any_answer_means_something(code: int, body: dict[str, Any] | None) -> None:
    answer = parse_eviction_answer(code, body)
    assert (answer.outcome is Outcome.EVICTED) == (200 <= code < 300)
    assert answer.message or answer.outcome is Outcome.EVICTED


def test_the_plans_words_are_the_servers_words() -> None:
    """A plan and the refusal that it foresees must read the same."""
    answer = parse_eviction_answer(
        429, status(VIOLATES, ("DisruptionBudget", pdb_blocks(POD, [BUDGET]).message))
    )
    assert answer.budget == "web"

"""Verdicts as conditions: what is written on an object, what is left alone, and who has which node."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.policy.claim import Owner
from bgpctl.core.policy.v2.conditions import Condition
from bgpctl.core.policy.v2.status import MANAGER, merged, owners, written_by_others
from tests.support import v2
from tests.support.objects import node, policy

NOW, BEFORE = "2026-11-25T04:00:00Z", "2026-11-25T03:00:00Z"
MATCHING, INVALID = "cilium.io/NoMatchingNode", "bgpctl.io/Invalid"


def verdict(kind: str = MATCHING, bad: bool = False, message: str = "1 node matches") -> Condition:
    return Condition("x", kind, "True" if bad else "False", kind.rpartition("/")[2], message)


def entry(kind: str = MATCHING, bad: bool = False, message: str = "1 node matches", **fields: Any) -> Any:
    return {
        "type": kind,
        "status": "True" if bad else "False",
        "observedGeneration": 1,
        "lastTransitionTime": BEFORE,
        "reason": kind.rpartition("/")[2],
        "message": message,
        **fields,
    }


def written(*held: Any, wanted: Any = None, generation: int = 1, by: dict[str, str] | None = None) -> Any:
    fields = [
        {
            "manager": manager,
            "operation": "Update",
            "subresource": "status",
            "fieldsV1": {"f:status": {"f:conditions": {".": {}, f'k:{{"type":"{kind}"}}': {".": {}}}}},
        }
        for kind, manager in (by or {}).items()
    ]
    wanted = (verdict(),) if wanted is None else wanted
    document = {"metadata": {"managedFields": fields}, "status": {"conditions": list(held)}}
    return merged(document, wanted, generation, NOW)


def test_a_first_verdict() -> None:
    assert written() == [entry(lastTransitionTime=NOW)]
    assert merged({"metadata": {}}, [verdict()], 1, NOW) == [entry(lastTransitionTime=NOW)]


def test_nothing_new_writes_nothing() -> None:
    assert written(entry()) is None
    assert written(entry("other"), entry(), entry("cilium.io/Theirs")) is None


def test_the_time_moves_with_the_status_alone() -> None:
    assert written(entry(message="2 nodes match")) == [entry()]
    assert written(entry(bad=True)) == [entry(lastTransitionTime=NOW)]


def test_a_new_generation_is_told() -> None:
    assert written(entry(), generation=2) == [entry(observedGeneration=2)]


def test_conditions_of_others_stay() -> None:
    other = entry("example.com/Ready", bad=True)
    assert written(other) == [other, entry(lastTransitionTime=NOW)]


def test_what_is_no_verdict_any_more_goes() -> None:
    wanted = (verdict(INVALID, True, "spec: bad"),)
    made = written(entry(), entry(INVALID, message="it is valid"), wanted=wanted)
    assert made == [entry(INVALID, True, "spec: bad", lastTransitionTime=NOW)]
    assert written(entry(), wanted=()) == []


@pytest.mark.parametrize(("manager", "theirs"), [("cilium-operator-generic", True), (MANAGER, False)])
def test_what_another_manager_writes_is_left_to_it(manager: str, theirs: bool) -> None:
    held = entry(message="No node matches spec.nodeSelector")
    wanted = (verdict(), verdict(INVALID, message="it is valid"))
    made = written(held, wanted=wanted, by={MATCHING: manager})
    new = entry(INVALID, message="it is valid", lastTransitionTime=NOW)
    assert made == ([held, new] if theirs else [entry(), new])
    assert written(held, wanted=(), by={MATCHING: manager}) == (None if theirs else [])


def test_managed_fields_of_other_places_say_nothing() -> None:
    fields = [
        {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:nodeSelector": {}}}},
        {"manager": "old"},
        {"manager": "x", "fieldsV1": {"f:status": {"f:conditions": {".": {}}}}},
    ]
    assert written_by_others(fields) == frozenset()


# --- owners -----------------------------------------------------------------------------------------------

CLUSTER, POLICY = "CiliumBGPClusterConfig", "CiliumBGPPeeringPolicy"


@pytest.mark.parametrize(
    ("reported", "owner"),
    [
        ("", Owner(POLICY, "policy")),  # nobody had it: a policy goes before
        ("rack", Owner(CLUSTER, "rack")),  # the first owner keeps it
        ("policy", Owner(POLICY, "policy")),
        ("gone", Owner(POLICY, "policy")),
    ],
)
def test_the_owner_that_a_speaker_reports_keeps_its_node(reported: str, owner: Owner) -> None:
    found = owners([policy()], [v2.cluster_config()], [node(), node("w2", {})], {"worker-1": reported})
    assert found == {"worker-1": owner}


def test_a_name_that_two_kinds_share() -> None:
    both = owners([policy(name="rack")], [v2.cluster_config()], [node()], {"worker-1": "rack"})
    assert both == {"worker-1": Owner(POLICY, "rack")}
    elsewhere = policy(name="rack", nodeSelector={"matchLabels": {"a": "b"}})
    found = owners([elsewhere], [v2.cluster_config()], [node()], {"worker-1": "rack"})
    assert found == {"worker-1": Owner(CLUSTER, "rack")}

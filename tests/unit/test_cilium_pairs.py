"""The second policies of CiliumBGPPeeringPolicies: which node is out by one, when one may be used, and the
patches to the letter."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.cilium import copies, policies
from bgpctl.core.cilium.copies import Ready
from bgpctl.core.cilium.policies import SESSIONS, Pair, back, close, made_of, out_of, pairs, readiness, same
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.lab import seed

NOW = 1_795_860_000.0
OUT = "true.bgpctl-withdrawn"
SECOND = copies.copy_name("rack-1")
TEST_OUT = {"op": "test", "path": "/metadata/labels/enable-bgp", "value": OUT}


def policy(**spec: Any) -> dict[str, Any]:
    document = seed.policy("192.0.2.1", 179)
    document["spec"].update(spec)
    return document


def prepared(*, at: float = NOW - 100, **spec: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A policy and its second one."""
    first = policy(**spec)
    return first, made_of(pairs([first])[0], "cilium.io/v2alpha1", at)


def pair(**more: Any) -> Pair:
    return pairs(prepared(**more))[0]


# --- who is out -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "out"),
    [
        ({"enable-bgp": OUT}, True),
        ({"enable-bgp": OUT, "rack": "2"}, True),
        ({"enable-bgp": "true"}, False),
        ({"enable-bgp": "else.bgpctl-withdrawn"}, False),
        ({}, False),
    ],
)
def test_a_node_is_out_by_the_label_of_the_second_policy(labels: dict[str, str], out: bool) -> None:
    found = prepared()
    assert pairs(found)[0].has_out(labels) is out
    named = out_of(found, {"metadata": {"name": "n1", "labels": labels}})
    assert (named.name if named else "") == ("rack-1" if out else "")


@pytest.mark.parametrize(("labels", "out"), [({"rack": "1"}, True), ({"rack": "2"}, False), ({}, False)])
def test_it_is_out_of_a_policy_that_it_would_have_otherwise(labels: dict[str, str], out: bool) -> None:
    """By all of its labels: else a node of another rack would come back to a policy that was never its."""
    found = pair(nodeSelector={"matchLabels": {"enable-bgp": "true", "rack": "1"}})
    assert found.has_out({**labels, "enable-bgp": OUT}) is out


def test_a_policy_of_somebody_else_under_that_name_takes_nobody_out() -> None:
    first, second = prepared()
    second["metadata"]["labels"] = {}
    labels = {"enable-bgp": OUT}
    assert [one.has_out(labels) for one in pairs([first, second])] == [False, False]
    assert not pairs([first])[0].has_out(labels)


@pytest.mark.parametrize(
    ("selector", "selects", "key"),
    [
        ({"matchLabels": {"enable-bgp": "true"}, "surprise": 1}, True, "enable-bgp"),
        ({"matchLabels": {"enable-bgp": "true"}}, True, "enable-bgp"),
        ({}, True, ""),
        (None, True, ""),
        ({"matchLabels": {"enable-bgp": 1}}, False, ""),
        ({"matchExpressions": [{"key": "a", "operator": "Has"}]}, False, ""),
        ({"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Has"}]}, False, ""),
        ({"matchLabels": {"enable-bgp": "other"}}, False, "enable-bgp"),
    ],
)
def test_by_what_a_policy_selects(selector: Any, selects: bool, key: str) -> None:
    """One that cannot be applied selects nothing, a field of a newer Cilium hinders nothing."""
    first = policy(nodeSelector=selector)
    assert policies.selects(first, {"enable-bgp": "true"}) is selects
    assert pairs([first])[0].key == key


# --- the second one ---------------------------------------------------------------------------------------


def test_a_policy_without_a_word_has_a_second_one_all_the_same() -> None:
    for spec in (None, {}):
        one = Pair({"metadata": {"name": "bare"}, "spec": spec}, None, "k", "v")
        assert policies.silenced(one) == {
            "nodeSelector": {
                "matchLabels": {"k": "v.bgpctl-withdrawn"},
                "matchExpressions": [{"key": SESSIONS, "operator": "NotIn", "values": ["closed"]}],
            }
        }


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"nodeSelector": 5}, "spec.nodeSelector must be an object"),
        ({"nodeSelector": {"matchExpressions": 5}}, "spec.nodeSelector.matchExpressions must be a list"),
        ({"nodeSelector": {"matchLabels": 5}}, "spec.nodeSelector.matchLabels must be an object"),
        ({"virtualRouters": 5}, "spec.virtualRouters must be a list"),
        ({"virtualRouters": [5]}, r"spec.virtualRouters\[0\] must be an object"),
    ],
)
def test_a_policy_of_which_there_is_no_second_one_says_why(spec: dict[str, Any], why: str) -> None:
    with pytest.raises(Unreadable, match=f"^{why}"):
        policies.silenced(Pair(policy(**spec), None, "k", "v"))


def test_it_is_the_same_until_somebody_changes_either() -> None:
    first, second = prepared()
    assert same(pairs([first, second])[0])
    assert not same(pairs([first])[0]), "there is none"
    assert not same(pairs([policy(virtualRouters=[]), second])[0])
    for spec in ({**second["spec"], "virtualRouters": []}, {}, None):
        assert not same(pairs([first, {**second, "spec": spec}])[0])


OTHERS: dict[str, LabelSelector | None] = {
    "CiliumBGPClusterConfig a": LabelSelector((("rack", "9"),)),
    "CiliumBGPClusterConfig b": LabelSelector((("enable-bgp", OUT),)),
}
LABELS = {"enable-bgp": "true"}
NEW = f"CiliumBGPPeeringPolicy {SECOND} is new: an agent may not know it for {{}} s yet"
BY_LABEL = f"would select the node too when it is labelled enable-bgp={OUT}"


@pytest.mark.parametrize(
    ("found", "others", "labels", "ready"),
    [
        (pair(), {}, LABELS, Ready()),
        (pair(at=NOW - 30), {}, LABELS, Ready()),
        (pair(at=NOW - 29), {}, LABELS, Ready(trouble=NEW.format(1), young=True)),
        (pair(at=NOW - 10), {}, LABELS, Ready(trouble=NEW.format(20), young=True)),
        (pair(at=NOW + 500), {}, LABELS, Ready(trouble=NEW.format(30), young=True)),
        (pairs([policy()])[0], {}, LABELS, Ready(missing=True)),
        (Pair(*prepared(), key="", value=""), {}, LABELS, Ready(missing=True)),
        (pair(), {"a": OTHERS["CiliumBGPClusterConfig a"]}, LABELS, Ready()),
        (pair(), OTHERS, LABELS, Ready(trouble=f"CiliumBGPClusterConfig b {BY_LABEL}")),
        (pair(), {"all": None}, LABELS, Ready(trouble=f"all {BY_LABEL}")),
        (
            pair(),
            {},
            {**LABELS, SESSIONS: "closed"},
            Ready(
                trouble=f"the node's label {SESSIONS}=closed keeps CiliumBGPPeeringPolicy {SECOND} from it, "
                "which would close the sessions"
            ),
        ),
        (pair(), {}, {**LABELS, SESSIONS: "open"}, Ready()),
    ],
)
def test_when_the_second_policy_may_be_used(found: Pair, others: Any, labels: Any, ready: Ready) -> None:
    assert readiness(found, others, labels, NOW) == ready


# --- the patches ------------------------------------------------------------------------------------------


def test_a_node_is_closed_where_it_is_out_and_once() -> None:
    patch = close("/n1", pair(), {"enable-bgp": OUT})
    assert patch is not None and patch.operations == (
        TEST_OUT,
        {"op": "add", "path": "/metadata/labels/bgpctl.io~1sessions", "value": "closed"},
    )
    assert close("/n1", pair(), {"enable-bgp": OUT, SESSIONS: "closed"}) is None


TO_FIRST = (TEST_OUT, {"op": "replace", "path": "/metadata/labels/enable-bgp", "value": "true"})
OPENED = (
    {"op": "test", "path": "/metadata/labels/bgpctl.io~1sessions", "value": "closed"},
    {"op": "remove", "path": "/metadata/labels/bgpctl.io~1sessions"},
)


@pytest.mark.parametrize(
    ("labels", "of", "operations", "what"),
    [
        ({"enable-bgp": OUT}, pair(), TO_FIRST, "label enable-bgp=true"),
        (
            {"enable-bgp": OUT, SESSIONS: "closed"},
            pair(),
            (*TO_FIRST, *OPENED),
            "label enable-bgp=true, label bgpctl.io/sessions removed",
        ),
        ({SESSIONS: "closed"}, None, OPENED, "label bgpctl.io/sessions removed"),
    ],
)
def test_it_comes_back_by_what_was_changed_and_nothing_else(
    labels: Any, of: Pair | None, operations: Any, what: str
) -> None:
    patch = back("/n1", labels, of)
    assert patch is not None and (patch.operations, patch.what) == (operations, what)


@pytest.mark.parametrize("labels", [{}, {SESSIONS: "open"}, {"enable-bgp": "true"}])
def test_what_is_as_it_was_needs_no_patch(labels: dict[str, str]) -> None:
    assert back("/n1", labels, None) is None

"""Restart or leave: what a speaker does when it is stopped, by what is known then."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.shutdown import RESTART, Signs, ending
from tests.support import objects

SHUTDOWN = "node is shutting down"


def node(*taints: str, deleted: bool = False, cordoned: bool = False, **ready: str) -> dict[str, Any]:
    made = objects.node()
    made["spec"] |= {"taints": [{"key": key, "effect": "NoSchedule"} for key in taints]}
    made["spec"] |= {"unschedulable": True} if cordoned else {}
    made["metadata"] |= {"deletionTimestamp": "2026-11-25T00:00:00Z"} if deleted else {}
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", **ready}
    made["status"] |= {"conditions": [{"type": "DiskPressure", "status": "False"}, condition]}
    return made


def not_ready(message: str) -> dict[str, Any]:
    return node(status="False", reason="KubeletNotReady", message=message)


HERE = node()

RESTARTS = {
    "nothing is known": Signs(),
    "all is well": Signs(True, HERE, True, "running"),
    "the API is away, the node was well": Signs(True, HERE, False),
    "the API is away, and the Node was never seen": Signs(True, None, False),
    "nothing was compiled yet": Signs(None, HERE, True),
    "a cordon is no signal": Signs(True, node("node.kubernetes.io/unschedulable", cordoned=True), True),
    "the kubelet is away": Signs(True, node(status="Unknown", reason="NodeStatusUnknown"), True),
    "the node is ill": Signs(True, not_ready("container runtime is down"), True),
    "an old message of a node that is Ready": Signs(True, node(message=SHUTDOWN), True),
    "taints of an ill node": Signs(True, node("node.kubernetes.io/unreachable"), True),
    "a node for some pods only": Signs(True, node("dedicated"), True),
    "systemd is unhappy": Signs(True, HERE, True, "degraded"),
    "systemd starts": Signs(True, HERE, True, "starting"),
}

LEAVES = {
    "no policy selects": Signs(False, HERE, True),
    "no policy selects, and the API is away": Signs(False, HERE, False),
    "the Node object was deleted": Signs(True, None, True),
    "the Node object was deleted, and nothing compiled": Signs(None, None, True),
    "is being deleted": Signs(True, node(deleted=True), True),
    "kubelet shuts the node down": Signs(True, not_ready(SHUTDOWN), True),
    "the kubelet": Signs(True, not_ready(f"[container runtime is down, {SHUTDOWN}]"), True),
    "shuts the node down": Signs(True, not_ready(SHUTDOWN), False),
    "is out of service": Signs(True, node("dedicated", "node.kubernetes.io/out-of-service"), True),
    "cluster-autoscaler removes": Signs(True, node("ToBeDeletedByClusterAutoscaler"), True),
    "Karpenter removes": Signs(True, node("karpenter.sh/disrupted"), True),
    "Karpenter": Signs(True, node("karpenter.sh/disruption"), True),
    "machine is brought down": Signs(True, HERE, True, "stopping"),
    "the machine": Signs(None, None, False, "stopping"),
}


@pytest.mark.parametrize("case", RESTARTS)
def test_a_restart(case: str) -> None:
    assert ending(RESTARTS[case]) == RESTART


@pytest.mark.parametrize("case", LEAVES)
def test_a_leave_says_why(case: str) -> None:
    found = ending(LEAVES[case])
    assert found.leaves and case.split(",")[0] in found.reason
    assert len(f"node leaves service: {found.reason} (bgpctl)".encode()) <= 128, "fits also RFC 8203"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "status", "taints", "conditions", "key", "message"]), inner
        )
    ),
)


@given(json_like, json_like)
def test_a_malformed_node_is_no_reason_to_leave_and_crashes_nothing(spec: Any, status: Any) -> None:
    assert ending(Signs(True, {"metadata": spec, "spec": spec, "status": status}, True)) == RESTART


@given(
    st.sampled_from([None, True, False]), st.sampled_from([None, HERE]), st.booleans(), st.text(max_size=9)
)
def test_silence_of_the_api_never_makes_a_node_leave(
    selected: bool | None, node: dict[str, Any] | None, asked: bool, system: str
) -> None:
    signs = Signs(selected, node, asked, system)
    if ending(signs).leaves and selected is not False and system != "stopping":
        assert asked and node is None


def test_only_a_node_that_is_not_ready_shuts_down() -> None:
    """Another condition may repeat the kubelet's message."""
    here = node(message=SHUTDOWN)
    here["status"]["conditions"][0]["message"] = SHUTDOWN
    assert ending(Signs(True, here, True)) == RESTART


@pytest.mark.parametrize(
    "taints", ["ToBeDeletedByClusterAutoscaler", ["ToBeDeletedByClusterAutoscaler"], [None, 5]]
)
def test_taints_that_are_no_objects(taints: Any) -> None:
    assert ending(Signs(True, {"metadata": {}, "spec": {"taints": taints}}, True)) == RESTART

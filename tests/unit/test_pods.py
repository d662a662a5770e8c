"""What is read of a Pod, also where the API server left fields out."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.drain.pods import PodView, pod_view


def test_a_pod_that_says_nothing_is_not_ready_and_nobodys() -> None:
    pod = pod_view({"metadata": {"name": "a"}})
    assert pod == PodView("default", "a", "", phase="Unknown", ready=False)


def test_a_controller_that_says_only_its_kind() -> None:
    pod = pod_view({"metadata": {"name": "a", "ownerReferences": [{"kind": "Job", "controller": True}]}})
    assert (pod.controller_kind, pod.controller_name) == ("Job", "")


@pytest.mark.parametrize("phase", ["Pending", "Succeeded"])
def test_the_phase_is_the_servers(phase: str) -> None:
    assert pod_view({"metadata": {"name": "a"}, "status": {"phase": phase}}).phase == phase


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [
        ([], False),
        ([{"type": "Ready", "status": "True"}], True),
        ([{"type": "Ready", "status": "False"}], False),
        ([{"type": "PodScheduled", "status": "True"}], False),
        ([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "Unknown"}], False),
        ([{"type": "PodScheduled", "status": "False"}, {"type": "Ready", "status": "True"}], True),
    ],
)
def test_ready_is_one_condition_that_is_true(conditions: list[dict[str, Any]], ready: bool) -> None:
    assert pod_view({"metadata": {"name": "a"}, "status": {"conditions": conditions}}).ready is ready

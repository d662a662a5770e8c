"""Who may have the node, and until when another run is waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bgpctl.runbooks.actions import ChangeNode, TakeLease
from bgpctl.runbooks.claim import Claimed
from bgpctl.runbooks.model import Decision, Status
from tests.support.snapshots import ME, NOW, ROUTER, journal, lease, snapshot


@pytest.mark.parametrize(
    ("expires", "watched", "left", "words"),
    [
        (NOW + 0.1, 0.0, 15.0, "holds the node"),
        (NOW + 9.0, 14.5, 0.5, "holds the node"),
        (NOW + 9.0, 15.0, 0.0, ""),
        (NOW, 0.0, 8.0, "has run out"),
        (NOW - 99.0, 7.5, 0.5, "has run out"),
        (NOW - 99.0, 8.0, 0.0, ""),
    ],
)
def test_how_long_a_lease_that_nobody_renews_is_watched(
    expires: float, watched: float, left: float, words: str
) -> None:
    """For its whole duration by our clock; for 8 s once it has run out by its holder's."""
    s = snapshot(holds_lease=False, lease=lease(expires=expires), lease_watched=watched)
    decision = Claimed("drain", "run-a").decide(s)
    if not left:
        assert decision == Decision(Status.ACT, "the node is free", (TakeLease(),))
        return
    assert (decision.status, decision.recheck, decision.eta) == (Status.WAIT, 1.0, NOW + left)
    assert words in decision.reason


@pytest.mark.parametrize(
    ("command", "reason"),
    [("restore", "bgpctl did not take this node out: nothing to restore"), ("drain", "run run-z")],
)
def test_a_node_without_a_journal(command: str, reason: str) -> None:
    assert Claimed(command, "run-z").decide(snapshot()) == Decision(Status.DONE, reason)


def test_a_new_direction_keeps_the_prior_state_alone() -> None:
    before = journal(
        command="restore",
        order="guide",
        steps={"Up": NOW},
        marks={"Reselected": NOW},
        evidence={"proof": ""},
        leaves=2,
        baselines={ROUTER: 2},
        locals={ROUTER: ("10.0.0.1",)},
        ending={"status": "failed", "reason": "", "at": NOW},
        holder="eve@there:1/x",
        prior_unschedulable=True,
    )
    for order in ("guide", "withdraw-first"):
        (action,) = Claimed("drain", "run-z", order).decide(snapshot(journal=before)).actions
        assert isinstance(action, ChangeNode)
        turned = replace(
            before,
            run="run-z",
            command="drain",
            order=order,
            holder=ME,
            steps={},
            marks={},
            evidence={},
            leaves=0,
            baselines={},
            witnesses={},
            ending={},
        )
        assert action.journal == turned
    assert Claimed("restore", "run-z").order == ""

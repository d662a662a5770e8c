"""The runbooks as their lists of goals: the order, what each is called in events and the journal, and what it
looks at. Names are an interface: scripts match them, and a journal of an older version has them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bgpctl.runbooks.catalogue import node_drain, node_restore, speaker_restart
from bgpctl.runbooks.checked import Checked
from bgpctl.runbooks.claim import Claimed
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import Evicted, ShutDown
from bgpctl.runbooks.model import Step
from bgpctl.runbooks.options import DrainOptions, RestartOptions, RestoreOptions
from bgpctl.runbooks.restart_steps import ClaimedForRestart, Graceful, Restarted
from bgpctl.runbooks.restore_steps import Announced, Established
from bgpctl.runbooks.withdrawn import Settled, Withdrawn
from tests.support.snapshots import ROUTER

CHECKS = "cluster pods routers state"
ROUTES = "estimates policies routers state"

DRAIN = [
    ("Claimed", "own the node", ""),
    ("Checked", "nothing forbids it", CHECKS),
    ("Cordoned", "no new pods", ""),
    ("Evicted", "no workload left", "pods"),
    ("Deselected", "BGP told to leave", "policies routers state"),
    ("Withdrawn", "routes gone", ROUTES),
    ("Settled", "traffic settled", ROUTES),
    ("ShutDown", "power off", "cluster estimates pods policies routers state"),
]
EVICTED_LAST = ("Evicted", "no workload left", "estimates pods policies routers state")
RESTORE = [
    ("Claimed", "own the node", ""),
    ("Up", "node and speaker up", "state"),
    ("Selected", "BGP told to come back", "policies"),
    ("Established", "sessions up", "policies routers state"),
    ("Announced", "routes back", "routers state"),
    ("Uncordoned", "pods welcome", ""),
    ("Released", "let go of the node", ""),
]
RESTART = [
    ("Claimed", "own the node", ""),
    ("Graceful", "no route is lost", "pods routers state"),
    ("Restarted", "speaker restarted", "pods state"),
    ("Established", "sessions up", "policies state"),
    ("Announced", "routes back", "routers state"),
    ("Released", "let go of the node", ""),
]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (node_drain(DrainOptions("n1"), "r"), DRAIN),
        (
            node_drain(DrainOptions("n1", order="withdraw-first"), "r"),
            [*DRAIN[:3], *DRAIN[4:7], EVICTED_LAST, DRAIN[7]],
        ),
        (node_restore(RestoreOptions("n1"), "r"), RESTORE),
        (speaker_restart(RestartOptions("n1"), "r"), RESTART),
    ],
    ids=["drain", "withdraw first", "restore", "restart"],
)
def test_a_runbook_is_a_list_of_goals(steps: Sequence[Step], expected: list[tuple[str, str, str]]) -> None:
    assert [(one.name, one.title, " ".join(sorted(one.needs))) for one in steps] == expected


def test_the_options_of_a_drain_reach_their_goals() -> None:
    typed = CommandLine(("bgpctl", "node", "drain", "n1", "--x"))
    options = DrainOptions(
        "n1",
        order="withdraw-first",
        settle=7.0,
        shutdown_command=("off",),
        profiles={ROUTER: None},  # type: ignore[dict-item]
        take_over=True,
        require_confirmed=True,
        assume_dead=True,
        typed=typed,
    )
    claimed, checked, _, _, withdrawn, settled, evicted, shut_down = node_drain(options, "r")
    assert claimed == Claimed("drain", "r", "withdraw-first", take_over=True, typed=typed)
    assert checked == Checked("r", "withdraw-first", typed, (ROUTER,), require_confirmed=True)
    assert withdrawn == Withdrawn(True, True, typed)
    assert settled == Settled(7.0)
    assert evicted == Evicted(options.eviction, typed, away=True)
    assert shut_down == ShutDown(("off",))
    plain = node_drain(DrainOptions("n1"), "r")
    assert plain[0] == Claimed(
        "drain", "r", "guide", take_over=False, typed=CommandLine(("bgpctl", "node", "drain", "n1"))
    )
    assert plain[1] == Checked("r", "guide", CommandLine(("bgpctl", "node", "drain", "n1")))
    assert plain[5] == Withdrawn(False, False, CommandLine(("bgpctl", "node", "drain", "n1")))
    assert (plain[6], plain[7]) == (Settled(2.0), ShutDown())


BACK = CommandLine(("bgpctl", "node", "restore", "n1"))


def test_the_options_of_a_restore_and_a_restart_reach_their_goals() -> None:
    assert node_restore(RestoreOptions("n1"), "r")[0] == Claimed("restore", "r", typed=BACK)
    assert node_restore(RestoreOptions("n1", take_over=True), "r")[0] == Claimed(
        "restore", "r", take_over=True, typed=BACK
    )
    assert node_restore(RestoreOptions("n1"), "r")[3:5] == (Established(), Announced())
    plain = speaker_restart(RestartOptions("n1"), "r")
    again = CommandLine(("bgpctl", "speaker", "restart", "n1"))
    assert plain[0] == ClaimedForRestart("r", take_over=False, typed=again)
    assert plain[1] == Graceful("r", 30.0, Restarted(), allow_loss=False, typed=again)
    assert plain[3:5] == (Established(restart=True), Announced(restart=True))
    options = RestartOptions("n1", ("go",), "", "kube", 5.0, allow_route_loss=True, take_over=True)
    claimed, graceful, restarted, *_ = speaker_restart(options, "r")
    assert claimed == ClaimedForRestart("r", take_over=True, typed=again)
    assert restarted == Restarted(("go",), "kube")
    assert graceful == Graceful("r", 5.0, Restarted(("go",), "kube"), allow_loss=True, typed=again)

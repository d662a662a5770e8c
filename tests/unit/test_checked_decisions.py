"""Where a drain's journal begins, and what a speaker's word weighs against an empty answer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.drain.guards import Guard
from bgpctl.core.drain.lever import Lever
from bgpctl.runbooks.actions import ChangeNode
from bgpctl.runbooks.checked import Checked
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Status
from bgpctl.witness.model import Path, RouteState
from tests.support.snapshots import (
    LABEL,
    ME,
    NOW,
    ROUTER,
    journal,
    judged,
    node,
    peer,
    pod,
    running,
    seen,
    snapshot,
)

RACK = Lever(("rack",), LABEL)
STEP = Checked("run-a", "guide")
WAITING = Guard("out-of-service", "wait", "another is being checked")
FINE = Guard("kured", "ok", "kured holds no lock")
WARNS = Guard("medik8s", "warn", "a lease was left")


def test_a_drain_that_another_has_to_decide_before() -> None:
    s = snapshot(guards=(FINE, WAITING), lever=RACK)
    assert STEP.decide(s) == Decision(Status.WAIT, "another is being checked", recheck=0.5)


def test_the_journal_begins_with_the_prior_state() -> None:
    s = snapshot(
        now=NOW + 0.1234567,
        node=node(unschedulable=True),
        state=running(announced=7),
        lever=RACK,
        pods=judged(pod()),
    )
    begun = Journal(
        "run-a",
        "drain",
        "guide",
        ME,
        NOW + 0.123,
        prior_unschedulable=True,
        prior_labels={"enable-bgp": "true"},
        deselect=LABEL,
        peers=(ROUTER,),
        routes=7,
        locals={ROUTER: ("10.0.0.1",)},
    )
    write = ChangeNode("write down the prior state", journal=begun)
    assert STEP.decide(s) == Decision(Status.ACT, "1 pod to evict", (write,))


def test_a_node_that_nobody_selects_has_a_journal_too() -> None:
    assert STEP.journal(snapshot()) == Journal("run-a", "drain", "guide", ME, NOW)
    record = journal()
    assert STEP.journal(snapshot(journal=record)) == record


def test_what_a_speaker_had_that_has_stopped_is_counted() -> None:
    """Also where no policy selects the node any more."""
    stopped = running(phase="Stopped", peers=(), announced=0, unwithdrawn=(peer(), peer("192.0.2.2")))
    for lever in (RACK, Lever()):
        made = STEP.journal(snapshot(state=stopped, lever=lever))
        assert (made.routes, made.peers) == (4, (ROUTER, "192.0.2.2"))


def test_a_peer_that_left_the_policy_has_a_profile_too() -> None:
    """Its estimate counts."""
    s = snapshot(state=running(unwithdrawn=(peer("192.0.2.2"),)), journal=journal(), lever=RACK)
    known, stranger = (replace(STEP, profiled=(address,)) for address in ("192.0.2.2", "192.0.2.77"))
    assert known.decide(s) == STEP.decide(s)
    assert "no such peer" in stranger.decide(s).reason


def test_what_is_known_from_before_stays() -> None:
    """Another label now; the prior values of both."""
    s = snapshot(journal=journal(routes=9), lever=Lever(("rack",), ("zone", "x")))
    made = STEP.journal(s)
    assert made.prior_labels == {"enable-bgp": "true", "zone": None}
    assert (made.deselect, made.routes) == (("zone", "x"), 9)
    silent = STEP.journal(snapshot(lever=RACK))
    assert (silent.routes, silent.peers) == (0, ())


@pytest.mark.parametrize(
    ("guards", "pods", "reason"),
    [
        ((FINE,), (), "0 pods to evict"),
        ((FINE, WARNS), (pod(), pod("web-2")), "2 pods to evict; a lease was left"),
    ],
)
def test_what_is_told_of_it(guards: Any, pods: Any, reason: str) -> None:
    s = snapshot(journal=journal(), guards=guards, pods=judged(*pods), lever=RACK)
    assert STEP.decide(s) == Decision(Status.DONE, reason)


# --- the speaker's word -------------------------------------------------------------------------------------

SERVES = running(selected_by="rack", selected_by_kind="CiliumBGPClusterConfig")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"state": SERVES}, True),
        ({"state": replace(SERVES, phase="Starting")}, True),
        ({"state": SERVES, "journal": journal()}, True),
        ({"state": SERVES, "journal": journal(steps={"Checked": NOW})}, False),  # it was asked before
        ({"state": SERVES, "lever": RACK}, False),
        ({"state": None}, False),
        ({"state": replace(SERVES, heartbeat=NOW - 1000)}, False),
        ({"state": replace(SERVES, phase="Idle")}, False),
        ({"state": replace(SERVES, selected_by="")}, False),
    ],
)
def test_an_empty_answer_is_not_believed_against_it(changes: dict[str, Any], refused: bool) -> None:
    decision = STEP.decide(snapshot(**changes))
    assert (decision.status is Status.BLOCKED) is refused
    assert ("runs CiliumBGPClusterConfig rack" in decision.reason) is refused


def shows(count: int) -> Any:
    one = seen(RouteState.PRESENT)
    paths = tuple(Path(ip_network(f"203.0.113.{n}/32"), "10.0.0.1") for n in range(count))
    return replace(one, answer=replace(one.answer, paths=paths))


@pytest.mark.parametrize(
    ("state", "answers", "routes"),
    [
        (None, (shows(3),), 0),
        (running(announced=None), (), 0),
        (running(announced=None), (shows(1), shows(3), shows(2)), 3),
        (running(announced=4), (shows(1),), 4),
        (running(announced=4, unwithdrawn=(peer("192.0.2.9", up=False, announced=5),)), (), 9),
        (running(announced=4, unwithdrawn=(replace(peer("192.0.2.9", up=False), announced=None),)), (), 4),
    ],
    ids=["no speaker", "nobody", "routers", "the speaker", "with what it lost", "which it did not count"],
)
def test_how_many_routes_there_are_to_lose(state: Any, answers: Any, routes: int) -> None:
    (begin, *_) = STEP.decide(snapshot(state=state, answers=answers, lever=RACK)).actions
    assert isinstance(begin, ChangeNode) and begin.journal is not None
    assert begin.journal.routes == routes


def test_a_confirmation_that_is_not_to_be_had_may_be_done_without() -> None:
    """A new run leaves the flag out; one that goes on has to say so, because the journal has it."""
    typed = CommandLine(("bgpctl", "node", "drain", "n1", "--require-confirmed"))
    strict = Checked("run-a", "guide", require_confirmed=True, typed=typed)
    for record, lesser in ((None, "drain n1"), (journal(), "drain n1 --no-require-confirmed")):
        decision = strict.decide(snapshot(state=running(), lever=RACK, journal=record))
        assert f"or take the estimate: bgpctl node {lesser}\n" in f"{decision.hint}\n"


def test_the_journal_keeps_what_the_run_was_asked_for_and_whose_node_it_is() -> None:
    """A run that goes on with it, of whichever version, begins with these."""
    step = replace(STEP, asked={"--force": (), "--settle": ("5",)})
    begun = step.journal(snapshot(provider="cilium", clock="boot/1.5"))
    assert (begun.options, begun.provider, begun.clock) == (step.asked, "cilium", "boot/1.5")


def test_how_its_bgp_was_is_kept_as_it_was_first_seen() -> None:
    lever = Lever(("rack",), prior={"way": "copies", "peers": 2})
    begun = STEP.journal(snapshot(lever=lever))
    assert begun.prior == {"way": "copies", "peers": 2}
    again = STEP.journal(snapshot(lever=Lever(("rack",), prior={"peers": 0, "new": 1}), journal=begun))
    assert again.prior == {"way": "copies", "peers": 2, "new": 1}

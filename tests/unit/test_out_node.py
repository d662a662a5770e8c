"""`node status` and `node estimate`: what is true now, by whose word, and what leaving would cost."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from bgpctl.core.model import SessionState
from bgpctl.core.timing.withdrawal import Estimate, Event
from bgpctl.queries.nodes import NodeReport
from bgpctl.render import estimate, node
from bgpctl.render.envelope import plain_data
from bgpctl.render.text import plain
from bgpctl.runbooks.journal import Journal
from tests.support.golden import check_golden
from tests.support.node_states import peer, state, withdrawn

NOW = 1_800_000_000.0

CONFIRMED = Journal(
    "1a2b3c4d",
    "drain",
    "guide",
    "me@host",
    NOW - 90,
    routes=4,
    steps={"Cordoned": NOW - 80, "Evicted": NOW - 70, "Claimed": NOW - 10},
    evidence={"proof": "confirmed", "by": "bird 192.0.2.1", "routes": 4},
)
DRAINED = replace(CONFIRMED, steps={**CONFIRMED.steps, "ShutDown": NOW - 5})
WHY = "time is up at Evicted: 1 pod left: the disruption budget db needs 2 (default/db-0)"
STOPPED = replace(
    CONFIRMED,
    steps={"Claimed": NOW - 80},
    evidence={},
    ending={"status": "deadline", "reason": WHY, "at": NOW - 9},
)
KILLED = replace(STOPPED, command="restart", ending={})
ASKED = "whether a router was asked is not known"
LOST = "somebody removed the journal; `bgpctl node restore` brings the node back by its copy"


def reports() -> list[NodeReport]:
    return [
        NodeReport("worker-1", True, True, withdrawn("worker-1", NOW), CONFIRMED, holder="you@desk"),
        NodeReport("worker-2", True, False, state("worker-2", NOW, peer(NOW)), None),
        NodeReport("worker-3", False, False, None, None, problem="the annotation cannot be read"),
        NodeReport("worker-4", True, False, state("worker-4", NOW, peer(NOW), heartbeat=NOW - 400), None),
        NodeReport("worker-5", True, False, withdrawn("worker-5", NOW), None),
        NodeReport("worker-6", True, True, withdrawn("worker-6", NOW), DRAINED),
        NodeReport("worker-7", True, True, state("worker-7", NOW, peer(NOW)), STOPPED),
        NodeReport("worker-8", True, True, state("worker-8", NOW, peer(NOW)), KILLED),
        NodeReport("worker-9", True, True, withdrawn("worker-9", NOW), None, problem=LOST, lost=STOPPED),
    ]


def test_text() -> None:
    check_golden("node_status.txt", node.text(reports(), NOW))


@pytest.mark.parametrize(
    ("phase", "steps", "shown"),
    [("Stopped", ("Deselected",), ""), ("Stopped", (), "rack-1"), ("Running", ("Deselected",), "rack-1")],
)
def test_a_drains_relabel_is_newer_than_the_word_of_a_speaker_that_stopped(
    phase: str, steps: tuple[str, ...], shown: str
) -> None:
    stopped = replace(state("worker-1", NOW, peer(NOW)), phase=phase, selected_by="rack-1")
    report = NodeReport("worker-1", True, True, stopped, replace(CONFIRMED, steps=dict.fromkeys(steps, NOW)))
    assert node.selected_by(report, NOW) == shown
    assert node.document([report], NOW)["nodes"][0].get("selectedBy", "") == shown


def test_document() -> None:
    document = json.loads(json.dumps(plain_data(node.document(reports(), NOW))))
    first, second, third, fourth, _, drained, stopped, killed, lost = document["nodes"]
    assert document["command"] == "node status"
    assert (first["proof"], first["holder"], first["run"]["id"]) == ("confirmed", "you@desk", "1a2b3c4d")
    assert first["run"]["evidence"]["by"] == "bird 192.0.2.1"
    assert first["withdrawn"]["routes"] == 6
    assert [n["inService"] for n in document["nodes"]] == [False, True] + [False] * 7
    assert "run" not in second
    assert third["problem"]
    assert fourth["stale"] is True
    assert (first["service"], first["running"]) == ("draining", True)
    assert (drained["service"], drained["running"]) == ("drained", False)
    assert "stopped" not in drained and "stopped" not in first
    assert (stopped["service"], stopped["stopped"]) == ("drain-stopped", WHY)
    assert (killed["service"], killed["stopped"]) == (
        "restart-stopped",
        "its process was killed, or could not write down how it ended",
    )
    assert (lost["service"], lost["problem"]) == ("drain-stopped", LOST)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "no router was asked whether the routes are gone"),
        ({"journal": STOPPED}, "that the routes are gone is not confirmed"),
        ({"journal": STOPPED, "holder": "me@host"}, "that the routes are gone is not confirmed"),
        ({"problem": "garbage"}, f"{ASKED}: the journal cannot be read"),
        ({"problem": LOST, "lost": STOPPED}, f"{ASKED}: the journal was removed"),
        ({"problem": LOST, "orphan": True}, f"{ASKED}: the journal was removed"),
    ],
)
def test_that_nobody_was_asked_is_said_only_where_it_is_known(changes: dict[str, Any], told: str) -> None:
    gone = withdrawn("worker-1", NOW)
    given: dict[str, Any] = {"state": gone, "journal": None, **changes}
    report = NodeReport("worker-1", True, True, **given)
    assert f"worker-1: {told}; withdraws sent" in "\n".join(map(plain, node.text([report], NOW)))


UNTOLD = "nobody asked Calico for the sessions of this node"


@pytest.mark.parametrize(
    ("sessions", "changes", "shown", "service"),
    [
        ((SessionState.UNKNOWN, SessionState.UNKNOWN), {}, "unknown", "unknown"),
        ((SessionState.ESTABLISHED, SessionState.UNKNOWN), {}, "1/2 established, 1 unknown", "unknown"),
        ((SessionState.ACTIVE, SessionState.UNKNOWN), {}, "0/2 established, 1 unknown", "degraded"),
        ((SessionState.UNKNOWN,), {"unschedulable": True}, "unknown", "degraded"),
        ((SessionState.UNKNOWN,), {"ready": False}, "unknown", "degraded"),
        ((SessionState.ACTIVE,), {}, "0/1 established", "degraded"),
        ((SessionState.ESTABLISHED,), {}, "1/1 established", "in-service"),
    ],
)
def test_a_session_that_nobody_tells_of_is_not_down(
    sessions: tuple[SessionState, ...], changes: dict[str, bool], shown: str, service: str
) -> None:
    peers = (peer(NOW, f"192.0.2.{n}", state=one) for n, one in enumerate(sessions, 1))
    told = replace(state("worker-1", NOW, *peers), phase="", problems=(UNTOLD,))
    report = replace(NodeReport("worker-1", True, False, told, None), **changes)
    text = "\n".join(map(plain, node.text([report], NOW)))
    document = plain_data(node.document([report], NOW))["nodes"][0]
    assert (node.sessions(report, NOW), node.service(report, NOW)) == (shown, service)
    assert document["inService"] is (service == "in-service")
    unknown = service == "unknown"
    why = f"whether its sessions are up is not known: {UNTOLD}"
    assert (f"worker-1: {why}" in text, document.get("problem") == why) == (unknown, unknown)
    assert ("0 of 1 node in service; not known: worker-1" in text) is unknown


def test_renderers(capsys: pytest.CaptureFixture[str]) -> None:
    for render in node.RENDERERS.values():
        render(reports(), NOW)
        assert "worker-4" in capsys.readouterr().out


def one(event: Event, best: float, worst: float, why: str, negotiated: bool = True) -> Estimate:
    return Estimate(
        "65001/192.0.2.1", "192.0.2.1", event, best, worst, why, ("the router's stale timer",), negotiated
    )


ESTIMATES = (
    one(Event.DESELECT, 0.02, 5.0, "An UPDATE withdraws every route (RFC 4271 section 4.3)."),
    one(
        Event.POWER_OFF, 59.0, 210.0, "The hold timer notices the silence within 90 s (RFC 4271 section 6.5)."
    ),
)


def test_estimate_text() -> None:
    check_golden("node_estimate.txt", estimate.text("worker-1", ESTIMATES))


def test_estimate_folds_at_the_width() -> None:
    check_golden("node_estimate_70_columns.txt", estimate.text("worker-1", ESTIMATES, 70))


def test_a_reason_of_many_estimates_is_said_once() -> None:
    other = replace(ESTIMATES[0], address="192.0.2.2"), replace(ESTIMATES[1], address="192.0.2.2")
    shown = [plain(row) for row in estimate.text("worker-1", (*ESTIMATES, *other))]
    assert [row.split()[-1] for row in shown[1:5]] == ["1", "2", "1", "2"]
    assert [row for row in shown if row.startswith((" 1  ", " 2  ", " 3  "))] == shown[6:8]


def test_estimate_for_ever() -> None:
    endless = (one(Event.POWER_OFF, 0.02, inf, "Nothing notices.", negotiated=False),)
    shown = [plain(row) for row in estimate.text("w", endless)]
    assert shown[1].split()[-3:] == ["ever", "policy", "1"]
    assert "FROM policy: not negotiated yet, so it counts what the policy asks for" in shown
    assert "may send for ever" in estimate.summary("w", endless)
    document = plain_data(estimate.document("w", endless))
    assert document["estimates"][0]["worstSeconds"] is None
    assert document["estimates"][0]["unknown"] == ["the router's stale timer"]
    assert document["proof"] == "estimated"
    json.dumps(document, allow_nan=False)


def test_estimate_of_nobody() -> None:
    assert "no peer" in estimate.summary("w", ())
    assert "proof" not in estimate.document("w", ())

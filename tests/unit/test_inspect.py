"""What `node status` calls a node: who is at work on it, or why nobody is; and what a lost journal leaves."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.kube.lease import LeaseView
from bgpctl.queries.nodes import NodeReport, report_of
from bgpctl.runbooks.journal import ANNOTATION, dump
from tests.support.snapshots import NOW, OTHER, journal, lease, running, withdrawn

ENDING = {"status": "interrupted", "reason": "interrupted at Evicted: 2 pods left", "at": NOW}
DRAINED = journal(steps={"Checked": NOW - 9, "ShutDown": NOW - 1})
DRAINING = journal(steps={"Checked": NOW - 9})
STOPPED = journal(steps={"Checked": NOW - 9}, ending=ENDING)


@pytest.mark.parametrize(
    ("record", "holder", "service", "stopped"),
    [
        (None, "", "in-service", ""),
        (DRAINING, OTHER, "draining", ""),
        (DRAINING, "", "drain-stopped", "its process was killed, or could not write down how it ended"),
        (STOPPED, "", "drain-stopped", "interrupted at Evicted: 2 pods left"),
        (journal(ending={"status": "failed", "reason": "", "at": NOW}), "", "drain-stopped", "failed"),
        (STOPPED, OTHER, "draining", ""),
        (DRAINED, "", "drained", ""),
        (DRAINED, OTHER, "draining", ""),  # it is being decided again
        (journal(command="restore"), OTHER, "restoring", ""),
        (
            journal(command="restore"),
            "",
            "restore-stopped",
            "its process was killed, or could not write down how it ended",
        ),
        (
            journal(command="restore", steps={"ShutDown": NOW}),
            "",
            "restore-stopped",
            "its process was killed, or could not write down how it ended",
        ),
        (journal(command="restart"), OTHER, "restarting", ""),
        (
            journal(command="restart", ending=ENDING),
            "",
            "restart-stopped",
            ENDING["reason"],
        ),
    ],
)
@pytest.mark.parametrize("lost", [False, True])
def test_one_word(record: Any, holder: str, service: str, stopped: str, lost: bool) -> None:
    state = withdrawn() if record is DRAINED else running()
    report = NodeReport(
        "n1", True, True, state, None if lost else record, holder, lost=record if lost else None
    )
    assert (report.service, report.stopped, report.running) == (service, stopped, bool(holder))


@pytest.mark.parametrize(
    ("state", "service"), [(running(), "in-service"), (withdrawn(), "no-bgp"), (None, "no-bgp")]
)
def test_a_node_that_bgpctl_has_no_hand_in(state: Any, service: str) -> None:
    assert NodeReport("n1", True, False, state, None).service == service


def document(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": "n1", "annotations": annotations}, "spec": {}, "status": {}}


def kept(text: str) -> LeaseView:
    return LeaseView("", 0.0, 0.0, "1", copy=text)


@pytest.mark.parametrize(
    ("annotations", "held", "holder", "found", "problem"),
    [
        pytest.param({}, None, "", (False, False), "", id="nothing"),
        pytest.param({ANNOTATION: dump(DRAINING)}, lease(), OTHER, (True, False), "", id="a run at work"),
        pytest.param(
            {ANNOTATION: dump(DRAINING)},
            lease(expires=NOW - 1),
            "",
            (True, False),
            "",
            id="a Lease that ran out",
        ),
        pytest.param(
            {ANNOTATION: dump(DRAINED)}, kept(dump(DRAINED)), "", (True, False), "", id="a run that ended"
        ),
        pytest.param(
            {},
            kept(dump(DRAINING)),
            "",
            (False, True),
            "`bgpctl node restore n1` brings the node back by its copy",
            id="lost",
        ),
        pytest.param({}, kept("{"), "", (False, False), "cannot be read", id="and the copy is garbage"),
        pytest.param({ANNOTATION: "{"}, None, "", (False, False), "cannot be read", id="garbage"),
        pytest.param(
            {ANNOTATION: "{"},
            kept(dump(DRAINING)),
            "",
            (False, False),
            "cannot be read",
            id="garbage, with a copy",
        ),
    ],
)
def test_what_is_read(
    annotations: Any, held: Any, holder: str, found: tuple[bool, bool], problem: str
) -> None:
    report = report_of(document(**annotations), running(), held, NOW)
    assert report.holder == holder
    assert (report.journal is not None, report.lost is not None) == found
    assert problem in report.problem
    assert report.unreadable is bool(problem)

"""`node status` on the embedded API: whose Lease, which journal, and what may not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.state_document import to_document
from bgpctl.errors import UsageError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError
from bgpctl.queries.nodes import NodeReport, node_reports
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import ANNOTATION, dump
from tests.support import direct, node_states, objects
from tests.support.direct import EPOCH, Wire
from tests.support.kinds import KINDS
from tests.support.second_writer import stamp
from tests.support.snapshots import journal

RECORD = journal(steps={"Checked": EPOCH})
HOLDER = "eve@elsewhere:7/run-a"
LEASES = paths.leases(lease.NAMESPACE)


def _seeded() -> direct.Api:
    """Three nodes, of which the first is drained by somebody, the second serves, the third has no speaker."""
    api = direct.Api()
    ready = {
        "conditions": [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "True"}]
    }
    pressed = {
        "conditions": [{"type": "MemoryPressure", "status": "True"}, {"type": "Ready", "status": "Unknown"}]
    }
    api.server.apply(*KINDS)
    api.server.apply(objects.node("n3", status=pressed), objects.node("n2", status=ready))
    cordoned = {"podCIDRs": [], "unschedulable": True}
    api.server.apply(objects.node("n1", annotations={ANNOTATION: dump(RECORD)}, spec=cordoned))
    api.server.apply(to_document(node_states.state("n2", EPOCH, node_states.peer(EPOCH))))
    return api


SEEDED = _seeded()


@pytest.fixture
def wire() -> Wire:
    return Wire(SEEDED.fork())


def hold(wire: Wire, node: str = "n1", *, copy: str = "", ago: float = 0.0, holder: str = HOLDER) -> None:
    body = lease.document(lease.name_for(node), holder, "", version=None)
    body["spec"] |= {"renewTime": stamp(EPOCH - ago), "acquireTime": stamp(EPOCH - ago)}
    if copy:
        body["metadata"]["annotations"] = {lease.COPY: copy}
    Wire(wire.api).client().create(LEASES, body)


def reports(wire: Wire, *names: str) -> tuple[NodeReport, ...]:
    return node_reports(wire.client(), names)


def test_every_node_by_name(wire: Wire) -> None:
    hold(wire)
    first, second, third = reports(wire)
    assert (first.node, first.ready, first.unschedulable, first.holder) == ("n1", False, True, HOLDER)
    assert (first.journal, first.state, first.problem, first.lost) == (RECORD, None, "", None)
    assert (first.service, first.running, first.unreadable) == ("draining", True, False)
    assert (second.node, second.ready, second.unschedulable, second.holder) == ("n2", True, False, "")
    assert second.state is not None and second.state.node == "n2"
    assert third.ready is False
    assert (second.service, third.node, third.service) == ("in-service", "n3", "no-bgp")


def test_the_named_ones_in_their_order(wire: Wire) -> None:
    assert [one.node for one in reports(wire, "n3", "n1")] == ["n3", "n1"]


def test_a_node_that_is_named_twice_is_one_row(wire: Wire) -> None:
    assert [one.node for one in reports(wire, "n3", "n1", "n3")] == ["n3", "n1"]


def test_names_that_no_node_has(wire: Wire) -> None:
    with pytest.raises(UsageError) as told:
        reports(wire, "n9", "n1", "n8")
    assert told.value.message == "nodes n9, n8 do not exist"
    assert told.value.hint == "see `kubectl get nodes`"


@pytest.mark.parametrize(
    ("ago", "holder", "holds"),
    [(0.0, HOLDER, HOLDER), (13.0, HOLDER, HOLDER), (16.0, HOLDER, ""), (0.0, "", "")],
)
def test_who_holds_a_node(wire: Wire, ago: float, holder: str, holds: str) -> None:
    hold(wire, ago=ago, holder=holder)
    assert reports(wire, "n1")[0].holder == holds


def test_leases_of_others_say_nothing_of_nodes(wire: Wire) -> None:
    """bgpctl elects with Leases too, and other tools have their own."""
    client = Wire(wire.api).client()
    client.create(LEASES, lease.document("bgpctl-conditions", HOLDER, "", version=None))
    odd = lease.document(lease.name_for("n1"), HOLDER, "", version=None)
    odd["metadata"]["labels"] = {"app": "another"}
    client.create(LEASES, odd)
    assert [one.holder for one in reports(wire)] == ["", "", ""]
    listed = next(asked for asked in wire.sent if asked.resource == "leases")
    assert listed.query["labelSelector"] == "app.kubernetes.io/managed-by=bgpctl"


def forbidden(wire: Wire, code: int = 403) -> None:
    """Leases may not be listed, one may be read."""
    wire.before = lambda asked: (
        direct.refused(code, "Forbidden") if (asked.verb, asked.resource) == ("list", "leases") else None
    )


def test_who_may_not_list_leases_sees_those_of_nodes_with_a_journal(wire: Wire) -> None:
    hold(wire)
    hold(wire, "n2")
    forbidden(wire)
    assert [one.holder for one in reports(wire)] == [HOLDER, "", ""]
    assert [asked.path for asked in wire.sent if asked.resource == "leases"] == [f"{LEASES}/bgpctl-node-n1"]


def test_a_journal_without_a_lease(wire: Wire) -> None:
    forbidden(wire)
    assert reports(wire, "n1")[0].service == "drain-stopped"


def test_any_other_refusal_is_an_error(wire: Wire) -> None:
    forbidden(wire, 418)
    with pytest.raises(ApiError):
        reports(wire)


def test_without_the_crd_no_speaker_is_known(wire: Wire) -> None:
    wire.before = lambda asked: direct.refused(404, "NotFound") if "bgpnodestates" in asked.path else None
    assert [one.state for one in reports(wire)] == [None, None, None]


def test_bare_documents(wire: Wire) -> None:
    bare = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n3", "uid": "u"}}
    wire.api.server.store.put(("", "nodes"), bare)
    (report,) = reports(wire, "n3")
    assert (report.ready, report.unschedulable, report.journal) == (False, False, None)


# --- what cannot be read ------------------------------------------------------------------------------------

UNREADABLE = replace(node_states.state("n2", EPOCH), unreadable="spec: garbage")


@pytest.mark.parametrize(
    ("changes", "service", "unreadable"),
    [
        ({"state": UNREADABLE}, "unknown", True),
        ({"state": UNREADABLE, "journal": RECORD}, "drain-stopped", True),
        ({"problem": "garbage"}, "no-bgp", True),
        ({}, "no-bgp", False),
        ({"state": node_states.state("n2", EPOCH)}, "no-bgp", False),
    ],
)
def test_garbage(changes: dict[str, Any], service: str, unreadable: bool) -> None:
    report = NodeReport(
        **{"node": "n2", "ready": True, "unschedulable": False, "state": None, "journal": None, **changes}
    )
    assert (report.service, report.unreadable, report.stopped != "") == (
        service,
        unreadable,
        service.endswith("-stopped"),
    )
    assert report.unreadable is unreadable, "a bool, for JSON"
    assert replace(report, named=True).fails is unreadable
    assert report.fails is ("problem" in changes), "what a speaker wrote fails who asked for its node only"


def test_a_journal_that_cannot_be_read_has_a_way_out(wire: Wire) -> None:
    Wire(wire.api).client().patch(paths.node("n1"), {"metadata": {"annotations": {ANNOTATION: "{"}}})
    (report,) = node_reports(wire.client(), ("n1",), CommandLine(("bgpctl", "--context", "c")))
    assert f"to remove it: kubectl annotate node n1 {ANNOTATION}- --context c" in report.ways


def _removed(wire: Wire) -> None:
    Wire(wire.api).client().patch(paths.node("n1"), {"metadata": {"annotations": {ANNOTATION: None}}})


CASES: dict[str, tuple[Callable[[Wire], None], str, bool]] = {
    "its copy": (lambda wire: hold(wire, copy=dump(RECORD), holder=""), "somebody removed the journal", True),
    "a copy that is garbage": (lambda wire: hold(wire, copy="{", holder=""), "cannot be read", False),
    "a Lease without a copy": (lambda wire: hold(wire, holder=""), "", False),
    "nothing": (lambda wire: None, "", False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_journal_that_was_removed_is_told_by(wire: Wire, name: str) -> None:
    prepare, problem, known = CASES[name]
    prepare(wire)
    _removed(wire)
    (report,) = reports(wire, "n1")
    assert report.journal is None
    assert report.lost == (RECORD if known else None)
    assert problem in report.problem and bool(problem) == bool(report.problem)


def test_a_journal_that_cannot_be_read_costs_its_node(wire: Wire) -> None:
    hold(wire, copy=dump(RECORD))
    Wire(wire.api).client().patch(paths.node("n1"), {"metadata": {"annotations": {ANNOTATION: "{"}}})
    first, second, _ = reports(wire)
    assert (first.journal, first.lost) == (None, None)
    assert first.problem.startswith(f"the annotation {ANNOTATION} cannot be read")
    assert second.problem == ""

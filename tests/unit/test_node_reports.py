"""`node status` on the embedded API: by whose word each node is shown, and what nobody knows any more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bgpctl import providers
from bgpctl.core.policy.annotations import LEAVE
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.kube import lease, paths
from bgpctl.lab.api.requests import Answer
from bgpctl.lab.stacks.cilium.documents import crd
from bgpctl.queries.nodes import NodeReport, journal_of, node_reports
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import ANNOTATION, dump
from tests.support import direct, node_states, objects
from tests.support.direct import EPOCH, Wire
from tests.support.kinds import KINDS
from tests.support.snapshots import journal
from tests.unit.test_cilium_states import document as node_config
from tests.unit.test_cilium_states import said

TYPED = CommandLine(("bgpctl", "node", "status"))


def written(name: str, **changes: Any) -> dict[str, Any]:
    return objects.node(name, annotations={ANNOTATION: dump(journal(**changes))})


@pytest.fixture
def wire() -> Wire:
    api = direct.Api()
    api.server.apply(*KINDS, crd(), objects.policy(objects.router(objects.neighbor("192.0.2.1/32"))))
    return Wire(api)


def told(name: str, *peers: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A CiliumBGPNodeConfig that nobody owns, in which the agent told of these."""
    found = node_config(*peers, **metadata)
    own = {key: value for key, value in found["metadata"].items() if key in ("labels", "annotations")}
    kind = {"apiVersion": "cilium.io/v2", "kind": "CiliumBGPNodeConfig"}
    return {**found, **kind, "metadata": {**own, "name": name}}


def reports(wire: Wire, *names: str) -> dict[str, NodeReport]:
    client = wire.client()
    ours = providers.named(client, "bgpctl")
    return {one.node: one for one in node_reports(client, names, TYPED, ours)}


def test_only_the_stack_that_a_node_was_taken_out_of_tells_of_it(wire: Wire) -> None:
    """Not the one that the rest of the cluster runs."""
    wire.api.server.apply(
        written("cilium", provider="cilium"),
        written("ours", provider="bgpctl"),
        written("older", provider=""),
        written("strange", provider="quagga"),
        objects.node("broken", annotations={ANNOTATION: "{"}),
        objects.node("untouched"),
        told("cilium", said(3)),
        *(to_document(node_states.state(n, EPOCH)) for n in ("ours", "older", "strange", "broken", "cilium")),
    )
    found = reports(wire)
    states = {name: one.state for name, one in found.items()}
    assert list(found) == ["broken", "cilium", "older", "ours", "strange", "untouched"]
    assert states["untouched"] is None
    phases = {name: state.phase for name, state in states.items() if state}
    assert phases["ours"] == phases["older"] == phases["broken"] != phases["cilium"] == ""
    assert states["cilium"] and [p.name for p in states["cilium"].peers] == ["main/tor"]
    assert states["strange"] and states["strange"].unreadable == (
        "quagga runs there, which is not known here"
    )
    assert found["broken"].problem and not found["ours"].problem


def test_who_asks_for_a_node_hears_of_it_alone_and_that_it_was_asked_for(wire: Wire) -> None:
    wire.api.server.apply(objects.node("a"), objects.node("b"))
    assert {name: one.named for name, one in reports(wire, "b").items()} == {"b": True}
    assert {name: one.named for name, one in reports(wire).items()} == {"a": False, "b": False}


def report(**changes: Any) -> NodeReport:
    return NodeReport("n1", True, True, NodeState("n1", phase="", told_out=True), None, **changes)


def test_a_node_that_is_out_by_a_run_of_which_nothing_is_left() -> None:
    """Of a stack that tells so itself."""
    assert (report().service, report().stopped, report().step) == ("withdrawn", "", "")
    assert replace(report(), state=NodeState("n1", unreadable="garbage")).service == "unknown"


def test_such_a_node_is_taken_over_by_a_drain_or_brought_back(wire: Wire) -> None:
    theirs = told("n1", said(0), labels={"bgpctl.io/withdrawn": "true"})
    wire.api.server.apply(objects.node("n1", annotations={LEAVE: "1a2b-1"}), theirs)
    client = wire.client()
    (one,) = node_reports(client, (), TYPED, providers.named(client, "cilium"))
    assert (one.service, one.orphan) == ("withdrawn", False)
    assert one.problem == (
        "it was made to withdraw, and no run knows of it: `bgpctl node drain n1` takes it over, "
        "`bgpctl node restore n1` then undoes it"
    )


@pytest.mark.parametrize("listed", [True, False], ids=["as one of many", "by who may not list them"])
def test_a_lease_that_cannot_be_read_costs_its_node_alone(wire: Wire, listed: bool) -> None:
    """Whether a run is at work on it nobody can tell; of the others everything is as before."""
    wire.api.server.apply(*(written(name, command="drain") for name in ("n1", "n2")))
    client = direct.Wire(wire.api).client()
    for name in ("n1", "n2"):
        client.create(
            paths.leases(lease.NAMESPACE), lease.document(lease.name_for(name), "", "", version=None)
        )

    def broken(asked: direct.Asked, answer: Answer) -> Answer | None:
        found = json.loads(answer.body) if asked.resource == "leases" else {}
        for one in found.get("items", [found] if found else []):
            if one["metadata"]["name"] == lease.name_for("n1"):
                one["spec"]["holderIdentity"] = "x" * 5000
        return replace(answer, body=json.dumps(found).encode()) if found else None

    wire.after = broken
    if not listed:
        wire.before = lambda asked: (
            direct.refused(403) if (asked.resource, asked.verb) == ("leases", "list") else None
        )
    found = reports(wire)
    one, other = found["n1"], found["n2"]
    assert one.problem.startswith(
        "who holds node n1 is unknown: its Lease cannot be read (spec.holderIdentity"
    )
    assert (one.record, one.stopped, one.leased, one.fails) == (None, "", True, True)
    assert one.ways == (
        "when nobody does: kubectl -n kube-system delete lease bgpctl-node-n1",
        "then run this again",
    )
    assert other.service == "drain-stopped" and not other.problem


def test_a_journal_is_found_on_its_node_or_in_the_lease(wire: Wire) -> None:
    client, there, copy = wire.client(), journal(run="there"), journal(run="copy")
    wire.api.server.apply(objects.node("n1"), objects.node("n2"))
    assert journal_of(client, "n1") is None and journal_of(client, "nobody") is None
    for name, kept in (("n1", dump(copy)), ("n2", "")):
        body = lease.document(lease.name_for(name), "", "", version=None)
        body["metadata"]["annotations"] = {lease.COPY: kept} if kept else {}
        client.create(paths.leases(lease.NAMESPACE), body)
    assert journal_of(client, "n1") == copy and journal_of(client, "n2") is None
    client.patch(paths.node("n1"), {"metadata": {"annotations": {ANNOTATION: dump(there)}}})
    assert journal_of(client, "n1") == there

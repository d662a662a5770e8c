"""Which nodes count as taken out by hand: those whose labels, cordon or speaker say so, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.standing import out_by_hand
from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.reading.selectors import LabelSelector, Requirement
from bgpctl.core.state import NodeState
from bgpctl.ports import Outlook
from bgpctl.providers.policies import selectors
from bgpctl.runbooks import cluster
from bgpctl.runbooks.cluster import Objects
from bgpctl.runbooks.journal import ANNOTATION, dump
from tests.support import objects
from tests.support.snapshots import journal, relabelled, running, withdrawn

BGP = LabelSelector((("enable-bgp", "true"),))
RACK = LabelSelector((("enable-bgp", "true"), ("rack", "1")))
NOT_OFF = LabelSelector((), (Requirement("bgp-off", "DoesNotExist"),))
NOT_SPARE = LabelSelector((), (Requirement("state", "NotIn", frozenset({"spare"})),))
WORKERS = LabelSelector((("node-role.kubernetes.io/worker", ""),))


@pytest.mark.parametrize(
    ("selector", "labels", "cordoned", "withdrew", "word"),
    [
        # a policy selects it
        (BGP, {"enable-bgp": "true"}, True, True, ""),
        (None, {}, True, True, ""),
        # its label says so
        (BGP, {"enable-bgp": "false"}, False, False, "label enable-bgp=false"),
        (BGP, {"enable-bgp": "drained"}, False, False, "label enable-bgp=drained"),
        (RACK, {"enable-bgp": "false", "rack": "1"}, False, False, "label enable-bgp=false"),
        # the label is missing: never in, or out?
        (BGP, {}, False, False, ""),
        (BGP, {}, True, False, "no label enable-bgp, and cordoned"),
        (BGP, {}, False, True, "no label enable-bgp, and its speaker has withdrawn"),
        # a label that bars it
        (NOT_OFF, {"bgp-off": "yes"}, False, False, ""),
        (NOT_OFF, {"bgp-off": "yes"}, True, False, "label bgp-off=yes, and cordoned"),
        (NOT_OFF, {"bgp-off": "yes"}, False, True, "label bgp-off=yes, and its speaker has withdrawn"),
        (NOT_SPARE, {"state": "spare"}, False, False, ""),
        (NOT_SPARE, {"state": "spare"}, True, False, "label state=spare, and cordoned"),
        # another rack's, a control plane's, or more than one label away
        (RACK, {"enable-bgp": "true", "rack": "2"}, True, True, ""),
        (RACK, {"enable-bgp": "false", "rack": "2"}, True, True, ""),
        (RACK, {}, True, True, ""),
        (WORKERS, {}, True, True, ""),
        (BGP, {"enable-bgp": "maybe"}, True, True, ""),
    ],
)
def test_who_is_out_by_hand(
    selector: Any, labels: dict[str, str], cordoned: bool, withdrew: bool, word: str
) -> None:
    assert out_by_hand(labels, [selector], cordoned=cordoned, withdrew=withdrew) == word


def test_of_several_policies_any_may_tell() -> None:
    away = {"enable-bgp": "false"}
    assert out_by_hand(away, [WORKERS, RACK, BGP], cordoned=False, withdrew=False) == "label enable-bgp=false"
    assert out_by_hand({**away, "bgp-off": ""}, [NOT_OFF, BGP], cordoned=False, withdrew=False) != ""
    assert out_by_hand(away, [BGP, NOT_OFF], cordoned=True, withdrew=True) == "", "another policy selects it"
    assert out_by_hand(away, [], cordoned=True, withdrew=True) == ""


# --- in a cluster -------------------------------------------------------------------------------------------


def document(name: str, labels: dict[str, str], record: Any = None, **spec: Any) -> dict[str, Any]:
    made = objects.node(name, labels=labels, spec=spec)
    if record is not None:
        made["metadata"]["annotations"] = {ANNOTATION: dump(record)}
    return made


def by_hand(ours: dict[str, Any], *others: dict[str, Any], **states: NodeState) -> dict[str, str]:
    fleet = Fleet(ClusterObjects(policies=(objects.policy(objects.router()),)))
    selecting = selectors(fleet.objects.policies, ())
    return cluster._by_hand(ours, Objects((ours, *others), Outlook(states, fleet, selecting)))


ON, OFF = {"enable-bgp": "true"}, {"enable-bgp": "false"}


def test_other_nodes_count_that_bgpctl_knows_nothing_of() -> None:
    found = by_hand(
        document("n1", OFF),
        document("n2", OFF),
        document("n3", {}, unschedulable=True),
        document("n4", {}),
        document("n5", {}),
        document("n6", ON, unschedulable=True),
        document("n7", OFF, journal()),
        n4=replace(withdrawn(), node="n4"),
        n5=running(),
    )
    assert found == {
        "n2": "label enable-bgp=false",
        "n3": "no label enable-bgp, and cordoned",
        "n4": "no label enable-bgp, and its speaker has withdrawn",
    }


@pytest.mark.parametrize(("record", "counts"), [(journal(), True), (relabelled(), False)])
def test_a_node_that_was_told_to_leave_is_not_stopped_by_it_any_more(record: Any, counts: bool) -> None:
    """It is out itself by then: to stop would bring nobody back."""
    assert bool(by_hand(document("n1", OFF, record), document("n2", OFF))) is counts

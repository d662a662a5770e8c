"""What the Node itself withholds: the exclude label, NetworkUnavailable, and not being Ready yet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent.compile import Context, compile_intent
from bgpctl.core.intent.gates import EXCLUDE_LABEL, OPEN, announced_before, conditions_of, gate
from bgpctl.core.model import Intent
from tests.support import v2
from tests.support.intents import PEER, POD_CIDRS, absences, prefixes, world
from tests.support.objects import endpoint, endpoint_slice, node, service

WEB = service("web", "203.0.113.1")
ALL = POD_CIDRS | {"203.0.113.1/32"}


def a_node(labels: dict[str, str] | None = None, **conditions: str) -> dict[str, Any]:
    made = node(labels={"enable-bgp": "true", **(labels or {})})
    made["status"]["conditions"] = [{"type": t, "status": s} for t, s in conditions.items()]
    return made


def run(document: dict[str, Any], previous: Intent | None = None, **fields: Any) -> Intent:
    return compile_intent(world(WEB, node=document), "worker-1", Context(**fields), previous=previous)


# --- the table --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ready", "opened_before", "announces", "opened", "noted"),
    [
        (None, False, True, True, False),  # a file says nothing of conditions
        (None, True, True, True, False),
        ("True", False, True, True, False),  # a fresh node that is Ready
        ("True", True, True, True, False),
        ("False", False, False, False, False),  # a fresh node waits
        ("Unknown", False, False, False, False),
        ("False", True, True, True, True),  # its kubelet fails, its pods run on
        ("Unknown", True, True, True, True),
    ],
)
def test_on_the_way_up(
    ready: str | None, opened_before: bool, announces: bool, opened: bool, noted: bool
) -> None:
    found = gate(a_node(**({} if ready is None else {"Ready": ready})), opened_before)
    assert (found.everything == OPEN, found.opened, bool(found.note)) == (announces, opened, noted)
    assert found.services == OPEN
    if not announces:
        assert found.everything[0] == "nodeNotReady" and str(ready) in found.everything[1]


@pytest.mark.parametrize(
    ("ready", "opened_before", "reason", "opened"),
    [
        ("True", False, "nodeReadinessNotConfirmed", False),
        ("False", False, "nodeNotReady", False),
        ("True", True, "", True),  # a gate on the way up only
        ("False", True, "", True),
    ],
)
def test_the_operators_own_checks_must_agree_on_the_way_up(
    ready: str, opened_before: bool, reason: str, opened: bool
) -> None:
    found = gate(a_node(Ready=ready), opened_before, "healthz answers 503")
    assert (found.everything[0], found.opened) == (reason, opened)
    assert (found.note == "nothing is announced yet: healthz answers 503") == (not opened_before)


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("ready", ["True", "False"])
@pytest.mark.parametrize("network", ["True", "False", "Unknown"])
def test_an_unavailable_network_withholds_everything(network: str, ready: str, opened: bool) -> None:
    found = gate(a_node(Ready=ready, NetworkUnavailable=network), opened)
    assert (found.everything[0] == "nodeNetworkUnavailable") == (network == "True")


@pytest.mark.parametrize("text", ["", "true", "false"])
def test_the_exclude_label_counts_by_presence(text: str) -> None:
    """Kubernetes' own (k8s.io/api/core/v1, LabelNodeExcludeBalancers)."""
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    found = gate(a_node({label: text}), False)
    assert found.everything == OPEN == ("", "")
    assert found.services == ("nodeLabeledExcludeBalancers", f"the node has the label {label}")


@pytest.mark.parametrize("junk", ["Ready", {"type": "Ready", "status": "False"}, 3, None])
def test_conditions_that_are_no_list_are_none(junk: Any) -> None:
    assert conditions_of({"status": {"conditions": junk}}) == {}


def test_a_malformed_condition_costs_itself_only() -> None:
    listed = [
        {"type": ["Ready"], "status": "True"},
        {"type": "A", "status": True},
        {"type": 3, "status": None},
    ]
    whole = {"type": "Ready", "status": "False"}
    assert conditions_of({"status": {"conditions": [*listed, whole, "x"]}}) == {"Ready": "False"}


@pytest.mark.parametrize(
    ("intended", "heartbeat", "booted_at", "expected"),
    [
        (5, 1000.0, 900.0, True),  # the speaker was restarted: restarting is not leaving
        (5, 1000.0, 1000.5, False),  # the machine was: its datapath is empty
        (0, 1000.0, 900.0, False),  # it announced nothing: drained, or never came up
        (5, 1000.0, None, True),  # not known: do not take routes from a node that works
        (0, 1000.0, None, False),
        (1, 1000.0, 900.0, True),  # one route is a route
        (5, 1000.0, 1000.0, False),
    ],
)
def test_announced_before(intended: int, heartbeat: float, booted_at: float | None, expected: bool) -> None:
    assert announced_before(intended, heartbeat, booted_at) is expected


json_like = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "status"]), inner),
)


@given(json_like)
def test_malformed_conditions_withhold_nothing_and_crash_nothing(junk: Any) -> None:
    document = {**a_node(), "status": {"conditions": junk}}
    if "Ready" not in conditions_of(document) and "NetworkUnavailable" not in conditions_of(document):
        assert gate(document, False).everything == OPEN
    assert conditions_of({"status": junk}) == conditions_of({}) == {}


# --- in the intent ----------------------------------------------------------------------------------------


def test_an_excluded_node_keeps_its_pod_cidrs_and_sessions() -> None:
    found = run(a_node({EXCLUDE_LABEL: "false"}))
    assert prefixes(found) == POD_CIDRS and [p.name for p in found.peers] == [PEER]
    assert absences(found) == {("Service default/web", "203.0.113.1/32", "nodeLabeledExcludeBalancers")}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (a_node(NetworkUnavailable="True"), "nodeNetworkUnavailable"),
        (a_node(Ready="False"), "nodeNotReady"),
        (a_node({EXCLUDE_LABEL: ""}, Ready="Unknown"), "nodeNotReady"),
    ],
)
def test_a_closed_gate_withholds_all_routes_and_no_session(document: dict[str, Any], reason: str) -> None:
    found = run(document)
    assert prefixes(found) == set() and [p.name for p in found.peers] == [PEER]
    assert {why for _, _, why in absences(found)} == {reason} and len(found.absent) == 3


def test_a_life_of_a_node() -> None:
    fresh = run(a_node(Ready="False"))
    assert prefixes(fresh) == set() and not fresh.opened
    up = run(a_node(Ready="True"), fresh)
    assert prefixes(up) == ALL and up.opened and up.problems == ()
    ill = run(a_node(Ready="Unknown"), up)
    assert prefixes(ill) == ALL and ill.opened and "what it announces stays" in ill.problems[0]
    without_network = run(a_node(Ready="Unknown", NetworkUnavailable="True"), ill)
    assert prefixes(without_network) == set() and without_network.opened
    assert prefixes(run(a_node(Ready="Unknown"), without_network)) == ALL


def test_a_confirmation_counts_until_the_node_leaves() -> None:
    waiting = run(a_node(Ready="True"), unconfirmed="no")
    assert prefixes(waiting) == set() and waiting.waiting
    assert waiting.problems == ("warning: nothing is announced yet: no",)
    up = run(a_node(Ready="True"), waiting)
    assert prefixes(up) == ALL and not up.waiting
    assert prefixes(run(a_node(Ready="True"), up, unconfirmed="no")) == ALL
    drained = run(a_node({"enable-bgp": "false"}, Ready="True"), up)
    assert prefixes(run(a_node(Ready="True"), drained, unconfirmed="no")) == set()
    assert prefixes(run(a_node(Ready="True"), opened=True, unconfirmed="no")) == ALL


def test_leaving_closes_the_gate_behind() -> None:
    """A node that was drained comes back through the gate, also where its speaker ran on."""
    up = run(a_node(Ready="True"))
    drained = run(a_node({"enable-bgp": "false"}, Ready="True"), up)
    assert not drained.selected and not drained.opened
    assert prefixes(run(a_node(Ready="False"), drained)) == set()


def test_a_restarted_speaker_of_a_node_that_is_not_ready_announces_on() -> None:
    assert prefixes(run(a_node(Ready="False"), opened=True)) == ALL


def test_a_node_that_cannot_be_read_keeps_its_gate_open() -> None:
    lost = compile_intent(world(node=None), "worker-1", previous=run(a_node(Ready="True")))
    assert lost.opened and prefixes(run(a_node(Ready="False"), lost)) == ALL


# --- Services without endpoints ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoints", "announced"),
    [
        (None, False),
        ([], False),
        ([endpoint("worker-2", ready=False)], False),
        ([endpoint("worker-2", ready=True)], True),
        ([endpoint(ready=False, serving=True, terminating=True)], True),
    ],
)
def test_the_switch_for_services_without_endpoints(endpoints: Any, announced: bool) -> None:
    slices = [] if endpoints is None else [endpoint_slice("web", *endpoints)]
    objects = world(WEB, slices=slices)
    always = compile_intent(objects, "worker-1")
    assert "203.0.113.1/32" in prefixes(always) and always.absent == ()
    asked = compile_intent(objects, "worker-1", Context(withdraw_without_endpoints=True))
    assert ("203.0.113.1/32" in prefixes(asked)) == announced
    reasons = {("Service default/web", "203.0.113.1/32", "noEndpoints")}
    assert absences(asked) == (set() if announced else reasons)


def test_endpoints_of_the_other_ip_version_do_not_count() -> None:
    both = service("web", "203.0.113.1", "2001:db8::1")
    slices = [endpoint_slice("web", endpoint("worker-2"), family="IPv6")]
    found = compile_intent(world(both, slices=slices), "worker-1", Context(withdraw_without_endpoints=True))
    assert prefixes(found) == POD_CIDRS | {"2001:db8::1/128"}


def test_the_gates_hold_for_v2_resources_too() -> None:
    objects = world(
        WEB,
        policies=[],
        cluster_configs=[v2.cluster_config()],
        peer_configs=[v2.peer_config()],
        advertisements=[v2.advertisement()],
        node=a_node({EXCLUDE_LABEL: ""}),
    )
    assert prefixes(compile_intent(objects, "worker-1"), "main/tor") == POD_CIDRS

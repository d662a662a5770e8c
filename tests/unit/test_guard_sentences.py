"""Each guard whole, as it is printed and as JSON has it; and where exactly a verdict turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.drain.guards import (
    ALLOW_ADDRESS_GAP,
    ALLOW_LAST_PATH,
    BESIDE_ANOTHER,
    Guard,
    OtherStack,
    Vip,
    known_kinds,
    kured,
    last_path,
    lift,
    medik8s,
    medik8s_unseen,
    other_stacks,
    out_of_service,
    paths_unknown,
    removal_taints,
    sole_endpoint,
)

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
NODE = "worker-1"
WEB = "10.0.0.1/32 (Service default/web-1)"
HOUR = 3600 * 10**9  # kured counts nanoseconds


def vip(*announcers: str, local: bool = False, number: int = 1, **endpoints: int) -> Vip:
    where = {name.replace("_", "-"): count for name, count in endpoints.items()}
    address = f"10.0.0.{number}"
    return Vip(ip_network(address), (f"Service default/web-{number}",), local, frozenset(announcers), where)


def lock(**fields: Any) -> str:
    return json.dumps({"nodeID": NODE, **fields})


LEASE = {"spec": {"holderIdentity": "nmo", "renewTime": "2027-01-15T07:00:00Z", "leaseDurationSeconds": 60}}


@pytest.mark.parametrize(
    ("look", "level", "message", "flag"),
    [
        (
            lambda: last_path(NODE, []),
            "ok",
            "every Service address of worker-1 is announced by another node too",
            "",
        ),
        (
            lambda: last_path(NODE, [vip(NODE)]),
            "refuse",
            f"worker-1 is the only node that announces {WEB}: after it nothing does",
            ALLOW_LAST_PATH,
        ),
        (
            lambda: sole_endpoint(NODE, [], []),
            "ok",
            "no Service with the traffic policy Local has its only endpoints on worker-1",
            "",
        ),
        (
            lambda: sole_endpoint(NODE, [vip(NODE, local=True, worker_1=1)], ["worker-2"]),
            "refuse",
            f"all ready endpoints of {WEB} are on worker-1 (traffic policy Local): "
            "announced by nobody until a replacement is ready elsewhere",
            ALLOW_ADDRESS_GAP,
        ),
        (
            lambda: sole_endpoint(NODE, [vip(NODE, local=True, worker_1=1)], [NODE]),
            "refuse",
            f"all ready endpoints of {WEB} are on worker-1 (traffic policy Local), "
            "and no other node could announce: nothing does afterwards",
            ALLOW_LAST_PATH,
        ),
        (lambda: out_of_service(NODE, [NODE]), "ok", "0 other nodes are out of service", ""),
        (
            lambda: out_of_service(NODE, ["worker-2", NODE]),
            "refuse",
            "worker-2 is out of service already, and at most 1 may be",
            "--max-unavailable 2",
        ),
        (
            lambda: out_of_service(NODE, ["worker-3", "worker-2"]),
            "refuse",
            "worker-2, worker-3 are out of service already, and at most 1 may be",
            "--max-unavailable 3",
        ),
        (
            lambda: out_of_service(NODE, [], by_hand={"worker-2": "label enable-bgp=false", NODE: "?"}),
            "refuse",
            "worker-2 (by hand: label enable-bgp=false) is out of service already, and at most 1 may be",
            "--max-unavailable 2",
        ),
        (
            lambda: out_of_service(NODE, ["worker-2"], 2, by_hand={"worker-3": "no label bgp, and cordoned"}),
            "refuse",
            "worker-2, worker-3 (by hand: no label bgp, and cordoned) are out of service already, and at "
            "most 2 may be",
            "--max-unavailable 3",
        ),
        (
            lambda: out_of_service(NODE, [], by_hand={NODE: "label enable-bgp=false"}),
            "ok",
            "0 other nodes are out of service",
            "",
        ),
        (lambda: medik8s(NODE, None, NOW), "ok", "no medik8s lease is held", ""),
        (lambda: medik8s(NODE, LEASE, NOW), "warn", "nmo left an expired medik8s lease on worker-1", ""),
        (
            lambda: medik8s(NODE, LEASE, NOW - 3600),
            "refuse",
            "nmo owns worker-1 (Lease node-worker-1 in medik8s-leases): let it finish first",
            "",
        ),
        (lambda: medik8s_unseen(NODE, False), "ok", "medik8s is not in the cluster", ""),
        (
            lambda: medik8s_unseen(NODE, True),
            "warn",
            "whether medik8s owns worker-1 is not known: no right to get leases in medik8s-leases",
            "",
        ),
        (
            lambda: known_kinds(""),
            "ok",
            "the cluster serves what tells nodes to speak BGP, and what they say of it",
            "",
        ),
        (lambda: known_kinds("no CRD"), "refuse", "no CRD", ""),
        (
            paths_unknown,
            "warn",
            "whether another node announces the same addresses cannot be told from outside",
            "",
        ),
        (lambda: other_stacks(NODE, []), "ok", "no other BGP stack has worker-1", ""),
        (
            lambda: other_stacks(NODE, [OtherStack("Calico", "by its BGPPeers")]),
            "refuse",
            "Calico, by its BGPPeers, has worker-1 too: its routes this drain neither withdraws nor "
            "proves gone",
            BESIDE_ANOTHER,
        ),
        (
            lambda: other_stacks(NODE, [OtherStack("Cilium", "", "no right"), OtherStack("MetalLB", "here")]),
            "refuse",
            "whether Cilium has worker-1 too is not known (no right); MetalLB, here, has worker-1 too: "
            "its routes this drain neither withdraws nor proves gone",
            BESIDE_ANOTHER,
        ),
        (lambda: kured(NODE, None, {}, NOW), "ok", "kured holds no lock", ""),
        (
            lambda: kured(NODE, lock(created="2027-01-01T00:00:00Z", TTL=1), {}, NOW),
            "ok",
            "kured's lock has expired",
            "",
        ),
        (
            lambda: kured(NODE, None, {"weave.works/kured-reboot-in-progress": ""}, NOW),
            "refuse",
            "kured reboots worker-1 (annotation weave.works/kured-reboot-in-progress): let it finish first",
            "",
        ),
        (
            lambda: kured(NODE, lock(), {}, NOW, where="kube-system/kured"),
            "refuse",
            "kured holds its reboot lock for worker-1 (annotation weave.works/kured-node-lock of "
            "kube-system/kured): let it finish, or remove the annotation when no kured runs",
            "",
        ),
        (
            lambda: kured(
                NODE, json.dumps({"locks": [{"nodeID": "worker-3"}, {"nodeID": "worker-2"}]}), {}, NOW
            ),
            "warn",
            "kured holds its reboot lock for worker-2, worker-3",
            "",
        ),
        (lambda: kured(NODE, "{", {}, NOW), "warn", "kured's lock on its DaemonSet cannot be read: '{'", ""),
        (lambda: removal_taints(NODE, []), "ok", "nobody else is taking worker-1 out", ""),
        (
            lambda: removal_taints(NODE, [{"key": "ToBeDeletedByClusterAutoscaler"}]),
            "refuse",
            "cluster-autoscaler (taint ToBeDeletedByClusterAutoscaler) is taking worker-1 out: "
            "let it finish first",
            "",
        ),
        (
            lambda: removal_taints(NODE, [{"key": "karpenter.sh/disrupted"}, {"key": "medik8s.io/drain"}]),
            "refuse",
            "Karpenter (taint karpenter.sh/disrupted), the node-maintenance-operator "
            "(taint medik8s.io/drain) is taking worker-1 out: let it finish first",
            "",
        ),
    ],
)
def test_what_a_guard_says(look: Callable[[], Guard], level: str, message: str, flag: str) -> None:
    guard = look()
    assert (guard.level, guard.message, guard.lift) == (level, message, flag)


def test_every_guard_has_one_name() -> None:
    guards = (last_path(NODE, []), sole_endpoint(NODE, [], []), out_of_service(NODE, []))
    others = (medik8s(NODE, None, NOW), kured(NODE, None, {}, NOW), removal_taints(NODE, []))
    assert [guard.name for guard in (*guards, *others)] == [
        "last-path",
        "sole-endpoint",
        "out-of-service",
        "medik8s",
        "kured",
        "removal-taints",
    ]
    refused = (last_path(NODE, [vip(NODE)]), out_of_service(NODE, ["a"]), medik8s(NODE, LEASE, 0.0))
    assert [guard.name for guard in refused] == ["last-path", "out-of-service", "medik8s"]
    kureds = [
        kured(NODE, text, {}, NOW)
        for text in (lock(), "{", '{"nodeID": "b"}', lock(created="2027-01-01T00:00:00Z", TTL=1))
    ]
    assert {
        guard.name for guard in (*kureds, kured(NODE, "", {"weave.works/kured-reboot-in-progress": ""}, NOW))
    } == {"kured"}
    assert removal_taints(NODE, [{"key": "medik8s.io/drain"}]).name == "removal-taints"
    assert medik8s(NODE, LEASE, NOW).name == "medik8s"
    assert {medik8s_unseen(NODE, there).name for there in (True, False)} == {"medik8s"}
    assert {known_kinds(missing).name for missing in ("", "x")} == {"known-kinds"}
    assert paths_unknown().name == "last-path"
    found = [[], [OtherStack("Calico")]]
    assert {other_stacks(NODE, one).name for one in found} == {"other-stacks"}


@pytest.mark.parametrize(("number", "end"), [(5, "10.0.0.5/32 (Service default/web-5)"), (6, " and 1 more")])
def test_five_addresses_are_named_and_the_rest_counted(number: int, end: str) -> None:
    message = last_path(NODE, [vip(NODE, number=n) for n in range(1, number + 1)]).message
    assert message.removesuffix(": after it nothing does").endswith(end)


@pytest.mark.parametrize(
    ("address", "level"),
    [
        (vip(NODE, local=True), "refuse"),  # announced from here alone, by endpoints that nobody lists
        (vip(NODE, "worker-2", local=True), "ok"),
        (vip("worker-2", local=True), "ok"),
        (vip(NODE, local=True, worker_2=1), "ok"),  # its endpoints moved; the announcement follows
        (vip(NODE, "worker-2", local=True, worker_1=1), "refuse"),  # and here it stays behind
        (vip(NODE, local=True, worker_1=0), "refuse"),
    ],
)
def test_a_local_address_goes_with_its_last_endpoint(address: Vip, level: str) -> None:
    assert sole_endpoint(NODE, [address], []).level == level


def test_a_flag_changes_refusals_only() -> None:
    fine = Guard("a", "ok", "x", ALLOW_LAST_PATH)
    told = Guard("b", "warn", "y", ALLOW_LAST_PATH)
    assert lift([fine, told], {ALLOW_LAST_PATH}) == (fine, told)


@pytest.mark.parametrize(
    ("spec", "level"),
    [
        ({"renewTime": "2027-01-15T07:59:00Z", "leaseDurationSeconds": 60}, "refuse"),  # to the second
        ({"renewTime": "2027-01-15T07:59:00Z", "leaseDurationSeconds": 59}, "warn"),
        ({"acquireTime": "2027-01-15T06:00:00Z", "leaseDurationSeconds": 60}, "warn"),
        ({"leaseDurationSeconds": 60}, "refuse"),  # nobody knows when it began
        ({"renewTime": "2020-01-01T00:00:00Z", "leaseDurationSeconds": 0}, "warn"),
    ],
)
def test_when_a_medik8s_lease_ends(spec: dict[str, Any], level: str) -> None:
    assert medik8s(NODE, {"spec": {"holderIdentity": "nmo", **spec}}, NOW).level == level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (lock(created="2027-01-15T07:00:00Z", TTL=HOUR), "refuse"),  # to the second
        (lock(created="2027-01-15T07:00:00Z", TTL=HOUR - 10**9), "ok"),
        (lock(TTL=HOUR), "refuse"),  # set by hand, without a date
        (lock(created="2027-01-01T00:00:00Z"), "refuse"),
        (lock(created=5, TTL=1), "warn"),
        (json.dumps({"locks": None}), "ok"),
        (json.dumps({"locks": 5}), "warn"),
    ],
)
def test_when_kureds_lock_ends(text: str, level: str) -> None:
    assert kured(NODE, text, {}, NOW).level == level


@pytest.mark.parametrize(
    ("others", "deciding", "maximum", "level"),
    [
        ([], ["worker-2"], 1, "wait"),
        ([], ["worker-2"], 2, "ok"),
        ([], ["worker-2", "worker-3"], 2, "wait"),
        (["worker-2"], ["worker-3"], 2, "wait"),
        (["worker-2"], ["worker-3"], 3, "ok"),
        (["worker-2"], ["worker-3"], 1, "refuse"),
    ],
)
def test_a_drain_that_is_being_checked_counts_as_out(
    others: list[str], deciding: list[str], maximum: int, level: str
) -> None:
    assert out_of_service(NODE, others, maximum, deciding).level == level


def test_whose_check_is_waited_for() -> None:
    waiting = out_of_service(NODE, [], deciding=["worker-3", "worker-2"])
    assert waiting == Guard("out-of-service", "wait", "the drain of worker-2, worker-3 is being checked too")


@pytest.mark.parametrize("spec", [5, {"holderIdentity": 5}, {"holderIdentity": "nmo", "renewTime": "soon"}])
def test_a_medik8s_lease_that_cannot_be_read_is_held(spec: Any) -> None:
    guard = medik8s(NODE, {"spec": spec}, NOW)
    assert (guard.name, guard.level) == ("medik8s", "refuse")
    assert guard.message.startswith("Lease node-worker-1 in medik8s-leases cannot be read (")
    assert guard.message.endswith("): see who holds it")


@pytest.mark.parametrize(
    "taints", [5, "ToBeDeletedByClusterAutoscaler", ["ToBeDeletedByClusterAutoscaler"], [None]]
)
def test_taints_that_are_none(taints: Any) -> None:
    assert removal_taints(NODE, taints).level == "ok"

"""The patches by which a Cilium node withdraws, closes and comes back: only what has to change, changes."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.cilium import leave
from bgpctl.core.cilium.nodeconfig import ANNOTATION, LABEL, Kept, NodeConfig, read
from bgpctl.core.drain.lever import Patch
from tests.unit.test_cilium_states import OWNER, document, peer

OTHER_OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u2"}
REFERENCE = "/spec/bgpInstances/0/peers/0/peerConfigRef"
TESTS = [
    {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
    {"op": "test", "path": "/spec/bgpInstances/0/name", "value": "main"},
    {"op": "test", "path": "/spec/bgpInstances/0/peers/0/name", "value": "tor"},
]
COPIED = peer(peerConfigRef={"name": "pc.bgpctl-withdrawn"})


def config(**changes: Any) -> NodeConfig:
    return read(document(**changes))


def kept(owners: tuple[dict[str, Any], ...] = (OWNER,), peers: Any = None) -> Kept:
    return Kept(owners, ({"name": "main", "peers": [peer()] if peers is None else peers},), {}, "n")


def cluster_config(uid: str = "new", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "cilium.io/v2", "metadata": {"name": "cc", "uid": uid}, **fields}


def changes(patch: Patch | None) -> list[dict[str, Any]]:
    """What it does; before that it checks that it is the object that was looked at."""
    assert patch is not None and patch.path == "/x"
    operations = [dict(one) for one in patch.operations]
    tests = [one for one in operations if one["op"] == "test"]
    assert operations[: len(tests)] == tests and tests[0] == TESTS[0]
    return operations[len(tests) :]


def returned(config: NodeConfig, kept: Kept, owner: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [one for one in changes(leave.back("/x", config, kept, owner)) if one["op"] != "remove"]


def test_each_patch_names_every_instance_and_peer_that_it_was_made_for() -> None:
    seen, before = config(), kept()
    for patch in (
        leave.withdraw("/x", seen, before),
        leave.close("/x", seen),
        leave.back("/x", seen, before, None),
    ):
        assert patch is not None and [one for one in patch.operations if one["op"] == "test"] == TESTS


def test_withdrawing_changes_references_owner_and_marks_only() -> None:
    before = kept()
    assert changes(leave.withdraw("/x", config(), before)) == [
        {"op": "replace", "path": f"{REFERENCE}/name", "value": "pc.bgpctl-withdrawn"},
        {"op": "remove", "path": "/metadata/ownerReferences"},
        {"op": "add", "path": "/metadata/annotations", "value": {ANNOTATION: before.text()}},
        {"op": "add", "path": "/metadata/labels", "value": {LABEL: "true"}},
    ]


def test_what_nobody_owns_and_what_refers_to_nothing_is_left_at_that() -> None:
    seen = config(
        peers=[peer(peerConfigRef=None)], ownerReferences=[], annotations={"a": "b"}, labels={"c": "d"}
    )
    assert [(one["op"], one["path"]) for one in changes(leave.withdraw("/x", seen, kept()))] == [
        ("add", "/metadata/annotations/bgpctl.io~1withdrawn"),
        ("add", "/metadata/labels/bgpctl.io~1withdrawn"),
    ]


def test_closing_takes_the_peers_away_once() -> None:
    assert changes(leave.close("/x", config())) == [{"op": "remove", "path": "/spec/bgpInstances/0/peers"}]
    assert leave.close("/x", config(peers=[])) is None


@pytest.mark.parametrize(
    ("there", "before", "expected"),
    [
        ([COPIED], [peer()], [("replace", REFERENCE, {"name": "pc"})]),
        ([peer()], [peer()], []),  # somebody was faster
        ([], [peer()], [("add", "/spec/bgpInstances/0/peers", [peer()])]),
        ([], [], []),
        ([], None, []),
        ([peer(name="new")], [peer()], []),
        ([peer(peerConfigRef=None)], [peer(peerConfigRef=None)], []),
    ],
)
def test_peers_come_back_with_the_least_change(there: Any, before: Any, expected: Any) -> None:
    was = Kept((), ({"name": "main", "peers": before},), {}, "n")
    found = returned(config(peers=there, ownerReferences=[]), was)
    assert [(one["op"], one["path"], one["value"]) for one in found] == expected


def test_an_instance_that_is_new_gets_no_peers() -> None:
    was = Kept((), ({"name": "other", "peers": [peer()]},), {}, "n")
    assert returned(config(peers=[], ownerReferences=[]), was) == []


@pytest.mark.parametrize(
    ("before", "owner", "expected"),
    [
        ((OWNER,), cluster_config(), [{**OWNER, "uid": "new"}]),
        ((OTHER_OWNER, OWNER), cluster_config("u1"), [OTHER_OWNER, OWNER]),
        ((OTHER_OWNER, OWNER), None, [OTHER_OWNER]),  # the policy is gone
        (
            (OTHER_OWNER,),
            cluster_config(),
            [OTHER_OWNER, {**OWNER, "uid": "new", "controller": True}],
        ),
        ((OWNER,), None, None),
        ((), None, None),
    ],
)
def test_the_owner_is_the_policy_as_it_is_now(before: Any, owner: Any, expected: Any) -> None:
    found = returned(config(ownerReferences=[]), kept(before), owner)
    assert [one["value"] for one in found if one["path"] == "/metadata/ownerReferences"] == (
        [] if expected is None else [expected]
    )


def test_what_has_an_owner_again_keeps_it() -> None:
    assert returned(config(), kept((OTHER_OWNER, OWNER)), cluster_config()) == []


@pytest.mark.parametrize("place", ["annotations", "labels"])
@pytest.mark.parametrize(
    ("there", "path"),
    [
        ({ANNOTATION: kept().text()}, "/metadata/{}"),
        ({ANNOTATION: kept().text(), "a": "b"}, "/metadata/{}/bgpctl.io~1withdrawn"),
        ({"a": "b"}, ""),
        ({}, ""),
    ],
)
def test_our_marks_go_and_nobody_elses(place: str, there: dict[str, str], path: str) -> None:
    found = changes(leave.back("/x", config(ownerReferences=[], **{place: there}), kept(()), None))
    assert found == ([{"op": "remove", "path": path.format(place)}] if path else [])

"""The copies of CiliumBGPPeerConfigs: what is made, and when a node's peers may refer to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bgpctl.core.cilium.copies import (
    Ready,
    copy_name,
    is_copy,
    loud,
    made_at,
    made_of,
    readiness,
    same,
)
from bgpctl.core.cilium.nodeconfig import read
from bgpctl.core.reading.foreign import Unreadable
from tests.unit.test_cilium_states import document, peer

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
SPEC = {
    "timers": {"holdTimeSeconds": 9},
    "families": [{"afi": "ipv4", "advertisements": {"matchLabels": {}}}],
}
NEW = "the copies of its CiliumBGPPeerConfigs are new: an agent may not know them for {} s yet"


def original(name: str = "pc", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "spec": SPEC, **fields}


def copied(name: str = "pc", at: float = NOW - 100, created: str = "2023-11-14T22:00:00Z") -> dict[str, Any]:
    made = made_of(original(name), "cilium.io/v2", at)
    made["metadata"]["creationTimestamp"] = created
    return made


def ready(*documents: dict[str, Any], peers: Any = None) -> Ready:
    return readiness(read(document(peers=peers)), documents, NOW)


def test_a_copy_says_what_and_when_it_was_made_from() -> None:
    assert made_of(original(), "cilium.io/v2", NOW + 0.7) == {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPPeerConfig",
        "metadata": {
            "name": "pc.bgpctl-withdrawn",
            "labels": {"bgpctl.io/prepared": "cilium"},
            "annotations": {
                "bgpctl.io/made-from": "pc uid-pc",
                "bgpctl.io/made-at": "2023-11-14T22:13:20Z",
            },
        },
        "spec": {"timers": {"holdTimeSeconds": 9}, "families": [{"afi": "ipv4"}]},
    }


@pytest.mark.parametrize("spec", [{}, None])
def test_what_has_no_settings_is_copied_as_it_is(spec: Any) -> None:
    bare = {"metadata": {"name": "pc"}, "spec": spec}
    made = made_of(bare, "cilium.io/v2", NOW)
    assert (made["spec"], made["metadata"]["annotations"]["bgpctl.io/made-from"]) == ({}, "pc")
    assert same(bare, made) and same(bare, {}) and not same(original(), {})


def test_a_name_has_to_leave_room() -> None:
    room = 253 - len(".bgpctl-withdrawn")
    assert len(made_of(original("p" * room), "v", NOW)["metadata"]["name"]) == 253
    with pytest.raises(Unreadable, match="leaves no room"):
        made_of(original("p" * (room + 1)), "v", NOW)


@pytest.mark.parametrize("families", ["x", {"a": {}}, ["x"], None])
def test_settings_that_cilium_would_not_take_are_copied_as_they_are(families: Any) -> None:
    assert made_of(original(spec={"families": families}), "v", NOW)["spec"] == {"families": families}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([], Ready(missing=True)),
        ([original()], Ready(missing=True)),
        ([original(), copied()], Ready()),
        ([copied()], Ready(trouble="CiliumBGPPeerConfig pc does not exist")),
        (
            [original(), {**copied(), "metadata": {"name": copy_name("pc")}}],
            Ready(
                trouble=f"CiliumBGPPeerConfig {copy_name('pc')} is somebody else's: "
                "it has no label bgpctl.io/prepared=cilium"
            ),
        ),
        (
            [original(spec={**SPEC, "timers": {"holdTimeSeconds": 10}}), copied()],
            Ready(trouble="the copy of CiliumBGPPeerConfig pc differs from it, which would reset sessions"),
        ),
    ],
)
def test_whether_they_may_be_used(documents: list[dict[str, Any]], expected: Ready) -> None:
    assert ready(*documents) == expected


@pytest.mark.parametrize(
    ("age", "left"), [(30, ""), (31, ""), (29, "1"), (29.5, "0"), (0, "30"), (-500, "30"), (10, "20")]
)
def test_a_copy_has_to_be_half_a_minute_old(age: float, left: str) -> None:
    """By its last change too, and a clock that is behind makes nobody wait longer."""
    expected = Ready(trouble=NEW.format(left), young=True) if left else Ready()
    documents = (original(), copied(created=""))
    documents[1]["metadata"]["annotations"]["bgpctl.io/made-at"] = ""
    documents[1]["metadata"]["creationTimestamp"] = datetime.fromtimestamp(NOW - age, UTC).isoformat()
    assert ready(*documents) == expected


def test_every_peers_copy_counts_and_faults_come_in_the_order_of_names() -> None:
    peers = [
        peer(name=name, peerConfigRef={"name": f"pc-{name}"} if name else None) for name in ("b", "c", "a")
    ]
    peers.append(peer(name="silent", peerConfigRef=None))
    assert ready(
        original("pc-a"), original("pc-b"), original("pc-c"), copied("pc-c"), peers=peers
    ).trouble == ("CiliumBGPPeerConfig pc-a has no copy yet; CiliumBGPPeerConfig pc-b has no copy yet")
    all_but_one_old = [copied("pc-a"), copied("pc-b", at=NOW - 12), copied("pc-c")]
    three = [original(f"pc-{name}") for name in "abc"]
    assert ready(*three, *all_but_one_old, peers=peers) == Ready(trouble=NEW.format(18), young=True)
    assert ready(*three, *map(copied, ("pc-a", "pc-b", "pc-c")), peers=peers) == Ready()


@pytest.mark.parametrize(
    ("created", "written", "expected"),
    [
        ("2023-11-14T22:13:20Z", "2023-11-14T22:13:10Z", NOW),
        ("2023-11-14T22:13:10Z", "2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20Z", "", NOW),
        ("", "", float("inf")),
        ("soon", "2023-11-14T22:13:20Z", float("inf")),
        ("2023-11-14T22:13:20Z", "soon", float("inf")),
    ],
)
def test_its_age_is_that_of_its_last_change(created: str, written: str, expected: float) -> None:
    assert (
        made_at({"metadata": {"creationTimestamp": created, "annotations": {"bgpctl.io/made-at": written}}})
        == expected
    )


@pytest.mark.parametrize("label", [{}, {"bgpctl.io/prepared": "calico"}, {"bgpctl.io/prepared": ""}])
def test_without_our_label_it_is_not_ours(label: dict[str, str]) -> None:
    assert not is_copy({"metadata": {"labels": label}})


def test_which_copies_somebody_wrote_advertisements_into() -> None:
    """By those the node announces, whatever its marks say. An original does, and that is what it is for."""
    used = [peer(name=name, peerConfigRef={"name": name}) for name in (copy_name("b"), copy_name("a"), "pc")]
    config = read(document(peers=used))
    edited = [{**copied(name), "spec": SPEC} for name in ("b", "a", "unused")]
    assert loud(config, [original(), *edited]) == (copy_name("a"), copy_name("b"))
    assert loud(config, [original(), copied("a"), copied("b")]) == ()
    assert loud(config, [{**copied("a"), "spec": None}]) == ()

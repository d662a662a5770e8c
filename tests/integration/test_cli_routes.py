"""`bgpctl routes` against a lab: from outside, and at the speaker's own socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bgpctl.lab.cluster import Lab
from tests.support import lab as kit
from tests.support.cli import bgpctl
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with kit.running(nodes=2) as made:
        yield made


def test_from_outside(lab: Lab) -> None:
    document = kit.run_ok(lab, "routes", "-o", "json").document
    assert [node["node"] for node in document["nodes"]] == ["worker-1", "worker-2"]
    for node in document["nodes"]:
        (peer,) = node["peers"]
        assert node["source"] == "intent"
        assert peer["reportedBySpeaker"]["announced"] == peer["intended"] == len(peer["routes"])
        assert {route["standing"] for route in peer["routes"]} == {"intended"}
        assert not [note for note in node["notes"] if "up to date" in note]


def test_at_the_speaker(lab: Lab) -> None:
    directory = str(lab.speakers[0].directory)
    ran = bgpctl("routes", "--directory", directory, "-o", "json")
    assert ran.code == 0, ran.err
    (node,) = ran.document["nodes"]
    (peer,) = node["peers"]
    assert (node["node"], node["source"]) == ("worker-1", "speaker")
    assert peer["announced"] == peer["intended"] > 0 and peer["difference"] == {}
    outside = kit.run_ok(lab, "routes", "worker-1", "-o", "json").document["nodes"][0]["peers"][0]
    assert {r["prefix"] for r in outside["routes"]} == {r["prefix"] for r in peer["routes"]}


def test_what_is_absent_says_why(lab: Lab) -> None:
    """Without a ready endpoint on the node, an eTP=Local address is not announced there."""
    web = "/api/v1/namespaces/default/services/web"
    lab.client().patch(web, {"spec": {"loadBalancerClass": "example.com/other"}})
    try:
        eventually(lambda: "203.0.113.10" not in _prefixes(lab), why="withdrawn")
        ran = kit.run_ok(lab, "routes", "worker-1", "--absent")
        assert "203.0.113.10/32" in ran.out and "Service default/web" in ran.out
        at_speaker = bgpctl("routes", "--absent", "--directory", str(lab.speakers[0].directory))
        assert "203.0.113.10/32" in at_speaker.out
    finally:
        lab.client().patch(web, {"spec": {"loadBalancerClass": None}})


def _prefixes(lab: Lab) -> str:
    return bgpctl("routes", "--directory", str(lab.speakers[0].directory)).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("worker-9",), "node worker-9 does not exist"),
        (("--peer", "192.0.2.250"), "no node has a peer 192.0.2.250"),
        (("--peer", "rack"), "'rack' is not an IP address"),
    ],
)
def test_what_is_not_there_is_a_usage_error(lab: Lab, arguments: tuple[str, ...], words: str) -> None:
    ran = kit.run(lab, "routes", *arguments)
    assert ran.code == 2 and words in ran.err


def test_the_wrong_node(lab: Lab) -> None:
    ran = bgpctl("routes", "worker-2", "--directory", str(lab.speakers[0].directory))
    assert ran.code == 2 and "is that of worker-1" in ran.err

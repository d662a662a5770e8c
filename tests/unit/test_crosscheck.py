"""`policy check` on the v2 kinds: each alone, and what only several documents together show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bgpctl.documents.check import Verdict, check_files
from bgpctl.errors import Exit
from tests.support import v2
from tests.support.documents import Write, write
from tests.support.objects import node, password_secret, policy

__all__ = ["write"]

WHOLE = [v2.cluster_config(), v2.peer_config(), v2.advertisement(), v2.override({"name": "main"})]
OTHER = {"matchLabels": {"rack": "1"}}


def without(kind: str) -> list[Any]:
    return [document for document in WHOLE if document["kind"] != kind]


def replacing(*documents: Any) -> list[Any]:
    kinds = {document["kind"] for document in documents}
    return [*(document for document in WHOLE if document["kind"] not in kinds), *documents]


def found(write: Write, *documents: Any) -> list[tuple[str, str]]:
    report = check_files([write(*documents)])
    assert report.ok, report.problems
    return [(warning.path, warning.message) for warning in report.warnings]


def test_a_whole_configuration_has_nothing_to_complain_about(write: Write) -> None:
    report = check_files([write(node(), *WHOLE)])
    assert report.problems == report.warnings == () and report.exit_code is Exit.DONE
    assert [d.verdict for d in report.documents] == [Verdict.VALID] * 5


def test_faults_have_their_lines(write: Write) -> None:
    path = write(*replacing(v2.cluster_config(v2.instance(localASN=0), v2.instance(v2.peer(peerASN=-1)))))
    report = check_files([path])
    assert report.exit_code is Exit.USAGE
    lines = Path(path).read_text().splitlines()
    shown = [(p.path, lines[(p.line or 0) - 1].strip()) for p in report.problems]
    assert shown == [
        ("spec.bgpInstances[0].localASN", "localASN: 0"),
        ("spec.bgpInstances[1].name", "- name: main"),
        ("spec.bgpInstances[1].peers[0].peerASN", "peerASN: -1"),
    ]


def test_a_list_item_has_its_path(write: Write) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": [node(), v2.peer_config(ebgpMultihop=0)]}
    ((problem),) = check_files([write(items)]).problems
    assert problem.path == "items[1].spec.ebgpMultihop"


@pytest.mark.parametrize(
    ("documents", "path", "words"),
    [
        (
            without("CiliumBGPPeerConfig"),
            "spec.bgpInstances[0].peers[0].peerConfigRef.name",
            "no CiliumBGPPeerConfig tor is in the files: this peer gets no session",
        ),
        (without("CiliumBGPAdvertisement"), "spec.families[0].advertisements", "selects no CiliumBGPAdvert"),
        (
            [*WHOLE, v2.peer_config("spare")],
            "metadata.name",
            "no peer in the files refers to it",
        ),
        (
            [*WHOLE, v2.advertisement(name="spare", labels={"for": "nobody"})],
            "metadata.labels",
            "no CiliumBGPPeerConfig in the files selects it",
        ),
        ([*WHOLE, v2.advertisement(name="spare", labels={})], "metadata", "selects it: it has no effect"),
        ([node(labels={}), *WHOLE], "spec.nodeSelector", "no Node in the files has these labels"),
        (
            [node(), *replacing(v2.override({"name": "main"}, name="worker-9"))],
            "metadata.name",
            "no Node worker-9 is in the files",
        ),
        (
            replacing(v2.override({"name": "other"})),
            "spec.bgpInstances[0].name",
            "has an instance of this name",
        ),
        (
            replacing(v2.override({"name": "main", "peers": [{"name": "x"}]})),
            "spec.bgpInstances[0].peers[0].name",
            "has a peer of this name",
        ),
        (
            [node(), *replacing(v2.peer_config(authSecretRef="bgp"))],
            "spec.authSecretRef",
            "no Secret bgp is in the files",
        ),
        (
            replacing(v2.advertisement(v2.advert(selector=None))),
            "spec.advertisements[0].selector",
            "no Service is advertised",
        ),
        (
            [policy(), *WHOLE],
            "spec.nodeSelector",
            "as CiliumBGPPeeringPolicy policy does, which goes before it",
        ),
    ],
)
def test_warnings(write: Write, documents: list[Any], path: str, words: str) -> None:
    listed = found(write, *documents)
    assert listed and all(p.replace("[1]", "[0]") == path and words in m for p, m in listed), listed


def test_what_needs_the_other_documents_is_not_said_of_one_file_alone(write: Write) -> None:
    """A selector or a reference out of the files is worth a word, an object without users is not."""
    assert found(write, v2.advertisement()) == []
    assert found(write, v2.override({"name": "main"})) == []
    assert {path for path, _ in found(write, v2.peer_config())} == {
        "spec.families[0].advertisements",
        "spec.families[1].advertisements",
    }


def test_an_invalid_document_is_there_all_the_same(write: Write) -> None:
    """Its faults are reported; that it is missing would be a second, wrong word."""
    documents = replacing(v2.peer_config(ebgpMultihop=0), v2.advertisement(v2.advert("Nonsense")))
    report = check_files([write(*documents)])
    assert len(report.problems) == 2 and report.warnings == ()


def test_a_family_that_is_not_spoken_does_not_shift_the_others(write: Write) -> None:
    evpn = {"afi": "l2vpn", "safi": "evpn"}
    lost = v2.family("ipv6", advertisements={"matchLabels": {"for": "nobody"}})
    listed = dict(found(write, *replacing(v2.peer_config(families=[evpn, v2.family(), lost]))))
    assert set(listed) == {"spec.families[0]", "spec.families[2].advertisements"}


def test_secrets_that_are_there(write: Write) -> None:
    documents = [node(), *replacing(v2.peer_config(authSecretRef="bgp")), password_secret("x")]
    assert found(write, *documents) == []


@pytest.mark.parametrize(
    ("documents", "conflict"),
    [
        ([v2.cluster_config(name="b")], True),
        ([v2.cluster_config(name="b", nodeSelector=None)], True),
        ([v2.cluster_config(name="b", nodeSelector=OTHER)], False),
        (
            [
                node(labels={"enable-bgp": "true", "rack": "1"}),
                v2.cluster_config(name="b", nodeSelector=OTHER),
            ],
            True,
        ),
        ([policy()], False),
        ([policy(), v2.cluster_config(name="b")], True),
    ],
)
def test_two_cluster_configs_for_one_node(write: Write, documents: list[Any], conflict: bool) -> None:
    report = check_files([write(*WHOLE, *documents)])
    assert [p.path for p in report.problems] == (["spec.nodeSelector"] if conflict else [])
    assert all("as CiliumBGPClusterConfig rack" in p.message for p in report.problems)


def test_a_state_file_with_v2_resources_is_read(write: Write) -> None:
    from bgpctl.core.intent.compile import compile_intent
    from bgpctl.documents.files import load_documents, objects_from_documents

    objects = objects_from_documents(load_documents([write(node(), *WHOLE)]), "worker-1")
    intent = compile_intent(objects, "worker-1")
    assert intent.policy == "rack" and len(intent.routes["main/tor"]) == 2 and intent.problems == ()

"""The copies with which Cilium announces with GRACEFUL_SHUTDOWN: what is made, and when it is used."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.cilium.nodeconfig import read
from bgpctl.core.cilium.soak import clash, made_of, readiness, same, wanted
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.kube import paths
from bgpctl.lab.stacks.cilium.documents import ADVERTISEMENTS, PEER_CONFIGS, advertisement, peer_config
from bgpctl.providers import cilium_copies
from bgpctl.runbooks import drain as runs
from bgpctl.runbooks.options import DrainOptions
from tests.support.cilium_cluster import NODE, Cluster
from tests.unit.test_cilium_states import document, peer

NOW = 1_700_000_000.0
CHOICE = {"advertise": "bgp"}
ADVERTISED = advertisement("bgp", CHOICE, {"expose": "bgp"})


def made(*documents: dict[str, Any], at: float = NOW - 100) -> list[dict[str, Any]]:
    """The copies of these originals, as the API server has them."""
    found = [
        made_of(one, "cilium.io/v2", at)
        for one in wanted(_of("PeerConfig", documents), _of("Adv", documents))
    ]
    for one in found:
        one["metadata"]["creationTimestamp"] = "2023-11-14T22:00:00Z"
    return found


def _of(kind: str, documents: Any) -> list[dict[str, Any]]:
    return [one for one in documents if kind in one["kind"]]


def ready(*documents: dict[str, Any], name: str = "pc") -> Any:
    config = read(document(peers=[peer(peerConfigRef={"name": name})]))
    return readiness(config, _of("PeerConfig", documents), _of("Adv", documents), NOW)


def test_a_copy_chooses_copies_and_they_have_the_community_beside_what_they_have() -> None:
    row = {"advertisementType": "PodCIDR", "attributes": {"communities": {"wellKnown": ["no-export"]}}}
    tagged = {**ADVERTISED, "spec": {"advertisements": [row, {"advertisementType": "CiliumPodIPPool"}]}}
    config, copied = made(peer_config("pc"), tagged, advertisement("other", {"x": "y"}, {}))
    assert config["metadata"]["name"] == "pc.bgpctl-soak" and copied["metadata"]["name"] == "bgp.bgpctl-soak"
    chosen = config["spec"]["families"][0].pop("advertisements")["matchLabels"]
    assert chosen.items() <= copied["metadata"]["labels"].items() and len(chosen) == 1
    original = peer_config("pc")["spec"]
    original["families"][0].pop("advertisements")
    assert config["spec"] == original, "nothing else differs: the session stays"
    rows = copied["spec"]["advertisements"]
    assert [one["attributes"]["communities"]["wellKnown"] for one in rows] == [
        ["no-export", "planned-shut"],
        ["planned-shut"],
    ]
    assert not CHOICE.items() <= copied["metadata"]["labels"].items(), "no original chooses it"


def test_what_announces_nothing_is_copied_as_it_is() -> None:
    bare = {
        "kind": "CiliumBGPPeerConfig",
        "metadata": {"name": "pc"},
        "spec": {"families": [{"afi": "ipv4"}]},
    }
    (one,) = wanted([bare], [ADVERTISED])
    assert one.spec == bare["spec"] and same(one, made_of(one, "cilium.io/v2", NOW))


def test_of_two_one_that_has_no_copy_yet_is_named() -> None:
    """Where none has one, nobody prepared a soak."""
    both = read(document(peers=[peer(peerConfigRef={"name": name}) for name in ("pc", "later")]))
    configs, adverts = [peer_config("pc"), peer_config("later")], [ADVERTISED]
    copies = made(*configs, ADVERTISED)
    of_one = [one for one in copies if "later" not in one["metadata"]["name"]]

    def told(*there: dict[str, Any]) -> Any:
        documents = (*configs, *adverts, *there)
        return readiness(both, _of("PeerConfig", documents), _of("Adv", documents), NOW)

    assert told(*of_one).trouble == "CiliumBGPPeerConfig later has no copy for a soak yet"
    assert told().missing and not told(*copies).trouble


def test_a_new_copy_for_the_peers_of_other_nodes_is_not_waited_for() -> None:
    """What is announced to them is: an agent may not know a new CiliumBGPAdvertisement yet."""
    configs = [peer_config("pc"), peer_config("others")]
    old, new = made(*configs, ADVERTISED), made(*configs, ADVERTISED, at=NOW - 10)

    def told(young: str) -> Any:
        copies = [b if a["metadata"]["name"].startswith(young) else a for a, b in zip(old, new, strict=True)]
        return ready(*configs, ADVERTISED, *copies)

    assert not told("others").young and not told("others").trouble
    for young in ("pc", "bgp"):
        assert told(young).young and told(young).trouble.endswith("may not know them for 20 s yet")


@pytest.mark.parametrize("selector", [{}, {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}])
def test_who_would_choose_the_copies_too_forbids_them(selector: dict[str, Any]) -> None:
    greedy = peer_config("greedy", families=[{"afi": "ipv4", "safi": "unicast", "advertisements": selector}])
    originals = [peer_config("pc"), greedy]
    assert "CiliumBGPPeerConfig greedy would choose" in clash(originals, wanted(originals, [ADVERTISED]))
    assert clash([peer_config("pc")], wanted([peer_config("pc")], [ADVERTISED])) == ""


def test_who_chooses_everything_hurts_nobody_where_nothing_is_announced() -> None:
    greedy = peer_config("greedy", families=[{"afi": "ipv4", "safi": "unicast", "advertisements": {}}])
    assert clash([greedy], wanted([greedy], [])) == ""
    copies = made(greedy, ADVERTISED)
    assert (
        "CiliumBGPPeerConfig greedy would choose" in ready(greedy, ADVERTISED, *copies, name="greedy").trouble
    )


def test_a_copy_that_lost_its_labels_is_not_as_it_is_to_be() -> None:
    """By them it is chosen: without, the routes would go."""
    for one in wanted([peer_config("pc")], [ADVERTISED]):
        there = made_of(one, "cilium.io/v2", NOW)
        assert same(one, there)
        assert not same(one, {**there, "metadata": {**there["metadata"], "labels": {}}})
        assert not same(one, {**there, "spec": {}})


@pytest.mark.parametrize(("age", "trouble"), [(30, ""), (29, "may not know them for 1 s yet")])
def test_copies_have_to_be_half_a_minute_old(age: int, trouble: str) -> None:
    found = ready(*ORIGINALS, *made(*ORIGINALS, at=NOW - age))
    assert found.young is bool(trouble) and found.trouble.endswith(trouble)


def test_settings_of_other_nodes_need_no_copy() -> None:
    configs = [peer_config("pc"), peer_config("others")]
    copies = [one for one in made(*configs, ADVERTISED) if "others" not in one["metadata"]["name"]]
    assert not ready(*configs, ADVERTISED, *copies).trouble


def test_a_peer_without_settings_needs_no_copy() -> None:
    config = read(document(peers=[peer(peerConfigRef={}), peer(name="b")]))
    documents = (*ORIGINALS, *made(*ORIGINALS))
    found = readiness(config, _of("PeerConfig", documents), _of("Adv", documents), NOW)
    assert not found.trouble and not found.missing


def test_settings_that_are_gone_are_not_there_by_what_else_has_their_name() -> None:
    namesake = advertisement("pc", CHOICE, {})
    both = [peer_config("other"), namesake]
    copies = made(peer_config("pc"), *both)
    assert ready(*both, *copies).trouble == "CiliumBGPPeerConfig pc does not exist"


def test_settings_without_families_are_copied_as_they_are() -> None:
    bare = peer_config("pc")
    del bare["spec"]["families"]
    (one,) = wanted([bare], [ADVERTISED])
    assert one.spec == bare["spec"] and one.spec["timers"]


ORIGINALS = (peer_config("pc"), ADVERTISED)


@pytest.mark.parametrize(
    ("documents", "trouble"),
    [
        ((*ORIGINALS, *made(*ORIGINALS)), ""),
        ((*ORIGINALS, made(*ORIGINALS)[0]), "CiliumBGPAdvertisement bgp has no copy for a soak yet"),
        (
            (peer_config("pc", restart=60), ADVERTISED, *made(*ORIGINALS)),
            "the copy of CiliumBGPPeerConfig pc for a soak is not as it is to be",
        ),
        ((ADVERTISED, *made(*ORIGINALS)), "CiliumBGPPeerConfig pc does not exist"),
        ((peer_config("pc"), *made(*ORIGINALS)), "is a copy of none that is announced"),
        ((*ORIGINALS, *made(*ORIGINALS, at=NOW - 10)), "may not know them for 20 s yet"),
    ],
    ids=["as they are to be", "one is missing", "changed", "gone", "no longer announced", "new"],
)
def test_they_are_compared_before_they_are_used(documents: Any, trouble: str) -> None:
    found = ready(*documents)
    assert not found.missing and (trouble in found.trouble if trouble else not found.trouble)


def test_without_any_copy_nobody_prepared_the_cluster() -> None:
    assert ready(*ORIGINALS).missing


def test_one_of_which_there_can_be_no_copy_forbids_a_soak() -> None:
    """Its routes would go before the others."""
    long = advertisement("x" * 250, CHOICE, {})
    with pytest.raises(Unreadable):
        wanted([peer_config("pc")], [long])
    assert "its name leaves no room" in ready(*ORIGINALS, *made(*ORIGINALS), long).trouble


# --- prepare, and a drain that asks for it ------------------------------------------------------------------


def verbs(cluster: Cluster, *, soak: bool = False) -> list[tuple[str, str]]:
    changes = cilium_copies.prepared(cluster.client, soak=soak)
    cilium_copies.perform(cluster.client, changes)
    return [(one.verb, one.name) for one in changes if "soak" in one.name]


def test_prepare_makes_them_when_it_is_asked_to_and_keeps_them_up_to_date() -> None:
    cluster = Cluster()
    cluster.api.server.apply(ADVERTISED)
    names = ["bgp.bgpctl-soak", "pc1.bgpctl-soak", "pc2.bgpctl-soak"]
    assert verbs(cluster) == []
    assert verbs(cluster, soak=True) == [("create", name) for name in names]
    cluster.client.patch(f"{PEER_CONFIGS}/pc1", {"spec": {"timers": {"holdTimeSeconds": 12}}})
    cluster.client.delete(f"{ADVERTISEMENTS}/bgp")
    assert verbs(cluster) == [("update", names[1]), ("keep", names[2]), ("delete", names[0])]
    undone = cilium_copies.undone(cluster.client)
    cilium_copies.perform(cluster.client, undone)
    assert not any("bgpctl" in one["metadata"]["name"] for one in cluster.client.items(PEER_CONFIGS))


def test_prepare_changes_nothing_where_every_node_would_soak() -> None:
    cluster = Cluster()
    cluster.api.server.apply(ADVERTISED)
    every = {"spec": {"families": [{"afi": "ipv4", "safi": "unicast", "advertisements": {}}]}}
    cluster.client.patch(f"{PEER_CONFIGS}/pc1", every)
    with pytest.raises(BgpctlError, match="every node would announce"):
        verbs(cluster, soak=True)


@pytest.mark.parametrize(
    ("prepares", "why"),
    [
        ("", "bgpctl cilium prepare --soak, run a minute before, makes that possible"),
        ("copies", "bgpctl cilium prepare --soak, run a minute before, makes that possible"),
        ("young", "an agent may not know them for 20 s yet; run this again then"),
    ],
)
@pytest.mark.parametrize("run", [runs.drain, runs.plan])
def test_a_soak_that_is_not_to_be_had_is_exit_2_and_changes_nothing(
    prepares: str, why: str, run: Any
) -> None:
    cluster = Cluster()
    cluster.api.server.apply(ADVERTISED)
    if prepares:
        cluster.prepare()
    if prepares == "young":
        cluster.prepare(0, soak=True)
    before = cluster.objects()
    with pytest.raises(UsageError) as refused:
        list(run(cluster.client, DrainOptions(NODE, provider="cilium", soak=10.0)))
    assert why in refused.value.message and "--soak 0" in refused.value.hint
    assert cluster.objects() == before


def test_our_own_speaker_says_how_it_soaks() -> None:
    cluster = Cluster()
    with pytest.raises(UsageError) as refused:
        list(runs.drain(cluster.client, DrainOptions(NODE, provider="bgpctl", soak=10.0)))
    told = f"kubectl annotate node {NODE} bgpctl.io/graceful-shutdown-soak=10s --overwrite"
    assert told in refused.value.message
    assert not cluster.client.get(paths.node(NODE))["spec"].get("unschedulable")

"""Whole runs on a node that frr-k8s runs: killed before and after every write, refused, undone. No session is
reset or closed, and everything is afterwards as before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from bgpctl import providers
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.frr_k8s import leave
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.frr_k8s.documents import configuration, neighbor, peer
from bgpctl.lab.stacks.frr_k8s.speaker import Speaker
from bgpctl.ports import Provider
from bgpctl.runbooks.journal import ANNOTATION
from bgpctl.runbooks.options import DrainOptions
from tests.support import direct, stack_runs
from tests.support.frr_k8s_cluster import BASE, NODE, OTHER, OWN, PREFIXES, ROUTER_ASN, ROUTERS, Cluster
from tests.support.stack_runs import Probe, killed_at_each_write, proof, verbs

NAME = leave.name_for(NODE)
WITHDREW = {router: ["withdraw"] for router in ROUTERS}
ANNOUNCED = {router: ["announce"] for router in ROUTERS}


@dataclass
class Runs(stack_runs.Runs[Cluster]):
    """`asked`: are the routers?"""

    asked: bool = True
    stack: str = "frr-k8s"

    def provider(self, client: Client) -> Provider:
        return providers.named(client, self.stack)

    def options(self) -> DrainOptions:
        return DrainOptions(NODE, settle=0, provider=self.stack)

    def probes(self) -> Sequence[Probe]:
        return [Probe(self.cluster.engines[NODE], router) for router in ROUTERS] if self.asked else []


def fresh() -> Runs:
    cluster = Cluster()
    for name in (NODE, OTHER):
        cluster.told(name)
    return Runs(cluster)


def test_it_leaves_and_comes_back() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    drained = runs.run("drain")
    assert (drained.status, proof(drained)) == ("done", "confirmed"), drained
    assert verbs(runs.cluster.told()) == WITHDREW
    restored = runs.run("restore")
    assert (restored.status, proof(restored)) == ("done", "confirmed"), restored
    assert verbs(runs.cluster.told()) == ANNOUNCED
    assert runs.cluster.objects() == before
    assert runs.cluster.told(OTHER) == [], "the other node was never touched"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_write_it_goes_on_and_is_undone(after: bool) -> None:
    for number, runs, before in killed_at_each_write(fresh, after=after):
        assert runs.run("drain").status == "done", number
        runs.cluster.round()
        assert verbs(runs.cluster.told()) == WITHDREW, number
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number
        assert verbs(runs.cluster.told()) == ANNOUNCED, number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_undone_from_any_write_on_without_a_reset(after: bool) -> None:
    for number, runs, before in killed_at_each_write(fresh, after=after):
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number
        assert not {"close", "reset", "open"} & {verb for verb, _ in runs.cluster.told()}, number


def test_a_restore_that_is_killed_at_any_write_goes_on() -> None:
    for number, runs, before in killed_at_each_write(fresh, "restore"):
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_without_a_router_what_frr_runs_is_read_back() -> None:
    """Nobody may ask it by exec: then it takes as long as the sessions are told late, and is an estimate."""
    runs = fresh()
    runs.asked = False
    before, began = runs.cluster.objects(), runs.cluster.api.time.now
    drained = runs.run("drain")
    assert drained.status == "done" and proof(drained).startswith("gone, estimated: "), drained
    assert runs.cluster.api.time.now - began > 125
    assert verbs(runs.cluster.told()) == WITHDREW
    began = runs.cluster.api.time.now
    assert runs.run("restore").status == "done"
    assert runs.cluster.api.time.now - began >= 125, "until a word on the sessions is of after it"
    assert runs.cluster.objects() == before


def test_a_restore_with_every_router_asked_waits_for_no_late_word() -> None:
    runs = fresh()
    runs.run("drain")
    began = runs.cluster.api.time.now
    assert runs.run("restore").status == "done"
    assert runs.cluster.api.time.now - began < 60


def test_lines_that_frr_never_takes_in_are_no_withdrawal() -> None:
    runs = fresh()
    runs.asked = False
    bgpd = runs.cluster.engines[NODE]
    bgpd.reload = lambda text: "% its reload hangs"  # type: ignore[method-assign]
    drained = runs.run("drain")
    assert drained.status in ("blocked", "deadline"), drained
    assert "nobody knows whether the routes are gone" in drained.message


def test_a_peer_that_is_added_while_it_is_drained_is_named_too() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    peers = [neighbor("192.0.2.3", ROUTER_ASN, [])]
    more = configuration("more", NODE, {"asn": OWN, "neighbors": peers})
    client = runs.cluster.client

    def late(number: int) -> bool:
        if client.find(f"{BASE}/{NAME}") and not client.find(f"{BASE}/more"):
            runs.cluster.api.server.apply(more)
        return False

    runs.run("drain", late)
    runs.cluster.round()
    assert "192.0.2.3" in runs.cluster.engines[NODE].silent
    client.delete(f"{BASE}/more")
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


def test_a_peer_that_vanishes_while_it_is_drained_leaves_no_line() -> None:
    runs = fresh()
    peers = [neighbor("192.0.2.3", ROUTER_ASN, [])]
    runs.cluster.api.server.apply(configuration("more", NODE, {"asn": OWN, "neighbors": peers}))
    runs.cluster.round()
    client = runs.cluster.client

    def early(number: int) -> bool:
        if client.find(f"{BASE}/{NAME}") and client.find(f"{BASE}/more"):
            client.delete(f"{BASE}/more")
        return False

    runs.run("drain", early)
    runs.cluster.round()
    assert "192.0.2.3" not in client.get(f"{BASE}/{NAME}")["spec"]["raw"]["rawConfig"]
    state = runs.cluster.provider.state(NODE)
    assert state is not None and state.told_out and state.problems == ()
    assert not {("close", router) for router in ROUTERS} & set(runs.cluster.told())


@pytest.mark.parametrize("withdrawn", [False, True], ids=["announced", "withdrawn"])
def test_what_a_peer_that_vanished_may_keep_is_waited_for(withdrawn: bool) -> None:
    """Its session ended by a NOTIFICATION, over which a router may keep routes: of those that are left alone
    the worst case was 5 s (issue 7)."""
    runs = fresh()
    runs.asked = False
    told = {**neighbor("192.0.2.3", ROUTER_ASN, ["203.0.113.9/32"]), "enableGracefulRestart": True}
    more = configuration("more", NODE, {"asn": OWN, "neighbors": [told], "prefixes": ["203.0.113.9/32"]})
    runs.cluster.api.server.apply(more)
    runs.cluster.round()
    client = runs.cluster.client

    def vanishes(number: int) -> bool:
        annotations = client.get(paths.node(NODE))["metadata"].get("annotations") or {}
        begun = client.find(f"{BASE}/{NAME}") if withdrawn else ANNOTATION in annotations
        if begun and client.find(f"{BASE}/more"):
            client.delete(f"{BASE}/more")
            runs.cluster.round()
        return False

    drained = runs.run("drain", vanishes)
    assert drained.status == "done" and proof(drained).startswith("gone, estimated: 129 s passed"), drained
    assert runs.run("restore").status == "done"


def test_forbidden_to_create_it_fails_and_is_undone() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    runs.forbidden = "frrconfigurations"
    assert runs.run("drain").status == "failed"
    runs.forbidden = ""
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


def test_somebody_who_deletes_it_is_answered() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    assert runs.run("drain").status == "done"
    runs.cluster.client.delete(f"{BASE}/{NAME}")
    runs.cluster.round()
    again = runs.run("drain")
    assert (again.status, proof(again)) == ("done", "confirmed"), again
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


def test_what_a_lost_run_left_is_taken_away() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    runs.run("drain")
    gone = {"bgpctl.io/run": None, "bgpctl.io/leave": None}
    client = runs.cluster.client
    client.patch(paths.node(NODE), {"metadata": {"annotations": gone}, "spec": {"unschedulable": None}})
    client.delete(paths.lease("kube-system", f"bgpctl-node-{NODE}"))
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


UNNUMBERED = {"interface": "eth0", "asn": ROUTER_ASN}


@pytest.mark.parametrize("name", [f"metallb-{NODE}", "more"], ids=["what gives it its peers", "another one"])
def test_a_restore_names_what_nobody_can_read(name: str) -> None:
    """It ended at its deadline with "waiting for the speaker (now )"."""
    runs = fresh()
    assert runs.run("drain").status == "done"
    about = configuration(name, NODE, {"asn": OWN, "neighbors": [UNNUMBERED]})
    runs.cluster.api.server.apply(about)
    restored = runs.run("restore")
    assert restored.status == "deadline"
    assert f"; FRRConfiguration {name} cannot be read (spec.bgp.routers[0]" in restored.message
    assert "(now )" not in restored.message


# --- MetalLB by the exclude label ---------------------------------------------------------------------------


def by_label() -> Runs:
    """Its speaker takes Service addresses away from a node with the label; FRR is beneath it here too."""
    cluster = Cluster()
    for number, router in enumerate(ROUTERS):
        about = {"holdTime": "9s", "keepaliveTime": "3s"}
        cluster.api.server.apply(peer(f"tor{number}", router, ROUTER_ASN, OWN, **about))
    client = direct.Wire(cluster.api).client()
    cluster.daemons.append(Speaker(client, NODE, lambda: PREFIXES))  # type: ignore[arg-type]
    cluster.round()
    cluster.told()
    return Runs(cluster, stack="metallb")


def test_metallb_withdraws_by_the_exclude_label_killed_at_any_write() -> None:
    whole = by_label()
    before = whole.cluster.objects()
    assert proof(whole.run("drain")) == "confirmed"
    node = whole.cluster.client.get(paths.node(NODE))
    assert node["metadata"]["labels"][EXCLUDE] == "true"
    assert whole.run("restore").status == "done" and whole.cluster.objects() == before
    assert whole.cluster.told() == [], "no session ended"
    for number, runs, before in killed_at_each_write(by_label, step=3):
        assert runs.run("drain").status == "done", number
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_a_restore_names_the_peers_of_metallb_that_nobody_can_read() -> None:
    runs = by_label()
    assert runs.run("drain").status == "done"
    gone = (peer(f"tor{number}", "", ROUTER_ASN, OWN, interface="eth0") for number in range(len(ROUTERS)))
    runs.cluster.api.server.apply(*gone)
    restored = runs.run("restore")
    assert restored.status == "deadline"
    assert restored.message.startswith(
        "time is up at Established: waiting for the speaker (now without a peer); BGPPeer tor0 cannot be read"
    )


def test_metallb_without_a_router_is_blocked_and_comes_back() -> None:
    runs = by_label()
    runs.asked = False
    before = runs.cluster.objects()
    drained = runs.run("drain")
    assert drained.status == "blocked" and "--router-probe" in drained.hint, drained
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before

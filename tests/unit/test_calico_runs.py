"""Whole runs on a node that Calico runs: killed before and after every write, refused, undone. No session is
reset or closed, and everything is afterwards as before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.providers.calico import Calico
from bgpctl.runbooks.options import DrainOptions
from tests.support import stack_runs
from tests.support.calico_cluster import NODE, OTHER, ROUTERS, Cluster
from tests.support.stack_runs import Probe, killed_at_each_write, proof, verbs

WITHDREW = {router: ["withdraw"] for router in ROUTERS}
ANNOUNCED = {router: ["announce"] for router in ROUTERS}


@dataclass
class Runs(stack_runs.Runs[Cluster]):
    """`asked`: are the routers?"""

    asked: bool = True

    def provider(self, client: Client) -> Provider:
        return Calico(client)

    def options(self) -> DrainOptions:
        return DrainOptions(NODE, settle=0, provider="calico")

    def probes(self) -> Sequence[Probe]:
        return [Probe(self.cluster.engines[NODE], router) for router in ROUTERS] if self.asked else []


def fresh(**options: Any) -> Runs:
    cluster = Cluster(**options)
    cluster.prepare()
    for name in (NODE, OTHER):
        cluster.told(name)
    return Runs(cluster)


def hidden() -> Runs:
    """The same where Service addresses are all that is announced, by BGPPeers for all nodes."""
    return fresh(split=False, hidden=True)


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


def test_by_the_exclude_label_killed_at_any_write() -> None:
    assert proof(hidden().run("drain")) == "confirmed"
    for number, runs, before in killed_at_each_write(hidden):
        assert runs.run("drain").status == "done", number
        assert runs.cluster.client.get(paths.node(NODE))["metadata"]["labels"][EXCLUDE] == "true"
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_without_a_router_it_is_blocked_and_comes_back() -> None:
    runs = fresh()
    runs.asked = False
    before = runs.cluster.objects()
    drained = runs.run("drain")
    assert drained.status == "blocked" and "--router-probe" in drained.hint, drained
    assert verbs(runs.cluster.told()) == WITHDREW
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


def test_a_session_that_is_down_when_it_leaves_is_no_proof() -> None:
    runs = fresh()
    runs.cluster.engines[NODE].down.add(ROUTERS[0])
    runs.cluster.round()
    runs.asked = False
    assert runs.run("drain").status == "blocked"


def test_forbidden_to_patch_it_fails_and_is_undone() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    runs.forbidden = "bgppeers"
    assert runs.run("drain").status == "failed"
    runs.forbidden = ""
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


def test_somebody_who_takes_the_filter_away_is_answered() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    assert runs.run("drain").status == "done"
    runs.cluster.change("BGPPeer", "tor1-n1", filters=["own"])
    runs.cluster.round()
    again = runs.run("drain")
    assert (again.status, proof(again)) == ("done", "confirmed"), again
    assert runs.cluster.provider.lever(runs.cluster.client.get(paths.node(NODE))).policies == ()
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before

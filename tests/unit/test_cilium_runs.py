"""Whole runs on a node that Cilium runs: killed before and after every write, refused, undone, with Cilium's
operator away. No session is closed before the node has withdrawn, and everything is afterwards as before."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bgpctl.core.cilium import copies
from bgpctl.core.cilium.states import END_OF_RIB, LAG
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.stacks.cilium.documents import CLUSTER_CONFIGS, PEER_CONFIGS, advertisement
from bgpctl.ports import Provider
from bgpctl.providers.cilium import Cilium
from bgpctl.runbooks.estimated import UNSEEN
from bgpctl.runbooks.evidence import gone
from bgpctl.runbooks.journal import load
from bgpctl.runbooks.options import DrainOptions
from tests.support import stack_runs
from tests.support.cilium_cluster import NODE, OTHER, Cluster
from tests.support.stack_runs import Killed, killed_at_each_write


@dataclass
class Runs(stack_runs.Runs[Cluster]):
    """No router is asked. `operator`: is Cilium's there? `confirmed`: is an estimate refused?"""

    operator: bool = True
    confirmed: bool = False
    soak: float = 0.0

    shortest = 2.0

    def provider(self, client: Client) -> Provider:
        return Cilium(client)

    def options(self) -> DrainOptions:
        return DrainOptions(
            NODE, settle=0, provider="cilium", require_confirmed=self.confirmed, soak=self.soak
        )

    def tick(self) -> None:
        if self.operator:
            self.cluster.operator.once()
        self.cluster.tick()


def fresh() -> Runs:
    cluster = Cluster()
    cluster.prepare()
    for name in (NODE, OTHER):
        cluster.told(name)
    return Runs(cluster)


def soaking() -> Runs:
    """The same, with a soak, for which the cluster is prepared too."""
    cluster = Cluster()
    cluster.api.server.apply(advertisement("bgp", {"advertise": "bgp"}, {"expose": "bgp"}))
    cluster.prepare(soak=True)
    for name in (NODE, OTHER):
        cluster.told(name)
    return Runs(cluster, soak=10.0)


def proved(runs: Runs, *verbs: str) -> bool:
    """Was each session closed, and only after its withdraw (after all of `verbs`)?"""
    wanted = [*verbs, "withdraw", "close"]
    runs.cluster.round()
    told = runs.cluster.told()
    keys = {key for _, key in told}
    first = {key: [verb for verb, each in told if each == key] for key in keys}
    return len(keys) == 2 and all(each == wanted for each in first.values())


def test_it_leaves_and_comes_back() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    drained = runs.run("drain")
    assert drained.status == "done", drained
    assert proved(runs)
    journal = load(runs.cluster.client.get(paths.node(NODE))["metadata"]["annotations"])
    assert journal is not None and END_OF_RIB in gone(journal.evidence), "a count of 1 may be a route"
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before
    assert runs.cluster.told(OTHER) == [], "the other node was never touched"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_write_it_goes_on_and_is_undone(after: bool) -> None:
    for number, runs, before in killed_at_each_write(fresh, after=after):
        assert runs.run("drain").status == "done", number
        assert proved(runs), number
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_undone_after_any_write() -> None:
    for number, runs, before in killed_at_each_write(fresh):
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_a_restore_that_is_killed_at_any_write_goes_on() -> None:
    for number, runs, before in killed_at_each_write(fresh, "restore"):
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_a_soak_goes_before_the_withdraw_with_the_sessions_up() -> None:
    runs = soaking()
    before = runs.cluster.objects()
    began = runs.cluster.api.time.now
    drained = runs.run("drain")
    assert drained.status == "done", drained
    assert proved(runs, "soak") and runs.cluster.api.time.now - began >= 10.0
    steps = [step.step for step in drained.steps]
    assert steps.index("Evicted") + 1 == steps.index("Soaked") == steps.index("Deselected") - 1
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before
    assert runs.cluster.told(OTHER) == [], "no other node announced with the community"


def test_a_soak_that_is_killed_after_any_write_goes_on_and_is_undone() -> None:
    for goes_on in (True, False):
        for number, runs, before in killed_at_each_write(soaking):
            if goes_on:
                assert runs.run("drain").status == "done", number
                assert proved(runs, "soak"), number
            assert runs.run("restore").status == "done", number
            assert runs.cluster.objects() == before, number


def test_a_soak_that_somebody_takes_back_begins_anew() -> None:
    runs = soaking()
    with pytest.raises(Killed):
        runs.run("drain", lambda _: _soaks(runs.cluster), after=True)
    cluster = runs.cluster
    cluster.round()
    cluster.pull(*cluster.lever().back)
    cluster.round()
    assert [verb for verb, _ in cluster.told()] == ["soak", "soak", "announce", "announce"]
    began = cluster.api.time.now
    assert runs.run("drain").status == "done" and cluster.api.time.now - began >= 10.0


def _soaks(cluster: Cluster) -> bool:
    return cluster.lever().soaks


def test_with_ciliums_operator_away() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    runs.operator = False
    assert runs.run("drain").status == "done"
    assert proved(runs)
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before


def test_a_relabel_that_nobody_acts_on_is_not_taken_for_a_leave() -> None:
    """Cilium's operator is away: its guide's runbook would go on."""
    cluster = Cluster()
    before = cluster.objects()
    cluster.told()
    runs = Runs(cluster, operator=False)
    late = runs.run("drain")
    assert late.status == "deadline" and "waiting for the sessions to be closed (2 up)" in late.message
    assert cluster.told() == []
    runs.operator = True
    assert runs.run("drain").status == "done"
    assert [verb for verb, _ in cluster.told()] == ["close", "close"]
    assert runs.run("restore").status == "done"
    assert cluster.objects() == before


def test_an_agent_that_hangs_is_not_said_to_have_closed_its_sessions() -> None:
    """The operator deletes its CiliumBGPNodeConfig, and with it all that tells of sessions: they are up."""
    cluster = Cluster()
    cluster.told()
    runs = Runs(cluster)
    runs.confirmed = True
    refused = runs.run("drain")
    assert refused.status == "blocked" and "--require-confirmed" in refused.message, refused
    runs.confirmed = False
    cluster.agents[0].obeys = False
    began = cluster.api.time.now
    drained = runs.run("drain")
    assert cluster.told() == [] and len(cluster.engines[NODE].up) == 2, "its sessions never ended"
    journal = load(cluster.client.get(paths.node(NODE))["metadata"]["annotations"])
    assert drained.status == "done" and journal is not None
    assert journal.evidence["proof"] == "estimated"
    assert journal.evidence["assumed"] == UNSEEN and UNSEEN in gone(journal.evidence)
    withdrawn = next(step.text for step in drained.steps if step.step == "Withdrawn")
    assert "seen closed" not in withdrawn and UNSEEN in withdrawn
    assert cluster.api.time.now - began >= LAG + journal.evidence["worstSeconds"] > 120


def test_a_node_whose_policy_was_deleted_stays_out_until_one_selects_it() -> None:
    runs = fresh()
    cluster = runs.cluster
    document = cluster.client.get(f"{CLUSTER_CONFIGS}/cc")
    assert runs.run("drain").status == "done"
    cluster.client.delete(f"{CLUSTER_CONFIGS}/cc")
    blocked = runs.run("restore")
    assert (blocked.status, blocked.message) == ("blocked", "no policy selects the node")
    cluster.api.server.apply({**document, "metadata": {"name": "other"}})
    assert runs.run("restore").status == "done"
    assert cluster.config()["metadata"]["ownerReferences"][0]["name"] == "other"


def test_an_agent_that_tells_nothing_blocks_a_run_without_a_router() -> None:
    cluster = Cluster(reports=False)
    cluster.prepare()
    cluster.told()
    runs = Runs(cluster)
    blocked = runs.run("drain")
    assert blocked.status == "blocked" and "--router-probe" in blocked.hint
    assert [verb for verb, _ in cluster.told()] == ["withdraw", "withdraw"], "nothing was closed"


@pytest.mark.parametrize(
    ("used", "told"),
    [
        (False, "the copy of CiliumBGPPeerConfig pc1 differs from it"),
        (True, "CiliumBGPPeerConfig pc1.bgpctl-withdrawn advertises"),
    ],
)
def test_a_copy_that_is_edited_in_the_middle_is_named_with_what_mends_it(used: bool, told: str) -> None:
    runs = fresh()
    cluster, before = runs.cluster, runs.cluster.objects()

    def edit(number: int) -> bool:
        refers = "pc1.bgpctl-withdrawn" in str(cluster.config()["spec"])
        if number > 4 and refers is used:
            spec = cluster.client.get(f"{PEER_CONFIGS}/pc1")["spec"]
            cluster.client.patch(f"{PEER_CONFIGS}/pc1.bgpctl-withdrawn", {"spec": spec})
        return False

    blocked = runs.run("drain", edit)
    assert blocked.status == "blocked" and told in blocked.message, blocked
    assert copies.PREPARE in blocked.message
    cluster.prepare()
    assert runs.run("drain").status == "done"
    assert runs.run("restore").status == "done"
    assert {key for key, value in cluster.objects().items() if before.get(key) != value} == {
        f"{PEER_CONFIGS}/pc1.bgpctl-withdrawn"  # when it was made
    }
    assert "close" not in [verb for verb, _ in cluster.told()][:2], "it withdrew before it closed"


def test_a_patch_that_is_refused_ends_the_run_and_changes_no_session() -> None:
    runs = fresh()
    before = runs.cluster.objects()
    runs.forbidden = "nodeconfigs"
    failed = runs.run("drain")
    assert failed.status == "failed", failed
    runs.cluster.round()
    assert runs.cluster.told() == []
    runs.forbidden = ""
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before

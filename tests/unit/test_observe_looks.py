"""One run's eyes on the embedded API: what each part of a look asks for, and what becomes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.drain.lever import Lever
from bgpctl.core.state import NodeState
from bgpctl.core.timing.profiles import UNKNOWN_ROUTER
from bgpctl.errors import Blocked, Tells, UsageError
from bgpctl.kube import lease, paths
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.runbooks import cluster
from bgpctl.runbooks.actions import TakeLease
from bgpctl.runbooks.journal import ANNOTATION, dump
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.world import World
from bgpctl.witness.model import Path, RouterAnswer, RouteState
from tests.support import direct, objects, second_writer
from tests.support.direct import EPOCH
from tests.support.second_writer import LEASE, LOCAL, NODE, Rig, stamp
from tests.support.snapshots import journal

NOBODY = frozenset[str]()


@pytest.fixture
def rig() -> Iterator[Rig]:
    with second_writer.running() as started:
        yield started


def needs(*parts: str) -> frozenset[str]:
    return frozenset(parts)


def eyes(rig: Rig, **options: Any) -> tuple[World, direct.Wire]:
    wire = rig.wire()
    return rig.world("run-a", wire.client(), **options), wire


def asked(wire: direct.Wire) -> set[str]:
    """The resources that were asked for, beyond the Node and its Lease."""
    return {a.resource for a in wire.sent if a.verb != "get" or a.resource not in ("nodes", "leases")}


# --- which parts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "resources"),
    [
        ((), set()),
        (("state",), {"bgpnodestates"}),
        (("routers",), {"bgpnodestates"}),
        (("pods",), {"pods"}),
        (("policies",), {"ciliumbgppeeringpolicies", "ciliumbgpclusterconfigs"}),
    ],
)
def test_a_look_asks_for_what_its_step_needs(rig: Rig, parts: tuple[str, ...], resources: set[str]) -> None:
    world, wire = eyes(rig)
    world.observe(frozenset(parts))
    assert asked(wire) == resources


def test_parts_that_nobody_needs_are_empty(rig: Rig) -> None:
    world, _ = eyes(rig)
    seen = world.observe(NOBODY)
    assert (seen.node.name, seen.node.labels, seen.node.ready) == (NODE, {"enable-bgp": "true"}, True)
    assert (seen.now, seen.holder, seen.released) == (EPOCH, world.hold.holder, False)
    assert (seen.state, seen.pods, seen.guards, seen.estimates, seen.answers) == (None, (), (), (), ())
    assert seen.lever.policies == ()


def test_whether_a_policy_selects_the_node(rig: Rig) -> None:
    world, _ = eyes(rig, deselect_override="enable-bgp=off", lifted=frozenset({"--x"}), max_unavailable=0)
    alone = world.observe(needs("policies"))
    assert (alone.lever.policies, alone.guards) == (("policy",), ())
    whole = world.observe(needs("cluster"))
    assert whole.lever.label == ("enable-bgp", "off")
    assert {guard.name: guard.level for guard in whole.guards}["out-of-service"] == "refuse", (
        "none may be out"
    )


def second_peer(rig: Rig, **more: Any) -> None:
    path = f"{paths.PEERING_POLICIES}/policy"
    spec = rig.admin.get(path)["spec"]
    first = spec["virtualRouters"][0]["neighbors"][0]
    spec["virtualRouters"][0]["neighbors"].append({**first, "peerAddress": "192.0.2.7/32", **more})
    rig.admin.patch(path, {"spec": spec})


def test_a_peer_that_only_the_policy_tells_of_is_known(rig: Rig) -> None:
    """Its speaker may be killed before it tells that it announces to it: the routers of the others alone
    confirmed the drain (issue 7)."""
    rig.publish(second_writer.speaker(EPOCH, "", None))
    second_peer(rig)
    world, _ = eyes(rig)
    look = world.observe(needs("policies", "state"))
    assert look.state is not None and len(look.state.peers) == 1
    assert look.configured == ((look.state.peers[0].address, 179), ("192.0.2.7", 179))
    for phase in ("Starting", "Stopped"):  # of the process before or after the one that announced
        rig.publish(NodeState(NODE, phase, EPOCH, 1.0, uid="next"))
        assert world.observe(needs("policies", "state")).configured == look.configured
    for idle in (NodeState(NODE, "Running", EPOCH, 1.0), NodeState(NODE, "Waiting", EPOCH, 1.0)):
        rig.publish(idle)
        assert world.observe(needs("policies", "state")).configured == (), "it says that it has none"
    rig.publish(second_writer.speaker(EPOCH, "", None))
    assert world.observe(needs("state")).configured == ()
    rig.admin.patch(paths.node(NODE), {"metadata": {"labels": {"enable-bgp": "false"}}})
    assert world.observe(needs("policies", "state")).configured == (), "no policy selects it"


def test_the_instant_of_a_look_is_that_of_its_last_answer(rig: Rig) -> None:
    world, wire = eyes(rig)

    def slow(request: direct.Asked) -> None:
        rig.clock.at += 1.0

    wire.before = slow
    assert world.observe(needs("state")).now == EPOCH + 3.0, "the Node, the Lease, the state"


# --- the Node -----------------------------------------------------------------------------------------------


def test_a_node_that_does_not_exist_is_a_usage_error_at_first(rig: Rig) -> None:
    world, _ = eyes(rig)
    rig.admin.delete(paths.node(NODE))
    with pytest.raises(UsageError) as told:
        world.observe(NOBODY)
    assert (told.value.message, told.value.hint) == (f"node {NODE} does not exist", "see `kubectl get nodes`")


def test_a_node_that_goes_or_is_made_anew_later_blocks(rig: Rig) -> None:
    world, _ = eyes(rig)
    world.observe(NOBODY)
    rig.admin.delete(paths.node(NODE))
    with pytest.raises(Blocked) as told:
        world.observe(NOBODY)
    assert told.value.message == f"node {NODE} was deleted meanwhile"
    assert "nothing is left to do on it" in told.value.hint
    assert told.value.tells == {Tells.GO_ON, Tells.BACK}
    rig.server.apply(objects.node(NODE))
    with pytest.raises(Blocked) as told:
        world.observe(NOBODY)
    assert told.value.message == f"node {NODE} was deleted and made anew meanwhile: this run is not about it"
    assert told.value.hint.splitlines() == [
        f"do not power off {NODE}: the new one may be in service",
        f"to see what the new one is: bgpctl node status {NODE}",
    ]
    assert told.value.tells == {Tells.SAFE, Tells.GO_ON, Tells.BACK}, "the old one's are of no use"
    eyes(rig)[0].observe(NOBODY)  # another run is


# --- the Lease ----------------------------------------------------------------------------------------------


def hold(rig: Rig, holder: str = "eve@there:1/run-b", ago: float = 0.0, copy: str = "") -> None:
    body = lease.document(lease.name_for(NODE), holder, "", version=None)
    body["spec"]["renewTime"] = stamp(rig.clock.at - ago)
    if copy:
        body["metadata"]["annotations"] = {lease.COPY: copy}
    if rig.lease():
        rig.admin.patch(LEASE, {"spec": body["spec"]})
    else:
        rig.admin.create(LEASE.rpartition("/")[0], body)


def test_a_lease_is_watched_from_the_first_look_on(rig: Rig) -> None:
    world, _ = eyes(rig)
    hold(rig)
    first = world.observe(NOBODY)
    assert first.lease is not None and first.lease.holder == "eve@there:1/run-b"
    assert (first.holds_lease, first.lease_contested, first.lease_watched) == (False, False, 0.0)
    assert world.hold.seen_lease == first.lease
    rig.clock.at += 3.0
    second = world.observe(NOBODY)
    assert (second.lease_contested, second.lease_watched) == (False, 3.0)
    hold(rig)
    rig.clock.at += 1.0
    third = world.observe(NOBODY)
    assert (third.lease_contested, third.lease_watched) == (True, 4.0)
    rig.admin.delete(LEASE)
    assert world.observe(NOBODY).lease_contested is False, "nobody renews it any more"


def test_a_node_that_was_free_is_not_contested(rig: Rig) -> None:
    world, _ = eyes(rig)
    first = world.observe(NOBODY)
    assert (first.lease, first.lease_contested) == (None, False)
    hold(rig)
    assert world.observe(NOBODY).lease_contested is False


def test_our_own_lease_is_not_read_at_every_look(rig: Rig) -> None:
    """Whoever writes reads it."""
    world, wire = eyes(rig)
    world.observe(NOBODY)
    world.perform(TakeLease())
    before = len(wire.sent)
    seen = world.observe(NOBODY)
    assert (seen.holds_lease, seen.lease, seen.lease_contested) == (True, None, False)
    assert [a.resource for a in wire.sent[before:]] == ["nodes"]


TAKEN = "another run took the node over: eve@there:1/run-b"
DELETED = "somebody deleted the Lease kube-system/bgpctl-node-worker-1: this run changes nothing more"


@pytest.mark.parametrize(("again", "who"), [(True, TAKEN), (False, DELETED)])
def test_a_lease_that_was_lost_ends_the_run(rig: Rig, again: bool, who: str) -> None:
    world, _ = eyes(rig)
    world.observe(NOBODY)
    world.perform(TakeLease())
    hold(rig) if again else rig.admin.delete(LEASE)
    assert world.hold.lock is not None
    with pytest.raises(Blocked):
        world.hold.lock.confirm()
    with pytest.raises(Blocked) as told:
        world.observe(NOBODY)
    assert told.value.message == who


def test_a_run_whose_journal_goes_asks_whether_the_node_is_its_own_still(rig: Rig) -> None:
    """Another one that has ended may have taken it away."""
    world = rig.owner()
    rig.take_over()
    rig.remove_journal()
    with pytest.raises(Blocked, match=r"took the node over: .*run-b"):
        world.observe(NOBODY)


# --- the journal --------------------------------------------------------------------------------------------

RECORD = journal(run="run-old")


def test_a_copy_brings_a_removed_journal_back(rig: Rig) -> None:
    world, _ = eyes(rig)
    hold(rig, holder="", copy=dump(RECORD))
    seen = world.observe(NOBODY)
    assert (seen.journal, seen.lost) == (None, RECORD)
    world.perform(TakeLease())
    assert world.observe(NOBODY).lost == RECORD, "it is in our own Lease now"
    rig.annotate(**{ANNOTATION: dump(RECORD)})
    for _ in range(2):
        back = world.observe(NOBODY)
        assert (back.journal, back.lost) == (RECORD, None)
    assert world.hold.journal == RECORD


def test_a_copy_that_cannot_be_read_is_none(rig: Rig) -> None:
    world, _ = eyes(rig)
    hold(rig, holder="", copy="{")
    assert world.observe(NOBODY).lost is None


def test_what_this_run_last_saw_goes_before_the_copy(rig: Rig) -> None:
    world, _ = eyes(rig)
    hold(rig, holder="", copy=dump(RECORD))
    newer = replace(RECORD, leaves=3)
    rig.annotate(**{ANNOTATION: dump(newer)})
    world.observe(NOBODY)
    rig.remove_journal()
    for _ in range(2):
        assert world.observe(NOBODY).lost == newer
    assert world.last_journal == newer


class Spy(Bgpctl):
    """Its lever depends on what the journal has of before."""

    prior: Any = None

    def lever(self, node: Any, prior: Any = None, *rest: Any) -> Lever:
        self.prior = prior
        return Lever()


@pytest.mark.parametrize("part", ["policies", "cluster"])
def test_the_lever_knows_what_was_written_down_for_the_way_back(rig: Rig, part: str) -> None:
    """In the journal, or in its copy."""
    written = replace(RECORD, prior={"way": "copies"})
    world, wire = eyes(rig)
    world.observer.provider = spy = Spy(wire.client())
    world.observe(needs(part))
    assert spy.prior == {}
    rig.annotate(**{ANNOTATION: dump(written)})
    world.observe(needs(part))
    assert spy.prior == {"way": "copies"}
    spy.prior = None
    rig.remove_journal()
    world.observe(needs(part))
    assert spy.prior == {"way": "copies"}


# --- pods ---------------------------------------------------------------------------------------------------


def test_pods_of_this_node_that_are_chosen(rig: Rig) -> None:
    rig.server.apply(objects.node("worker-2"))
    spec = {"nodeName": "worker-2", "containers": [{"name": "c", "image": "x"}]}
    rig.admin.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "far"}, "spec": spec})
    world, wire = eyes(rig)
    (only,) = world.observe(needs("pods")).pods
    assert (only.pod.name, only.verdict) == ("web-1", only.verdict)
    other, _ = eyes(rig, eviction=EvictionOptions(pod_selector="app=x"))
    assert other.observe(needs("pods")).pods == ()
    (listed,) = [a for a in wire.sent if a.resource == "pods"]
    assert listed.query["fieldSelector"] == f"spec.nodeName={NODE}"
    assert "labelSelector" not in listed.query


def test_daemonsets_are_known_where_their_pods_may_stay(rig: Rig) -> None:
    owned = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "u", "controller": True}
    rig.admin.patch(second_writer.POD, {"metadata": {"ownerReferences": [owned]}})
    labels = {"app": "agent"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    made = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "default"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }

    def verdict() -> str:
        world, _ = eyes(rig, eviction=EvictionOptions(ignore_daemonsets=True))
        found = {one.pod.name: str(one.verdict) for one in world.observe(needs("pods")).pods}
        assert set(found) == {"web-1", "web-2"}
        return found["web-1"]

    bare = {"nodeName": NODE, "containers": [{"name": "c", "image": "x"}]}
    rig.admin.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "web-2"}, "spec": bare})
    orphan = verdict()
    rig.server.apply(made)
    assert verdict() != orphan, "a pod whose DaemonSet is gone is no DaemonSet's"


# --- routers and estimates ----------------------------------------------------------------------------------


class Probe:
    """The peer's router, which has one route."""

    kind, target, peer = "bird", "/run/bird.ctl", None

    def routes_from(self, neighbor: str) -> RouterAnswer:
        assert neighbor == str(LOCAL)
        return RouterAnswer("bird", neighbor, RouteState.PRESENT, (Path(None, neighbor),))  # type: ignore[arg-type]


def test_routers_are_asked_when_a_step_needs_them(rig: Rig) -> None:
    world, _ = eyes(rig, routers=Routers((Probe(),)))
    assert world.observe(needs("state")).answers == ()
    (answer,) = world.observe(needs("routers")).answers
    assert (answer.peer, answer.answer.routes, answer.answer.at) == ("192.0.2.1", RouteState.PRESENT, EPOCH)


def test_estimates_of_the_peers_that_the_speaker_has(rig: Rig) -> None:
    profiles: list[str] = []

    def profile_of(address: str) -> Any:
        profiles.append(address)
        return UNKNOWN_ROUTER

    world, _ = eyes(rig, profile_of=profile_of)
    seen = world.observe(needs("estimates"))
    assert [one.address for one in seen.estimates] == [one.address for one in seen.dead_estimates]
    (leave,), (dead,) = seen.estimates, seen.dead_estimates
    assert (leave.worst, dead.worst) == (5.0, 210)
    assert set(profiles) == {"192.0.2.1"}


def test_a_peer_that_no_speaker_tells_of_counts_as_after_a_crash(rig: Rig) -> None:
    """It was in the policies when the node was told to leave; the one that had a session with it was killed,
    and what it knew is lost."""
    second_peer(rig, gracefulRestart={"enabled": True, "restartTimeSeconds": 900})
    rig.publish(second_writer.speaker(EPOCH, "", None))
    world, _ = eyes(rig)
    assert [one.address for one in world.observe(needs("estimates")).estimates] == ["192.0.2.1"]
    left = journal(peers=("192.0.2.1", "192.0.2.7"), prior_labels={"enable-bgp": "true"})
    rig.annotate(**{ANNOTATION: dump(left)})
    rig.label("false")
    seen = world.observe(needs("estimates"))
    for estimates in (seen.estimates, seen.dead_estimates):
        assert [one.address for one in estimates] == ["192.0.2.1", "192.0.2.7"]
        assert estimates[1].worst > 900


def test_without_a_speaker_only_its_death_can_be_estimated(rig: Rig) -> None:
    """By the policy, as the node was labelled before the drain."""
    rig.admin.delete(paths.node_state(NODE))
    world, _ = eyes(rig)
    seen = world.observe(needs("estimates"))
    assert (seen.state, seen.estimates) == (None, ())
    assert [one.address for one in seen.dead_estimates] == ["192.0.2.1"]
    rig.label("false")
    assert world.observe(needs("estimates")).dead_estimates == ()
    rig.annotate(**{ANNOTATION: dump(journal(prior_labels={"enable-bgp": "true"}))})
    assert len(world.observe(needs("estimates")).dead_estimates) == 1


def test_what_was_seen_beside_the_nodes_stack_is_remembered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the checks look for it; what is proved later says so, too."""
    world, _ = eyes(rig)
    assert world.observe(needs("state")).others == ()
    found = replace(world.observe(needs("cluster")), guards=())
    monkeypatch.setattr(cluster, "look", lambda *_: cluster.Cluster((), found.lever, ("MetalLB",)))
    assert world.observe(needs("cluster")).others == ("MetalLB",)
    assert world.observe(needs("state", "routers")).others == ("MetalLB",)

"""Whole runs on a node that frr-k8s runs: killed before and after every write, refused, undone. No session is
reset or closed, and everything is afterwards as before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl import providers
from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.frr_k8s import leave
from bgpctl.kube import paths
from bgpctl.lab.stacks.frr_k8s.documents import configuration, neighbor, peer
from bgpctl.lab.stacks.frr_k8s.speaker import Speaker
from bgpctl.runbooks import engine
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.hold import Hold
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from bgpctl.runbooks.routers import Routers
from bgpctl.witness.model import Path, RouterAnswer, answered
from tests.support import direct
from tests.support.frr_k8s_cluster import BASE, NODE, OTHER, OWN, PREFIXES, ROUTER_ASN, ROUTERS, Cluster

NAME = leave.name_for(NODE)
WITHDREW = {router: ["withdraw"] for router in ROUTERS}
ANNOUNCED = {router: ["announce"] for router in ROUTERS}


class Killed(BaseException):
    """kill -9: nothing of the run happens any more."""


@dataclass
class Probe:
    """A router that has what the node's FRR sends it."""

    cluster: Cluster
    peer: str
    kind: str = "test"
    target: str = ""

    def routes_from(self, neighbor: str) -> RouterAnswer:
        bgpd = self.cluster.engines[NODE]
        up = self.peer in bgpd.sessions and self.peer not in bgpd.down
        found = tuple(Path(ip_network(one), neighbor, False) for one in bgpd.sent(self.peer))
        session = "established" if up else "active"
        return answered(f"test {self.peer}", neighbor, found, session, None, local=self.peer)


@dataclass
class Clock:
    """While a run waits, time passes and frr-k8s works."""

    cluster: Cluster
    hold: Hold | None = None
    name = ""

    def now(self) -> float:
        return self.cluster.api.time.now

    monotonic = now

    def sleep(self, seconds: float) -> None:
        self.cluster.api.time.move(max(seconds, 1.0))
        self.cluster.tick()
        if self.hold and self.hold.lock:
            self.hold.lock.renew_when_due()


@dataclass
class Runs:
    """Runs on one cluster. `dies`: asked before each write that a run makes, by its number; True = now."""

    cluster: Cluster
    asked: bool = True
    stack: str = "frr-k8s"
    number: int = 0
    writes: int = 0
    forbidden: str = ""  # what may not be written

    def run(
        self, command: str, dies: Callable[[int], bool] = lambda _: False, *, after: bool = False
    ) -> Result:
        self.number, self.writes, dead = self.number + 1, 0, False
        name, clock = f"{self.number:08x}", Clock(self.cluster)
        wire = direct.Wire(self.cluster.api)

        def count(asked: direct.Asked) -> Any:
            nonlocal dead
            if dead:
                raise Killed
            if asked.writes and self.forbidden and self.forbidden in asked.path:
                return direct.refused(403)
            if asked.writes:
                self.writes += 1
                dead = dies(self.writes)
                if dead and not after:
                    raise Killed
            return None

        def carried(asked: direct.Asked, answer: Any) -> None:
            if dead:
                raise Killed

        wire.before, wire.after = count, carried  # type: ignore[assignment]
        client = wire.client()
        probes = [Probe(self.cluster, router, target=router) for router in ROUTERS] if self.asked else []
        world = worlds.build(
            client,
            NODE,
            name,
            provider=providers.named(client, self.stack),
            timeout=600,
            routers=Routers(probes),  # type: ignore[arg-type]
            clock=clock,  # type: ignore[arg-type]
            background=False,
        )
        clock.hold = world.hold
        drain = DrainOptions(NODE, settle=0, provider=self.stack)
        steps = node_drain(drain, name) if command == "drain" else node_restore(RestoreOptions(NODE), name)
        return finished(engine.run(command, NODE, name, steps, world, 600))


def finished(events: Any) -> Result:
    while True:
        try:
            next(events)
        except StopIteration as end:
            result: Result = end.value
            return result


def proof(result: Result) -> str:
    """By what the routes are gone, or back."""
    told = [step.text for step in result.steps if step.step in ("Withdrawn", "Announced")]
    return "confirmed" if "confirmed by" in told[-1] else told[-1]


def fresh() -> Runs:
    cluster = Cluster()
    for name in (NODE, OTHER):
        cluster.told(name)
    return Runs(cluster)


def verbs(told: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for verb, router in told:
        found.setdefault(router, []).append(verb)
    return found


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
    whole = fresh()
    whole.run("drain")
    for number in range(1, whole.writes + 1):
        runs = fresh()
        before = runs.cluster.objects()
        with pytest.raises(Killed):
            runs.run("drain", lambda n, number=number: n == number, after=after)
        assert runs.run("drain").status == "done", number
        runs.cluster.round()
        assert verbs(runs.cluster.told()) == WITHDREW, number
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number
        assert verbs(runs.cluster.told()) == ANNOUNCED, number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_undone_from_any_write_on_without_a_reset(after: bool) -> None:
    whole = fresh()
    whole.run("drain")
    for number in range(1, whole.writes + 1):
        runs = fresh()
        before = runs.cluster.objects()
        with pytest.raises(Killed):
            runs.run("drain", lambda n, number=number: n == number, after=after)
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number
        assert not {"close", "reset", "open"} & {verb for verb, _ in runs.cluster.told()}, number


def test_a_restore_that_is_killed_at_any_write_goes_on() -> None:
    whole = fresh()
    whole.run("drain")
    whole.run("restore")
    for number in range(1, whole.writes + 1):
        runs = fresh()
        before = runs.cluster.objects()
        runs.run("drain")
        with pytest.raises(Killed):
            runs.run("restore", lambda n, number=number: n == number, after=True)
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
    writes = whole.writes
    assert whole.run("restore").status == "done" and whole.cluster.objects() == before
    assert whole.cluster.told() == [], "no session ended"
    for number in range(1, writes + 1, 3):
        runs = by_label()
        with pytest.raises(Killed):
            runs.run("drain", lambda n, number=number: n == number, after=True)
        assert runs.run("drain").status == "done", number
        assert runs.run("restore").status == "done", number
        assert runs.cluster.objects() == before, number


def test_metallb_without_a_router_is_blocked_and_comes_back() -> None:
    runs = by_label()
    runs.asked = False
    before = runs.cluster.objects()
    drained = runs.run("drain")
    assert drained.status == "blocked" and "--router-probe" in drained.hint, drained
    assert runs.run("restore").status == "done"
    assert runs.cluster.objects() == before

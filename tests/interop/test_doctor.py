"""The doctor at real routers and a real cluster: a healthy lab is silent; what is wrong is found, and no more
once it was put right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.doctor import examine
from bgpctl.core.doctor.facts import SETTLED_SECONDS
from bgpctl.core.doctor.finding import Report
from bgpctl.kube import lease, paths
from bgpctl.lab.cluster import Lab
from bgpctl.providers import of
from bgpctl.queries.doctor import gather
from bgpctl.witness.probe import parse_probe
from tests.support import lab as kit
from tests.support import objects, vty
from tests.support.birdctl import Bird
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE = "worker-1"
ROUTER_DEADLINE = 20.0


def looked(lab: Lab, probe: str = "") -> Report:
    """What it says a minute later, when sessions are settled; the cluster is asked now."""
    client = lab.client()
    facts = gather(client, of(client), (parse_probe(probe or lab.router.probe()),))
    return examine(replace(facts, now=facts.now + SETTLED_SECONDS + 5))


def found(lab: Lab) -> set[str]:
    """Not that the sessions keep going down: that is these tests' own doing."""
    return {row.rule for row in looked(lab).rows} - {"session-flaps"}


def becomes(lab: Lab, rules: set[str]) -> None:
    """These rules fire, and no other."""
    seen: list[set[str]] = []

    def so() -> bool:
        seen.append(found(lab))
        return seen[-1] == rules

    try:
        eventually(so, deadline=ROUTER_DEADLINE, interval=0.5)
    except AssertionError:
        raise AssertionError(f"expected {rules}, found {seen[-1]}") from None


@pytest.fixture(scope="module", params=["bird", "frr", "gobgp"])
def any_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    require(request.param)
    with kit.running(request.param, nodes=3) as lab:
        yield lab


def test_a_healthy_lab_is_silent(any_lab: Lab) -> None:
    eventually(lambda: not looked(any_lab).rows, deadline=ROUTER_DEADLINE)
    ran = kit.run_ok(any_lab, "doctor")
    assert ran.out.splitlines()[-1].endswith("rules: nothing found"), ran.out
    assert ran.out.startswith("not checked: ")
    nobody = kit.run(any_lab, "doctor", "--node", "worker-99")
    assert nobody.code == 2 and "worker-99" in nobody.err and nobody.out == ""
    document = json.loads(kit.run_ok(any_lab, "doctor", "-o", "json").out)
    assert document["schema"] == "bgpctl/v1" and document["status"] == "done" and document["findings"] == []


@pytest.fixture(scope="module")
def bird_lab() -> Iterator[Lab]:
    require("bird")
    with kit.running("bird", nodes=2) as lab:
        yield lab


@pytest.fixture(scope="module")
def frr_lab() -> Iterator[Lab]:
    require("frr")
    with kit.running("frr", nodes=2) as lab:
        yield lab


# --- the router's side --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("import all", "import none", {"routes-discarded"}),
        ("import all;", "import limit 3 action restart; import all;", {"maximum-prefix"}),
        ("import all;", "import keep filtered on; import where net ~ 10.0.0.0/8;", {"routes-filtered"}),
        (
            "graceful restart aware",
            "graceful restart off",
            {"graceful-restart-one-sided", "graceful-restart-router-off"},
        ),
        ("hold time 90", "hold time 6", {"hold-time-lowered"}),
    ],
)
def test_what_is_wrong_at_bird(bird_lab: Lab, old: str, new: str, rules: set[str]) -> None:
    directory = bird_lab.router.log_path.parent
    good = (directory / "bird.conf").read_text()
    assert old in good
    try:
        configure(directory, good.replace(old, new))
        becomes(bird_lab, rules)
        ran = kit.run(bird_lab, "doctor")
        # Each case reconfigures the router of one lab twice, which in the end is a finding of its own.
        notes = rules <= {"hold-time-lowered"} and "session-flaps" not in ran.out
        assert ran.code == (0 if notes else 1), ran.out
    finally:
        configure(directory, good)
    becomes(bird_lab, set())


def configure(directory: Path, text: str) -> None:
    """Another configuration; a protocol that it changes is started again."""
    (directory / "bird.conf").write_text(text)
    answer = Bird(directory / "bird.ctl").ask("configure")
    assert "econfigur" in answer, answer


def neighbors(lab: Lab, *lines: str) -> None:
    """In FRR's `router bgp`, for each node."""
    for node in lab.nodes:
        address = lab.address_of(node)
        told = (line.replace("NEIGHBOR", f"neighbor {address}") for line in lines)
        vty.tell(lab.router.log_path.parent, "configure terminal", "router bgp 65000", *told)


@pytest.mark.parametrize(
    ("wrong", "right", "rules"),
    [
        (("bgp ebgp-requires-policy",), ("no bgp ebgp-requires-policy",), {"routes-discarded"}),
        (
            ("address-family ipv4 unicast", "maximum-paths 1"),
            ("address-family ipv4 unicast", "maximum-paths 16"),
            {"router-few-next-hops"},
        ),
        (
            ("address-family ipv4 unicast", "NEIGHBOR maximum-prefix 3"),
            ("address-family ipv4 unicast", "no NEIGHBOR maximum-prefix 3"),
            {"maximum-prefix"},
        ),
        (
            ("NEIGHBOR bfd",),
            ("no NEIGHBOR bfd",),
            {"bfd-not-up"},
        ),
        (
            ("bgp graceful-restart stalepath-time 30",),
            ("no bgp graceful-restart stalepath-time 30",),
            {"stale-cap-short"},
        ),
    ],
)
def test_what_is_wrong_at_frr(
    frr_lab: Lab, wrong: tuple[str, ...], right: tuple[str, ...], rules: set[str]
) -> None:
    try:
        neighbors(frr_lab, *wrong)
        clear(frr_lab)
        becomes(frr_lab, rules)
    finally:
        neighbors(frr_lab, *right)
        clear(frr_lab)
    becomes(frr_lab, set())


def clear(lab: Lab) -> None:
    """Most of it counts for new sessions only."""
    vty.tell(lab.router.log_path.parent, "clear bgp *")
    lab.wait_ready()


def test_a_password_that_only_the_router_has(frr_lab: Lab) -> None:
    try:
        neighbors(frr_lab, "NEIGHBOR password hush")
        eventually(lambda: {"password-one-sided", "session-down"} <= found(frr_lab), deadline=ROUTER_DEADLINE)
    finally:
        neighbors(frr_lab, "no NEIGHBOR password hush")
    frr_lab.wait_ready()
    eventually(lambda: "password-one-sided" not in found(frr_lab), deadline=ROUTER_DEADLINE)


def test_a_probe_that_leads_nowhere(bird_lab: Lab) -> None:
    rows = {row.rule: row for row in looked(bird_lab, "bird=/nowhere/bird.ctl").rows}
    assert "cannot reach BIRD" in rows["router-unreachable"].why


# --- the cluster's side -------------------------------------------------------------------------------


def _second_policy(lab: Lab) -> Callable[[], Any]:
    client = lab.client()
    base, _, _ = kit.POLICY.rpartition("/")
    document = client.get(kit.POLICY)
    client.create(base, {**document, "metadata": {"name": "second"}})
    return lambda: client.delete(f"{base}/second")


def _keepalive(lab: Lab) -> Callable[[], Any]:
    client = lab.client()
    path = "/spec/virtualRouters/0/neighbors/0/keepAliveTimeSeconds"

    def put(value: int) -> None:
        client.patch(kit.POLICY, [{"op": "replace", "path": path, "value": value}], "json")
        lab.wait_ready()

    put(5)
    return lambda: put(3)


def _pools(lab: Lab) -> Callable[[], Any]:
    client = lab.client()
    for name, cidr in (("one", "203.0.113.0/24"), ("two", "203.0.113.128/25")):
        client.create(paths.LB_POOLS[0], objects.lb_pool({"cidr": cidr}, name=name))
    return lambda: [client.delete(f"{paths.LB_POOLS[0]}/{name}") for name in ("one", "two")]


def _pending(lab: Lab) -> Callable[[], Any]:
    client = lab.client()
    base = "/api/v1/namespaces/default/services"
    client.create(base, objects.service("waits", ports=[{"port": 80}]))
    return lambda: client.delete(f"{base}/waits")


def _lease(lab: Lab) -> Callable[[], Any]:
    client = lab.client()
    made = lease.document(lease.name_for("gone"), "", lease.now(), version=None)
    client.create(paths.leases(lease.NAMESPACE), made)
    return lambda: client.delete(paths.lease(lease.NAMESPACE, lease.name_for("gone")))


def _not_ready(lab: Lab) -> Callable[[], Any]:
    client = lab.client()

    def put(status: str) -> None:
        ready = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
        client.patch(f"{kit.NODES}/{NODE}/status", ready, "strategic")

    put("False")
    return lambda: put("True")


@pytest.mark.parametrize(
    ("breaks", "rules"),
    [
        (_second_policy, {"two-policies"}),
        (_keepalive, {"keepalive-slow"}),
        (_pools, {"pool-overlaps"}),
        (_pending, {"service-without-address"}),
        (_lease, {"lease-orphaned"}),
        (_not_ready, {"not-ready-and-announcing"}),
    ],
)
def test_what_is_wrong_in_the_cluster(
    bird_lab: Lab, breaks: Callable[[Lab], Callable[[], Any]], rules: set[str]
) -> None:
    mend = breaks(bird_lab)
    try:
        becomes_at_least(bird_lab, rules)
    finally:
        mend()
    becomes(bird_lab, set())


def becomes_at_least(lab: Lab, rules: set[str]) -> None:
    eventually(lambda: rules <= found(lab), deadline=ROUTER_DEADLINE, interval=0.5, why=str(rules))


def test_all_pods_of_a_local_service_on_one_node(bird_lab: Lab) -> None:
    kit.gather_pods(bird_lab, NODE)
    becomes_at_least(bird_lab, {"local-on-one-node"})
    (row,) = [row for row in looked(bird_lab).rows if row.rule == "local-on-one-node"]
    assert row.objects == ("Service default/api 203.0.113.20",) and NODE in row.why


def test_a_drain_that_somebody_killed() -> None:
    require("bird")
    with kit.running("bird", nodes=3) as lab:
        stopped = kit.run(lab, "node", "drain", NODE, "--timeout", "0.3s", "--settle", "30s")
        assert stopped.code != 0, stopped.out
        eventually(lambda: "run-stopped" in found(lab), deadline=ROUTER_DEADLINE)
        (row,) = [row for row in looked(lab).rows if row.rule == "run-stopped"]
        assert row.objects == (NODE,) and row.fix == f"bgpctl node drain {NODE}"
        kit.run_ok(lab, "node", "restore", NODE)
        eventually(lambda: "run-stopped" not in found(lab), deadline=ROUTER_DEADLINE)

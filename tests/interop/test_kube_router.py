"""kube-router in the lab, with a real GoBGP per node and a real BIRD: a drain is refused, names what stopping
it costs, and touches nothing; when it is stopped the router does what the refusal said."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from bgpctl.kube import paths
from bgpctl.lab import cluster, seed
from bgpctl.lab.stacks.kube_router import RESTART_SECONDS
from bgpctl.witness.model import RouterAnswer, RouteState
from bgpctl.witness.probe import parse_probe
from tests.support.cli import Ran, bgpctl
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE = "worker-1"
WORST = f"{RESTART_SECONDS + 5} s"


@pytest.fixture(scope="module")
def lab() -> Iterator[cluster.Lab]:
    require("bird")
    require("gobgp")
    with cluster.running(2, "bird", say=lambda text: None, stack="kube-router") as made:
        yield made


def asked(lab: cluster.Lab, node: str = NODE) -> RouterAnswer:
    return parse_probe(lab.router.probe()).routes_from(lab.address_of(node))


def prefixes(lab: cluster.Lab, node: str) -> set[object]:
    return {path.prefix for path in asked(lab, node).paths}


def ran(lab: cluster.Lab, *arguments: str) -> Ran:
    return bgpctl(*arguments, kubeconfig=lab.kubeconfig)


def test_what_it_tells_is_shown_and_the_rest_is_unknown(lab: cluster.Lab) -> None:
    (found,) = ran(lab, "providers", "-o", "json").document["providers"]
    assert (found["provider"], found["nodes"], found["lever"]) == ("kube-router", 2, "nothing")
    peers = ran(lab, "peers", "status")
    assert (peers.code, peers.err) == (1, "")
    assert "kube_router_bgp_peer_info" in peers.out and "0 of 2 sessions established" in peers.out
    status = ran(lab, "node", "status", NODE)
    assert status.code == 0 and re.search(rf"{NODE} .* kube-router +unknown.* +\?", status.out), status
    estimates = ran(lab, "node", "estimate", NODE, "-o", "json").document["estimates"]
    worst = {one["event"]: one["worstSeconds"] for one in estimates}
    assert worst["deselect"] == worst["crash"] == RESTART_SECONDS + 5
    assert worst["power-off"] == seed.HOLD_SECONDS + RESTART_SECONDS


def test_a_drain_is_refused_and_touches_nothing(lab: cluster.Lab) -> None:
    routes = prefixes(lab, NODE)
    before = lab.client().get(paths.node(NODE))
    for flags in (("--dry-run",), (), ("--force",)):
        refused = ran(lab, "node", "drain", NODE, *flags)
        assert refused.code == 3, refused
        assert "has nothing by which one node withdraws while it runs" in refused.out
        assert f"stop kube-router on it, and wait {WORST}" in refused.out
        assert "nothing was changed on the node" in refused.out + refused.err
    assert lab.client().get(paths.node(NODE)) == before
    assert routes and prefixes(lab, NODE) == routes


def test_stopped_as_the_refusal_says_its_routes_stay_for_a_while_and_no_longer(lab: cluster.Lab) -> None:
    routes, other = prefixes(lab, NODE), prefixes(lab, "worker-2")
    _label(lab, None)
    eventually(
        lambda: {path.prefix for path in asked(lab).paths if path.stale} == routes,
        10,
        why="it ended in silence, and the router keeps its routes",
    )
    eventually(lambda: asked(lab).routes is RouteState.ABSENT, RESTART_SECONDS + 20, why="they expire")
    assert prefixes(lab, "worker-2") == other
    assert ran(lab, "node", "status", NODE, "-o", "json").document["nodes"][0]["service"] == "no-bgp"
    _label(lab, "true")
    eventually(lambda: prefixes(lab, NODE) == routes, 30, why="it is started again")


def _label(lab: cluster.Lab, value: str | None) -> None:
    """By which its DaemonSet selects the node."""
    lab.client().patch(paths.node(NODE), {"metadata": {"labels": {seed.LABEL: value}}})

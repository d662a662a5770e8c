"""A speaker dies by kill -9 without graceful restart: what a real router sees when ExaBGP outlives it.

Without graceful restart a router drops the routes of a session that ends at once, so routes that never leave
prove that the session was not touched. The inverse shows that the poller would have noticed.
"""

from __future__ import annotations

import signal
import time

import pytest

from bgpctl.lab.watcher import Watcher
from tests.support.require import require
from tests.support.routers import Workshop
from tests.support.wait import eventually
from tests.support.worlds import NAME, World

pytestmark = pytest.mark.interop

POLL_SECONDS = 0.1
HOPS = ("--next-hop", "192.0.2.1", "--next-hop", "2001:db8::1")
ROUTES = 2  # the Service and the IPv4 pod network; the IPv6 one needs a next hop that the router accepts


@pytest.mark.parametrize("kind", ["bird", "frr"])
@pytest.mark.parametrize(("engine", "stays"), [("detached", True), ("own", False)])
def test_kill_9_is_a_gap_only_where_the_engine_dies_too(
    kind: str, engine: str, stays: bool, workshop: Workshop
) -> None:
    require(kind)
    lab = workshop.router(kind, nodes=1, graceful_restart=False)
    spec, node = lab.router.spec, lab.nodes[0].address
    world = World(workshop.directory, spec.address, spec.port, spec.asn, node, graceful=False)
    try:
        with (
            world.speaker(engine, *HOPS) as first,
            Watcher(lab.router.probe(), {NAME: node}, POLL_SECONDS) as eye,
        ):
            eventually(lambda: eye.count(NAME) >= ROUTES, why=f"the routes arrive: {first.log}")
            before, routes = world.running(), eye.count(NAME)
            began = time.time()
            first.signal(signal.SIGKILL)
            first.wait(5)
            looks = eye.answers
            eventually(lambda: eye.answers > looks + 5, why="the poller goes on while nobody manages")
            with world.speaker(engine, *HOPS):
                eventually(lambda: world.state()["startedAt"] != before["startedAt"])
                after = world.running()
                eventually(lambda: eye.count(NAME) == routes)
            assert eye.lowest(NAME, began) == (routes if stays else 0)
        same = after["peers"][0]["establishedTime"] == before["peers"][0]["establishedTime"]
        assert same is stays
    finally:
        world.end()


@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_a_detached_engine_of_a_node_that_is_out_leaves_before_an_own_one_comes(
    kind: str, workshop: Workshop
) -> None:
    """With graceful restart: replaced in silence, the router would go on sending for its restart time."""
    require(kind)
    lab = workshop.router(kind, nodes=1)
    spec, node = lab.router.spec, lab.nodes[0].address
    world = World(workshop.directory, spec.address, spec.port, spec.asn, node)
    try:
        with Watcher(lab.router.probe(), {NAME: node}, POLL_SECONDS) as eye:
            with world.speaker("detached", *HOPS) as first:
                eventually(lambda: eye.count(NAME) >= ROUTES, why=f"the routes arrive: {first.log}")
                world.running()
            world.write(labels={"enable-bgp": "false"})
            with world.speaker("own", *HOPS) as second:
                second.says("engine.adopted")
                eventually(lambda: eye.count(NAME) == 0, why=second.log)
                state = eventually(lambda: world.state() if world.state()["phase"] == "Withdrawn" else {})
            assert [peer["flushed"] for peer in state["withdrawn"]["peers"]] == [True]
            assert "problems" not in state and "unwithdrawn" not in state
            world.write()
            with world.speaker("own", *HOPS):
                eventually(lambda: eye.count(NAME) > 0)
    finally:
        world.end()

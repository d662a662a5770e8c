"""A router that resets every second, one that resets at once, and one that never completes an OPEN."""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest

from bgpctl.core.intent.diff import Announce
from bgpctl.core.model import Attributes
from tests.support import engines
from tests.support.hostile import RawRouter, Wire, beside, descriptors, load, memory, reset

pytestmark = pytest.mark.hostile

SECONDS = 12.0


@pytest.mark.alone
def test_resets_cost_the_router_its_own_session_only() -> None:
    def after_a_second(wire: Wire) -> None:
        wire.establish()
        time.sleep(1.0)
        reset(wire)

    def when_up(wire: Wire) -> None:
        wire.establish()
        reset(wire)

    with (
        beside() as scene,
        RawRouter(after_a_second) as slow,
        RawRouter(when_up) as fast,
        RawRouter(reset) as rude,
    ):
        routers = (slow, fast, rude)
        peers = [engines.peer(router.address, router.port) for router in routers]
        scene.start(*peers)
        for peer in peers:
            scene.eng.perform(Announce(peer.name, Attributes(), (ip_network("10.9.1.0/24"),)))
        scene.eng.until(lambda o: all(o.sessions[peer.name].last_error for peer in peers))
        before, began = (memory(scene.pid), descriptors(scene.pid)), time.monotonic()
        accepted = [len(router.accepted) for router in routers]
        share = load(scene.pid, SECONDS)
        assert share < 0.2, f"{share:.0%} of a core for routers that reset"

        seen = scene.eng.observed()
        flaps = [seen.sessions[peer.name].flaps for peer in peers]
        took = time.monotonic() - began
        tries = [len(router.accepted) - n for router, n in zip(routers, accepted, strict=True)]
        assert all(2 <= number <= took for number in tries), f"connected {tries} times in {took:.0f} s"
        assert flaps[0] >= 3 and flaps[1] >= 3 and flaps[2] == 0, flaps
        errors = [seen.sessions[peer.name].last_error for peer in peers]
        assert all(error and error.text for error in errors), errors

        assert memory(scene.pid) - before[0] < 4
        assert descriptors(scene.pid) <= before[1] + len(peers)
        assert max(scene.latency() for _ in range(5)) < 0.5
        scene.untouched()

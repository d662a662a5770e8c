"""An endpoint that comes and goes, at a router that records every message."""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml

from bgpctl.core.intent.damping import FREE, delay
from tests.support import objects, speakers
from tests.support.bgppeer import UPDATE, BgpPeer, decode_update
from tests.support.cli import inside
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

NAME, NODE, ROUTER = "worker-1", "127.88.8.2", "127.88.8.1"
LOSSES = FREE + 3  # after the last one the address is held back for 4 s: long enough to be looked at
WEB, STEADY = ip_network("192.0.2.80/32"), ip_network("192.0.2.81/32")


@pytest.fixture
def place() -> Iterator[Path]:
    with speakers.workplace() as made:
        yield made


@pytest.fixture
def router() -> Iterator[BgpPeer]:
    with BgpPeer(ROUTER) as made:
        yield made


class Flapping:
    """A state file with one Service whose endpoint moves, and one whose endpoint stays."""

    def __init__(self, place: Path, router: BgpPeer) -> None:
        self.path, self.router = place / "state.yaml", router
        neighbor = objects.neighbor(f"{router.address}/32", router.asn, peerPort=router.port)
        self.base = [objects.node(NAME), objects.policy(objects.router(neighbor))]
        for name, prefix in (("web", WEB), ("steady", STEADY)):
            address = str(prefix.network_address)
            self.base.append(objects.service(name, address, local=True, ports=[{"port": 80}]))
        self.left: list[float] = []  # the instants of the moves away
        self.write(True)

    def write(self, here: bool) -> None:
        if not here:
            self.left.append(time.time())
        web = objects.endpoint(NAME if here else "worker-2")
        slices = [objects.endpoint_slice("web", web), objects.endpoint_slice("steady", objects.endpoint())]
        draft = self.path.with_suffix(".new")
        draft.write_text(yaml.safe_dump_all([*self.base, *slices]))
        draft.replace(self.path)

    def turn(self, here: bool) -> float:
        """Seconds from the write to the router's table."""
        began = time.monotonic()
        self.write(here)
        eventually(lambda: (WEB in self.router.routes()) == here, interval=0.01)
        return time.monotonic() - began


@pytest.mark.parametrize("damping", [True, False])
def test_a_flapping_endpoint(place: Path, router: BgpPeer, damping: bool) -> None:
    world = Flapping(place, router)
    given = ("--node-name", NAME, "--source-address", NODE, "--file", world.path)
    speaker = SpeakerProcess(place / "speaker", *given, *(() if damping else ("--no-damping",))).start()
    try:
        eventually(lambda: {WEB, STEADY} <= router.routes(), 60, why="it started")
        up, down = [], [world.turn(False)]
        for _ in range(LOSSES - 1):
            up.append(world.turn(True))
            down.append(world.turn(False))
        world.write(True)
        if damping:
            absent = ("routes", "--directory", str(speaker.directory), "--absent")
            # In this process: a command of its own may take longer to start than an address is held back.
            while "damped" not in (seen := inside(*absent, kubeconfig=place / "none")[1]):
                assert WEB not in router.routes(), seen  # the file is read a moment after it was written
            assert f"came and went {LOSSES} times: held back until 20" in seen
        eventually(lambda: WEB in router.routes(), interval=0.01)
        heard = [(m.time, decode_update(m.body)) for m in router.of_kind(UPDATE)]
        lost = [at for at, update in heard if WEB in update.withdrawn]
        back = [at for at, update in heard if WEB in update.announced]
        assert (len(lost), len(back)) == (LOSSES, LOSSES + 1), "each turn is one UPDATE"
        held = [late - early for early, late in zip(world.left, back[1:], strict=True)]
        assert not damping or all(took >= delay(level) for level, took in enumerate(held, 1)), held
        prompt = up[:FREE] + down if damping else up + down
        assert max(prompt) < 5.0, "the first returns and every withdrawal wait for the file's poll only"
        assert not any(STEADY in update.withdrawn for _, update in heard)
    finally:
        speaker.end()

"""Engine and speaker in two containers of a pod: one directory, but neither sees the other's processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.support import bgppeer, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.cli import clean_environment
from tests.support.require import require
from tests.support.wait import eventually
from tests.support.worlds import NAME, World

pytestmark = pytest.mark.interop

ROUTER, NODE = "127.88.3.1", "127.88.3.2"
GRACEFUL = bytes.fromhex("0078" + "00010180" + "00020180")  # 120 s, IPv4 and IPv6, forwarding kept
NEW = ip_network("192.0.2.81/32")
# A PID namespace of its own; everything in it dies with `unshare`, as in a container with its first process.
CONTAINER = (
    "unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    sys.executable,
    "-m",
    "bgpctl",
    "speaker",
)


@contextmanager
def container(log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as file:
        process = subprocess.Popen(
            (*CONTAINER, *arguments), stdout=file, stderr=file, env=clean_environment()
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_speaker_in_another_container_is_killed_and_replaced() -> None:
    require("netns")
    with speakers.workplace() as place, BgpPeer(ROUTER, graceful_restart=GRACEFUL) as router:
        world, log = World(place, router.address, router.port, router.asn, NODE), place / "log"
        shared = ("--directory", str(world.directory))
        speaker = (
            *("run", "--engine", "external", *shared, "--node-name", NAME, "--listen", ""),
            *("--source-address", NODE, "--file", str(world.path)),
        )
        stop = (*CONTAINER, "engine", "stop", *shared)
        with container(log, "engine", "run", *shared) as engine:
            with container(log, *speaker):
                before = world.running()
                refused = subprocess.run(stop, capture_output=True, text=True, env=clean_environment())
                assert refused.returncode == 1
                assert "another speaker (in another container)" in refused.stderr
            words = len(router.of_kind(bgppeer.UPDATE))
            world.write(ip_network("192.0.2.80/32"), NEW)
            with container(log, *speaker):
                eventually(lambda: NEW in router.routes(), why=log.read_text())
                eventually(lambda: world.state()["startedAt"] != before["startedAt"])
                after = world.running()
            done = subprocess.run(stop, capture_output=True, text=True, env=clean_environment())
            assert (done.returncode, engine.wait(10)) == (0, 0), done
        assert after["peers"][0]["establishedTime"] == before["peers"][0]["establishedTime"]
        assert len(router.of_kind(bgppeer.UPDATE)) == words + 1
        assert (router.sessions, router.of_kind(bgppeer.NOTIFICATION)) == (1, [])

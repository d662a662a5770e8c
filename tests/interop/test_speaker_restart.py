"""A speaker restarts, its engine dies: what routers that help (RFC 4724) keep meanwhile, polled every 100 ms.

The inverse shows that the poller would have noticed: without graceful restart the same restart is a gap.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bgpctl.lab.cluster import Lab
from bgpctl.lab.routers.process import end
from bgpctl.lab.stacks.speakers import Speaker
from tests.support import lab as kit
from tests.support import objects
from tests.support.bgppeer import NOTIFICATION, BgpPeer
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE = "worker-1"
POLL_SECONDS = 0.1


@pytest.mark.parametrize("kind", ["bird", "frr", "gobgp"])
def test_a_restart_is_a_gap_only_without_graceful_restart(kind: str) -> None:
    require(kind)
    with kit.running(kind, nodes=2) as lab, kit.watcher(lab, POLL_SECONDS) as eye:
        routes = eye.count(NODE)
        assert routes > 0
        began = time.time()

        _restart(lab)
        assert eye.lowest(NODE, began) >= routes, "a route left while the speaker was restarted"

        killed = time.time()
        _kill_engine(lab)
        assert eye.lowest(NODE, killed) >= routes, "a route left while the engine was restarted"
        looks = eye.answers
        eventually(lambda: eye.answers > looks + 5, why="the poller goes on")
        assert eye.lowest(NODE, began) >= routes

        if kind != "gobgp":  # GoBGP 3.10 never forgets that a neighbor once had it (bgp.md 3.8)
            _without_graceful_restart(lab)
            began = time.time()
            _restart(lab)
            assert eye.lowest(NODE, began) == 0, "no gap was seen: the poller would see none at all"


def _speaker(lab: Lab) -> Speaker:
    return next(speaker for speaker in lab.speakers if speaker.node == NODE)


def _restart(lab: Lab) -> None:
    """SIGTERM, start again, until everything is announced."""
    speaker = _speaker(lab)
    before = lab.node_state(NODE)["startedAt"]
    speaker.stop()
    speaker.start()
    eventually(lambda: lab.node_state(NODE)["startedAt"] != before, deadline=20, why="a new speaker reports")
    lab.wait_ready()


def _kill_engine(lab: Lab) -> None:
    """SIGKILL of ExaBGP alone: the speaker starts another one."""
    restarts = lab.node_state(NODE)["engineRestarts"]
    os.kill(_engine_of(_speaker(lab).pid), signal.SIGKILL)
    eventually(lambda: lab.node_state(NODE)["engineRestarts"] > restarts, deadline=20, why="it was noticed")
    lab.wait_ready()


def _engine_of(speaker: int) -> int:
    """The process id of a speaker's ExaBGP."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        pid, parent = int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])
        if parent == speaker and b"exabgp.child" in (status.parent / "cmdline").read_bytes():
            return pid
    raise AssertionError(f"speaker {speaker} has no engine")


def _without_graceful_restart(lab: Lab) -> None:
    """Off in the policy, and negotiated so."""
    policy = lab.client().get(kit.POLICY)
    policy["spec"]["virtualRouters"][0]["neighbors"][0]["gracefulRestart"] = {"enabled": False}
    lab.client().replace(kit.POLICY, policy)

    def off() -> bool:
        peers = lab.node_state(NODE)["peers"]
        return bool(peers) and "restartTimeSeconds" not in peers[0]["configured"]

    eventually(off, deadline=20, why="the speaker follows the policy")
    lab.wait_ready()


# --- what a restarted speaker says, message by message ------------------------------------------------------


ROUTES = 41


def test_end_of_rib_comes_after_every_route(tmp_path: Path) -> None:
    """At a raw peer: the restart closes silently, the new session announces everything, then End-of-RIB."""
    ipv4 = bytes.fromhex("007800010180")  # our Restart Time 120 s, IPv4 unicast, forwarding preserved
    with BgpPeer("127.0.0.99", families=(1,), graceful_restart=ipv4) as peer:
        state = _state_file(tmp_path, peer)
        for session in (1, 2):
            with _file_speaker(state):
                eventually(lambda n=session: peer.ends_of_rib(n), deadline=20, why=f"session {session}")
            eventually(lambda n=session: len(peer.endings) >= n, why="the session has ended")
            assert _order(peer, session) == ["route"] * ROUTES + ["end-of-rib"]
        assert not peer.of_kind(NOTIFICATION), "it would end graceful restart"


def _order(peer: BgpPeer, session: int) -> list[str]:
    """One word per announced prefix and per End-of-RIB, as they came."""
    words: list[str] = []
    for update in peer.updates(session):
        assert not update.withdrawn
        words += ["route"] * len(update.announced) + ["end-of-rib"] * bool(update.end_of_rib)
    return words


def _state_file(directory: Path, peer: BgpPeer) -> Path:
    """A node with a PodCIDR and a Service of many addresses."""
    families = [{"afi": "ipv4", "safi": "unicast"}]
    neighbor = objects.neighbor(
        f"{peer.address}/32",
        peer.asn,
        peerPort=peer.port,
        families=families,
        gracefulRestart={"enabled": True},
    )
    documents = [
        objects.node(spec={"podCIDRs": ["10.244.1.0/24"]}),
        objects.policy(objects.router(neighbor)),
        objects.service("web", *(f"203.0.113.{number}" for number in range(1, ROUTES))),
        objects.endpoint_slice("web", objects.endpoint(ready=True)),
    ]
    path = directory / "state.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


@contextlib.contextmanager
def _file_speaker(state: Path) -> Iterator[None]:
    """`bgpctl speaker run --file`, ended by SIGTERM."""
    directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))  # short: a socket's path is limited
    argv = (sys.executable, "-m", "bgpctl", "speaker", "run", "--node-name", NODE, "--file", str(state))
    process = subprocess.Popen(
        (*argv, "--directory", str(directory), "--source-address", "127.0.0.98", "--listen", ""),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        end(process)
        shutil.rmtree(directory, ignore_errors=True)

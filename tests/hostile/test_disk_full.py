"""The disk of the speaker's directory is full: while it runs, and when it starts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from bgpctl.kube import paths
from bgpctl.lab.seed import crds
from tests.support import apiserver, clients, hostile_node, objects, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.hostile_node import NAME, POD, WEB, Document, node, service, written
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.hostile


@pytest.fixture
def place() -> Iterator[Path]:
    """With `speaker` on a disk of 256 KB."""
    require("mount")
    with speakers.workplace() as made:
        disk = made / "speaker"
        disk.mkdir()
        subprocess.run(("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk), check=True)
        try:
            yield made
        finally:
            subprocess.run(("umount", "-l", disk), check=True)


def fill(disk: Path) -> Path:
    """Not one octet is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    return ballast


def test_what_runs_goes_on_without_disk_and_changes_when_there_is_room(place: Path) -> None:
    with hostile_node.witness() as witness, hostile_node.witness() as later:

        def documents(*routers: BgpPeer) -> list[Document]:
            policy = hostile_node.policy(*routers)
            return [objects.node(NAME), policy, hostile_node.secret(), *service("web", "192.0.2.80")]

        path = written(place / "state.yaml", *documents(witness))
        with node(place, "--file", path, witness=witness) as one:
            one.has(WEB, POD)
            one.is_well()
            ballast = fill(place / "speaker")
            written(path, *documents(witness), *service("new", "192.0.2.81"))
            one.has(ip_network("192.0.2.81/32"))
            one.complains("this state can be read here only: [Errno 28] No space left on device")

            written(path, *documents(witness, later), *service("new", "192.0.2.82"))
            one.complains("the BGP engine's configuration is not written: No space left on device")
            one.has(ip_network("192.0.2.82/32"))  # routes need no disk
            one.has_not(ip_network("192.0.2.81/32"))
            assert later.sessions == 0

            ballast.unlink()
            one.is_well()
            eventually(lambda: {WEB, POD} <= later.routes())
            assert not {WEB, POD} & one.withdrawn_so_far()
            one.untouched()


UNKEPT = "what this speaker knows of its sessions is not kept on its disk"


def test_what_cannot_be_kept_costs_a_sentence_in_the_cluster(place: Path) -> None:
    with hostile_node.witness() as witness, apiserver.running(controllers=False) as server:
        server.apply(*crds(), objects.node(NAME), hostile_node.policy(witness), hostile_node.secret())
        server.apply(*service("web", "192.0.2.80"))
        server.write_kubeconfig(place / "kubeconfig")
        api = clients.client(server)

        def told() -> str:
            return str(((api.find(paths.node_state(NAME)) or {}).get("status") or {}).get("problems"))

        with node(place, "--kubeconfig", place / "kubeconfig", witness=witness) as one:
            one.has(WEB, POD)
            one.is_well()
            ballast = fill(place / "speaker")
            server.apply(*service("new", "192.0.2.81"))
            one.has(ip_network("192.0.2.81/32"))
            one.complains(f"{UNKEPT} ([Errno 28] No space left on device")
            eventually(lambda: UNKEPT in told())
            ballast.unlink()
            one.is_well()
            eventually(lambda: UNKEPT not in told())
            one.untouched()


def test_a_start_without_disk_is_a_clear_exit(place: Path) -> None:
    fill(place / "speaker")
    with hostile_node.witness() as witness:
        path = written(place / "state.yaml", objects.node(NAME), hostile_node.policy(witness))
        with node(place, "--file", path, witness=witness) as one:
            assert one.speaker.wait(10) == 2
            assert (
                f"error: cannot use directory {place / 'speaker'}: No space left on device" in one.speaker.log
            )
            assert "Traceback" not in one.speaker.log

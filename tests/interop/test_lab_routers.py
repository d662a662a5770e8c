"""The life of a lab router: many at once, nothing left behind, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bgpctl.errors import BgpctlError, UsageError
from bgpctl.lab import routers
from bgpctl.lab.routers import RouterSpec
from bgpctl.lab.routers.process import listening
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import parse_probe
from tests.support.routers import PORT, ROUTER_ASN, Workshop
from tests.support.wait import eventually

pytestmark = pytest.mark.interop


def descendants(pid: int) -> set[int]:
    """Every living process below `pid`."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children}.union(*(descendants(int(child)) for child in children), ())


def alive(pid: int) -> bool:
    """Is it there and no zombie (whose new parent has not reaped it)?"""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_two_of_a_kind_at_once_and_nothing_left(router_kind: str, workshop: Workshop) -> None:
    labs = [workshop.router(router_kind), workshop.router(router_kind)]
    for lab in labs:
        assert lab.probe.routes_from(lab.nodes[0].address).routes is RouteState.ABSENT
    processes = {pid for lab in labs if (pid := lab.router.pid)}
    processes |= {child for pid in processes for child in descendants(pid)}
    for lab in labs:
        lab.router.stop()
        lab.router.stop()
        assert not listening(lab.router.spec.address, PORT)
    assert not [pid for pid in processes if alive(pid)]
    left = [path for path in workshop.directory.rglob("*") if path.is_socket() or path.name == "rib.json"]
    assert left == []


def test_it_starts_again_where_a_killed_one_left_its_files(router_kind: str, workshop: Workshop) -> None:
    lab = workshop.router(router_kind)
    place = lab.router.log_path.parent
    lab.router.kill()
    eventually(lambda: not listening(lab.router.spec.address, PORT))
    lab.router.start(place)
    assert lab.probe.routes_from(lab.nodes[0].address).routes is RouteState.ABSENT


def test_a_taken_address_is_refused(router_kind: str, workshop: Workshop) -> None:
    """Or a second lab would take the first one's router for its own."""
    lab = workshop.router(router_kind)
    twin = routers.make(lab.router.spec)
    with pytest.raises(UsageError, match="already"):
        twin.start(workshop.directory / "twin")
    assert lab.router.pid is not None


def test_a_router_that_dies_at_once_says_why(workshop: Workshop) -> None:
    neighbor = routers.Neighbor("127.0.0.999", 65001)
    router = routers.make(RouterSpec("exabgp", workshop.address(1), PORT, ROUTER_ASN, (neighbor,)))
    with pytest.raises(BgpctlError, match=r"127\.0\.0\.999") as caught:
        router.start(workshop.directory / "dead")
    assert str(router.log_path) in caught.value.hint
    assert router.pid is None


PARENT = """
import pathlib, signal, sys
from bgpctl.lab import routers
kind, address, directory = sys.argv[1:]
spec = routers.RouterSpec(kind, address, 1790, 65000, (routers.Neighbor("127.0.1.1", 65001),))
router = routers.make(spec)
router.start(pathlib.Path(directory))
print(router.pid, router.probe(), flush=True)
signal.pause()
"""


def test_it_dies_with_its_parent(router_kind: str, workshop: Workshop) -> None:
    """`kill -9` of the lab: the kernel ends the router, and the router its own children."""
    address, directory = workshop.address(200), workshop.directory / "orphan"
    argv = (sys.executable, "-c", PARENT, router_kind, address, str(directory))
    parent = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    first, text = parent.stdout.readline().strip().split(" ", 1)
    pid = int(first)
    family = {pid} | descendants(pid)
    try:
        assert listening(address, PORT)
        parent.kill()
        parent.wait()
        eventually(lambda: not any(alive(member) for member in family), why=f"{family} end")
    finally:
        for member in filter(alive, family):
            os.kill(member, signal.SIGKILL)
        parent.stdout.close()
    assert not listening(address, PORT)
    assert parse_probe(text).routes_from("127.0.1.1").routes is RouteState.UNKNOWN

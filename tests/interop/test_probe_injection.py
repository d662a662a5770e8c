"""A node may write anything into its own BGPNodeState: it never ends in a router's configuration.

With an address that had the rest of a vty session behind a NUL, `node drain --dry-run` of an operator shut
another node's session down.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.kube import paths
from tests.support.cli import bgpctl
from tests.support.fake_api import fake_api
from tests.support.node_states import NODE_STATES, established
from tests.support.require import require
from tests.support.routers import Lab, Workshop, workshop

__all__ = ["workshop"]

pytestmark = pytest.mark.interop


@pytest.fixture
def frr(workshop: Workshop) -> Iterator[Lab]:
    require("frr")
    yield workshop.router("frr")


def running_config(lab: Lab) -> str:
    """As bgpd itself tells it, in enable mode."""
    directory = str(lab.probe.target)
    with socket.socket(socket.AF_UNIX) as vty:
        vty.settimeout(10)
        vty.connect(os.path.join(directory, "bgpd.vty"))
        answer = b""
        for command in ("enable", "show running-config"):
            vty.sendall(command.encode() + b"\0")
            answer = b""
            while answer[-4:-1] != b"\0\0\0":
                answer += vty.recv(65536)
    return answer.decode()


def attack(lab: Lab) -> str:
    """The string that was seen: it closes the session of the lab's second node."""
    other = lab.nodes[1].address
    commands = (
        "configure terminal",
        f"router bgp {lab.router.spec.asn}",
        f"neighbor {other} shutdown",
        "end",
    )
    return "\0".join(("fe80::1%x json", *commands, "show version"))


def test_the_harness_sees_a_change(frr: Lab) -> None:
    before = running_config(frr)
    with socket.socket(socket.AF_UNIX) as vty:
        vty.settimeout(10)
        vty.connect(os.path.join(str(frr.probe.target), "bgpd.vty"))
        for command in ("enable", *attack(frr).split("\0")[1:]):
            vty.sendall(command.encode() + b"\0")
            vty.recv(65536)
    assert before != running_config(frr)


def test_no_question_changes_the_router(frr: Lab) -> None:
    before = running_config(frr)
    text = attack(frr)
    for probe in (frr.probe, type(frr.probe)(frr.probe.target, text)):  # type: ignore[call-arg]
        probe.routes_from(text)
    assert running_config(frr) == before


@pytest.mark.parametrize("place", ["localAddress", "peerAddress", "name"])
def test_no_state_of_a_node_reaches_the_router(frr: Lab, tmp_path: Path, place: str) -> None:
    """The state object is the node's; the operator runs the command against the real router."""
    before = running_config(frr)
    state: dict[str, Any] = established("n1")
    state["status"]["peers"][0] |= {"localAddress": frr.nodes[0].address, place: attack(frr)}
    meta = {"name": "n1", "uid": "u1", "resourceVersion": "1", "labels": {"enable-bgp": "true"}}
    with fake_api(tmp_path) as (api, kubeconfig):
        api.collections[paths.NODES] = [{"metadata": meta, "status": {}}]
        api.collections[NODE_STATES] = [state]
        for path in (paths.SERVICES, paths.ENDPOINT_SLICES, paths.PODS, paths.DAEMONSETS):
            api.collections[path] = []
        for peer in ("", "@192.0.2.1", "@" + attack(frr).replace("\0", " ")):
            probe = f"frr={frr.probe.target}{peer}"
            ran = bgpctl("node", "drain", "n1", "--dry-run", "--router-probe", probe, kubeconfig=kubeconfig)
            assert "bug" not in ran.err
            assert running_config(frr) == before

"""What the kernel tells of the node, read and followed in a network of our own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from bgpctl.lab.traffic.network import Host, NetLab
from bgpctl.speaker import netlink
from tests.support.require import require
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration


@pytest.fixture
def inside() -> Iterator[Host]:
    require("netns")
    with NetLab() as lab:
        made = lab.host("node", "192.0.2.11/24")
        with made.inside():
            yield made


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=10)


def test_interfaces_that_are_up_and_the_best_gateways(inside: Host) -> None:
    ip("link", "add", "vips", "type", "veth", "peer", "name", "far")
    ip("link", "set", "far", "up")
    ip("address", "add", "198.51.100.7/32", "dev", "vips")
    ip("-6", "address", "add", "2001:db8::7/128", "dev", "vips", "nodad")
    seen = netlink.read()
    assert seen.interfaces is not None and "vips" not in seen.interfaces  # it is down
    assert ip_address("192.0.2.11") in seen.interfaces["eth0"] and seen.gateways == {}
    ip("link", "set", "vips", "up")
    both = {ip_address("198.51.100.7"), ip_address("2001:db8::7")}
    # The kernel finds the carrier in a task of its own: `ip` ends before the link is up.
    eventually(lambda: both <= set((netlink.read().interfaces or {}).get("vips", ())))

    ip("route", "add", "default", "via", "192.0.2.2", "metric", "200")
    ip("route", "add", "default", "via", "192.0.2.3", "metric", "100")
    ip("route", "add", "default", "via", "192.0.2.4", "table", "77")
    assert netlink.read().gateways == {"ipv4": ip_address("192.0.2.3")}
    ip("route", "del", "default", "via", "192.0.2.3", "metric", "100")
    assert netlink.read().gateways == {"ipv4": ip_address("192.0.2.2")}
    ip(
        "route",
        "replace",
        "default",
        "metric",
        "10",
        "nexthop",
        "via",
        "192.0.2.5",
        "nexthop",
        "via",
        "192.0.2.6",
    )
    assert netlink.read().gateways == {"ipv4": ip_address("192.0.2.5")}


def test_changes_are_followed_and_those_of_pods_are_not_told(inside: Host) -> None:
    rung: list[float] = []
    watch = netlink.Watch(lambda: rung.append(time.monotonic()))
    watch.start()
    try:
        ip("link", "add", "pod", "type", "veth", "peer", "name", "inpod")
        ip("link", "set", "inpod", "up")
        ip("link", "set", "pod", "up")
        eventually(lambda: "pod" in (watch.readings.interfaces or {}))
        throughout(lambda: not rung, 0.5, why="an interface without an address rings nobody")
        ip("address", "add", "198.51.100.7/32", "dev", "pod")
        eventually(lambda: rung)
        assert ip_address("198.51.100.7") in (watch.readings.interfaces or {})["pod"]
        ip("route", "add", "default", "via", "192.0.2.2")
        eventually(lambda: watch.readings.gateways == {"ipv4": ip_address("192.0.2.2")})
        assert len(rung) == 2
    finally:
        watch.stop()

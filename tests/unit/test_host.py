"""What the kernel tells of the node, as far as any machine shows it."""

from __future__ import annotations

import time
from ipaddress import ip_address
from pathlib import Path
from struct import pack

import pytest

from bgpctl.speaker import netlink


def test_this_machine() -> None:
    found = netlink.read()
    assert found.interfaces is not None and found.gateways is not None
    assert ip_address("127.0.0.1") in found.interfaces["lo"]


def default_route(gateway: str, metric: int = 0, link: int = 2) -> tuple[int, bytes]:
    """RTM_NEWROUTE as rtnetlink(7) has it: a unicast default route of the main table."""
    address = ip_address(gateway).packed
    family, unicast, main = (2 if len(address) == 4 else 10), 1, 254
    attributes = ((6, pack("=I", metric)), (4, pack("=I", link)), (5, address))
    body = b"".join(pack("=HH", 4 + len(value), code) + value for code, value in attributes)
    return 24, pack("=8BI", family, 0, 0, 0, main, 0, 0, unicast, 0) + body


@pytest.mark.parametrize(
    ("routes", "gateway"),
    [
        ([("2001:db8::1", 1024)], "2001:db8::1"),
        ([("fe80::1", 100), ("2001:db8::1", 1024)], "2001:db8::1"),
        ([("2001:db8::1", 1024), ("fe80::1", 100)], "2001:db8::1"),
        ([("fe80::1", 1), ("2001:db8::2", 200), ("2001:db8::1", 100)], "2001:db8::1"),
        ([("fe80::2", 200), ("fe80::1", 100)], "fe80::1"),  # whoever asked for it is told what it is
        ([("169.254.1.1", 1), ("192.0.2.1", 100)], "169.254.1.1"),
        ([("192.0.2.9", 200), ("192.0.2.1", 100)], "192.0.2.1"),
    ],
)
def test_the_default_gateway_is_one_that_can_be_a_peer(routes: list[tuple[str, int]], gateway: str) -> None:
    found = netlink._gateways({2: "eth0"}, [default_route(*route) for route in routes])
    assert list(found.values()) == [ip_address(gateway)]


def test_the_boot_time(tmp_path: Path) -> None:
    booted = netlink.booted_at()
    assert booted is not None and 0 < booted < time.time()
    stat = tmp_path / "stat"
    stat.write_text("cpu 1 2\nbtime 1700000000\n")
    assert netlink.booted_at(stat) == 1_700_000_000.0
    stat.write_text("cpu 1 2\nbtime x\n")
    assert netlink.booted_at(stat) is netlink.booted_at(tmp_path / "missing") is None


def test_no_rtnetlink_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("socket.socket", refused)
    assert netlink.read() == netlink.Readings(None, None)
    watch = netlink.Watch(lambda: None)
    watch.start()
    watch.stop()
    assert watch.readings.interfaces is None


def test_the_state_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert netlink.system_state(tmp_path / "missing") == "", "no systemd, as in a pod"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert netlink.system_state(tmp_path) == "", "a systemd that cannot be asked"
    command = tmp_path / "systemctl"
    command.write_text('#!/bin/sh\n[ "$1" = is-system-running ] && echo stopping\nexit 1\n')
    command.chmod(0o755)
    assert netlink.system_state(tmp_path) == "stopping"
    command.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    assert netlink.system_state(tmp_path) == ""

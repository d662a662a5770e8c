"""What the kernel tells of the node, as far as any machine shows it."""

from __future__ import annotations

import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from bgpctl.speaker import host


def test_this_machine() -> None:
    found = host.read()
    assert found.interfaces is not None and found.gateways is not None
    assert ip_address("127.0.0.1") in found.interfaces["lo"]


def test_the_boot_time(tmp_path: Path) -> None:
    booted = host.booted_at()
    assert booted is not None and 0 < booted < time.time()
    stat = tmp_path / "stat"
    stat.write_text("cpu 1 2\nbtime 1700000000\n")
    assert host.booted_at(stat) == 1_700_000_000.0
    stat.write_text("cpu 1 2\nbtime x\n")
    assert host.booted_at(stat) is host.booted_at(tmp_path / "missing") is None


def test_no_rtnetlink_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("socket.socket", refused)
    assert host.read() == host.Readings(None, None)
    watch = host.Watch(lambda: None)
    watch.start()
    watch.stop()
    assert watch.readings.interfaces is None


def test_the_state_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host.system_state(tmp_path / "missing") == "", "no systemd, as in a pod"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert host.system_state(tmp_path) == "", "a systemd that cannot be asked"
    command = tmp_path / "systemctl"
    command.write_text('#!/bin/sh\n[ "$1" = is-system-running ] && echo stopping\nexit 1\n')
    command.chmod(0o755)
    assert host.system_state(tmp_path) == "stopping"
    command.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    assert host.system_state(tmp_path) == ""

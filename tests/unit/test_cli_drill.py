"""`bgpctl lab drill`: what it needs is said before anything is started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bgpctl.core.timing.drills import SETTINGS, Drill, Report
from bgpctl.core.timing.failures import Scenario
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.lab.drill import drill
from bgpctl.lab.drill import run as runs
from bgpctl.lab.routers import DRIVERS
from bgpctl.lab.traffic import forwarding, requests
from bgpctl.lab.traffic.network import Host
from tests.support.cli import bgpctl


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with everything; nothing is ever run."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(drill, "_may_make_namespaces", lambda: True)
    monkeypatch.setattr(forwarding, "missing", lambda kind: "")
    return monkeypatch


def _refused(router: str = "bird", html: Path | None = None) -> UsageError:
    with pytest.raises(UsageError) as refused:
        drill.drill(None, router, html=html)
    assert refused.value.exit_code == 2
    return refused.value


def test_it_needs_root(able: pytest.MonkeyPatch) -> None:
    able.setattr(os, "geteuid", lambda: 1000)
    assert "needs root" in _refused().message and "sudo" in _refused().hint


def test_the_nodes_of_another_stack(able: pytest.MonkeyPatch) -> None:
    """What does not end a session is its data plane's; its engine has to be there."""
    asked: list[tuple[str, str, str]] = []

    def run(kind: str, one: Drill, stack: str) -> Report:
        asked.append((stack, str(one.scenario), str(one.setting)))
        return Report(kind, one, stack=stack)

    able.setattr(runs, "run", run)
    able.setitem(DRIVERS, "gobgp", replace(DRIVERS["gobgp"], find=lambda: "gobgpd"))
    assert drill.drill(Scenario.POWER_OFF, "bird", stack="cilium") == 0
    assert asked == [
        ("cilium", "power-off", "GR 20 s+N, hold 9 s"),  # Cilium always sends the N bit
        ("cilium", "power-off", "GR off, hold 9 s"),
        ("cilium", "power-off", "GR off, hold 3 s"),
    ]
    asked.clear()
    drill.drill(None, "bird", stack="cilium")
    assert {scenario for _, scenario, _ in asked} == {str(one) for one in SETTINGS} - {"no-backends"}
    with pytest.raises(UsageError, match="no-backends is a drill of bgpctl's own speaker"):
        drill.drill(Scenario.NO_BACKENDS, "bird", stack="cilium")
    able.setitem(DRIVERS, "gobgp", replace(DRIVERS["gobgp"], find=lambda: None))
    with pytest.raises(UsageError, match="the engine of the lab's cilium nodes is not installed"):
        drill.drill(Scenario.POWER_OFF, "bird", stack="cilium")


def test_it_needs_ip_and_namespaces(able: pytest.MonkeyPatch) -> None:
    able.setattr(drill, "_may_make_namespaces", lambda: False)
    assert "CAP_SYS_ADMIN" in _refused().hint
    able.setattr(shutil, "which", lambda name: None)
    assert _refused().hint == "apt install iproute2"


def test_it_needs_the_router(able: pytest.MonkeyPatch) -> None:
    able.setattr(forwarding, "missing", lambda kind: DRIVERS[kind].install)
    assert _refused("frr").message == "frr is not installed"
    assert _refused("frr").hint == "apt install frr, or leave the choice to auto"
    assert "none of bird, frr, gobgp, openbgpd" in _refused("auto").message


def test_frr_needs_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was a crash, with a file to report."""
    monkeypatch.setattr(forwarding, "program", lambda *paths: paths[0])
    found = replace(DRIVERS["frr"], find=lambda: "/usr/lib/frr/bgpd")
    monkeypatch.setitem(DRIVERS, "frr", found)
    monkeypatch.setattr(forwarding, "USER", "nobody-of-that-name")
    assert forwarding.missing("frr").endswith("adduser --system --group nobody-of-that-name")
    monkeypatch.setattr(forwarding, "USER", "root")
    assert forwarding.missing("frr") == ""


def test_a_page_that_cannot_be_written_is_found_first(able: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "page.html", tmp_path / ("long" * 80)):
        assert f"cannot write {path}" in _refused(html=path).message


def test_a_page_that_cannot_be_written_in_the_end_costs_no_result(
    able: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    able.setattr(runs, "run", lambda kind, one, stack="bgpctl": Report(kind, one, problem="as foretold"))
    with pytest.raises(BgpctlError, match="cannot write /dev/full"):
        drill.drill(Scenario.DESELECT, "bird", html=Path("/dev/full"))
    assert "as foretold" in capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_is_closed_ends_it_as_an_interrupt(
    able: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    able.setattr(runs, "run", lambda *_, **__: signal.raise_signal(number))
    try:
        with pytest.raises(KeyboardInterrupt):
            drill.drill(Scenario.DESELECT, "bird")
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_an_interrupt_at_the_terminal_is_ours_alone(able: pytest.MonkeyPatch) -> None:
    """Else each of the processes that answer shows a traceback."""
    able.setattr(requests, "until", lambda *_: None)
    host = SimpleNamespace(inside=contextlib.nullcontext)
    process = requests.answering(cast(Host, host), "n", [])
    try:
        assert os.getsid(process.pid) == process.pid
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("words", ["0", "4096", "-1", "1.5", "no", ""])
def test_a_restart_time_has_twelve_bits(words: str) -> None:
    ran = bgpctl("lab", "drill", "restart", f"--graceful-restart={words}")
    assert ran.code == 2 and "write 1 to 4095 seconds, or off" in ran.err


def test_an_unknown_scenario_names_those_there_are() -> None:
    ran = bgpctl("lab", "drill", "flood")
    assert ran.code == 2 and "remote-link-down" in ran.err

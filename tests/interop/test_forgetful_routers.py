"""Routers that were told to forget something of a node while they still have its routes, or that forget it by
themselves: "absent" is said only where no table has a path of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from pathlib import Path

import pytest

from bgpctl.witness.model import RouterAnswer, RouteState
from tests.support import vty
from tests.support.birdctl import Bird
from tests.support.misled import DYNAMIC, mislead
from tests.support.router_paths import paths
from tests.support.routers import Lab, Workshop
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

FOUR, SIX = "10.9.1.0/24", "fd00:9::/64"
GENERAL = ("configure terminal", "router bgp 65000")


def look(lab: Lab) -> RouterAnswer:
    return lab.probe.routes_from(lab.nodes[0].address)


def shown(lab: Lab) -> set[str]:
    return {str(path.prefix) for path in look(lab).paths}


def in_the_table(lab: Lab, prefix: str) -> bool:
    """Whoever's session is up, and whatever is configured: has the RIB a path of the node?"""
    return any(path.neighbor == lab.nodes[0].address for path in paths(lab.probe, ip_network(prefix)))


# --- a family that is taken from a neighbor ----------------------------------------------------------------


def _rewrite(lab: Lab, name: str, pattern: str, replacement: str = "") -> None:
    path = lab.router.log_path.parent / name
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.DOTALL)
    assert count, "the configuration has it"
    path.write_text(text)


def _frr(lab: Lab) -> None:
    line = f"no neighbor {lab.nodes[0].address} activate"
    vty.tell(lab.probe.target, *GENERAL, "address-family ipv4 unicast", line)


def _bird(lab: Lab) -> None:
    _rewrite(lab, "bird.conf", r"\n  ipv4 \{[^\n]*")
    Bird(Path(lab.probe.target)).ask("configure")


def _gobgp(lab: Lab) -> None:
    _rewrite(lab, "gobgpd.toml", r"\[\[neighbors.afi-safis\]\]\n.*(?=\[\[neighbors.afi-safis\]\])")
    assert lab.router.pid is not None
    os.kill(lab.router.pid, signal.SIGHUP)


def _openbgpd(lab: Lab) -> None:
    _rewrite(lab, "bgpd.conf", "announce IPv4 unicast", "announce IPv4 none")
    subprocess.run(("/usr/sbin/bgpctl", "-s", lab.probe.target, "reload"), check=True, capture_output=True)


TAKE_IPV4: Mapping[str, Callable[[Lab], None]] = {
    "bird": _bird,
    "frr": _frr,
    "gobgp": _gobgp,
    "openbgpd": _openbgpd,
}
KEEP_STALE = ("frr", "openbgpd")  # the others drop them at once


def test_stale_routes_of_a_family_that_was_taken_from_the_neighbor(
    helper_kind: str, workshop: Workshop
) -> None:
    """`no neighbor N activate` in FRR, while the session is down: the routes stay, best, and forward."""
    lab = workshop.router(helper_kind, nodes=1)
    speaker = workshop.speaker(lab, restart_time=60)
    speaker.start([FOUR])
    eventually(lambda: shown(lab) == {FOUR})
    speaker.announce(SIX)
    eventually(lambda: shown(lab) == {FOUR, SIX})
    speaker.kill()
    eventually(lambda: look(lab).routes is RouteState.STALE, deadline=4)

    TAKE_IPV4[helper_kind](lab)
    stays = helper_kind in KEEP_STALE
    eventually(lambda: in_the_table(lab, FOUR) is stays, why="it took notice")
    throughout(lambda: (FOUR in shown(lab)) is in_the_table(lab, FOUR) is stays, seconds=0.5)
    assert look(lab).routes is (RouteState.STALE if stays or in_the_table(lab, SIX) else RouteState.ABSENT)


# --- neighbors that come and go ----------------------------------------------------------------------------


def test_a_dynamic_neighbor_whose_session_ended(
    helper_kind: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range instead of an address. GoBGP cannot tell one that it forgot from a stranger, which is said
    before; FRR forgets it too, and tells its ranges; the others keep it in their list."""
    mislead(monkeypatch, helper_kind, DYNAMIC[helper_kind])
    lab = workshop.router(helper_kind, nodes=1)
    speaker = workshop.speaker(lab)
    speaker.start([FOUR, SIX])
    eventually(lambda: shown(lab) == {FOUR, SIX})
    assert look(lab).forgets is (helper_kind == "gobgp")
    which = look(lab).router_id

    speaker.kill()
    after = RouteState.UNKNOWN if helper_kind == "gobgp" else RouteState.ABSENT
    eventually(lambda: look(lab).routes is after, deadline=4)
    throughout(lambda: look(lab).routes is after, seconds=1.5)
    assert (look(lab).session == "none") is (helper_kind == "frr")
    assert look(lab).router_id == ("" if after is RouteState.UNKNOWN else which), "an answer says whose it is"


def test_stale_routes_of_a_dynamic_neighbor(
    helper_kind: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mislead(monkeypatch, helper_kind, DYNAMIC[helper_kind])
    lab = workshop.router(helper_kind, nodes=1)
    speaker = workshop.speaker(lab, restart_time=60)
    speaker.start([FOUR])
    eventually(lambda: shown(lab) == {FOUR})
    speaker.announce(SIX)
    eventually(lambda: shown(lab) == {FOUR, SIX})
    speaker.kill()
    eventually(lambda: look(lab).routes is RouteState.STALE, deadline=4)
    assert shown(lab) == {FOUR, SIX}

"""The N bit (RFC 8538) and changed definitions at real routers: what stays, what goes, and for how long."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Leave, Synced, Withdraw
from bgpctl.core.model import Attributes, IPNetwork, Peer, Secret
from bgpctl.witness.frr import FrrProbe
from bgpctl.witness.model import RouteState
from tests.support.bgppeer import KEEPALIVE, BgpPeer
from tests.support.engines import EngineUnderTest, engine, peer
from tests.support.require import require
from tests.support.routers import Lab, Workshop
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

ONE, TWO = ip_network("10.9.1.0/24"), ip_network("10.9.2.0/24")
# GoBGP before 3.20 takes a route with a loopback next hop for withdrawn.
VIA = Attributes(next_hop=ip_address("192.0.2.1"))
# N=1, 60 s; IPv4 unicast with F=1
WITH_N = struct.pack("!HHBB", 0x4000 | 60, 1, 1, 0x80)
WITHOUT_N = struct.pack("!HHBB", 60, 1, 1, 0x80)


@pytest.fixture
def eng() -> Iterator[EngineUnderTest]:
    with engine() as under_test:
        yield under_test


@pytest.fixture(params=["frr", "gobgp"])
def noticing(request: pytest.FixtureRequest, workshop: Workshop) -> Lab:
    """A router that sends the N bit."""
    require(request.param)
    return workshop.router(request.param, nodes=1, notification=True)


def speak(eng: EngineUnderTest, lab: Lab, **fields: object) -> Peer:
    """The lab's router as the first node's peer, with one route there."""
    spec, node = lab.router.spec, lab.nodes[0]
    one = peer(
        spec.address,
        spec.port,
        spec.asn,
        node.address,
        local_asn=node.asn,
        router_id=ip_address(node.address),
        **fields,
    )
    eng.perform(Configure((one,)))
    eng.perform(Announce(one.name, VIA, (ONE,)))
    eng.perform(Synced((one.name,)))
    eventually(lambda: routes(lab) is RouteState.PRESENT)
    eng.session(lambda s: s.end_of_rib)
    return one


def routes(lab: Lab) -> RouteState:
    return lab.probe.routes_from(lab.nodes[0].address).routes


def prefixes(lab: Lab) -> set[IPNetwork]:
    return {path.prefix for path in lab.probe.routes_from(lab.nodes[0].address).paths}


class Looks:
    """A router that is asked without a pause: how often, and how often it had no route of the node."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.seen, self.absent = lab, 0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.is_set():
            self.seen += 1
            self.absent += routes(self.lab) is RouteState.ABSENT


def vty(lab: Lab, command: str) -> str:
    """A command in FRR's enable node, which bgpctl's own probe never enters."""
    assert isinstance(lab.probe, FrrProbe)
    with socket.socket(socket.AF_UNIX) as bgpd:
        bgpd.settimeout(10)
        bgpd.connect(f"{lab.probe.target}/bgpd.vty")
        answer = b""
        for word in ("enable", command):
            bgpd.sendall(word.encode() + b"\0")
            answer = b""
            while answer[-4:-1] != b"\0\0\0":
                answer += bgpd.recv(65536)
    return answer[:-4].decode()


# --- the N bit ----------------------------------------------------------------------------------------------


@pytest.mark.alone
def test_with_the_n_bit_a_leave_takes_the_routes_at_once(eng: EngineUnderTest, noticing: Lab) -> None:
    one = speak(eng, noticing, graceful_notification=True, restart_time=60)
    session = eng.session(lambda s: s.established)
    for side in (session.local_gr, session.peer_gr):
        assert side is not None and side.notification
    if noticing.router.spec.kind == "frr":
        view = vty(noticing, f"show bgp neighbors {noticing.nodes[0].address} json")
        assert '"nBit":true' in view.replace(" ", "")
    eng.perform(Leave((one.name,), "interop"))
    eventually(lambda: routes(noticing) is RouteState.ABSENT, deadline=1, interval=0.02)
    throughout(lambda: routes(noticing) is RouteState.ABSENT, 1.0)


@pytest.mark.parametrize(("subcode", "kept"), [(2, True), (9, False)], ids=["Cease", "Hard Reset"])
def test_a_plain_cease_would_have_kept_them(noticing: Lab, subcode: int, kept: bool) -> None:
    """The inverse, with a speaker of our own that withdraws nothing."""
    spec, node = noticing.router.spec, noticing.nodes[0]
    with BgpPeer(node.address, node.asn, families=(1,), graceful_restart=WITH_N) as speaker:
        speaker.connect(spec.address, spec.port)
        eventually(lambda: speaker.of_kind(KEEPALIVE))
        speaker.announce(str(ONE), next_hop="192.0.2.1")
        eventually(lambda: routes(noticing) is RouteState.PRESENT)
        speaker.notify(6, subcode)
        expected = RouteState.STALE if kept else RouteState.ABSENT
        eventually(lambda: routes(noticing) is expected, deadline=2)
        throughout(lambda: routes(noticing) is expected, 1.0)


def test_frr_resets_hard_and_its_words_are_shown(eng: EngineUnderTest, workshop: Workshop) -> None:
    """By itself: `bgp hard-administrative-reset` is on by default."""
    require("frr")
    lab = workshop.router("frr", nodes=1)
    speak(eng, lab, graceful_notification=True)
    vty(lab, "clear bgp *")
    seen = eng.session(lambda s: s.last_error and s.last_error.direction == "received")
    assert seen.last_error is not None
    assert seen.last_error.text == "Cease/Hard Reset (6/9): Cease/Administrative Reset (6/4)"
    eventually(lambda: routes(lab) is RouteState.PRESENT)


@pytest.mark.parametrize("with_n", [True, False], ids=["N", "no N"])
def test_a_router_that_stalls_for_longer_than_the_hold_time(
    eng: EngineUnderTest, workshop: Workshop, with_n: bool
) -> None:
    """What the N bit is for: our hold timer ends the session, and the route is used all the time. What was
    withdrawn meanwhile is gone with the new session. Without the bit the route may be gone until
    the new session has it; how long that is, and whether an eye sees it, is chance (the next test has no new
    session)."""
    require("frr")
    lab = workshop.router("frr", nodes=1, hold_time=3)
    one = speak(eng, lab, graceful_notification=with_n, hold_time=3, keepalive_time=1)
    ours = eng.session(lambda s: s.established).local_gr
    assert ours is not None and ours.notification is with_n
    eng.perform(Announce(one.name, VIA, (TWO,)))
    eventually(lambda: prefixes(lab) == {ONE, TWO})
    assert lab.router.pid is not None
    os.kill(lab.router.pid, signal.SIGSTOP)
    try:
        seen = eng.session(lambda s: not s.established and s.last_error)
        assert seen.last_error is not None and (seen.last_error.direction, seen.last_error.code) == (
            "sent",
            4,
        )
        eng.perform(Withdraw(one.name, (TWO,)))
        watcher = Looks(lab)
    finally:
        os.kill(lab.router.pid, signal.SIGCONT)
    with watcher:
        eng.session(lambda s: s.end_of_rib and s.flaps == 1)
        eventually(lambda: prefixes(lab) == {ONE} and routes(lab) is RouteState.PRESENT)
    assert watcher.seen and not (with_n and watcher.absent)


@pytest.mark.parametrize(("restart", "kept"), [(WITH_N, True), (WITHOUT_N, False)], ids=["N", "no N"])
def test_an_expired_hold_timer_keeps_them_only_with_the_n_bit(
    workshop: Workshop, restart: bytes, kept: bool
) -> None:
    """By a speaker of our own, which does not come back: what the router makes of the NOTIFICATION alone."""
    require("frr")
    lab = workshop.router("frr", nodes=1)
    spec, node = lab.router.spec, lab.nodes[0]
    with BgpPeer(node.address, node.asn, families=(1,), graceful_restart=restart) as speaker:
        speaker.connect(spec.address, spec.port)
        eventually(lambda: speaker.of_kind(KEEPALIVE))
        speaker.announce(str(ONE), next_hop="192.0.2.1")
        eventually(lambda: routes(lab) is RouteState.PRESENT)
        speaker.notify(4, 0)
        expected = RouteState.STALE if kept else RouteState.ABSENT
        eventually(lambda: routes(lab) is expected)
        throughout(lambda: routes(lab) is expected, 1.0)


# --- changed definitions ------------------------------------------------------------------------------------


def change(eng: EngineUnderTest, one: Peer, **fields: object) -> None:
    eng.perform(Configure((replace(one, **fields),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [{"hold_time": 12}, {"graceful_notification": True}, {"restart_time": 40}],
    ids=["hold time", "N bit", "restart time"],
)
@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_a_changed_definition_loses_no_route(
    eng: EngineUnderTest, workshop: Workshop, kind: str, fields: dict[str, object]
) -> None:
    require(kind)
    lab = workshop.router(kind, nodes=1)
    one, watcher = speak(eng, lab), Looks(lab)
    before = eng.session(lambda s: s.established).established_at
    with watcher:
        change(eng, one, **fields)
        eng.session(lambda s: s.end_of_rib and s.established_at != before)
        eventually(lambda: routes(lab) is RouteState.PRESENT)
    assert watcher.seen and not watcher.absent


@pytest.mark.parametrize("restart_time", [60, None], ids=["graceful restart", "none"])
@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_while_the_new_session_is_not_up(
    eng: EngineUnderTest, workshop: Workshop, kind: str, restart_time: int | None
) -> None:
    """It never is: the router knows of no password. What it keeps is what the old session's end told it."""
    require(kind)
    lab = workshop.router(kind, nodes=1)
    change(eng, speak(eng, lab, restart_time=restart_time), password=Secret("unknown to the router"))
    expected = (RouteState.ABSENT,) if restart_time is None else (RouteState.PRESENT, RouteState.STALE)
    eventually(lambda: not eng.observed().sessions[next(iter(eng.observed().peers))].established)
    eventually(lambda: routes(lab) in expected, deadline=2)
    throughout(lambda: routes(lab) in expected, 1.0)
    if kind == "bird" and restart_time is None:
        log = (lab.router.log_path.parent / "bird.log").read_text()
        assert 'Received: Administrative reset: "peer configuration changed (bgpctl)"' in log


@pytest.mark.parametrize("kind", ["bird", "frr"])
def test_graceful_restart_is_switched_off(eng: EngineUnderTest, workshop: Workshop, kind: str) -> None:
    """The routes are there again with the first UPDATE of a session without it, and gone with its end."""
    require(kind)
    lab = workshop.router(kind, nodes=1)
    one = speak(eng, lab)
    change(eng, one, restart_time=None)
    eng.session(lambda s: s.established and s.local_gr is None)
    eventually(lambda: routes(lab) is RouteState.PRESENT, deadline=2)
    eng.stop(graceful=True)
    eventually(lambda: routes(lab) is RouteState.ABSENT, deadline=2)

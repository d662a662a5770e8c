"""An engine that outlives its manager, and the next manager, message by message at a router."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Leave, Synced, Withdraw, diff
from bgpctl.core.model import Attributes, Intent, IPNetwork, Observed, Route, Secret
from bgpctl.errors import Temporary
from bgpctl.exabgp import control, wire
from bgpctl.exabgp import engine as module
from bgpctl.ports import Mode
from tests.support import bgppeer
from tests.support.bgppeer import BgpPeer
from tests.support.engines import EngineUnderTest, detached, new_router, peer, up
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

Managers = Callable[..., EngineUnderTest]

ONE, TWO, THREE = (ip_network(f"10.9.{n}.0/24") for n in (1, 2, 3))
SIX = ip_network("fd00:9::/64")
RICH = Attributes(
    ip_address("fd00::1"), frozenset({"65000:99"}), frozenset({"65000:1:2"}), local_preference=200
)


@pytest.fixture
def managers() -> Iterator[Managers]:
    with detached() as made:
        yield made


@pytest.fixture
def router() -> Iterator[BgpPeer]:
    with new_router() as one:
        yield one


def heard(router: BgpPeer) -> list[tuple[int, bytes]]:
    """Everything but keepalives."""
    return [(m.kind, m.body) for m in list(router.messages) if m.kind != bgppeer.KEEPALIVE]


def same(one: Observed, two: Observed) -> bool:
    return (dict(one.peers), one.synced) == (dict(two.peers), two.synced) and {
        name: dict(rib) for name, rib in one.announced.items()
    } == {name: dict(rib) for name, rib in two.announced.items()}


def test_the_next_manager_sees_what_the_last_one_did(managers: Managers, router: BgpPeer) -> None:
    first = managers()
    first.start()
    one = up(first, router, ONE, families=peer("::1", 1).families)
    first.perform(Announce(one.name, RICH, (SIX, THREE)))
    first.perform(Withdraw(one.name, (THREE,)))
    first.session(lambda s: s.pending == 0)
    router.announce("203.0.113.0/24")
    before = first.session(lambda s: sum(s.received.values()) == 1)
    last, words = first.observed(), heard(router)
    first.release()
    assert not first.observed().running

    second = managers()
    assert second.adopt()
    seen = second.observed()
    assert same(seen, last)
    assert seen.generation == last.generation == 1
    assert second.restarts == 0
    session = seen.sessions[one.name]
    assert (session.established_at, session.flaps) == (before.established_at, before.flaps)
    assert (session.received, session.end_of_rib) == (before.received, True)
    assert (session.local_gr, session.peer_gr) == (before.local_gr, before.peer_gr)

    intent = Intent(
        "n",
        True,
        peers=(one,),
        routes={one.name: {ONE: Route(ONE), SIX: Route(SIX, RICH)}},
    )
    assert diff(intent, seen) == (), "nothing is left to do"
    second.perform(Announce(one.name, Attributes(), (TWO,)))
    eventually(lambda: TWO in router.routes())
    assert len(heard(router)) == len(words) + 1
    assert router.sessions == 1


def test_flaps_and_the_last_error_survive_the_manager_and_the_engine(
    managers: Managers, router: BgpPeer
) -> None:
    first = managers()
    first.start()
    one = up(first, router, ONE)
    router.notify(6, 4, b"\x04tidy")
    first.session(lambda s: s.established and s.flaps == 1)
    first.kill()
    first.start_when_allowed()
    up(first, router, ONE)
    assert first.session(lambda s: s.established).flaps == 2
    router.notify(6, 4, b"\x04tidy")
    first.session(lambda s: s.established and s.flaps == 3)
    first.release()

    second = managers()
    second.start()
    session = second.observed().sessions[one.name]
    assert session.flaps == 3
    assert session.last_error is not None and session.last_error.text.endswith("tidy")
    assert (second.observed().generation, second.restarts) == (2, 1)


def test_a_peer_with_a_password_is_configured_once_more_and_keeps_its_session(
    managers: Managers, router: BgpPeer
) -> None:
    """No password is told, so the manager cannot know that it is still the same. ExaBGP can."""
    first = managers()
    first.start()
    plain = up(first, router, ONE)
    secret = peer("127.0.0.77", 1, password=Secret("hush"))
    first.perform(Configure((plain, secret)))
    first.release()

    second = managers()
    second.start()
    seen = second.observed()
    assert seen.peers[plain.name] == plain
    assert seen.peers[secret.name] != secret, "it may have another password by now"
    before = len(heard(router))
    second.perform(Configure((plain, secret)))
    assert second.observed().peers[secret.name] == secret
    second.perform(Announce(plain.name, Attributes(), (TWO,)))
    eventually(lambda: TWO in router.routes())
    assert len(heard(router)) == before + 1
    assert router.sessions == 1


def test_a_session_with_a_password_is_adopted_untouched(managers: Managers) -> None:
    with new_router() as router:
        try:
            router.protect("127.0.0.1", b"hush")
        except OSError as error:
            pytest.skip(f"this kernel has no TCP-MD5: {error}")
        first = managers()
        first.start()
        one = up(first, router, ONE, local="127.0.0.1", password=Secret("hush"))
        first.release()
        second = managers()
        second.start()
        before = len(heard(router))
        second.perform(Configure((one,)))
        second.perform(Announce(one.name, Attributes(), (TWO,)))
        eventually(lambda: TWO in router.routes())
        assert len(heard(router)) == before + 1
        assert (router.sessions, second.observed().peers[one.name]) == (1, one)


def test_a_peer_that_changed_meanwhile_is_configured_as_ever(managers: Managers, router: BgpPeer) -> None:
    first = managers()
    first.start()
    one = up(first, router, ONE)
    first.release()
    second = managers()
    second.start()
    second.perform(Configure((peer(one.address, one.port, hold_time=30),)))
    assert second.session(lambda s: s.hold_time == 30 and s.end_of_rib).flaps == 1
    eventually(lambda: router.sessions == 2 and router.routes() == {ONE})


def test_a_peer_that_left_is_no_longer_there(managers: Managers, router: BgpPeer) -> None:
    first = managers()
    first.start()
    one = up(first, router, ONE)
    first.perform(Leave((one.name,)))
    first.release()
    second = managers()
    second.start()
    assert dict(second.observed().peers) == {}
    assert second.observed().synced == frozenset()
    up(second, router, TWO)
    eventually(lambda: router.routes() == {TWO})


def test_a_second_manager_is_refused_by_name_and_the_first_goes_on(
    managers: Managers, router: BgpPeer
) -> None:
    first, second = managers(), managers()
    first.start()
    up(first, router, ONE)
    for attempt in (second.adopt, second.start):
        with pytest.raises(Temporary, match=rf"another speaker \(process {os.getpid()}\)"):
            attempt()
    with pytest.raises(Temporary, match="another speaker"):
        control.end(first.directory, leave=False, reason="")
    first.perform(Announce(next(iter(first.observed().peers)), Attributes(), (TWO,)))
    eventually(lambda: router.routes() == {ONE, TWO})
    first.release()
    second.start()
    assert second.observed().generation == 1


def test_a_broken_link_is_mended_by_adopting_it_again(managers: Managers, router: BgpPeer) -> None:
    """As when the relay cuts a manager off that stopped reading."""
    first = managers()
    first.start()
    one = up(first, router, ONE)
    before, words = first.session(lambda s: s.end_of_rib), heard(router)
    assert first._child is not None and first._child._link is not None
    first._child._link.hang_up()
    assert not first.until(lambda seen: not seen.running).announced
    first.start_when_allowed()
    seen = first.observed()
    assert (seen.generation, dict(seen.announced[one.name])) == (1, {ONE: Attributes()})
    session = seen.sessions[one.name]
    assert (session.flaps, session.established_at) == (0, before.established_at)
    assert heard(router) == words


def test_an_engine_that_died_alone_is_replaced_by_the_next_generation(
    managers: Managers, router: BgpPeer
) -> None:
    first = managers()
    first.start()
    up(first, router, ONE)
    pid = first._child.pid if first._child else None
    assert pid is not None
    first.release()
    os.kill(pid, signal.SIGKILL)
    second = managers()
    eventually(lambda: not control.runs(second.directory))
    assert not second.adopt()
    second.start()
    seen = second.observed()
    assert (seen.generation, second.restarts) == (2, 1)
    assert (dict(seen.peers), dict(seen.announced)) == ({}, {})


def test_an_engine_that_hangs_is_replaced_but_not_one_that_is_not_ours(
    managers: Managers, router: BgpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELLO_SECONDS", 0.5)
    monkeypatch.setattr(control, "END_SECONDS", 0.5)
    first = managers()
    first.start()
    up(first, router, ONE)
    pid = first._child.pid if first._child else None
    assert pid is not None
    first.release()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(Temporary, match="did not answer"):
        managers(Mode.EXTERNAL).start()
    second = managers()
    second.start()
    assert second.observed().generation == 2
    assert any(line.startswith("engine.hangs") for line in second.logged)


def test_an_external_engine_is_never_started(managers: Managers) -> None:
    waiting = managers(Mode.EXTERNAL)
    with pytest.raises(Temporary, match="no BGP engine runs in"):
        waiting.start()
    managers().start()
    with pytest.raises(Temporary, match="another speaker"):
        waiting.start()


def test_an_engine_of_another_version_is_replaced_in_silence(
    managers: Managers, router: BgpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = managers()
    first.start()
    up(first, router, ONE)
    first.release()
    monkeypatch.setattr(wire, "PROTOCOL", wire.PROTOCOL + 1)
    outsider = managers(Mode.EXTERNAL)
    with pytest.raises(Temporary, match="cannot be adopted"):
        outsider.start()
    assert router.endings == []

    second = managers()
    assert not second.adopt(), "looking must not end it"
    assert router.endings == []
    second.start()
    assert any(line.startswith("engine.replaced") for line in second.logged)
    assert second.observed().generation == 2
    eventually(lambda: router.endings)
    assert router.of_kind(bgppeer.NOTIFICATION) == []
    assert not any(update.withdrawn for update in router.updates())


def test_an_own_engine_takes_the_place_of_a_detached_one(managers: Managers, router: BgpPeer) -> None:
    first = managers()
    first.start()
    up(first, router, ONE)
    first.release()
    second = managers(Mode.OWN)
    try:
        assert not second.adopt()
        second.start()
        assert dict(second.observed().peers) == {}
        eventually(lambda: router.endings)
    finally:
        second.stop(graceful=True)
    assert not control.runs(second.directory)


def test_of_a_node_that_is_out_it_is_adopted_whatever_the_mode(managers: Managers, router: BgpPeer) -> None:
    first = managers()
    first.start()
    one = up(first, router, ONE)
    first.release()
    second = managers(Mode.OWN)
    try:
        second.start(leaves=True)
        assert set(second.observed().peers) == {one.name}
        assert router.endings == []
    finally:
        second.stop(graceful=True)
    assert not control.runs(second.directory), "it is this speaker's own from now on"


def test_one_of_another_version_is_told_to_leave_where_the_node_is_out(
    managers: Managers, router: BgpPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = managers()
    first.start()
    up(first, router, ONE)
    first.release()
    monkeypatch.setattr(wire, "PROTOCOL", wire.PROTOCOL + 1)
    second = managers()
    second.start(leaves=True)
    assert any(line.startswith("engine.replaced") for line in second.logged)
    eventually(lambda: router.endings)
    assert router.of_kind(bgppeer.NOTIFICATION)[0].body[:2] == bytes([6, 2])
    assert not router.routes()


@pytest.mark.parametrize("leave", [False, True])
def test_ending_it_from_outside(managers: Managers, leave: bool) -> None:
    """Without graceful restart a router is always told; with it only on `leave`."""
    with new_router() as graceful, new_router(graceful_restart=None) as plain:
        first = managers()
        first.start()
        both = tuple(peer(r.address, r.port) for r in (graceful, plain))
        first.perform(Configure(both))
        for one in both:
            first.perform(Announce(one.name, Attributes(), (ONE,)))
        first.perform(Synced(tuple(one.name for one in both)))
        for router in (graceful, plain):
            eventually(lambda r=router: r.ends_of_rib())
        first.until(lambda seen: all(s.end_of_rib for s in seen.sessions.values()))
        first.release()
        assert control.end(first.directory, leave=leave, reason="good night")
        assert not control.runs(first.directory)
        assert not control.end(first.directory, leave=leave, reason="")
        for router in (graceful, plain):
            eventually(lambda r=router: r.endings)
        told = [b"good night" in m.body for r in (graceful, plain) for m in r.of_kind(bgppeer.NOTIFICATION)]
        assert told == [True] * (2 if leave else 1)
        assert plain.routes() == set()
        assert graceful.routes() == (set() if leave else {ONE})


@pytest.mark.alone
def test_fifty_thousand_routes_are_adopted_within_two_seconds(managers: Managers, router: BgpPeer) -> None:
    """And keepalives go on in between: the hold time is short."""
    prefixes: tuple[IPNetwork, ...] = tuple(ip_network((0x0A000000 + number, 32)) for number in range(50_000))
    some = Attributes(communities=frozenset({"65000:1"}))
    first = managers()
    first.start()
    one = up(first, router, ONE, hold_time=3, keepalive_time=1)
    first.perform(Announce(one.name, Attributes(), prefixes[:30_000]))
    first.perform(Announce(one.name, some, prefixes[30_000:]))
    first.session(lambda s: s.pending == 0 and sum(s.advertised.values()) == 50_001, 30.0)
    last = first.observed()
    first.release()

    second, began = managers(), time.monotonic()
    assert second.adopt()
    took = time.monotonic() - began
    assert same(second.observed(), last)
    assert took < 2.0
    assert router.sessions == 1

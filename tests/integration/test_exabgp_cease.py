"""What is on the wire when a session ends on purpose: every way that our use of ExaBGP can reach."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from bgpctl.core.intent.diff import Announce, Configure, Leave, Withdraw
from bgpctl.core.model import Attributes, Peer
from tests.support.bgppeer import NOTIFICATION, OPEN, capabilities_of
from tests.support.engines import N_BIT, EngineUnderTest, engine, new_router, peer, up
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

ONE, TWO = ip_network("10.9.1.0/24"), ip_network("10.9.2.0/24")
WITHOUT_N = b"\x00" + N_BIT[1:]
CHANGED = b"peer configuration changed (bgpctl)"

ALL_WITH_N: dict[str, object] = {"graceful_notification": True}
NO_RESTART: dict[str, object] = {"restart_time": None}


def text(words: bytes) -> bytes:
    return bytes((len(words),)) + words


SHUTDOWN = bytes((6, 2)) + text(b"bye")
HARD_RESET = bytes((6, 9)) + SHUTDOWN
RESET = bytes((6, 4)) + text(CHANGED)


@pytest.fixture
def eng() -> Iterator[EngineUnderTest]:
    with engine() as under_test:
        yield under_test


def leave(eng: EngineUnderTest, one: Peer) -> None:
    eng.perform(Leave((one.name,), "bye"))


def edit(**fields: object) -> Callable[[EngineUnderTest, Peer], None]:
    return lambda eng, one: eng.perform(Configure((replace(one, **fields),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("router_sends", "ours", "act", "expected"),
    [
        pytest.param(None, NO_RESTART, leave, SHUTDOWN, id="leave, no graceful restart"),
        pytest.param(WITHOUT_N, {}, leave, SHUTDOWN, id="leave, graceful restart"),
        pytest.param(N_BIT, {}, leave, SHUTDOWN, id="leave, only the router has N"),
        pytest.param(WITHOUT_N, ALL_WITH_N, leave, SHUTDOWN, id="leave, only we have N"),
        pytest.param(N_BIT, ALL_WITH_N, leave, HARD_RESET, id="leave, N on both sides"),
        pytest.param(None, NO_RESTART, edit(hold_time=12), RESET, id="timer, no graceful restart"),
        pytest.param(None, {}, edit(hold_time=12), RESET, id="timer, the router has no graceful restart"),
        pytest.param(N_BIT, {}, edit(hold_time=12), None, id="timer, graceful restart"),
        pytest.param(N_BIT, {}, edit(keepalive_time=2), None, id="keepalive, graceful restart"),
        pytest.param(N_BIT, ALL_WITH_N, edit(hold_time=12), None, id="timer, N on both sides"),
        pytest.param(N_BIT, {}, edit(graceful_notification=True), None, id="the N bit is switched on"),
        pytest.param(N_BIT, ALL_WITH_N, edit(restart_time=None), None, id="graceful restart is switched off"),
        pytest.param(None, NO_RESTART, edit(restart_time=9), RESET, id="graceful restart is switched on"),
    ],
)
def test_an_established_session_ends(
    eng: EngineUnderTest,
    router_sends: bytes | None,
    ours: dict[str, object],
    act: Callable[[EngineUnderTest, Peer], None],
    expected: bytes | None,
) -> None:
    with new_router(graceful_restart=router_sends) as router:
        one = up(eng, router, ONE, **ours)
        act(eng, one)
        eventually(lambda: router.endings)
        assert router.endings == ["fin"], "a reset may overtake what was sent before it"
        assert [m.body for m in router.of_kind(NOTIFICATION, 1)] == ([expected] if expected else [])
        if act is not leave:
            began = time.monotonic()
            eventually(lambda: len(router.ends_of_rib(2)) == 2)
            assert time.monotonic() - began < 0.9, "it reconnects at once, not with the next timer"
            assert router.routes() == {ONE}


def test_the_n_bit_stands_in_the_open(eng: EngineUnderTest) -> None:
    with new_router() as router:
        one = up(eng, router, ONE, restart_time=30)
        edit(graceful_notification=True)(eng, one)
        eventually(lambda: len(router.ends_of_rib(2)) == 2)
        first, second = (capabilities_of(m.body)[64][0] for m in router.of_kind(OPEN))
        assert first[0] & 0x40 == 0 and second[0] & 0x40 == 0x40
        assert second[1:] == first[1:] and int.from_bytes(second[:2]) & 0xFFF == 30
        seen = eng.session(lambda s: s.established and s.local_gr and s.local_gr.notification)
        assert seen.local_gr is not None and seen.local_gr.restart_time == 30


def test_a_definition_that_changes_before_the_session_is_up(eng: EngineUnderTest) -> None:
    """The router has said nothing yet, so it may hold routes of a session before: only without graceful
    restart of ours there is a Cease."""
    for fields, expected in ((NO_RESTART, [RESET]), ({}, [])):
        with _Mute() as router:
            one = peer(router.address, router.port, **fields)  # type: ignore[arg-type]
            eng.perform(Configure((one,)))
            eventually(lambda r=router: r.notifications(0) is not None and r.opens(0) == 1)
            eng.perform(Configure((replace(one, hold_time=12),)))
            eventually(lambda r=router: r.opens(1) == 1)
            assert router.notifications(0) == expected
            eng.perform(Leave((one.name,), "bye"))
            eventually(lambda r=router: r.notifications(1) == [SHUTDOWN])
            eng.perform(Configure(()))


def test_who_may_not_connect(eng: EngineUnderTest) -> None:
    """RFC 9003 has words for 6/2 and 6/4 alone; ExaBGP's own stand in the data of these."""
    with new_router() as router, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        local = ip_address("127.0.0.1")
        one = up(eng, router, ONE, local_address=local, local_port=port)
        assert _refusal(("127.0.0.77", 0), port)[:2] == bytes((6, 3)), "a stranger"
        assert _refusal((router.address, 0), port)[:2] == bytes((6, 7)), "a second connection"
        assert eng.observed().sessions[one.name].established


def _refusal(source: tuple[str, int], port: int) -> bytes:
    """The body of the NOTIFICATION that answers a connection."""
    with socket.create_connection(("127.0.0.1", port), 5, source_address=source) as connection:
        data = b""
        while chunk := connection.recv(1 << 12):
            data += chunk
    assert data[18] == NOTIFICATION
    return data[19:]


# --- the N bit on both sides: what ends a session keeps our routes ------------------------------------------


@pytest.mark.parametrize(
    ("code", "subcode", "data", "words"),
    [
        (6, 4, text(b"maintenance"), "Cease/Administrative Reset (6/4): maintenance"),
        (4, 0, b"", "Hold Timer Expired (4/0)"),
        (6, 9, b"", "Cease/Hard Reset (6/9)"),
        (6, 9, b"\x06", "Cease/Hard Reset (6/9)"),
        (
            6,
            9,
            bytes((6, 2)) + text("été".encode()),
            "Cease/Hard Reset (6/9): Cease/Administrative Shutdown (6/2): été",
        ),
        (6, 9, bytes((6, 9, 6, 2, 1, 65)), "Cease/Hard Reset (6/9): Cease/Hard Reset (6/9)"),
        (6, 9, bytes((2, 2)), "Cease/Hard Reset (6/9): OPEN Message Error/Bad Peer AS (2/2)"),
    ],
)
def test_the_next_session_settles_what_the_router_kept(
    eng: EngineUnderTest, code: int, subcode: int, data: bytes, words: str
) -> None:
    """One route is withdrawn while the session is down: the new one says so, before End-of-RIB. The F bit is
    set, or the router would drop what it kept (RFC 4724 section 4.2)."""
    with new_router() as router:
        one = up(eng, router, ONE, TWO, graceful_notification=True)
        router.reading.clear()  # nor answers it before the withdrawal below
        router.notify(code, subcode, data)
        seen = eng.session(lambda s: s.last_error and s.last_error.direction == "received")
        assert seen.last_error is not None and seen.last_error.text == words
        assert (seen.last_error.code, seen.last_error.subcode) == (code, subcode)
        eng.perform(Withdraw(one.name, (TWO,)))
        router.reading.set()
        eventually(lambda: len(router.ends_of_rib(2)) == 2)
        assert router.routes() == {ONE}
        order = [u.end_of_rib or sorted(map(str, u.announced)) for u in router.updates(2)]
        assert order.index([str(ONE)]) < order.index("ipv4")
        capability = capabilities_of(router.of_kind(OPEN, 2)[0].body)[64][0]
        assert capability[0] & 0xC0 == 0x40, "N, and no R: the speaker did not restart"
        assert {capability[at] for at in range(5, len(capability), 4)} == {0x80}, "F of every family"
        assert eng.session(lambda s: s.established).flaps == 1


def test_our_own_hold_timer_is_no_hard_reset(eng: EngineUnderTest) -> None:
    """RFC 8538 section 4: with the N bit the router keeps the routes after it, so it stays 4/0."""
    with new_router(hold_time=3) as router:
        one = up(eng, router, ONE, hold_time=3, keepalive_time=1, graceful_notification=True)
        router.silent.set()
        eventually(lambda: router.of_kind(NOTIFICATION, 1), deadline=8)
        assert router.of_kind(NOTIFICATION, 1)[0].body[:2] == bytes((4, 0))
        router.silent.clear()
        eng.perform(Announce(one.name, Attributes(), (TWO,)))
        eventually(lambda: len(router.ends_of_rib(2)) == 2 and router.routes() == {ONE, TWO})


class _Mute:
    """Accepts connections and says nothing."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.address, self.port = self._listener.getsockname()
        self._heard: list[tuple[socket.socket, bytearray]] = []

    def __enter__(self) -> _Mute:
        return self

    def __exit__(self, *_: object) -> None:
        for connection, _data in self._heard:
            connection.close()
        self._listener.close()

    def _listen(self) -> None:
        try:
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._heard.append((connection, bytearray()))
        except BlockingIOError:
            pass
        for connection, data in self._heard:
            try:
                data += connection.recv(1 << 12)
            except BlockingIOError:
                continue

    def _of_kind(self, number: int, kind: int) -> list[bytes]:
        self._listen()
        rest = bytes(self._heard[number][1]) if number < len(self._heard) else b""
        found = []
        while len(rest) >= 19:
            length = int.from_bytes(rest[16:18])
            if rest[18] == kind:
                found.append(rest[19:length])
            rest = rest[length:]
        return found

    def notifications(self, number: int) -> list[bytes]:
        return self._of_kind(number, NOTIFICATION)

    def opens(self, number: int) -> int:
        return len(self._of_kind(number, OPEN))

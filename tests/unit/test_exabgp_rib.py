"""The outgoing RIB: whatever happens in whatever order, a router that reads what it is sent has our table."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from exabgp.bgp.message.open.asn import ASN
from exabgp.protocol.family import AFI, SAFI
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpctl.core.bgp import update
from bgpctl.exabgp.extension import rib as module
from bgpctl.exabgp.extension import routes
from bgpctl.exabgp.extension.rib import OutgoingRIB
from tests.support.bgppeer import ROUTE_REFRESH, UPDATE, decode_update

V4, V6 = routes.FAMILIES["ipv4/unicast"], routes.FAMILIES["ipv6/unicast"]
BOTH = [V4, V6]
# AFI, then the kind, then SAFI (RFC 7313 section 3.2)
BEGIN, END = 1, 2


class Session:
    """As much of a Negotiated as packing an UPDATE asks for. 180 octets hold few routes: more messages."""

    def __init__(
        self, families: Any = BOTH, msg_size: int = 180, local: str = "10.0.0.11", extended: bool = False
    ) -> None:
        self.local_as, self.peer_as = ASN(65001), ASN(64512)
        self.families, self.asn4, self.msg_size = families, True, msg_size
        self.nexthop = [(AFI.ipv4, SAFI.unicast, AFI.ipv6)] if extended else []
        octets = ip_address(local).packed
        self.neighbor = {"local-address": SimpleNamespace(ton=lambda: octets), "peer-address": "10.0.0.1"}

    def nexthopself(self, afi: object) -> Any:
        return self.neighbor["local-address"]


class Router:
    """A receiving speaker of RFC 4271, 2918/7313 and 4724: prefix -> its communities, and which are stale."""

    def __init__(self) -> None:
        self.table: dict[Any, bytes] = {}
        self.stale: set[Any] = set()

    def take(self, octets: bytes, limit: int) -> None:
        for kind, body in split(octets, limit):
            if kind == ROUTE_REFRESH:
                self._refresh(*struct.unpack("!HBB", body))
                continue
            update = decode_update(body)
            fields = bool(update.withdrawn) + bool(update.announced)
            assert kind == UPDATE and fields == 1, "one kind of change in a message (RFC 7606 section 5.1)"
            for prefix in update.withdrawn:
                self.table.pop(prefix, None)
            for prefix in update.announced:
                self.table[prefix] = update.attributes.get(8, b"")
            self.stale -= update.withdrawn | update.announced

    def session_lost(self, graceful: bool) -> None:
        self.stale = set(self.table) if graceful else set()
        if not graceful:
            self.table.clear()

    def flush(self, version: int) -> None:
        """End-of-RIB, or the end of a refresh."""
        for prefix in [prefix for prefix in self.stale if prefix.version == version]:
            self.stale.discard(prefix)
            del self.table[prefix]

    def _refresh(self, afi: int, mark: int, safi: int) -> None:
        version = {1: 4, 2: 6}[afi]
        if mark == BEGIN:
            self.stale |= {prefix for prefix in self.table if prefix.version == version}
        else:
            assert mark == END
            self.flush(version)


def split(octets: bytes, limit: int) -> Iterator[tuple[int, bytes]]:
    while octets:
        length = struct.unpack("!H", octets[16:18])[0]
        assert octets[:16] == update.MARKER and 19 <= length <= limit
        yield octets[18], octets[19:length]
        octets = octets[length:]


def wire(prefix: IPv4Network | IPv6Network) -> bytes:
    return bytes((prefix.prefixlen,)) + prefix.network_address.packed[: (prefix.prefixlen + 7) // 8]


def path(number: int | None, family: Any = V4) -> routes.Path:
    return routes.path(family, {"communities": [f"65000:{number}"] if number is not None else []})


prefixes_4 = st.builds(
    lambda number, length: ip_network((number << 24 | 0x0A0B0C00, length), strict=False),
    st.integers(1, 6),
    st.sampled_from((8, 20, 24, 32)),
)
prefixes_6 = st.builds(
    lambda number, length: ip_network((number << 112 | 7, length), strict=False),
    st.integers(1, 6),
    st.sampled_from((0, 16, 64, 127, 128)),
)
some = st.lists(prefixes_4 | prefixes_6, min_size=1, max_size=30)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("announce"), some, st.integers(0, 2)),
        st.tuples(st.just("withdraw"), some),
        st.tuples(st.just("withdraw all")),
        st.tuples(st.just("send"), st.integers(1, 40)),
        st.tuples(st.just("refresh"), st.booleans(), st.sampled_from((None, V4, V6))),
        st.tuples(st.just("reconnect"), st.booleans()),
    ),
    max_size=25,
)


class World:
    """The RIB, one session's sender, the router at its end, and what its table must become."""

    def __init__(self) -> None:
        self.rib, self.router, self.session = OutgoingRIB(True, BOTH), Router(), Session()
        self.model: dict[Any, bytes] = {}
        self.sender: Iterator[tuple[int, bytes]] = iter(())

    def announce(self, prefixes: list[Any], number: int) -> None:
        for version, family in ((4, V4), (6, V6)):
            nlris = [wire(p) for p in prefixes if p.version == version]
            self.rib.announce(family, nlris, path(number, family))
        self.model.update(dict.fromkeys(prefixes, struct.pack("!HH", 65000, number)))

    def withdraw(self, prefixes: list[Any]) -> None:
        for version, family in ((4, V4), (6, V6)):
            self.rib.withdraw(family, [wire(p) for p in prefixes if p.version == version])
        for prefix in prefixes:
            self.model.pop(prefix, None)

    def withdraw_all(self) -> None:
        self.rib.withdraw_all()
        self.model.clear()

    def refresh(self, enhanced: bool, family: Any) -> None:
        self.rib.resend(enhanced, family)

    def reconnect(self, graceful: bool) -> None:
        """As ExaBGP does: the old session's generator goes, `reset`, and at the start `replace_restart`."""
        self.sender.close()  # type: ignore[attr-defined]
        self.rib.reset()
        assert self.rib.flushed()
        self.router.session_lost(graceful)
        self.rib.replace_restart([], [])
        self.send(1 << 30)
        for version in (4, 6):
            self.router.flush(version)

    def send(self, bursts: int) -> None:
        """At most so many of them; one batch after the other, as `_main` does."""
        for _ in range(bursts):
            burst = next(self.sender, None)
            if burst is None:
                if not self.rib.pending():
                    return
                self.sender = self.rib.bursts(self.session)
                continue
            self.router.take(burst[1], self.session.msg_size)
            assert self.rib.waiting() > 0 and not self.rib.flushed(), "this burst may not be out yet"


@settings(max_examples=150, deadline=None)
@given(operations)
def test_the_router_ends_with_our_table(steps: list[Any]) -> None:
    world = World()
    world.sender = world.rib.bursts(world.session)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BURST", 200)
        for name, *arguments in steps:
            getattr(world, name.replace(" ", "_"))(*arguments)
        world.send(1 << 30)
    assert world.router.table == world.model
    assert not world.router.stale, "a refresh was not ended"
    assert world.rib.flushed() and world.rib.waiting() == 0
    kept = sum(len(world.rib.table(family)) for family in BOTH)
    assert kept == len(world.model)


def test_the_harness_sees_a_lost_withdraw() -> None:
    """The inverse of the above."""
    world = World()
    world.announce([ip_network("10.0.0.0/8")], 1)
    world.sender = world.rib.bursts(world.session)
    world.send(9)
    world.model.clear()
    assert world.router.table != world.model


@pytest.mark.parametrize(("family", "nlri"), [((1, 1), b"\x20"), ((2, 1), b"\x80")], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("limit", [4096, 65535])
def test_messages_are_as_full_as_they_may_be(family: Any, nlri: bytes, limit: int) -> None:
    size = 4 if family == (1, 1) else 16
    nlris = [nlri + number.to_bytes(size, "big") for number in range(10_000)]
    for messages in (
        list(update.withdrawn(family, nlris, limit)),
        list(update.announced(family, b"\x40\x01\x01\x00", bytes(16), nlris, limit)),
    ):
        assert all(limit - len(nlris[0]) < len(message) <= limit for message in messages[:-1])
        changed = [decode_update(body) for m in messages for _, body in split(m, limit)]
        assert sum(len(update.announced | update.withdrawn) for update in changed) == len(nlris)


def test_the_multiprotocol_attribute_comes_first() -> None:
    """RFC 7606 section 5.1."""
    (message,) = update.announced((2, 1), b"\x40\x01\x01\x00", bytes(16), [b"\x80" + bytes(16)], 4096)
    assert message[23:25] == bytes((0x90, 14))
    assert list(decode_update(message[19:]).attributes) == [14, 1]


def test_next_hops_of_our_own_per_family() -> None:
    """IPv6 over an IPv4 session: IPv4-mapped, as GoBGP does."""
    world = World()
    world.announce([ip_network("10.9.8.7/32"), ip_network("fd00::/64")], 1)
    sent = b"".join(burst for _, burst in world.rib.bursts(world.session))
    four, six = (decode_update(body).attributes for _, body in split(sent, 180))
    assert four[3] == bytes((10, 0, 0, 11)) and 14 not in four
    assert six[14][3:20] == bytes((16,)) + bytes(10) + b"\xff\xff" + bytes((10, 0, 0, 11)) and 3 not in six


GIVEN = {"next_hop": "192.0.2.11"}


@pytest.mark.parametrize(
    ("extended", "wanted", "hop"),
    [
        (True, {}, "fd00::11"),
        (True, GIVEN, "fd00::11"),  # as Cilium, whatever else the node has
        (False, GIVEN, "192.0.2.11"),
        (False, {}, None),
    ],
)
def test_the_next_hop_of_ipv4_over_an_ipv6_session(extended: bool, wanted: Any, hop: str | None) -> None:
    """RFC 8950 section 3: the session's address in MP_REACH_NLRI; else the node's, else nothing."""
    session, rib = Session(local="fd00::11", extended=extended), OutgoingRIB(True, BOTH)
    prefix = ip_network("10.9.8.7/32")
    rib.announce(V4, [wire(prefix)], routes.path(V4, {**wanted, "communities": ["65000:1"]}))
    assert rib.carried(V4, session) == (hop is not None)
    sent = [decode_update(body) for _, burst in rib.bursts(session) for _, body in split(burst, 180)]
    assert [update.announced for update in sent] == ([{prefix}] if hop else [frozenset()])
    if hop is None:
        return
    attributes, octets = sent[0].attributes, ip_address(hop).packed
    if len(octets) == 16:
        assert attributes[14][:21] == bytes((0, 1, 1, 16)) + octets + b"\0" and 3 not in attributes
    else:
        assert attributes[3] == octets and 14 not in attributes
    assert attributes[8] == bytes((0xFD, 0xE8, 0, 1))
    rib.withdraw(V4, [wire(prefix)])
    ((_, gone),) = (body for _, burst in rib.bursts(session) for body in split(burst, 180))
    assert decode_update(gone).withdrawn == {prefix}


def test_a_route_that_loses_its_next_hop_is_withdrawn() -> None:
    """The node lost its IPv4 address while the session is up: the router must not keep the old next hop."""
    session, world = Session(local="fd00::11"), World()
    world.session = session
    prefix = ip_network("10.9.8.7/32")
    for wanted in (GIVEN, {}):
        world.rib.announce(V4, [wire(prefix)], routes.path(V4, wanted))
        for _, burst in world.rib.bursts(session):
            world.router.take(burst, session.msg_size)
        assert (prefix in world.router.table) == (wanted is GIVEN)


def test_a_family_that_was_not_negotiated_is_not_spoken() -> None:
    world = World()
    world.session = Session([V4])
    world.announce([ip_network("10.9.8.7/32"), ip_network("fd00::/64")], 1)
    sent = b"".join(burst for _, burst in world.rib.bursts(world.session))
    assert len(list(split(sent, 180))) == 1
    assert world.rib.flushed()


def test_what_is_announced_already_is_not_sent_again() -> None:
    world = World()
    world.announce([ip_network("10.0.0.0/8")], 1)
    list(world.rib.bursts(world.session))
    world.announce([ip_network("10.0.0.0/8")], 1)
    assert not world.rib.pending()


def test_attributes_too_large_for_a_message_withdraw_the_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """Better absent than with the attributes of before; the others are sent, and it is said."""
    said: list[str] = []
    monkeypatch.setattr(module.log, "critical", lambda message, source: said.append(message()))
    world, prefix = World(), ip_network("10.0.0.0/8")
    world.announce([prefix, ip_network("11.0.0.0/8")], 1)
    world.sender = world.rib.bursts(world.session)
    world.send(9)
    fat = routes.path(V4, {"communities": [f"65000:{number}" for number in range(60)]})
    world.rib.announce(V4, [wire(prefix)], fat)
    world.send(9)
    assert set(world.router.table) == {ip_network("11.0.0.0/8")}
    assert said == ["1 routes are not sent to 10.0.0.1: their attributes fill a whole message"]


def test_a_path_is_one_object_for_all_that_are_equal() -> None:
    wanted = {"communities": ["65000:7"], "next_hop": None}
    first = routes.path(V4, dict(wanted))
    assert first is routes.path(V4, dict(reversed(wanted.items())))
    assert first is not routes.path(V6, wanted)
    assert first.wanted == '{"communities": ["65000:7"], "next_hop": null}'


@pytest.mark.parametrize("families", [[V4], []])
def test_families_that_a_new_configuration_lacks_are_forgotten(families: list[Any]) -> None:
    world = World()
    world.announce([ip_network("10.0.0.0/8"), ip_network("fd00::/64")], 1)
    world.rib.delete_cached_family(families)
    assert [family for family in BOTH if world.rib.table(family)] == families
    world.rib.clear()
    assert world.rib.flushed() and not world.rib.table(V4)

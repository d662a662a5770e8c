"""UPDATE messages, to the octet: what fits into one, and what is none."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from bgpctl.core.bgp import nlri
from bgpctl.core.bgp.capabilities import graceful_restart
from bgpctl.core.bgp.nlri import NUMBERS, pack, unpack
from bgpctl.core.bgp.update import HEADER, announced, fits, read, withdrawn
from bgpctl.core.model import IPV4, IPV6, Family, GracefulRestart

HOP = ip_address("2001:db8::1").packed
ATTRIBUTES = b"\x40\x01\x01\x00"  # ORIGIN IGP


def of(text: str) -> Family:
    return IPV6 if ":" in text else IPV4


@pytest.mark.parametrize(
    ("prefix", "octets"),
    [
        ("0.0.0.0/0", "00"),
        ("10.0.0.0/8", "080a"),
        ("10.128.0.0/9", "090a80"),
        ("192.0.2.1/32", "20c0000201"),
        ("::/0", "00"),
        ("2001:db8::/29", "1d20010db8"),
        ("2001:db8::/33", "2120010db800"),
    ],
)
def test_a_prefix_in_an_update(prefix: str, octets: str) -> None:
    network = ip_network(prefix)
    assert pack(network) == bytes.fromhex(octets)
    assert unpack(bytes.fromhex(octets), of(prefix)) == network


def test_host_bits_are_no_prefix() -> None:
    with pytest.raises(ValueError, match="host bits"):
        unpack(bytes.fromhex("070b"), IPV4)


@pytest.mark.parametrize("octets", ["21c000020180", "18c000"])
def test_what_is_cut_or_too_long_is_no_prefix(octets: str) -> None:
    assert list(nlri.split(bytes.fromhex("20c0000201"), IPV4)) == [bytes.fromhex("20c0000201")]
    with pytest.raises(ValueError, match="does not fit"):
        list(nlri.split(bytes.fromhex(octets), IPV4))


@pytest.mark.parametrize(
    ("family", "hop", "around"),
    [
        (IPV4, b"", HEADER + len(ATTRIBUTES)),
        (IPV6, HOP, HEADER + len(ATTRIBUTES) + 4 + 4 + 16 + 1),
        (IPV4, HOP, HEADER + len(ATTRIBUTES) + 4 + 4 + 16 + 1),  # RFC 8950
    ],
    ids=["IPv4", "IPv6", "IPv4 over IPv6"],
)
def test_a_message_is_filled_to_its_last_octet_and_no_further(
    family: Family, hop: bytes, around: int
) -> None:
    """`fits` is about the longest prefix of the family."""
    numbers, network = NUMBERS[family], ip_network("10.0.0.0/32" if family == IPV4 else "2001:db8::/128")
    one = pack(network)
    for limit, number in ((around + 2 * len(one), 2), (around + 2 * len(one) - 1, 1), (around + len(one), 1)):
        assert fits(numbers, ATTRIBUTES, hop, limit)
        (first, *others) = announced(numbers, ATTRIBUTES, hop, [one] * number, limit)
        assert len(first) == around + number * len(one) <= limit and not others
        split = list(announced(numbers, ATTRIBUTES, hop, [one] * (number + 1), limit))
        assert max(map(len, split)) <= limit and len(split) == 2
    assert not fits(numbers, ATTRIBUTES, hop, around + len(one) - 1)
    assert not list(announced(numbers, ATTRIBUTES, hop, [one], around + len(one) - 1))


def test_prefixes_of_several_lengths_are_counted_by_the_longest() -> None:
    """None is lost, they keep their order, and no message is longer than it may be."""
    nlris = [pack(ip_network(f"{n}.0.0.0/{8 if n % 3 else 32}")) for n in range(1, 41)]
    limit = HEADER + len(ATTRIBUTES) + 21
    for messages in (
        announced(NUMBERS[IPV4], ATTRIBUTES, b"", nlris, limit),
        withdrawn(NUMBERS[IPV4], nlris, limit),
    ):
        found = list(messages)
        assert max(map(len, found)) <= limit and len(found) > 1
        told = [octets for message in found for _, octets, _ in read(message[19:])]
        assert told == nlris


@pytest.mark.parametrize(("family", "around"), [(IPV4, HEADER), (IPV6, HEADER + 4 + 3)])
def test_withdrawals_fill_a_message_too(family: Family, around: int) -> None:
    one = pack(ip_network("10.0.0.0/32" if family == IPV4 else "2001:db8::/128"))
    for number in (1, 2):
        (first,) = withdrawn(NUMBERS[family], [one] * number, around + number * len(one))
        assert len(first) == around + number * len(one)
        assert list(read(first[19:])) == [(family, one, False)] * number
        assert len(list(withdrawn(NUMBERS[family], [one] * 2, around + 2 * len(one) - 1))) == 2


def reach(value: bytes) -> bytes:
    attribute = bytes((0x80, 14, len(value))) + value
    return b"\0\0" + len(attribute).to_bytes(2) + attribute


@pytest.mark.parametrize("length", range(5))
def test_an_mp_reach_without_room_for_its_next_hop(length: int) -> None:
    whole = b"\0\x02\x01\0\0"
    with pytest.raises(ValueError, match="MP_REACH_NLRI is too short"):
        list(read(reach(whole[:length])))
    assert list(read(reach(whole))) == []
    with pytest.raises(ValueError, match="MP_REACH_NLRI is too short"):
        list(read(reach(b"\0\x02\x01\x01\0")))


def test_an_mp_unreach_without_a_route_is_end_of_rib() -> None:
    """RFC 4724 section 2: of IPv6 the attribute has the family and nothing else."""
    whole = b"\x80\x0f\x03\0\x02\x01"
    assert list(read(b"\0\0" + len(whole).to_bytes(2) + whole)) == []
    for cut in (b"\x80\x0f\x02\0\x02", b"\x80\x0f\x00"):
        with pytest.raises(ValueError, match="MP_UNREACH_NLRI is too short"):
            list(read(b"\0\0" + len(cut).to_bytes(2) + cut))


@pytest.mark.parametrize("length", [0, 255, 256, 300])
def test_attributes_before_it_are_gone_past_in_either_form(length: int) -> None:
    """An extended length has two octets (RFC 4271 section 4.3)."""
    (message,) = announced(NUMBERS[IPV6], b"", HOP, [b"\x80" + HOP], 4096)
    reach = message[19 + 4 :]
    forms = [b"\xd0\xfe" + length.to_bytes(2)] + ([bytes((0xC0, 0xFE, length))] if length < 256 else [])
    for form in forms:
        attributes = form + b"\x90" * length + reach
        body = b"\0\0" + len(attributes).to_bytes(2) + attributes
        assert list(read(body)) == [(IPV6, b"\x80" + HOP, True)]


@pytest.mark.parametrize("body", ["", "00", "0001", "000000", "0000000100", "000500000000"])
def test_a_message_that_ends_before_its_fields_do_is_none(body: str) -> None:
    octets = bytes.fromhex(body)
    if body == "0000000100":
        with pytest.raises(ValueError, match="a path attribute is cut"):
            list(read(octets))
    else:
        with pytest.raises(ValueError, match="is beyond its end"):
            list(read(octets))


@pytest.mark.parametrize(
    ("flags", "restarting", "notification"),
    [(0, False, False), (8, True, False), (4, False, True), (12, True, True), (3, False, False)],
)
def test_the_bits_of_graceful_restart(flags: int, restarting: bool, notification: bool) -> None:
    found = graceful_restart(90, flags, {IPV4: 0x80, IPV6: 0x7F})
    assert found == GracefulRestart(90, restarting, notification, ((IPV4, True), (IPV6, False)))


def test_a_prefix_of_ipv6_has_at_most_128_bits() -> None:
    whole = b"\x80" + HOP
    assert list(nlri.split(whole, IPV6)) == [whole]
    with pytest.raises(ValueError, match="of 129 bits does not fit"):
        list(nlri.split(b"\x81" + HOP + b"\x80", IPV6))

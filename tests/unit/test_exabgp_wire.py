"""The lines between engine and child."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.model import IPNetwork
from bgpctl.exabgp import wire

NETWORKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda p: IPv4Network(p, strict=False)),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(lambda p: IPv6Network(p, strict=False)),
)


def test_a_request_is_one_line_that_exabgp_leaves_alone() -> None:
    line = wire.encode_request(7, "leave", {"peers": ["a [b], (c)"], "reason": "so  long"}).decode()
    assert line.endswith("\n")
    assert line.count(" ") == 1
    assert not set("[](),\t") & set(line)
    assert wire.decode_request(line.strip()) == {
        "id": 7,
        "op": "leave",
        "peers": ["a [b], (c)"],
        "reason": "so  long",
    }


@pytest.mark.parametrize("line", ["bgpctl", "bgpctl !", "bgpctl e30x", "bgpctl W10="])
def test_what_is_not_a_request(line: str) -> None:
    with pytest.raises(ValueError):
        wire.decode_request(line)


@given(st.lists(NETWORKS, unique=True, max_size=50))
def test_prefixes_survive(networks: list[IPNetwork]) -> None:
    packed = wire.pack_prefixes(networks)
    back = [
        _network(nlri, family)
        for family, text in packed.items()
        for nlri in wire.unpack_prefixes(text, family)
    ]
    assert set(back) == set(networks)
    assert len(back) == len(networks)


def _network(nlri: bytes, family: str) -> IPNetwork:
    size, kind = (4, IPv4Network) if family.startswith("ipv4") else (16, IPv6Network)
    return kind((nlri[1:].ljust(size, b"\0"), nlri[0]))


def test_the_encoding_is_that_of_rfc_4271() -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("0.0.0.0/0"), ip_network("192.0.2.128/25")]
    assert wire.pack_prefixes(networks) == {"ipv4/unicast": "CAoAGcAAAoA="}


@pytest.mark.parametrize("text", ["GQoA", "IQoAAAAA"])
def test_a_cut_or_impossible_prefix(text: str) -> None:
    with pytest.raises(ValueError, match="prefix at octet 0"):
        list(wire.unpack_prefixes(text, "ipv4/unicast"))


def test_chunks() -> None:
    networks = [IPv4Network((n, 32)) for n in range(5)]
    assert [len(chunk) for chunk in wire.chunks(networks, 2)] == [2, 2, 1]
    assert list(wire.chunks([], 2)) == []

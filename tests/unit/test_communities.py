"""Communities: exactly what their ranges allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.bgp.communities import WELL_KNOWN, pack, parse_large, parse_standard, read_communities
from bgpctl.core.reading.fields import Faults, Fields


@given(st.integers(0, 2**32 - 1))
def test_standard_communities_of_one_number(value: int) -> None:
    text = parse_standard(str(value))
    assert text is not None
    high, low = map(int, text.split(":"))
    assert (high << 16) + low == value and parse_standard(text) == text


@given(st.lists(st.integers(0, 2**33), min_size=1, max_size=4))
def test_communities_are_exactly_what_their_ranges_allow(numbers: list[int]) -> None:
    text = ":".join(map(str, numbers))
    bits = {1: 32, 2: 16}.get(len(numbers))
    assert (parse_standard(text) is not None) == (bits is not None and max(numbers) < 2**bits)
    assert (parse_large(text) is not None) == (len(numbers) == 3 and max(numbers) < 2**32)


@pytest.mark.parametrize(
    ("community", "octets"),
    [
        ("65535:0", "ffff0000"),
        ("1:65535", "0001ffff"),
        ("1:2:4294967295", "0000000100000002ffffffff"),
        ("4294967295:0:0", "ffffffff0000000000000000"),
    ],
)
def test_a_community_on_the_wire(community: str, octets: str) -> None:
    """RFC 1997 and RFC 8092 section 3."""
    assert pack(community) == bytes.fromhex(octets)


@pytest.mark.parametrize("text", ["", ":", "01:1", "+1:1", " 1:1", "1:1\n", "٣:1", "1:-1", "0x1:1"])
def test_communities_that_are_none(text: str) -> None:
    assert parse_standard(text) is None and parse_large(f"{text}:1") is None


@pytest.mark.parametrize(
    ("numbers", "known"),
    [([2**32 - 1] * 3, True), ([2**32, 0, 0], False), ([0, 0, 2**32], False), ([0] * 4, False)],
)
def test_a_large_community_is_three_numbers_of_32_bits(numbers: list[int], known: bool) -> None:
    assert (parse_large(":".join(map(str, numbers))) is not None) is known


# https://www.iana.org/assignments/bgp-well-known-communities, and "0:0" for the CRD's "internet".
REGISTRY = {
    "internet": 0x00000000,
    "planned-shut": 0xFFFF0000,
    "accept-own": 0xFFFF0001,
    "route-filter-translated-v4": 0xFFFF0002,
    "route-filter-v4": 0xFFFF0003,
    "route-filter-translated-v6": 0xFFFF0004,
    "route-filter-v6": 0xFFFF0005,
    "llgr-stale": 0xFFFF0006,
    "no-llgr": 0xFFFF0007,
    "blackhole": 0xFFFF029A,
    "no-export": 0xFFFFFF01,
    "no-advertise": 0xFFFFFF02,
    "no-export-subconfed": 0xFFFFFF03,
    "no-peer": 0xFFFFFF04,
}


def test_well_known_communities_are_those_of_the_registry() -> None:
    assert {name: parse_standard(str(value)) for name, value in REGISTRY.items()} == WELL_KNOWN


def test_communities_of_a_document_and_their_faults() -> None:
    faults = Faults("x")
    block = {
        "standard": ["65000:99", "4259840100", "1:2:3"],
        "wellKnown": ["no-export", "no-import"],
        "large": ["65000:1:2", "x" * 99],
        "extended": [],
    }
    found = read_communities(Fields({"communities": block}, "spec", faults), "communities")
    assert found == ({"65000:99", "65000:100", "65535:65281"}, {"65000:1:2"})
    said = {problem.path: problem.message for problem in faults.problems}
    assert said.pop("spec.communities.standard[2]").endswith('it is "1:2:3"')
    assert said.pop("spec.communities.wellKnown[1]").startswith("must be one of internet, planned-shut, ")
    assert said.pop("spec.communities.large[1]").endswith(f'it is "{"x" * 60}"')
    assert list(said) == ["spec.communities.extended"]
    assert read_communities(Fields({}, "spec", faults), "communities") == (frozenset(), frozenset())

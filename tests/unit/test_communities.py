"""Communities: exactly what their ranges allow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.communities import parse_large, parse_standard


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


@pytest.mark.parametrize("text", ["", ":", "01:1", "+1:1", " 1:1", "1:1\n", "٣:1", "1:-1", "0x1:1"])
def test_communities_that_are_none(text: str) -> None:
    assert parse_standard(text) is None and parse_large(f"{text}:1") is None


@pytest.mark.parametrize(
    ("numbers", "known"),
    [([2**32 - 1] * 3, True), ([2**32, 0, 0], False), ([0, 0, 2**32], False), ([0] * 4, False)],
)
def test_a_large_community_is_three_numbers_of_32_bits(numbers: list[int], known: bool) -> None:
    assert (parse_large(":".join(map(str, numbers))) is not None) is known

"""FRR's running configuration line by line: whose line it is, and what it says of whom."""

from __future__ import annotations

import pytest

from bgpctl.core.frr_k8s.running import Running, mentioned, read, strange

A, B = ("", "192.0.2.1"), ("", "192.0.2.2")


def running(*lines: str) -> Running:
    return read("\n".join(lines))


def test_a_line_of_a_neighbor_is_of_the_section_that_it_is_in() -> None:
    """What a list filters in one family or VRF it does not filter in another, and a line outside of every
    `router bgp` is of no neighbor."""
    found = running(
        "neighbor 192.0.2.8 remote-as 1",
        "router bgp 65001",
        " neighbor 192.0.2.1 remote-as 1",
        " neighbor 192.0.2.1 prefix-list of-no-family out",
        " address-family ipv6 unicast",
        "  neighbor 192.0.2.1 prefix-list six out",
        " exit-address-family",
        " neighbor 192.0.2.1 prefix-list again-of-none out",
        " address-family ipv4 unicast",
        "  neighbor 192.0.2.1 prefix-list four out",
        " exit-address-family",
        "router bgp 65001 vrf red",
        " neighbor 192.0.2.2 prefix-list of-no-family out",
        " neighbor 192.0.2.2 interface remote-as external",
        "exit",
        "neighbor 192.0.2.9 remote-as 1",
    )
    assert found == Running(neighbors={A, ("red", "192.0.2.2")}, filters={(A, 4): "four", (A, 6): "six"})


def test_a_family_that_was_not_left_ends_with_its_router() -> None:
    found = running(
        "router bgp 65001",
        "address-family ipv6 unicast",
        "router bgp 65002 vrf red",
        "neighbor 192.0.2.1 prefix-list l out",
    )
    assert found == Running()


@pytest.mark.parametrize(
    ("line", "grouped"),
    [
        (" neighbor racks peer-group", True),
        (" neighbor 192.0.2.1 peer-group racks", True),
        (" bgp listen range 10.0.0.0/8", True),
        (" bgp listen limit 10", False),
        (" neighbor 192.0.2.1 remote-as 1", False),
    ],
)
def test_peer_groups_are_noticed_wherever_they_are(line: str, grouped: bool) -> None:
    for lines in (["router bgp 1", line], ["router bgp 1", line, "exit", "end"], [line]):
        assert running(*lines).grouped is grouped


def holds(*times: int) -> int:
    """The hold time that a neighbor is offered with these of each VRF for all."""
    found = running(
        *(line for n, time in enumerate(times) for line in (f"router bgp 1 vrf v{n}", f"timers bgp 1 {time}"))
    )
    return found.holding(A, 9)


@pytest.mark.parametrize(
    ("times", "longest"),
    [
        ((), 9),
        ((200,), 200),
        ((200, 100), 200),
        ((100, 200), 200),
        ((5,), 9),
        ((0,), 0),
        ((0, 100), 0),
        ((100, 0), 0),
        ((100, 0, 100), 0),
        ((0, 0), 0),
    ],
)
def test_of_all_hold_times_the_longest_and_none_at_all_is_the_longest(
    times: tuple[int, ...], longest: int
) -> None:
    assert holds(*times) == longest


@pytest.mark.parametrize(
    ("line", "default"),
    [
        ("neighbor 192.0.2.1 default-originate", True),
        ("neighbor 192.0.2.1 default-originate route-map m", True),
        ("neighbor 192.0.2.1 description no default-originate", False),
    ],
)
def test_who_gets_a_default_route(line: str, default: bool) -> None:
    assert running("router bgp 1", line).defaults == ({A} if default else set())


@pytest.mark.parametrize(
    ("raw", "word"),
    [("neighbor X ac", "ac"), ("neighbor X a", ""), ("neighbor X pe", "pe"), ("neighbor X activated", "")],
)
def test_words_may_be_abbreviated_to_two_letters(raw: str, word: str) -> None:
    assert strange(raw) == word


def test_neighbors_of_raw_lines_alone_are_told_in_order() -> None:
    found = Running(neighbors={("", f"192.0.2.{n}") for n in range(1, 9)} | {("", "2001:db8::1")})
    raw = [
        "neighbor 192.0.2.7 x",
        *(f"neighbor 192.0.2.{n} x" for n in (5, 3, 4, 1)),
        "2001:DB8::0001 192.0.2.99",
    ]
    assert mentioned(found, raw, [A]) == tuple(
        ("", address) for address in ("192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.7", "2001:db8::1")
    )

"""BIRD where its answers are odd: several sessions with one neighbor, channels that come and go, halves."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from bgpctl.core.reading.foreign import Unreadable
from bgpctl.witness import bird
from bgpctl.witness.asking import ask
from bgpctl.witness.bird import Channel, Protocol, Reply
from bgpctl.witness.model import RouteState, Unanswered, own_address, same_address, same_host
from tests.support.router_paths import bird_tables

N = "192.0.2.1"
V4, V6 = ip_network("10.9.1.0/24"), ip_network("fd00:9::/64")


@pytest.mark.parametrize(
    ("code", "refused"), [(0, False), (7999, False), (8000, True), (8001, False), (9001, True)]
)
def test_a_refusal(code: int, refused: bool) -> None:
    assert Reply(code, ()).refused is refused


def channel(name: str = "ipv4", stale: bool = False, timer: float | None = None) -> Channel:
    return Channel(name, f"master{name[-1]}", stale, timer)


@pytest.mark.parametrize(
    ("restart", "timers", "remaining"),
    [
        (None, (), None),
        (9.0, (), 9.0),
        (9.0, (None, None), 9.0),
        (None, (30.0, 40.0, None), 40.0),  # until the last route is dropped
        (9.0, (40.0, 30.0), 40.0),
    ],
)
def test_when_the_stale_routes_are_dropped(
    restart: float | None, timers: tuple[float | None, ...], remaining: float | None
) -> None:
    channels = tuple(channel(timer=timer) for timer in timers)
    assert Protocol("n", N, "passive", restart_timer=restart, channels=channels).remaining == remaining


def test_a_family_keeps_its_own_routes() -> None:
    found = Protocol("n", N, "passive", channels=(channel("ipv4"), channel("ipv6", stale=True)))
    assert (found.keeps(V4), found.keeps(V6)) == (False, True)
    assert not Protocol("n", N, "passive", channels=(channel("ipv4", stale=True),)).keeps(V6)
    twice = (channel("ipv4"), channel("ipv4", stale=True))
    assert Protocol("n", N, "passive", channels=twice).keeps(V4)


@pytest.mark.parametrize(
    ("sessions", "timers", "session", "remaining"),
    [
        (("idle", "established"), (None, None), "established", None),
        (("passive", "active", "idle"), (9.0, None, 30.0), "active idle passive", 30.0),
    ],
)
def test_several_sessions_with_one_neighbor(
    sessions: tuple[str, ...], timers: tuple[float | None, ...], session: str, remaining: float | None
) -> None:
    protocols = [
        Protocol(f"n{number}", N, state, restart_timer=timer, channels=(channel(stale=True),))
        for number, (state, timer) in enumerate(zip(sessions, timers, strict=True))
    ]
    routes = Reply(0, ((1007, "10.9.1.0/24  unicast [n0 17:13:29.000] * (100) [AS65001i]"),))
    seen = bird.read("bird x", N, iter(protocols), [routes])
    assert (seen.session, seen.seconds_remaining, seen.routes) == (session, remaining, RouteState.STALE)


LINES = (
    (1006, "  a detail of nothing"),
    (2002, "Name Proto Table State Since Info"),
    (1002, "device1    Device     ---        up     17:28:19.472"),
    (1006, "  BGP state: no"),
    (1002, "node1      BGP        ---        up     17:28:19.776  Established"),
    (1006, "  BGP state:          Established"),
    (1006, "    Neighbor address: 192.0.2.1"),
    (1006, "    Source address:   192.0.2.99"),
    (1006, "  Channel ipv4"),
    (1006, "    Table:          master4"),
    (1006, "    Neighbor GR:    Regular"),
    (1006, "    Restart timer:  9.5/-"),
    (1006, "  Channel ipv6"),
    (1006, "    Table:          master6"),
    (1006, "    LL stale timer: 38.499/-"),
    (13, "    Neighbor GR:    not a detail"),
    (1002, "node2      BGP        ---        start  17:28:19.776  Active"),
    (1006, "  BGP state:          Active"),
    (1006, "    Restart timer:    12/-"),
    (0, ""),
)


def test_protocols_with_and_without_channels() -> None:
    """What a channel says is not the protocol's; the details of other protocols are nobody's."""
    first, second = bird.read_protocols(Reply(0, LINES))
    channels = (Channel("ipv4", "master4", True), Channel("ipv6", "master6", False, 38.499))
    assert first == Protocol("node1", "192.0.2.1", "established", channels=channels, source="192.0.2.99")
    assert second == Protocol("node2", "", "active", restart_timer=12.0)


def test_a_path_before_any_prefix_is_no_answer() -> None:
    lines = ((1007, "                     unicast [node1 17:13:29.000] * (100) [AS65001i]"),)
    with pytest.raises(Unanswered, match="names '', which is no IP prefix"):
        bird.read_routes(Reply(0, lines), [Protocol("node1", N, "established")])


def test_next_hops_belong_to_the_path_above() -> None:
    lines = (
        (1007, "10.9.1.0/24  unicast [static1 17:13:29.000] * (200)"),
        (1012, "\tBGP.next_hop: 192.0.2.99"),
        (1007, "             unicast [node1 17:13:29.000] (100) [AS65001i]"),
        (1012, "\tBGP.next_hop: 192.0.2.1"),
    )
    (path,) = bird.read_routes(Reply(0, lines), [Protocol("node1", N, "established")])
    assert (path.prefix, path.next_hop, path.best) == (V4, "192.0.2.1", False)


def test_every_table_of_a_family_is_asked_once_and_in_order() -> None:
    tables = [f"t{number}" for number in range(9)]
    protocols = [
        Protocol(
            f"p{table}", N, "up", channels=(Channel("ipv4", table, False), Channel("ipv6", "six", False))
        )
        for table in (*reversed(tables), "t3", "")
    ]
    assert bird_tables(protocols, "ipv4") == tables


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("node1", "node1"),
        ("'node-1'", "'node-1'"),
        ("node-1", "'node-1'"),
        ("1node", "'1node'"),
        ("_n", "_n"),
    ],
)
def test_a_name_as_bird_takes_it(name: str, asked: str) -> None:
    assert bird._quoted(name) == asked


def test_text_before_any_code_is_under_none() -> None:
    (reply,) = bird.split_replies(" early\n0000 \n")
    assert reply == Reply(0, ((0, "early"), (0, "")))


@pytest.mark.parametrize(
    ("heard", "whole"),
    [
        (b"0001 BIRD ready.\n", True),
        (b"1007-a\n b\n0000 \n", True),
        (b"0001 BIRD re", False),
        (b"1007-a\n", False),
        (b" 0000 \n", False),
        (b"\n", False),
        (b"", False),
    ],
)
def test_where_a_reply_ends(heard: bytes, whole: bool) -> None:
    assert bird._whole(bytearray(heard)) is whole


# --- any router ---------------------------------------------------------------------------------------------


def test_an_answer_that_cannot_be_read_is_unknown() -> None:
    def question(address: object) -> None:
        raise Unreadable("routes must be an object; it is 5")

    seen = ask("frr x", N, question)  # type: ignore[arg-type]
    assert (seen.router, seen.neighbor, seen.routes) == ("frr x", N, RouteState.UNKNOWN)
    assert seen.detail == "its answer cannot be read: routes must be an object; it is 5" and seen.at > 0


def test_a_neighbor_that_is_no_address_is_unknown_now() -> None:
    seen = ask("frr x", "x" * 99, lambda address: None)  # type: ignore[arg-type, return-value]
    assert seen.detail == f"'{'x' * 64}' is no neighbor's address." and seen.at > 0


@pytest.mark.parametrize(("one", "other"), [("unix", "UNIX"), ("unix", "10.0.0.1"), ("10.0.0.1", "unix")])
def test_what_is_no_address_is_compared_as_it_is(one: str, other: str) -> None:
    assert not same_address(one, other)


@pytest.mark.parametrize(
    ("sources", "local"),
    [
        ((), ""),
        (("192.0.2.99",), "192.0.2.99"),
        (("192.0.2.99", ""), "192.0.2.99"),
        (("192.0.2.99", "192.0.2.98"), "192.0.2.98, 192.0.2.99"),  # two sessions: each is the router's
        (("192.0.2.99", "0.0.0.0"), "192.0.2.99"),
    ],
)
def test_birds_own_address(sources: tuple[str, ...], local: str) -> None:
    protocols = [Protocol(f"n{n}", N, "established", source=source) for n, source in enumerate(sources)]
    assert bird.read("bird x", N, protocols, []).local == local


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("FD00:0::1", "fd00::1"),
        ("0.0.0.0", ""),
        ("::", ""),
        ("unix", ""),
        ("", ""),
    ],
)
def test_an_address_of_a_routers_own(text: str, address: str) -> None:
    assert own_address(text) == address


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::1%eth9", True),
        ("fe80::1%eth0", "fe80::2%eth0", False),
        ("tor", "192.0.2.1", True),
        ("192.0.2.1", "tor", True),
    ],
)
def test_may_two_texts_be_one_machines(one: str, other: str, same: bool) -> None:
    assert same_host(one, other) is same


@pytest.mark.parametrize("trailing", [b"1007-a\n0000 \n", b"x\n\n0000 \n"])
def test_the_last_line_alone_ends_a_reply(trailing: bytes) -> None:
    assert bird._whole(bytearray(trailing))
    assert not bird._whole(bytearray(trailing + b"1007-b\n"))

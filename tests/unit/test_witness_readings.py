"""What the drivers make of answers that real routers gave (tests/support/record_witness.py recorded them).

Node 127.0.1.1 announces two IPv4 routes and one IPv6 route, node 127.0.1.2 the first of them. `live`: both
up. `stale`: the first was killed with graceful restart. BIRD 2.0.12, FRR 8.4.4, GoBGP 3.10, OpenBGPD 7.7.
"""

from __future__ import annotations

import json
import os
from ipaddress import ip_address, ip_network
from pathlib import Path as FilePath
from typing import Any

import pytest

from bgpctl.witness import bird, exabgp, frr, gobgp, openbgpd
from bgpctl.witness.model import Path, RouteState, Unanswered, judge
from tests.support.router_paths import frr_prefix

DATA = FilePath(__file__).parent / "data" / "witness"
N, OTHER, STRANGER = "127.0.1.1", "127.0.1.2", "127.0.1.77"
PREFIX = ip_network("10.9.1.0/24")
ALL = {"10.9.1.0/24": "192.0.2.1", "10.9.2.0/24": "192.0.2.1", "fd00:9::/64": "2001:db8::1"}
PHASES = pytest.mark.parametrize("phase", ["live", "stale"])


def text(kind: str, name: str) -> str:
    return (DATA / kind / name).read_text()


def answer(kind: str, name: str) -> Any:
    return json.loads(text(kind, name))


def reply(name: str) -> bird.Reply:
    return next(bird.split_replies(text("bird", name)))


def hops(paths: list[Path]) -> dict[str, str | None]:
    return {str(path.prefix): path.next_hop for path in paths}


def of_node(kind: str, phase: str) -> list[Path]:
    """The node's paths as each driver puts them together."""
    match kind:
        case "bird":
            return bird.read_routes(
                reply(f"routes.{phase}"), bird.protocols_of(reply(f"protocols.{phase}"), N)
            )
        case "frr":
            tables = (answer("frr", f"table{family}.{phase}") for family in "46")
            return [path for table in tables for path in frr.read_table(table, ip_address(N))]
        case "gobgp":
            ribs = [p for f in "46" for p in gobgp.read_rib(answer("gobgp", f"rib{f}.{phase}"))]
            return [path for path in ribs if path.neighbor == N]
        case _:
            return list(openbgpd.read_rib(answer("openbgpd", f"routes.{phase}")))


def of_prefix(kind: str, name: str) -> list[Path]:
    """Every node's paths of one prefix."""
    match kind:
        case "bird":
            phase = name.partition(".")[2]
            return bird.read_routes(reply(name), bird.read_protocols(reply(f"protocols.{phase}")))
        case "frr":
            return list(frr_prefix(answer("frr", name), PREFIX))
        case "gobgp":
            return list(gobgp.read_rib(answer("gobgp", name)))
        case _:
            return list(openbgpd.read_rib(answer("openbgpd", name)))


HELPERS = pytest.mark.parametrize("kind", ["bird", "frr", "gobgp", "openbgpd"])


@HELPERS
@PHASES
def test_every_route_with_its_next_hop_and_only_from_the_node(kind: str, phase: str) -> None:
    paths = of_node(kind, phase)
    assert hops(paths) == ALL
    assert {path.neighbor for path in paths} == {N}
    assert all(path.best is not None for path in paths)


@HELPERS
def test_stale_is_seen_and_is_not_absent(kind: str) -> None:
    assert judge(of_node(kind, "live")) is RouteState.PRESENT
    assert judge(of_node(kind, "stale")) is RouteState.STALE


@HELPERS
def test_one_prefix_from_two_nodes_one_of_them_stale(kind: str) -> None:
    live, later = of_prefix(kind, "prefix.live"), of_prefix(kind, "prefix.stale")
    assert {path.neighbor: path.stale for path in live} == {N: False, OTHER: False}
    assert {path.neighbor: path.stale for path in later} == {N: True, OTHER: False}
    assert sum(path.best is True for path in live) == 1


@HELPERS
def test_a_prefix_the_router_does_not_have(kind: str) -> None:
    assert of_prefix(kind, "missing.live") == []


# --- BIRD -------------------------------------------------------------------------------------------------


def test_bird_sessions_and_timer() -> None:
    (live,) = bird.protocols_of(reply("protocols.live"), N)
    (later,) = bird.protocols_of(reply("protocols.stale"), N)
    assert (live.session, live.remaining) == ("established", None)
    assert later.session == "passive"
    assert later.remaining is not None
    assert 50 < later.remaining <= 60
    assert [channel.table for channel in live.channels] == ["master4", "master6"]


def test_bird_with_two_sessions_to_one_neighbor_says_each_end() -> None:
    """Two VRFs, or one protocol for each family: their own ends may differ."""
    one = bird.Protocol("red", N, "established", source="192.0.2.1")
    assert bird.read("r", N, [one, bird.Protocol("old", N, "passive")], []).local == "192.0.2.1"
    assert bird.read("r", N, [one, bird.Protocol("six", N, "established", source="192.0.2.1")], []).local == (
        "192.0.2.1"
    )
    both = [one, bird.Protocol("blue", N, "established", source="192.0.2.2")]
    assert bird.read("r", N, both, []).local == "192.0.2.1, 192.0.2.2"


def test_bird_long_lived_graceful_restart() -> None:
    """RFC 9494: the restart timer is gone, the long-lived one runs, and the route itself carries the flag."""
    protocols = bird.protocols_of(reply("protocols.longlived"), N)
    seen = bird.read("bird x", N, protocols, [reply("routes.longlived")])
    assert seen.routes is RouteState.STALE
    assert seen.seconds_remaining == 38.499
    (path,) = bird.read_routes(reply("routes.longlived"), [bird.Protocol(protocols[0].name, N, "passive")])
    assert path.stale, "the flag in `(100s)` alone must do"


def test_bird_refusal_is_not_an_empty_table() -> None:
    with pytest.raises(Unanswered, match="9001"):
        bird.read_routes(reply("refused.live"), [])


def test_bird_unknown_neighbor() -> None:
    with pytest.raises(Unanswered, match="no neighbor"):
        bird.protocols_of(reply("protocols.live"), STRANGER)


def test_bird_long_time_format_and_link_local() -> None:
    """`timeformat … iso long` puts a blank into the brackets."""
    lines = (
        (1007, "Table master6:"),
        (1007, "fd00:9::/64          unicast [node1 2026-11-23 17:13:29 from fe80::2] * (100/?) [AS65001i]"),
        (1007, "\tvia fe80::2 on eth0"),
    )
    (path,) = bird.read_routes(bird.Reply(0, lines), [bird.Protocol("node1", "fe80::2%eth0", "established")])
    assert (str(path.prefix), path.neighbor, path.best) == ("fd00:9::/64", "fe80::2%eth0", True)


def test_bird_replies_are_split_and_asynchronous_lines_dropped() -> None:
    replies = list(bird.split_replies("1007-a\n b\n+later\n0000 \n8001 Network not found\n1007-half\n"))
    assert [(r.code, r.lines) for r in replies] == [
        (0, ((1007, "a"), (1007, "b"), (0, ""))),
        (8001, ((8001, "Network not found"),)),
    ]


# --- FRR --------------------------------------------------------------------------------------------------


def test_frr_session_families_and_timer() -> None:
    live = frr.neighbor_of(answer("frr", "neighbor.live"), N)
    later = frr.neighbor_of(answer("frr", "neighbor.stale"), N)
    assert frr.families(live) == frr.families(later) == ["ipv4 unicast", "ipv6 unicast"]
    assert frr.remaining(live) is None
    assert 50 < (frr.remaining(later) or 0) <= 60


def test_frr_unknown_neighbor() -> None:
    with pytest.raises(Unanswered, match="no neighbor"):
        frr.neighbor_of(answer("frr", "stranger.live"), STRANGER)


def test_frr_neighbor_without_a_unicast_family_says_nothing() -> None:
    with pytest.raises(Unanswered, match="no unicast family"):
        frr.families({"addressFamilyInfo": {"l2VpnEvpn": {}}})


# --- GoBGP ------------------------------------------------------------------------------------------------


def test_gobgp_session_and_families() -> None:
    for phase, session in (("live", "established"), ("stale", "idle")):
        view = gobgp.neighbor_of(answer("gobgp", f"neighbors.{phase}"), N)
        assert gobgp.families(view) == ["ipv4", "ipv6"]
        assert gobgp.session_of(view) in (session, "active")


def test_gobgp_unknown_neighbor() -> None:
    with pytest.raises(Unanswered, match="no neighbor"):
        gobgp.neighbor_of(answer("gobgp", "neighbors.live"), STRANGER)


def test_gobgp_false_keys_may_be_missing() -> None:
    """Version 3 leaves `stale` and `best` out when they are false (facts/bgp.md 5.1)."""
    (path,) = gobgp.read_rib({"10.9.1.0/24": [{"neighbor-ip": N, "attrs": [{"type": 1, "value": 0}]}]})
    assert (path.stale, path.best, path.next_hop) == (False, False, None)


# --- OpenBGPD ---------------------------------------------------------------------------------------------


def test_openbgpd_session() -> None:
    views = [openbgpd.neighbor_of(answer("openbgpd", f"neighbor.{p}"), N) for p in ("live", "stale")]
    assert [view["state"] for view in views] == ["Established", "Active"]


def test_openbgpd_unknown_neighbor() -> None:
    with pytest.raises(Unanswered, match="no neighbor"):
        openbgpd.neighbor_of(answer("openbgpd", "stranger.live"), STRANGER)


# --- the lab's ExaBGP -------------------------------------------------------------------------------------


def test_exabgp_keeps_nothing_and_says_so() -> None:
    live = exabgp.read("x", N, exabgp.neighbors_in(answer("exabgp", "rib.live")))
    later = exabgp.read("x", N, exabgp.neighbors_in(answer("exabgp", "rib.stale")))
    assert (live.routes, hops(list(live.paths))) == (RouteState.PRESENT, ALL)
    assert (later.routes, later.session) == (RouteState.ABSENT, "active")
    assert "keeps no routes" in later.detail


def test_exabgp_unknown_neighbor() -> None:
    with pytest.raises(Unanswered, match="no neighbor"):
        exabgp.read("x", STRANGER, exabgp.neighbors_in(answer("exabgp", "rib.live")))


def test_exabgp_file_of_a_dead_receiver_is_no_answer(tmp_path: FilePath) -> None:
    file = tmp_path / "rib.json"
    probe = exabgp.ExabgpProbe(str(file))
    document = answer("exabgp", "rib.live")
    file.write_text(json.dumps({**document, "pid": 2**22 + 1}))  # above the kernel's largest
    assert probe.routes_from(N).routes is RouteState.UNKNOWN
    file.write_text(json.dumps({**document, "pid": os.getpid()}))
    assert probe.routes_from(N).routes is RouteState.PRESENT
    old = file.stat().st_mtime - 60
    os.utime(file, (old, old))
    seen = probe.routes_from(N)
    assert seen.routes is RouteState.UNKNOWN
    assert "does not run" in seen.detail


@pytest.mark.parametrize("content", ["", "{", "[]", '{"neighbors": 3}'])
def test_exabgp_file_of_something_else(tmp_path: FilePath, content: str) -> None:
    file = tmp_path / "rib.json"
    file.write_text(content)
    assert exabgp.ExabgpProbe(str(file)).routes_from(N).routes is RouteState.UNKNOWN

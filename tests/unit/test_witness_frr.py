"""What FRR (8.4) leaves out of the answers about one neighbor, and its tables still have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import pytest

from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness import frr
from bgpctl.witness.model import RouterAnswer, RouteState
from tests.support.record_witness import DATA

NODE, OTHER = "192.0.2.11", "192.0.2.12"
STALE = {"peerId": NODE, "stale": True, "nexthops": [{"ip": NODE}]}
LIVE = {"peerId": OTHER, "bestpath": True, "nexthops": [{"ip": OTHER}]}
TABLE = {"10.244.1.0/24": [STALE], "203.0.113.10/32": [LIVE, STALE]}
TABLE6 = {"2001:db8:1::/64": [STALE]}
ROUTER_ID = "192.0.2.254"
STRANGER = {"bgpNoSuchNeighbor": True}


class FakeVty:
    """bgpd with these two tables; `neighbor` and `groups` are its answers about the neighbor."""

    def __init__(self, neighbor: Any, table: Any = (), table6: Any = (), groups: Any = ()) -> None:
        self._answers = {
            f"show bgp neighbors {NODE} json": neighbor,
            "show bgp ipv4 unicast json": {"routerId": ROUTER_ID, "routes": dict(table)},
            "show bgp ipv6 unicast json": {"routes": dict(table6)},
            "show bgp peer-group json": dict(groups),
        }

    def __enter__(self) -> FakeVty:
        return self

    def __exit__(self, *_: object) -> None: ...

    def ask(self, command: str) -> Mapping[str, Any]:
        return dict(self._answers[command])


def down(*families: str) -> dict[str, Any]:
    """A session that is down, in which FRR counts nothing."""
    activated = {family: {"acceptedPrefixCounter": 0} for family in families}
    return {NODE: {"bgpState": "Active", "addressFamilyInfo": activated}}


def look(monkeypatch: pytest.MonkeyPatch, vty: FakeVty, neighbor: str = NODE) -> RouterAnswer:
    monkeypatch.setattr(frr, "Vty", lambda directory: vty)
    return frr.FrrProbe("/nowhere").routes_from(neighbor)


@pytest.mark.parametrize(
    "families",
    [("ipv4Unicast", "ipv6Unicast"), ("ipv4Unicast",), ("ipv6Unicast",), ("l2VpnEvpn",), ()],
)
def test_stale_paths_are_seen_whatever_families_are_activated(
    monkeypatch: pytest.MonkeyPatch, families: tuple[str, ...]
) -> None:
    """`no neighbor N activate` while the session is down: FRR keeps them, best, and forwards."""
    seen = look(monkeypatch, FakeVty(down(*families), TABLE, TABLE6))
    assert (seen.routes, len(seen.paths)) == (RouteState.STALE, 3)
    assert {path.neighbor for path in seen.paths} == {NODE}


def test_tables_without_a_path_of_the_neighbor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another node's path is none of it. A neighbor of no unicast family was never going to have one."""
    table = {"203.0.113.10/32": [LIVE]}
    assert look(monkeypatch, FakeVty(down("ipv4Unicast"), table)).routes is RouteState.ABSENT
    seen = look(monkeypatch, FakeVty(down("l2VpnEvpn"), table))
    assert (seen.routes, seen.detail) == (
        RouteState.UNKNOWN,
        "router has no unicast family activated for this neighbor",
    )


# --- bgp listen range ---------------------------------------------------------------------------------------


def groups(*ranges: str) -> dict[str, Any]:
    return {"K8S": {"dynamicRanges": {"IPv4": {"ranges": list(ranges)}}}, "STATIC": {"members": {}}}


@pytest.mark.parametrize(("table", "routes"), [({}, RouteState.ABSENT), (TABLE, RouteState.STALE)])
def test_a_dynamic_neighbor_that_frr_forgot_is_looked_for_in_its_tables(
    monkeypatch: pytest.MonkeyPatch, table: Any, routes: RouteState
) -> None:
    seen = look(monkeypatch, FakeVty(STRANGER, table, groups=groups("198.51.100.0/24", "192.0.2.0/24")))
    assert (seen.routes, seen.session) == (routes, "none")
    assert seen.detail.endswith("; session none. Neighbors of 192.0.2.0/24 come and go.")


@pytest.mark.parametrize("neighbor", [STRANGER, down("ipv4Unicast")])
def test_which_router_it_is_is_told_while_it_knows_the_neighbor_and_afterwards(
    monkeypatch: pytest.MonkeyPatch, neighbor: Any
) -> None:
    """Or its word afterwards would be another router's."""
    seen = look(monkeypatch, FakeVty(neighbor, groups=groups("192.0.2.0/24")))
    assert (seen.routes, seen.router_id) == (RouteState.ABSENT, ROUTER_ID)


@pytest.mark.parametrize("ranges", [(), ("198.51.100.0/24",), ("2001:db8::/32",)])
def test_a_stranger_is_not_absent(monkeypatch: pytest.MonkeyPatch, ranges: tuple[str, ...]) -> None:
    seen = look(monkeypatch, FakeVty(STRANGER, TABLE, groups=groups(*ranges)))
    assert (seen.routes, seen.detail) == (RouteState.UNKNOWN, f"router has no neighbor {NODE}")


def test_the_listen_range_as_frr_writes_it() -> None:
    answer = json.loads((DATA / "frr" / "groups.dynamic").read_text())
    assert frr.dynamic_range(answer, ip_address("127.0.1.1")) == "127.0.0.0/8"
    assert frr.dynamic_range(answer, ip_address("::1")) == ""


# --- unnumbered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "stale", "neighbor", "its"),
    [
        ("fe80::2", False, "fe80::2", True),
        ("fe80::3", True, "fe80::2", False),
        ("(unspec)", True, "fe80::2", True),  # its link is down: FRR has forgotten whose it is
        ("(unspec)", False, "fe80::2", False),  # the router's own
        ("(unspec)", True, NODE, False),
    ],
)
def test_whose_a_path_is(told: str, stale: bool, neighbor: str, its: bool) -> None:
    entry = Foreign({"peerId": told, "stale": stale})
    assert frr.is_from(entry, ip_address(neighbor)) is its

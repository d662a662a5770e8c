"""How paths add up to one word, and what is never called absent."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import combinations_with_replacement

import pytest

from bgpctl.witness.asking import ask
from bgpctl.witness.model import Path, RouteState, Unanswered, answered, judge, same_address, to_prefix

PREFIX = ip_network("10.9.1.0/24")


@pytest.mark.parametrize(
    "stale", [c for n in range(4) for c in combinations_with_replacement((False, True), n)]
)
def test_one_live_path_is_present_and_only_none_is_absent(stale: tuple[bool, ...]) -> None:
    routes = judge(Path(PREFIX, "n", stale=flag) for flag in stale)
    assert (routes is RouteState.ABSENT) == (not stale)
    assert (routes is RouteState.PRESENT) == (False in stale)
    assert (routes is RouteState.STALE) == (bool(stale) and all(stale))


def test_the_timer_belongs_to_stale_paths_only() -> None:
    live, old = Path(PREFIX, "n"), Path(PREFIX, "n", stale=True)
    assert answered("r", "n", (live,), "established", 4.0).seconds_remaining is None
    assert answered("r", "n", (old,), "active", 4.0).seconds_remaining == 4.0


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        ((), "No path in the RIB; session idle."),
        ((Path(PREFIX, "n"),), "1 path; session idle."),
        ((Path(PREFIX, "n"), Path(PREFIX, "n", stale=True)), "2 paths, 1 stale; session idle."),
        ((Path(PREFIX, "n", stale=True),), "1 stale path still forwarding, 4 s left; session idle."),
    ],
)
def test_the_sentence(paths: tuple[Path, ...], sentence: str) -> None:
    assert answered("r", "n", paths, "idle", 4.0).detail == sentence


def test_a_caveat_follows_the_sentence() -> None:
    assert answered("r", "n", (), "", None, "But.").detail == "No path in the RIB; session unknown. But."


def test_who_cannot_be_asked_is_unknown_with_the_reason() -> None:
    def question(address: object) -> None:
        raise Unanswered("nobody there")

    seen = ask("bird x", "10.0.0.1", question)  # type: ignore[arg-type]
    assert (seen.routes, seen.detail, seen.paths) == (RouteState.UNKNOWN, "nobody there", ())
    assert seen.at > 0


def test_a_neighbor_that_is_no_address_is_never_sent_to_a_router() -> None:
    def question(address: object) -> None:
        raise AssertionError("asked")

    seen = ask("frr x", "10.0.0.1\0clear bgp *", question)  # type: ignore[arg-type]
    assert seen.routes is RouteState.UNKNOWN


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("fd00::1", "FD00:0::0001", True),
        ("fe80::1%eth0", "fe80::1%eth1", False),
        ("fe80::1%eth0", "fe80::1%eth0", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("fe80::1", "fe80::1%eth0", True),
        ("fe80::1%eth0", "fe80::2", False),
        ("10.0.0.1", "10.0.0.11", False),
        ("unix", "unix", True),
    ],
)
def test_same_address(one: str, other: str, same: bool) -> None:
    assert same_address(one, other) is same


def test_a_prefix_that_is_none_makes_the_whole_answer_unanswered() -> None:
    with pytest.raises(Unanswered):
        to_prefix("10.9.1.0/33")


@pytest.mark.parametrize(
    ("told", "own"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("FD00:0::0001", "fd00::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("0.0.0.0", ""),  # GoBGP's default: the kernel chooses
        ("::", ""),
        ("", ""),
        ("unix", ""),
        ("192.0.2.1\n", ""),
    ],
)
def test_a_routers_own_address_has_one_spelling(told: str, own: str) -> None:
    assert answered("r", "n", (), "established", None, local=told).local == own

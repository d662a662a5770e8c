"""The identity of a node without an IPv4 address, and what two sessions may not share."""

from __future__ import annotations

from hashlib import sha256
from ipaddress import IPv4Address, ip_address

import pytest

from bgpctl.core.intent import sessions as module
from bgpctl.core.intent.sessions import Surroundings, internal_ips, router_id, sessions
from bgpctl.core.model import IPV4, Secret
from bgpctl.core.policy.annotations import NodeSettings
from bgpctl.core.policy.nodeconfig import FamilyConfig, Instance, NodeConfig, PeerConfig


@pytest.mark.parametrize(
    ("first", "octet"),
    [(0, 1), (1, 2), (125, 126), (126, 128), (127, 129), (221, 223), (222, 1), (255, 34)],
)
def test_a_router_id_is_a_unicast_address(monkeypatch: pytest.MonkeyPatch, first: int, octet: int) -> None:
    """Implementations refuse 0, 127 and 224 up; every value of the hash leads elsewhere."""
    digest = bytes([first, 1, 2, 3, 99])

    class Hash:
        def __init__(self, _: bytes) -> None: ...
        def digest(self) -> bytes:
            return digest

    monkeypatch.setattr(module, "sha256", Hash)
    assert router_id({}, "n") == IPv4Address(f"{octet}.1.2.3")


def test_a_router_id_stays_the_same_from_version_to_version() -> None:
    """A session is reset by a change of it: 32 bits of the SHA-256 of the name."""
    first, *rest = sha256(b"worker-1").digest()[:4]
    octet = 1 + first % 222
    expected = ".".join(map(str, (octet + (octet >= 127), *rest)))
    assert router_id({}, "worker-1") == IPv4Address(expected)


def test_malformed_addresses_cost_themselves() -> None:
    entries = [
        {"type": "InternalIP"},
        {"address": "10.0.0.1"},
        5,
        {"type": "InternalIP", "address": "ten"},
        {"type": "ExternalIP", "address": "10.0.0.2"},
        {"type": "InternalIP", "address": "10.0.0.3"},
        {"type": "InternalIP", "address": "fd00::3"},
    ]
    found = list(internal_ips({"status": {"addresses": entries}}))
    assert found == [ip_address("10.0.0.3"), ip_address("fd00::3")]


def config(name: str, address: str = "192.0.2.1", **fields: object) -> PeerConfig:
    return PeerConfig(name, ip_address(address), 65000, families=(FamilyConfig(IPV4),), **fields)  # type: ignore[arg-type]


def held(*instances: Instance, source: str | None = None) -> tuple[list[str], list[str]]:
    problems: list[str] = []
    around = Surroundings({}, "n", {}, ip_address(source) if source else None)
    found = sessions(NodeConfig("p", instances), around, problems)
    return [peer.name for _, peer in found], problems


A, B = Instance("a", 65001, local_port=1790), Instance("b", 65002, local_port=1790)


@pytest.mark.parametrize(
    ("second", "names"),
    [
        (Instance("b", 65002, local_port=1790, peers=(config("b/1", port=1179),)), ["a/1"]),  # one listener
        (Instance("b", 65002, local_port=1791, peers=(config("b/1", port=1179),)), ["a/1", "b/1"]),
        (Instance("b", 65002, local_port=1790, peers=(config("b/1", "192.0.2.2"),)), ["a/1", "b/1"]),
        (Instance("b", 65002, local_port=1791, peers=(config("b/1"),)), ["a/1"]),  # one for the router
        (Instance("b", 65002, peers=(config("b/1", port=1179),)), ["a/1", "b/1"]),
        (Instance("b", 65001, peers=(config("b/1", port=1179),)), ["a/1"]),  # one for the engine
    ],
)
def test_two_sessions_with_one_identity(second: Instance, names: list[str]) -> None:
    first = Instance("a", 65001, local_port=1790, peers=(config("a/1"),))
    found, problems = held(first, second)
    assert found == names and len(problems) == 2 - len(names)
    for problem in problems:
        assert problem == "peer b/1: no session, because a/1 has the session to 192.0.2.1 already"


def test_the_sentence_names_both_ends() -> None:
    _, problems = held(Instance("a", 65001, peers=(config("a/1"), config("a/2"))), source="192.0.2.9")
    assert problems == [
        "peer a/2: no session, because a/1 has the session to 192.0.2.1 from 192.0.2.9 already"
    ]


def test_no_address_is_no_router_id() -> None:
    entries = [{"type": "InternalIP", "address": text} for text in ("fd00::1", "0.0.0.0", "10.0.0.7")]
    assert router_id({"status": {"addresses": entries}}, "n") == IPv4Address("10.0.0.7")


@pytest.mark.parametrize(
    ("restarts", "told"), [((), True), ((None,), True), ((None, 120), False), ((120, 120), False)]
)
def test_an_annotation_for_graceful_restart_needs_one_peer_with_it(
    restarts: tuple[int | None, ...], told: bool
) -> None:
    peers = tuple(config(f"a/{n}", f"192.0.2.{n}", restart_time=time) for n, time in enumerate(restarts, 1))
    problems: list[str] = []
    around = Surroundings({}, "n", {}, settings=NodeSettings(graceful_notification=True))
    sessions(NodeConfig("p", (Instance("a", 65001, peers=peers),)), around, problems)
    assert bool(problems) is told and all("has no effect" in problem for problem in problems)


def test_a_peer_without_a_secret_has_no_password() -> None:
    around = Surroundings({}, "n", {"": Secret("x"), "bgp": Secret("y")})  # type: ignore[dict-item]
    instance = Instance("a", 65001, peers=(config("a/1"), config("a/2", "192.0.2.2", secret="bgp")))
    found = sessions(NodeConfig("p", (instance,)), around, [])
    assert [peer.password for _, peer in found] == [None, Secret("y")]

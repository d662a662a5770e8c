"""What the lab writes for each router, which one it takes, and how it sees that one listens."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bgpctl.errors import UsageError
from bgpctl.lab import routers
from bgpctl.lab.routers import Neighbor, RouterSpec, bird, exabgp, frr, gobgp, openbgpd
from bgpctl.lab.routers.process import is_listening
from bgpctl.lab.routers.spec import Driver, Recipe

NODES = (Neighbor("127.0.1.1", 65001), Neighbor("127.0.1.2", 65002))
SPEC = RouterSpec("any", "127.0.0.10", 1790, 65000, NODES)
PLAIN = dataclasses.replace(SPEC, graceful_restart=False)
RECIPES = {
    "bird": bird.recipe,
    "frr": frr.recipe,
    "gobgp": gobgp.recipe,
    "openbgpd": openbgpd.recipe,
    "exabgp": exabgp.recipe,
}


def config(kind: str, spec: RouterSpec = SPEC) -> str:
    (text,) = RECIPES[kind](spec, Path("/place"), "/program").files.values()
    return text


@pytest.mark.parametrize("kind", RECIPES)
def test_every_node_is_a_neighbor_and_the_probe_names_the_kind(kind: str) -> None:
    recipe = RECIPES[kind](SPEC, Path("/place"), "/program")
    (text,) = recipe.files.values()
    for node in NODES:
        assert node.address in text
        assert str(node.asn) in text
    assert recipe.probe.startswith(f"{kind}=")
    assert recipe.argv[0] == "/program"


@pytest.mark.parametrize(
    ("kind", "helping", "plain"),
    [
        ("bird", "graceful restart aware;", "graceful restart off;"),
        ("gobgp", "helper-only = true", "mp-graceful-restart.config]\nenabled = false"),
        ("openbgpd", "announce restart yes", "announce restart no"),
        ("frr", "router bgp 65000\n", " bgp graceful-restart-disable"),
    ],
)
def test_graceful_restart_is_a_switch(kind: str, helping: str, plain: str) -> None:
    assert helping in config(kind)
    assert plain in config(kind, PLAIN)
    assert plain not in config(kind)


def test_bird_asks_for_multihop_on_loopback_only() -> None:
    assert "  multihop;" in config("bird")
    far = dataclasses.replace(SPEC, neighbors=(Neighbor("10.77.0.11", 65001),))
    assert "  direct;" in config("bird", far)
    assert "igp table" not in config("bird", far)


def test_exabgp_survives_blanks_in_paths() -> None:
    recipe = exabgp.recipe(SPEC, Path("/a b"), "/c d/python")
    assert (
        'run "/c d/python" -m bgpctl.lab.routers.receiver "/a b/rib.json" 127.0.1.1 127.0.1.2;'
        in (recipe.files["exabgp.conf"])
    )


# --- choose -----------------------------------------------------------------------------------------------


def have(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    """A machine with these routers only."""

    def recipe(spec: RouterSpec, directory: Path, program: str) -> Recipe:
        raise AssertionError("not started here")

    fake = {
        kind: Driver(kind, f"apt install {kind}", lambda k=kind: k if k in kinds else None, recipe)
        for kind in routers.KINDS
    }
    monkeypatch.setattr(routers, "DRIVERS", fake)


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        (("bird", "frr", "gobgp", "exabgp"), "bird"),
        (("frr", "gobgp", "exabgp"), "frr"),
        (("gobgp", "exabgp"), "gobgp"),
        (("openbgpd", "exabgp"), "exabgp"),
        (("exabgp",), "exabgp"),
    ],
)
def test_auto_takes_the_first_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], chosen: str
) -> None:
    have(monkeypatch, *installed)
    assert routers.choose("auto") == chosen


@pytest.mark.parametrize(("kind", "says"), [("frr", "apt install frr"), ("junos", "bird")])
def test_a_router_that_is_not_there_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, kind: str, says: str
) -> None:
    have(monkeypatch, "exabgp")
    with pytest.raises(UsageError) as caught:
        routers.choose(kind)
    assert says in caught.value.hint


# --- /proc/net/tcp ----------------------------------------------------------------------------------------

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0A00007F:06FE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0B00007F:06FE 0101007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2
   2: 00000000:C383 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue
   0: 000000FD000000000000000001000000:06FE 00000000000000000000000000000000:0000 0A 00000000:00000000
"""


@pytest.mark.parametrize(
    ("table", "address", "port", "listens"),
    [
        (TCP, "127.0.0.10", 1790, True),
        (TCP, "127.0.0.10", 1791, False),
        (TCP, "127.0.0.11", 1790, False),  # established, not listening
        (TCP, "127.0.0.12", 50051, True),  # on every address
        (TCP6, "fd::1", 1790, False),
        (TCP6, "fd00::1", 1790, True),
    ],
)
def test_is_listening(table: str, address: str, port: int, listens: bool) -> None:
    assert is_listening(table, address, port) is listens

"""Routers of the lab whose configuration misleads whoever asks them: the text of each is edited before it
starts. Each was seen to establish the node's session and to show none of its routes, or to show them twice.
And second routers, beside the one that is meant.
"""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Callable, Iterator

import pytest

from bgpctl.lab import routers, seed
from bgpctl.lab.cluster import Lab
from bgpctl.lab.place import ROUTER_PORT
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.witness.probe import parse_probe
from tests.support import lab as kit
from tests.support.wait import eventually

Edit = Callable[[str], str]


def mislead(monkeypatch: pytest.MonkeyPatch, kind: str, edit: Edit) -> None:
    """Every router of `kind` that the test starts has its configuration edited."""
    module = importlib.import_module(f"bgpctl.lab.routers.{kind}")
    original: Callable[..., str] = module.config
    monkeypatch.setattr(module, "config", lambda *described: edit(original(*described)))


def _frr_filter(text: str) -> str:
    lines = []
    for line in text.splitlines():
        lines += [line, line.replace("activate", "route-map NOTHING in")] if "activate" in line else [line]
    return "\n".join((*lines, "route-map NOTHING deny 10", ""))


def _gobgp_filter(text: str) -> str:
    policy = '[global.apply-policy.config]\ndefault-import-policy = "reject-route"\n'
    return text.replace("[global.use-multiple", policy + "[global.use-multiple")


# The session is up, and the import filter takes nothing.
TAKES_NOTHING: dict[str, Edit] = {
    "bird": lambda text: text.replace("import all", "import none"),
    "frr": _frr_filter,
    "gobgp": _gobgp_filter,
    "openbgpd": lambda text: text.replace("allow from any", "deny from any"),
}


def _gobgp_vrf(text: str) -> str:
    head, *neighbors = text.split("\n[[neighbors]]")
    vrf = '\n[[vrfs]]\n[vrfs.config]\nname = "red"\nid = 1\nrd = "65000:1"\nboth-rt-list = ["65000:1"]\n'
    inside = (one.replace("peer-as =", 'vrf = "red"\npeer-as =') for one in neighbors)
    return "\n[[neighbors]]".join((head + vrf, *inside))


def _openbgpd_rib(text: str) -> str:
    with_red = text.replace("fib-update no\n", "fib-update no\nrde rib red no evaluate\n")
    return with_red.replace("allow from any\n", "deny from any\nallow rib red from any\n")


# The session is up, and its routes are in another table than the one that is asked for by default.
ANOTHER_TABLE: dict[str, Edit] = {"gobgp": _gobgp_vrf, "openbgpd": _openbgpd_rib}


def bird_table(text: str) -> str:
    """The node's routes in a table of their own. BIRD is asked for a protocol, whatever its table."""
    return "ipv4 table red4;\n" + text.replace("ipv4 { ", "ipv4 { table red4; ")


def frr_view(text: str) -> str:
    """The neighbors in another instance of BGP than the one that is asked by default."""
    return text.replace("router bgp 65000", "router bgp 65000 view red")


# The router takes several paths of one prefix from one neighbor (RFC 7911).
ADD_PATH: dict[str, Edit] = {
    "bird": lambda text: text.replace("import all;", "import all; add paths rx;"),
    "frr": lambda text: text,  # it does by itself
    "gobgp": lambda text: text.replace(
        "[neighbors.afi-safis.mp-graceful",
        "[neighbors.afi-safis.add-paths.config]\nreceive = true\n[neighbors.afi-safis.mp-graceful",
    ),
    "openbgpd": lambda text: text.replace(
        "  announce restart", "  announce add-path recv yes\n  announce restart"
    ),
}


def _frr_range(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.strip().startswith("neighbor")]
    group = [f" neighbor K8S {words}" for words in ("peer-group", "remote-as external", "passive")]
    group += [" neighbor K8S disable-connected-check", " bgp listen range 127.0.0.0/8 peer-group K8S"]
    at = lines.index(" address-family ipv4 unicast")
    rest = "\n".join(lines[at:]).replace(" unicast\n", " unicast\n  neighbor K8S activate\n")
    return "\n".join((*lines[:at], *group, rest, ""))


def _bird_range(text: str) -> str:
    return re.sub(r"neighbor \S+ as \d+;", 'neighbor range 127.0.0.0/8 external; dynamic name "node";', text)


def _gobgp_range(text: str) -> str:
    group = text.replace("neighbors", "peer-groups")
    group = re.sub("neighbor-address = .*", 'peer-group-name = "K8S"', group)
    span = 'prefix = "127.0.0.0/8"\npeer-group = "K8S"\n'
    return f"{group}\n[[dynamic-neighbors]]\n[dynamic-neighbors.config]\n{span}"


# The neighbor is a range of addresses: for routers with one node.
DYNAMIC: dict[str, Edit] = {
    "bird": _bird_range,
    "frr": _frr_range,
    "gobgp": _gobgp_range,
    "openbgpd": lambda text: re.sub(r"neighbor \S+ \{", "neighbor 127.0.0.0/8 {", text),
}


# --- a second router ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def second_router(lab: Lab, kind: str) -> Iterator[tuple[str, str]]:
    """Another router with the same neighbors, which the policy names too: its address and its probe, once
    both nodes have announced everything to it."""
    with idle_router(lab, kind) as (address, probe):
        (first,) = virtual = lab.client().get(kit.POLICY)["spec"]["virtualRouters"]
        first["neighbors"].append({**first["neighbors"][0], "peerAddress": f"{address}/32"})
        _announced(lab, virtual, probe)
        yield address, probe


@contextlib.contextmanager
def same_address(lab: Lab, kind: str) -> Iterator[tuple[int, str]]:
    """Another router at the address of the first, with which the nodes peer as another AS: its port and its
    probe."""
    port, asn = ROUTER_PORT + 1, seed.NODE_ASN + 1
    with idle_router(lab, kind, 1, port, asn) as (_, probe):
        (first,) = virtual = lab.client().get(kit.POLICY)["spec"]["virtualRouters"]
        neighbors = [{**first["neighbors"][0], "peerPort": port}]
        _announced(lab, [*virtual, {**first, "localASN": asn, "neighbors": neighbors}], probe)
        yield port, probe


def _announced(lab: Lab, virtual: list[kit.Document], probe: str) -> None:
    """Change the policy, until the second router has what the first one has."""
    lab.client().patch(kit.POLICY, {"spec": {"virtualRouters": virtual}})
    there, here = (parse_probe(text).routes_from for text in (probe, lab.router.probe()))
    for node in lab.nodes:
        at = lab.address_of(node)
        count = len(here(at).paths)
        eventually(lambda at=at, count=count: len(there(at).paths) == count > 0, deadline=20)
    lab.wait_ready()


@contextlib.contextmanager
def idle_router(
    lab: Lab, kind: str, host: int = 2, port: int = ROUTER_PORT, asn: int = seed.NODE_ASN
) -> Iterator[tuple[str, str]]:
    """Another router with the same neighbors, which no policy names: nobody ever peers with it."""
    address = str(lab.place.network + host)
    neighbors = tuple(Neighbor(lab.address_of(node), asn) for node in lab.nodes)
    with routers.make(RouterSpec(kind, address, port, seed.ROUTER_ASN, neighbors)) as second:
        second.start(lab.place.directory / f"second{host}")
        yield address, second.probe()


NODES, LATER = 11, 99  # the lab's first node has the address .11, and may get .99


def knows_both(text: str) -> str:
    """FRR, where the first node is a neighbor by another address too."""
    node = re.compile(rf"(neighbor 127\.\d+\.\d+\.){NODES} ")
    lines = ((line, node.sub(rf"\g<1>{LATER} ", line)) for line in text.splitlines())
    return "\n".join((*(one for pair in lines for one in dict.fromkeys(pair)), ""))

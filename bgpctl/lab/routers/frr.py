"""FRR's recipe: bgpd alone, without zebra and without changing user, so an ordinary user can run it.

Loopback needs three permissions that a real network does not: peers that are not on a connected network,
next hops in 127.0.0.0/8 (`bgp allow-martian-nexthop`; without it FRR resets the session at the first
UPDATE), and no policy on eBGP sessions.
"""

from __future__ import annotations

from pathlib import Path

from bgpctl.lab.routers.find import program as find
from bgpctl.lab.routers.spec import Driver, Neighbor, Recipe, RouterSpec


def recipe(spec: RouterSpec, directory: Path, program: str) -> Recipe:
    """How to run `program` (bgpd) as `spec` in `directory`. `-P 0`: no telnet port; `-Z`: no zebra; `-S`:
    stay the user we are. bgpd keeps a scratch directory in /var/tmp that only a clean exit removes."""
    where = ("--vty_socket", str(directory), "-i", str(directory / "bgpd.pid"))
    listen = (*(word for address in spec.addresses for word in ("-l", address)), "-p", str(spec.port))
    return Recipe(
        argv=(program, "-f", str(directory / "bgpd.conf"), *where, *listen, "-P", "0", "-Z", "-S"),
        files={"bgpd.conf": config(spec, directory)},
        control=directory / "bgpd.vty",
        probe=f"frr={directory}",
        scratch=("/var/tmp/frr/bgpd.{pid}",),  # noqa: S108 - FRR's choice; it is only removed
    )


def config(spec: RouterSpec, directory: Path) -> str:
    """bgpd.conf. FRR is a graceful-restart helper by itself (facts/bgp.md 4)."""
    lines = [
        f"log file {directory / 'bgpd.log'}",
        f"router bgp {spec.asn}",
        f" bgp router-id {spec.router_id}",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        " no bgp network import-check",
        " bgp allow-martian-nexthop",
        " bgp bestpath as-path multipath-relax",
        *([] if spec.graceful_restart else [" bgp graceful-restart-disable"]),
    ]
    for neighbor in spec.neighbors:
        lines += _neighbor(spec, neighbor)
    for family in ("ipv4", "ipv6"):
        lines += _family(spec, family)
    return "\n".join((*lines, ""))


def _neighbor(spec: RouterSpec, neighbor: Neighbor) -> list[str]:
    name = f" neighbor {neighbor.address}"
    return [
        f"{name} remote-as {neighbor.asn}",
        f"{name} passive",
        *([f"{name} capability extended-nexthop"] if spec.extended_next_hop else []),
        *([f"{name} disable-connected-check"] if neighbor.asn != spec.asn else []),
        f"{name} timers {max(1, spec.hold_time // 3)} {spec.hold_time}",
    ]


def _family(spec: RouterSpec, family: str) -> list[str]:
    return [
        f" address-family {family} unicast",
        *(f"  neighbor {neighbor.address} activate" for neighbor in spec.neighbors),
        f"  maximum-paths {16 if spec.multipath else 1}",
        " exit-address-family",
    ]


DRIVER = Driver("frr", "apt install frr", lambda: find("/usr/lib/frr/bgpd", "/usr/libexec/frr/bgpd"), recipe)

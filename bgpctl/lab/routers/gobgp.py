"""GoBGP's recipe: gobgpd with its API on the router's own address.

GoBGP before 3.20 treats an IPv4 route whose next hop is in 127.0.0.0/8 as withdrawn
(pkg/packet/bgp/validate.go): a lab's nodes announce other next hops (`Place.next_hop`).
"""

from __future__ import annotations

import json
from pathlib import Path

from bgpctl.lab.routers.find import program as find
from bgpctl.lab.routers.spec import Driver, Neighbor, Recipe, RouterSpec

API_PORT = 50051


def recipe(spec: RouterSpec, directory: Path, program: str) -> Recipe:
    """How to run `program` (gobgpd) as `spec` in `directory`."""
    api = f"{spec.bracketed}:{API_PORT}"
    return Recipe(
        argv=(program, "-f", "gobgpd.toml", "--api-hosts", api, "--pprof-disable"),
        files={"gobgpd.toml": config(spec)},
        probe=f"gobgp={api}",
        ports=((spec.address, API_PORT),),
    )


def config(spec: RouterSpec) -> str:
    """gobgpd.toml"""
    head = f"""[global.config]
as = {spec.asn}
router-id = "{spec.router_id}"
port = {spec.port}
local-address-list = {json.dumps(spec.addresses)}
[global.use-multiple-paths.config]
enabled = {str(spec.multipath).lower()}
"""
    return head + "".join(_neighbor(spec, neighbor) for neighbor in spec.neighbors)


def _neighbor(spec: RouterSpec, neighbor: Neighbor) -> str:
    """A node that was reset comes back at once: GoBGP would make it wait 30 s
    (`idle-hold-time-after-reset`)."""
    return f"""
[[neighbors]]
[neighbors.config]
neighbor-address = "{neighbor.address}"
peer-as = {neighbor.asn}
[neighbors.transport.config]
passive-mode = true
local-address = "{spec.toward(neighbor)}"
[neighbors.timers.config]
hold-time = {spec.hold_time}
keepalive-interval = {max(1, spec.hold_time // 3)}
idle-hold-time-after-reset = 1
{_helper(spec)}{_family(spec, "ipv4-unicast")}{_family(spec, "ipv6-unicast")}"""


def _helper(spec: RouterSpec) -> str:
    if not spec.graceful_restart:
        return ""
    return f"""[neighbors.graceful-restart.config]
enabled = true
helper-only = true
restart-time = 120
notification-enabled = {str(spec.notification).lower()}
"""


def _family(spec: RouterSpec, family: str) -> str:
    return f"""[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "{family}"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = {str(spec.graceful_restart).lower()}
"""


DRIVER = Driver("gobgp", "apt install gobgpd", lambda: find("gobgpd") if find("gobgp") else None, recipe)

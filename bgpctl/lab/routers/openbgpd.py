"""OpenBGPD's recipe, for tests as root: its three processes change user and root directory.

The home of its user (/run/openbgpd on Debian) must exist for that; the package's service makes it, so do we.
"""

from __future__ import annotations

import pwd
from pathlib import Path

from bgpctl.lab.routers.find import program as find
from bgpctl.lab.routers.spec import Driver, Neighbor, Recipe, RouterSpec

USERS = ("_openbgpd", "_bgpd")


def recipe(spec: RouterSpec, directory: Path, program: str) -> Recipe:
    """How to run `program` (OpenBGPD's bgpd) as `spec` in `directory`."""
    control = directory / "bgpd.sock"
    return Recipe(
        argv=(program, "-d", "-f", "bgpd.conf"),
        files={"bgpd.conf": config(spec, control)},
        control=control,
        probe=f"openbgpd={control}",
        prepare=_homes(),
        needs_root=True,
    )


def config(spec: RouterSpec, control: Path) -> str:
    """bgpd.conf"""
    head = f"""AS {spec.asn}
router-id {spec.router_id}
fib-update no
socket "{control}"
"""
    head += "".join(f"listen on {address} port {spec.port}\n" for address in spec.addresses)
    return head + "".join(_neighbor(spec, neighbor) for neighbor in spec.neighbors) + "allow from any\n"


def _neighbor(spec: RouterSpec, neighbor: Neighbor) -> str:
    """`multihop` only on loopback, where it lifts the demand that the next hop is connected."""
    hops = "  multihop 2\n" if neighbor.on_loopback and neighbor.asn != spec.asn else ""
    return f"""neighbor {neighbor.address} {{
  remote-as {neighbor.asn}
  local-address {spec.toward(neighbor)}
  passive
{hops}  announce IPv4 unicast
  announce IPv6 unicast
  announce restart {"yes" if spec.graceful_restart else "no"}
  holdtime {spec.hold_time}
}}
"""


def _homes() -> tuple[Path, ...]:
    return tuple(Path(entry.pw_dir) for entry in pwd.getpwall() if entry.pw_name in USERS)


DRIVER = Driver(
    "openbgpd", "apt install openbgpd", lambda: find("/usr/sbin/openbgpd", "/usr/sbin/bgpd"), recipe
)

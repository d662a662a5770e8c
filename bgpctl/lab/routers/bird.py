"""BIRD's recipe: unprivileged, no kernel protocol, one BGP protocol per node.

BIRD refuses a direct neighbor on a loopback address, so those are `multihop`, which needs next hops
resolved in a table: a default route in a table of its own, out of the RIB that the probes read.
"""

from __future__ import annotations

from pathlib import Path

from bgpctl.lab.routers.find import program as find
from bgpctl.lab.routers.spec import Driver, Neighbor, Recipe, RouterSpec


def recipe(spec: RouterSpec, directory: Path, program: str) -> Recipe:
    """How to run `program` (bird) as `spec` in `directory`."""
    control = directory / "bird.ctl"
    return Recipe(
        argv=(program, "-f", "-c", "bird.conf", "-s", str(control), "-P", str(directory / "bird.pid")),
        files={"bird.conf": config(spec, directory)},
        control=control,
        probe=f"bird={control}",
    )


def config(spec: RouterSpec, directory: Path) -> str:
    """bird.conf"""
    blocks = [_HEAD.format(log=directory / "bird.log", router_id=spec.router_id)]
    blocks += [_protocol(spec, number, neighbor) for number, neighbor in enumerate(spec.neighbors, 1)]
    return "\n".join(blocks)


_HEAD = """log "{log}" all;
router id {router_id};
protocol device {{ }}
ipv4 table nexthops4;
ipv6 table nexthops6;
protocol static {{ ipv4 {{ table nexthops4; }}; route 0.0.0.0/0 via "lo"; }}
protocol static {{ ipv6 {{ table nexthops6; }}; route ::/0 via "lo"; }}
"""


def _protocol(spec: RouterSpec, number: int, neighbor: Neighbor) -> str:
    """After a NOTIFICATION BIRD refuses the peer for `error wait time`, 60 to 300 s (facts/bgp.md 3.8): a
    node that comes back from maintenance in the lab must not wait for that."""
    graceful = "aware" if spec.graceful_restart else "off"
    direct = "multihop" if neighbor.on_loopback else "direct"
    return f"""protocol bgp node{number} {{
  local {spec.toward(neighbor)} port {spec.port} as {spec.asn};
  neighbor {neighbor.address} as {neighbor.asn};
  {direct};
  strict bind yes;
  passive yes;
  hold time {spec.hold_time};
  error wait time 1, 2;
  graceful restart {graceful};
  long lived graceful restart {graceful};
  ipv4 {{ {_extended(spec)}{_igp(neighbor, 4)}import all; export none; }};
  ipv6 {{ {_igp(neighbor, 6)}import all; export none; }};
}}
"""


def _extended(spec: RouterSpec) -> str:
    return "extended next hop on; " if spec.extended_next_hop else ""


def _igp(neighbor: Neighbor, version: int) -> str:
    return f"igp table nexthops{version}; " if neighbor.on_loopback else ""


DRIVER = Driver("bird", "apt install bird2", lambda: find("bird"), recipe)

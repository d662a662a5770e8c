"""The router that pip alone brings: an ExaBGP that only receives, and a small process that keeps what it got.

It does not advertise graceful restart and keeps no routes for a lost session (`graceful_restart` of the
spec has no effect); it forwards nothing and sends nothing back.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import sys
from pathlib import Path

from bgpctl.lab.routers.spec import Driver, Neighbor, Recipe, RouterSpec

RIB_FILE = "rib.json"


def recipe(spec: RouterSpec, directory: Path, program: str) -> Recipe:
    """How to run ExaBGP under the Python `program` as `spec` in `directory`."""
    rib = directory / RIB_FILE
    return Recipe(
        argv=(program, "-m", "exabgp", "server", str(directory / "exabgp.conf")),
        files={"exabgp.conf": config(spec, rib, program)},
        environment={
            "exabgp_tcp_bind": spec.address,
            "exabgp_tcp_port": str(spec.port),
            "exabgp_daemon_drop": "false",
            "exabgp_daemon_user": _user(),
            "exabgp_api_cli": "false",
            "exabgp_log_level": "WARNING",
        },
        control=rib,
        probe=f"exabgp={rib}",
    )


def config(spec: RouterSpec, rib: Path, python: str) -> str:
    """exabgp.conf: one receiver process, one passive neighbor per node."""
    addresses = " ".join(neighbor.address for neighbor in spec.neighbors)
    process = f"""process receiver {{
  run "{python}" -m bgpctl.lab.routers.receiver "{rib}" {addresses};
  encoder json;
}}
"""
    return process + "".join(_neighbor(spec, neighbor) for neighbor in spec.neighbors)


def _neighbor(spec: RouterSpec, neighbor: Neighbor) -> str:
    return f"""neighbor {neighbor.address} {{
  router-id {spec.router_id};
  local-address {spec.address};
  local-as {spec.asn};
  peer-as {neighbor.asn};
  hold-time {spec.hold_time};
  passive true;
  family {{ ipv4 unicast; ipv6 unicast; }}
  api {{ processes [ receiver ]; neighbor-changes; receive {{ parsed; update; }} }}
}}
"""


def _user() -> str:
    """As root ExaBGP becomes `exabgp.daemon.user`, nobody by default, and a change of user makes the kernel
    forget that it must end with its parent (prctl(2), PR_SET_PDEATHSIG): stay who we are."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "nobody"


def _python() -> str | None:
    return sys.executable if importlib.util.find_spec("exabgp") else None


DRIVER = Driver("exabgp", "pip install exabgp", _python, recipe)

"""Records what real routers answer, for the unit tests of the probes' readings.

    python -m tests.support.record_witness [KIND…]        writes tests/unit/data/witness/

Node 127.0.1.1 announces 10.9.1.0/24, 10.9.2.0/24 and fd00:9::/64 with graceful restart, node 127.0.1.2 the
first of them without. `live` is both up, `stale` after a SIGKILL of the first. Needs the routers, and root
for OpenBGPD.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from bgpctl.lab import routers
from bgpctl.lab.routers import Neighbor, RouterSpec
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe, parse_probe
from tests.support.stock_exabgp import StockSpeaker
from tests.support.wait import eventually

DATA = Path(__file__).parents[1] / "unit" / "data" / "witness"
ADDRESS, PORT, ASN = "127.0.0.10", 1790, 65000
NODES = (Neighbor("127.0.1.1", 65001), Neighbor("127.0.1.2", 65002))
N, PREFIX, MISSING, STRANGER = NODES[0].address, "10.9.1.0/24", "10.99.0.0/16", "127.0.1.77"

QUESTIONS: dict[str, dict[str, str]] = {
    "bird": {
        "protocols": "show protocols all",
        "routes": "show route protocol node1 all",
        "status": "show status",
        "prefix": f"show route {PREFIX} table master4 all",
        "missing": f"show route {MISSING} table master4 all",
        "refused": "show route protocol nobody all",
    },
    "frr": {
        "neighbor": f"show bgp neighbors {N} json",
        "stranger": f"show bgp neighbors {STRANGER} json",
        "groups": "show bgp peer-group json",
        "table4": "show bgp ipv4 unicast json",
        "table6": "show bgp ipv6 unicast json",
        "prefix": f"show bgp ipv4 unicast {PREFIX} json",
        "missing": f"show bgp ipv4 unicast {MISSING} json",
    },
    "gobgp": {
        "global": "global -j",
        "neighbors": "neighbor -j",
        "rib4": "global rib -a ipv4 -j",
        "rib6": "global rib -a ipv6 -j",
        "prefix": f"global rib {PREFIX} -a ipv4 -j",
        "missing": f"global rib {MISSING} -a ipv4 -j",
    },
    "openbgpd": {
        "neighbor": f"-j show neighbor {N}",
        "stranger": f"-j show neighbor {STRANGER}",
        "routes": f"-j show rib neighbor {N}",
        "prefix": f"-j show rib {PREFIX}",
        "missing": f"-j show rib {MISSING}",
    },
    "exabgp": {"rib": ""},
}


def ask_bird(target: str, question: str) -> str:
    with socket.socket(socket.AF_UNIX) as bird:
        bird.connect(target)
        bird.recv(1024)
        bird.sendall(question.encode() + b"\n")
        return _until(bird, lambda text: re.search(rb"(^|\n)\d{4} [^\n]*\n$", text) is not None)


def ask_frr(target: str, question: str) -> str:
    with socket.socket(socket.AF_UNIX) as bgpd:
        bgpd.connect(f"{target}/bgpd.vty")
        bgpd.sendall(question.encode() + b"\0")
        return _until(bgpd, lambda text: text[-4:-1] == b"\0\0\0")[:-4]


def _until(source: socket.socket, done: Callable[[bytes], bool]) -> str:
    text = b""
    source.settimeout(5)
    while not done(text):
        text += source.recv(1 << 16)
    return text.decode()


def ask_gobgp(target: str, question: str) -> str:
    host, port = target.rsplit(":", 1)
    return subprocess.check_output(("gobgp", "-u", host, "-p", port, *question.split()), text=True)


def ask_openbgpd(target: str, question: str) -> str:
    return subprocess.check_output(("/usr/sbin/bgpctl", "-s", target, *question.split()), text=True)


ASK = {
    "bird": ask_bird,
    "frr": ask_frr,
    "gobgp": ask_gobgp,
    "openbgpd": ask_openbgpd,
    "exabgp": lambda target, _: Path(target).read_text(),
}


def record(probe: Probe, phase: str) -> None:
    """Write every answer of one phase."""
    for name, question in QUESTIONS[probe.kind].items():
        text = ASK[probe.kind](probe.target, question)
        place = DATA / probe.kind / f"{name}.{phase}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def session(kind: str) -> None:
    """One router through both phases."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bgpctl-")))
        router = stack.enter_context(routers.make(RouterSpec(kind, ADDRESS, PORT, ASN, NODES)))
        router.start(directory / "router")
        probe = parse_probe(router.probe())
        first, second = (
            stack.enter_context(
                StockSpeaker(node, ADDRESS, PORT, ASN, directory / node.address, restart_time=t)
            )
            for node, t in zip(NODES, (60, None), strict=True)
        )
        first.start([PREFIX, "10.9.2.0/24"])
        second.start([PREFIX])
        eventually(lambda: len(probe.routes_from(N).paths) == 2)
        first.announce("fd00:9::/64")
        eventually(lambda: len(probe.routes_from(N).paths) == 3)
        eventually(lambda: probe.routes_from(NODES[1].address).routes is RouteState.PRESENT)
        record(probe, "live")
        first.kill()
        eventually(lambda: probe.routes_from(N).routes is not RouteState.PRESENT)
        record(probe, "stale")


def main(kinds: Iterable[str]) -> None:
    for kind in kinds:
        print("recording", kind)
        session(kind)


if __name__ == "__main__":
    main(sys.argv[1:] or routers.installed())

"""A table to BIRD and away from it: our engine, and BIRD itself announcing the same routes.

Loading is measured from the moment the receiving BIRD says Established until it counts every route; leaving
from the order to leave until it counts none. Both announcers hold the routes before their session starts.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from bgpctl.core.diff import Announce, Configure, Leave, Synced
from bgpctl.core.model import Attributes
from bgpctl.lab.routers import find
from bgpctl.lab.routers.process import end, spawn, write
from bgpctl.lab.routers.spec import Recipe
from tests.kit.birdctl import Bird
from tests.kit.engines import engine, peer
from tests.kit.routers import Lab, Workshop

SIZES = (10_000, 50_000)
# Issue 2, "Must hold, measured": seconds from Established.
LIMITS = {("load", 10_000): 1.0}
POLL_SECONDS = 0.002
DEADLINE_SECONDS = 60.0


def prefixes(count: int) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network((0x14000000 + number, 32)) for number in range(count))


def until(condition: Callable[[], bool]) -> float:
    """The time at which it became true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the router never got there")
        time.sleep(POLL_SECONDS)
    return time.monotonic()


def loading(router: Bird, protocol: str, count: int, announcer: Bird | None = None) -> float:
    """`announcer` is asked something at every look: an idle BIRD 2.0.12 sleeps up to 3 s before it sends what
    a new session should get, and that is not what is compared here."""
    established = until(lambda: router.established(protocol))
    return (
        until(lambda: bool(announcer is None or announcer.routes()) and router.routes() == count)
        - established
    )


def ours(lab: Lab, router: Bird, count: int) -> tuple[float, float]:
    """Seconds to load and to leave."""
    spec, node = lab.router.spec, lab.nodes[0]
    one = peer(spec.address, spec.port, spec.asn, node.address, local_asn=node.asn, hold_time=90)
    with engine() as eng:
        # Held back by a port where nobody listens, so that the routes are there first, as BIRD's are.
        eng.perform(Configure((replace(one, port=1),)))
        eng.perform(Announce(one.name, Attributes(), prefixes(count)))
        eng.perform(Synced((one.name,)))
        eng.perform(Configure((one,)))
        loaded = loading(router, "node1", count)
        started = time.monotonic()
        eng.perform(Leave((one.name,)))
        return loaded, until(lambda: router.routes() == 0) - started


def birds(lab: Lab, router: Bird, count: int, directory: Path) -> tuple[float, float]:
    """The same by a BIRD: its static routes are loaded first; leaving is taking them down."""
    control = directory / "bird.ctl"
    recipe = Recipe(
        ("bird", "-f", "-c", "bird.conf", "-s", str(control), "-P", str(directory / "bird.pid")),
        {"bird.conf": _announcer(lab, count)},
        "",
    )
    write(recipe, directory)
    with (directory / "output.log").open("wb") as log:
        process = spawn(recipe, directory, log.fileno())
    try:
        until(lambda: _answers(control))
        announcer = Bird(control)
        until(lambda: announcer.routes() == count)
        announcer.ask("enable uplink")
        loaded = loading(router, "node2", count, announcer)
        started = time.monotonic()
        announcer.ask("disable table1")
        return loaded, until(lambda: router.routes() == 0) - started
    finally:
        end(process)


def _answers(control: Path) -> bool:
    try:
        Bird(control)
    except OSError:
        return False
    return True


def _announcer(lab: Lab, count: int) -> str:
    spec, node = lab.router.spec, lab.nodes[1]
    routes = "".join(f"route {prefix} blackhole;\n" for prefix in prefixes(count))
    return f"""router id {node.address};
protocol device {{ }}
protocol static table1 {{ ipv4; {routes} }}
protocol bgp uplink {{
  disabled;
  local {node.address} as {node.asn};
  neighbor {spec.address} port {spec.port} as {spec.asn};
  multihop;
  connect delay time 1;
  ipv4 {{ next hop self; import none; export all; }};
}}
"""


def figures() -> Iterator[dict[str, Any]]:
    """Per size: loading, then leaving. A ratio below 1 means that we are faster."""
    directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        lab = Workshop(stack, directory).router("bird", nodes=2)
        router = Bird(directory / "bird101" / "bird.ctl")
        for count in SIZES:
            mine = ours(lab, router, count)
            theirs = birds(lab, router, count, directory / f"announcer{count}")
            for what, value, peer_value in zip(("load", "leave"), mine, theirs, strict=True):
                yield {
                    "figure": f"{what} {count} routes at BIRD",
                    "value": round(value, 3),
                    "unit": "s",
                    "peer": "BIRD announcing",
                    "peer_value": round(peer_value, 3),
                    "ratio": round(value / peer_value, 2),
                    "limit": LIMITS.get((what, count)),
                }


def main() -> int:
    """Print every figure; 1 when one is over its limit (in seconds), 0 without BIRD, which is said."""
    if find.program("bird") is None:
        print("the table benchmark needs BIRD: apt install bird2", file=sys.stderr)
        return 0
    over = False
    for figure in figures():
        print(json.dumps(figure), flush=True)
        over |= figure["limit"] is not None and figure["value"] > figure["limit"]
    return int(over)


if __name__ == "__main__":
    sys.exit(main())

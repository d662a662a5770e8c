"""A table to BIRD: our engine, BIRD, FRR and GoBGP announcing the same, and a raw replay of our own UPDATEs.

Loading is measured from Established until BIRD has imported every route, as the median of interleaved runs;
all announcers hold the routes before their session starts. Leaving is measured from the order to leave until
BIRD has none.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from bgpctl.lab.routers import Neighbor, find
from bgpctl.lab.routers import installed as installed_routers
from tests.bench.table.announcers import Announcer, BirdAnnouncer, Frr, Ours
from tests.bench.table.gobgp import GoBgp
from tests.bench.table.load import Load
from tests.bench.table.raw import Raw
from tests.bench.table.receiver import Late, Receiver

LOADS = (Load(4, 10_000), Load(4, 50_000), Load(6, 50_000))
RUNS = 5
# Issue 3, "Fast": at least as fast as the fastest of the others, within 3 times a raw replay. BIRD is asked
# every 2 ms, a twentieth of what the fastest of the others has taken: so much may two equal ones differ.
NOISE = 1.05
LIMITS = {"fastest": 1.0 * NOISE, "raw": 3.0}
SLOW_SECONDS = 30.0
"""GoBGP takes 6 to 14 s to come back to a session, so it is measured once; longer than this is too long."""

BLOCK = "127.19.7"


def figures() -> Iterator[dict[str, Any]]:
    """Per load: against the fastest of the others, against the raw replay, and leaving against BIRD. A ratio
    below 1 means that we are faster."""
    for load in LOADS:
        with ExitStack() as stack:
            directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
            nodes = [Neighbor(f"{BLOCK}.{number}", 65000 + number) for number in range(1, 6)]
            receiver = Receiver(stack, directory / "receiver", f"{BLOCK}.100", nodes)
            yield from _figures(stack, receiver, directory, load)


def _figures(stack: ExitStack, receiver: Receiver, directory: Path, load: Load) -> Iterator[dict[str, Any]]:
    ours, bird = Ours(receiver, 1, directory), BirdAnnouncer(receiver, 2, directory)
    announcers: list[Announcer] = [ours, bird, Raw(receiver, 3, directory)]
    if "frr" in installed_routers():
        announcers.append(Frr(receiver, 4, directory))
    for announcer in announcers:
        announcer.prepare(stack, load)
    runs = [{one.name: one.load(load) for one in announcers} for _ in range(RUNS)]
    seconds = {one.name: median(run[one.name] for run in runs) for one in announcers}
    value, raw = seconds.pop(ours.name), seconds.pop("raw replay")
    seconds |= _gobgp(receiver, directory, load)
    fastest = min(seconds, key=seconds.__getitem__)
    others = {name: round(each, 3) for name, each in seconds.items()}
    yield _figure(f"load {load}", value, f"{fastest} announcing", seconds[fastest], "fastest", others=others)
    yield _figure(f"load {load}", value, "raw replay", raw, "raw")
    yield _figure(f"leave with {load}", ours.leave(load), "BIRD announcing", bird.leave(load))


def _gobgp(receiver: Receiver, directory: Path, load: Load) -> dict[str, float]:
    """Its time, or at least SLOW_SECONDS; nothing where it is not installed."""
    if "gobgp" not in installed_routers():
        return {}
    with ExitStack() as stack:
        gobgp = GoBgp(receiver, 5, directory, SLOW_SECONDS)
        gobgp.prepare(stack, load)
        try:
            return {gobgp.name: gobgp.load(load)}
        except Late:
            return {f"{gobgp.name} (more than)": SLOW_SECONDS}


def _figure(
    figure: str, value: float, peer: str, peer_value: float, limit: str = "", **more: object
) -> dict[str, Any]:
    return {
        "figure": f"{figure} at BIRD",
        "value": round(value, 3),
        "unit": "s",
        "peer": peer,
        "peer_value": round(peer_value, 3),
        "ratio": round(value / peer_value, 2),
        "limit": LIMITS.get(limit),
        **more,
    }


def main() -> int:
    """Print every figure; 1 when a ratio is over its limit, 0 without BIRD, which is said."""
    if find.program("bird") is None:
        print("the table benchmark needs BIRD: apt install bird2", file=sys.stderr)
        return 0
    missing = {"frr", "gobgp"} - set(installed_routers())
    if missing:
        print(f"the table benchmark does not compare with {', '.join(sorted(missing))}", file=sys.stderr)
    over = False
    for figure in figures():
        print(json.dumps(figure), flush=True)
        over |= figure["limit"] is not None and figure["ratio"] > figure["limit"]
    return int(over)


if __name__ == "__main__":
    sys.exit(main())

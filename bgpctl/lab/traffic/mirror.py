"""The kernel's table after a router's, for routers that leave the kernel's alone.

    python -m bgpctl.lab.traffic.mirror PROBE NEIGHBOR…

Every path that the router has is a next hop, stale ones too, as of routers that forward by themselves. Where
the router cannot be asked, all stays as it is.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping

from bgpctl.witness.model import RouterAnswer, RouteState
from bgpctl.witness.probe import parse_probe

INTERVAL = 0.2

Table = Mapping[str, tuple[str, ...]]
"""Prefix -> next hops, in their order."""


def table(answers: Iterable[RouterAnswer]) -> Table:
    """What the router would forward by. Neighbors stand for next hops: they announce themselves."""
    found: dict[str, tuple[str, ...]] = {}
    for answer in answers:
        for path in answer.paths:
            prefix = str(path.prefix)
            found[prefix] = tuple(sorted({*found.get(prefix, ()), answer.neighbor}))
    return found


def changes(before: Table, after: Table) -> Iterator[tuple[str, ...]]:
    """The words for `ip route` that make the one the other."""
    for prefix, hops in after.items():
        if before.get(prefix) != hops:
            yield ("replace", prefix, *(word for hop in hops for word in ("nexthop", "via", hop)))
    for prefix in before:
        if prefix not in after:
            yield "del", prefix


def main(probe: str, *neighbors: str) -> None:
    """For ever."""
    router, now = parse_probe(probe), dict[str, tuple[str, ...]]()
    while True:
        answers = [router.routes_from(neighbor) for neighbor in neighbors]
        if all(answer.routes is not RouteState.UNKNOWN for answer in answers):
            after = dict(table(answers))
            for words in changes(now, after):
                subprocess.run(("ip", "route", *words), check=False)
            now = after
        time.sleep(INTERVAL)


if __name__ == "__main__":
    main(*sys.argv[1:])

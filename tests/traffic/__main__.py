"""`python -m tests.traffic [--stack S]… [--router R]… [--way W]… [--write] [--jobs N]`

Exit code 0 when every cell is in order, 1 when one is not, 2 for a wrong word. What cannot run here is named
at the end, and is a failure with BGPCTL_REQUIRE=all.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from bgpctl.lab import stacks
from tests.support import require
from tests.support.apart import run_in_turn
from tests.traffic import table
from tests.traffic.cells import ROUTERS, STACKS, Cell, Way
from tests.traffic.result import Result

NETWORK_SECONDS = 1200.0  # one that takes longer hangs
DOCUMENT = Path("docs/traffic.md")


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.traffic", description=__doc__)
    parser.add_argument(
        "--stack", action="append", choices=list(STACKS), help="default: all; may be repeated"
    )
    parser.add_argument("--router", action="append", choices=ROUTERS)
    parser.add_argument("--way", action="append", choices=list(map(str, Way)))
    parser.add_argument("--jobs", type=int, default=1, help="networks at a time (1)")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT} with what was run")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    asked = _arguments(words)
    missing = Counter(part for part in ("netns", *(asked.router or ROUTERS)) if not _present(part))
    routers = [kind for kind in asked.router or ROUTERS if not missing["netns"] and not missing[kind]]
    results: list[Result] = []
    ways, chosen = list(map(Way, asked.way or Way)), list(product(asked.stack or STACKS, routers))
    with ThreadPoolExecutor(max_workers=asked.jobs) as pool:
        for found in pool.map(lambda place: run(place[1], place[0], ways), chosen):
            print(*found, sep="\n", flush=True)
            results += found
    if results:
        print("\n".join(("", *table.markdown(results), "", *table.summary(results))))
    if results and asked.write:
        DOCUMENT.write_text(table.written(DOCUMENT.read_text(), results, machine()))
    print("\n".join(require.closing_block(missing)), end="\n" if missing else "", file=sys.stderr)
    lacking = bool(missing) and os.environ.get(require.VARIABLE) == "all"
    return int(lacking or any(result.complaints for result in results))


def run(router: str, stack: str, ways: Sequence[Way]) -> list[Result]:
    """All of them, in the same network as long as they are in order."""
    if lacks := stacks.STACKS[stack].missing():
        return [Result.broken(Cell(router, stack, way), lacks) for way in ways]
    return run_in_turn(
        "tests.traffic.run",
        (router, stack),
        ways,
        Result.from_json,
        lambda way, why: Result.broken(Cell(router, stack, Way(way)), why),
        NETWORK_SECONDS,
    )


def _present(part: str) -> bool:
    return require.PARTS[part].present()


def machine() -> str:
    """On what it was measured."""
    commit = subprocess.run(("git", "rev-parse", "--short", "HEAD"), capture_output=True, text=True)
    kernel = platform.release().partition("-")[0]
    return f"Measured on Linux {kernel}, {os.cpu_count()} cores, at {commit.stdout.strip()}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.stacks [--stack S]… [--router R]… [--gr G]… [--event E]… [--points N] [--jobs N]`

Exit code 0 when every cell is in order, 1 when one is not, 2 for a wrong word. With --again a cell that is
not is run once more when nothing else runs, and both outcomes are told: it has failed all the same. What
cannot run here is named at the end, and is a failure with BGPCTL_REQUIRE=all.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from bgpctl.lab import stacks
from tests.matrix.cells import Graceful
from tests.stacks.cells import ROUTERS, STACKS, Event, Place, places
from tests.stacks.result import Result
from tests.support import require
from tests.support.apart import run_in_turn

PLACE_SECONDS = 3600.0  # one that takes longer hangs
NAMES = {Graceful.OFF: "", Graceful.ON: " GR", Graceful.NOTIFICATION: " N"}


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stacks", description=__doc__)
    parser.add_argument("--stack", action="append", choices=list(STACKS), help="default: all, in all lists")
    parser.add_argument("--router", action="append", choices=ROUTERS)
    parser.add_argument("--gr", action="append", choices=list(map(str, Graceful)))
    parser.add_argument("--event", action="append", choices=list(map(str, Event)))
    parser.add_argument("--points", type=int, default=0, help="kill at so many writes of a run (all)")
    parser.add_argument("--seed", default="", help="which")
    parser.add_argument("--jobs", type=int, default=2, help="places at a time (2)")
    parser.add_argument("--again", action="store_true", help="run what failed once more, alone")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    asked = _arguments(words)
    names, routers = asked.stack or list(STACKS), asked.router or ROUTERS
    missing = Counter(part for part in {"bird", "gobgp", *routers} if not require.PARTS[part].present())
    names = [name for name in names if not stacks.STACKS[STACKS[name].lab].missing()]
    chosen = places(names, [r for r in routers if not missing[r]], list(map(Graceful, asked.gr or Graceful)))
    events, results, began = list(map(Event, asked.event or Event)), [], time.monotonic()

    def told(place: Place, events: Sequence[Event]) -> list[Result]:
        found = run(place, events, asked.points, asked.seed)
        for result in found:
            print(result.to_json() if asked.output == "json" else result, flush=True)
        return found

    with ThreadPoolExecutor(max_workers=asked.jobs) as pool:
        for found in pool.map(lambda place: told(place, events), chosen):
            results += found
    failed = [result for result in results if result.complaints] if asked.again else []
    again = [found for result in failed for found in told(result.place, [result.event])]
    if asked.output == "text":
        print("", *table(results, again), f"in {(time.monotonic() - began) / 60:.0f} minutes", sep="\n")
    print("\n".join(require.closing_block(missing)), end="\n" if missing else "", file=sys.stderr)
    lacking = bool(missing) and os.environ.get(require.VARIABLE) == "all"
    return int(lacking or any(result.complaints for result in results))


def run(place: Place, events: Sequence[Event], points: int = 0, seed: str = "") -> list[Result]:
    """All of them, on the same nodes as long as they are in order."""
    return run_in_turn(
        "tests.stacks.run",
        (place.stack, place.router, place.graceful, str(points), seed),
        place.events(events),
        Result.from_json,
        lambda event, why: Result.broken(place, Event(event), why),
        PLACE_SECONDS,
    )


def table(results: Sequence[Result], again: Sequence[Result] = ()) -> Iterator[str]:
    """A row per stack and event, a column per router and graceful restart; "–" = not run. `again`: those
    that failed, alone."""
    found = {(r.stack, r.event, r.router, r.graceful): r for r in results}
    columns = [key for key in ((r, g) for r in ROUTERS for g in Graceful) if key in {k[2:] for k in found}]
    rows = [(s, e) for s in STACKS for e in Event if (s, e) in {k[:2] for k in found}]
    yield " ".join((f"{'':26}", *(f"{router + NAMES[graceful]:9}" for router, graceful in columns))).rstrip()
    for row in rows:
        words = (_word(found.get((*row, *column))) for column in columns)
        yield " ".join((f"{' '.join(row):26}", *(f"{word:9}" for word in words))).rstrip()
    failed = [result for result in results if result.complaints]
    commands = sum(result.runs for result in results)
    yield from ("", f"{len(results)} cells, {commands} commands, {len(failed)} cells failed")
    yield from map(str, failed)
    yield from (f"once more, alone: {result}" for result in again)


def _word(result: Result | None) -> str:
    return "–" if result is None else "FAILED" if result.complaints else "ok"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

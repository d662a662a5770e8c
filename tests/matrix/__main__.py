"""`python -m tests.matrix [--router R]… [--event E]… [--gr off|on|n-bit]… [--jobs N] [-o text|markdown|json]`

Exit code 0 when every cell is in order, 1 when one is not, 2 for a wrong word. What cannot run here is named
at the end, and is a failure with BGPCTL_REQUIRE=all.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.matrix import table
from tests.matrix.cells import ROUTERS, Cell, Event, Graceful, cells
from tests.matrix.result import Result
from tests.support import apart, require

CELL_SECONDS = 180.0  # one that takes longer hangs


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--router", action="append", choices=ROUTERS, help="default: all; may be repeated")
    parser.add_argument("--event", action="append", choices=list(map(str, Event)), help="default: all")
    parser.add_argument("--gr", action="append", choices=list(map(str, Graceful)), help="default: all")
    parser.add_argument("--jobs", type=int, default=3, help="cells at a time (3): looks must not be late")
    parser.add_argument("-o", "--output", choices=("text", "markdown", "json"), default="text")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    asked = _arguments(words)
    missing = Counter(part for part in ("netns", *(asked.router or ROUTERS)) if not _present(part))
    routers = [kind for kind in asked.router or ROUTERS if not missing["netns"] and not missing[kind]]
    events, graceful = map(Event, asked.event or Event), map(Graceful, asked.gr or Graceful)
    chosen = list(cells(routers, list(events), list(graceful)))
    results = []
    for number, result in enumerate(run_all(chosen, asked.jobs), start=1):
        results.append(result)
        print(f"{number}/{len(chosen)} {result.cell}: {table.word(result)}", file=sys.stderr, flush=True)
        if asked.output == "json":
            print(result.to_json(), flush=True)
    if results and asked.output != "json":
        print({"text": table.text, "markdown": table.markdown}[asked.output](results))
    print("\n".join(require.closing_block(missing)), end="\n" if missing else "", file=sys.stderr)
    lacking = bool(missing) and os.environ.get(require.VARIABLE) == "all"
    return int(lacking or any(result.complaints for result in results))


def _present(part: str) -> bool:
    return require.PARTS[part].present()


def run_all(chosen: Sequence[Cell], jobs: int) -> Iterator[Result]:
    """Each in a process of its own, in the order given; the results as they are due in that order."""
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        yield from pool.map(run_apart, chosen)


def run_apart(cell: Cell) -> Result:
    """One cell in its own process. What does not come up is a failed cell, and nothing is tried again."""
    words = (cell.router, cell.event, cell.graceful)
    out, last_word = apart.run_apart("tests.matrix.run", *words, seconds=CELL_SECONDS)
    try:
        return Result.from_json(out)
    except (ValueError, KeyError, TypeError):
        return Result.broken(cell, last_word)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

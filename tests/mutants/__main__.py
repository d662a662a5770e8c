"""`python -m tests.mutants [FILE|FOLDER]… [--sample N --seed TEXT] [--tests PATH]… [--jobs N] [--accept]`

Without words: every mutant of every target. Exit code 0; 1 when too many survive or accepted.txt is stale; 2
for a wrong word.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mutants import accepted, report, seeing, serving, settings, workers
from tests.mutants.choosing import Choice
from tests.mutants.source import Mutant, Source


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", default=list(settings.TARGETS), help="files or folders to mutate"
    )
    parser.add_argument("--sample", type=int, help="so many mutants, chosen by --seed")
    parser.add_argument("--seed", default="1", help="any text: the same text, the same sample")
    parser.add_argument("--tests", action="append", help="where tests are (may be repeated)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--threshold", type=float, default=settings.THRESHOLD, help="the least rate of killed"
    )
    parser.add_argument("--all", action="store_true", help="run the accepted ones too: do they survive?")
    parser.add_argument("--lines", action="store_true", help="print survivors as lines for accepted.txt")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    asked = _arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the workers end with this process
    start = time.monotonic()
    everything = [source for target in settings.TARGETS for source in _sources(target)]
    wanted = {source.path for target in asked.targets for source in _sources(target)}
    known = accepted.read(settings.ACCEPTED)
    all_mutants = [mutant for source in everything for mutant in source.mutants()]
    mutants = {number: mutant for number, mutant in enumerate(all_mutants) if mutant.source.path in wanted}
    left_out = {number for number, mutant in mutants.items() if not asked.all and mutant in known}
    chosen = [number for number in mutants if number not in left_out]
    if asked.sample is not None:
        chosen = sorted(random.Random(asked.seed).sample(chosen, min(asked.sample, len(chosen))))
    with tempfile.TemporaryDirectory(prefix="bgpctl-mutants-") as scratch:
        outcomes = run(everything, mutants, chosen, asked.tests or settings.TESTS, asked.jobs, Path(scratch))
    counted = Counter(mutants[number].source.path for number in left_out)
    if asked.lines:
        print("\n".join(accepted.line(mutants[o.number]) for o in outcomes if o.word in report.ALIVE))
    else:
        print("\n".join(report.survivors(mutants, outcomes)))
    print("\n".join(report.table(mutants, outcomes, counted)))
    dead = [mutants[o.number] for o in outcomes if o.word in report.DEAD and mutants[o.number] in known]
    stale = [*report.stale(known.stale(all_mutants)), *report.killed(dead)]
    print("\n".join(stale), end="\n" if stale else "")
    rate = report.rate(outcomes)
    enough = rate >= asked.threshold
    took = time.monotonic() - start
    print(f"{rate:.1%} killed, {asked.threshold:.0%} wanted, seed {asked.seed}, {took:.0f} s")
    return int(not enough or bool(stale))


def _sources(target: str) -> list[Source]:
    path = settings.ROOT / target
    if not path.exists():
        raise SystemExit(f"{target}: no such file or folder")
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [Source(settings.ROOT, str(file.relative_to(settings.ROOT))) for file in files]


def run(
    sources: Sequence[Source],
    mutants: Mapping[int, Mutant],
    chosen: Sequence[int],
    tests: Sequence[str],
    jobs: int,
    scratch: Path,
) -> list[serving.Outcome]:
    """Map, then mutants: those in functions, then those that need an import."""
    started = time.monotonic()
    known = seeing.measured(sources, seeing.test_files(tests), jobs, str(scratch))
    for name in known.empty:
        print(f"no test was found in {name}", file=sys.stderr)
    for name in known.failed:
        print(f"fails without a mutant, and is not used: {name}", file=sys.stderr)
    print(f"{len(known.tests)} tests, map in {time.monotonic() - started:.0f} s", file=sys.stderr)
    choice = Choice(known, sources)
    results = serving.Results(scratch / "results")

    def tick() -> None:
        words = Counter(outcome.word for outcome in results.read())
        print(f"\r{words.total()}/{len(chosen)} {dict(words)}", end="", file=sys.stderr, flush=True)

    def serve(serving_one: object, numbers: Sequence[int]) -> None:
        queue = workers.Queue(numbers)
        workers.together(
            min(jobs, len(numbers)), lambda worker: serving_one(queue, str(scratch / str(worker))), tick
        )  # type: ignore[operator]

    serve(
        lambda queue, place: serving.serve_warm(mutants, queue, choice, results, place, known.imported),
        [number for number in chosen if mutants[number].inside],
    )
    anew = {outcome.number for outcome in results.read() if outcome.word == "anew"}
    serve(
        lambda queue, place: serving.serve_cold(mutants, queue, choice, results, place),
        [number for number in chosen if number in anew or not mutants[number].inside],
    )
    print(file=sys.stderr)
    return list(results.read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The loop: 1,000,000 broken inputs over all targets, seeded. Exit 1 when one was not refused in our words,
took too long, or the process grew out of its bound.

    python -m tests.fuzz [INPUTS [SEED [TARGET]]]
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections import Counter

from tests.fuzz.targets import Files, Target, attempt, targets

MEMORY = 2 << 30  # octets of address space: what asks for more gets MemoryError, which is a crash


def run(target: Target, inputs: int, seed: int) -> tuple[Counter[str], float]:
    """The crash sites of one target with how often each was met, and the longest time of one input."""
    dice = random.Random(f"{seed} {target.name}")
    sites: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(inputs):
        given = target.draw(dice)
        crashed, seconds = attempt(target, given)
        slowest = max(slowest, seconds)
        if crashed:
            if not sites[crashed]:
                print(f"  {target.name}: {crashed}: {repr(given)[:200]}", flush=True)
            sites[crashed] += 1
    return sites, slowest


def main(total: int = 1_000_000, seed: int = 1, only: str = "") -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    chosen = [target for target in targets() if not only or target.name == only]
    shares = sum(target.share for target in chosen)
    crashes, done, late, begun = set(), 0, [], time.monotonic()
    for target in chosen:
        inputs = max(1, round(total * target.share / shares))
        since = time.monotonic()
        sites, slowest = run(target, inputs, seed)
        done += inputs
        crashes |= set(sites)
        if slowest > target.seconds:
            late.append(target.name)
        took = time.monotonic() - since
        speed = f"{took:6.1f} s  slowest {slowest:6.3f} s"
        print(f"{target.name:17} {inputs:8} inputs  {speed}  {len(sites)} crash sites", flush=True)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    Files.path.unlink(missing_ok=True)
    took = time.monotonic() - begun
    found = f"{len(crashes)} crash sites, too slow: {', '.join(late) or 'none'}"
    print(f"{done} inputs, seed {seed}, {took:.0f} s, {grown} MiB: {found}")
    return 1 if crashes or late else 0


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(main(*(int(word) for word in words[:2]), *words[2:3]))

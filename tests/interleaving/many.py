"""Many interleavings, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.interleaving.story import stage, tell
from tests.interleaving.writers import Writer


def told(seeds: Sequence[int]) -> list[str]:
    return list(faults(seeds))


def faults(seeds: Sequence[int], *always: Writer) -> Iterator[str]:
    """What these interleavings found, each with its number. `always`: writers that act in every one."""
    with stage():
        for seed in seeds:
            try:
                tell(seed, *always)
            except AssertionError as error:
                yield f"{seed}: {error}"

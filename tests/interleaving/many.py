"""Many interleavings, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.interleaving.story import stage, tell


def told(seeds: Sequence[int]) -> list[str]:
    return list(faults(seeds))


def faults(seeds: Sequence[int]) -> Iterator[str]:
    """What these interleavings found, each with its number."""
    with stage():
        for seed in seeds:
            try:
                tell(seed)
            except AssertionError as error:
                yield f"{seed}: {error}"

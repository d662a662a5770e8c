"""What a run prints: a table per file, and the survivors as a diff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.mutants import accepted
from tests.mutants.serving import Outcome
from tests.mutants.source import Mutant

DEAD = ("killed", "timeout")
ALIVE = ("survived", "unseen")


def rate(outcomes: Iterable[Outcome]) -> float:
    """Killed / all."""
    words = Counter(outcome.word for outcome in outcomes)
    dead, alive = (sum(words[word] for word in group) for group in (DEAD, ALIVE))
    return dead / (dead + alive) if dead + alive else 1.0


def table(
    mutants: Mapping[int, Mutant], outcomes: Sequence[Outcome], left_out: Counter[str]
) -> Iterator[str]:
    """One line per file, and one for all. `left_out`: accepted ones, by file."""
    files: dict[str, list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.number):
        files.setdefault(mutants[outcome.number].source.path, []).append(outcome)
    columns = ("mutants", "killed", "timeout", "survived", "unseen", "accepted", "rate")
    yield " ".join((f"{'file':40}", *(f"{column:>8}" for column in columns)))
    for name, some in [*sorted(files.items()), ("all", list(outcomes))]:
        words = Counter(outcome.word for outcome in some)
        kept = left_out.total() if name == "all" else left_out[name]
        counts = [words[word] for word in ("killed", "timeout", "survived", "unseen")]
        figures = " ".join(f"{count:8}" for count in (len(some), *counts, kept))
        yield f"{name:40} {figures} {rate(some):8.1%}"


def survivors(mutants: Mapping[int, Mutant], outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Each with its place, what it changes, and whether no test even executes it."""
    for outcome in sorted(outcomes, key=lambda outcome: outcome.number):
        if outcome.word in ALIVE:
            mutant = mutants[outcome.number]
            before, after = mutant.texts()
            yield f"{mutant.where} in {mutant.function or 'the module'}" + (
                " (no test executes it)" if outcome.word == "unseen" else ""
            )
            yield f"  - {before}"
            yield f"  + {after}"


def stale(entries: Iterable[accepted.Name]) -> Iterator[str]:
    for path, function, text in entries:
        yield f"accepted.txt: no mutant is `{text}` in {function or 'the module'} of {path}: remove the line"


def killed(mutants: Iterable[Mutant]) -> Iterator[str]:
    for mutant in mutants:
        yield f"accepted.txt: a test tells `{mutant.text}` in {mutant.where}: remove the line"

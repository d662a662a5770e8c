"""accepted.txt: the survivors that nobody could notice, each with the reason.

One line each, `file :: function :: statement => mutated statement :: reason`, as the list of survivors
prints it; a line that begins with # is a comment. A line that fits no mutant is stale, and is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.mutants.source import Mutant

Name = tuple[str, str, str]  # file, function, text

SEPARATOR = " :: "


class Accepted:
    """`reasons`: by the name of the mutant."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.reasons: dict[Name, str] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            path, function, text, reason = _fields(line, number)
            self.reasons[path, function, text] = reason
        self._functions = {(path, function) for path, function, _ in self.reasons}

    def __contains__(self, mutant: Mutant) -> bool:
        unit = (mutant.source.path, mutant.function)
        return unit in self._functions and name(mutant) in self.reasons

    def stale(self, mutants: Iterable[Mutant]) -> list[Name]:
        """The entries for the files of these mutants (all of them) that fit none."""
        known = {
            name(mutant) for mutant in mutants if (mutant.source.path, mutant.function) in self._functions
        }
        return [entry for entry in self.reasons if entry not in known]


def _fields(line: str, number: int) -> Sequence[str]:
    fields = [field.strip() for field in line.split(SEPARATOR)]
    if len(fields) != 4 or not fields[3]:
        raise ValueError(f"accepted.txt:{number}: not `file :: function :: statement => mutant :: reason`")
    return fields


def name(mutant: Mutant) -> Name:
    return mutant.source.path, mutant.function, mutant.text


def line(mutant: Mutant) -> str:
    """What to write into accepted.txt, but for the reason."""
    return SEPARATOR.join(name(mutant))


def read(path: Path) -> Accepted:
    return Accepted(path.read_text().splitlines() if path.exists() else ())

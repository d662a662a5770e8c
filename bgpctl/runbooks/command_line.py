"""The command that a person typed, and the one to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`words` as typed, program first."""

    words: tuple[str, ...] = ("bgpctl",)

    def __str__(self) -> str:
        return shlex.join(self.words)

    def with_flags(self, flags: Sequence[str]) -> CommandLine:
        """The same with more flags ("--force", "--max-unavailable 2"), each once: what it had said before for
        one of them goes."""
        words = list(self.words)
        for flag in dict.fromkeys(flags):
            name, _, value = flag.partition(" ")
            words = [*_without(words, name, takes_value=bool(value)), name, *([value] if value else [])]
        return CommandLine(tuple(words))

    def without(self, name: str) -> CommandLine:
        """The same without a flag that takes no value."""
        return CommandLine(tuple(_without(list(self.words), name, takes_value=False)))


def _without(words: list[str], name: str, *, takes_value: bool) -> list[str]:
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == name:
            if takes_value:
                next(rest, None)
        elif not word.startswith(f"{name}="):
            kept.append(word)
    return kept

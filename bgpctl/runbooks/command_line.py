"""The command that a person typed, and the one to type next."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bgpctl.runbooks.kept import OF_ATTEMPT

CLUSTER = ("--kubeconfig", "--context", "--as", "--as-group")
"""Which cluster a command is about, and as whom it is asked: all commands have these, kubectl's too."""
_QUOTED = re.compile(r"`(kubectl|bgpctl (?:calico|cilium|logs|node|peers|providers|routes)) [^`]+(?=`)")
_COMMAND, _AIMED = re.compile(r": (bgpctl|kubectl) "), re.compile(rf" ({'|'.join(CLUSTER)})\b")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`words` as typed, program first."""

    words: tuple[str, ...] = ("bgpctl",)

    def __str__(self) -> str:
        return shlex.join(self.words)

    @property
    def program(self) -> str:
        return " ".join(self.words[: 2 if self.words[0] == "kubectl" else 1])

    def other(self, *words: str) -> CommandLine:
        """Another command of ours about the same cluster, its flags where they were typed."""
        program, cluster = self.program.split(), tuple(self._cluster())
        first = self.words[len(program) :][:1]
        in_order = (*cluster, *words) if first and first[0].startswith("-") else (*words, *cluster)
        return CommandLine((*program, *in_order))

    def kubectl(self, *words: str) -> CommandLine:
        """A kubectl command about the same cluster: it has the same flags."""
        return CommandLine(("kubectl", *words, *self._cluster()))

    def again(self) -> CommandLine:
        """The same for another attempt: not with the time that was too short for this one."""
        words = list(self.words)
        for flag in OF_ATTEMPT:
            words = _without(words, flag, takes_value=True)
        return CommandLine(tuple(words))

    def aimed(self, hint: str) -> str:
        """A hint whose commands are about the same cluster, also where it was written by somebody who does
        not know what was typed: every command at the end of a line or in backticks has the flags."""
        cluster = shlex.join(tuple(self._cluster()))
        return "\n".join(
            _aimed(row, cluster) if cluster and not _AIMED.search(row) else row for row in hint.splitlines()
        )

    def _cluster(self) -> Iterator[str]:
        for number, word in enumerate(self.words):
            if word in CLUSTER:
                yield from self.words[number : number + 2]
            elif word.startswith(tuple(f"{flag}=" for flag in CLUSTER)):
                yield word

    def with_flags(self, flags: Sequence[str]) -> CommandLine:
        """The same with more flags ("--force", "--max-unavailable 2"), each once: what it had said before for
        one of them goes."""
        words = list(self.words)
        for flag in dict.fromkeys(flags):
            name, _, value = flag.partition(" ")
            words = [*_without(words, name, takes_value=bool(value)), name, *([value] if value else [])]
        return CommandLine(tuple(words))

    def with_words(self, more: Sequence[str]) -> CommandLine:
        return CommandLine((*self.words, *more))

    def without(self, name: str) -> CommandLine:
        """The same without a flag that takes no value."""
        return CommandLine(tuple(_without(list(self.words), name, takes_value=False)))


def _aimed(row: str, cluster: str) -> str:
    quoted = _QUOTED.sub(lambda found: f"{found[0]} {cluster}", row)
    return f"{quoted} {cluster}" if _COMMAND.search(row) else quoted


BARE = CommandLine()


def content(typed: CommandLine) -> CommandLine:
    """The same, content with an estimate: the journal keeps the option, so that to leave it out is not
    enough."""
    return typed.without("--require-confirmed").with_flags(["--no-require-confirmed"])


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

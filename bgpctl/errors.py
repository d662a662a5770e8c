"""What can go wrong, in the user's words. Every kind has its exit code; nothing else leaves the CLI.

A message says what happened; `hint` says what is safe and what to type next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum, auto


class Exit(IntEnum):
    """The exit codes of every command (design, "Runbooks")."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    BLOCKED = 3
    DEADLINE = 4
    INTERRUPTED = 130


class Tells(Enum):
    """What a message and its hint tell already, for whoever adds what is missing (`runbooks.advice`)."""

    SAFE = auto()  # whether the node may be powered off, or that nothing was changed
    GO_ON = auto()  # the whole command that goes on
    BACK = auto()  # how the node comes back, or why it may not yet
    REPLACED = auto()  # another run has the node: all of this is that one's to say
    LESSER = auto()  # there would be an estimate, which was asked not to count


class BgpctlError(Exception):
    """The root: something failed and the user must know. `said` are the words of somebody's command: shown to
    who ran it, and kept nowhere, because they may hold a secret."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, hint: str = "", said: str = "", tells: Iterable[Tells] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.said = said
        self.tells = frozenset(tells)

    @property
    def told(self) -> str:
        """The message for who ran it."""
        return f"{self.message}: {self.said}" if self.said else self.message


class UsageError(BgpctlError):
    """The input or the configuration is wrong; nothing was changed."""

    exit_code = Exit.USAGE


class Blocked(BgpctlError):
    """It may not go on as the world is now; running it again resumes."""

    exit_code = Exit.BLOCKED


class DeadlineExceeded(BgpctlError):
    """Time ran out; running it again resumes."""

    exit_code = Exit.DEADLINE


class Outdated(BgpctlError):
    """Somebody changed meanwhile what this was decided on: look again, decide again."""


class Temporary(BgpctlError):
    """The same request may succeed later (429, 5xx, connection lost). `retry_after` is in seconds."""

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a document: where it is, what is wrong, what is allowed.

    `path` is written as in kubectl's messages: `spec.virtualRouters[0].neighbors[1].peerPort`.
    """

    source: str
    document: int
    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.source + (f":{self.line}" if self.line else "")
        return f"{place}: document {self.document}: {self.path or '(document)'}: {self.message}"


class InvalidDocuments(UsageError):
    """Every fault of the given documents at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = tuple(problems)

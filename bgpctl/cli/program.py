"""Under which name we were called: bgpctl, or a plugin of kubectl."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgpctl.runbooks.command_line import CommandLine


def program() -> str:
    """The name to show in usage and hints: kubectl shows its plugins' words apart."""
    name = os.path.basename(sys.argv[0])
    return "kubectl bgp" if name.startswith("kubectl-bgp") or name == "kubectl_complete-bgp" else "bgpctl"


_TYPED: ContextVar[CommandLine | None] = ContextVar("typed", default=None)


def typed() -> CommandLine:
    """The command as it was typed, for hints that say what to type next."""
    from bgpctl.runbooks.command_line import CommandLine

    return _TYPED.get() or CommandLine((*program().split(), *sys.argv[1:]))


@contextmanager
def only(command: CommandLine) -> Iterator[None]:
    """Meanwhile this is what was typed: the part of it that is being done."""
    before = _TYPED.set(command)
    try:
        yield
    finally:
        _TYPED.reset(before)

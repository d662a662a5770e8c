"""The entry point of `bgpctl` and `kubectl-bgp`: finds out how it was called, and ends with an exit code.

Imports what a program has anyway: all else comes where a ^C is already understood.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

INTERRUPTED = 130  # errors.Exit, which is not imported yet


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line (without the program's name) and exit with its code (errors.Exit)."""
    _open_streams()
    try:
        _main(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # a command's own is caught where it runs
        print("error: interrupted before anything was done", file=sys.stderr)
        sys.exit(INTERRUPTED)


def complete() -> None:
    """What kubectl asks on a TAB after `kubectl bgp`. Whatever goes wrong, nothing is offered."""
    from contextlib import suppress

    from bgpctl.cli.completion import kubectl

    with suppress(Exception, KeyboardInterrupt):
        print(kubectl.complete(sys.argv[1:]))


def _open_streams() -> None:
    """A stream that the caller closed (`2>&-`) reads and writes nothing. Left closed it would be None, which
    ends a run at its first word, and its number would go to the next socket, and words into that."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))


def _main(arguments: list[str]) -> None:
    from bgpctl import __version__
    from bgpctl.cli.ascii import HANDLER
    from bgpctl.cli.errors import guard
    from bgpctl.cli.program import program

    if arguments == ["--version"]:
        # Asked by scripts and by every bug report: answered before the parser is even imported.
        with guard("--version"):
            print(f"{program()} {__version__}")
        sys.exit(0)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # Where that is no UTF-8, "0–5 s" is "0-5 s"; it does not end a drain with UnicodeEncodeError.
            stream.reconfigure(errors=HANDLER)
    from bgpctl.cli.app import run

    sys.exit(run(arguments, program()))

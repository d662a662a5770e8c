"""The entry point of `bgpctl` and `kubectl-bgp`: finds out how it was called, and ends with an exit code.

Imports what a program has anyway: all else comes where a ^C is already understood.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130  # errors.Exit, which is not imported yet


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line (without the program's name) and exit with its code (errors.Exit)."""
    try:
        _main(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # a command's own is caught where it runs
        print("error: interrupted before anything was done", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _main(arguments: list[str]) -> None:
    from bgpctl import __version__
    from bgpctl.cli.errors import guard
    from bgpctl.cli.program import program

    if arguments == ["--version"]:
        # Asked by scripts and by every bug report: answered before the parser is even imported.
        with guard("--version"):
            print(f"{program()} {__version__}")
        sys.exit(0)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # In the C locale a dash becomes "?"; it does not end a drain with UnicodeEncodeError.
            stream.reconfigure(errors="replace")
    from bgpctl.cli.app import run

    sys.exit(run(arguments, program()))

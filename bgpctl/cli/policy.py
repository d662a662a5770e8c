"""`bgpctl policy`: the policies as written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Report

app = typer.Typer(no_args_is_help=True, help="Validate policies before they are applied.")


@app.callback()
def policy() -> None:
    """Validate policies before they are applied."""


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    output: Report = "text",
) -> None:
    """Validate policy files: every error at once, with its place and what is allowed.

    Exit code 0 when all are valid, 2 otherwise.
    """
    with errors.guard("policy check", output):
        from bgpctl.documents.check import check_files
        from bgpctl.render import heard
        from bgpctl.render.policy import RENDERERS

        report = check_files(files)
        heard.shown(RENDERERS[output], report)
        raise SystemExit(int(report.exit_code))

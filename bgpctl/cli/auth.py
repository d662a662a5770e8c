"""`bgpctl auth`: what one may do, of all that bgpctl needs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Document, Kubeconfig, given
from bgpctl.cli.install import NAMESPACE

app = typer.Typer(no_args_is_help=True, help="What you may do, of all that bgpctl needs.")


@app.callback()
def auth() -> None:
    """What you may do, of all that bgpctl needs."""


@app.command()
def check(
    ctx: typer.Context,
    role: Annotated[
        Literal["drain", "node-operator", "reader", "speaker", "install"],
        typer.Option("--for", help="What it is for; drain is the same as node-operator."),
    ] = "drain",
    extras: Annotated[
        str,
        typer.Option(
            "--extras", metavar="NAME,...", help="With these, as `install --set extras=…` has them."
        ),
    ] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NS", help="Where bgpctl is installed.")
    ] = NAMESPACE,
    output: Document = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Ask the API server for every right at once; show what is missing, and the Role that would grant it.

    Exit code 0 when nothing is missing without which a command refuses, 1 otherwise. Nothing is changed, and
    everybody may ask about himself.
    """
    with errors.guard("auth check", output):
        from bgpctl.cli import wire
        from bgpctl.install.check import FOR
        from bgpctl.install.check import check as asked
        from bgpctl.install.settings import options
        from bgpctl.render import heard
        from bgpctl.render.auth import RENDERERS

        chosen = options(namespace, [f"extras={extras}"])
        client = wire.client(given(ctx, context, kubeconfig))
        report = asked(client, FOR[role], chosen["extras"], namespace)
        heard.shown(RENDERERS[output], report)
        raise SystemExit(1 if report.missing else 0)

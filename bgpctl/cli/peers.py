"""`bgpctl peers`: the BGP sessions of the cluster's speakers."""

from __future__ import annotations

from typing import Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Kubeconfig, Provider, given, listing

app = typer.Typer(no_args_is_help=True, help="The BGP sessions of the speakers.")

Output = Annotated[
    str,
    listing(
        "How to print it; wide adds AS numbers, timers, graceful restart, last error.",
        "table",
        "wide",
        "json",
        "yaml",
    ),
]


@app.callback()
def peers() -> None:
    """The BGP sessions of the speakers."""


@app.command()
def status(
    ctx: typer.Context,
    nodes: Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", show_default=False)] = None,
    output: Output = "table",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing it as it changes.")] = False,
    provider: Provider = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show every session: its state and since when, and the routes of each family.

    Exit code 0 when all sessions that were asked for are established, 1 otherwise: those of a node whose
    speaker published what cannot be read are not known to be. A speaker that stopped reporting is shown as
    stale, whatever it said last.
    """
    with errors.guard("peers status", output):
        from bgpctl.cli import observe, wire
        from bgpctl.render import heard
        from bgpctl.render.peers import RENDERERS

        client = wire.client(given(ctx, context, kubeconfig))
        names = tuple(nodes or ())
        picture = observe.peers(client, names, provider)
        if watch:
            from bgpctl.cli import follow

            follow.peers(client, names, output, provider)
        heard.shown(RENDERERS[output], picture)
        raise SystemExit(0 if picture.all_established else 1)

"""`bgpctl routes`: what nodes announce, what they should, and why the rest is absent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Kubeconfig, Provider, given, listing

if TYPE_CHECKING:
    from bgpctl.core.intent.routeview import NodeRoutes

Output = Annotated[
    str, listing("How to print it; wide adds why each route is there.", "table", "wide", "json", "yaml")
]
Nodes = Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", show_default=False)]


def routes(
    ctx: typer.Context,
    nodes: Nodes = None,
    peer: Annotated[
        str | None, typer.Option("--peer", metavar="ADDRESS", help="Only the routes of this peer.")
    ] = None,
    absent: Annotated[
        bool, typer.Option("--absent", help="Also list what is not announced, each with its reason.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory",
            metavar="DIR",
            help="Ask the speaker in this directory of this machine: exactly what it announced.",
        ),
    ] = None,
    provider: Provider = None,
    output: Output = "table",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show intended and announced routes, with their attributes and reasons.

    From outside, the intended routes come from the cluster's objects and the announced ones are counts that
    the speakers published. With --directory the speaker on this machine tells every route. The output names
    its source. Exit code 1 when what a node asked for by name published cannot be read; without NODE that is
    a note of its node.
    """
    with errors.guard("routes", output):
        from bgpctl.core.intent.routeview import only_peer
        from bgpctl.render import heard
        from bgpctl.render.routes import RENDERERS, Shown

        names = tuple(nodes or ())
        found: Iterable[NodeRoutes]
        if directory is not None:
            found, failed = _local(directory, names), False
        else:
            from bgpctl.cli import wire
            from bgpctl.queries.routes import node_routes

            client = wire.client(given(ctx, context, kubeconfig))
            found = look = node_routes(client, names, wire.provider(client, provider))
            failed = look.unreadable
        shown = Shown(only_peer(found, peer) if peer else found, absent, failed)
        heard.shown(RENDERERS[output], shown)
        raise SystemExit(1 if shown.failed else 0)


def _local(directory: Path, names: Sequence[str]) -> tuple[NodeRoutes, ...]:
    """The one node whose speaker runs there."""
    from bgpctl.errors import UsageError
    from bgpctl.speaker.status import client as speaker_client

    found = speaker_client.routes(directory)
    if names and tuple(names) != (found.node,):
        raise UsageError(
            f"the speaker in {directory} is that of {found.node}", "leave NODE out, or leave --directory out"
        )
    return (found,)

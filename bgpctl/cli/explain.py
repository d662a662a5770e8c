"""`bgpctl explain`: why something is, or is not, announced."""

from __future__ import annotations

from typing import Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Kubeconfig, Provider, Report, RouterProbes, given


def explain(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="PREFIX|SERVICE|POD|NODE",
            show_default=False,
            help="203.0.113.7, 10.244.1.0/24, svc/default/web, default/web, pod/default/web-1, worker-1.",
        ),
    ],
    from_node: Annotated[
        str | None, typer.Option("--from", metavar="NODE", help="Only the routes of this node.")
    ] = None,
    to_peer: Annotated[
        str | None,
        typer.Option("--to", metavar="PEER", help="Only to the peer of this address, or this name."),
    ] = None,
    namespace: Annotated[
        str,
        typer.Option(
            "--namespace", "-n", metavar="NS", help="Where the Service or the Pod is.  [default: default]"
        ),
    ] = "",
    router_probes: RouterProbes = None,
    provider: Provider = None,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Explain why something is, or is not, announced, link by link from the object to the router.

    The intent function of the speaker gives every reason, and is asked again with each repair that is named:
    with all of them the route is there. Of a prefix it tells which objects are behind it.

    Exit code 0 when every address that was asked about is announced by at least one node to at least one of
    its peers (--from and --to narrow which count), of a node when it announces anything to one of them; 1
    when one is not, or nobody can tell; 2 when what was asked about does not exist.
    """
    with errors.guard("explain", output):
        from bgpctl.cli import wire
        from bgpctl.core.intent.explaining.asked import parse_asked
        from bgpctl.queries.explaining.look import explain as look
        from bgpctl.render import heard
        from bgpctl.render.explain import RENDERERS
        from bgpctl.witness.probe import parse_probe

        asked = parse_asked(what, namespace)
        client = wire.client(given(ctx, context, kubeconfig))
        probes = [parse_probe(text) for text in wire.router_probes(client, router_probes or ())]
        found = look(client, wire.provider(client, provider), asked, from_node, to_peer, probes)
        heard.shown(RENDERERS[output], found)
        raise SystemExit(0 if found.green else 1)

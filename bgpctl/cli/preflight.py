"""`bgpctl preflight`: what an upgrade would cost, found out before it is begun."""

from __future__ import annotations

from typing import Annotated

import typer

from bgpctl.cli import errors, flags, parse
from bgpctl.cli.flags import (
    Context,
    Kubeconfig,
    PeerProfiles,
    Provider,
    Report,
    RouterProbes,
    Timeout,
    given,
)
from bgpctl.cli.program import typed

app = typer.Typer(no_args_is_help=True, help="Find out what an upgrade would cost, before it is begun.")


@app.callback()
def preflight() -> None:
    """Find out what an upgrade would cost, before it is begun."""


Image = Annotated[
    str,
    typer.Option(
        "--image", metavar="IMAGE", parser=parse.image, show_default=False, help="What is upgraded to."
    ),
]
Nodes = Annotated[
    str,
    typer.Option(
        "--nodes",
        metavar="NODE,…",
        show_default=False,
        help="Only these nodes. Default: those on which it runs.",
    ),
]
Selector = Annotated[str, flags.node_selector("Only the nodes with these labels.")]
Canary = Annotated[
    str,
    typer.Option(
        "--canary",
        metavar="NODE",
        show_default=False,
        help="Restart what speaks BGP on this node, to measure how long that takes: its pod is deleted. "
        "Default: nothing is restarted, and the last restart that was seen counts.",
    ),
]
AllowRouteLoss = Annotated[
    bool,
    typer.Option(
        "--allow-route-loss", help="Restart the canary although its routers may drop the routes meanwhile."
    ),
]
PodNamespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NS",
        show_default=False,
        help="Where the pods that pull are made. Default: beside the pods of what speaks BGP.",
    ),
]


@app.command()
def upgrade(
    ctx: typer.Context,
    image: Image,
    nodes: Nodes = "",
    selector: Selector = "",
    canary: Canary = "",
    allow_route_loss: AllowRouteLoss = False,
    pod_selector: Annotated[
        str,
        flags.pod_selector(
            "The labels of the pods that speak BGP. Default: as their own manifests have them.",
            show_default=False,
        ),
    ] = "",
    namespace: PodNamespace = "",
    timeout: Timeout = 600.0,
    peer_profiles: PeerProfiles = None,
    router_probes: RouterProbes = None,
    provider: Provider = None,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Pull an image on every node, and tell where an upgrade to it ends before routers drop the routes.

    A short-lived pod on each node pulls it, without running anything of it, and is removed again, also when
    this is interrupted. Pull and restart together are held against the negotiated Restart Time and the
    routers' own limits. Exit code 0: all nodes fit; 1: some do not, or it is not known; 3: a right is
    missing, another preflight is at it, or the canary may not be restarted; 4: time was up.
    """
    with errors.guard("preflight upgrade", output, resumable=True):
        from bgpctl.cli import wire
        from bgpctl.errors import UsageError
        from bgpctl.queries.preflight import Asked
        from bgpctl.queries.preflight import preflight as examined
        from bgpctl.render import heard
        from bgpctl.render.preflight import RENDERERS
        from bgpctl.witness.probe import parse_probe

        if nodes and selector:
            raise UsageError("--nodes and --selector both choose nodes", "give one of the two")
        client = wire.client(given(ctx, context, kubeconfig))
        probes = wire.router_probes(client, router_probes or ())
        asked = Asked(
            image,
            names(nodes),
            selector,
            namespace,
            pod_selector,
            canary,
            allow_route_loss,
            timeout,
            parse.profiles(peer_profiles or ()),
            tuple(map(parse_probe, probes)),
            typed(),
        )
        report = examined(client, wire.provider(client, provider), asked, _say)
        heard.shown(RENDERERS[output], report)
        raise SystemExit(int(report.exit_code))


def names(nodes: str) -> tuple[str, ...]:
    """Those of --nodes, each once; () = it was not given. Raises UsageError where it names none."""
    from bgpctl.errors import UsageError

    found = tuple(dict.fromkeys(name.strip() for name in nodes.split(",") if name.strip()))
    if nodes and not found:
        raise UsageError(f"--nodes {nodes!r} names no node", "write --nodes worker-1,worker-2")
    return found


def _say(text: str) -> None:
    """Progress is for people: standard output has the report alone."""
    from bgpctl.render.text import printable

    typer.echo(printable(text), err=True)

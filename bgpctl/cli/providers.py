"""`bgpctl providers`: who speaks BGP in the cluster; `bgpctl cilium` and `bgpctl calico`: what those need
beforehand."""

from __future__ import annotations

from typing import Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Document, DryRun, Kubeconfig, given

cilium = typer.Typer(no_args_is_help=True, help="Prepare a cluster whose BGP Cilium runs.")
calico = typer.Typer(no_args_is_help=True, help="Prepare a cluster whose BGP Calico runs.")
Undo = Annotated[bool, typer.Option("--undo", help="Remove what it made.")]


def providers(
    ctx: typer.Context, output: Document = "text", context: Context = None, kubeconfig: Kubeconfig = None
) -> None:
    """Show who speaks BGP in the cluster, what a drain's lever does there, and which rights are missing.

    withdraws: every route by UPDATE, with the sessions up. closes: the sessions end, and routers may keep the
    routes over that.
    """
    with errors.guard("providers", output):
        from bgpctl.cli import wire
        from bgpctl.providers.summary import summaries
        from bgpctl.render import heard
        from bgpctl.render.providers import RENDERERS

        heard.shown(RENDERERS[output], summaries(wire.client(given(ctx, context, kubeconfig))))


@cilium.callback()
def noun() -> None:
    """Prepare a cluster whose BGP Cilium runs."""


@cilium.command()
def prepare(
    ctx: typer.Context,
    undo: Undo = False,
    soak: Annotated[
        bool,
        typer.Option(
            "--soak",
            help="Also make what `node drain --soak` needs: copies that announce with GRACEFUL_SHUTDOWN. "
            "Kept up to date from then on.",
        ),
    ] = False,
    dry_run: DryRun = False,
    output: Document = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let drains withdraw before they close: copy each CiliumBGPPeerConfig, without its advertisements.

    Nobody refers to the copies until a drain does. Run it once, and again when a CiliumBGPPeerConfig was
    changed; a drain refuses copies that differ, or that are younger than half a minute. Of each
    CiliumBGPPeeringPolicy it makes a second one that announces nothing. Also clears away what drains left of
    nodes that are no more.
    """
    with errors.guard("cilium prepare", output):
        from bgpctl.cli import wire
        from bgpctl.providers import cilium_copies
        from bgpctl.render import heard
        from bgpctl.render.providers import CHANGES

        client = wire.client(given(ctx, context, kubeconfig))
        changes = cilium_copies.undone(client) if undo else cilium_copies.prepared(client, soak=soak)
        if not dry_run:
            cilium_copies.perform(client, changes)
        heard.shown(CHANGES[output], "cilium prepare", changes, dry_run)


@calico.callback()
def calico_noun() -> None:
    """Prepare a cluster whose BGP Calico runs."""


@calico.command("prepare")
def calico_prepare(
    ctx: typer.Context,
    undo: Undo = False,
    dry_run: DryRun = False,
    output: Document = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let drains withdraw: make a BGPFilter that rejects everything, and ask calico-node for its sessions.

    No BGPPeer has the filter until a drain puts it in. Run it once, and again when there are new nodes: each
    with a peer gets a CalicoNodeStatus. Also clears away what drains left of nodes that are no more.
    """
    with errors.guard("calico prepare", output):
        from bgpctl.cli import wire
        from bgpctl.providers import calico_prepare as changing
        from bgpctl.render import heard
        from bgpctl.render.providers import CHANGES

        client = wire.client(given(ctx, context, kubeconfig))
        changes = changing.undone(client) if undo else changing.prepared(client)
        if not dry_run:
            changing.perform(client, changes)
        heard.shown(CHANGES[output], "calico prepare", changes, dry_run)

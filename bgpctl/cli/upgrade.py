"""`bgpctl speaker upgrade`: another image for every node's speaker, one node after the other."""

from __future__ import annotations

from typing import Annotated

import typer

from bgpctl.cli import errors, flags, parse
from bgpctl.cli.flags import Context, DryRun, Kubeconfig, Report, RouterProbes, TakeOver, given
from bgpctl.cli.preflight import Image, Nodes, names
from bgpctl.cli.program import typed

Containers = Annotated[
    list[str] | None,
    typer.Option(
        "--container",
        metavar="NAME",
        help="Which containers get the image. Default: the only one, or those that run another version of "
        "it. Repeatable.",
    ),
]
PerNode = Annotated[
    float,
    flags.duration(
        "--timeout",
        "Give up when one node takes longer than this (exit 4); running again goes on.  [default: 10m]",
        parse.positive_duration,
    ),
]


def upgrade(
    ctx: typer.Context,
    image: Image,
    nodes: Nodes = "",
    container: Containers = None,
    pod_selector: Annotated[
        str, flags.pod_selector("The labels of the speakers' pods.")
    ] = flags.SPEAKER_PODS,
    namespace: flags.Namespace = "",
    expect: flags.Expect = 30.0,
    allow_route_loss: flags.AllowRouteLoss = False,
    timeout: PerNode = 600.0,
    router_probes: RouterProbes = None,
    take_over: TakeOver = False,
    dry_run: DryRun = False,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Give every node's speaker another image, one node after the other, and stop at the first lost route.

    The image is pulled everywhere first. The DaemonSet gets it with updateStrategy OnDelete, and its own
    strategy back at the end; between, each node is restarted as by `speaker restart`, and the next one waits
    until its sessions are up and its routes announced. Run again, it goes on with the nodes that are left.
    """
    with errors.guard("speaker upgrade", output, resumable=True):
        from bgpctl.cli import wire
        from bgpctl.render.runbook import RENDERERS
        from bgpctl.runbooks import upgrade as runbook
        from bgpctl.runbooks.upgrade_look import UpgradeOptions

        client = wire.client(given(ctx, context, kubeconfig))
        options = UpgradeOptions(
            image,
            pod_selector,
            namespace,
            names(nodes),
            tuple(container or ()),
            expect,
            allow_route_loss,
            timeout,
            wire.router_probes(client, router_probes or ()),
            take_over,
            typed(),
        )
        run = (runbook.plan if dry_run else runbook.upgrade)(client, options)
        title = f"{'plan: ' if dry_run else ''}upgrade the speakers to {image}"
        result = RENDERERS[output](run, title, plan=dry_run)
        raise SystemExit(int(result.exit_code))

"""`bgpctl node`: take a node out of service, bring it back, see where it is, and what leaving would cost."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from bgpctl.cli import errors, parse
from bgpctl.cli.flags import (
    Context,
    Kubeconfig,
    PeerProfiles,
    Report,
    RouterProbes,
    TakeOver,
    Timeout,
    given,
)

app = typer.Typer(no_args_is_help=True, help="Take a node out of service, and bring it back.")

Node = Annotated[str, typer.Argument(metavar="NODE", show_default=False)]
Document = Annotated[
    Literal["text", "json", "yaml"], typer.Option("--output", "-o", help="How to print the result.")
]


@app.command()
def drain(
    ctx: typer.Context,
    node: Node,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show every step and refusal; change nothing.")
    ] = False,
    order: Annotated[
        Literal["guide", "withdraw-first"],
        typer.Option(
            "--order",
            help="guide evicts pods, then withdraws; withdraw-first moves traffic away before pods die.",
        ),
    ] = "guide",
    timeout: Timeout = 600.0,
    settle: Annotated[
        float,
        typer.Option(
            "--settle",
            metavar="DURATION",
            show_default="2s",
            parser=parse.duration,
            help="Wait this long after the routes are gone, for packets on their way.",
        ),
    ] = 2.0,
    deselect_label: Annotated[
        str | None,
        typer.Option(
            "--deselect-label",
            metavar="KEY=VALUE",
            parser=parse.label_change,
            help="The label change that takes the node out of its policy; KEY- removes. Default: found from "
            "the policy's nodeSelector.",
        ),
    ] = None,
    shutdown_command: Annotated[
        str | None,
        typer.Option(
            "--shutdown-command",
            metavar="CMD",
            help="Run this as the last step, without a shell; {node} is the node's name. Default: hand over.",
        ),
    ] = None,
    router_probes: RouterProbes = None,
    peer_profiles: PeerProfiles = None,
    ignore_daemonsets: Annotated[
        bool,
        typer.Option(
            "--ignore-daemonsets/--no-ignore-daemonsets",
            help="Leave DaemonSets' pods alone. Unlike kubectl's this is on: the speaker, which has to "
            "withdraw the routes, is such a pod.",
        ),
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Also evict pods that no controller would recreate.")
    ] = False,
    delete_emptydir_data: Annotated[
        bool, typer.Option("--delete-emptydir-data", help="Also evict pods whose emptyDir data is lost.")
    ] = False,
    grace_period: Annotated[
        int,
        typer.Option("--grace-period", metavar="SECONDS", help="Pods' time to end; -1 = their own."),
    ] = -1,
    disable_eviction: Annotated[
        bool, typer.Option("--disable-eviction", help="Delete pods, past every PodDisruptionBudget.")
    ] = False,
    pod_selector: Annotated[
        str, typer.Option("--pod-selector", metavar="SELECTOR", help="Evict only pods with these labels.")
    ] = "",
    skip_wait_for_delete_timeout: Annotated[
        float,
        typer.Option(
            "--skip-wait-for-delete-timeout",
            metavar="DURATION",
            show_default="0",
            parser=parse.duration,
            help="Do not wait for pods that were deleted longer ago than this; 0 = wait for all.",
        ),
    ] = 0.0,
    allow_last_path: Annotated[
        bool,
        typer.Option("--allow-last-path", help="Go on although this node is a route's last path."),
    ] = False,
    take_over: TakeOver = False,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take a node out of service: cordon, evict, withdraw its routes, wait until the routers let go.

    Ends with "safe to power off" and the proof: confirmed (a router said so) or estimated (a computed time
    passed). Running it again goes on where it stopped.
    """
    with errors.guard("node drain", output, resumable=True):
        from bgpctl.cli import wire
        from bgpctl.core.eviction import EvictionOptions
        from bgpctl.out.runbook import RENDERERS
        from bgpctl.runbooks import drain as runbook
        from bgpctl.runbooks.options import DrainOptions

        command = parse.command_line(shutdown_command) if shutdown_command is not None else ()
        profiles = parse.profiles(peer_profiles or ())
        eviction = EvictionOptions(
            ignore_daemonsets=ignore_daemonsets,
            force=force,
            delete_emptydir_data=delete_emptydir_data,
            grace_period=grace_period,
            disable_eviction=disable_eviction,
            pod_selector=pod_selector,
            skip_wait_for_delete_timeout=round(skip_wait_for_delete_timeout),
        )
        client = wire.client(given(ctx, context, kubeconfig))
        options = DrainOptions(
            node=node,
            order=order,
            timeout=timeout,
            settle=settle,
            deselect_label=deselect_label,
            shutdown_command=command,
            eviction=eviction,
            probes=wire.router_probes(client, router_probes or ()),
            profiles=profiles,
            force_last_path=allow_last_path,
            take_over=take_over,
        )
        run = runbook.plan(client, options) if dry_run else runbook.drain(client, options)
        title = f"{'plan: ' if dry_run else ''}drain {node}, order {order}"
        raise SystemExit(int(RENDERERS[output](run, title).exit_code))


@app.command()
def restore(
    ctx: typer.Context,
    node: Node,
    timeout: Timeout = 600.0,
    router_probes: RouterProbes = None,
    peer_profiles: PeerProfiles = None,
    take_over: TakeOver = False,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Bring a drained node back: label, sessions, routes, and only then pods.

    Restores what the drain found: a node that an administrator had cordoned before stays cordoned.
    """
    with errors.guard("node restore", output, resumable=True):
        from bgpctl.cli import wire
        from bgpctl.out.runbook import RENDERERS
        from bgpctl.runbooks import drain as runbook
        from bgpctl.runbooks.options import RestoreOptions

        profiles = parse.profiles(peer_profiles or ())
        client = wire.client(given(ctx, context, kubeconfig))
        probes = wire.router_probes(client, router_probes or ())
        options = RestoreOptions(
            node=node, timeout=timeout, probes=probes, profiles=profiles, take_over=take_over
        )
        result = RENDERERS[output](runbook.restore(client, options), f"restore {node}")
        raise SystemExit(int(result.exit_code))


@app.command()
def status(
    ctx: typer.Context,
    nodes: Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", show_default=False)] = None,
    output: Document = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show what is in service, what runs or ran on each node, and the proof of its withdrawal.

    Without NODE: all nodes.
    """
    with errors.guard("node status", output):
        import time

        from bgpctl.cli import wire
        from bgpctl.out.node import RENDERERS
        from bgpctl.runbooks.inspect import node_reports

        client = wire.client(given(ctx, context, kubeconfig))
        now = time.time()
        RENDERERS[output](node_reports(client, tuple(nodes or ()), now), now)


@app.command()
def estimate(
    ctx: typer.Context,
    node: Node,
    peer_profiles: PeerProfiles = None,
    output: Document = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Estimate how long routers may go on sending, per peer and event, best and worst, and why.

    From negotiated values where a session exists, else from the policy. What is unknown counts at its worst.
    """
    with errors.guard("node estimate", output):
        from bgpctl.cli import wire
        from bgpctl.out.estimate import RENDERERS
        from bgpctl.runbooks.estimates import node_estimates

        profiles = parse.profiles(peer_profiles or ())
        client = wire.client(given(ctx, context, kubeconfig))
        RENDERERS[output](node, node_estimates(client, node, profiles))

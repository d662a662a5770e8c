"""`bgpctl node`: take a node out of service, bring it back, see where it is, and what leaving would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from bgpctl.cli import drain_flags as flags
from bgpctl.cli import errors, parse, several
from bgpctl.cli.flags import (
    Context,
    Deadline,
    Document,
    DryRunBy,
    Kubeconfig,
    Listing,
    MayDryRun,
    PeerProfiles,
    Provider,
    Reason,
    Report,
    RouterProbes,
    TakeOver,
    asked,
    given,
)
from bgpctl.cli.inherited import forgotten, with_inherited
from bgpctl.cli.program import typed

if TYPE_CHECKING:
    from bgpctl.kube.client import Client
    from bgpctl.runbooks.options import DrainOptions, RestoreOptions

app = typer.Typer(no_args_is_help=True, help="Take a node out of service, and bring it back.")

Node = Annotated[str, typer.Argument(metavar="NODE", show_default=False)]


@app.command(cls=MayDryRun)
def drain(
    ctx: typer.Context,
    nodes: several.Nodes = None,
    selector: several.Selector = "",
    dry_run: DryRunBy = "none",
    order: flags.Order = "guide",
    reason: Reason = None,
    timeout: Deadline = 600.0,
    settle: flags.Settle = 2.0,
    soak: flags.Soak = 0.0,
    deselect_label: flags.DeselectLabel = None,
    shutdown_command: flags.ShutdownCommand = None,
    router_probes: RouterProbes = None,
    peer_profiles: PeerProfiles = None,
    ignore_daemonsets: flags.IgnoreDaemonsets = True,
    force: flags.Force = False,
    delete_emptydir_data: flags.DeleteEmptydirData = False,
    grace_period: flags.GracePeriod = -1,
    disable_eviction: flags.DisableEviction = False,
    pod_selector: flags.PodSelector = "",
    skip_wait_for_delete_timeout: flags.SkipWaitForDelete = 0.0,
    allow_last_path: flags.AllowLastPath = False,
    allow_address_gap: flags.AllowAddressGap = False,
    beside_another_stack: flags.BesideAnotherStack = False,
    require_confirmed: flags.RequireConfirmed = False,
    assume_dead: flags.AssumeDead = False,
    max_unavailable: flags.MaxUnavailable = 1,
    provider: Provider = None,
    take_over: TakeOver = False,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take a node out of service: cordon, evict, withdraw its routes, wait until the routers let go.

    Several nodes, or those of a --selector, go one after the other, as many as --max-unavailable allows; the
    first that does not end well is the last.

    Ends with "safe to power off" and the proof: confirmed (every router said so), reported (the node's own
    BGP engine did) or estimated (a computed time passed). Running it again goes on where it stopped, with
    the options that it was asked for then; only commands, probes, --assume-dead and --disable-eviction must
    be given again.
    """
    with errors.guard("node drain", output, resumable=True):
        from bgpctl.cli import wire

        several.meant(ctx, nodes or (), selector)
        flags.options("", ctx.params)  # what is wrong with them is told before anything is asked
        client = wire.client(given(ctx, context, kubeconfig))
        chosen = several.chosen(client, nodes or (), selector)
        several.within(chosen, max_unavailable)

        def run(node: str) -> int:
            options = _resumed(ctx, client, node)
            if dry_run != "none":
                options = replace(options, after=tuple(chosen[: chosen.index(node)]))
            return _drain(client, options, router_probes or (), dry_run=dry_run, output=output)

        raise SystemExit(several.one_by_one(ctx, chosen, run))


def _resumed(ctx: typer.Context, client: Client, node: str) -> DrainOptions:
    """The options of one node's drain, with those of the run that it goes on with, where nothing else is said
    now."""
    from bgpctl.queries import nodes as node_queries
    from bgpctl.runbooks import kept

    journal = node_queries.journal_of(client, node)
    goes_on = journal is not None and journal.command == "drain"
    before = journal.asked if journal and goes_on else {}
    by_default = kept.keep(asked(ctx, "DEFAULT_MAP"))
    values = forgotten(ctx, kept.INHERITED) if goes_on else ctx.params
    options, said = flags.options(node, values), kept.keep(asked(ctx))
    if inherited := kept.inherited(before, said):
        options = with_inherited(ctx, node, inherited, flags.options, values)
    left = {f: v for f, v in kept.merged(before, said).items() if f not in (*said, *kept.OF_ATTEMPT)}
    whole = typed().with_words(kept.words(kept.printed(left, "drain")))
    begun = {} if goes_on else by_default  # another machine that goes on has another file
    return replace(options, asked={**begun, **inherited, **said}, typed=whole, inherited=inherited)


def _drain(client: Client, options: DrainOptions, probes: Sequence[str], *, dry_run: str, output: str) -> int:
    """Run or plan the drain and show it; returns the exit code."""
    from bgpctl.cli import wire
    from bgpctl.render.runbook import RENDERERS
    from bgpctl.runbooks import child
    from bgpctl.runbooks import drain as runbook

    child.find(options.shutdown_command, "--shutdown-command")
    found = wire.router_probes(client, probes)
    options = replace(options, probes=found, probes_in=wire.probes_in(probes, found))
    plan, server = dry_run != "none", dry_run == "server"
    run = runbook.plan(client, options, server=server) if plan else runbook.drain(client, options)
    title = f"{'plan: ' if plan else ''}drain {options.node}, order {options.order}"
    return int(RENDERERS[output](run, title, plan=plan).exit_code)


@app.command(cls=MayDryRun)
def restore(
    ctx: typer.Context,
    nodes: several.Nodes = None,
    selector: several.Selector = "",
    reason: Reason = None,
    timeout: Deadline = 600.0,
    router_probes: RouterProbes = None,
    provider: Provider = None,
    take_over: TakeOver = False,
    dry_run: DryRunBy = "none",
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Bring drained nodes back, one after the other: label, sessions, routes, and only then pods.

    Restores what the drain found: a node that an administrator had cordoned before stays cordoned.
    """
    with errors.guard("node restore", output, resumable=True):
        from bgpctl.cli import wire
        from bgpctl.runbooks import kept
        from bgpctl.runbooks.options import RestoreOptions

        several.meant(ctx, nodes or (), selector)
        client = wire.client(given(ctx, context, kubeconfig))
        probes = wire.router_probes(client, router_probes or ())

        def run(node: str) -> int:
            options = RestoreOptions(
                node=node,
                timeout=timeout,
                probes=probes,
                take_over=take_over,
                provider=provider or "",
                typed=typed(),
                asked=kept.keep(asked(ctx)),
            )
            return _restore(client, options, dry_run=dry_run, output=output)

        raise SystemExit(several.one_by_one(ctx, several.chosen(client, nodes or (), selector), run))


def _restore(client: Client, options: RestoreOptions, *, dry_run: str, output: str) -> int:
    """Run or plan the restore and show it; returns the exit code."""
    from bgpctl.render.runbook import RENDERERS
    from bgpctl.runbooks import drain as runbook

    plan, server = dry_run != "none", dry_run == "server"
    run = runbook.plan_restore(client, options, server=server) if plan else runbook.restore(client, options)
    title = f"{'plan: ' if plan else ''}restore {options.node}"
    return int(RENDERERS[output](run, title, plan=plan).exit_code)


@app.command()
def status(
    ctx: typer.Context,
    nodes: Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", show_default=False)] = None,
    provider: Provider = None,
    output: Listing = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show what is in service, what runs or ran on each node, and the proof of its withdrawal.

    Without NODE: all nodes. What a node's speaker published and cannot be read stands in its row; it is exit
    code 1 when that node was asked for by name. A journal that cannot be read, or was removed, always is.

    \b
    Some words of SERVICE:
      degraded         its speaker has peers, and it does not serve: not ready,
                       cordoned, a session down, or a speaker that is silent
      unknown          nobody tells whether its sessions are up, or what became of
                       its drain; why stands below the table
      no-bgp           no policy selects it, or no speaker ever reported
      drain-stopped    a drain is half done, and nobody goes on with it
      restore-stopped  the same of a restore; the node is not back yet
      restart-stopped  the same of a restart of its speaker
    """
    with errors.guard("node status", output):
        from bgpctl.cli import wire
        from bgpctl.queries.nodes import node_reports
        from bgpctl.render import heard
        from bgpctl.render.node import RENDERERS

        client = wire.client(given(ctx, context, kubeconfig))
        whose = wire.provider(client, provider)
        reports = node_reports(client, tuple(nodes or ()), typed(), whose)
        heard.shown(RENDERERS[output], reports, client.present())
        raise SystemExit(1 if any(report.fails for report in reports) else 0)


@app.command()
def estimate(
    ctx: typer.Context,
    node: Node,
    peer_profiles: PeerProfiles = None,
    provider: Provider = None,
    output: Document = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Estimate how long routers may go on sending, per peer and event, best and worst, and why.

    From negotiated values where a session exists, else from the policy. What is unknown counts at its worst.

    The N bit (RFC 8538) keeps routes also over a NOTIFICATION and the hold timer. It pays where sessions end
    so while nodes forward on, and costs the restart time when a node loses power. A leave withdraws first,
    and ends with a Hard Reset where both sides send the N bit.
    """
    with errors.guard("node estimate", output):
        from bgpctl.cli import wire
        from bgpctl.queries.estimates import node_estimates
        from bgpctl.render import heard
        from bgpctl.render.estimate import RENDERERS

        profiles = parse.profiles(peer_profiles or ())
        client = wire.client(given(ctx, context, kubeconfig))
        whose = wire.provider(client, provider) if provider else None
        heard.shown(RENDERERS[output], node, node_estimates(client, node, profiles, whose))

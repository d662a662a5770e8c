"""`bgpctl logs`: what the BGP control planes of all nodes wrote, as one log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgpctl.cli import errors, flags, parse
from bgpctl.cli.flags import Context, Given, Kubeconfig, Provider, Report, given
from bgpctl.cli.program import typed

if TYPE_CHECKING:
    from bgpctl.kube.client import Client
    from bgpctl.providers.pods import Pods
    from bgpctl.queries.logs import Log

    Find = Callable[[], Sequence[Log]]

Nodes = Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", show_default=False)]
Since = Annotated[float, flags.duration("--since", "Only the last of them.  [default: all]")]
Files = Annotated[
    list[Path] | None,
    typer.Option("--file", metavar="PATH", help="Read this log file instead of pods. Repeatable."),
]


def logs(
    ctx: typer.Context,
    nodes: Nodes = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are written.")] = False,
    peer: Annotated[
        str | None, typer.Option("--peer", metavar="ADDRESS", help="Only lines that name this peer.")
    ] = None,
    since: Since = 0.0,
    file: Files = None,
    provider: Provider = None,
    pod_selector: Annotated[
        str | None,
        flags.pod_selector(
            "The labels of the pods to read, all of their containers. Default: those of who speaks BGP.",
            show_default=False,
        ),
    ] = None,
    namespace: flags.Namespace = "",
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the BGP control plane's log lines of all selected nodes, merged by time.

    Reads the lines of bgpctl's speakers and Cilium's agents, as text and JSON, of MetalLB's speakers and
    kube-router, of FRR and of Calico's BIRD. Times are UTC.
    """
    with errors.guard("logs", output):
        import sys
        import time

        from bgpctl.core.loglines import Wanted
        from bgpctl.queries.logs import Follower, once
        from bgpctl.render.logs import RENDERERS
        from bgpctl.render.text import printable

        def complain(text: str) -> None:
            print(f"warning: {printable(text)}", file=sys.stderr, flush=True)

        names = tuple(nodes or ())
        address = str(parse.ip(peer, "--peer")) if peer else ""
        wanted = Wanted(names, address, time.time() - since if since else 0.0)

        kube = given(ctx, context, kubeconfig)
        find = _files(file) if file else _pods(kube, (pod_selector, provider), namespace, names, complain)
        lines = Follower(find, wanted, complain).lines() if follow else once(find(), wanted, complain)
        for line in lines:
            RENDERERS[output](line)


def _of_a_lab(kube: Given, nodes: Sequence[str]) -> str:
    """The command that reads the logs of the lab that the kubeconfig is of, whose speakers are in no pods; ""
    = it is of none."""
    import shlex

    from bgpctl.kube.config import files as kubeconfigs
    from bgpctl.lab.place import speakers_of

    found = speakers_of(kubeconfigs(kube.kubeconfig))
    here = [place for place in found if not nodes or place.name in nodes]
    files = " ".join(f"--file {shlex.quote(str(place / 'speaker.log'))}" for place in here)
    return f"the speakers of a lab write to files: {typed()} {files}" if files else ""


def _files(paths: Sequence[Path]) -> Find:
    """Raises UsageError for a file that cannot be read: to follow it would be to wait for ever."""
    from bgpctl.speaker.logfiles import FileLog

    found = [FileLog(path) for path in paths]
    for log in found:
        log.check()
    return lambda: found


def _chosen(client: Client, selector: str | None, provider: str | None) -> Sequence[Pods]:
    """Which pods to read. Whose cluster does not tell who speaks BGP in it gets our own speaker's."""
    from bgpctl.cli import wire
    from bgpctl.errors import BgpctlError
    from bgpctl.providers.pods import TABLE, Pods

    if selector:
        return (Pods((selector,), chosen=True),)
    try:
        return wire.pods(client, provider)
    except BgpctlError:
        if provider:
            raise
        return (TABLE["bgpctl"],)


def _pods(
    kube: Given,
    which: tuple[str | None, str | None],
    namespace: str,
    nodes: Sequence[str],
    complain: Callable[[str], None],
) -> Find:
    """What it returns raises BgpctlError when there is none, and complains about nodes without one: silence
    would pass for a quiet cluster."""
    from bgpctl.cli import wire
    from bgpctl.errors import BgpctlError
    from bgpctl.kube.podlogs import pod_logs

    client = wire.client(kube)
    wire.look_for(client, nodes)
    stacks = _chosen(client, *which)
    selector = " or ".join(one for stack in stacks for one in stack.selectors)
    told: set[str] = set()  # nodes without such a pod, each complained about once

    def find() -> Sequence[Log]:
        found = {
            log.key: log
            for stack in stacks
            for one in stack.selectors
            for log in pod_logs(client, one, namespace, nodes, stack.logs, stack.counts)
        }
        if not found:
            where = f" on {', '.join(nodes)}" if nodes else ""
            hint = "choose the speakers' pods with --pod-selector and --namespace, or read files with --file"
            raise BgpctlError(f"no pod with labels {selector}{where}", _of_a_lab(kube, nodes) or hint)
        for name in sorted({*nodes} - {log.node for log in found.values()} - told):
            told.add(name)
            complain(f"no pod with labels {selector} on {name}")
        return tuple(found.values())

    return find

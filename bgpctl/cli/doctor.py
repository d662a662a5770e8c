"""`bgpctl doctor`: what is wrong with the cluster's BGP, at both ends of its sessions."""

from __future__ import annotations

from typing import Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Kubeconfig, Provider, Report, RouterProbes, given

Nodes = Annotated[
    list[str] | None,
    typer.Option(
        "--node", metavar="NODE", help="Only what is about this node, and the cluster as a whole. Repeatable."
    ),
]


def doctor(
    ctx: typer.Context,
    node: Nodes = None,
    router_probe: RouterProbes = None,
    provider: Provider = None,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Find what is wrong with the cluster's BGP: policies, speakers, sessions, routers, Services, what runs
    left.

    It only looks. Each finding has its severity, the object, why, and the command or the field that mends it;
    each rule has a section in docs/doctor.md. What cannot be known is no finding: it is listed as not
    checked. Exit code 1 with an error or a warning, 0 with nothing or only notes.
    """
    with errors.guard("doctor", output):
        from bgpctl.cli import wire
        from bgpctl.queries.doctor import doctor as examined
        from bgpctl.render import heard
        from bgpctl.render.doctor import RENDERERS
        from bgpctl.witness.probe import parse_probe

        client = wire.client(given(ctx, context, kubeconfig))
        probes = [parse_probe(text) for text in wire.router_probes(client, router_probe or ())]
        report = examined(client, wire.provider(client, provider), probes, tuple(node or ()))
        heard.shown(RENDERERS[output], report)
        raise SystemExit(1 if report.fails else 0)

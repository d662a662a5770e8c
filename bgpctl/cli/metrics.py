"""`bgpctl metrics`: the BGP metrics of whoever speaks BGP, of all nodes in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Given, Kubeconfig, Provider, Report, given

if TYPE_CHECKING:
    from bgpctl.errors import BgpctlError
    from bgpctl.kube.client import Client


def metrics(
    ctx: typer.Context,
    nodes: Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", show_default=False)] = None,
    provider: Provider = None,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the documented BGP metrics of the cluster's speakers: sessions, routes, reconciles.

    They are read through the API server's proxy, which needs the right to get pods/proxy. Ports are those of
    the annotation prometheus.io/port, of the container, or the documented ones. Exit code 0 when all of them
    told, 1 when some could not be read: each is named with the reason.
    """
    with errors.guard("metrics", output):
        from bgpctl.cli import wire
        from bgpctl.errors import BgpctlError
        from bgpctl.queries.metrics import metrics as read
        from bgpctl.render import heard
        from bgpctl.render.metrics import RENDERERS

        kube = given(ctx, context, kubeconfig)
        client = wire.client(kube)
        wire.look_for(client, nodes or ())
        stacks = wire.pods(client, provider)
        if not any(one.metrics for one in stacks):
            raise BgpctlError(
                "this stack has no BGP metrics", "its sessions: bgpctl peers status; its log: bgpctl logs"
            )
        try:
            report = read(client, [one for one in stacks if one.metrics], frozenset(nodes or ()))
        except BgpctlError as error:
            raise _of_a_lab(client, kube, error) from None
        heard.shown(RENDERERS[output], report)
        raise SystemExit(1 if report.unread else 0)


def _of_a_lab(client: Client, kube: Given, error: BgpctlError) -> BgpctlError:
    """The speakers of a lab are in no pods: then the error says what reads their metrics."""
    from bgpctl.core.intent.sessions import internal_ips
    from bgpctl.core.reading.documents import name_of
    from bgpctl.errors import BgpctlError
    from bgpctl.kube import paths
    from bgpctl.kube.config import files as kubeconfigs
    from bgpctl.lab.place import speakers_of
    from bgpctl.lab.stacks.speakers import HTTP_PORT

    here = {place.name for place in speakers_of(kubeconfigs(kube.kubeconfig))}
    nodes = [node for node in client.items(paths.NODES) if name_of(node) in here] if here else []
    pages = [f"http://{one}:{HTTP_PORT}/metrics" for node in nodes for one in internal_ips(node)]
    hint = f"the speakers of a lab serve them themselves: curl {' '.join(pages)}"
    return BgpctlError(error.message, hint) if pages else error

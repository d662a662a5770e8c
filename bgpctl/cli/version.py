"""`bgpctl version`: what is installed here and in the cluster, and whether it goes together."""

from __future__ import annotations

from typing import Annotated

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Document, Kubeconfig, given


def version(
    ctx: typer.Context,
    client: Annotated[bool, typer.Option("--client", help="Only what is installed here.")] = False,
    output: Document = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the versions of bgpctl, the speakers, their engines and the CRD, and what does not fit.

    Exit code 0 when all go together, 1 when not, or when the cluster's are not known.
    """
    with errors.guard("version", output):
        from bgpctl.cli import wire
        from bgpctl.errors import BgpctlError
        from bgpctl.queries import versions as query
        from bgpctl.render import heard
        from bgpctl.render.version import RENDERERS

        found = query.here()
        if not client:
            try:
                api = wire.client(given(ctx, context, kubeconfig))
                found = query.versions(api, wire.provider(api, "bgpctl"))
            except BgpctlError as error:
                found = query.unasked(error.message)
        heard.shown(RENDERERS[output], found)
        raise SystemExit(1 if found.problem or found.skew else 0)

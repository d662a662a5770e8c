"""`bgpctl speaker`: the per-node daemon that announces routes through ExaBGP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bgpctl.cli import errors, parse
from bgpctl.cli.flags import Context, Document, Given, Kubeconfig, given

if TYPE_CHECKING:
    from bgpctl.kube.client import Client

app = typer.Typer(no_args_is_help=True, help="The per-node daemon that announces routes.")


@app.callback()
def speaker() -> None:
    """The per-node daemon that announces routes."""


NodeName = Annotated[
    str,
    typer.Option(
        "--node-name", metavar="NODE", envvar="NODE_NAME", help="The node whose routes are announced."
    ),
]
File = Annotated[
    Path | None,
    typer.Option("--file", "-f", metavar="STATE.yaml", help="Read objects from this file, not a cluster."),
]
InCluster = Annotated[
    bool, typer.Option("--in-cluster", help="Use the pod's service account, whatever kubeconfig there is.")
]
Listen = Annotated[
    str,
    typer.Option("--listen", metavar="HOST:PORT", help="Serve /healthz, /readyz and /metrics; '' = do not."),
]
SourceAddress = Annotated[
    str | None, typer.Option("--source-address", metavar="IP", help="The local address of every session.")
]
NextHops = Annotated[
    list[str] | None,
    typer.Option("--next-hop", metavar="IP", help="Announce this next hop, not the session's local address."),
]
SecretsNamespace = Annotated[
    str, typer.Option("--secrets-namespace", metavar="NS", help="Where the peers' passwords are.")
]
Directory = Annotated[
    Path | None,
    typer.Option("--directory", metavar="DIR", help="A private directory for the engine's files."),
]
LogFormat = Annotated[
    Literal["text", "json"], typer.Option("--log-format", help="How log lines are written, to stderr.")
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    typer.Option("--log-level", help="The least that is logged."),
]


@app.command()
def run(
    ctx: typer.Context,
    node_name: NodeName,
    file: File = None,
    in_cluster: InCluster = False,
    listen: Listen = "127.0.0.1:9180",
    source_address: SourceAddress = None,
    next_hop: NextHops = None,
    secrets_namespace: SecretsNamespace = "kube-system",
    directory: Directory = None,
    log_format: LogFormat = "text",
    log_level: LogLevel = "info",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Run one node's speaker in the foreground, until SIGTERM.

    With graceful restart negotiated, stopping keeps the routes on the router; losing the policy's label
    withdraws them.
    """
    with errors.guard("speaker run"):
        from bgpctl.speaker.run import SpeakerOptions, run_speaker

        address = parse.ip(source_address) if source_address else None
        kube = given(ctx, context, kubeconfig)
        options = SpeakerOptions(
            node=node_name,
            client=_client(kube, file, in_cluster),
            file=file,
            listen=listen,
            source_address=address,
            next_hops=parse.next_hops(next_hop or ()),
            secrets_namespace=secrets_namespace,
            directory=directory,
            log_format=log_format,
            log_level=log_level,
        )
        raise SystemExit(run_speaker(options))


@app.command()
def status(
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory",
            metavar="DIR",
            help="The speaker's directory. Default: that of your only speaker on this machine.",
        ),
    ] = None,
    output: Document = "text",
) -> None:
    """Show what the speaker on this machine says of itself. Asks its local socket; needs no Kubernetes.

    Exit code 0 when a speaker answered, 1 when none runs there.
    """
    with errors.guard("speaker status", output):
        import time

        from bgpctl.out.speaker import RENDERERS
        from bgpctl.speaker import asking

        place = asking.find(directory)
        RENDERERS[output](asking.state(place), str(place), time.time())


def _client(kube: Given, file: Path | None, in_cluster: bool) -> Client | None:
    """Exactly one source of objects. Raises UsageError."""
    from bgpctl.cli import wire
    from bgpctl.errors import UsageError

    asked = [
        flag
        for flag, on in (("--file", file), ("--in-cluster", in_cluster), ("--kubeconfig", kube.kubeconfig))
        if on
    ]
    if len(asked) > 1:
        raise UsageError(
            f"{' and '.join(asked)} exclude each other", "a speaker reads one cluster, or one file"
        )
    if file:
        return None
    return wire.in_cluster_client() if in_cluster else wire.client(kube)

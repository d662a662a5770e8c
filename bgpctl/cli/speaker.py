"""`bgpctl speaker`: the per-node daemon that announces routes through ExaBGP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bgpctl.cli import engine as engine_commands
from bgpctl.cli import errors, flags, parse, upgrade
from bgpctl.cli.flags import (
    Context,
    Document,
    DryRun,
    Given,
    Kubeconfig,
    Report,
    RouterProbes,
    TakeOver,
    Timeout,
    asked,
    given,
)
from bgpctl.cli.program import typed

if TYPE_CHECKING:
    from bgpctl.kube.client import Client
    from bgpctl.speaker.readiness import Check

app = typer.Typer(no_args_is_help=True, help="The per-node daemon that announces routes.")
app.add_typer(engine_commands.app, name="engine")


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
WithoutEndpoints = Annotated[
    bool,
    typer.Option(
        "--withdraw-without-endpoints",
        help="Withdraw a Service with traffic policy Cluster while it has no usable endpoint. Default: keep.",
    ),
]
Damping = Annotated[
    bool,
    typer.Option(
        "--damping/--no-damping",
        help="Hold an address back for 1 to 60 s after its endpoints came and went more than twice within a "
        "minute. Withdrawals never wait.",
    ),
]
Soak = Annotated[
    float,
    flags.duration(
        "--graceful-shutdown-soak",
        "Before the node leaves, announce its routes with GRACEFUL_SHUTDOWN (RFC 8326) for this long: "
        "routers that listen move traffic first. A Node's own annotation, bgpctl.io/graceful-shutdown-soak, "
        "counts more.  [default: 0s]",
    ),
]
ReadyUrl = Annotated[
    str | None,
    typer.Option(
        "--ready-url",
        metavar="URL",
        help="After a boot or a drain, announce nothing before a GET of this is answered with 2xx: "
        "kube-proxy's http://127.0.0.1:10256/healthz, say. Asked no more once it agreed.",
    ),
]
ReadyCommand = Annotated[
    str | None,
    typer.Option(
        "--ready-command", metavar="CMD", help="The same with a command, without a shell: 0 means ready."
    ),
]
BesideAnotherStack = Annotated[
    bool,
    typer.Option(
        "--beside-another-stack",
        help="Begin though another BGP stack has the node. Default: wait, not ready, until it is handed over "
        "or nobody else has it.",
    ),
]
SecretsNamespace = Annotated[
    str, typer.Option("--secrets-namespace", metavar="NS", help="Where the peers' passwords are.")
]
AuthSecrets = Annotated[
    str | None,
    typer.Option(
        "--auth-secrets",
        metavar="NAME,...",
        help="Read these Secrets only, each by its name, as a role with resourceNames allows; '' = none. "
        "Default: all of that namespace.",
    ),
]
Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        metavar="DIR",
        help="A private directory for the engine's files, and for what the next speaker must know if this "
        "one is killed. In a pod: a hostPath, not an emptyDir.",
    ),
]
Engine = Annotated[
    Literal["own", "detached", "external"],
    typer.Option(
        "--engine",
        help="Whose ExaBGP is: own = it ends with this speaker, however that ends. detached = it stays when "
        "this speaker ends, and the next one adopts it with its sessions. external = `speaker engine run` "
        "runs it, this speaker only adopts it.",
    ),
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
    withdraw_without_endpoints: WithoutEndpoints = False,
    damping: Damping = True,
    graceful_shutdown_soak: Soak = 0.0,
    ready_url: ReadyUrl = None,
    ready_command: ReadyCommand = None,
    beside_another_stack: BesideAnotherStack = False,
    secrets_namespace: SecretsNamespace = "kube-system",
    auth_secrets: AuthSecrets = None,
    directory: Directory = None,
    engine: Engine = "own",
    log_format: LogFormat = "text",
    log_level: LogLevel = "info",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Run one node's speaker in the foreground, until SIGTERM.

    With graceful restart negotiated, stopping keeps the routes on the router; losing the policy's label
    withdraws them, and so does a stop because the node goes away: its Node is deleted, the kubelet or systemd
    shuts it down, or a taint says so. With --engine detached or external, any other stop touches no session;
    `speaker engine stop` ends the engine. Under systemd, detached needs KillMode=process. In a pod, 30 s of
    terminationGracePeriodSeconds are enough, and priorityClassName system-node-critical lets it go last.
    """
    with errors.guard("speaker run"):
        from bgpctl.cli import wire
        from bgpctl.ports import Mode
        from bgpctl.speaker.alone import Orphan
        from bgpctl.speaker.run import SpeakerOptions, run_speaker

        address = parse.ip(source_address) if source_address else None
        client = _client(given(ctx, context, kubeconfig), file, in_cluster)
        options = SpeakerOptions(
            node=node_name,
            client=client,
            file=file,
            listen=listen,
            source_address=address,
            next_hops=parse.next_hops(next_hop or ()),
            withdraw_without_endpoints=withdraw_without_endpoints,
            damping=damping,
            soak=graceful_shutdown_soak,
            ready_checks=_ready_checks(ready_url, ready_command),
            secrets_namespace=secrets_namespace,
            auth_secrets=None if auth_secrets is None else _secrets(auth_secrets),
            directory=directory,
            engine=Mode(engine),
            log_format=log_format,
            log_level=log_level,
            others=wire.other_stacks(client, node_name) if client else None,
            beside=beside_another_stack,
        )
        try:
            raise SystemExit(run_speaker(options))
        except Orphan as orphan:
            if orphan.directory is not None:
                flags = [f"--directory {orphan.directory}", "--engine detached"]
                orphan.hint = f"to adopt it: {typed().with_flags(flags)}\n{orphan.hint}"
            raise


@app.command()
def status(
    ctx: typer.Context,
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

        from bgpctl.errors import BgpctlError, UsageError
        from bgpctl.render import heard
        from bgpctl.render.speaker import RENDERERS
        from bgpctl.speaker.status import client as speaker_client

        try:
            place = speaker_client.find(directory)
        except UsageError:
            raise  # there are several
        except BgpctlError as error:
            error.hint = _of_a_lab(given(ctx, None, None)) or error.hint
            raise
        heard.shown(RENDERERS[output], speaker_client.state(place), str(place), time.time())


@app.command()
def restart(
    ctx: typer.Context,
    node: Annotated[str, typer.Argument(metavar="NODE", show_default=False)],
    pod_selector: Annotated[
        str, flags.pod_selector("The labels of the speakers' pods.")
    ] = flags.SPEAKER_PODS,
    namespace: flags.Namespace = "",
    restart_command: Annotated[
        str | None,
        typer.Option(
            "--restart-command",
            metavar="CMD",
            help="Restart with this instead of deleting a pod, without a shell; {node} is the node's name.",
        ),
    ] = None,
    expect: flags.Expect = 30.0,
    allow_route_loss: flags.AllowRouteLoss = False,
    timeout: Timeout = 600.0,
    router_probes: RouterProbes = None,
    take_over: TakeOver = False,
    dry_run: DryRun = False,
    output: Report = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Restart a node's speaker the safe way, and wait until its sessions and routes are back.

    Refuses when a router would not keep the routes meanwhile. With router probes it watches the routers, and
    says whether any route left.
    """
    with errors.guard("speaker restart", output, resumable=True):
        from bgpctl.cli import wire
        from bgpctl.render.runbook import RENDERERS
        from bgpctl.runbooks import child, kept
        from bgpctl.runbooks.options import RestartOptions
        from bgpctl.runbooks.restart import plan, restart

        example = "ssh {node} systemctl restart bgpctl-speaker"
        argv = parse.command_line(restart_command, "--restart-command", example) if restart_command else ()
        child.find(argv, "--restart-command")
        client = wire.client(given(ctx, context, kubeconfig))
        options = RestartOptions(
            node=node,
            command=argv,
            pod_selector=pod_selector,
            namespace=namespace,
            expected=expect,
            allow_route_loss=allow_route_loss,
            timeout=timeout,
            probes=wire.router_probes(client, router_probes or ()),
            take_over=take_over,
            typed=typed(),
            asked=kept.keep(asked(ctx)),
        )
        run = plan(client, options) if dry_run else restart(client, options)
        title = f"{'plan: ' if dry_run else ''}restart the speaker of {node}"
        result = RENDERERS[output](run, title, plan=dry_run)
        raise SystemExit(int(result.exit_code))


app.command()(upgrade.upgrade)


def _of_a_lab(kube: Given) -> str:
    """The command that asks a speaker of the lab that the kubeconfig is of; "" = it is of none."""
    from bgpctl.kube.config import files
    from bgpctl.lab.place import speakers_of

    here = speakers_of(files(kube.kubeconfig))
    if not here:
        return ""
    others = ", ".join(place.name for place in here[1:])
    also = f" (or {others})" if others else ""
    return f"for a speaker of the lab{also}: {typed().with_flags([f'--directory {here[0]}'])}"


def _secrets(text: str) -> tuple[str, ...]:
    """Raises UsageError."""
    from bgpctl.kube import paths

    return tuple(paths.named(name) for name in text.split(",") if name)


def _ready_checks(url: str | None, command: str | None) -> tuple[Check, ...]:
    """Raises UsageError."""
    from bgpctl.speaker import readiness

    checks = [] if url is None else [readiness.of_url(url)]
    if command is not None:
        example = "/usr/local/bin/node-ready --quick"
        checks.append(readiness.of_command(parse.command_line(command, "--ready-command", example)))
    return tuple(checks)


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

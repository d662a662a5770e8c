"""The tree of commands, and nothing else: each noun's file brings its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from bgpctl import __version__
from bgpctl.cli import (
    auth,
    completion_command,
    config,
    defaults,
    doctor,
    errors,
    examples,
    explain,
    forecast,
    install,
    lab,
    logs,
    metrics,
    node,
    peers,
    policy,
    preflight,
    providers,
    reach,
    routes,
    speaker,
    top,
    version,
)
from bgpctl.cli.flags import Context, Given, Kubeconfig

app = typer.Typer(
    name="bgpctl",
    help="Take Kubernetes nodes that speak BGP out of service and back without losing a packet.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 blocked (run again to resume), "
    "4 deadline (run again to resume), 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(peers.app, name="peers")
app.command("routes")(routes.routes)
app.command("top")(top.top)
app.command("explain")(explain.explain)
app.command("logs")(logs.logs)
app.command("metrics")(metrics.metrics)
app.command("forecast")(forecast.forecast)
app.command("doctor")(doctor.doctor)
app.add_typer(preflight.app, name="preflight")
app.add_typer(node.app, name="node")
app.add_typer(speaker.app, name="speaker")
app.add_typer(policy.app, name="policy")
app.command("providers")(providers.providers)
app.add_typer(providers.cilium, name="cilium")
app.add_typer(providers.calico, name="calico")
app.command("version")(version.version)
app.add_typer(config.app, name="config")
app.command("completion")(completion_command.completion)
app.command("install")(install.install)
app.command("uninstall")(install.uninstall)
app.add_typer(auth.app, name="auth")
app.add_typer(lab.app, name="lab")


def _version(asked: bool) -> None:
    if asked:
        from bgpctl.cli.program import program

        typer.echo(f"{program()} {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Flags given before the command count for it, unless it has its own."""
    ctx.obj = Given(context, kubeconfig)


def _in_whole_sentences(group: Any) -> None:
    """A list of commands says of each the first sentence of its help: cut off it would end in "…"."""
    for command in group.commands.values():
        paragraph = (command.help or "").partition("\n\n")[0]
        command.short_help = " ".join(paragraph.split()).partition(". ")[0].rstrip(".") + "."
        if hasattr(command, "commands"):
            _in_whole_sentences(command)


def _with_examples(group: Any, path: str = "") -> None:
    """Each command's help ends with what one may type."""
    from bgpctl.cli.program import program

    for name, command in group.commands.items():
        words = f"{path} {name}".strip()
        if hasattr(command, "commands"):
            _with_examples(command, words)
        elif found := examples.of(words, program()):
            command.epilog = "\n\n".join(f"\b\n{part}" for part in found.split("\n\n"))


def tree() -> Any:
    """The commands as the parser has them."""
    command = typer.main.get_command(app)
    _in_whole_sentences(command)
    _with_examples(command)
    defaults.add_verbose(command)
    reach.add_flags(command)
    return command


def run(arguments: Sequence[str], program: str) -> int:
    """Parse and run one command line; returns the exit code."""
    command = tree()
    with errors.parsing(program, arguments):
        code = command.main(
            list(arguments),
            prog_name=program,
            standalone_mode=False,
            default_map=defaults.of_line(command, arguments),
        )
        return code if isinstance(code, int) else 0

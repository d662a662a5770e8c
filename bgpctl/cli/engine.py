"""`bgpctl speaker engine`: the BGP engine by itself, for speakers that adopt one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bgpctl.cli import errors

app = typer.Typer(no_args_is_help=True, help="The BGP engine (ExaBGP) by itself, for speakers that adopt it.")


@app.callback()
def engine() -> None:
    """The BGP engine (ExaBGP) by itself, for `speaker run --engine detached` and `--engine external`.

    An engine without a speaker keeps its sessions and announces what it has, for as long as it lives.
    """


Directory = Annotated[
    Path | None,
    typer.Option("--directory", metavar="DIR", help="The directory that the speaker was given."),
]
NodeName = Annotated[
    str,
    typer.Option(
        "--node-name", metavar="NODE", envvar="NODE_NAME", help="In place of --directory: that of this node."
    ),
]


@app.command()
def run(directory: Directory = None, node_name: NodeName = "") -> None:
    """Run ExaBGP in the foreground, without a speaker. For pods: one container runs this, the other
    `speaker run --engine external`; they share DIR and the user ID.

    It announces nothing until a speaker tells it to. SIGTERM ends it as for a restart: in silence where the
    router keeps the routes (graceful restart), else withdrawing them.
    """
    with errors.guard("speaker engine run"):
        from bgpctl.speaker.standalone import run_engine

        _named(directory, node_name)
        run_engine(directory, node_name)


@app.command()
def prepare(
    directory: Annotated[Path, typer.Option("--directory", metavar="DIR", help="It is made when missing.")],
    user: Annotated[int, typer.Option("--user", metavar="UID", min=1, max=2**31, help="Whose it becomes.")],
) -> None:
    """Make DIR and give it to a user, and end. For a pod's init container: a hostPath belongs to root.

    Speaker and engine run as that user then, and nobody else may look into it.
    """
    with errors.guard("speaker engine prepare"):
        from bgpctl.speaker.places import give

        give(directory, user)


@app.command()
def stop(
    directory: Directory = None,
    node_name: NodeName = "",
    leave: Annotated[
        bool, typer.Option("--leave", help="Withdraw every route and close every session with Cease first.")
    ] = False,
) -> None:
    """End an engine that no speaker manages. Stop the speaker first, or it starts another one.

    As for a restart: in silence where the router keeps the routes (graceful restart), else withdrawing them.
    """
    with errors.guard("speaker engine stop"):
        from bgpctl.speaker.standalone import stop_engine

        _named(directory, node_name)
        typer.echo(stop_engine(directory, node_name, leave=leave))


def _named(directory: Path | None, node_name: str) -> None:
    from bgpctl.errors import UsageError

    if directory is None and not node_name:
        raise UsageError("which engine?", "pass --directory DIR or --node-name NODE")

"""`bgpctl lab`: a small cluster of real speakers and a router on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bgpctl.cli import errors

app = typer.Typer(no_args_is_help=True, help="A small cluster on this machine, with real BGP sessions.")

Router = Annotated[
    Literal["auto", "bird", "frr", "gobgp", "exabgp"],
    typer.Option("--router", help="The router to peer with; auto takes one that is installed."),
]
Stack = Annotated[
    Literal["bgpctl", "cilium", "calico", "frr-k8s", "kube-router"],
    typer.Option(
        "--stack",
        help="Who speaks BGP on the nodes. All but bgpctl are emulated, on real engines.",
    ),
]
Nodes = Annotated[
    int,
    typer.Option("--nodes", metavar="N", min=2, max=50, help="How many nodes, named worker-1 and so on."),
]


@app.command()
def demo(router: Router = "auto", nodes: Nodes = 3, stack: Stack = "bgpctl") -> None:
    """Watch one node leave service and come back, over real BGP sessions. Needs no root and no cluster.

    Exit code 0 only when every step was seen to happen on the router.
    """
    with errors.guard("lab demo"):
        _complete()
        from bgpctl.lab.demo import demo as run

        raise SystemExit(run(router=router, nodes=nodes, stack=stack))


@app.command()
def up(
    router: Router = "auto",
    nodes: Nodes = 3,
    kubeconfig: Annotated[
        Path | None,
        typer.Option("--kubeconfig", metavar="PATH", help="Where to write the kubeconfig to use."),
    ] = None,
    stack: Stack = "bgpctl",
) -> None:
    """Keep such a cluster in the foreground for use from another terminal; ^C takes it down.

    Prints "ready" on a line of its own when all sessions are established.
    """
    with errors.guard("lab up"):
        _complete()
        from bgpctl.lab.up import up as run

        raise SystemExit(run(router=router, nodes=nodes, kubeconfig=kubeconfig, stack=stack))


def _complete() -> None:
    """Found out before anything is started."""
    from bgpctl.lab.api import tls

    tls.installed()

"""`bgpctl lab`: a small cluster of real speakers and a router on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from bgpctl.cli import errors, parse
from bgpctl.cli.flags import Report
from bgpctl.errors import UsageError

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


class Scenario(StrEnum):
    """The words of `lab drill`, as `core.timing.drills.SETTINGS` has them, and all of them."""

    AGENT_DOWN = "agent-down"
    RESTART = "restart"
    DESELECT = "deselect"
    POWER_OFF = "power-off"
    LINK_DOWN = "link-down"
    REMOTE_LINK_DOWN = "remote-link-down"
    NO_BACKENDS = "no-backends"
    ALL = "all"


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


@app.command()
def drill(
    scenario: Annotated[
        Scenario,
        typer.Argument(
            metavar="SCENARIO",
            show_default=False,
            help="agent-down, restart, deselect, power-off, link-down, remote-link-down, no-backends; all.",
        ),
    ],
    router: Annotated[
        Literal["auto", "bird", "frr", "gobgp", "openbgpd"],
        typer.Option("--router", help="The router it happens to; auto takes one that is installed."),
    ] = "auto",
    graceful_restart: Annotated[
        str | None,
        typer.Option(
            "--graceful-restart",
            metavar="SECONDS|off",
            show_default=False,
            parser=parse.graceful_restart,
            help="With this Restart Time alone, or without.  [default: with and without]",
        ),
    ] = None,
    stack: Annotated[
        Literal["bgpctl", "cilium"],
        typer.Option(
            "--stack",
            help="Who speaks BGP on the nodes; Cilium's agents are emulated, on a real gobgpd. It has no "
            "no-backends, which ends no session.",
        ),
    ] = "bgpctl",
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="PATH", help="Write forecast and fact as one page with a timeline."),
    ] = None,
    output: Report = "text",
) -> None:
    """Let a failure of the operation guide happen to a real router under traffic, and judge the forecast.

    Two nodes with real speakers and a client, in network namespaces; 400 requests a second go through the
    router's kernel. Each with and without the guide's mitigation. Needs root; no cluster. Exit code 1 where
    traffic was lost for longer than the worst case, or for less time than the best case.
    """
    with errors.guard("lab drill", output):
        _present()
        from bgpctl.core.timing.failures import Scenario as Happens
        from bgpctl.lab.drill.drill import drill as run

        chosen = None if scenario is Scenario.ALL else Happens(scenario)
        raise SystemExit(run(chosen, router, graceful_restart, html, output, stack))


def _complete() -> None:
    """Found out before anything is started."""
    _present()
    from bgpctl.lab.api import tls

    tls.installed()


def _present() -> None:
    """An image has no lab."""
    from importlib.util import find_spec

    if find_spec("bgpctl.lab") is None:
        raise UsageError(
            "the lab is not in the image of bgpctl",
            "on your own machine, in a checkout: pip install '.[lab]'",
        )

"""`bgpctl forecast`: what each failure of the operation guide would cost a node, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bgpctl.cli import errors, flags, parse
from bgpctl.cli.flags import Context, Kubeconfig, PeerProfiles, Provider, given
from bgpctl.cli.program import typed

if TYPE_CHECKING:
    from bgpctl.queries.forecast import Asked

Nodes = Annotated[list[str] | None, typer.Argument(metavar="[NODE]...", show_default=False)]
Output = Annotated[
    Literal["text", "json", "html"],
    typer.Option("--output", "-o", help="How to print it; html is one page with its timelines."),
]


class Event(StrEnum):
    """The words of --event, as `core.timing.forecast.WORDS` has them: node-down is deselect and power-off."""

    AGENT_DOWN = "agent-down"
    RESTART = "restart"
    UPGRADE = "upgrade"
    NODE_DOWN = "node-down"
    DESELECT = "deselect"
    POWER_OFF = "power-off"
    LINK_DOWN = "link-down"
    REMOTE_LINK_DOWN = "remote-link-down"
    OPERATOR_DOWN = "operator-down"
    NO_BACKENDS = "no-backends"


Events = Annotated[
    list[Event] | None,
    typer.Option(
        "--event",
        show_default=False,
        help="Only this one, with every instant and why; node-down is deselect and power-off. Repeatable.",
    ),
]


def forecast(
    ctx: typer.Context,
    nodes: Nodes = None,
    every: Annotated[bool, typer.Option("--all", help="Sum up every node, what costs most first.")] = False,
    events: Events = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Show beside today what it would be with this: holdTimeSeconds, keepAliveTimeSeconds, "
            "gracefulRestart.enabled or gracefulRestart.restartTimeSeconds. Repeatable.",
        ),
    ] = None,
    schemes: Annotated[
        list[str] | None,
        typer.Option(
            "--scheme",
            metavar="[ADDRESS=]SCHEME",
            help="How a router, or every router, spreads flows over next hops: modulo, hash-threshold, "
            "resilient, rendezvous, maglev, single (no multipath). Repeatable.  "
            "[default: unknown, any of them]",
        ),
    ] = None,
    away: Annotated[
        float,
        flags.duration(
            "--restart-takes",
            "For how long a restart takes what speaks BGP away, at most.  [default: 30s]",
            parse.positive_duration,
        ),
    ] = 30.0,
    peer_profiles: PeerProfiles = None,
    provider: Provider = None,
    output: Output = "text",
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Forecast what each failure would cost a node: when routes go, what traffic does, and what helps.

    Computed from what was negotiated, the cluster's objects and what is known of the routers. All of it is
    estimated; what is unknown counts at its worst, and is named.
    """
    with errors.guard("forecast", output):
        from bgpctl.cli import wire
        from bgpctl.errors import UsageError
        from bgpctl.queries import forecast as query
        from bgpctl.render import heard
        from bgpctl.render.forecast import BRIEF, RENDERERS

        names = tuple(nodes or ())
        if every and names:
            raise UsageError("--all is every node, and some are named", "give one of the two")
        if not every and not names:
            raise UsageError("no node is named", f"name some, or sum up all: {typed()} --all")
        asked = _asked(events or (), settings or (), schemes or (), peer_profiles or (), away, every=every)
        client = wire.client(given(ctx, context, kubeconfig))
        if every:
            heard.shown(BRIEF[output], query.briefs(client, asked, wire.provider(client, provider)))
            return
        whose = wire.provider(client, provider) if provider else None
        heard.shown(RENDERERS[output], query.forecasts(client, names, asked, whose), bool(events))


def _asked(
    events: Sequence[str],
    settings: Sequence[str],
    schemes: Sequence[str],
    profiles: Sequence[str],
    away: float,
    *,
    every: bool,
) -> Asked:
    """Raises UsageError for a field, a scheme or a profile that does not exist."""
    from bgpctl.core.timing.disruption import parse_schemes
    from bgpctl.core.timing.failures import Scenario, Span
    from bgpctl.core.timing.forecast import SUMMED_UP, WORDS
    from bgpctl.core.timing.whatif import parse_settings
    from bgpctl.queries.forecast import Asked

    wanted = [scenario for word in events for scenario in WORDS[word]]
    default = SUMMED_UP if every else tuple(Scenario)
    return Asked(
        tuple(dict.fromkeys(wanted)) or default,
        parse_settings(settings),
        parse.profiles(profiles),
        parse_schemes(schemes),
        Span(min(1.0, away), away),
    )

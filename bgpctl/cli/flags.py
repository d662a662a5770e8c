"""Flags that more than one command has, written once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Annotated, Any, Literal, Protocol

import typer
import typer.core

from bgpctl.cli import parse
from bgpctl.providers import SPEAKER_PODS as SPEAKER_PODS


def duration(name: str, text: str, parser: Callable[[str], float] = parse.duration) -> Any:
    """An option in seconds; `text` ends with the default as one would type it, two blanks before it."""
    return typer.Option(name, metavar="DURATION", show_default=False, parser=parser, help=text)


def pod_selector(text: str, **more: Any) -> Any:
    """The option --pod-selector with this help."""
    return typer.Option("--pod-selector", metavar="SELECTOR", parser=parse.pod_selector, help=text, **more)


def listing(text: str, *formats: str) -> Any:
    """The option --output, -o where a list is printed: in `formats`, as kubectl's name, by jsonpath."""
    shown = "|".join((*formats, "name", "jsonpath=…"))
    also = "name: one node a line; jsonpath='{.nodes[*].node}': by kubectl's templates."
    return typer.Option(
        "--output", "-o", metavar=shown, parser=parse.listing(*formats), help=f"{text} {also}"
    )


def node_selector(text: str) -> Any:
    """The option --selector, -l: nodes by their labels, with this help."""
    return typer.Option(
        "--selector", "-l", metavar="SELECTOR", parser=parse.pod_selector, show_default=False, help=text
    )


Context = Annotated[
    str | None,
    typer.Option("--context", metavar="CONTEXT", help="The kubeconfig context to use."),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option(
        "--kubeconfig",
        metavar="PATH",
        help="The kubeconfig file. Default: $KUBECONFIG (a list), then ~/.kube/config.",
    ),
]
Report = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="How to print the result.")]
Document = Annotated[
    Literal["text", "json", "yaml"], typer.Option("--output", "-o", help="How to print the result.")
]
Listing = Annotated[str, listing("How to print the result.", "text", "json", "yaml")]
Timeout = Annotated[
    float,
    duration(
        "--timeout",
        "Give up after this long (exit 4); running again resumes. 30s, 1h30m or seconds.  [default: 10m]",
        parse.positive_duration,
    ),
]
Deadline = Annotated[
    float,
    duration(
        "--timeout",
        "Give up after this long (exit 4); running again resumes. 30s, 1h30m or seconds; 0 = never.  "
        "[default: 10m]",
        parse.deadline,
    ),
]
Reason = Annotated[
    str | None,
    typer.Option(
        "--reason",
        metavar="TEXT",
        parser=parse.reason,
        show_default=False,
        help="Why, in a few words: they are kept in the run's journal, stand in the Node's Events and, where "
        "bgpctl's speaker runs, in the Cease that the routers get (RFC 9003).",
    ),
]
Expect = Annotated[
    float,
    duration(
        "--expect",
        "How long a restart may take: routers must keep the routes at least that long.  [default: 30s]",
        parse.positive_duration,
    ),
]
AllowRouteLoss = Annotated[
    bool, typer.Option("--allow-route-loss", help="Go on although routers may drop the routes meanwhile.")
]
RouterProbes = Annotated[
    list[str] | None,
    typer.Option(
        "--router-probe",
        metavar="KIND[=TARGET][@PEER]",
        help="Ask a local router what it has of the node's routes: bird=/run/bird/bird.ctl, frr=DIR, "
        "gobgp=HOST:PORT, openbgpd=SOCKET; KIND alone takes its default, none asks no router. @PEER: the "
        "address of this router among the node's peers, where it has several, and its port "
        "(192.0.2.1:1791) where two share one. Repeatable. Without it: those of the kubeconfig context's "
        "extension bgpctl.io/router-probes, a list of the same texts.",
    ),
]
PeerProfiles = Annotated[
    list[str] | None,
    typer.Option(
        "--peer-profile",
        metavar="ADDRESS=NAME",
        help="What product a peer is, for its stale timers: frr, junos …, or stale:SECONDS when you "
        "know for how long it keeps stale routes (stale:300 = 300 seconds). Repeatable.",
    ),
]
Provider = Annotated[
    Literal["bgpctl", "cilium", "calico", "frr-k8s", "metallb", "kube-router", "isovalent", "openperouter"]
    | None,
    typer.Option(
        "--provider",
        show_default=False,
        help="Who speaks BGP on the node: bgpctl's own speaker, or another stack. Default: as the cluster's "
        "objects tell, and for a run that goes on or is undone as when it began.",
    ),
]
TakeOver = Annotated[
    bool,
    typer.Option("--take-over", help="Take the node over from another run that still holds its lease."),
]


class Parsed(Protocol):
    """What is asked of a command line that was parsed; typer's own kinds of it are private."""

    @property
    def command(self) -> Any: ...
    @property
    def params(self) -> dict[str, Any]: ...
    def get_parameter_source(self, name: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Given:
    """The Kubernetes flags. `user` and `groups`: as whom to ask, "" = as the kubeconfig says; `patience`:
    seconds for one answer, `chunk`: objects at once (None = the client's own)."""

    context: str | None = None
    kubeconfig: str | None = None
    user: str = ""
    groups: tuple[str, ...] = ()
    patience: float | None = None
    chunk: int | None = None

    def merge(self, context: str | None, kubeconfig: str | None) -> Given:
        """The command's own flags win."""
        return Given(context or self.context, kubeconfig or self.kubeconfig)


def given(ctx: typer.Context, context: str | None, kubeconfig: str | None) -> Given:
    """The Kubernetes flags of this command line, wherever they stood."""
    from bgpctl.cli import defaults, reach

    before = ctx.find_object(Given) or Given()
    merged = reach.given(ctx, before.merge(context, kubeconfig))
    defaults.tell(ctx, merged)
    return merged


def asked(ctx: Parsed, source: str = "COMMANDLINE") -> Mapping[str, tuple[str, ...]]:
    """The flags that were typed, by name, with their values as they would be typed again; or those that have
    theirs from another source (`DEFAULT_MAP`: the environment and the defaults file)."""
    return dict(_asked(ctx, source))


def _asked(ctx: Parsed, wanted: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        if parameter.param_type_name != "option" or source is None or source.name != wanted:
            continue
        if name not in ctx.params:
            continue
        value = ctx.params[name]
        if isinstance(value, bool):
            yield (parameter.opts if value else parameter.secondary_opts)[0], ()
        elif isinstance(value, list | tuple):
            yield parameter.opts[0], tuple(map(text_of, value))
        else:
            yield parameter.opts[0], (text_of(value),)


def text_of(value: object) -> str:
    """A flag's value as it would be typed: a number without the zeros at its end, and 0 for no deadline."""
    if value == inf:
        return "0"
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


DryRunBy = Annotated[
    Literal["none", "client", "server"],
    typer.Option(
        "--dry-run",
        metavar="[=none|client|server]",
        show_default=False,
        help="Show every step and refusal; change nothing. =server: besides, the API server judges every "
        "eviction and patch (exit 3 where it would not take one now), and keeps none.",
    ),
]


class MayDryRun(typer.core.TyperCommand):
    """A command whose --dry-run may stand alone, as kubectl's: then it is `client`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Whatever stands behind `--` is no flag."""
        end = args.index("--") if "--" in args else len(args)
        said = ["--dry-run=client" if word == "--dry-run" else word for word in args[:end]]
        return super().parse_args(ctx, said + args[end:])


DryRun = Annotated[bool, typer.Option("--dry-run", help="Show every step and refusal; change nothing.")]

Namespace = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NS", help="Where these pods are. Default: anywhere.")
]

"""The flags of `node drain`: how to leave, and which pods may go (kubectl drain's names and meanings)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bgpctl.cli import parse
from bgpctl.cli.flags import duration, pod_selector

if TYPE_CHECKING:
    from bgpctl.runbooks.options import DrainOptions

Order = Annotated[
    Literal["guide", "withdraw-first"],
    typer.Option(
        "--order",
        help="guide evicts pods, then withdraws; withdraw-first moves traffic away before pods die.",
    ),
]
Settle = Annotated[
    float,
    duration(
        "--settle", "Wait this long after the routes are gone, for packets on their way.  [default: 2s]"
    ),
]
Soak = Annotated[
    float,
    duration(
        "--soak",
        "Before it withdraws, let the node announce its routes with GRACEFUL_SHUTDOWN (RFC 8326) for this "
        "long: routers that listen move traffic first. On Cilium, after `bgpctl cilium prepare --soak`; "
        "bgpctl's speaker does it by a Node annotation.  [default: 0s]",
    ),
]
DeselectLabel = Annotated[
    str | None,
    typer.Option(
        "--deselect-label",
        metavar="KEY=VALUE",
        parser=parse.label_change,
        help="The label change that takes the node out of its policy; KEY- removes. Default: found from the "
        "policy's nodeSelector.",
    ),
]
ShutdownCommand = Annotated[
    str | None,
    typer.Option(
        "--shutdown-command",
        metavar="CMD",
        help="Run this as the last step, without a shell; {node} is the node's name. Default: hand over.",
    ),
]
MaxUnavailable = Annotated[
    int,
    typer.Option(
        "--max-unavailable",
        metavar="N",
        parser=parse.at_least_one,
        help="How many nodes may be out of service at once, this one among them. Others count when bgpctl "
        "has taken them out, or somebody by hand: one label keeps them from a policy, and it says false or "
        "drained; or it is missing (or one that bars), and they are cordoned or their speaker has withdrawn. "
        "A node that a policy selects is in service, cordoned or not.",
    ),
]
AllowLastPath = Annotated[
    bool,
    typer.Option(
        "--allow-last-path/--no-allow-last-path", help="Go on although this node is a route's last path."
    ),
]
AllowAddressGap = Annotated[
    bool,
    typer.Option(
        "--allow-address-gap/--no-allow-address-gap",
        help="Go on although an address is announced from nowhere until its evicted pods run elsewhere.",
    ),
]
BesideAnotherStack = Annotated[
    bool,
    typer.Option(
        "--beside-another-stack/--no-beside-another-stack",
        help="Go on although another BGP stack has the node too, or may have: its routes are neither "
        "withdrawn nor asked about, and the proof says so.",
    ),
]
RequireConfirmed = Annotated[
    bool,
    typer.Option(
        "--require-confirmed/--no-require-confirmed",
        help="Take only the routers' word that the routes are gone. Needs a --router-probe for every peer, "
        "asked while its router still has the routes.",
    ),
]
AssumeDead = Annotated[
    bool,
    typer.Option(
        "--assume-dead",
        help="You know that a speaker which no longer reports is dead, not just hung or cut off.",
    ),
]

# --- which pods may go

IgnoreDaemonsets = Annotated[
    bool,
    typer.Option(
        "--ignore-daemonsets/--no-ignore-daemonsets",
        help="Leave DaemonSets' pods alone. Unlike kubectl's this is on: the speaker, which has to withdraw "
        "the routes, is such a pod.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force/--no-force", help="Also evict pods that no controller would recreate.")
]
DeleteEmptydirData = Annotated[
    bool,
    typer.Option(
        "--delete-emptydir-data/--no-delete-emptydir-data",
        help="Also evict pods whose emptyDir data is lost.",
    ),
]
GracePeriod = Annotated[
    int, typer.Option("--grace-period", metavar="SECONDS", help="Pods' time to end; -1 = their own.")
]
DisableEviction = Annotated[
    bool, typer.Option("--disable-eviction", help="Delete pods, past every PodDisruptionBudget.")
]
PodSelector = Annotated[str, pod_selector("Evict only pods with these labels.", show_default=False)]
SkipWaitForDelete = Annotated[
    float,
    duration(
        "--skip-wait-for-delete-timeout",
        "Do not wait for pods that were deleted longer ago than this; 0 = wait for all.  [default: 0]",
    ),
]


def lifted(**given: bool) -> frozenset[str]:
    """The flags that turn a guard's refusal into a warning, of those that were given."""
    return frozenset(f"--{name.replace('_', '-')}" for name, on in given.items() if on)


def options(node: str, values: Mapping[str, Any]) -> DrainOptions:
    """The flags' values, by the names of `drain`'s parameters, as options. Raises UsageError."""
    from bgpctl.core.drain.eviction import EvictionOptions
    from bgpctl.runbooks.options import DrainOptions

    command = values["shutdown_command"]
    return DrainOptions(
        node=node,
        order=values["order"],
        timeout=values["timeout"],
        settle=values["settle"],
        soak=values["soak"],
        deselect_label=values["deselect_label"],
        shutdown_command=parse.command_line(command) if command is not None else (),
        eviction=EvictionOptions(
            ignore_daemonsets=values["ignore_daemonsets"],
            force=values["force"],
            delete_emptydir_data=values["delete_emptydir_data"],
            grace_period=values["grace_period"],
            disable_eviction=values["disable_eviction"],
            pod_selector=values["pod_selector"],
            skip_wait_for_delete_timeout=round(values["skip_wait_for_delete_timeout"]),
        ),
        profiles=parse.profiles(values["peer_profiles"] or ()),
        lifted=lifted(
            allow_last_path=values["allow_last_path"],
            allow_address_gap=values["allow_address_gap"],
            beside_another_stack=values["beside_another_stack"],
        ),
        max_unavailable=values["max_unavailable"],
        take_over=values["take_over"],
        provider=values["provider"] or "",
        require_confirmed=values["require_confirmed"],
        assume_dead=values["assume_dead"],
    )

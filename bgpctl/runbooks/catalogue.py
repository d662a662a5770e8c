"""The runbooks, each as the list of its goals. Read this file first."""

from __future__ import annotations

from collections.abc import Sequence

from bgpctl import providers
from bgpctl.runbooks.checked import Checked
from bgpctl.runbooks.claim import Claimed, Released
from bgpctl.runbooks.drain_steps import Closed, Cordoned, Deselected, Evicted, ShutDown
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Step
from bgpctl.runbooks.options import DrainOptions, RestartOptions, RestoreOptions
from bgpctl.runbooks.restart_steps import ClaimedForRestart, Concluded, Graceful, Restarted
from bgpctl.runbooks.restore_steps import Announced, Established, Selected, Uncordoned, Up
from bgpctl.runbooks.soaked import FLAG as SOAK_FLAG
from bgpctl.runbooks.soaked import Soaked
from bgpctl.runbooks.withdrawn import Settled, Withdrawn


def node_drain(options: DrainOptions, run: str) -> Sequence[Step]:
    """Take a node out of service. `options.provider`: a stack that withdraws first may close apart."""
    typed, first = options.command, options.order == "withdraw-first"
    evicted = Evicted(options.eviction, typed, away=first)
    withdrawn = Withdrawn(options.require_confirmed, options.assume_dead, typed)
    row = providers.TABLE.get(options.provider)
    closed = (Closed(),) if row and row.closes_apart else ()
    soaked = (Soaked(options.soak),) if options.soak else ()
    leaving = (*soaked, Deselected(), withdrawn, *closed, Settled(options.settle))
    return (
        Claimed("drain", run, options.order, options.take_over, options.asked, typed),
        Checked(
            run,
            options.order,
            typed,
            tuple(options.profiles),
            options.require_confirmed,
            options.asked,
            options.probes_in,
        ),
        Cordoned(),
        *((*leaving, evicted) if first else (evicted, *leaving)),
        ShutDown(options.shutdown_command),
    )


def node_restore(options: RestoreOptions, run: str) -> Sequence[Step]:
    """Bring a node back to the state before its drain."""
    claimed = Claimed("restore", run, "", options.take_over, options.asked, options.command)
    return (claimed, Up(), Selected(), Established(), Announced(), Uncordoned(), Released())


def speaker_restart(options: RestartOptions, run: str) -> Sequence[Step]:
    """Restart a node's speaker without losing a route."""
    restarted, typed = Restarted(options.command, options.namespace), options.command_line
    return (
        ClaimedForRestart(run, options.take_over, options.asked, typed),
        Graceful(run, options.expected, restarted, options.allow_route_loss, options.asked, typed),
        restarted,
        Established(restart=True),
        Announced(restart=True),
        Concluded(),
    )


def steps_of(journal: Journal) -> tuple[str, ...]:
    """The names of the steps of the run that a journal is of, in their order."""
    match journal.command:
        case "drain":
            soak = 1.0 if SOAK_FLAG in journal.asked else 0.0
            options = DrainOptions("", journal.order, provider=journal.provider, soak=soak)
            steps = node_drain(options, "")
        case "restore":
            steps = node_restore(RestoreOptions(""), "")
        case _:
            steps = speaker_restart(RestartOptions(""), "")
    return tuple(step.name for step in steps)

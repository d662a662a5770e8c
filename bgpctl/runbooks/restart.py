"""`speaker restart`: put the runbook together, watch the routers while it runs, say what was seen."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bgpctl import providers
from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.errors import BgpctlError
from bgpctl.kube.client import Client
from bgpctl.runbooks import advice, engine
from bgpctl.runbooks import plan as planning
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.actions import RestartCommand, WatchRouters
from bgpctl.runbooks.catalogue import speaker_restart
from bgpctl.runbooks.engine import Events
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import RestartOptions
from bgpctl.runbooks.router_watch import Gaps, RouterWatch
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.world import World
from bgpctl.witness.probe import parse_probe

NAME = "speaker restart"


def restart(client: Client, options: RestartOptions) -> Events:
    """Restart the node's speaker without a route leaving a router, or say why that cannot be had."""
    run = secrets.token_hex(4)
    world = _world(client, options, run)
    hands = Restarter(world)
    steps = speaker_restart(options, run)
    try:
        result = yield from engine.run(
            NAME, options.node, run, steps, world, options.timeout, options.command_line
        )
    finally:
        hands.rest()
    told = _concluded(result, hands.gaps, hands.unwatched)
    return advice.completed(told, world.last_journal, options.command_line)


def plan(client: Client, options: RestartOptions) -> Events:
    """What it would do, decided on the world as it is. Performs nothing."""
    run = secrets.token_hex(4)
    steps = speaker_restart(options, run)
    result = yield from planning.plan(NAME, options.node, run, steps, _world(client, options, run))
    return replace(result, hint=options.command_line.aimed(result.hint))


def _world(client: Client, options: RestartOptions, run: str) -> World:
    routers = Routers(tuple(parse_probe(text) for text in options.probes))
    pods = EvictionOptions(pod_selector=options.pod_selector)
    provider = providers.named(client, options.provider or providers.DEFAULT)
    return worlds.build(
        client,
        options.node,
        run,
        provider=provider,
        timeout=options.timeout,
        routers=routers,
        eviction=pods,
    )


@dataclass(slots=True)
class Restarter:
    """Restarts a speaker and watches the routers meanwhile: two more hands of a world's performer. `gaps`:
    what each router was seen to lack, once it is at rest; `unwatched`: the peers that no probe looks at."""

    world: World
    gaps: tuple[Gaps, ...] = ()
    unwatched: tuple[str, ...] = ()
    watch: RouterWatch | None = None

    def __post_init__(self) -> None:
        self.world.performer.table |= {WatchRouters: self._watch, RestartCommand: self._run}

    def rest(self) -> None:
        if self.watch:
            self.gaps, self.watch = self.watch.stop(), None

    def _watch(self, action: WatchRouters) -> bool:
        routers = self.world.observer.routers
        targets = routers.targets()
        if self.watch is None and targets:
            self.unwatched = routers.untargeted()
            self.watch = RouterWatch(targets)
            self.watch.start()
        return bool(targets)

    def _run(self, action: RestartCommand) -> None:
        performer = self.world.performer
        code, last = performer.run_command(action.argv, "restart", "Restarted")
        if code:
            what = f"the restart command {action.argv[0]} ended with {code}"
            raise BgpctlError(what, said=last or "it said nothing")
        performer.restarted = True


def _concluded(result: Result, watched_gaps: Sequence[Gaps], unwatched: Sequence[str]) -> Result:
    """What a person reads last: that it is back, and what the routers said meanwhile. That no route left is
    proved where every router was watched all the time."""
    seen = [gaps.sentence() for gaps in watched_gaps]
    if unwatched:
        seen.append(f"nobody watched {', '.join(unwatched)}, which no probe asks")
    lost = any(gaps.gone or gaps.longest_gap for gaps in watched_gaps)
    watched = bool(watched_gaps) and not unwatched and all(gaps.throughout for gaps in watched_gaps)
    evidence = {
        "watched": watched,
        "routers": [_document(gaps) for gaps in watched_gaps],
    }
    result = replace(result, evidence=evidence)
    if result.status != "done":
        return result
    texts = {report.step: report.text for report in result.steps}
    proof = "; ".join(seen) or "the routers were not watched: whether a route left meanwhile is not known"
    message = f"{result.node}: {texts['Restarted']}; {texts['Established']}; {texts['Announced']} — {proof}"
    return replace(result, message=message, proof="confirmed" if watched and not lost else "")


def _document(gaps: Gaps) -> dict[str, object]:
    return {
        "router": gaps.router,
        "routes": gaps.routes,
        "looks": gaps.looks,
        "unanswered": gaps.unanswered,
        "longestPauseSeconds": round(gaps.longest_pause, 3),
        "longestGapSeconds": round(gaps.longest_gap, 3),
        "gone": gaps.gone,
    }

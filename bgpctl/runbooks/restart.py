"""`speaker restart`: put the runbook together, watch the routers while it runs, say what was seen."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.errors import BgpctlError
from bgpctl.kube.client import Client
from bgpctl.runbooks import advice, engine
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.actions import Action, RestartCommand, WatchRouters
from bgpctl.runbooks.catalogue import speaker_restart
from bgpctl.runbooks.engine import Events
from bgpctl.runbooks.model import Decision, Result
from bgpctl.runbooks.options import RestartOptions
from bgpctl.runbooks.router_watch import Gaps, Vigil
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.snapshot import Snapshot
from bgpctl.runbooks.world import World
from bgpctl.witness.probe import parse_probe

NAME = "speaker restart"


def restart(client: Client, options: RestartOptions) -> Events:
    """Restart the node's speaker without a route leaving a router, or say why that cannot be had."""
    run = secrets.token_hex(4)
    routers = Routers(tuple(parse_probe(text) for text in options.probes))
    pods = EvictionOptions(pod_selector=options.pod_selector)
    inner = worlds.build(client, options.node, run, timeout=options.timeout, routers=routers, eviction=pods)
    world = RestartWorld(inner, routers)
    steps = speaker_restart(options, run)
    result = yield from engine.run(
        NAME, options.node, run, steps, world, options.timeout, options.command_line
    )
    return advice.completed(_concluded(result, world), inner.last_journal, options.command_line)


@dataclass(slots=True)
class RestartWorld:
    """A World that can also restart a speaker and watch the routers meanwhile."""

    inner: World
    routers: Routers
    gaps: tuple[Gaps, ...] = ()
    _vigil: Vigil | None = None
    _ran: bool = False

    @property
    def changed(self) -> bool:
        return self.inner.changed

    def now(self) -> float:
        return self.inner.now()

    def monotonic(self) -> float:
        return self.inner.monotonic()

    def wait(self, seconds: float) -> None:
        self.inner.wait(seconds)

    def finish(self, step: str, decision: Decision, *, last: bool) -> None:
        self.inner.finish(step, decision, last=last)

    def conclude(self, status: str, reason: str) -> None:
        self.inner.conclude(status, reason)

    def observe(self, needs: frozenset[str]) -> Snapshot:
        return replace(self.inner.observe(needs), restarted=self._ran)

    def perform(self, action: Action) -> bool:
        match action:
            case WatchRouters():
                return self._watch()
            case RestartCommand():
                self._run(action)
                return True
        return self.inner.perform(action)

    def close(self) -> None:
        if self._vigil:
            self.gaps, self._vigil = self._vigil.stop(), None
        self.inner.close()

    def _watch(self) -> bool:
        targets = self.routers.targets()
        if self._vigil is None and targets:
            self._vigil = Vigil(targets)
            self._vigil.start()
        return bool(targets)

    def _run(self, action: RestartCommand) -> None:
        code, last = self.inner.performer.run_command(action.argv, "restart", "Restarted")
        if code:
            what = f"the restart command {action.argv[0]} ended with {code}"
            raise BgpctlError(what, said=last or "it said nothing")
        self._ran = True


def _concluded(result: Result, world: RestartWorld) -> Result:
    """What a person reads last: that it is back, and what the routers said meanwhile."""
    seen = [gaps.sentence() for gaps in world.gaps]
    lost = any(gaps.gone or gaps.longest_gap for gaps in world.gaps)
    watched = bool(seen) and all(gaps.routes for gaps in world.gaps)
    evidence = {
        "watched": watched,
        "routers": [_document(gaps) for gaps in world.gaps],
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

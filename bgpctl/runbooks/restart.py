"""`speaker restart`: put the runbook together, watch the routers while it runs, say what was seen."""

from __future__ import annotations

import secrets
import subprocess
import time
from dataclasses import dataclass, field, replace

from bgpctl.core.eviction import EvictionOptions
from bgpctl.core.profiles import UNKNOWN_ROUTER
from bgpctl.errors import BgpctlError, DeadlineExceeded
from bgpctl.kube.client import Client
from bgpctl.runbooks import engine
from bgpctl.runbooks.actions import Action, RestartCommand, WatchRouters
from bgpctl.runbooks.catalogue import speaker_restart
from bgpctl.runbooks.engine import Events
from bgpctl.runbooks.model import Decision, Result
from bgpctl.runbooks.options import RestartOptions
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.snapshot import Snapshot
from bgpctl.runbooks.vigil import Gaps, Vigil
from bgpctl.runbooks.world import World
from bgpctl.witness.probe import parse_probe

NAME = "speaker restart"


def restart(client: Client, options: RestartOptions) -> Events:
    """Restart the node's speaker without a route leaving a router, or say why that cannot be had."""
    run = secrets.token_hex(4)
    routers = Routers(tuple(parse_probe(text) for text in options.probes))
    pods = EvictionOptions(ignore_daemonsets=False, force=True, pod_selector=options.pod_selector)
    until = time.time() + options.timeout
    inner = World(client, options.node, run, pods, routers, lambda address: UNKNOWN_ROUTER, until=until)
    world = RestartWorld(inner, routers)
    result = yield from engine.run(
        NAME, options.node, run, speaker_restart(options, run), world, options.timeout
    )
    return _concluded(result, world)


@dataclass(slots=True)
class RestartWorld:
    """A World that can also restart a speaker and watch the routers meanwhile."""

    inner: World
    routers: Routers
    gaps: tuple[Gaps, ...] = ()
    _vigil: Vigil | None = None
    _ran: bool = field(default=False)

    def now(self) -> float:
        return self.inner.now()

    def wait(self, seconds: float) -> None:
        self.inner.wait(seconds)

    def finish(self, step: str, decision: Decision) -> None:
        self.inner.finish(step, decision)

    def observe(self, needs: frozenset[str]) -> Snapshot:
        seen = self.inner.observe(needs)
        return replace(seen, command_exit=0) if self._ran else seen

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
        argv = [part.replace("{node}", self.inner.node) for part in action.argv]
        limit = max(1.0, self.inner.until - self.now())
        again = "running the same command again tries it again"
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=limit)
        except subprocess.TimeoutExpired:
            raise DeadlineExceeded(
                f"time is up at Restarted: {argv[0]} did not end, and was killed", again
            ) from None
        except OSError as error:
            raise BgpctlError(
                f"the restart command {argv[0]} cannot be run: {error.strerror}", again
            ) from None
        if done.returncode:
            last = ((done.stdout + done.stderr).strip().splitlines() or ["it said nothing"])[-1]
            raise BgpctlError(f"the restart command {argv[0]} ended with {done.returncode}: {last}", again)
        self._ran = True


def _concluded(result: Result, world: RestartWorld) -> Result:
    """What a person reads last: that it is back, and what the routers said meanwhile."""
    seen = [gaps.sentence() for gaps in world.gaps]
    lost = any(gaps.gone or gaps.longest_gap for gaps in world.gaps)
    watched = bool(seen) and all(gaps.looks and gaps.routes for gaps in world.gaps)
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

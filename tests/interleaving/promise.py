"""The promise, as code. Whoever breaks a line of it has found a fault:

never "safe to power off", and no shutdown command, while a router has a route of the node or a pod that was
    to go runs there; and the routes do not come back by themselves afterwards
never *confirmed* by fewer routers than had routes of the node
never a write, an eviction or a command by a run that was replaced (but the request under way at that moment),
    nor one by its successor while its command still runs
never is the prior state lost: whatever happened, a restore brings it back
dry-run and status write nothing
at most the budget is out at once
every run ends, in words
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.runbooks.journal import Journal, load
from tests.interleaving import seeded
from tests.interleaving.models import World
from tests.support.direct import Asked


class Broken(AssertionError):
    """A line of the promise did not hold."""


@dataclass(slots=True)
class Promise:
    """Watches one interleaving. `safe`: the runs that said it; `powered`: whose command ran; `late`: requests
    under way when their run was replaced; `command`: the run whose command runs now."""

    sim: World
    safe: list[str] = field(default_factory=list)
    powered: list[str] = field(default_factory=list)
    late: int = 0
    command: Any = None
    budget: int = 1

    # -- each request

    def before(self, run: Any, asked: Asked) -> None:
        if not asked.writes:
            return
        other = self.command
        if other and other is not run and other.node == run.node and asked.resource != "leases":
            raise Broken(f"{run.name} sends {asked} while the shutdown command of {other.name} runs")
        if run.reading:
            raise Broken(f"{run.name} only looks, and sends {asked}")
        if asked.resource == "leases" or self.sim.lease_holder(run.node) == run.holder:
            return
        if not run.fenced:
            raise Broken(f"{run.name} was replaced, and sends {asked}")
        self.late += 1

    def after(self, run: Any, asked: Asked) -> None:
        if asked.resource == "pods/eviction":
            self._evicted(run, asked.path.removesuffix("/eviction"))
        if asked.path != paths.node(run.node):
            return
        self._budget()
        node = self.sim.node(run.node)
        journal = load(node["metadata"].get("annotations")) if node else None
        told = journal is not None and journal.done_at is not None
        if told and run.name not in self.safe and journal is not None and journal.holder == run.holder:
            self.safe.append(run.name)
            if run.name not in self.powered:  # it says that the command ended: asked when it began
                self.truth(run, "says that the node is safe to power off")
                self._confirmed(run, journal)

    def _confirmed(self, run: Any, journal: Journal) -> None:
        if not run.probes or journal.evidence.get("proof") != "confirmed":
            return
        peers = {router.address for router in self.sim.routers.values() if run.node in router.met}
        silent = peers - {probe.target for probe in run.probes}
        if silent:
            raise Broken(f"{run.name} calls it confirmed, and nobody asked {', '.join(silent)}")

    @contextmanager
    def powering_off(self, run: Any) -> Iterator[None]:
        """While its shutdown command runs."""
        if self.sim.lease_holder(run.node) != run.holder and not run.fenced:
            raise Broken(f"{run.name} was replaced, and runs its shutdown command")
        self.powered.append(run.name)
        self.truth(run, "runs its shutdown command")
        node = self.sim.node(run.node)
        if node and (journal := load(node["metadata"].get("annotations"))):
            self._confirmed(run, journal)
        self.command = run
        try:
            yield
        finally:
            self.command = None

    def stopped(self, run: Any) -> None:
        """kill -9, or -STOP: its command ends with it (`bgpctl.runbooks.warden`)."""
        if self.command is run:
            self.command = None

    def truth(self, run: Any, says: str) -> None:
        """The routers' tables and the node's pods are the truth."""
        has = self.sim.has(run.node)
        if has:
            raise Broken(f"{run.name} {says} while routers have {has}")
        pods = [p["metadata"]["name"] for p in self.chosen(run.node)]
        if pods:
            raise Broken(f"{run.name} {says} while {', '.join(pods)} run there")

    def chosen(self, node: str) -> list[dict[str, Any]]:
        """The pods that a drain of the node has to move."""
        return [
            p
            for p in self.sim.all(paths.PODS)
            if p["spec"].get("nodeName") == node
            and p["metadata"]["ownerReferences"][0]["kind"] != "DaemonSet"
        ]

    def _evicted(self, run: Any, path: str) -> None:
        pod = self.sim.find(path)
        if pod is not None and pod["spec"].get("nodeName") != run.node:
            raise Broken(f"{run.name} evicts {path}, which runs on {pod['spec'].get('nodeName')}")

    def _budget(self) -> None:
        """A node is out from its relabel on."""
        out = []
        for name in (seeded.NODE, seeded.OTHER):
            node = self.sim.node(name)
            journal = load(node["metadata"].get("annotations")) if node else None
            if journal is not None and journal.leaves and journal.command == "drain":
                out.append(name)
        if len(out) > self.budget:
            raise Broken(f"{' and '.join(out)} are out at once")

    # -- at the end of a run

    def ended(self, run: Any) -> None:
        """Only words leave a run; and "done" was said under the version that it was true of."""
        if run.problem is not None and not isinstance(run.problem, BgpctlError):
            raise Broken(f"{run.name} ended with {run.problem!r}") from run.problem
        if run.result is None or run.reading or run.result.command != "drain":
            return
        if run.result.status == "done" and run.name not in self.safe:
            raise Broken(f"{run.name} is done without having written it down")
        if run.result.exit_code == 2:
            raise Broken(f"{run.name} calls it a usage error: {run.result.message}")

"""Two nodes of a stack and their router, on loopback, and what can be done to them.

For a process of its own: what it shortens and switches off it does to the stack's classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION
from bgpctl.errors import Exit
from bgpctl.lab import cluster, seed, stacks
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.cluster import Lab
from bgpctl.lab.stacks.announced import prefixes
from bgpctl.lab.stacks.calico.node import CalicoNode
from bgpctl.lab.stacks.cilium import CiliumStack
from bgpctl.lab.stacks.cilium.agent import Agent
from bgpctl.lab.stacks.cilium.operator import Operator
from bgpctl.lab.stacks.frr_k8s.daemon import FrrK8s
from bgpctl.lab.stacks.gobgp import Gobgp
from bgpctl.witness.probe import Probe, parse_probe
from tests.matrix.cells import Graceful
from tests.stacks import command
from tests.stacks.cells import STACKS, Place, Stack
from tests.stacks.command import Command
from tests.support.cli import Ran
from tests.support.wait import eventually

NODE, OTHER = "worker-1", "worker-2"
UP_SECONDS = 60.0
RESTART_SECONDS = 15  # that a router keeps routes of a session that ended without a word
UNCOMPARED = ("pods", "endpointslices", "events", "bgpnodestates")
"""What an eviction makes anew, and what is told all the time."""
DERIVED = tuple(f"frrconfigurations metallb-system/metallb-{name}" for name in (NODE, OTHER))
"""What MetalLB's speaker makes of the endpoints: no pod comes back to a node because that is restored."""


class Hurried(CiliumStack):
    """Its agents report every second."""

    def _agent(self, node: str, engine: Gobgp) -> Agent:
        client = self.site.client()
        return Agent(client, node, engine, lambda: prefixes(client, node), cadence=command.CADENCE)


@dataclass(frozen=True)
class Site:
    """In service, whenever a cell begins."""

    place: Place
    lab: Lab
    probe: Probe

    @property
    def stack(self) -> Stack:
        return STACKS[self.place.stack]

    @property
    def addresses(self) -> dict[str, str]:
        return {name: self.lab.address_of(name) for name in (NODE, OTHER)}

    def start(self, *words: str, dies: int = -1) -> Command:
        """`bgpctl node WORDS…`; it asks the router that the kubeconfig names."""
        return command.start(self.lab.kubeconfig, *words, dies=dies)

    def bgpctl(self, *words: str, dies: int = -1) -> Ran:
        return self.start(*words, dies=dies).ended()

    def routes(self, node: str) -> int:
        """Those that are live and those that are stale: both forward."""
        return len(self.probe.routes_from(self.addresses[node]).paths)

    def serves(self) -> bool:
        """Everything is up, as far as the stack tells."""
        return not self.lab.stack.waiting()

    def objects(self) -> dict[str, Any]:
        """All that there are, without what only the API server counts and without their status. A lever that
        closes has Cilium delete an object and make it anew."""
        api, found = self.lab.api, {}
        counted = ["managedFields", "resourceVersion", "generation"]
        counted += [] if self.stack.withdraws else ["uid", "creationTimestamp"]
        for plural in sorted({resource.plural for resource in api.registry.all()} - set(UNCOMPARED)):
            for document in api.objects(plural):
                metadata = {k: v for k, v in document["metadata"].items() if v and k not in counted}
                rest = {k: v for k, v in document.items() if k not in ("metadata", "status")}
                found[f"{plural} {metadata.get('namespace', '')}/{metadata['name']}"] = (metadata, rest)
        return {name: found[name] for name in found if name not in DERIVED}

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Nobody may pull the lever."""
        fault = Fault("answer", verb="patch|create", resource=self.stack.lever, code=403)
        number = self.lab.api.faults.add(fault)
        try:
            yield
        finally:
            self.lab.api.faults.remove(number)

    def halted(self) -> AbstractContextManager[None]:
        """What obeys the lever is not there."""
        return HALTED[self.place.stack](self.lab)


@contextmanager
def running(place: Place) -> Iterator[Site]:
    """Up, and prepared as an operator prepares it."""
    command.hurry()
    seed.RESTART_SECONDS = RESTART_SECONDS
    stack = STACKS[place.stack]
    driver = stacks.STACKS[stack.lab]
    notified = place.graceful is Graceful.NOTIFICATION
    if stack.lab == "cilium":
        driver = replace(driver, make=partial(Hurried, notification=notified))
    elif notified:
        driver = replace(driver, documents=_with_notification(driver.documents))
    stacks.STACKS[stack.lab] = driver
    helps = place.graceful is not Graceful.OFF
    with cluster.running(
        2, place.router, stack=stack.lab, graceful_restart=helps, notification=notified
    ) as lab:
        site = Site(place, lab, parse_probe(lab.router.probe()))
        for words in driver.prepare if stack.prepared else ():
            ran = site.bgpctl(*words)
            assert ran.code == 0, ran.err
        plan = ("node", "drain", NODE, "--dry-run")
        wanted = Exit.DONE if stack.drains else Exit.BLOCKED
        eventually(
            lambda: site.bgpctl(*plan).code == wanted,
            UP_SECONDS,
            interval=0.5,
            why=f"a drain would end with {wanted}",
        )
        yield site


def _with_notification(documents: Callable[[stacks.Site], Any]) -> Callable[[stacks.Site], Iterator[Any]]:
    """The same policies, with the N bit asked for."""

    def asked(site: stacks.Site) -> Iterator[Any]:
        for document in documents(site):
            metadata = {**document["metadata"], "annotations": {GRACEFUL_NOTIFICATION: "true"}}
            yield {**document, "metadata": metadata}

    return asked


# --- who obeys ----------------------------------------------------------------------------------------------


@contextmanager
def _speaker(lab: Lab) -> Iterator[None]:
    (speaker,) = (one for one in lab.speakers if one.node == NODE)
    speaker.kill()
    try:
        yield
    finally:
        speaker.start()


@contextmanager
def _rounds(controller: Any, lab: Lab) -> Iterator[None]:
    """Of this class nobody does anything, as far as it is about the node."""
    once = controller.once
    controller.once = lambda self: None if getattr(self, "node", NODE) == NODE else once(self)
    try:
        yield
    finally:
        controller.once = once


HALTED: Mapping[str, Callable[[Lab], AbstractContextManager[None]]] = {
    "bgpctl": _speaker,
    "cilium": partial(_rounds, Operator),
    "relabel": partial(_rounds, Operator),
    "calico": partial(_rounds, CalicoNode),
    "frr-k8s": partial(_rounds, FrrK8s),
}

"""externalTrafficPolicy: Local while endpoints terminate, as BIRD sees it: two nodes, one shared address.

A node whose last endpoint begins to terminate loses the address at once when the other node has a ready one.
The last one of all keeps it while it still serves: nobody else could answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import objects
from tests.support.require import require
from tests.support.routers import ROUTER_ASN, Lab, Workshop
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

NAMES = ("worker-1", "worker-2")
VIP = "203.0.113.10/32"
READY = {"ready": True, "serving": True, "terminating": False}
LEAVING = {"ready": False, "serving": True, "terminating": True}
GONE = {"ready": False, "serving": False, "terminating": True}


@dataclass
class Nodes:
    """Two speakers, each with a state file, and the router that both announce to."""

    lab: Lab
    files: tuple[Path, ...]

    def endpoints(self, *conditions: dict[str, bool]) -> None:
        """Of each node one endpoint that is so; both speakers are told the same."""
        found = [objects.endpoint(name, **each) for name, each in zip(NAMES, conditions, strict=True)]
        for number, file in enumerate(self.files):
            state = [*self._world(number), objects.endpoint_slice("web", *found)]
            fresh = file.with_suffix(".new")
            fresh.write_text(yaml.safe_dump_all(state))
            fresh.rename(file)

    def _world(self, number: int) -> list[Any]:
        spec = self.lab.router.spec
        neighbor = objects.neighbor(
            f"{spec.address}/32", ROUTER_ASN, peerPort=spec.port, connectRetryTimeSeconds=1
        )
        routed = objects.router(neighbor, asn=self.lab.nodes[number].asn)
        web = objects.service("web", VIP.partition("/")[0], local=True)
        return [objects.node(NAMES[number]), objects.policy(routed), web]

    def announcing(self) -> set[str]:
        """The nodes from which the router has the address."""
        return {
            name
            for name, node in zip(NAMES, self.lab.nodes, strict=True)
            if VIP in {str(path.prefix) for path in self.lab.probe.routes_from(node.address).paths}
        }

    def becomes(self, *names: str) -> None:
        eventually(lambda: self.announcing() == set(names), 15, why=f"{self.announcing()}, not {names}")


@pytest.fixture
def nodes(workshop: Workshop) -> Iterator[Nodes]:
    require("bird")
    lab = workshop.router("bird")
    made = Nodes(lab, tuple(workshop.directory / f"{name}.yaml" for name in NAMES))
    made.endpoints(READY, READY)
    with ExitStack() as stack:
        for name, file, node in zip(NAMES, made.files, lab.nodes, strict=True):
            options = ("--node-name", name, "--file", file, "--source-address", node.address)
            speaker = SpeakerProcess(workshop.directory / name, *options)
            stack.callback(speaker.end)
            speaker.start()
        made.becomes(*NAMES)
        yield made


def test_a_terminating_endpoint_goes_first_and_the_last_one_stays(nodes: Nodes) -> None:
    nodes.endpoints(LEAVING, READY)
    nodes.becomes("worker-2")
    nodes.endpoints(LEAVING, LEAVING)  # nobody is ready any more: both answer while they can
    nodes.becomes(*NAMES)
    nodes.endpoints(GONE, LEAVING)
    nodes.becomes("worker-2")
    throughout(lambda: nodes.announcing() == {"worker-2"}, 1.0)
    nodes.endpoints(READY, LEAVING)
    nodes.becomes("worker-1")
    nodes.endpoints(GONE, GONE)
    nodes.becomes()

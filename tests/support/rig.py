"""A manager between a source and an engine in memory: ticked by hand, with everything that it published."""

from __future__ import annotations

from typing import Any

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.state import NodeState
from bgpctl.speaker.beside import Beside
from bgpctl.speaker.counters import Bell
from bgpctl.speaker.manager import Manager
from bgpctl.speaker.settings import Settings
from tests.support import objects
from tests.support.fake_engine import FakeEngine, FakeSource

A, B = "65001/127.0.0.100", "65001/127.0.0.101"
TWO = objects.policy(objects.router(objects.neighbor(), objects.neighbor("127.0.0.101/32")))
AWAY: dict[str, str] = {"enable-bgp": "false"}


def world(
    *services: dict[str, Any],
    labels: dict[str, str] | None = None,
    policy: Any = TWO,
    annotations: dict[str, str] | None = None,
) -> ClusterObjects:
    return ClusterObjects(
        node=objects.node(labels=labels, annotations=annotations or {}),
        policies=(policy,) if policy else (),
        services=services,
        endpoint_slices=tuple(
            objects.endpoint_slice(s["metadata"]["name"], objects.endpoint()) for s in services
        ),
    )


class Clock:
    """time.monotonic for the manager; stands still unless moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """A manager with its neighbours, and everything that it published."""

    def __init__(
        self,
        seen: ClusterObjects | None,
        recall: Any = lambda: None,
        unkept: Any = lambda: "",
        engine: FakeEngine | None = None,
        beside: Beside | None = None,
        **more: Any,
    ) -> None:
        self.source, self.engine = FakeSource(seen), engine or FakeEngine()
        self.published: list[NodeState] = []
        self.bell = Bell()
        self.manager = Manager(
            "worker-1",
            self.source,
            self.engine,
            self.published.append,
            Settings(**more),
            bell=self.bell,
            recall=recall,
            unkept=unkept,
            beside=beside,
        )

    @property
    def state(self) -> NodeState:
        return self.manager.state

    def tick(self, seen: ClusterObjects | None = None) -> float:
        if seen is not None:
            self.source.objects = seen
        self.engine.performed.clear()
        return self.manager.tick()

    def did(self) -> list[str]:
        return [type(action).__name__ for action in self.engine.performed]

    def phases(self) -> list[str]:
        found: list[str] = []
        for state in self.published:
            if state.phase not in found[-1:]:
                found.append(state.phase)
        return found

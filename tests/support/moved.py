"""Two nodes whose speakers report, on the embedded API with its kubelets, on a clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from bgpctl.core.model import IPV4, IPV6, GracefulRestart
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.runbooks.clock import Clock
from tests.support import direct, objects
from tests.support.kinds import KINDS
from tests.support.node_states import peer, state

Document = dict[str, Any]
Hook = Callable[["World"], None]

NODES = ("worker-1", "worker-2")
OLD, IMAGE = "quay.io/example/speaker:v1", "quay.io/example/speaker:v2"
LABELS = {"app.kubernetes.io/name": "bgpctl-speaker"}


@cache
def _kinds() -> direct.Api:
    api = direct.Api()
    api.server.apply(*KINDS, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bgp"}})
    return api


class World:
    """Two nodes whose speakers report, and what happens to them while somebody waits. `on_sleep` happens
    every time; `at` once, when so many seconds have passed."""

    def __init__(self) -> None:
        self.api = _kinds().fork()
        self.wire = direct.Wire(self.api)
        self.began = self.api.time.now
        self.said: list[str] = []
        self.at: dict[float, Hook] = {}
        self.on_sleep: Hook = lambda world: None
        server = self.api.server
        for name in NODES:
            self.node(name)
            self.speaks(name)
        server.images.seconds[IMAGE] = 0.4
        self.controllers = self.api.controllers(start_delay=0.0)

    @property
    def past(self) -> float:
        return self.api.time.now - self.began

    def node(self, name: str, ready: bool | None = True, **changes: Any) -> None:
        conditions = [] if ready is None else [{"type": "Ready", "status": str(ready)}]
        self.api.server.apply(objects.node(name, status={"conditions": conditions}, **changes))

    def speaks(self, name: str, restart_time: int = 120, ago: float = 30.0, **changes: Any) -> None:
        self.api.server.apply(to_document(self.state(name, restart_time, ago, **changes)))

    def state(self, name: str, restart_time: int = 120, ago: float = 30.0, **changes: Any) -> NodeState:
        """It began `ago` seconds ago, and its session was up 5 s later."""
        now = self.api.time.now
        both = ((IPV4, True), (IPV6, True))
        ours = GracefulRestart(restart_time, False, True, both)
        one = peer(now, local_gr=ours, established_at=now - ago + 5, **changes.pop("session", {}))
        told = state(name, now, replace(one, configured_restart_time=restart_time), started_at=now - ago)
        return replace(told, **changes)

    def daemon_set(self, **pod: Any) -> None:
        """What the stack runs, on every node, in a namespace of its own."""
        spec = {
            "hostNetwork": True,
            "imagePullSecrets": [{"name": "registry"}],
            "containers": [{"name": "speaker", "image": OLD}],
            **pod,
        }
        self.api.server.apply(
            {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "metadata": {"name": "bgpctl-speaker", "namespace": "bgp"},
                "spec": {
                    "selector": {"matchLabels": LABELS},
                    "template": {"metadata": {"labels": LABELS}, "spec": spec},
                },
            }
        )
        self.controllers.catch_up()

    def pods(self, label: str = "bgpctl-preflight") -> list[Document]:
        found = self.api.server.objects("pods", "")
        return [pod for pod in found if pod["metadata"]["labels"].get("app.kubernetes.io/name") == label]

    def speaker(self, node: str) -> Document:
        """The DaemonSet's pod there."""
        owned = (one for one in self.pods("bgpctl-speaker") if one["metadata"].get("ownerReferences"))
        here = (one for one in owned if one["metadata"]["namespace"] == "bgp")
        (found,) = (one for one in here if one["spec"].get("nodeName") == node)
        return found

    def sleep(self, seconds: float) -> None:
        self.api.time.move(max(0.0, seconds))
        self.controllers.catch_up()
        self.on_sleep(self)
        for due in sorted(when for when in self.at if when <= self.past):
            self.at.pop(due)(self)


class Moved(Clock):
    """Counts as the world's time does."""

    def __init__(self, world: World) -> None:
        super().__init__(world.wire.client())
        self._world = world

    def monotonic(self) -> float:
        return self._world.past

    def sleep(self, seconds: float) -> None:
        self._world.sleep(seconds)

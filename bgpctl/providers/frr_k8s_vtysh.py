"""What the FRR of a node, of frr-k8s or in MetalLB's speaker, says of its sessions, and how many routes it
has sent on each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bgpctl.core.frr_k8s.config import Neighbor
from bgpctl.core.frr_k8s.told import CLIENT, CONTAINER, QUESTION, SELECTOR, Sessions, answer
from bgpctl.kube.client import Client
from bgpctl.providers.asking import Asking, Say


class Frrs:
    """`told` is empty for whatever reason FRR's word cannot be had. `selector`: of the pods that it is in."""

    def __init__(
        self, client: Client, selector: str = SELECTOR, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._asking = Asking[Sessions](client, selector, CONTAINER, CLIENT, clock)

    def told(self, node: str, version: str, neighbors: Sequence[Neighbor]) -> tuple[Sessions, str]:
        """Of every one of these peers or of none; and who said it. Nothing of theirs is in the command."""
        found, by = self._asking.told(node, version, lambda say: _ask(say, neighbors))
        return found or {}, by


def _ask(say: Say, neighbors: Sequence[Neighbor]) -> Sessions | None:
    found = answer(say(QUESTION), neighbors)
    return found if all(one.key in found for one in neighbors) else None

"""A speaker's objects, and beside them the thread that writes the verdicts on them, if it is this speaker's
turn. An operator that does it for the cluster would leave the speakers with `KubeSource`."""

from __future__ import annotations

from collections.abc import Callable, Collection

from bgpctl.conditions.verdicts import Inputs, Verdicts
from bgpctl.kube.client import Client
from bgpctl.speaker.sources import KubeSource


class VerdictSource(KubeSource):
    """As KubeSource; what keeps conditions from being written is one of its problems."""

    def __init__(
        self,
        client: Client,
        node: str,
        secrets_namespace: str,
        ring: Callable[[], None],
        secrets: Collection[str] | None = None,
    ) -> None:
        def changed() -> None:
            self._verdicts.poke()
            ring()

        self._verdicts = Verdicts(client, node, self._judged)
        super().__init__(client, node, secrets_namespace, changed, secrets)

    def start(self) -> None:
        super().start()
        self._verdicts.start()

    def stop(self) -> None:
        self._verdicts.stop()
        super().stop()

    def problems(self) -> tuple[str, ...]:
        return (*super().problems(), *self._verdicts.problems())

    def _judged(self) -> Inputs | None:
        """None until everything was read."""
        if not self.ready():
            return None
        may_read = self._secrets and all(mirror.synced.is_set() for mirror in self._secrets)
        secrets = frozenset(self._passwords())
        policies, clusters = self._policies.items(), self._cluster_configs.items()
        return Inputs(policies, clusters, self._peer_configs.items(), secrets if may_read else None)

"""The logs of pods, through the API server: one `Log` per container, read once or followed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from bgpctl.kube import paths
from bgpctl.kube.client import Client

FOLLOW_TIMEOUT = 3600.0  # a quiet speaker writes nothing for hours


@dataclass(frozen=True, slots=True)
class PodLog:
    """One container's log. `key` tells it from that of a pod of the same name that was there before."""

    client: Client
    namespace: str
    pod: str
    uid: str
    container: str
    node: str
    named = False

    @property
    def key(self) -> str:
        return f"{self.uid}/{self.container}"

    @property
    def name(self) -> str:
        """For messages; of a pod's several containers each has a log."""
        return f"pod {self.namespace}/{self.pod} ({self.container})"

    def lines(self, follow: bool, since_seconds: float | None) -> Iterator[str]:
        """Lines from `since_seconds` ago on, None = all that are kept, each after the time (RFC 3339) at
        which it was written and a blank. Raises Temporary and ApiError."""
        query = {"container": self.container, "timestamps": "true"}
        if follow:
            query["follow"] = "true"
        if since_seconds is not None:
            query["sinceSeconds"] = str(max(1, ceil(since_seconds)))
        path = f"{paths.pod(self.namespace, self.pod)}/log"
        yield from self.client.lines(path, query, FOLLOW_TIMEOUT if follow else None)


def pod_logs(
    client: Client,
    selector: str,
    namespace: str,
    nodes: Sequence[str],
    containers: Collection[str] = (),
    counts: Callable[[dict[str, Any]], bool] = lambda pod: True,
) -> tuple[PodLog, ...]:
    """The logs of every pod with these labels that `counts`, on these nodes, of containers of these names
    (none = all); `namespace` "" = anywhere."""
    path = f"/api/v1/namespaces/{paths.named(namespace)}/pods" if namespace else paths.PODS
    pods = filter(counts, client.items(path, labelSelector=selector))
    found = (log for pod in pods for log in _of_pod(client, pod) if not nodes or log.node in nodes)
    return tuple(log for log in found if not containers or log.container in containers)


def _of_pod(client: Client, pod: dict[str, Any]) -> Iterator[PodLog]:
    meta, spec = pod["metadata"], pod.get("spec") or {}
    for container in spec.get("containers") or ():
        yield PodLog(
            client,
            meta.get("namespace", "default"),
            meta["name"],
            meta.get("uid", ""),
            container["name"],
            spec.get("nodeName") or "",
        )

"""Asks what speaks BGP on a node, by exec in its pod, what its engine still advertises.

It is the best word that a cluster without routers to ask can give (*reported*). Where it may not be asked, or
does not answer, nothing is known by it, and what its stack wrote is all there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from bgpctl.core.reading.documents import metadata, name_of, namespace_of
from bgpctl.errors import BgpctlError
from bgpctl.kube import exec, paths
from bgpctl.kube.client import ApiError, Client

KEPT_SECONDS = 1.0  # an answer: looks come several times a second
PATIENCE = 5.0  # seconds before one that gave none is asked again

Document = Mapping[str, Any]
Say = Callable[[Sequence[str]], str]
"""A command, and what it says. Raises BgpctlError."""
T = TypeVar("T")


class Asking(Generic[T]):
    """Of pods that `selector` selects, one per node, in its own network, by their container. `client`: the
    program that is run in it, for people."""

    def __init__(
        self,
        client: Client,
        selector: str,
        container: str,
        program: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._clock = client, clock
        self._selector, self._container, self._program = selector, container, program
        self._forbidden = False
        self._kept: dict[str, tuple[float, str, tuple[T | None, str]]] = {}

    def told(self, node: str, version: str, ask: Callable[[Say], T | None]) -> tuple[T | None, str]:
        """What `ask` makes of the pod's answers, and who gave them: "cilium-dbg in pod kube-system/cilium-x".
        None and "" for whatever reason its word cannot be had. `version`: of what it was told to do; an
        answer from before that was changed is none."""
        until, of, answer = self._kept.get(node, (0.0, "", (None, "")))
        if self._forbidden or (self._clock() < until and of == version):
            return answer
        try:
            answer = self._ask(node, ask)
        except ApiError as error:
            self._forbidden = error.code == 403
            answer = None, ""
        except BgpctlError:
            answer = None, ""
        lasts = PATIENCE if answer[0] is None else KEPT_SECONDS
        self._kept[node] = (self._clock() + lasts, version, answer)
        return answer

    def _ask(self, node: str, ask: Callable[[Say], T | None]) -> tuple[T | None, str]:
        pod = self._pod(node)
        if pod is None:
            return None, ""
        namespace, name = namespace_of(pod), name_of(pod)
        found = ask(lambda words: exec.run(self._client, namespace, name, self._container, words))
        return (None, "") if found is None else (found, f"{self._program} in pod {namespace}/{name}")

    def _pod(self, node: str) -> Document | None:
        """The one that runs there. Two are none: it is being replaced, and one that is on its way out may
        speak beside the next (a DaemonSet's maxSurge)."""
        where = {"labelSelector": self._selector, "fieldSelector": f"spec.nodeName={node}"}
        pods = self._client.items(paths.PODS, **where)
        there = [pod for pod in pods if on_host(pod) and not _ended(pod)]
        alone = len(there) == 1 and not metadata(there[0]).get("deletionTimestamp")
        return there[0] if alone else None


def _ended(pod: Document) -> bool:
    """For good, as one that was evicted: it stays in the list."""
    status = pod.get("status")
    return isinstance(status, Mapping) and status.get("phase") in ("Succeeded", "Failed")


def on_host(pod: Document) -> bool:
    """Is it in its node's own network, as what speaks BGP there is? Any label anybody may give to a pod, that
    only who is trusted with the node."""
    spec = pod.get("spec")
    return isinstance(spec, Mapping) and spec.get("hostNetwork") is True

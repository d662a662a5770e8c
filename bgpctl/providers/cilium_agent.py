"""Asks the Cilium agent of a node that was made to withdraw what its engine still advertises: by exec in its
pod.

It is the best word that a cluster without routers to ask can give (*reported*). Where it may not be asked, or
does not answer, nothing is known by it, and its word in the CiliumBGPNodeConfig is all there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bgpctl.core.cilium.agent import CLIENT, PEERS, Told, key_of, questions, read_count, read_sessions
from bgpctl.core.cilium.nodeconfig import NodeConfig
from bgpctl.core.cilium.states import Settings
from bgpctl.core.reading.documents import name_of, namespace_of
from bgpctl.errors import BgpctlError
from bgpctl.kube import exec, paths
from bgpctl.kube.client import ApiError, Client

SELECTOR, CONTAINER = "k8s-app=cilium", "cilium-agent"
KEPT_SECONDS = 1.0  # an answer: looks come several times a second
PATIENCE = 5.0  # seconds before one that gave none is asked again

Document = Mapping[str, Any]
Answer = tuple[Mapping[str, Told], str]
"""By the peer's key, and who said it: "cilium-dbg in pod kube-system/cilium-x", "" = nobody did."""
NO_ANSWER: Answer = ({}, "")


class Agents:
    """An answer is NO_ANSWER for whatever reason the agent's word cannot be had."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._clock = client, clock
        self._forbidden = False
        self._kept: dict[str, tuple[float, str, Answer]] = {}

    def told(self, config: NodeConfig, settings: Settings) -> Answer:
        """Of every peer of the node, or of none."""
        if not config.peers:
            return NO_ANSWER
        return self._once(config.node, config.version, lambda pod: self._ask(pod, config, settings))

    def without_session(self, node: str) -> str:
        """Who says that the agent of a node has no session at all; "" = nobody does."""
        return self._once(node, "", self._nothing)[1]

    def _once(self, node: str, version: str, ask: Callable[[Document], Answer]) -> Answer:
        until, of, answer = self._kept.get(node, (0.0, "", NO_ANSWER))
        if self._forbidden or (self._clock() < until and of == version):
            return answer
        try:
            pod = self._pod(node)
            answer = ask(pod) if pod else NO_ANSWER
        except ApiError as error:
            self._forbidden = error.code == 403
            answer = NO_ANSWER
        except BgpctlError:
            answer = NO_ANSWER
        self._kept[node] = (self._clock() + (KEPT_SECONDS if answer[1] else PATIENCE), version, answer)
        return answer

    def _ask(self, pod: Document, config: NodeConfig, settings: Settings) -> Answer:
        sessions = read_sessions(self._say(pod, PEERS))
        counts: dict[str, int] = {}
        for key, words in questions(config, settings):
            counts[key] = counts.get(key, 0) + read_count(self._say(pod, words))
        known = [(peer.key, key_of(peer)) for peer in config.peers]
        if any(name not in sessions or key not in counts for key, name in known):
            return NO_ANSWER
        return {key: replace(sessions[name], advertised=counts[key]) for key, name in known}, _who(pod)

    def _nothing(self, pod: Document) -> Answer:
        return ({}, _who(pod)) if not read_sessions(self._say(pod, PEERS)) else NO_ANSWER

    def _say(self, pod: Document, words: Sequence[str]) -> str:
        return exec.run(self._client, namespace_of(pod), name_of(pod), CONTAINER, words)

    def _pod(self, node: str) -> Document | None:
        """The one that runs there. Two are none: the agent is being replaced."""
        where = {"labelSelector": SELECTOR, "fieldSelector": f"spec.nodeName={node}"}
        pods = [pod for pod in self._client.items(paths.PODS, **where) if not _leaves(pod)]
        return pods[0] if len(pods) == 1 else None


def _who(pod: Document) -> str:
    return f"{CLIENT} in pod {namespace_of(pod)}/{name_of(pod)}"


def _leaves(pod: Document) -> bool:
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))

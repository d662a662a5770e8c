"""What the Cilium agent of a node says of its sessions and, where it was told to leave, of what its engine
still advertises."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from bgpctl.core.cilium.agent import CLIENT, PEERS, Key, Told, key_of, questions, read_count, read_sessions
from bgpctl.core.cilium.nodeconfig import NodeConfig
from bgpctl.core.cilium.states import Settings
from bgpctl.kube.client import Client
from bgpctl.providers.asking import Asking, Say

SELECTOR, CONTAINER = "k8s-app=cilium", "cilium-agent"

Sessions = Mapping[str, Told]
Answer = tuple[Sessions, str]
"""By the peer's key, and who said it, "" = nobody did."""


class Agents:
    """An answer is empty for whatever reason the agent's word cannot be had."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._asking = Asking[Sessions](client, SELECTOR, CONTAINER, CLIENT, clock)
        self._sessions = Asking[Mapping[Key, Told]](client, SELECTOR, CONTAINER, CLIENT, clock)

    def told(self, config: NodeConfig, settings: Settings) -> Answer:
        """Of every peer of the node, or of none."""
        if not config.peers:
            return {}, ""
        found, by = self._asking.told(config.node, config.version, lambda say: _ask(say, config, settings))
        return found or {}, by

    def sessions(self, node: str, version: str) -> tuple[Mapping[Key, Told], str]:
        """All sessions of a node of which no object tells, and who said it. `version`: of what its agent was
        told to do."""
        found, by = self._sessions.told(node, version, lambda say: read_sessions(say(PEERS)))
        return found or {}, by

    def without_session(self, node: str) -> str:
        """Who says that the agent of a node has no session at all; "" = nobody does."""
        return self._asking.told(node, "", lambda say: None if read_sessions(say(PEERS)) else {})[1]


def _ask(say: Say, config: NodeConfig, settings: Settings) -> Sessions | None:
    sessions = read_sessions(say(PEERS))
    counts: dict[str, int] = {}
    for key, words in questions(config, settings):
        counts[key] = counts.get(key, 0) + read_count(say(words))
    known = [(peer.key, key_of(peer)) for peer in config.peers]
    if any(name not in sessions or key not in counts for key, name in known):
        return None
    return {key: replace(sessions[name], advertised=counts[key]) for key, name in known}

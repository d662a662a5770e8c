"""`cilium-dbg` in the pods of the emulated agents: what their engines say, as that client writes it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bgpctl.lab.api.exec import Commands, Ended
from bgpctl.lab.stacks.cilium.agent import Agent
from bgpctl.lab.stacks.engine import Engine

Document = dict[str, Any]


def daemonset() -> Document:
    """Whose pods the agents are."""
    labels = {"k8s-app": "cilium"}
    containers = [{"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.18.3"}]
    pod = {"hostNetwork": True, "priorityClassName": "system-node-critical", "containers": containers}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "cilium", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def played(agents: Mapping[str, Agent]) -> Commands:
    """By node the agent that is asked: it tells of the sessions that its engine has, whatever it was told to
    have."""

    def run(pod: Document, container: str, words: Sequence[str]) -> Ended:
        agent = agents[pod["spec"]["nodeName"]]
        match words:
            case ["cilium-dbg", "bgp", "peers", "-o", "json"]:
                return (
                    json.dumps([_told(agent.engine, key, *peer) for key, peer in agent.peers.items()]),
                    "",
                    0,
                )
            case ["cilium-dbg", "bgp", "routes", "advertised", "ipv4", "unicast", *_, address, "-o", "json"]:
                key = next(key for key, peer in agent.peers.items() if peer[0] == address)
                routes = [{"prefix": f"192.0.2.{n}/32"} for n in range(agent.engine.advertised(key))]
                return json.dumps(routes or None), "", 0
        return "", f"Error: {' '.join(words)}: address family not configured", 1

    return run


def _told(engine: Engine, key: str, address: str, asn: int, local_asn: int) -> Document:
    state, since = engine.session(key)
    up = {"uptime-nanoseconds": int((time.time() - since) * 1e9)} if since else {}
    return {
        "peer-address": address,
        "peer-asn": asn,
        "local-asn": local_asn,
        "session-state": state,
        **up,
    }

"""`cilium-dbg` in the pods of the emulated agents: what their engines say, as that client writes it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bgpctl.kube.client import Client
from bgpctl.lab.api.exec import Commands, Ended
from bgpctl.lab.stacks.cilium.documents import NODE_CONFIGS
from bgpctl.lab.stacks.engine import Engine

Document = dict[str, Any]


def daemonset() -> Document:
    """Whose pods the agents are."""
    labels = {"k8s-app": "cilium"}
    containers = [{"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.18.3"}]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "cilium", "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def played(client: Client, engines: Mapping[str, Engine]) -> Commands:
    """By node the engine that is asked."""

    def run(pod: Document, container: str, words: Sequence[str]) -> Ended:
        engine = engines[pod["spec"]["nodeName"]]
        peers = list(_peers(client.find(f"{NODE_CONFIGS}/{pod['spec']['nodeName']}")))
        match words:
            case ["cilium-dbg", "bgp", "peers", "-o", "json"]:
                return json.dumps([_told(engine, *peer) for peer in peers]), "", 0
            case ["cilium-dbg", "bgp", "routes", "advertised", "ipv4", "unicast", *_, address, "-o", "json"]:
                key = next(key for key, item, _ in peers if item["peerAddress"] == address)
                routes = [{"prefix": f"192.0.2.{n}/32"} for n in range(engine.advertised(key))]
                return json.dumps(routes or None), "", 0
        return "", f"Error: {' '.join(words)}: address family not configured", 1

    return run


def _peers(config: Document | None) -> Iterator[tuple[str, Document, int]]:
    for one in config["spec"]["bgpInstances"] if config else ():
        for item in one.get("peers") or ():
            yield f"{one['name']}/{item['name']}", item, one["localASN"]


def _told(engine: Engine, key: str, item: Document, asn: int) -> Document:
    state, since = engine.session(key)
    up = {"uptime-nanoseconds": int((time.time() - since) * 1e9)} if since else {}
    return {
        "peer-address": item["peerAddress"],
        "peer-asn": item["peerASN"],
        "local-asn": asn,
        "session-state": state,
        **up,
    }

"""Nodes with bgpctl's own speaker, which reads its objects from a file: there is no API server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION
from bgpctl.core.timing.drills import Setting
from bgpctl.lab import seed
from bgpctl.lab.drill.nodes import NODE, OTHER, PORT, Place
from bgpctl.lab.stacks.speakers import Speaker

if TYPE_CHECKING:
    from bgpctl.core.timing.facts import PeerFacts

RETRY_SECONDS = 1


class Own:
    """As `nodes.Nodes`."""

    close = None  # as the forecast has it where nobody says

    def __init__(self, place: Place) -> None:
        self._place = place
        self._objects = place.directory / "objects.json"
        self._selected = self._backends = True
        self._write()
        self._speakers = {name: self._speaker(name) for name in place.hosts}

    def _speaker(self, name: str) -> Speaker:
        directory, address = self._place.directory / name, self._place.hosts[name].address
        return Speaker(name, address, directory, Path(), address, objects=self._objects)

    def start(self, name: str) -> None:
        with self._place.hosts[name].inside():
            self._speakers[name].start()

    def kill(self) -> None:
        """SIGKILL to speaker and engine."""
        self._speakers[NODE].kill()

    def stop(self) -> None:
        """SIGTERM."""
        self._speakers[NODE].stop()

    def end(self) -> None:
        """Nobody has to be told."""
        for speaker in self._speakers.values():
            speaker.kill()

    def runs(self) -> bool:
        from bgpctl.errors import BgpctlError
        from bgpctl.speaker.status.client import state

        try:
            return state(self._speakers[NODE].directory).phase == "Running"
        except BgpctlError:
            return False

    def last_words(self, name: str) -> str:
        return self._speakers[name].last_words()

    def facts(self) -> PeerFacts:
        """What was negotiated."""
        from bgpctl.core.timing.facts import facts_from_state
        from bgpctl.speaker.status.client import state

        (peer,) = state(self._speakers[NODE].directory).peers
        return facts_from_state(peer)

    def select(self, selected: bool) -> None:
        """Does the policy select the node?"""
        self._selected = selected
        self._write()

    def backends(self, present: bool) -> None:
        self._backends = present
        self._write()

    def _write(self) -> None:
        """At once: a speaker that reads half of it would keep what was before."""
        documents = [*self._documents()]
        new = self._objects.with_suffix(".new")
        new.write_text("\n---\n".join(map(json.dumps, documents)))  # JSON is YAML
        new.replace(self._objects)

    def _documents(self) -> Iterator[seed.Document]:
        for number, (name, host) in enumerate(self._place.hosts.items(), start=1):
            node = seed.node(name, number, host.address)
            selected = self._selected or name != NODE
            node["metadata"]["labels"][seed.LABEL] = "true" if selected else "false"
            yield node
        for name, router in self._place.routers.items():
            yield policy(name, router, self._place.setting)
        yield seed.service("web", seed.WEB_VIP, "Cluster")
        yield seed.service("api", seed.API_VIP, "Local")
        yield _slice("web", (NODE, OTHER) if self._backends else ())
        yield _slice("api", (NODE,) if self._backends else ())


def policy(node: str, router: str, setting: Setting) -> seed.Document:
    """The lab's, for one node, with these timers."""
    document = seed.policy(router, PORT)
    document["metadata"]["name"] = node
    document["spec"]["nodeSelector"]["matchLabels"]["kubernetes.io/hostname"] = node
    if setting.notification:
        document["metadata"]["annotations"] = {GRACEFUL_NOTIFICATION: "true"}
    neighbor = document["spec"]["virtualRouters"][0]["neighbors"][0]
    neighbor |= {
        "holdTimeSeconds": setting.hold,
        "keepAliveTimeSeconds": setting.keepalive,
        "connectRetryTimeSeconds": RETRY_SECONDS,
        "gracefulRestart": {"enabled": setting.restart is not None},
    }
    if setting.restart is not None:
        neighbor["gracefulRestart"]["restartTimeSeconds"] = setting.restart
    return document


def _slice(service: str, nodes: Sequence[str]) -> seed.Document:
    ends = [
        {"addresses": [f"10.244.{number}.7"], "nodeName": name, "conditions": {"ready": True}}
        for number, name in enumerate(nodes, start=1)
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": ends,
    }

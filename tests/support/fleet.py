"""Many speakers' watches and writes in one process: `python -m tests.support.fleet URL TOKEN COUNT HOW`.

Each has the speaker's mirror of EndpointSlices and its publisher of a BGPNodeState, and counts the Services
with a usable endpoint as its routes. HOW: counts are written `at-once`, or when one `waits`. For every line
on stdin it answers with what was read and written so far.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from bgpctl.core.intent.endpoints import Slice, read_slice
from bgpctl.core.state import NodeState
from bgpctl.kube import paths
from bgpctl.kube.client import Client, Stream
from bgpctl.kube.watch import Mirror
from bgpctl.speaker.status import waiting
from bgpctl.speaker.status.kubesink import KubeSink
from bgpctl.speaker.status.publisher import Publisher
from bgpctl.speaker.status.waiting import Waiting
from tests.support.clients import plain_client

START_SECONDS = 2.0


class Counted:
    """An answer whose octets are counted."""

    def __init__(self, response: Any) -> None:
        self._response, self.octets = response, 0

    def stream(self, *given: Any, **options: Any) -> Any:
        for chunk in self._response.stream(*given, **options):
            self.octets += len(chunk)
            yield chunk

    def close(self) -> None:
        self._response.close()


class CountingStreams(Client):
    def stream(self, path: str, query: Any, read_timeout: float) -> Stream:
        made = super().stream(path, query, read_timeout)
        self.counted = Counted(made._response)
        made._response = self.counted
        return made


class Watcher:
    """One speaker's share."""

    def __init__(self, url: str, token: str, number: int, waits: bool) -> None:
        self.name = f"node-{number}"
        self.client = CountingStreams(plain_client(url, token).access)
        self.events = self.writes = 0
        self._sink = KubeSink(self.client, self.name)
        self._publisher = Publisher(self, waiting=Waiting() if waits else None)
        self._slices: Mirror[Slice] = Mirror(
            self.client,
            paths.ENDPOINT_SLICES,
            self._changed,
            query=paths.BALANCED_SLICES,
            slim=lambda item: read_slice(item, self.name),
        )

    def start(self) -> None:
        self._publisher.start()
        self._slices.start(within=START_SECONDS)

    @property
    def ready(self) -> bool:
        return self._slices.synced.is_set() and self.writes > 0

    def read(self) -> NodeState | None:
        return None

    def write(self, state: NodeState) -> None:
        self._sink.write(state)
        self.writes += 1

    def _changed(self) -> None:
        self.events += 1
        routes = sum(any(backends.v4.usable for _, backends in s.backends) for s in self._slices.items())
        self._publisher.offer(NodeState(self.name, "Running", intended=routes, announced=routes))


def totals(fleet: list[Watcher]) -> dict[str, float]:
    """Until now: events, octets of watches, writes, and seconds of CPU of this process."""
    return {
        "events": sum(each.events for each in fleet),
        "octets": sum(each.client.counted.octets for each in fleet),
        "writes": sum(each.writes for each in fleet),
        "cpu": time.process_time(),
    }


def main(url: str, token: str, count: str, how: str) -> None:
    waiting.FRESH_SECONDS = 0.0  # a fleet that has served for a while
    fleet = [Watcher(url, token, number, how == "waits") for number in range(int(count))]
    for each in fleet:
        each.start()
    while not all(each.ready for each in fleet):
        time.sleep(0.1)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(totals(fleet)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

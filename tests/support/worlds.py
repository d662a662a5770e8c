"""One node's speaker and its engine, from a state file: killed, started and changed behind their backs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

import yaml

from tests.support import objects
from tests.support.cli import Ran, bgpctl, clean_environment
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

NAME = "worker-1"


class World:
    """A state file, the speakers that read it, and the engine that may outlive them."""

    def __init__(
        self, place: Path, address: str, port: int, asn: int, node: str, *, graceful: bool = True
    ) -> None:
        """The router's address, port and AS; the local address of the node's session."""
        self.directory, self.path, self._node = place / "speaker", place / "state.yaml", node
        restart = {"enabled": True, "restartTimeSeconds": 30} if graceful else {"enabled": False}
        peer = objects.neighbor(f"{address}/32", asn, peerPort=port, gracefulRestart=restart)
        self.policy = objects.policy(objects.router(peer))
        self.write(ip_network("192.0.2.80/32"))

    def write(self, *services: IPv4Network, labels: dict[str, str] | None = None) -> None:
        documents = [objects.node(NAME, labels=labels), self.policy]
        for number, prefix in enumerate(services):
            name = f"web-{number}"
            documents += [
                objects.service(name, str(prefix.network_address), ports=[{"port": 80}]),
                objects.endpoint_slice(name, objects.endpoint()),
            ]
        draft = self.path.with_suffix(".new")
        draft.write_text(yaml.safe_dump_all(documents))
        draft.replace(self.path)

    @contextmanager
    def speaker(self, engine: str = "detached", *more: str) -> Iterator[SpeakerProcess]:
        """Killed at the end, and only the speaker is."""
        given = (
            "--node-name",
            NAME,
            "--source-address",
            self._node,
            "--file",
            self.path,
            "--engine",
            engine,
            *more,
        )
        made = SpeakerProcess(self.directory, *given).start()
        try:
            yield made
        finally:
            assert made.process is not None
            made.process.kill()
            made.process.wait()

    @contextmanager
    def engine(self) -> Iterator[subprocess.Popen[bytes]]:
        """`speaker engine run`, as in a container of its own."""
        argv = [
            sys.executable,
            "-m",
            "bgpctl",
            "speaker",
            "engine",
            "run",
            "--directory",
            str(self.directory),
        ]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=clean_environment())
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def stop_engine(self, *more: str) -> Ran:
        return bgpctl("speaker", "engine", "stop", "--directory", str(self.directory), *more)

    def state(self) -> dict[str, Any]:
        path = self.directory / "state.json"
        return dict(json.loads(path.read_text())["status"]) if path.exists() else {}

    def running(self) -> dict[str, Any]:
        """The state once the speaker that runs now has reported that all is done."""

        def done() -> bool:
            state = self.state()
            peers = state.get("peers", [])
            sent = all(peer.get("endOfRIBSent") for peer in peers)
            return state.get("phase") == "Running" and state["sessions"] == "1/1" and sent

        eventually(done, why=f"running: {self.state()}")
        return self.state()

    def processes(self) -> list[int]:
        return list(SpeakerProcess(self.directory).processes())

    def end(self) -> None:
        """Kill whatever of it still runs."""
        SpeakerProcess(self.directory).end()

"""bgpctl's own stack in a lab: one real `bgpctl speaker run` per node, ended with the lab."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bgpctl.errors import BgpctlError
from bgpctl.lab import seed
from bgpctl.lab.routers.process import die_with_parent, end
from bgpctl.lab.stacks.spec import Document, Driver, Site

if TYPE_CHECKING:
    from bgpctl.kube.client import Client

HTTP_PORT = 9180


@dataclass(slots=True)
class Speaker:
    """One node's speaker process. `stop` is a SIGTERM (a restart), `kill` a SIGKILL (a crash). `objects`: a
    file that it reads in place of a cluster."""

    node: str
    address: str
    directory: Path
    kubeconfig: Path
    next_hop: str
    objects: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self.directory / "speaker.log"

    def start(self) -> None:
        """A session of its own, its output in `log_path`; it gets a SIGTERM when we die, however we do."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        reads = ("--file", self.objects) if self.objects else ("--kubeconfig", self.kubeconfig)
        argv = [
            *(sys.executable, "-m", "bgpctl", "speaker", "run"),
            *("--node-name", self.node),
            *map(str, reads),
            *("--source-address", self.address),
            *("--directory", str(self.directory)),
            *("--listen", f"{self.address}:{HTTP_PORT}"),
            *("--next-hop", self.next_hop),
        ]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # ^C is for the lab, which then ends its speakers in order
                preexec_fn=die_with_parent(os.getpid()),
            )

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self.process is not None, "it was not started"
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL, and waits: no NOTIFICATION is sent. It `died` then."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and waits; afterwards it is one that was never started."""
        if self.process is not None:
            end(self.process)
            self.process = None

    def died(self) -> bool:
        """A kill counts, a stop does not."""
        return self.process is not None and self.process.poll() is not None

    def last_words(self) -> str:
        """Why it ended or does not get on: its error if it printed one, else its last line."""
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        lines = text.strip().splitlines() or ["it said nothing"]
        return next((line for line in reversed(lines) if line.startswith("error:")), lines[-1])


def stop_all(speakers: Sequence[Speaker]) -> None:
    """Every one is told first, so that they end side by side."""
    for speaker in speakers:
        if speaker.process is not None and speaker.process.poll() is None:
            speaker.process.terminate()
    for speaker in speakers:
        speaker.stop()


@dataclass(slots=True)
class Speakers:
    """As `stacks.spec.Stack`. `speakers`: one for each node, in their order."""

    site: Site
    speakers: list[Speaker] = field(default_factory=list)
    _client: Client | None = None

    @property
    def logs(self) -> str:
        return f"the speakers' logs and sockets are in {self.site.directory}/worker-*"

    def start(self) -> None:
        for node in self.site.nodes:
            directory = self.site.directory / node.name
            speaker = Speaker(node.name, node.address, directory, self.site.kubeconfig, node.next_hop)
            self.speakers.append(speaker)
            speaker.start()

    def stop(self) -> None:
        stop_all(self.speakers)

    def waiting(self) -> Mapping[str, str]:
        found = [speaker for speaker in self.speakers if not self._serves(speaker.node)]
        for speaker in found:
            if speaker.died():
                raise BgpctlError(f"the speaker of {speaker.node} ended: {speaker.last_words()}")
        return {speaker.node: speaker.last_words() for speaker in found}

    def revive(self) -> Iterator[str]:
        for speaker in self.speakers:
            if speaker.died():
                yield f"the speaker of {speaker.node} ended and is started again; see {speaker.log_path}"
                speaker.start()

    def _serves(self, node: str) -> bool:
        """Runs with all sessions Established and all routes out."""
        if self._client is None:
            self._client = self.site.client()
        state = node_state(self._client, node)
        if state.get("phase") != "Running" or not state.get("peers"):
            return False
        return all(
            peer["state"] == "established"
            and peer["announced"] == peer["intended"]
            and peer.get("endOfRIBSent")
            for peer in state["peers"]
        )


def node_state(client: Client, node: str) -> dict[str, Any]:
    """The status of one BGPNodeState, {} while it does not exist."""
    from bgpctl.kube import paths

    document = client.find(paths.node_state(node))
    return dict((document or {}).get("status") or {})


def _documents(site: Site) -> Iterator[Document]:
    yield from seed.crds()
    yield seed.policy(site.router.address, site.router.port)


DRIVER = Driver(
    name="bgpctl",
    says=f"speakers: {{nodes}}, AS {seed.NODE_ASN}, each with its own ExaBGP",
    missing=lambda: "",
    documents=_documents,
    make=Speakers,
)

"""The speaker processes of a lab: one real `bgpctl speaker run` per node, ended with the lab."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bgpctl.lab.routers.process import die_with_parent, end

HTTP_PORT = 9180


@dataclass(slots=True)
class Speaker:
    """One node's speaker process. `stop` is a SIGTERM (a restart), `kill` a SIGKILL (a crash)."""

    node: str
    address: str
    directory: Path
    kubeconfig: Path
    next_hop: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self.directory / "speaker.log"

    def start(self) -> None:
        """A session of its own, its output in `log_path`; it gets a SIGTERM when we die, however we do."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv = [
            *(sys.executable, "-m", "bgpctl", "speaker", "run"),
            *("--node-name", self.node),
            *("--kubeconfig", str(self.kubeconfig)),
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

"""The speaker processes of a lab: one real `bgpctl speaker run` per node, ended with the lab."""

from __future__ import annotations

import os
import subprocess
import sys
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
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self.directory / "speaker.log"

    def start(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv = [
            *(sys.executable, "-m", "bgpctl", "speaker", "run"),
            *("--node-name", self.node),
            *("--kubeconfig", str(self.kubeconfig)),
            *("--source-address", self.address),
            *("--directory", str(self.directory)),
            *("--listen", f"{self.address}:{HTTP_PORT}"),
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

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)
            self.process = None

    def died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def last_words(self) -> str:
        lines = (
            self.log_path.read_text(errors="replace").strip().splitlines() if self.log_path.exists() else []
        )
        return lines[-1] if lines else "it said nothing"

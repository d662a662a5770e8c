"""A bgpctl command while it runs: its JSON lines as they come, signals at a chosen moment, its end."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.support.cli import Ran, clean_environment

Document = dict[str, Any]


class Running:
    """`python -m bgpctl … -o json` in a process group of its own. As a context manager it kills what still
    runs at the end."""

    def __init__(self, kubeconfig: Path, *arguments: str) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.seen: list[Document] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bgpctl", *arguments, "-o", "json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(kubeconfig),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def until(self, step: str, *states: str, deadline: float = 20.0) -> Document:
        """The first event of a step (in one of `states`); AssertionError when the run ends before it."""
        end = time.monotonic() + deadline
        while (line := self._lines.get(timeout=max(0.1, end - time.monotonic()))) is not None:
            event = json.loads(line)
            self.seen.append(event)
            if event.get("step") == step and (not states or event["state"] in states):
                return event
        raise AssertionError(f"it ended before {step}: {self.seen[-1:]}")

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def interrupt(self) -> None:
        """^C."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to the whole group; returns when it is gone."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def finish(self, deadline: float = 30.0) -> Ran:
        """Wait for its end; `document` is its last line."""
        self._process.wait(deadline)
        self._reader.join(5)
        while (line := self._lines.get_nowait()) is not None:
            self.seen.append(json.loads(line))
        assert self._process.stderr is not None
        out = "\n".join(json.dumps(event) for event in self.seen)
        return Ran(self._process.returncode, out, self._process.stderr.read())

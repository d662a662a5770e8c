"""Runs the command line as a user does, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document that the output consists of or, for JSON lines, ends with."""
        try:
            found: dict[str, Any] = json.loads(self.out)
        except ValueError:
            found = json.loads(self.out.strip().splitlines()[-1])
        return found


def bgpctl(*arguments: str | Path, kubeconfig: Path | None = None, **environment: str) -> Ran:
    """`python -m bgpctl …` without the caller's kubeconfig, colours or terminal width."""
    done = subprocess.run(
        [sys.executable, "-m", "bgpctl", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        env=clean_environment(kubeconfig, **environment),
        stdin=subprocess.DEVNULL,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def clean_environment(kubeconfig: Path | None = None, **environment: str) -> dict[str, str]:
    """The environment of a shell that has never heard of Kubernetes."""
    dropped = ("KUBE", "NO_COLOR", "COLUMNS", "TERM", "NODE_NAME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    named = {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {"KUBECONFIG": os.devnull + "/none"}
    return {**kept, **named, **environment}

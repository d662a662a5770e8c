"""Runs the command line as a user does, in a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

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


def bgpctl(
    *arguments: str | Path,
    kubeconfig: Path | None = None,
    deadline: float = DEADLINE_SECONDS,
    **environment: str,
) -> Ran:
    """`python -m bgpctl …` without the caller's kubeconfig, colours or terminal width."""
    done = subprocess.run(
        [sys.executable, "-m", "bgpctl", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=deadline,
        env=clean_environment(kubeconfig, **environment),
        stdin=subprocess.DEVNULL,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def inside(*arguments: str, kubeconfig: Path) -> tuple[int, str]:
    """The same in this process, where a test may have replaced a part: exit code, and what was printed."""
    from bgpctl.cli.main import main

    told = io.StringIO()
    with (
        mock.patch.dict(os.environ, clean_environment(kubeconfig), clear=True),
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(told),
        mock.patch.object(sys, "argv", ["bgpctl", *arguments]),
        pytest.raises(SystemExit) as ended,
    ):
        sys.exit(main())
    return int(ended.value.code or 0), told.getvalue()


def clean_environment(kubeconfig: Path | None = None, **environment: str) -> dict[str, str]:
    """The environment of a shell that has never heard of Kubernetes."""
    dropped = ("KUBE", "NO_COLOR", "COLUMNS", "TERM", "NODE_NAME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    named = {"KUBECONFIG": str(kubeconfig)} if kubeconfig else {"KUBECONFIG": os.devnull + "/none"}
    return {**kept, **named, **environment}

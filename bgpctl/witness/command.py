"""Asking a router through its own client program: JSON out, or Unanswered with the client's words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from bgpctl.witness.asking import TIMEOUT_SECONDS
from bgpctl.witness.model import Unanswered


def ask_json(argv: Sequence[str], router: str) -> Any:
    """Run a client and read its JSON. `router` names it in the error."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    except FileNotFoundError as error:
        raise Unanswered(f"cannot ask {router}: {argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Unanswered(f"{router} did not answer within {TIMEOUT_SECONDS:g} s") from error
    except OSError as error:
        raise Unanswered(f"cannot ask {router}: {argv[0]}: {error.strerror}") from error
    if done.returncode != 0:
        raise Unanswered(f"cannot ask {router}: {_complaint(done)}")
    return read_json(done.stdout, router)


def read_json(text: bytes | str, router: str) -> Any:
    """The answer as JSON; Unanswered when it is none."""
    try:
        return json.loads(text or "{}")
    except ValueError as error:
        raise Unanswered(f"{router} answered something that is no JSON: {text[:80]!r}") from error


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    words = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
    return words.splitlines()[-1] if words else f"its client ended with {done.returncode}"

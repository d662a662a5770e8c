"""The embedded Kubernetes API for tests: `with running() as server:`, and clients that speak plain HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bgpctl.lab.api import ApiServer


@contextmanager
def running(**options: Any) -> Iterator[ApiServer]:
    """A started server, stopped in any case. `options` are those of `ApiServer`."""
    server = ApiServer(**options)
    try:
        yield server.start()
    finally:
        server.stop()


def eventually(look: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    """Look again and again until the answer is true; fails with `what` and the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {seconds:g} s: {what} (last seen: {json.dumps(found, default=str)})"
            )
        time.sleep(0.02)

"""Is a 401 or 403 the API server's word, or that of one that has only just started? Pure but for its lock.

A kube-apiserver that restarts answers 403 to everyone outside system:masters until it has read the roles. So
a refusal is not believed at once after the server was in trouble, nor when it comes for what the same process
was allowed before. The first words of a process are believed.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache

PASSING = 5.0  # seconds for which a refusal may pass; 0.35 were seen

Right = tuple[str, ...]
"""What RBAC decides about, as far as a request shows it: verb, group and resource, namespace, subresource."""


def right(method: str, path: str, query: Mapping[str, str] | None = None) -> Right:
    """What a request needs. The object's name is left out: roles name few."""
    return _right(method, path, query is not None and "watch" in query)


@lru_cache(256)
def _right(method: str, path: str, watches: bool) -> Right:
    parts = path.strip("/").split("/")
    base = 2 if parts[0] == "api" else 3
    root, rest, namespace = parts[:base], parts[base:], ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    what = "watch" if watches else "one" if len(rest) > 1 else "all"
    return (method, what, *root, namespace, *rest[:1], *rest[2:])


class Doubts:
    """What one client knows. `clock` in seconds. Safe to use from several threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._trouble_at = -math.inf
        self._silent = False  # since the trouble nobody was let in, and nobody refused
        self._granted: dict[Right, float | None] = {}  # since when it is refused all the same

    def trouble(self) -> None:
        """A request was not answered, or with 5xx or 429."""
        with self._lock:
            self._trouble_at, self._silent = self._clock(), True

    def granted(self, asked: Right) -> None:
        """It was answered by somebody who let us."""
        with self._lock:
            self._granted[asked], self._silent = None, False

    def passing(self, asked: Right) -> bool:
        """It was refused now: may that pass?"""
        with self._lock:
            now = self._clock()
            since = self._trouble_at = now if self._silent else self._trouble_at
            self._silent = False
            if asked in self._granted:
                first = self._granted[asked]
                self._granted[asked] = first = now if first is None else first
                since = max(since, first)
            return now - since < PASSING

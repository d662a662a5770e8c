"""One of many processes leads, by a Lease; the others wait by watching it, so that nobody polls.

As client-go does it, no clock is compared with another's: a Lease has expired when it did not change for its
duration while we looked. Leading is a courtesy here, not a lock: what a leader does must be harmless when two
of them overlap for a moment.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bgpctl.errors import BgpctlError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client, Conflict
from bgpctl.kube.lease import LeaseView
from bgpctl.kube.watch import Mirror


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds. `spread`: a free Lease is asked for after a random part of it, or hundreds ask at once."""

    duration: int = 90
    renew_every: float = 30.0
    spread: float = 2.0


def wait_for_it(view: LeaseView | None, me: str, age: float, ours: bool, terms: Terms) -> float:
    """Seconds until the Lease is to be written by `me`: to renew it, or to take it. `age`: since when it is
    as it is, as far as we saw; `ours`: this process wrote it."""
    if view is None or not view.holder:
        return 0.0
    if view.holder == me:
        return max(0.0, terms.renew_every - age) if ours else 0.0
    return max(0.0, view.duration - age)


class Election:
    """Our part in it. `me` outlives a restart, so that a process that comes back goes on leading at once.

    `ring` is called whenever `leads` may answer differently; it should be asked again after `patience`
    seconds too. One thread asks.
    """

    def __init__(
        self, client: Client, name: str, me: str, ring: Callable[[], None], terms: Terms = Terms()
    ) -> None:
        self._client, self._name, self._me, self._terms = client, name, me, terms
        query = {"fieldSelector": f"metadata.name={name}"}
        self._mirror: Mirror[dict[str, Any]] = Mirror(
            client, paths.leases(lease.NAMESPACE), ring, query=query
        )
        self._mirrored: dict[str, Any] | None = None
        self._latest: dict[str, Any] | None = None
        self._since = time.monotonic()
        self._ours = False
        self._take_at: float | None = None
        self._acquired_at = ""
        self.patience = 0.0

    def start(self) -> Election:
        """Begin to watch the Lease. Nothing is written before somebody asks `leads`."""
        self._mirror.start()
        return self

    def leads(self) -> bool:
        """Are we the leader now? Writes the Lease when that is due. Raises BgpctlError when it cannot."""
        self.patience = self._terms.renew_every
        if self._mirror.refused:
            raise BgpctlError(self._mirror.problem)
        if not self._mirror.synced.is_set():
            return False
        self._look()
        now, view = time.monotonic(), self._view()
        wait = wait_for_it(view, self._me, now - self._since, self._ours, self._terms)
        mine = view is not None and view.holder == self._me
        if not mine:
            wait = self._spread(now, wait)
        if wait > 0.0:
            self.patience = wait
            return mine
        return self._write(view, self._me)

    def resign(self) -> None:
        """Stop, and leave the Lease free if it is ours. Raises BgpctlError; failing is harmless."""
        self._mirror.stop()
        view = self._view()
        if self._ours and view is not None and view.holder == self._me:
            self._write(view, "")

    def _spread(self, now: float, wait: float) -> float:
        """The random pause before we ask for a free one."""
        if wait > 0.0:
            self._take_at = None
            return wait
        if self._take_at is None:
            self._take_at = now + random.uniform(0.0, self._terms.spread)  # noqa: S311 — no secret
        return max(0.0, self._take_at - now)

    def _look(self) -> None:
        seen = next(iter(self._mirror.items()), None)
        if seen != self._mirrored:
            self._mirrored = seen
            self._adopt(seen)

    def _adopt(self, document: dict[str, Any] | None) -> None:
        before, self._latest = self._view(), document
        view = self._view()
        if (view.version if view else "") != (before.version if before else ""):
            self._since = time.monotonic()
        self._ours = self._ours and view is not None and view.holder == self._me

    def _view(self) -> LeaseView | None:
        return lease.view(self._latest) if self._latest else None

    def _write(self, view: LeaseView | None, holder: str) -> bool:
        self._acquired_at = self._acquired_at if self._ours else lease.now()
        version = view.version if view else None
        document = lease.document(
            self._name, holder, self._acquired_at, version=version, duration=self._terms.duration
        )
        self._take_at = None
        try:
            if view is None:
                written = self._client.create(paths.leases(lease.NAMESPACE), document)
            else:
                written = self._client.replace(paths.lease(lease.NAMESPACE, self._name), document)
        except Conflict:
            return False  # somebody was faster: the watch will tell
        self._ours = bool(holder)
        self._adopt(written)
        return True

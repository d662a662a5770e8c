"""The soak of a manager's leaves (`core.timing.soak`): for how long, on which clock, since when."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bgpctl.core.model import Observed
from bgpctl.core.policy.annotations import node_settings
from bgpctl.core.reading.documents import annotations_of
from bgpctl.core.timing.soak import Soak, proceed


class Soaking:
    """`default` seconds, or what the Node says. Waits by the monotonic clock, tells epoch seconds."""

    def __init__(self, default: float) -> None:
        self.seconds = self._default = default
        self._soak: Soak | None = None
        self._clock = time.time() - time.monotonic()

    def configure(self, node: Mapping[str, Any] | None) -> None:
        own = node_settings(annotations_of(node or {}))[0].soak
        self.seconds = self._default if own is None else own

    def forget(self) -> None:
        """Nothing leaves."""
        self._soak = None

    def left(self, observed: Observed) -> float:
        """The seconds for which a leave goes on soaking; 0 = it is over, or there is nobody to wait for."""
        now = time.monotonic()
        self._soak = proceed(self._soak, self.seconds, observed, now)
        return max(0.0, self._soak.ends - now) if self._soak else 0.0

    @property
    def began(self) -> float | None:
        """When the node was seen to be deselected; None = no leave soaks."""
        return self._soak.began + self._clock if self._soak else None

    @property
    def out(self) -> float | None:
        """When the last announcement with GRACEFUL_SHUTDOWN was on the socket."""
        return self._soak.out + self._clock if self._soak and self._soak.out is not None else None

    @property
    def until(self) -> float | None:
        return self._soak.ends + self._clock if self._soak else None

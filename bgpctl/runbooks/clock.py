"""The time of a run: the API server's, so that instants which another machine wrote can be compared.

That is the local clock where the API server's Date headers do not contradict it, else the nearest time that
they allow. Anchored once, to the first answer: from then on a clock counts that nobody sets, so that a change
of time during the run shortens no wait and lengthens none. What is left is the Date header's resolution,
and a run that goes on with another's: with another server, on another machine, or after a clock was set it
counts by another clock, and neither can tell. Only the kernel's own clock of one boot is the same for both.
"""

from __future__ import annotations

import time

from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube.client import Client
from bgpctl.kube.lease import UNKNOWN, boot

UNCERTAIN = 1.0
"""Seconds by which the clocks of two runs may differ: the Date header counts whole seconds (RFC 9110 6.6.1).
A wait whose beginning another run wrote down is longer by so much."""


class Clock:
    """Epoch seconds by the API server's clock, and the means to wait."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._offset: float | None = None  # epoch seconds minus ours

    def now(self) -> float:
        if self._offset is None:
            self._anchor()
        return time.time() if self._offset is None else self.monotonic() + self._offset

    def monotonic(self) -> float:
        """Seconds that go on while this machine is suspended: a laptop may sleep in the middle of a drain."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    @property
    def name(self) -> str:
        """BOOT/OFFSET: two runs with the same one (`same`) count by the same clock."""
        return f"{boot()}/{self.now() - self.monotonic():.3f}"

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def _anchor(self) -> None:
        """Ask the API server for anything, once; a refusal is dated too. While it is away the local clock has
        to do."""
        try:
            self._client.get("/version")
        except Temporary:
            return
        except BgpctlError:
            pass
        self._offset = self._client.present() - self.monotonic()


def same(one: str, other: str) -> bool:
    """Are these the names of one clock? Of one boot, and no further apart than two answers of one server."""
    (here, _, offset), (there, _, other_offset) = one.partition("/"), other.partition("/")
    try:
        apart = abs(float(offset or 0) - float(other_offset or 0))
        return here == there != UNKNOWN and apart <= UNCERTAIN
    except ValueError:
        return False

"""The time of a run: the API server's, so that instants which another machine wrote can be compared.

That is the local clock where the API server's Date headers do not contradict it, else the nearest time that
they allow. Anchored once, to the first answer: from then on a clock counts that nobody sets, so that a change
of time during the run shortens no wait and lengthens none. What is left is the Date header's resolution,
and a run that goes on with another's. Where the two clocks contradict each other, one of them is wrong, and
nobody knows for which of the runs: then no wait counts from an instant that the other one wrote down.
"""

from __future__ import annotations

import time

from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube.client import Client

UNCERTAIN = 1.0
"""Seconds by which the clocks of two runs may differ: the Date header counts whole seconds (RFC 9110 6.6.1).
A wait whose beginning another run wrote down is longer by so much."""


class Clock:
    """Epoch seconds by the API server's clock, and the means to wait. `doubted`: that clock and this
    machine's contradict each other."""

    doubted = False

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
        present, here = self._client.present(), time.time()
        self.doubted = abs(present - here) > UNCERTAIN
        self._offset = present - self.monotonic()

"""Putting a question to a router: how long it may take, and where "cannot ask" turns into UNKNOWN."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

from bgpctl.witness.model import Sight, Sighting, Unanswered

# OpenBGPD's control socket stalled for 1.95 s when a session went stale (facts/bgp.md 3.8).
TIMEOUT_SECONDS = 5.0


def ask(router: str, neighbor: str, question: Callable[[], Sighting]) -> Sighting:
    """Put the question; a router that does not answer is UNKNOWN with the reason. Stamps the time of the
    answer."""
    try:
        ip_address(neighbor)
        answer = question()
    except ValueError:
        answer = Sighting(router, neighbor, Sight.UNKNOWN, detail=f"{neighbor!r} is no neighbor's address.")
    except Unanswered as error:
        answer = Sighting(router, neighbor, Sight.UNKNOWN, detail=error.message)
    return replace(answer, at=time.time())

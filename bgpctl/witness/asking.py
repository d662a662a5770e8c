"""Putting a question to a router: about whom, for how long, and where "cannot ask" turns into UNKNOWN."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bgpctl.core.model import IPAddress
from bgpctl.core.reading.addresses import parse_zoned, without_zone
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.witness.model import NoNeighbor, RouterAnswer, RouteState, Unanswered

# OpenBGPD's control socket stalled for 1.95 s when a session went stale (facts/bgp.md 3.8).
TIMEOUT_SECONDS = 5.0
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def ask(router: str, neighbor: str, question: Callable[[IPAddress], RouterAnswer]) -> RouterAnswer:
    """Put the question; a router that does not answer is UNKNOWN with the reason. Stamps the time of the
    answer. What a question sends is made of this address: `neighbor` is text of a cluster object, and its
    zone is the node's name for a link, not the router's."""
    try:
        address = without_zone(parse_zoned(neighbor))
    except ValueError:
        detail = f"{neighbor[:64]!r} is no neighbor's address."
        return RouterAnswer(router, neighbor, RouteState.UNKNOWN, detail=detail, at=time.time())
    try:
        answer = question(address)
    except Unanswered as error:
        stranger = isinstance(error, NoNeighbor)
        answer = RouterAnswer(router, neighbor, RouteState.UNKNOWN, detail=error.message, stranger=stranger)
    except Unreadable as error:
        detail = f"its answer cannot be read: {error.message}"
        answer = RouterAnswer(router, neighbor, RouteState.UNKNOWN, detail=detail)
    return replace(answer, at=time.time())


def this_machine() -> str:
    """This boot of this machine: the same in each of its containers, and of no other machine (names and
    machine IDs of cloned ones are alike). "" = it cannot be told."""
    try:
        with open(BOOT_ID) as file:
            return file.read().strip()
    except OSError:
        return ""

"""Requests and answers -> how many were lost, refused and moved, and for how long. Pure.

A request is one datagram that nobody repeats: it was answered, or it is lost. Those of one flow have the same
addresses and ports, so a router that hashes them sends them to the same node while its paths stay the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

APART_SECONDS = 0.5
"""Losses that are no further apart are one: the flows of one node out of two send every 5 ms on average."""


class Request(NamedTuple):
    """When it was sent (epoch seconds), which node answered ("" = none did), to which address, on which flow.
    `refused`: the answer was that nobody listens there (ICMP port unreachable)."""

    at: float
    node: str
    address: str = ""
    flow: int = 0
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Of `sent` requests. `seconds`: from the first that was lost to the last."""

    sent: int = 0
    lost: int = 0
    seconds: float = 0.0


def lost(requests: Sequence[Request], begin: float, end: float) -> Lost:
    """Among those sent in [begin, end)."""
    sent = [one for one in requests if begin <= one.at < end]
    unanswered = [one.at for one in sent if not one.node]
    return Lost(len(sent), len(unanswered), unanswered[-1] - unanswered[0] if unanswered else 0.0)


def answered(requests: Sequence[Request], node: str, begin: float, end: float) -> bool:
    """Did this node answer any of those?"""
    return any(begin <= one.at < end and one.node == node for one in requests)


def moved(requests: Iterable[Request]) -> float:
    """The share of flows that more than one node answered, of those that any did."""
    nodes: dict[tuple[str, int], set[str]] = {}
    for one in requests:
        if one.node:
            nodes.setdefault((one.address, one.flow), set()).add(one.node)
    return sum(len(found) > 1 for found in nodes.values()) / len(nodes) if nodes else 0.0


def gaps(requests: Iterable[Request], apart: float = APART_SECONDS) -> Iterator[tuple[float, float]]:
    """When requests were lost: (first, last) epoch seconds of each stretch, in their order."""
    begin = end = None
    for one in requests:
        if one.node:
            continue
        if end is not None and begin is not None and one.at - end > apart:
            yield begin, end
            begin = None
        begin, end = one.at if begin is None else begin, one.at
    if begin is not None and end is not None:
        yield begin, end

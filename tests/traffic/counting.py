"""Requests and answers -> how many were lost, and when. Pure.

A request is one datagram from a port of its own, so that none of it is repeated by anybody: it was answered,
or it is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Request = tuple[float, str]
"""When it was sent (epoch seconds), and which node answered; "" = none did."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Of `sent` requests. `seconds`: from the first that was lost to the last."""

    sent: int = 0
    lost: int = 0
    seconds: float = 0.0


def lost(requests: Sequence[Request], begin: float, end: float) -> Lost:
    """Among those sent in [begin, end)."""
    sent = [(at, node) for at, node in requests if begin <= at < end]
    unanswered = [at for at, node in sent if not node]
    return Lost(len(sent), len(unanswered), unanswered[-1] - unanswered[0] if unanswered else 0.0)


def answered(requests: Sequence[Request], node: str, begin: float, end: float) -> bool:
    """Did this node answer any of those?"""
    return any(begin <= at < end and by == node for at, by in requests)


def complaints(promised: bool, before: Lost, leave: Lost, back: Lost, *, silent: bool) -> list[str]:
    """Why a cell failed. `promised`: nothing may be lost; `silent`: nobody told the router, so some must."""
    found = [f"{before.lost} of {before.sent} were lost before anything happened"] if before.lost else []
    if promised and (leave.lost or back.lost):
        found.append(f"{leave.lost} were lost on leave and {back.lost} on return: none may be")
    if silent and not leave.lost:
        found.append("a power cut lost nothing: the node had no requests, or nobody looked")
    return found

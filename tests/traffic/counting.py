"""Why a cell of the table is not as promised. Pure."""

from __future__ import annotations

from bgpctl.lab.traffic.counting import Lost


def complaints(promised: bool, before: Lost, leave: Lost, back: Lost, *, silent: bool) -> list[str]:
    """`promised`: nothing may be lost; `silent`: nobody told the router, so some must."""
    found = [f"{before.lost} of {before.sent} were lost before anything happened"] if before.lost else []
    if promised and (leave.lost or back.lost):
        found.append(f"{leave.lost} were lost on leave and {back.lost} on return: none may be")
    if silent and not leave.lost:
        found.append("a power cut lost nothing: the node had no requests, or nobody looked")
    return found

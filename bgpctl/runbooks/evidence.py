"""Where a node's routes are, and by whose word: the sentence of a drain's evidence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def gone(evidence: Mapping[str, Any]) -> str:
    """For a drain that was done: how many routes are gone, and how that is known."""
    number = evidence.get("routes", 0)
    routes = "1 route" if number == 1 else f"{number} routes"
    if evidence.get("uncounted"):
        routes = "its routes are"
    match evidence.get("proof"):
        case "confirmed":
            within = evidence.get("secondsAfterRelabel")
            when = f", within {within:.2f} s of being told to leave" if within is not None else ""
            return f"{routes} gone, confirmed by {evidence.get('by')}{when}{_assumed(evidence)}"
        case "reported":
            missing = "; ".join(evidence.get("missing") or ["no router was asked"])
            return f"{routes} gone, reported by {evidence.get('by')}: {missing}{_assumed(evidence)}"
        case "estimated":
            missing = "; ".join(evidence.get("missing") or ["no router was asked"])
            return f"{routes} gone, estimated: {missing}{_assumed(evidence)}"
        case _:
            return f"it announced no routes{_assumed(evidence)}"


def _assumed(evidence: Mapping[str, Any]) -> str:
    assumed = f", assuming {evidence['assumed']}" if evidence.get("assumed") else ""
    return f"{assumed}; {evidence['earlier']}" if evidence.get("earlier") else assumed

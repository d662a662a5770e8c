"""What was seen against what must hold: complaints, none when a cell is in order. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from math import inf
from typing import Any

from tests.stacks.cells import Stack
from tests.stacks.eye import Look

MOST = 3  # objects that a complaint names


def seen(
    looks: Sequence[Look], stack: Stack, node: str, proved: float | None, *, disturbed: bool = False
) -> list[str]:
    """The first look is how it was before. `proved`: when a run said for the first time that the routes are
    gone, in epoch seconds. `disturbed`: the cell itself takes away what speaks BGP on the node."""
    if not looks:
        return ["nobody looked at the router"]
    before, found = looks[0].nodes, []
    for name in before.keys() - {node}:
        sights = [look.nodes[name] for look in looks]
        touched = [sight for sight in sights if not sight.up or sight.forwarding < before[name].forwarding]
        if touched:
            found.append(f"{name}, another node, was touched: {touched[0]}, in {len(touched)} looks")
    if disturbed:
        return found
    if stack.withdraws and any(look.nodes[node].stale and not look.nodes[node].up for look in looks):
        found.append("routes were stale: the session was closed before they were withdrawn")
    until = inf if stack.stays or proved is None else proved
    if stack.keeps and any(not look.nodes[node].up for look in looks if look.at < until):
        found.append("the session was reset before the proof")
    return found


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Objects that came, went, or are not what they were."""
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    words = [f"{name}: {_difference(before.get(name), now.get(name))}" for name in names]
    rest = [f"and {len(words) - MOST} more"] if len(words) > MOST else []
    return [f"not as before: {word}" for word in chain(words[:MOST], rest)]


def _difference(before: Any, now: Any) -> str:
    if before is None or now is None:
        return "new" if before is None else "gone"
    pairs = [(_flat(one), _flat(other)) for one, other in zip(before, now, strict=True)]
    keys = sorted(key for one, other in pairs for key in {*one, *other} if one.get(key) != other.get(key))
    return ", ".join(keys)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves by their paths."""
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for key, one in value.items() for k, v in _flat(one, f"{path}.{key}").items()}

"""Addresses whose endpoints come and go: held back on the way up, never on the way down. Pure; Intent ->
Intent.

Each time that an announced address loses its last usable endpoint, and its route with it, its level rises by
one; each QUIET seconds without that it falls by one, until it is forgotten. Up to FREE levels cost nothing: a
rolling update, a pod that is restarted. Above, the address stays away for FIRST seconds, counted from its
last loss, and twice as long for each further level, LONGEST at most. So an address that stays up is announced
LONGEST seconds after its last loss at the latest, and one that flaps for ever makes one pair of UPDATEs in
that time. Damping of routes as RFC 2439 has it, but at the origin, where the cause is known, and without a
figure that grows for ever.

Only endpoints count: a Service that is deleted and made again, an edited policy, a node that is taken out and
brought back are somebody's will. A shorter prefix that stands for several addresses is not damped. Levels
belong to a node that is in service: they end with it, and with its speaker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from bgpctl.core.intent.services import NO_ENDPOINT_SLICE, NO_ENDPOINTS, NO_LOCAL_ENDPOINTS
from bgpctl.core.intent.tables import Table, gone, without
from bgpctl.core.model import Absent, Intent, IPNetwork

QUIET = 60.0
FREE = 2
FIRST, LONGEST = 1.0, 60.0
HIGHEST = FREE + 1 + math.ceil(math.log2(LONGEST / FIRST))  # from here on nothing grows any more
REMEMBERED = 10_000  # addresses; of more than that those whose last loss is the newest

DAMPED = "damped"
LOST = (NO_LOCAL_ENDPOINTS, NO_ENDPOINTS, NO_ENDPOINT_SLICE)


class Flaps(NamedTuple):
    """Of one address: its level at its last loss, when that was (monotonic seconds), and until when it is
    held back, as a clock would show it (epoch seconds; for people only)."""

    level: int
    lost_at: float
    shown: float

    @property
    def until(self) -> float:
        """The monotonic second from which the address may be announced again."""
        return self.lost_at + delay(self.level)


Memory = Mapping[IPNetwork, Flaps]


class Damped(NamedTuple):
    """What to run now, what to remember, and in how many seconds the next address is due (inf = none is
    held)."""

    intent: Intent
    memory: Memory
    due: float = math.inf


def delay(level: int) -> float:
    """Seconds from the loss that led to `level`."""
    return min(FIRST * 2.0 ** (level - FREE - 1), LONGEST) if level > FREE else 0.0


def damp(wanted: Intent, before: Intent | None, memory: Memory, now: float, clock: float) -> Damped:
    """`wanted` without the addresses that are held back. `before` is the last result's intent, `memory` its
    memory; `now` is a monotonic time, `clock` the epoch second of it, which decides nothing."""
    if before is None or not (wanted.routes and before.routes):
        return Damped(wanted, {})
    were, are = _tables(before), _tables(wanted)
    lost = _lost(wanted, gone(were, are)) if list(map(id, were)) != list(map(id, are)) else set()
    memory = _remembered(memory, lost, now, clock)
    held = {p: f for p, f in memory.items() if f.until > now and _in(are, p) and not _in(were, p)}
    if not held:
        return Damped(wanted, memory)
    return Damped(_without(wanted, held), memory, min(flaps.until for flaps in held.values()) - now)


def _in(tables: Iterable[Table], prefix: IPNetwork) -> bool:
    return any(prefix in table for table in tables)


def _tables(intent: Intent) -> Iterable[Table]:
    """Peers share theirs."""
    return {id(table): table for table in intent.routes.values()}.values()


def _lost(wanted: Intent, left: set[IPNetwork]) -> set[IPNetwork]:
    """Of those that nobody announces any more the ones whose endpoints went."""
    return {a.prefix for a in wanted.absent if a.reason in LOST and a.prefix in left} if left else set()


def _remembered(memory: Memory, lost: set[IPNetwork], now: float, clock: float) -> Memory:
    """The memory with these losses, and without what has been quiet for long enough."""
    if not memory and not lost:
        return memory
    kept = {p: flaps for p, flaps in memory.items() if _level(flaps, now)}
    for prefix in lost:
        level = min((_level(kept[prefix], now) if prefix in kept else 0) + 1, HIGHEST)
        kept.pop(prefix, None)
        kept[prefix] = Flaps(level, now, clock + delay(level))
    return dict(list(kept.items())[-REMEMBERED:])  # in the order of their last loss


def _level(flaps: Flaps, now: float) -> int:
    return max(0, flaps.level - int((now - flaps.lost_at) / QUIET))


def _without(wanted: Intent, held: Mapping[IPNetwork, Flaps]) -> Intent:
    made = {id(table): without(table, held) for table in _tables(wanted)}
    routes = {name: made[id(table)] for name, table in wanted.routes.items()}
    return replace(wanted, routes=routes, absent=(*wanted.absent, *_absences(wanted, held)))


def _absences(wanted: Intent, held: Mapping[IPNetwork, Flaps]) -> Iterator[Absent]:
    for prefix, flaps in held.items():
        origin = next(table[prefix].origin for table in _tables(wanted) if prefix in table)
        until = datetime.fromtimestamp(math.ceil(flaps.shown), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        why = f"its endpoints came and went {flaps.level} times: held back until {until}"
        yield Absent(origin, prefix, DAMPED, why)

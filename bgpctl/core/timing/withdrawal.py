"""How long a router may keep, and use, a node's routes after an event: best case, worst case, and why.

The tables of facts/bgp.md sections 0 and 2 as code. What is unknown is not guessed: every router that fits
the facts is looked at (a `World` each), and the estimate spans them all. So an unknown value gives its
worst case, and learning a value can only narrow the estimate.

Symbols as there: H hold time, K keepalive, R the Restart Time in OUR OPEN (a router waits the node's, never
its own), S the router's stale cap, L the long-lived stale time, D BFD detection, P processing, X = min(R,
S). Durations are seconds. C, the lag between the relabel and the speaker's action, is measured and not in
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from itertools import product
from math import inf
from typing import NamedTuple

from bgpctl.core.timing.facts import PeerFacts, facts_from_peer, facts_from_state
from bgpctl.core.timing.profiles import NO_CAP, UNKNOWN_ROUTER, CapStart, Profile, Switch
from bgpctl.core.timing.soak import READ_SECONDS

__all__ = [
    "Close",
    "Estimate",
    "Event",
    "PeerFacts",
    "estimate",
    "facts_from_peer",
    "facts_from_state",
    "worst_of",
]

# P: the fastest removal measured (GoBGP, facts/bgp.md 3.1 row a) and 5,000 prefixes including sending (0).
PROCESSING_BEST = 0.02
PROCESSING_WORST = 0.7
# Added to the worst case of everything that begins with an action of ours: P and the FIB backlog (2.2).
MARGIN = 5.0
# Routers run timers in whole seconds and may fire up to one early (OpenBGPD: 19.26 for 20, 3.1 and 3.8).
TIMER_GRANULARITY = 1.0
# RFC 4271 4.2 and 4.4: the smallest hold time that a router may negotiate, and its keepalive interval.
SMALLEST_HOLD = 3
SMALLEST_KEEPALIVE = 1

_N_BIT = "RFC 8538 section 4"


class Event(StrEnum):
    """What happens to the node's session."""

    WITHDRAW = "withdraw"  # an UPDATE withdraws the routes; the session stays
    DESELECT = "deselect"  # no policy selects the node any more: the speaker leaves
    # Of the process that has the sockets: the speaker, or an ExaBGP that outlives it.
    RESTART = "restart"  # it is stopped, and meant to come back
    CRASH = "crash"  # it is killed; the kernel closes its sockets
    POWER_OFF = "power-off"  # the node falls silent
    LINK_DOWN = "link-down"  # a link between node and router fails


class Close(StrEnum):
    """What a router sees when a speaker closes its session on purpose: differs between speakers (2.2, 4).

    bgpctl's speaker withdraws first. Cilium 1.16 and newer send a Hard Reset where the N bit is negotiated
    and a plain Cease elsewhere, older ones a plain Cease; a Cilium agent that stops just closes the
    connection.
    """

    WITHDRAW_FIRST = "withdraw-first"
    HARD_RESET = "hard-reset"
    CEASE = "cease"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Until when one peer may send traffic after `event`: between `best` and `worst` seconds from it.

    For RESTART and CRASH: if the speaker does not come back. `worst` is `math.inf` where nothing ever ends
    the wait (a hold time of 0). `why` is one sentence; `unknown` names what was taken at its worst.
    """

    peer: str
    address: str
    event: Event
    best: float
    worst: float
    why: str
    unknown: tuple[str, ...]
    negotiated: bool


@lru_cache(256)
def estimate(
    event: Event,
    facts: PeerFacts,
    profile: Profile = UNKNOWN_ROUTER,
    *,
    close: Close | None = None,
    soak: float = 0.0,
) -> Estimate:
    """How long `facts.peer` may keep our routes after `event`.

    `close` says how the speaker ends its session on DESELECT and RESTART; None = as bgpctl's speaker does.
    It is ignored for the events in which nobody closes anything on purpose. `soak`: before it withdraws on
    DESELECT, our speaker announces the routes with GRACEFUL_SHUTDOWN for so many seconds (`soak.py`).
    """
    how = _close(event, facts, close)
    soaked = soak if event is Event.DESELECT and how is Close.WITHDRAW_FIRST else 0.0
    outcomes = [
        (world, _soaked(_outcome(event, how, facts, world), soaked)) for world in _worlds(facts, profile)
    ]
    slowest = max((outcome for _, outcome in outcomes), key=lambda outcome: outcome.worst)
    unknown = _matters(outcomes) + _unknown_hold(how, facts)
    return Estimate(
        peer=facts.peer,
        address=facts.address,
        event=event,
        best=min(outcome.best for _, outcome in outcomes),
        worst=slowest.worst,
        why=_sentence(slowest, unknown, _clauses(how, event, slowest, facts, profile)),
        unknown=unknown,
        negotiated=facts.negotiated,
    )


def worst_of(estimates: Iterable[Estimate]) -> Estimate | None:
    """The one to wait for: the largest `worst` (2.2, "max over peers"). None when there is no peer."""
    return max(estimates, key=lambda estimate: estimate.worst, default=None)


def _close(event: Event, facts: PeerFacts, close: Close | None) -> Close | None:
    """How the session ends, None when nobody closes it."""
    if event in (Event.POWER_OFF, Event.LINK_DOWN):
        return None
    if event is Event.WITHDRAW:
        return Close.WITHDRAW_FIRST
    if event is Event.CRASH:
        return Close.SILENT
    if close is not None:
        return close
    restarting = event is Event.RESTART and facts.graceful is not False
    return Close.SILENT if restarting else Close.WITHDRAW_FIRST


def _unknown_hold(close: Close | None, facts: PeerFacts) -> tuple[str, ...]:
    """Silence is noticed by the hold timer, and only a session knows which of the two times is smaller."""
    return () if close is not None or facts.negotiated else ("the router's hold time",)


# --- worlds: one router each that fits what is known ----------------------------------------------------


class World(NamedTuple):
    """One router that fits the facts; nothing about it is open. `stale_cap` is S in seconds, `inf` = none;
    `earliest_hold` as in `Profile`."""

    graceful: bool
    notification: bool
    hold_expiry_graceful: bool
    hard_reset_safe: bool
    bfd_flushes: bool
    stale_cap: float
    earliest_hold: float


# In the order of World's fields; how early a hold timer may run out is a bound, not an unknown.
_UNKNOWN_WORDS = (
    "whether graceful restart is negotiated",
    "the router's N bit",
    "whether the router keeps routes after its hold timer",
    "whether the router obeys every Hard Reset",
    "whether BFD overrides graceful restart on the router",
    "the router's stale timer",
)


def _after_hold(facts: PeerFacts, profile: Profile) -> bool | None:
    """Does graceful restart keep the routes after the hold timer? None = nobody knows. The capability of
    RFC 9494 is enough where that matters, with a stale time of 0 too, as of every FRR: BIRD keeps them for
    the Restart Time then. Where nobody measured the capability, one with 0 changes nothing."""
    long_lived = profile.hold_expiry_graceful_long_lived
    if facts.long_lived is None or (long_lived is None and facts.long_lived == 0):
        return profile.hold_expiry_graceful
    return long_lived


def _worlds(facts: PeerFacts, profile: Profile) -> Iterator[World]:
    """Every router that the facts and the profile allow."""
    expiry = _after_hold(facts, profile)
    answers = product(
        (False,) if facts.restart_time is None else _negotiated(facts.graceful, profile.graceful),
        _negotiated(facts.peer_n, profile.notification) if facts.local_n else (False,),
        _flag(expiry),
        _flag(profile.hard_reset_safe),
        _flag(profile.bfd_flushes),
        _stale_caps(profile),
        (profile.earliest_hold,),
    )
    return (World(*answer) for answer in answers)


def _negotiated(word: bool | None, default: Switch) -> tuple[bool, ...]:
    """A session's word counts; without one only "never" is certain, since a default may have been changed."""
    if word is not None:
        return (word,)
    return (False,) if default is Switch.NEVER else (True, False)


def _flag(value: bool | None) -> tuple[bool, ...]:
    return (True, False) if value is None else (value,)


def _stale_caps(profile: Profile) -> tuple[float, ...]:
    """The values that S may have. A cap that may run from the return only does not end this wait (2.1)."""
    if profile.stale_cap is None:
        return (0.0, NO_CAP)
    if profile.stale_cap_start is CapStart.DROP:
        return (profile.stale_cap,)
    return (NO_CAP,) if profile.stale_cap_start is CapStart.RETURN else (profile.stale_cap, NO_CAP)


def _matters(outcomes: Sequence[tuple[World, Outcome]]) -> tuple[str, ...]:
    """The unknowns that change the answer: two worlds that differ in that alone have different outcomes."""
    found = []
    for index, words in enumerate(_UNKNOWN_WORDS):
        groups: dict[tuple[object, ...], set[tuple[float, float]]] = {}
        for world, outcome in outcomes:
            others = world[:index] + world[index + 1 :]
            groups.setdefault(others, set()).add((outcome.best, outcome.worst))
        if any(len(group) > 1 for group in groups.values()):
            found.append(words)
    return tuple(found)


# --- outcomes: the tables, for one world ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds until the routes are gone in one world, and the clause that says why."""

    best: float
    worst: float
    why: str


def _outcome(event: Event, close: Close | None, facts: PeerFacts, world: World) -> Outcome:
    if close is not None:
        return _closed(close, facts, world)
    silent = _silent(facts, world)
    if event is Event.POWER_OFF:
        return silent
    why = f"a router drops its own failed link's next hop at once; if a link further away fails, {silent.why}"
    return Outcome(0.0, silent.worst, why)


def _closed(close: Close, facts: PeerFacts, world: World) -> Outcome:
    """The session was closed: by a NOTIFICATION, or by the end of its TCP connection (sections 0 and 2.2)."""
    if close is Close.WITHDRAW_FIRST:
        reset = ", then a Hard Reset ends the session (RFC 8538 section 3.1)" if world.notification else ""
        return _prompt(
            f"an UPDATE withdraws every route, graceful restart or not (RFC 4271 section 4.3){reset}"
        )
    if not world.graceful:
        return _prompt(
            "without graceful restart a closed session takes its routes along (RFC 4271 section 6)"
        )
    if close is Close.SILENT:
        return _kept("no NOTIFICATION ends the session, so the router", "RFC 4724 section 4.2", facts, world)
    if not world.notification:
        return _prompt(
            "a NOTIFICATION ends graceful restart without the N bit on both sides (RFC 4724 section 4)"
        )
    if close is Close.CEASE:
        return _kept("with the N bit on both sides a Cease is graceful: the router", _N_BIT, facts, world)
    obeyed = _prompt(
        "a Hard Reset flushes the routes in spite of the N bit on both sides (RFC 8538 section 3.1)"
    )
    if world.hard_reset_safe:
        return obeyed
    missed = _kept("a router that misses the Hard Reset (FRR before 10.7 can)", _N_BIT, facts, world)
    return replace(missed, best=obeyed.best)


def _soaked(outcome: Outcome, soak: float) -> Outcome:
    """The same, after a soak that begins when the routers have read it, or had the time to."""
    if not soak:
        return outcome
    why = f"after a soak of {soak:g} s with GRACEFUL_SHUTDOWN (RFC 8326), {outcome.why}"
    return Outcome(outcome.best + soak, outcome.worst + soak + READ_SECONDS, why)


def _prompt(why: str) -> Outcome:
    return Outcome(PROCESSING_BEST, MARGIN, why)


def _kept(cause: str, source: str, facts: PeerFacts, world: World) -> Outcome:
    """The router acts as RFC 4724's receiving speaker: X, and L after it (RFC 9494)."""
    kept = _retention(facts, world)
    best = max(PROCESSING_BEST, kept - TIMER_GRANULARITY)
    return Outcome(best, kept + MARGIN, f"{cause} keeps the routes for {_how_long(facts, world)} ({source})")


def _retention(facts: PeerFacts, world: World) -> float:
    """X + L in seconds."""
    return min(facts.restart_time or 0, world.stale_cap) + (facts.long_lived or 0)


def _how_long(facts: PeerFacts, world: World) -> str:
    restart = facts.restart_time or 0
    capped = world.stale_cap < restart
    words = f"its stale time of {world.stale_cap:g} s" if capped else f"our Restart Time of {restart} s"
    return words + (f" and the long-lived {facts.long_lived} s (RFC 9494)" if facts.long_lived else "")


def _silent(facts: PeerFacts, world: World) -> Outcome:
    """The router hears nothing any more: BFD or the hold timer must notice (2.1, power-off)."""
    hold, bfd = facts.hold_time or inf, facts.bfd
    if bfd is not None and bfd + PROCESSING_WORST < hold and (world.bfd_flushes or not world.graceful):
        why = f"BFD notices within {bfd:g} s and the router flushes the routes (RFC 5882 section 4.3)"
        return Outcome(PROCESSING_BEST, bfd + PROCESSING_WORST, why)
    if hold == inf:
        why = "with a hold time of 0 nothing notices the silence (RFC 4271 section 4.2)"
        return Outcome(PROCESSING_BEST, inf, why)
    return _expired(facts, world, _earliest_hold_expiry(facts, world.earliest_hold))


def _expired(facts: PeerFacts, world: World, earliest: float) -> Outcome:
    """The hold timer ran out: a NOTIFICATION for RFC 4724, a graceful end for RFC 8538 and for GoBGP."""
    noticed = f"the hold timer notices the silence within {facts.hold_time} s"
    if not (world.graceful and (world.notification or world.hold_expiry_graceful)):
        source = "RFC 4271 section 6.5" + (", RFC 4724 section 4" if world.graceful else "")
        return Outcome(earliest, facts.hold_time, f"{noticed} and the router drops the routes ({source})")
    source = _N_BIT if world.notification else "unlike RFC 4724 section 4: GoBGP, and BIRD with RFC 9494"
    kept = _retention(facts, world)
    why = f"{noticed}, then the router keeps the routes for {_how_long(facts, world)} ({source})"
    return Outcome(earliest + max(0.0, kept - TIMER_GRANULARITY), facts.hold_time + kept, why)


def _earliest_hold_expiry(facts: PeerFacts, shortened: float) -> float:
    """H - K: the node fell silent just before a keepalive was due, and the router's timer is `shortened` (a
    factor). Unknown: H as small as it may be."""
    hold, keepalive = SMALLEST_HOLD, SMALLEST_KEEPALIVE
    if facts.negotiated:
        hold, keepalive = facts.hold_time, facts.keepalive_time
    return max(PROCESSING_BEST, hold * shortened - keepalive - TIMER_GRANULARITY)


def _sentence(slowest: Outcome, unknown: Sequence[str], clauses: Iterable[str]) -> str:
    """One sentence: the reason, what it holds for, what was unknown."""
    text = ", ".join((slowest.why[0].upper() + slowest.why[1:], *clauses))
    return text + (f"; unknown and taken at its worst: {', '.join(unknown)}." if unknown else ".")


def _clauses(
    close: Close | None, event: Event, slowest: Outcome, facts: PeerFacts, profile: Profile
) -> Iterator[str]:
    """On what condition, by whose profile (none where all routers do the same), with what exception."""
    if event in (Event.RESTART, Event.CRASH) and slowest.worst > MARGIN:
        yield "if the speaker does not come back"
    if event in (Event.RESTART, Event.CRASH) and facts.engine_stays:
        yield "provided that ExaBGP ends too (it outlives its speaker here)"
    if close is Close.WITHDRAW_FIRST:
        return
    if close is None and not facts.negotiated and slowest.worst < inf:
        yield "unless the router wants no hold timer (0)"
    if facts.restart_time is not None and profile is not UNKNOWN_ROUTER:
        yield f"read with the profile of {profile.product}"
    if profile.remembers and facts.graceful is False:
        yield f"unless an earlier session had graceful restart, which {profile.product} does not forget"
    elif profile.remembers and close is Close.CEASE and not (facts.local_n and facts.peer_n):
        yield f"unless an earlier session had the N bit, which {profile.product} does not forget"

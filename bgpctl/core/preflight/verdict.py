"""Would an upgrade of what speaks BGP on a node end before its routers drop the routes? Pure.

RFC 4724: a router keeps the routes of a silently closed session for the Restart Time in the *node's* OPEN, or
for its own limit where that is shorter. An upgrade is a restart before which the image may have to be pulled
(operation-guide.rst, "Upgrading or Downgrading Cilium"), so both together are held against the shorter one.
What is unknown never fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, inf

from bgpctl.core.model import Family
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.profiles import NO_CAP, UNKNOWN_ROUTER, CapStart, Profile
from bgpctl.core.timing.withdrawal import TIMER_GRANULARITY

LONGEST_RESTART_TIME = 4095  # RFC 4724 section 3: 12 bits


class Word(StrEnum):
    """What a number rests on."""

    REPORTED = "reported"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """Of one node."""

    FITS = "fits"
    TOO_SLOW = "does not fit"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Measured:
    """How long something took, in seconds; None = not known, but `least` at any rate. `how`: by what that is
    known, or why it is not; for people, after the number or instead of it."""

    seconds: float | None = None
    word: Word = Word.UNKNOWN
    how: str = ""
    least: float = 0.0

    @property
    def known(self) -> float:
        """What it took, or more."""
        return self.least if self.seconds is None else self.seconds


@dataclass(frozen=True, slots=True)
class Peering:
    """One router of a node. `helps`, `cap`: its own word on whether it keeps a restarting node's routes, and
    for how many seconds at most; None = it was not asked, or does not tell. `uncovered`: the families that
    graceful restart does not keep. `down`: the state of its session, "" = it is up, or nobody tells."""

    facts: PeerFacts
    profile: Profile = UNKNOWN_ROUTER
    uncovered: frozenset[Family] = frozenset()
    helps: bool | None = None
    cap: float | None = None
    down: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds a router keeps the routes of a restarting node at least, None = not known; and
    why."""

    peer: str
    seconds: float | None
    word: Word
    why: str


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one node. `failed`: why it cannot get the image, "" = it can, or nobody knows.
    `doubt`: why nothing that is told of its sessions counts, "" = it does."""

    node: str
    pull: Measured = field(default_factory=Measured)
    restart: Measured = field(default_factory=Measured)
    peers: tuple[Peering, ...] = ()
    failed: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on one node. `whys`: what it rests on, or what is missing, a sentence each."""

    case: Case
    verdict: Verdict
    patience: tuple[Patience, ...]
    whys: tuple[str, ...]

    @property
    def node(self) -> str:
        """Its name."""
        return self.case.node

    @property
    def kept(self) -> float | None:
        """What the least patient router allows; `inf` = it has none, None = not known."""
        if self.case.doubt:
            return None
        told = [one.seconds for one in self.patience]
        known = [seconds for seconds in told if seconds is not None]
        least = min(known, default=inf)
        return least if len(known) == len(told) or least == 0 else None

    @property
    def with_image(self) -> bool:
        """Would it fit if nothing had to be pulled?"""
        restart, kept = self.case.restart.seconds, self.kept
        return restart is not None and kept is not None and restart <= kept


def judge(case: Case) -> Judged:
    """The verdict: *does not fit* as soon as what is known is too much, *fits* only where all is known."""
    patience = () if case.doubt else tuple(map(_patience, case.peers))
    whys = tuple(_too_slow(case, patience))
    if whys:
        return Judged(case, Verdict.TOO_SLOW, patience, whys)
    whys = tuple(dict.fromkeys(_missing(case, patience)))
    if whys:
        return Judged(case, Verdict.UNKNOWN, patience, whys)
    why = "it has no BGP peer: there is nothing to lose"
    if patience:
        least = min(patience, key=lambda one: one.seconds or 0.0)
        why = f"{_sum(case)}, and {least.why}"
    return Judged(case, Verdict.FITS, patience, (why,))


def _too_slow(case: Case, patience: tuple[Patience, ...]) -> Iterator[str]:
    if case.failed:
        yield f"the image cannot be pulled: {case.failed}"
    least = case.pull.known + case.restart.known
    for one in patience:
        if one.seconds == 0:
            yield f"any restart loses routes: {one.why}"
        elif one.seconds is not None and least > one.seconds:
            yield f"{_sum(case)}, and {one.why}"


def _sum(case: Case) -> str:
    both = [(word, took) for word, took in (("pull", case.pull), ("restart", case.restart)) if took.known]
    more = {True: "over ", False: ""}
    parts = [f"{word} {more[took.seconds is None]}{in_seconds(took.known)}" for word, took in both]
    total = f" = {in_seconds(sum(took.known for _, took in both))}" if len(parts) > 1 else ""
    return f"{' + '.join(parts)}{total}" or "it takes no time"


def _missing(case: Case, patience: tuple[Patience, ...]) -> Iterator[str]:
    if case.pull.seconds is None:
        yield f"how long the pull takes is not known: {case.pull.how or 'it was not tried'}"
    if case.doubt:
        yield case.doubt
    if case.restart.seconds is None and (case.peers or case.doubt):
        yield f"how long a restart takes is not known: {case.restart.how or 'none was seen'}"
    yield from (one.why for one in patience if one.seconds is None)


def _patience(peer: Peering) -> Patience:
    """In the order in which a router decides: does it keep anything, and for how long."""
    facts, address = peer.facts, peer.facts.address
    if peer.down:
        why = f"the session to {address} is {peer.down}: whether it keeps routes is not known"
        return Patience(address, None, Word.UNKNOWN, why)
    graceful = peer.helps if facts.graceful is None else facts.graceful
    if facts.restart_time is None:
        return Patience(address, 0.0, Word.REPORTED, f"graceful restart with {address} is off on the node")
    if graceful is False:
        return Patience(address, 0.0, Word.REPORTED, f"{address} does not offer graceful restart")
    if peer.uncovered:
        lost = ", ".join(sorted(map(str, peer.uncovered)))
        return Patience(address, 0.0, Word.REPORTED, f"graceful restart with {address} does not cover {lost}")
    if graceful is None:
        why = f"whether {address} offers graceful restart is not told (--router-probe asks it)"
        return Patience(address, None, Word.UNKNOWN, why)
    cap, word = _cap(peer)
    if cap is None:
        why = f"whether {address} drops stale routes before {facts.restart_time} s is not known"
        return Patience(address, None, Word.UNKNOWN, f"{why} (--peer-profile {address}=NAME)")
    seconds = max(0.0, min(facts.restart_time, cap) - TIMER_GRANULARITY)
    whose = "its own limit" if cap < facts.restart_time else "our Restart Time"
    why = f"{address} keeps the routes for {in_seconds(seconds)} at least ({whose})"
    return Patience(address, seconds, word, why)


def _cap(peer: Peering) -> tuple[float | None, Word]:
    """Its limit for stale routes: its own word, else what its product does unless somebody changed it."""
    if peer.cap is not None:
        return peer.cap, Word.REPORTED
    profile = peer.profile
    if profile.stale_cap_start is CapStart.RETURN:
        return NO_CAP, Word.ESTIMATED
    return profile.stale_cap, Word.ESTIMATED


def wanted(judged: Judged) -> int | None:
    """The Restart Time that would have been enough with as much again for a bad day, None = no Restart Time
    would, or what took how long is not known."""
    pull, restart = judged.case.pull.seconds, judged.case.restart.seconds
    if judged.case.failed or pull is None or restart is None:
        return None
    return min(LONGEST_RESTART_TIME, 2 * ceil(pull + restart))


def in_seconds(value: float) -> str:
    """As a Restart Time is written, so that both can be compared: 3.2 s, 119 s."""
    return f"{value:.1f}".rstrip("0").rstrip(".") + " s"

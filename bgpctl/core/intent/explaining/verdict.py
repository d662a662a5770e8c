"""What an intent says of one thing towards one peer: its route, or the reason why there is none. Pure.

Nothing is decided here: routes, reasons and sentences are the intent's own. Four reasons have no
`Absent` of their own: the policy or the object cannot be read, a peer has no session, nobody thought of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bgpctl.core.intent.compile import owner_problem
from bgpctl.core.intent.services import NOT_SELECTED
from bgpctl.core.model import Intent, IPNetwork, Route
from bgpctl.core.policy.nodeconfig import Source

NOTHING_IN_FORCE = "nothingInForce"
NO_SESSION = "noSession"
NO_CANDIDATE = "noCandidate"
UNREADABLE = "unreadable"

ANY_PEER = ""

_NO_SESSION = re.compile(r"peer (.+?): no session, because ")


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked about: `origin` as routes and absences have it ("Service default/web", "PodCIDR"),
    `prefix` None = it has no address yet."""

    origin: str
    prefix: IPNetwork | None
    source: Source = Source.SERVICE

    def __str__(self) -> str:
        return f"{self.prefix} ({self.origin})" if self.prefix else self.origin


@dataclass(frozen=True, slots=True)
class Verdict:
    """`route`: it is there; else `reason` is a stable name, `detail` a sentence about `prefix`."""

    reason: str = ""
    detail: str = ""
    route: Route | None = None
    prefix: IPNetwork | None = None

    @property
    def there(self) -> bool:
        """Is it announced, by the intent?"""
        return self.route is not None


def verdict(intent: Intent, target: Target, peer: str = ANY_PEER) -> Verdict:
    """Towards this peer, or towards any. "Any" is announced when one of them is told."""
    if peer == ANY_PEER and intent.peers:
        told = [verdict(intent, target, each.name) for each in intent.peers]
        return next((each for each in told if each.there), told[0])
    if peer in intent.routes and (route := _route(intent, target, peer)):
        return Verdict(route=route)
    if not intent.selected and not intent.undecided:
        return Verdict(NOT_SELECTED, _not_selected(intent), prefix=target.prefix)
    if intent.config is None:
        return Verdict(
            NOTHING_IN_FORCE, owner_problem(intent) or "; ".join(intent.problems), prefix=target.prefix
        )
    if peer not in intent.routes:
        return Verdict(NO_SESSION, _no_session(intent, peer), prefix=target.prefix)
    own = [each for each in intent.absent if each.origin == target.origin and each.peer in ("", peer)]
    # Without an address any of its own will do: that it has none goes before what is wrong with another.
    for absent in sorted(own, key=lambda each: each.prefix is not None) if target.prefix is None else own:
        if target.prefix in (None, absent.prefix):
            return Verdict(absent.reason, absent.detail, prefix=absent.prefix)
    left_out = next((p for p in intent.problems if p.startswith(f"{target.origin} was left out")), "")
    if left_out:
        return Verdict(UNREADABLE, left_out, prefix=target.prefix)
    service = target.source is Source.SERVICE
    what = f"{target.origin} has no address of a type that is advertised here"
    why = what if service else f"{target.prefix or target.origin} is not of node {intent.node}"
    return Verdict(NO_CANDIDATE, why, prefix=target.prefix)


def without_session(intent: Intent) -> tuple[str, ...]:
    """The names of the configured peers that have no session."""
    found = (_NO_SESSION.match(problem) for problem in intent.problems)
    return tuple(dict.fromkeys(match[1] for match in found if match))


def owners(route: Route) -> tuple[str, ...]:
    """The origins of all that a route stands for."""
    return tuple(route.origin.split(", "))


def _route(intent: Intent, target: Target, peer: str) -> Route | None:
    """The target's own route, or the shorter one that stands for it. Without an address, and
    none to wait for: any of its own."""
    table = intent.routes[peer]
    if target.prefix is None:
        waits = any(each.origin == target.origin and each.prefix is None for each in intent.absent)
        own = (route for route in table.values() if target.origin in owners(route))
        return None if waits else next(own, None)
    if target.prefix in table:
        return table[target.prefix]
    wider = (target.prefix.supernet(new_prefix=n) for n in range(target.prefix.prefixlen - 1, -1, -1))
    found = (table[prefix] for prefix in wider if prefix in table)
    return next((route for route in found if target.origin in owners(route)), None)


def _not_selected(intent: Intent) -> str:
    """All absences of a node that is out say the same."""
    told = (each.detail for each in intent.absent if each.reason == NOT_SELECTED)
    return next(told, f"no policy selects node {intent.node}")


def _no_session(intent: Intent, peer: str) -> str:
    return "; ".join(_left_out(intent, peer)) or f"what is in force names no {'such ' * bool(peer)}peer"


def _left_out(intent: Intent, peer: str) -> Iterator[str]:
    """The sentences about a peer, or an instance, without a session."""
    for problem in intent.problems:
        if problem.startswith(f"peer {peer}: no session" if peer else "peer ") or problem.startswith(
            "instance "
        ):
            yield problem

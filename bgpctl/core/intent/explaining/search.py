"""Which repairs make an absent route appear: found by asking the intent function itself. Pure.

`proposals` names changes of fields that may help; each is carried out on a copy of the cluster, and only one
that brings the intent on, to the route or to the next reason, is kept. So nothing in here can be wrong about
the rules: what does not help is not said. A field that no repair names is as it must be, since the route is
there without it being touched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bgpctl.core.intent.compile import ALONE, ClusterObjects, Context, compile_intent
from bgpctl.core.intent.explaining.proposals.case import Case
from bgpctl.core.intent.explaining.proposals.table import proposals
from bgpctl.core.intent.explaining.repair import Repairs, repaired
from bgpctl.core.intent.explaining.verdict import Target, Verdict, verdict
from bgpctl.core.model import Intent
from bgpctl.core.reading.documents import MALFORMED

MOST_COMPILES = 300
"""Of one search, each a millisecond: the cluster is cut down to what matters to the target."""
MOST_TOGETHER = 3
"""So many changes are tried together where none of them helps alone."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One reason why the route is absent, and what would have to be otherwise (() = not known)."""

    reason: str
    detail: str
    repairs: Repairs = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Every reason, in the order in which the intent gives them. `mended`: with all `repairs` the route is
    there. Else the last reason is one against which no change of a field was found."""

    verdict: Verdict
    broken: tuple[Broken, ...] = ()
    mended: bool = True

    @property
    def repairs(self) -> Repairs:
        """All, in the order in which they are carried out."""
        return tuple(repair for broken in self.broken for repair in broken.repairs)


@dataclass
class Asker:
    """Asks the intent function about one node, in the cluster as it is and as it would be."""

    node: str
    context: Context = ALONE
    asked: int = 0
    _memo: dict[int, tuple[ClusterObjects, Intent]] = field(default_factory=dict)

    def intent(self, objects: ClusterObjects) -> Intent:
        """What the node should run."""
        known = self._memo.get(id(objects))
        if known is None:
            self.asked += 1
            known = self._memo[id(objects)] = objects, compile_intent(objects, self.node, self.context)
        return known[1]


def search(asker: Asker, objects: ClusterObjects, target: Target, peer: str) -> Found:
    """Why the target has no route to the peer on the asker's node, and every repair that it takes."""
    first = verdict(asker.intent(objects), target, peer)
    if first.there:
        return Found(first)
    return _Search(asker, target, peer).of(objects, first)


class _Search:
    """One search: depth first. What follows on a reason that was met before is known to lead nowhere."""

    def __init__(self, asker: Asker, target: Target, peer: str) -> None:
        self._asker, self._target, self._peer = asker, target, peer
        self._most = asker.asked + MOST_COMPILES
        self._longest: tuple[Broken, ...] = ()
        self._seen: set[tuple[str, str]] = set()

    def of(self, objects: ClusterObjects, first: Verdict) -> Found:
        """`first` is the verdict on these objects."""
        whole = self._way(objects, first, ())
        if whole is None:
            return Found(first, self._longest, False)
        return Found(first, self._needed(objects, whole))

    def _verdict(self, objects: ClusterObjects) -> Verdict:
        return verdict(self._asker.intent(objects), self._target, self._peer)

    def _way(
        self,
        objects: ClusterObjects,
        now: Verdict,
        before: tuple[Broken, ...],
        begun: Repairs = (),
        more: int = MOST_TOGETHER,
    ) -> tuple[Broken, ...] | None:
        """The reasons from here to the route; None = no proposal leads there. `begun`: what was changed
        already and alone does not help; `more`: how often that may be."""
        said = (now.reason, now.detail)
        self._seen.add(said)
        if len(before) >= len(self._longest):
            self._longest = (*before, Broken(*said))
        alone: list[tuple[ClusterObjects, Repairs]] = []
        for after, repairs in self._tried(objects, now):
            then, together = self._verdict(after), (*begun, *repairs)
            way = (*before, Broken(*said, together))
            if then.there:
                return way
            if (then.reason, then.detail) == said:
                alone.append((after, together))
            elif (then.reason, then.detail) not in self._seen:
                whole = self._way(after, then, way)
                if whole is not None:
                    return whole
        for after, together in alone if more else ():
            whole = self._way(after, now, before, together, more - 1)
            if whole is not None:
                return whole
        return None

    def _tried(self, objects: ClusterObjects, now: Verdict) -> Iterator[tuple[ClusterObjects, Repairs]]:
        """The cluster with each of the proposals, as long as there is patience; a malformed one ends them."""
        target, intent = replace(self._target, prefix=now.prefix), self._asker.intent(objects)
        case = Case(objects, self._asker.node, target, self._peer, now.reason, intent)
        with contextlib.suppress(*MALFORMED):
            for repairs in filter(None, proposals(case)):
                if self._asker.asked >= self._most:
                    return
                yield repaired(objects, repairs), repairs

    def _needed(self, objects: ClusterObjects, way: tuple[Broken, ...]) -> tuple[Broken, ...]:
        """Without the repairs that the route does not need: none is named in vain."""
        for repair in [repair for broken in way for repair in broken.repairs]:
            less = tuple(replace(b, repairs=tuple(r for r in b.repairs if r is not repair)) for b in way)
            rest = [each for broken in less for each in broken.repairs]
            if all(broken.repairs for broken in less) and self._verdict(repaired(objects, rest)).there:
                way = less
        return way

"""What one peer is to hear: a table of routes per family, and which of them it was not told yet.

In the place of ExaBGP's OutgoingRIB, which keeps three objects per route and packs an UPDATE per IPv6 prefix.
A changed prefix is only marked; what is sent of it is its state when its turn comes, so the latest wins.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from exabgp.bgp.message.refresh import RouteRefresh
from exabgp.logger import log
from exabgp.protocol.family import AFI

from bgpctl.core.bgp import update
from bgpctl.exabgp.extension.routes import AfiSafi, Path, narrow

BURST = 1 << 16
"""Octets of whole messages that are handed to the socket at once: a keepalive waits for no more."""

Table = dict[bytes, Path]
"""NLRI as on the wire -> its path."""
Changed = dict[bytes, object]
"""A set of NLRI in order; the values mean nothing."""


class OutgoingRIB:
    """`cache` and the methods above `announce` are what ExaBGP asks of an outgoing RIB (see the package's
    docstring). It holds nothing but routes of the API: our configuration has none."""

    def __init__(self, cache: bool, families: Iterable[AfiSafi]) -> None:
        self.cache, self.families = cache, families
        self._tables: dict[AfiSafi, Table] = {}
        self._changed: dict[AfiSafi, Changed] = {}
        self._refresh: dict[AfiSafi, bool] = {}  # asked for by the router; enhanced (RFC 7313)?
        self._sending = 0

    def pending(self) -> bool:
        """Is there anything to send? Also a refresh that the router asked for."""
        return any(self._changed.values()) or bool(self._refresh)

    def reset(self) -> None:
        """The session is over; the next one starts with `replace_restart`."""
        self._changed, self._refresh = {}, {}

    def clear(self) -> None:
        """Forgets the routes too; nothing is withdrawn."""
        self._tables = {}
        self.reset()

    def replace_restart(self, previous: Any, new: Any) -> None:
        """A session is up: everything is to be told. Withdraws that wait since the last one stay: a router
        that kept our routes over a graceful restart needs them."""
        for family, table in self._tables.items():
            self._mark(family, table)

    def replace_reload(self, previous: Any, new: Any) -> None:
        """The routes of the configuration, which are none."""

    def resend(self, enhanced: bool, family: AfiSafi | None = None) -> None:
        """The router asks for everything again (RFC 2918), with a beginning and an end (RFC 7313)."""
        for known in self.families:
            if family in (None, known):
                self._refresh[known] = enhanced

    def delete_cached_family(self, families: Iterable[AfiSafi]) -> None:
        """`families` are those that stay."""
        for family in set(self._tables) - set(families):
            del self._tables[family]
            self._changed.pop(family, None)

    # -- from requests

    def announce(self, family: AfiSafi, nlris: Iterable[bytes], path: Path) -> None:
        """`nlris` as on the wire. What has this very path already is not sent again."""
        table = self._tables.setdefault(family, {})
        fresh = {nlri: path for nlri in nlris if table.get(nlri) is not path}
        table.update(fresh)
        self._mark(family, fresh)

    def withdraw(self, family: AfiSafi, nlris: Iterable[bytes]) -> None:
        """Also what we never announced: the router may have it from the engine before us."""
        table = self._tables.setdefault(family, {})
        gone = dict.fromkeys(nlris)
        for nlri in gone:
            table.pop(nlri, None)
        self._mark(family, gone)

    def withdraw_all(self) -> None:
        """Every route of the table; `flushed` says when the withdraws are out."""
        for family, table in self._tables.items():
            self._mark(family, table)
            table.clear()

    def _mark(self, family: AfiSafi, nlris: Mapping[bytes, object]) -> None:
        """From one dict into another: a whole table is marked in half a millisecond."""
        self._changed.setdefault(family, {}).update(nlris)

    # -- what there is

    def table(self, family: AfiSafi) -> Mapping[bytes, Path]:
        """NLRI as on the wire -> path; what was announced, sent or not."""
        return self._tables.get(family, {})

    def carried(self, family: AfiSafi, negotiated: Any) -> int:
        """How many routes of the family the session has a next hop for."""
        table = self.table(family)
        if family[0] == AFI.ipv6 or not narrow(negotiated):
            return len(table)
        return sum(number for path, number in Counter(table.values()).items() if not path.hop.SELF)

    def waiting(self) -> int:
        """Routes and withdraws that are not on the socket, counting all of a batch until its last is."""
        return sum(map(len, self._changed.values())) + self._sending

    def flushed(self) -> bool:
        """Is every change on the socket?"""
        return not self.pending() and self._sending == 0

    # -- to the router

    def bursts(self, negotiated: Any) -> Iterator[tuple[int, bytes]]:
        """Everything that waits now, as a number of messages and their octets; each burst counts as sent when
        the next is asked for. What changes meanwhile waits for another call."""
        changed, self._changed = self._changed, {}
        refresh, self._refresh = self._refresh, {}
        batch = sum(map(len, changed.values())) or 1
        self._sending += batch
        try:
            yield from _joined(self._messages(negotiated, changed, refresh))
        finally:
            self._sending -= batch

    def _messages(
        self, negotiated: Any, changed: dict[AfiSafi, Changed], refresh: dict[AfiSafi, bool]
    ) -> Iterator[bytes]:
        """Withdraws before announcements, and those of a refresh between its marks."""
        limit = negotiated.msg_size
        plans = []
        for family in negotiated.families:
            waiting = changed.get(family, {})
            if family in refresh:
                waiting.update(self.table(family))
            plan = _Plan(family, self.table(family), waiting)
            plan.pack(negotiated)
            plans.append(plan)
        for plan in plans:
            yield from update.withdrawn(plan.family, plan.gone, limit)
        for plan in plans:
            marked = refresh.get(plan.family, False)
            if marked:
                yield RouteRefresh(*plan.family, RouteRefresh.start).message()
            for attributes, hop, nlris in plan.packed:
                yield from update.announced(plan.family, attributes, hop, nlris, limit)
            if marked:
                yield RouteRefresh(*plan.family, RouteRefresh.end).message()


class _Plan:
    """What is to be sent of one family: `gone`, and the others by their path. Made in one go, because the
    table may change before the last of it is out."""

    def __init__(self, family: AfiSafi, table: Mapping[bytes, Path], changed: Iterable[bytes]):
        self.family = family
        self.gone: list[bytes] = []
        self.packed: list[tuple[bytes, bytes, list[bytes]]] = []
        self._by_path: dict[Path, list[bytes]] = defaultdict(list)
        for path, run in groupby(changed, table.get):  # routes of one path mostly came together
            (self.gone if path is None else self._by_path[path]).extend(run)

    def pack(self, negotiated: Any) -> None:
        """A route that cannot be sent is withdrawn, as the router must not go on with what it had before: one
        for which the session has no next hop, or whose attributes leave no room for it in a message."""
        for path, nlris in self._by_path.items():
            packed = path.pack(negotiated)
            if packed is None:
                self.gone += nlris
                continue
            attributes, hop = packed
            if update.fits(self.family, attributes, hop, negotiated.msg_size):
                self.packed.append((attributes, hop, nlris))
            else:
                self.gone += nlris
                lost = f"{len(nlris)} routes are not sent to {negotiated.neighbor['peer-address']}"
                log.critical(lambda lost=lost: f"{lost}: their attributes fill a whole message", "rib")


def _joined(messages: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    some: list[bytes] = []
    size = 0
    for message in messages:
        some.append(message)
        size += len(message)
        if size >= BURST:
            yield len(some), b"".join(some)
            some, size = [], 0
    if some:
        yield len(some), b"".join(some)

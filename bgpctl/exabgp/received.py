"""What a router announces to us: counted, used for nothing, and bounded whatever it sends. Pure.

An UPDATE is read as far as its NLRI. One that cannot be read costs itself: the node learns no routes, so its
session, by which it announces its own, need not end for it (RFC 7606 section 1 has the reasons).
"""

from __future__ import annotations

from collections.abc import Iterator

from bgpctl.core.bgp import update

MOST = 100_000
"""Distinct prefixes that are counted per router: 8 MB. A table of the Internet is ten times that."""


class Received:
    """The prefixes of one session. `fault`: why the last UPDATE that was not understood was not; "" = all
    were."""

    def __init__(self) -> None:
        self._known: dict[str, set[bytes]] = {}
        self._more: dict[str, int] | None = None
        self.fault = ""

    def take(self, body: bytes) -> None:
        """One UPDATE's body. Never raises: it is a router's."""
        try:
            changes = list(update.read(body))
        except ValueError as error:
            self.fault = str(error)
            return
        for family, nlri, announced in () if self._more else changes:
            self._count(str(family), nlri, announced)

    def _count(self, family: str, nlri: bytes, announced: bool) -> None:
        if announced:
            self._known.setdefault(family, set()).add(nlri)
        else:
            self._known.get(family, set()).discard(nlri)
        if sum(map(len, self._known.values())) >= MOST:
            self._more = self.counts()
            self._known.clear()  # no withdraw can be told from another now

    @property
    def overflowed(self) -> bool:
        """Did it announce more than is counted? Then `counts` stays what it was."""
        return self._more is not None

    def counts(self) -> dict[str, int]:
        """Prefixes by family."""
        return self._more or {family: len(known) for family, known in self._known.items()}

    def troubles(self) -> Iterator[str]:
        """What is wrong, one sentence each."""
        if self.overflowed:
            yield f"it announces {MOST} routes or more, none of which this node uses: filter them there"
        if self.fault:
            yield f"it sent an UPDATE that cannot be read, which was ignored: {self.fault}"

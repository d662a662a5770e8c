"""What a router announces to us: counted, used for nothing, and bounded whatever it sends. Pure.

An UPDATE is read as far as its NLRI. One that cannot be read costs itself: the node learns no routes, so its
session, by which it announces its own, need not end for it (RFC 7606 section 1 has the reasons).
"""

from __future__ import annotations

from collections.abc import Iterator

MOST = 100_000
"""Distinct prefixes that are counted per router: 8 MB. A table of the Internet is ten times that."""

_FAMILIES = {(1, 1): ("ipv4/unicast", 32), (2, 1): ("ipv6/unicast", 128)}
_REACH, _UNREACH = 14, 15
_EXTENDED = 0x10

Change = tuple[str, bytes, bool]
"""Family, NLRI, announced?"""


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
            changes = list(read(body))
        except ValueError as error:
            self.fault = str(error)
            return
        for family, nlri, announced in () if self._more else changes:
            self._count(family, nlri, announced)

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


def read(body: bytes) -> Iterator[Change]:
    """The changes of unicast prefixes in an UPDATE (RFC 4271 section 4.3, RFC 4760). Raises ValueError with
    what is wrong."""
    withdrawn, rest = _field(body, "withdrawn routes")
    attributes, announced = _field(rest, "path attributes")
    yield from _changes((1, 1), withdrawn, False)
    yield from _changes((1, 1), announced, True)
    for code, value in _attributes(attributes):
        if code == _REACH:
            hop = value[3] if len(value) > 4 else 255
            if len(value) < 5 + hop:
                raise ValueError("MP_REACH_NLRI is too short")
            yield from _changes((_number(value), value[2]), value[5 + hop :], True)
        elif code == _UNREACH:
            if len(value) < 3:
                raise ValueError("MP_UNREACH_NLRI is too short")
            yield from _changes((_number(value), value[2]), value[3:], False)


def _field(data: bytes, name: str) -> tuple[bytes, bytes]:
    """A field behind two octets of length, and what follows it."""
    end = 2 + _number(data)
    if len(data) < 2 or end > len(data):
        raise ValueError(f"the length of the {name} is beyond its end")
    return data[2:end], data[end:]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        extended = data[position] & _EXTENDED
        start = position + (4 if extended else 3)
        if start > len(data):
            raise ValueError("a path attribute is cut")
        length = _number(data[start - 2 : start]) if extended else data[start - 1]
        position = start + length
        if position > len(data):
            raise ValueError(
                f"path attribute {data[start - (3 if extended else 2)]} is longer than its UPDATE"
            )
        yield data[start - (3 if extended else 2)], data[start:position]


def _changes(family: tuple[int, int], data: bytes, announced: bool) -> Iterator[Change]:
    """Nothing of a family that is not ours."""
    name, bits = _FAMILIES.get(family, ("", 0))
    position, size = 0, len(data) if name else 0
    while position < size:
        end = position + 1 + (data[position] + 7) // 8
        if data[position] > bits or end > size:
            raise ValueError(f"an {name} prefix of {data[position]} bits does not fit")
        yield name, data[position:end], announced
        position = end


def _number(data: bytes) -> int:
    return int.from_bytes(data[:2], "big")

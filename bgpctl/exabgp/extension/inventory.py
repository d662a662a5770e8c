"""What a new manager asks an engine that ran before it: who it is, its peers, its routes piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bgpctl import __version__
from bgpctl.exabgp import wire
from bgpctl.exabgp.extension import routes
from bgpctl.exabgp.extension.state import EXTENSION

PIECE = 5000
"""Prefixes per answer: a few milliseconds, so that keepalives go on in between."""

GROUP_COST = 10
"""What a group adds to the size of an answer, in prefixes: its attributes are written out."""


def hello(request: wire.Message) -> wire.Message:
    """Of a shape that never changes."""
    return {"protocol": wire.PROTOCOL, "version": __version__, "generation": EXTENSION.generation}


def inventory(request: wire.Message) -> wire.Message:
    """The peers as they were configured; `routes` then hands out what is announced to them. `departed` is how
    the others left: whoever asked for it may be dead before the answer."""
    if any(not peer._restart and peer.generator for peer in EXTENSION.reactor._peers.values()):
        raise RuntimeError("peers are leaving just now")
    current = {name: peer for name, peer in EXTENSION.peers() if name in EXTENSION.definitions}
    EXTENSION.stock = _pieces(current)
    definitions = {name: EXTENSION.definitions[name] for name in current}
    synced = sorted(EXTENSION.synced & set(current))
    return {"peers": definitions, "synced": synced, "departed": EXTENSION.departed}


def next_routes(request: wire.Message) -> wire.Message:
    """The next piece since `inventory`; no groups in it when that was all."""
    return {"groups": next(EXTENSION.stock, [])}


def _pieces(peers: dict[str, Any]) -> Iterator[list[wire.Message]]:
    piece: list[wire.Message] = []
    cost = 0
    for group in _groups(peers):
        piece.append(group[1])
        cost += group[0] + GROUP_COST
        if cost >= PIECE:
            yield piece
            piece, cost = [], 0
    if piece:
        yield piece


def _groups(peers: dict[str, Any]) -> Iterator[tuple[int, wire.Message]]:
    """Number of prefixes, and the group: at most PIECE prefixes of one family, peer and attributes."""
    for name, peer in peers.items():
        for text, family in routes.FAMILIES.items():
            for path, nlris in _by_path(peer.neighbor.rib.outgoing.table(family)).items():
                for start in range(0, len(nlris), PIECE):
                    some = nlris[start : start + PIECE]
                    prefixes = {text: wire.pack_nlris(some)}
                    group = {"peer": name, "attributes": json.loads(path.wanted), "prefixes": prefixes}
                    yield len(some), group


def _by_path(table: Mapping[bytes, routes.Path]) -> dict[routes.Path, list[bytes]]:
    grouped: dict[routes.Path, list[bytes]] = {}
    for nlri, path in table.items():
        grouped.setdefault(path, []).append(nlri)
    return grouped

"""The lab's receive-only ExaBGP, through the file in which it keeps what it received.

It is no graceful-restart helper: routes go with their session, so nothing is ever stale here. The file is
rewritten when something changes and touched as a heartbeat, and names its writer's process: what a dead
receiver left is not an answer.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness.asking import ask
from bgpctl.witness.command import read_json
from bgpctl.witness.model import (
    LONGEST,
    NoNeighbor,
    Path,
    RouterAnswer,
    Unanswered,
    answered,
    same_address,
    to_prefix,
)

# The receiver touches its file twice a second; a loaded machine may delay it.
STALE_FILE_SECONDS = 5.0
NOTE = "This receiver keeps no routes over a restart."


@dataclass(frozen=True, slots=True)
class ExabgpProbe:
    """`target` is the JSON file of the receiver."""

    target: str
    peer: str | None = None
    kind: str = "exabgp"

    def routes_from(self, neighbor: str) -> RouterAnswer:
        router = f"exabgp {self.target}"
        return ask(router, neighbor, lambda address: read(router, str(address), self._load()))

    def _load(self) -> Mapping[str, Any]:
        try:
            text, touched = _contents(self.target)
        except OSError as error:
            raise Unanswered(f"cannot read {self.target}: {error.strerror}; is the lab running?") from error
        if (age := time.time() - touched) > STALE_FILE_SECONDS:
            raise Unanswered(f"the receiver has not written {self.target} for {age:.0f} s: it does not run")
        document = read_json(text, "the receiver")
        neighbors = neighbors_in(document)
        if not FilePath(f"/proc/{Foreign.of(document).integer('pid')}").exists():
            raise Unanswered(f"the receiver that wrote {self.target} does not run any more")
        return neighbors


def _contents(path: str) -> tuple[bytes, float]:
    """At most LONGEST octets of a file, and when it was touched. OSError for what is no file: a pipe would
    be read for ever."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        return file.read(LONGEST + 1), status.st_mtime


# --- reading answers (pure) -------------------------------------------------------------------------------


def neighbors_in(document: Any) -> Mapping[str, Any]:
    """The receiver's document -> neighbors by address."""
    neighbors = document.get("neighbors") if isinstance(document, dict) else None
    if not isinstance(neighbors, dict):
        raise Unanswered("the file is not one of the lab's receiver")
    return neighbors


def read(router: str, neighbor: str, neighbors: Mapping[str, Any]) -> RouterAnswer:
    """What the receiver has from one neighbor. Unanswered when it has no such neighbor."""
    for address, view in neighbors.items():
        if same_address(address, neighbor):
            told, paths = Foreign.of(view, address), tuple(read_routes(address, view))
            session, local = told.text("session"), told.text("local")
            return answered(router, neighbor, paths, session, None, NOTE, local)
    raise NoNeighbor(neighbor)


def read_routes(address: str, view: Any) -> Iterator[Path]:
    """One neighbor's routes: prefix -> next hop."""
    for routes, prefix in Foreign.of(view, address).each("routes"):
        yield Path(to_prefix(prefix), address, next_hop=routes.text(prefix) or None)

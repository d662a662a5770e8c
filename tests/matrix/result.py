"""One cell's outcome, and its JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from tests.matrix.cells import Cell, Event, Fate, Graceful
from tests.matrix.complaints import Bounds
from tests.matrix.seeing import Seen


@dataclass(frozen=True, slots=True)
class Result:
    """In order when there are no complaints. `seen` is of the routes that an edit leaves alone or, for every
    other event, of all; `left` of the one that an edit takes away. `seconds`: what the cell took."""

    router: str
    event: Event
    graceful: Graceful
    fate: Fate
    seen: Seen
    bounds: Bounds
    complaints: tuple[str, ...] = ()
    left: Seen | None = None
    seconds: float = 0.0

    @property
    def cell(self) -> Cell:
        return Cell(self.router, self.event, self.graceful)

    @classmethod
    def broken(cls, cell: Cell, words: str) -> Result:
        """A cell that could not be run; why stands in `words`."""
        complaint = f"it could not be run: {words}"
        return cls(
            cell.router, cell.event, cell.graceful, cell.fate, Seen(0), Bounds(0.0, None), (complaint,)
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Raises ValueError, KeyError or TypeError for anything that `to_json` did not write."""
        found = json.loads(text)
        left = Seen(**found["left"]) if found["left"] else None
        parts = {
            "event": Event(found["event"]),
            "graceful": Graceful(found["graceful"]),
            "fate": Fate(found["fate"]),
            "seen": Seen(**found["seen"]),
            "bounds": Bounds(**found["bounds"]),
            "complaints": tuple(found["complaints"]),
            "left": left,
        }
        return cls(**{**found, **parts})

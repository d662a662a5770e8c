"""One cell's outcome, and its JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bgpctl.lab.traffic.counting import Lost
from tests.traffic.cells import Cell, Way


@dataclass(frozen=True, slots=True)
class Result:
    """In order when there are no complaints. `endless`: the router still sent requests to the node when it
    was switched on again."""

    router: str
    stack: str
    way: Way
    leave: Lost
    back: Lost
    endless: bool = False
    complaints: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.cell}: {'; '.join(self.complaints) or 'in order'}"

    @property
    def cell(self) -> Cell:
        return Cell(self.router, self.stack, self.way)

    @classmethod
    def broken(cls, cell: Cell, words: str) -> Result:
        """A cell that could not be run."""
        complaint = f"it could not be run: {words}"
        return cls(cell.router, cell.stack, cell.way, Lost(), Lost(), complaints=(complaint,))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Raises ValueError, KeyError or TypeError for anything that `to_json` did not write."""
        found = json.loads(text)
        parts = {"way": Way(found["way"]), "leave": Lost(**found["leave"]), "back": Lost(**found["back"])}
        return cls(**{**found, **parts, "complaints": tuple(found["complaints"])})

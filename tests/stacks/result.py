"""One cell's outcome, and its JSON form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from tests.matrix.cells import Graceful
from tests.stacks.cells import Event, Place


@dataclass(frozen=True, slots=True)
class Result:
    """In order when there are no complaints. `runs`: how many commands it took, and `seconds`."""

    stack: str
    router: str
    graceful: Graceful
    event: Event
    complaints: tuple[str, ...] = ()
    runs: int = 0
    seconds: float = 0.0

    @property
    def place(self) -> Place:
        return Place(self.stack, self.router, self.graceful)

    def __str__(self) -> str:
        return f"{self.place} / {self.event}: {'; '.join(self.complaints) or 'in order'}"

    @classmethod
    def broken(cls, place: Place, event: Event, words: str) -> Result:
        """A cell that could not be run."""
        complaint = f"it could not be run: {words}"
        return cls(place.stack, place.router, place.graceful, event, (complaint,))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Raises ValueError, KeyError or TypeError for anything that `to_json` did not write."""
        found = json.loads(text)
        parts = {"graceful": Graceful(found["graceful"]), "event": Event(found["event"])}
        return cls(**{**found, **parts, "complaints": tuple(found["complaints"])})

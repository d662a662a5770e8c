"""The BIRD that every announcer loads, and the clock: from its own word for Established, to the microsecond,
until it has imported every route.

BIRD answers late while it reads UPDATEs. When it says afterwards since when a session is Established, an
early announcer is not taken for a fast one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from bgpctl.lab.routers import Neighbor, RouterSpec, bird
from bgpctl.lab.routers.process import end, spawn, write
from bgpctl.lab.routers.spec import Recipe
from tests.support.birdctl import Bird

POLL_SECONDS = 0.002
ASN = 65000
PORT = 1790


class Late(Exception):
    """Not within the bound."""


class Receiver:
    """Session N is with `nodes[N - 1]`."""

    def __init__(self, stack: ExitStack, directory: Path, address: str, nodes: Sequence[Neighbor]) -> None:
        self.address, self.nodes = address, nodes
        spec = RouterSpec("bird", address, PORT, ASN, tuple(nodes), graceful_restart=False)
        text = bird.config(spec, directory) + "timeformat protocol iso long us;\n"
        self.bird = run_bird(stack, directory, text)

    def established_at(self, session: int) -> float | None:
        """Seconds since the epoch."""
        line = self.bird.ask(f"show protocols node{session}")
        found = re.search(r"up +(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) +Established", line)
        return datetime.fromisoformat(found.group(1)).timestamp() if found else None

    def imported(self, session: int) -> int:
        """Of both families; BIRD counts as it goes, so asking is cheap."""
        counts = re.findall(r"Routes: +(\d+) imported", self.bird.ask(f"show protocols all node{session}"))
        return sum(map(int, counts))

    def loading(
        self, session: int, count: int, bound: float, meanwhile: Callable[[], object] = lambda: None
    ) -> float:
        """Seconds from Established. Raises Late. `meanwhile` is called at every look."""
        done = self.until(lambda: self.imported(session) == count, bound, meanwhile)
        since = self.established_at(session)
        assert since is not None, "the session is down again"
        assert self._in_tables() == count, "imported, and not in the table"
        return done - since

    def _in_tables(self) -> int:
        counts = (self.bird.ask(f"show route count table master{version}") for version in (4, 6))
        return sum(int(re.search(r"(\d+) of \d+ routes", text).group(1)) for text in counts)  # type: ignore[union-attr]

    def empty(self, session: int, bound: float) -> float:
        """The time at which it had none of that session's routes any more."""
        return self.until(lambda: self.imported(session) == 0, bound)

    def until(
        self, condition: Callable[[], bool], bound: float, meanwhile: Callable[[], object] = lambda: None
    ) -> float:
        """The time, since the epoch, at which it became true. Raises Late."""
        deadline = time.monotonic() + bound
        while not condition():
            if time.monotonic() > deadline:
                raise Late(f"not within {bound:.0f} s")
            meanwhile()
            time.sleep(POLL_SECONDS)
        return time.time()


def run_bird(stack: ExitStack, directory: Path, text: str) -> Bird:
    """A BIRD with this configuration, ended with the stack."""
    control = directory / "bird.ctl"
    command = ("bird", "-f", "-c", "bird.conf", "-s", str(control), "-P", str(directory / "bird.pid"))
    run(stack, directory, Recipe(command, {"bird.conf": text}, ""))
    deadline = time.monotonic() + 30
    while True:
        try:
            return Bird(control)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def run(stack: ExitStack, directory: Path, recipe: Recipe) -> None:
    """Any router's recipe, ended with the stack."""
    write(recipe, directory)
    with (directory / "output.log").open("wb") as log:
        stack.callback(end, spawn(recipe, directory, log.fileno()))

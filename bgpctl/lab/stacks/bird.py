"""A real BIRD 2 as the engine of a node of another stack: it takes in one configuration after the other."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from bgpctl.errors import Temporary
from bgpctl.lab.routers import DRIVERS
from bgpctl.lab.routers.process import end, spawn, write
from bgpctl.lab.routers.spec import Recipe
from bgpctl.witness.conversation import Conversation
from bgpctl.witness.model import Unanswered

SECONDS = 5.0
CONFIG, SOCKET = "bird.conf", "bird.ctl"
NOTHING = "protocol device {}\n"
_WHOLE = re.compile(rb"(?:^|\n)\d{4} [^\n]*\n\Z")


@dataclass
class Bird:
    """`start` it in the main thread: children die with the thread."""

    directory: Path
    reconfigured: list[str] = field(default_factory=list)  # what it said to each configuration
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """With nothing to say to anybody yet."""
        control = self.directory / SOCKET
        argv = (
            DRIVERS["bird"].find() or "bird",
            *("-f", "-c", str(self.directory / CONFIG), "-s", str(control)),
            *("-P", str(self.directory / "bird.pid")),
        )
        recipe = Recipe(argv, {CONFIG: f"{self._head}{NOTHING}"}, "", control=control)
        write(recipe, self.directory)
        with (self.directory / "output.log").open("ab") as log:
            self._process = spawn(recipe, self.directory, log.fileno())

    @property
    def _head(self) -> str:
        return f'log "{self.directory / "bird.log"}" all;\nrouter id 127.0.0.1;\n'

    def stop(self) -> None:
        """Harmless twice."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def died(self) -> bool:
        """It ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def configure(self, text: str) -> None:
        """As confd's reload command does. Raises Temporary where it does not take it in."""
        (self.directory / CONFIG).write_text(f'log "{self.directory / "bird.log"}" all;\n{text}')
        said = self.ask("configure")
        self.reconfigured.append(said)
        if "econfigur" not in said:
            raise Temporary(f"BIRD in {self.directory} refuses its configuration: {said}")

    def sessions(self) -> dict[str, tuple[str, str]]:
        """By the neighbor's address: the state as BIRD names it, and since when, as BIRD tells it."""
        found: dict[str, tuple[str, str]] = {}
        since = ""
        for line in self.ask("show protocols all").splitlines():
            if match := re.match(r"1002-\S+\s+BGP\s+\S+\s+\S+\s+(\S+)", line):
                since = match[1]
            elif match := re.search(r"BGP state:\s+(\S+)", line):
                state = match[1]
            elif match := re.search(r"Neighbor address:\s+(\S+)", line):
                found[match[1]] = (state, since)
        return found

    def said(self, command: str) -> str:
        """The same as birdcl prints it: without the codes."""
        lines = self.ask(command).splitlines()
        shown = (re.sub(r"^(\d{4}[- ]|[ +])", "", line) for line in lines)
        return "\n".join(("BIRD 2 ready.", *shown, ""))

    def ask(self, command: str) -> str:
        """Raises Temporary where it does not answer."""
        try:
            with Conversation(str(self.directory / SOCKET), "BIRD", SECONDS) as line:
                line.hear(_ended)
                line.say(f"{command}\n".encode())
                return line.hear(_ended).decode(errors="replace")
        except Unanswered as error:
            raise Temporary(str(error)) from None


def _ended(heard: bytearray) -> bool:
    return _WHOLE.search(heard) is not None

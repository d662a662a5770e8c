"""A real FRR bgpd as the engine of a node of another stack: it takes in one configuration after the other by
FRR's own frr-reload.py. Without zebra, so that an ordinary user can run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bgpctl.errors import Temporary
from bgpctl.lab.routers import DRIVERS
from bgpctl.lab.routers.find import program
from bgpctl.lab.routers.process import clean, end, spawn, write
from bgpctl.lab.routers.spec import Recipe

SECONDS = 30.0
SOCKET = "bgpd.vty"
INTEGRATED = "service integrated-vtysh-config\n"


def missing() -> str:
    """What to type where it is not installed; "" = it is."""
    there = DRIVERS["frr"].find() and _reloader() and program("vtysh")
    return "" if there else "apt install frr frr-pythontools"


def _reloader() -> str | None:
    places = ("/usr/lib/frr/frr-reload.py", "/usr/libexec/frr/frr-reload.py")
    return next((one for one in places if Path(one).exists()), None)


@dataclass
class Bgpd:
    """`start` it in the main thread: children die with the thread. `reloads`: how each of them ended, "" =
    well, else FRR's words."""

    directory: Path
    reloads: list[str] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _recipe: Recipe | None = None

    @property
    def head(self) -> str:
        """What it runs with whatever it is told: where its log is, and that there is no zebra."""
        return f"log file {self.directory / 'bgpd.log'}\nbgp no-rib\n"

    def start(self) -> None:
        """With nothing to say to anybody yet. It never listens, as in frr-k8s."""
        where = ("--vty_socket", str(self.directory), "-i", str(self.directory / "bgpd.pid"))
        argv = (
            DRIVERS["frr"].find() or "bgpd",
            *("-f", str(self.directory / "bgpd.conf"), *where, "-p", "0", "-P", "0", "-Z", "-S"),
        )
        files = {"bgpd.conf": self.head, "vtysh.conf": INTEGRATED, "frr.conf": ""}
        scratch = ("/var/tmp/frr/bgpd.{pid}",)  # noqa: S108 - FRR's choice; it is only removed
        self._recipe = Recipe(argv, files, "", control=self.directory / SOCKET, scratch=scratch)
        write(self._recipe, self.directory)
        (self.directory / SOCKET).unlink(missing_ok=True)
        with (self.directory / "output.log").open("ab") as log:
            self._process = spawn(self._recipe, self.directory, log.fileno())

    def stop(self) -> None:
        """Harmless twice."""
        if self._process is not None and self._recipe is not None:
            end(self._process)
            clean(self._recipe, self._process.pid)
            self._process = None

    def died(self) -> bool:
        """It ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def reload(self, text: str) -> str:
        """As frr-k8s' reloader does it: "" where FRR took all of it in, else its words. Raises Temporary
        while it is not there yet."""
        if not (self.directory / SOCKET).exists():
            raise Temporary(f"bgpd in {self.directory} does not answer yet")
        wanted = self.directory / "wanted.conf"
        wanted.write_text(text)
        places = [word for name in ("confdir", "rundir", "vty_socket") for word in self._place(name)]
        argv = [sys.executable, _reloader() or "", "--reload", "--stdout", "--log-level", "error", *places]
        done = _run([*argv, "--bindir", os.path.dirname(program("vtysh") or ""), str(wanted)])
        told = "" if done.returncode == 0 else f"{done.stdout}{done.stderr}".strip() or "it failed"
        self.reloads.append(told)
        return told

    def _place(self, name: str) -> tuple[str, str]:
        return f"--{name}", str(self.directory)

    def said(self, command: str) -> str:
        """What vtysh prints. Raises Temporary where it does not answer."""
        places = ("--vty_socket", str(self.directory), "--config_dir", str(self.directory))
        done = _run([program("vtysh") or "vtysh", *places, "-c", command])
        if done.returncode != 0:
            raise Temporary(f"bgpd in {self.directory} says nothing to {command!r}: {done.stderr.strip()}")
        return done.stdout

    def running(self) -> str:
        """Its configuration as it prints it."""
        return self.said("show running-config")


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)

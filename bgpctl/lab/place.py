"""Where a lab lives: a private directory named after its process, and a stretch of loopback addresses.

A lab that was killed (`kill -9`) leaves its directory; its processes end with it (PR_SET_PDEATHSIG). The next
lab removes what belongs to a process that is gone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

ROUTER_PORT = 1790  # above 1023: no root needed


@dataclass(frozen=True, slots=True)
class Place:
    """A lab's own directory (0700) and addresses: the router at .1, worker N at .10+N of one 127.x.y.0/24."""

    directory: Path
    network: IPv4Address

    @property
    def router_address(self) -> str:
        return str(self.network + 1)

    def node_address(self, number: int) -> str:
        return str(self.network + 10 + number)


def claim(base: Path | None = None) -> Place:
    """A fresh place for this process; leftovers of labs that are gone are removed first."""
    root = base or Path(tempfile.gettempdir()) / f"bgpctl-lab-{os.getuid()}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    remove_leftovers(root)
    directory = root / str(os.getpid())
    directory.mkdir(mode=0o700)
    # distinct labs of one machine get distinct /24s, so that their routers never meet
    number = os.getpid() % (64 * 250)
    return Place(directory, IPv4Address(f"127.{64 + number // 250}.{1 + number % 250}.0"))


def remove_leftovers(root: Path) -> None:
    """Directories of labs whose process is gone."""
    for leftover in root.iterdir():
        if leftover.name.isdigit() and not _alive(int(leftover.name)):
            shutil.rmtree(leftover, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""BIRD asked through its control socket, which stays open: starting `birdc` costs more than what it tells."""

from __future__ import annotations

import re
import socket
from pathlib import Path


class Bird:
    """One connection to a BIRD's control socket. The table is the IPv4 one."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(str(path))
        self._answer()

    def ask(self, command: str) -> str:
        self._socket.sendall(f"{command}\n".encode())
        return self._answer()

    def _answer(self) -> str:
        text = ""
        while not re.search(r"^(0\d{3}|[89]\d{3}) .*\n\Z", text, re.MULTILINE):
            text += self._socket.recv(65536).decode()
        return text

    def routes(self) -> int:
        found = re.search(r"(\d+) of \d+ routes", self.ask("show route count table master4"))
        return int(found.group(1)) if found else -1

    def has(self, prefix: str) -> bool:
        return prefix in self.ask(f"show route {prefix} table master4")

    def prefixes(self) -> set[str]:
        """Of every route."""
        return set(
            re.findall(r"^(?:1007-| )?([0-9.]+/\d+) ", self.ask("show route table master4"), re.MULTILINE)
        )

    def established(self, protocol: str) -> bool:
        return "Established" in self.ask(f"show protocols {protocol}")

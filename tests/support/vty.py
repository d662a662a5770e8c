"""FRR's bgpd told what to do through its vty socket, in enable mode: what no probe of ours ever does."""

from __future__ import annotations

import socket
from pathlib import Path


def tell(directory: str | Path, *commands: str) -> str:
    """Each command in turn; the answer to the last one. `directory` holds bgpd.vty."""
    with socket.socket(socket.AF_UNIX) as vty:
        vty.settimeout(10)
        vty.connect(str(Path(directory) / "bgpd.vty"))
        answer = b""
        for command in ("enable", *commands):
            vty.sendall(command.encode() + b"\0")
            answer = b""
            while answer[-4:-1] != b"\0\0\0":
                answer += vty.recv(65536)
            assert answer[-1] == 0, (command, answer)
        return answer[:-4].decode()

"""`pods/exec` over a WebSocket (v4 and v5.channel.k8s.io, RFC 6455): what a container's command says, and how
it ended. The lab has no containers: `ApiServer.commands` plays them.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from bgpctl.lab.api import status
from bgpctl.lab.api.documents import Document, dump
from bgpctl.lab.api.operations import Operations
from bgpctl.lab.api.routes import Target

RESOURCE = "pods/exec"
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
BINARY, CLOSE = 0x82, 0x88
LONGEST_FRAME = 32 << 10

Ended = tuple[str, str, int]
"""Standard output, standard error, exit code."""
Commands = Callable[[Document, str, Sequence[str]], Ended]
"""(the Pod, the container's name, the words) -> how it ended. Raises ApiError."""


def no_containers(pod: Document, container: str, words: Sequence[str]) -> Ended:
    """What a pod of the lab answers that nothing plays."""
    raise status.internal(f"unable to upgrade connection: container not found ({container!r})")


@dataclass(frozen=True, slots=True)
class Exec:
    """An accepted command: the handshake's answer, and what is sent after it."""

    accept: str
    protocol: str
    ended: Ended

    def head(self) -> bytes:
        """101 Switching Protocols."""
        return (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {self.accept}\r\nSec-WebSocket-Protocol: {self.protocol}\r\n\r\n"
        ).encode()

    def frames(self) -> Iterator[bytes]:
        """Output, errors, the Status, and the close."""
        for channel, text in ((1, self.ended[0]), (2, self.ended[1])):
            octets = text.encode()
            for start in range(0, len(octets), LONGEST_FRAME):
                yield _frame(BINARY, bytes((channel,)) + octets[start : start + LONGEST_FRAME])
        yield _frame(BINARY, b"\x03" + dump(_status(self.ended[2])))
        yield _frame(CLOSE, struct.pack("!H", 1000))


def begin(
    operations: Operations,
    commands: Commands,
    target: Target,
    headers: Mapping[str, str],
    query: str,
) -> Exec:
    """Run it; raises 400 for a request that is no upgrade, 404 without the pod."""
    key = headers.get("Sec-WebSocket-Key")
    offered = (headers.get("Sec-WebSocket-Protocol") or "").replace(" ", "").split(",")
    protocol = next((one for one in PROTOCOLS if one in offered), None)
    if (headers.get("Upgrade") or "").lower() != "websocket" or not key or protocol is None:
        raise status.bad_request("Upgrade request required")
    pod = operations.get(operations.registry.by_plural("pods"), target.namespace, target.name).document
    asked = parse_qs(query)
    names = [one["name"] for one in (pod.get("spec") or {}).get("containers") or ()]
    container = asked.get("container", names[:1])[0]
    if container not in names:
        raise status.bad_request(f"container {container} is not valid for pod {target.name}")
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode(), usedforsecurity=False).digest()).decode()
    return Exec(accept, protocol, commands(pod, container, asked.get("command", [])))


def _status(code: int) -> Document:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    text = f"command terminated with non-zero exit code: exit status {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": text,
        "details": {"causes": causes},
    }


def _frame(first: int, payload: bytes) -> bytes:
    """RFC 6455 §5.2: a whole message from a server, not masked."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + struct.pack("!H", size) + payload
    return bytes((first, 127)) + struct.pack("!Q", size) + payload

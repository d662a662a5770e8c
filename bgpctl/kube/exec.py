"""A command in a container, through the API server: pods/exec over a WebSocket (v4.channel.k8s.io, RFC 6455).

Each message begins with the octet of its channel: 1 is standard output, 2 standard error, and 3 the Status
with which it ends. It is a GET: it needs the right to `get pods/exec`, and since Kubernetes 1.35 to `create`
it too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bgpctl import __version__
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.failures import parsed, plain, refusal

if TYPE_CHECKING:
    import ssl

    import urllib3

PROTOCOL = "v4.channel.k8s.io"
STDOUT, STDERR, STATUS = 1, 2, 3
SECONDS = 10.0
LONGEST_OUTPUT = 8 << 20  # octets


def run(
    client: Client, namespace: str, pod: str, container: str, argv: Sequence[str], seconds: float = SECONDS
) -> str:
    """Its standard output, when it ended well. Raises ApiError where it may not be run or there is no such
    pod, Temporary where the answer breaks off or takes longer than `seconds`, BgpctlError where it failed."""
    import websocket

    path = f"{paths.pod(namespace, pod)}/exec"
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in argv]
    access, ends = client.access, time.monotonic() + seconds
    headers = {"User-Agent": f"bgpctl/{__version__}"}
    if authorization := access.authorization():
        headers["Authorization"] = authorization
    try:
        link = websocket.create_connection(
            "ws" + access.host.removeprefix("http") + f"{path}?{urlencode(query)}",
            timeout=min(seconds, SECONDS),
            header=headers,
            subprotocols=[PROTOCOL],
            sslopt={"context": _tls(access.pool)},
            http_no_proxy=["*"],
            suppress_origin=True,
            enable_multithread=False,
        )
    except websocket.WebSocketBadStatusException as error:
        found = error.resp_headers or {}, error.resp_body or b""
        raise refusal("GET", path, error.status_code, *found) from None
    except (websocket.WebSocketException, OSError) as error:
        raise Temporary(f"{path} cannot be reached: {plain(error)}") from None
    try:
        return _output(link, ends, argv)
    except (websocket.WebSocketException, OSError) as error:
        raise Temporary(f"{path} broke off: {plain(error)}") from None
    finally:
        with contextlib.suppress(websocket.WebSocketException, OSError):
            link.close(timeout=0)


def _output(link: Any, ends: float, argv: Sequence[str]) -> str:
    channels = {STDOUT: bytearray(), STDERR: bytearray()}
    while True:
        left = ends - time.monotonic()
        if left <= 0:
            raise Temporary(f"`{' '.join(argv)}` does not come to its end")
        link.settimeout(left)
        message = link.recv()
        octets = message.encode() if isinstance(message, str) else message
        if not octets:
            raise Temporary(f"`{' '.join(argv)}` broke off")
        if octets[0] == STATUS:
            _judge(octets[1:], channels[STDERR], argv)
            return channels[STDOUT].decode(errors="replace")
        if octets[0] in channels:
            channels[octets[0]] += octets[1:]
        if len(channels[STDOUT]) + len(channels[STDERR]) > LONGEST_OUTPUT:
            raise BgpctlError(f"`{' '.join(argv)}` says more than {LONGEST_OUTPUT >> 20} MB")


def _judge(octets: bytes, errors: bytearray, argv: Sequence[str]) -> None:
    """The Status that ends it: anything but success is a failure, with its last words."""
    status = parsed(octets)
    if isinstance(status, dict) and status.get("status") == "Success":
        return
    said = errors.decode(errors="replace").strip().splitlines()
    text = said[-1] if said else str(status.get("message") if isinstance(status, dict) else "it failed")
    raise BgpctlError(f"`{' '.join(argv)}`: {text}")


def _tls(pool: urllib3.PoolManager) -> ssl.SSLContext | None:
    """The pool's own trust and certificate; None for plain HTTP."""
    import ssl

    given = pool.connection_pool_kw
    if (ready := given.get("ssl_context")) is not None:
        found: ssl.SSLContext = ready
        return found
    authority, text = given.get("ca_certs"), given.get("ca_cert_data")
    context = ssl.create_default_context(cafile=authority, cadata=text)
    if given.get("cert_reqs") in (ssl.CERT_NONE, "CERT_NONE"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if given.get("cert_file"):
        context.load_cert_chain(given["cert_file"], given.get("key_file"))
    return context

"""The certificates with which the API server is reached: its own, and the client's."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from bgpctl.core.reading.certificates import pem_expiry
from bgpctl.kube.config import Access

SECONDS = 5.0


def expiries(access: Access) -> Iterator[tuple[str, float]]:
    """What each is, and until when it counts, in epoch seconds. Raises Unreadable for one that cannot be
    read, OSError where the server cannot be reached directly (through a proxy it cannot)."""
    if (own := pem_expiry(access.certificate)) is not None:
        yield "client certificate of the kubeconfig", own
    server = urlsplit(access.host)
    if server.scheme != "https" or not server.hostname:
        return
    text = ssl.get_server_certificate((server.hostname, server.port or 443), timeout=SECONDS)
    if (theirs := pem_expiry(text.encode())) is not None:
        yield f"certificate of the API server {server.netloc}", theirs

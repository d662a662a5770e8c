"""The service account of the pod we run in, read by ourselves: importing the official client costs every
speaker 20 MB, and in a pod there is nothing for it to do but to read two files.

Source: kubernetes.io/docs/tasks/run-application/access-api-from-pod. The kubelet replaces the token while the
pod runs, so it is read again every minute, as client-go does. No proxy: a pod reaches its API server without.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from bgpctl.errors import Temporary, UsageError
from bgpctl.kube.config import CONNECTIONS, Access, keepalive

DIRECTORY = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REFRESH_SECONDS = 60.0


def in_cluster(directory: Path = DIRECTORY) -> Access:
    """Raises UsageError outside a pod."""
    import urllib3

    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{what}") for what in ("HOST", "PORT"))
    if not host or not port:
        raise _not_here("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
    token, authority = Token(directory / "token"), directory / "ca.crt"
    try:
        token.header()
        pool = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            cert_reqs="CERT_REQUIRED",
            ca_cert_data=authority.read_text(),
            socket_options=keepalive(),
        )
    except (OSError, Temporary) as error:
        raise _not_here(f"the service account cannot be read: {error}") from None
    bracketed = f"[{host}]" if ":" in host else host
    return Access(f"https://{bracketed}:{port}", pool, token.header)


def _not_here(why: str) -> UsageError:
    return UsageError(f"not in a cluster: {why}", "use --kubeconfig PATH outside a pod")


class Token:
    """The bearer token in a file that is replaced from time to time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading = threading.Lock()
        self._text, self._until = "", 0.0

    def header(self) -> str:
        """The value of the header Authorization. Raises Temporary when the file cannot be read."""
        with self._reading:
            if time.monotonic() >= self._until:
                self._text = self._read()
                self._until = time.monotonic() + REFRESH_SECONDS
            return f"Bearer {self._text}"

    def _read(self) -> str:
        try:
            text = self._path.read_text().strip()  # a newline at its end may be in no header
        except OSError as error:
            raise Temporary(f"the credential could not be renewed: {error}") from None
        if not text:
            raise Temporary(f"the credential could not be renewed: {self._path} is empty")
        return text

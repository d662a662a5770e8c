"""One runbook owns a node: a Lease per node, renewed by a thread, released on exit.

The pattern of medik8s (drain.md §2.1): the Node owns the Lease, so a vanished node takes its lock along. An
expired Lease may be taken. A holder that died on this very machine is recognised by its process id and does
not have to be waited for.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bgpctl.core.fields import Range
from bgpctl.core.foreign import Foreign, Unreadable
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client, Conflict

NAMESPACE = "kube-system"
DURATION = 15  # seconds
RENEW_EVERY = 5.0
WATCHED_SECONDS = 8.0
"""An expired Lease that is not renewed for so long is nobody's. Its own time is by its holder's clock and is
judged by ours, and one of the two may be an hour off."""


@dataclass(frozen=True, slots=True)
class LeaseView:
    """What a Lease says. `expires_at` is epoch seconds by our clock; holder "" = free."""

    holder: str
    renewed_at: float
    expires_at: float
    version: str
    duration: float = DURATION

    def of_other(self, me: str) -> bool:
        """Somebody else's, expired or not, who is not known to be dead."""
        return bool(self.holder) and self.holder != me and not _dead_here(self.holder)

    def held_by_other(self, me: str, now: float) -> bool:
        return now < self.expires_at and self.of_other(me)


def identity(run: str) -> str:
    """`user@host:pid/run-boot`: who holds the node, in words an engineer can act on."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}:{os.getpid()}/{run}-{_boot()}"


def _boot() -> str:
    """This boot of this machine: laptops share names, and process ids come again after a reboot."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read(8)
    except OSError:
        return "unknown"


def _dead_here(holder: str) -> bool:
    """Was the holder a process of this machine that is gone?"""
    place, _, run = holder.rpartition("/")
    host, _, pid = place.rpartition("@")[2].rpartition(":")
    # Seven digits hold Linux's largest process id; anybody may write a Lease.
    if (
        host != socket.gethostname()
        or not run.endswith(f"-{_boot()}")
        or not (pid.isascii() and pid.isdigit() and len(pid) <= 7)
    ):
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def name_for(node: str) -> str:
    return f"bgpctl-node-{node}"


def read(client: Client, node: str) -> LeaseView | None:
    """The Lease of a node, None = there is none. Raises Blocked when who holds it cannot be read."""
    document = client.find(paths.lease(NAMESPACE, name_for(node)))
    try:
        return view(document) if document else None
    except Unreadable as error:
        raise Blocked(
            f"who holds node {node} is unknown: its Lease cannot be read ({error.message})",
            f"when nobody does: `kubectl -n {NAMESPACE} delete lease {name_for(node)}`, then run this again",
        ) from None


def view(document: Any) -> LeaseView:
    """A Lease as values. Raises Unreadable."""
    lease = Foreign.of(document)
    spec = lease.child("spec")
    at = _seconds(spec.text("renewTime"))
    duration = spec.integer("leaseDurationSeconds", limits=Range(0, 2**31 - 1)) or DURATION
    return LeaseView(
        holder=spec.text("holderIdentity"),
        renewed_at=at,
        expires_at=at + duration,
        version=lease.child("metadata").text("resourceVersion"),
        duration=duration,
    )


def _seconds(text: str | None) -> float:
    """Epoch seconds; a time that cannot be read counts as long ago."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0
    except (ValueError, OverflowError):
        return 0.0


class NodeLock:
    """Our hold on one node. `lost` is set when somebody else took it: stop changing things then."""

    def __init__(
        self, client: Client, node: str, node_uid: str, holder: str, *, renew_every: float = RENEW_EVERY
    ) -> None:
        self._client, self._uid, self.holder = client, node_uid, holder
        self._name, self._path = name_for(node), paths.lease(NAMESPACE, name_for(node))
        self._node, self._renew_every = node, renew_every
        self._acquired_at = ""
        self._renewed = 0.0
        self._renewing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = threading.Event()

    @property
    def held(self) -> bool:
        """Is the node ours? After an outage longer than the Lease lasts, nobody knows: then it is renewed
        first, and Temporary says that it could not be."""
        if self._thread is None or self.lost.is_set():
            return False
        if time.monotonic() - self._renewed > DURATION:
            self._renew()
        return not self.lost.is_set()

    def acquire(self, seen: LeaseView | None) -> None:
        """Take the Lease as it was `seen` (None = create). Raises Conflict when somebody was faster."""
        self._acquired_at = now()
        if seen is None:
            self._client.create(paths.leases(NAMESPACE), self._document(None))
        else:
            self._client.replace(self._path, self._document(seen.version))
        self._renewed = time.monotonic()
        self.lost.clear()
        self._stop.clear()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give it back, if it is still ours. Failing is harmless: it expires."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stop.set()
        thread.join(RENEW_EVERY)
        with contextlib.suppress(BgpctlError):
            seen = read(self._client, self._node)
            if seen and seen.holder == self.holder:
                self._client.delete(self._path, {"preconditions": {"resourceVersion": seen.version}})

    def _keep(self) -> None:
        while not self._stop.wait(self._renew_every) and not self.lost.is_set():
            # The API is away: an expired Lease that nobody took is still ours.
            with contextlib.suppress(BgpctlError):
                self._renew()

    def _renew(self) -> None:
        with self._renewing:
            seen = read(self._client, self._node)
            if seen is None or seen.holder != self.holder:
                self.lost.set()
                return
            try:
                self._client.replace(self._path, self._document(seen.version))
            except Conflict:
                return  # the next look tells whose it is
            self._renewed = time.monotonic()

    def _document(self, version: str | None) -> dict[str, Any]:
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": self._uid}
        made = document(self._name, self.holder, self._acquired_at, version=version)
        made["metadata"]["ownerReferences"] = [owner]
        return made


def document(
    name: str, holder: str, acquired_at: str, *, version: str | None, duration: int = DURATION
) -> dict[str, Any]:
    """A Lease of ours as it is written now; `version` None = it is to be created."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": NAMESPACE,
        "labels": {"app.kubernetes.io/managed-by": "bgpctl"},
    }
    if version is not None:
        metadata["resourceVersion"] = version
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": duration,
            "renewTime": now(),
            "acquireTime": acquired_at,
        },
    }


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

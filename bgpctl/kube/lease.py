"""One runbook owns a node: a Lease per node, renewed by a thread, released on exit.

The pattern of medik8s (drain.md §2.1): the Node owns the Lease, so a vanished node takes its lock along. An
expired Lease may be taken. A holder that died on this very machine is recognised by its process id and does
not have to be waited for.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bgpctl.errors import BgpctlError
from bgpctl.kube import paths
from bgpctl.kube.client import Client, Conflict

NAMESPACE = "kube-system"
DURATION = 15  # seconds
RENEW_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class LeaseView:
    """What a Lease says. `expires_at` is epoch seconds by our clock; holder "" = free."""

    holder: str
    renewed_at: float
    expires_at: float
    version: str

    def held_by_other(self, me: str, now: float) -> bool:
        return (
            bool(self.holder) and self.holder != me and now < self.expires_at and not _dead_here(self.holder)
        )


def identity(run: str) -> str:
    """`user@host:pid/run`: who holds the node, in words an engineer can act on."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}:{os.getpid()}/{run}"


def _dead_here(holder: str) -> bool:
    """Was the holder a process of this machine that is gone?"""
    place, _, _ = holder.rpartition("/")
    host, _, pid = place.rpartition("@")[2].rpartition(":")
    if host != socket.gethostname() or not pid.isdigit():
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
    document = client.find(paths.lease(NAMESPACE, name_for(node)))
    return _view(document) if document else None


def _view(document: Mapping[str, Any]) -> LeaseView:
    spec = document.get("spec") or {}
    renewed = spec.get("renewTime")
    at = datetime.fromisoformat(renewed.replace("Z", "+00:00")).timestamp() if renewed else 0.0
    return LeaseView(
        holder=spec.get("holderIdentity") or "",
        renewed_at=at,
        expires_at=at + (spec.get("leaseDurationSeconds") or DURATION),
        version=document["metadata"].get("resourceVersion", ""),
    )


class NodeLock:
    """Our hold on one node. `lost` is set when somebody else took it: stop changing things then."""

    def __init__(self, client: Client, node: str, node_uid: str, holder: str) -> None:
        self._client, self._node, self._uid, self.holder = client, node, node_uid, holder
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = threading.Event()

    @property
    def held(self) -> bool:
        return self._thread is not None and not self.lost.is_set()

    def acquire(self, seen: LeaseView | None) -> None:
        """Take the Lease as it was `seen` (None = create). Raises Conflict when somebody was faster."""
        if seen is None:
            self._client.create(paths.leases(NAMESPACE), self._document(None))
        else:
            self._client.replace(paths.lease(NAMESPACE, name_for(self._node)), self._document(seen.version))
        self.lost.clear()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give it back, if it is still ours. Failing is harmless: it expires."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join(RENEW_EVERY)
        try:
            view = read(self._client, self._node)
            if view and view.holder == self.holder:
                self._client.delete(
                    paths.lease(NAMESPACE, name_for(self._node)),
                    {"preconditions": {"resourceVersion": view.version}},
                )
        except BgpctlError:
            pass

    def _renew(self) -> None:
        while not self._stop.wait(RENEW_EVERY):
            try:
                view = read(self._client, self._node)
                if view is None or view.holder != self.holder:
                    self.lost.set()
                    return
                self._client.replace(
                    paths.lease(NAMESPACE, name_for(self._node)), self._document(view.version)
                )
            except Conflict:
                continue  # look again: the next read tells whether it is still ours
            except BgpctlError:
                continue  # the API is away; an expired Lease that nobody took is still ours

    def _document(self, version: str | None) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "name": name_for(self._node),
            "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/managed-by": "bgpctl"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": self._uid}],
        }
        if version is not None:
            metadata["resourceVersion"] = version
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self.holder,
                "leaseDurationSeconds": DURATION,
                "renewTime": now,
                "acquireTime": now,
            },
        }

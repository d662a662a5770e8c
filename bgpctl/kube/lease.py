"""One runbook owns a node: a Lease per node, renewed by a thread, read again before every change.

The pattern of medik8s (drain.md §2.1): the Node owns the Lease, so a vanished node takes its lock along. An
expired Lease may be taken. A holder that died on this very machine is recognised by its process id and does
not have to be waited for.

The Lease also keeps a copy of the journal, out of the reach of a careless `kubectl annotate node`. So it
stays, with no holder, for as long as the node has a journal."""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.errors import BgpctlError, Blocked, Tells, Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import Client, Conflict

NAMESPACE = "kube-system"
COPY = "bgpctl.io/run"
"""The annotation with the journal's copy; the Node's own has the same name."""
LONGEST_COPY = 1 << 18  # characters; an object's annotations together may have 256 KiB
DURATION = 15  # seconds
CONFIRM_TRIES = 3
RENEW_EVERY = 5.0
FRESH_SECONDS = 2.0
"""What is done without a version that the API server could refuse (a command, an eviction) begins at most so
long after the Lease was asked for, however long the answer took. A run that takes the node from one that may
live waits for longer before it acts."""
WATCHED_SECONDS = 8.0
"""An expired Lease that is not renewed for so long is nobody's. Its own time is by its holder's clock and is
judged by ours, and one of the two may be an hour off."""


@dataclass(frozen=True, slots=True)
class LeaseView:
    """What a Lease says. `expires_at` is epoch seconds by its holder's clock; holder "" = free. `copy`: the
    journal that it keeps, "" = none; `owner`: the UID of the Node that it belongs to."""

    holder: str
    renewed_at: float
    expires_at: float
    version: str
    duration: float = DURATION
    copy: str = ""
    owner: str = ""

    def copy_of(self, uid: str) -> str:
        """The journal that it keeps of the Node with this UID: one that was deleted may have had its name."""
        return self.copy if self.owner in ("", uid) else ""

    def of_other(self, me: str) -> bool:
        """Somebody else's, expired or not, who is not known to be dead."""
        return bool(self.holder) and self.holder != me and not _dead_here(self.holder)

    def held_by_other(self, me: str, now: float) -> bool:
        """`of_other`, and not expired: `now` in epoch seconds of ours, the expiry in its holder's."""
        return now < self.expires_at and self.of_other(me)


def identity(run: str) -> str:
    """`user@host:pid/run-boot`: who holds the node, in words an engineer can act on."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}:{os.getpid()}/{run}-{_place()}"


def _place() -> str:
    """This boot of this machine, and this namespace of process ids: laptops share names, ids come again after
    a reboot, and a container sees only its own."""
    try:
        return f"{boot()}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return UNKNOWN


@functools.cache
def boot() -> str:
    """This boot of this machine; UNKNOWN where it does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read(8)
    except OSError:
        return UNKNOWN


def ended_here(holder: str) -> bool:
    """Was the holder a process of this machine that is gone, or an earlier run of this very process?"""
    pid = _pid_here(holder)
    return pid is not None and (pid == os.getpid() or _gone(pid))


def _dead_here(holder: str) -> bool:
    """Was the holder a process of this machine that is gone?"""
    pid = _pid_here(holder)
    return pid is not None and _gone(pid)


def _pid_here(holder: str) -> int | None:
    """None = it was not of this machine since it was started."""
    place, _, run = holder.rpartition("/")
    host, _, pid = place.rpartition("@")[2].rpartition(":")
    # Seven digits hold Linux's largest process id; anybody may write a Lease.
    number = pid.isascii() and pid.isdigit() and len(pid) <= 7
    here = host == socket.gethostname() and run.endswith(f"-{_place()}")
    return int(pid) if number and here else None


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


UNKNOWN = "unknown"
PREFIX = "bgpctl-node-"
SELECTOR = "app.kubernetes.io/managed-by=bgpctl"


def name_for(node: str) -> str:
    """The Lease that a run holds while it works on the node; `node_of` is the reverse."""
    return f"{PREFIX}{node}"


def node_of(document: Mapping[str, Any]) -> str:
    """The node that a Lease is about, "" for another Lease of ours."""
    name = str(document["metadata"]["name"])
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else ""


def read(client: Client, node: str) -> LeaseView | None:
    """The Lease of a node, None = there is none. Raises Blocked when who holds it cannot be read."""
    document = client.find(paths.lease(NAMESPACE, name_for(node)))
    return seen(document, node) if document else None


def seen(document: Any, node: str) -> LeaseView:
    """The Lease of a node. Raises Blocked when who holds it cannot be read."""
    try:
        return view(document)
    except Unreadable as error:
        raise Blocked(
            f"who holds node {node} is unknown: its Lease cannot be read ({error.message})",
            f"when nobody does: kubectl -n {NAMESPACE} delete lease {name_for(node)}\nthen run this again",
        ) from None


def view(document: Any) -> LeaseView:
    """A Lease as values. Raises Unreadable."""
    lease = Foreign.of(document)
    spec, metadata = lease.child("spec"), lease.child("metadata")
    at = _seconds(spec.text("renewTime"))
    duration = spec.integer("leaseDurationSeconds", limits=Range(0, 2**31 - 1)) or DURATION
    return LeaseView(
        holder=spec.text("holderIdentity"),
        renewed_at=at,
        expires_at=at + duration,
        version=metadata.text("resourceVersion"),
        duration=duration,
        copy=metadata.child("annotations").text(COPY, longest=LONGEST_COPY),
        owner=next((one.text("uid") for one in metadata.children("ownerReferences")), ""),
    )


def _seconds(text: str) -> float:
    """Epoch seconds; a time that cannot be read counts as long ago."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


TAKEN = "another run took the node over"


def taken_over(holder: str) -> Blocked:
    """This run was replaced; it may change nothing any more."""
    return Blocked(f"{TAKEN}: {holder}", "let it finish, or stop it", tells=(Tells.REPLACED,))


def lost(node: str, seen: LeaseView | None) -> Blocked:
    """The Lease is not ours any more: another run has it, or nobody."""
    if seen is not None and seen.holder:
        return taken_over(seen.holder)
    what = "deleted" if seen is None else "took this run's name out of"
    return Unheld(f"somebody {what} the Lease {NAMESPACE}/{name_for(node)}: this run changes nothing more")


class Unheld(Blocked):
    """The Lease is nobody's: taken away by hand, or another run had it meanwhile and has ended."""


class NodeLock:
    """Our hold on one node. `lost` is set when somebody else took it: nothing may be changed then.

    `background` False: no thread renews, whoever waits calls `renew_when_due` (tests with a clock of their
    own)."""

    def __init__(
        self,
        client: Client,
        node: str,
        node_uid: str,
        holder: str,
        *,
        renew_every: float = RENEW_EVERY,
        background: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._uid, self.holder = client, node_uid, holder
        self._name, self._path = name_for(node), paths.lease(NAMESPACE, name_for(node))
        self._node, self._renew_every = node, renew_every
        self._background, self._monotonic = background, monotonic
        self._acquired_at = ""
        self._renewed = 0.0
        self._asked = -inf  # when the Lease was asked for that was ours
        self._renewing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last: LeaseView | None = None
        self.copy = ""
        self.lost = threading.Event()

    def acquire(self, seen: LeaseView | None) -> None:
        """Take the Lease as it was `seen` (None = create). Raises Conflict when somebody was faster."""
        self._acquired_at = now()
        self.copy = seen.copy_of(self._uid) if seen else ""
        if seen is None:
            self._client.create(paths.leases(NAMESPACE), self._document(None))
        else:
            self._client.replace(self._path, self._document(seen.version))
        self._renewed = self._monotonic()
        self.lost.clear()
        self._stop.clear()
        if self._background:
            self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
            self._thread.start()

    def confirm(self, *, fresh: bool = False) -> None:
        """The Lease, read now, is ours; renewed first where it had run out. `fresh`: an answer that took its
        time is of then, and asked for again. Raises Blocked when it is not ours, and Temporary when nobody
        can tell."""
        with self._renewing:
            for _ in range(CONFIRM_TRIES):
                self._asked = self._monotonic()
                seen = self._read()
                if self._asked - self._renewed > DURATION:
                    self._write(seen)
                if self.fresh() or not fresh:
                    return
        raise Temporary("the API server takes too long to say whether this run still has the node")

    def fresh(self) -> bool:
        """Was it confirmed just now, counted from when that was asked?"""
        return not self.lost.is_set() and self._monotonic() - self._asked < FRESH_SECONDS

    def keep(self, copy: str) -> None:
        """Write the journal's copy, "" = remove it; what is there already is not written again."""
        with self._renewing:
            if copy != self.copy:
                before, self.copy = self.copy, copy
                try:
                    self._write(self._read())
                except BgpctlError:
                    self.copy = before
                    raise

    def renew_when_due(self) -> None:
        """Renew, when it is time. An API that is away is no failure: an expired Lease nobody took is ours."""
        if self._monotonic() - self._renewed >= self._renew_every:
            with self._renewing, contextlib.suppress(BgpctlError):
                self._write(self._read())

    def release(self) -> None:
        """Give it back, if it is still ours; it stays, without a holder, while it keeps a copy. Failing is
        harmless: it expires."""
        if not self._acquired_at:
            return
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(RENEW_EVERY)
        self._acquired_at = ""
        with contextlib.suppress(BgpctlError):
            seen = read(self._client, self._node)
            if seen is None or seen.holder != self.holder:
                return
            if self.copy:
                self._client.replace(self._path, self._document(seen.version, holder=""))
            else:
                self._client.delete(self._path, {"preconditions": {"resourceVersion": seen.version}})

    def _keep(self) -> None:
        while not self._stop.wait(self._renew_every) and not self.lost.is_set():
            self.renew_when_due()

    def _read(self) -> LeaseView:
        if self.lost.is_set():
            raise lost(self._node, self._last)
        seen = read(self._client, self._node)
        if seen is None or seen.holder != self.holder:
            self._last = seen
            self.lost.set()
            raise lost(self._node, seen)
        return seen

    def _write(self, seen: LeaseView) -> None:
        """As it was `seen` just now; a Conflict is somebody who writes at this moment: the next look
        tells."""
        try:
            self._client.replace(self._path, self._document(seen.version))
        except Conflict:
            raise Temporary(f"the Lease {self._name} is being written by somebody else") from None
        self._renewed = self._monotonic()

    def _document(self, version: str | None, *, holder: str | None = None) -> dict[str, Any]:
        owner = {"apiVersion": "v1", "kind": "Node", "name": self._node, "uid": self._uid}
        me = self.holder if holder is None else holder
        made = document(self._name, me, self._acquired_at, version=version)
        made["metadata"]["ownerReferences"] = [owner]
        if self.copy:
            made["metadata"]["annotations"] = {COPY: self.copy}
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
    """This instant by the local clock, as a Lease wants it (metav1.MicroTime)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""One install or uninstall at a time: a Lease for as long as it works.

It is a courtesy: server-side apply is harmless twice, but two of different versions would prune each other's
objects. Who was killed has it for `DURATION` more seconds."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator

from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError, Client, Conflict

NAME = "bgpctl-install"
DURATION = 30
RENEW_EVERY = 10.0


class Hold:
    """Ours from `taken` on."""

    def __init__(self, client: Client) -> None:
        self._client, self._me = client, lease.identity(secrets.token_hex(4))
        self._path = paths.lease(lease.NAMESPACE, NAME)
        self._since, self._renewed = lease.now(), time.monotonic()

    def take(self) -> None:
        """Raises Blocked while somebody else has it, or where we may not."""
        try:
            self._take()
        except Unreadable as error:
            raise Blocked(
                f"who installs is unknown: the Lease {NAME} cannot be read ({error.message})",
                f"when nobody does: kubectl -n {lease.NAMESPACE} delete lease {NAME}\nthen run this again",
            ) from None
        except ApiError as error:
            raise Blocked(
                f"cannot see to it that nobody else installs at the same time: {error.message}",
                "nothing was changed; to see all that is missing: bgpctl auth check --for install",
            ) from None

    def _take(self) -> None:
        seen = self._client.find(self._path)
        view = lease.view(seen) if seen else None
        if view and view.held_by_other(self._me, self._client.present()):
            left = view.expires_at - self._client.present()
            raise Blocked(
                f"another install or uninstall is at work: {view.holder}",
                f"wait for it; if it was killed, its hold ends by itself in {left:.0f} s",
            )
        try:
            if view is None:
                self._client.create(paths.leases(lease.NAMESPACE), self._document(None))
            else:
                self._client.replace(self._path, self._document(view.version))
        except Conflict:
            raise Blocked(
                "another install or uninstall began at this moment", "run it again when that one has ended"
            ) from None
        self._renewed = time.monotonic()

    def keep(self) -> None:
        """Renew it when that is due, before the next change. Raises Blocked when it is not ours any more."""
        if time.monotonic() - self._renewed < RENEW_EVERY:
            return
        seen = self._client.find(self._path)
        view = lease.view(seen) if seen else None
        if view is None or view.holder != self._me:
            who = view.holder if view else "nobody: its Lease was deleted"
            raise Blocked(
                f"another install or uninstall took over: {who}", "let it finish; then run it again"
            )
        with contextlib.suppress(Conflict):
            self._client.replace(self._path, self._document(view.version))
            self._renewed = time.monotonic()

    def release(self) -> None:
        """Failing is harmless: it expires. Who may not delete it leaves it behind without a holder."""
        with contextlib.suppress(BgpctlError):
            seen = self._client.find(self._path)
            if not seen or lease.view(seen).holder != self._me:
                return
            version = seen["metadata"]["resourceVersion"]
            try:
                self._client.delete(self._path, {"preconditions": {"resourceVersion": version}})
            except ApiError:
                self._me = ""
                self._client.replace(self._path, self._document(version))

    def _document(self, version: str | None) -> dict[str, object]:
        return lease.document(NAME, self._me, self._since, version=version, duration=DURATION)


@contextlib.contextmanager
def alone(client: Client) -> Iterator[Hold]:
    """For as long as it lasts."""
    hold = Hold(client)
    hold.take()
    try:
        yield hold
    finally:
        hold.release()

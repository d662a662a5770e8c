"""Who speaks BGP on the nodes: one file per stack, each a `bgpctl.ports.Provider`.

To add one: write its file, enter it in `TABLE`, let `detect` find it, and say in docs/providers.md what it
knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bgpctl.errors import UsageError

if TYPE_CHECKING:
    from bgpctl.kube.client import Client
    from bgpctl.ports import Provider

DEFAULT = "bgpctl"
CLOSE_APART = frozenset({"cilium"})
"""Those that withdraw with the sessions up, and close them by another act."""
LEFT_BEHIND = {
    "cilium": "what Cilium has of it stays, and a new node of its name would have it: bgpctl cilium prepare "
    "clears it away"
}
"""What a run leaves of a node that is deleted meanwhile, and who clears it away."""


def _bgpctl(client: Client) -> Provider:
    from bgpctl.providers.bgpctl import Bgpctl

    return Bgpctl(client)


def _cilium(client: Client) -> Provider:
    from bgpctl.providers.cilium import Cilium

    return Cilium(client)


TABLE: dict[str, Callable[[Client], Provider]] = {"bgpctl": _bgpctl, "cilium": _cilium}


def of(client: Client, name: str = "") -> Provider:
    """The provider of that name, "" = the one that this cluster has. Raises UsageError for one that does not
    exist."""
    if not name:
        from bgpctl.providers import detect

        return detect.of_cluster(client)
    return named(client, name)


def named(client: Client, name: str) -> Provider:
    """Raises UsageError for one that does not exist."""
    if name not in TABLE:
        raise UsageError(f"{name!r} is no provider", f"one of: {', '.join(TABLE)}")
    return TABLE[name](client)

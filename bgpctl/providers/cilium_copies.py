"""`bgpctl cilium prepare`: makes, keeps up to date and removes the copies of CiliumBGPPeerConfigs to which
the peers of a node that leaves refer, and clears away what nodes left that are no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bgpctl.core.cilium import copies
from bgpctl.core.cilium.nodeconfig import KIND, LABEL, LABELLED, read
from bgpctl.core.reading.documents import metadata, name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client, NotFound
from bgpctl.providers.changes import Change, perform

__all__ = ["Change", "perform", "prepared", "undone"]

Document = Mapping[str, Any]


def prepared(client: Client) -> tuple[Change, ...]:
    """What `prepare` would do. Raises BgpctlError where Cilium is not."""
    base, found = _peer_configs(client)
    originals = [one for one in found.values() if not copies.is_copy(one)]
    wanted = {copies.copy_name(name_of(one)): one for one in originals}
    now = client.present()
    made = [_copy(base, original, found.get(name), now) for name, original in sorted(wanted.items())]
    used = _used(client)
    left = [name for name, one in found.items() if copies.is_copy(one) and name not in {*wanted, *used}]
    dropped = [Change("delete", f"{base}/{name}", name, "its original is gone") for name in sorted(left)]
    return (*made, *dropped, *_abandoned(client))


def undone(client: Client) -> tuple[Change, ...]:
    """What `prepare --undo` would do. Raises Blocked while a node refers to a copy."""
    base, found = _peer_configs(client)
    if used := {name: nodes for name, nodes in _used(client).items() if name in found}:
        nodes = sorted({node for each in used.values() for node in each})
        raise Blocked(
            f"{', '.join(nodes)} announces nothing by these copies: without them its sessions would close",
            f"bring it back first: bgpctl node restore {nodes[0]}",
        )
    names = sorted(name for name, one in found.items() if copies.is_copy(one))
    gone = (Change("delete", f"{base}/{name}", name, "bgpctl made it") for name in names)
    return (*gone, *_abandoned(client))


def _copy(base: str, original: Document, there: Document | None, now: float) -> Change:
    name = copies.copy_name(name_of(original))
    path, body = (
        f"{base}/{name}",
        copies.made_of(original, base.partition("/apis/")[2].rpartition("/")[0], now),
    )
    if there is None:
        return Change("create", path, name, f"a copy of {name_of(original)} without advertisements", body)
    if not copies.is_copy(there):
        raise BgpctlError(f"CiliumBGPPeerConfig {name} is somebody else's", "rename it, or delete it")
    if copies.same(original, there):
        return Change("keep", path, name, f"differs from {name_of(original)} in nothing but advertisements")
    body["metadata"]["resourceVersion"] = metadata(there).get("resourceVersion")
    return Change("update", path, name, f"{name_of(original)} was changed", body)


def _peer_configs(client: Client) -> tuple[str, dict[str, Document]]:
    """The path of the version that is served, and all of them by name."""
    for base in paths.PEER_CONFIGS:
        try:
            return base, {name_of(one): one for one in client.items(base)}
        except NotFound:
            continue
    raise BgpctlError(
        "this cluster knows no CiliumBGPPeerConfig: Cilium's BGP control plane (v2 API) is not there",
        "to see who speaks BGP in it: bgpctl providers",
    )


def _node_configs(client: Client) -> Iterator[tuple[str, Document]]:
    for base in paths.NODE_CONFIGS:
        try:
            found = client.items(base)
        except NotFound:
            continue
        yield from ((f"{base}/{name_of(one)}", one) for one in found)
        return


def _used(client: Client) -> dict[str, list[str]]:
    """The copies that peers refer to, each with the nodes. Raises Blocked for one that cannot be read: it may
    refer to any."""
    used: dict[str, list[str]] = {}
    for _, document in _node_configs(client):
        try:
            config = read(document)
        except Unreadable as error:
            name = name_of(document)
            raise Blocked(
                f"{KIND} {name} cannot be read ({error.message}): to what its peers refer is not known",
                f"to see it: kubectl get ciliumbgpnodeconfig {name} -o yaml",
            ) from None
        for peer in config.peers:
            if config.withdrawn and peer.config:
                used.setdefault(peer.config, []).append(config.node)
    return used


def _abandoned(client: Client) -> Iterator[Change]:
    """What was made to withdraw, and whose Node is gone: Cilium's operator leaves it to the next node of that
    name, which would announce nothing."""
    for path, document in _node_configs(client):
        labels = metadata(document).get("labels") or {}
        name = name_of(document)
        if labels.get(LABEL) == LABELLED and client.find(paths.node(name)) is None:
            yield Change("delete", path, name, f"{KIND} of a node that is no more")

"""The patches by which a node that Cilium runs withdraws, closes its sessions, and comes back. Pure.

A CiliumBGPNodeConfig that no CiliumBGPClusterConfig owns is left alone by Cilium's operator, while the agent
obeys it as it stands; and GoBGP resets no session when only its advertisements change. So: take the owner
away and let each peer refer to the copy of its CiliumBGPPeerConfig that advertises nothing, in one patch,
which changes nothing else (a spec that is built anew loses its routerID, and every session with it). Then,
once the routes are gone, take the peers away. One patch puts all of it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bgpctl.core.cilium.copies import copy_name
from bgpctl.core.cilium.nodeconfig import ANNOTATION, LABEL, LABELLED, OWNER_KIND, Kept, NodeConfig
from bgpctl.core.cilium.soak import soak_name
from bgpctl.core.drain.lever import Patch
from bgpctl.core.reading.documents import metadata, name_of

Operation = Mapping[str, Any]
Document = Mapping[str, Any]

OWNERS = "/metadata/ownerReferences"


def withdraw(path: str, config: NodeConfig, kept: Kept) -> Patch:
    """Every route goes by UPDATE, and the sessions stay."""
    what = f"let CiliumBGPNodeConfig {config.node} announce nothing, sessions stay up"
    return _to_copies(path, config, kept, what, copy_name)


def soak(path: str, config: NodeConfig, kept: Kept) -> Patch:
    """Every route is announced anew, with GRACEFUL_SHUTDOWN."""
    what = f"let CiliumBGPNodeConfig {config.node} announce with GRACEFUL_SHUTDOWN, sessions stay up"
    return _to_copies(path, config, kept, what, soak_name)


def _to_copies(path: str, config: NodeConfig, kept: Kept, what: str, name: Callable[[str], str]) -> Patch:
    return Patch(
        path,
        what,
        (
            _unchanged(config),
            *_refer(config, {peer.config: name(peer.config) for peer in config.peers}),
            *([{"op": "remove", "path": OWNERS}] if config.owners else []),
            _put("annotations", config.annotations, ANNOTATION, kept.text()),
            _put("labels", config.labels, LABEL, LABELLED),
        ),
    )


def close(path: str, config: NodeConfig) -> Patch | None:
    """Every session ends; None where there is none left."""
    emptied = [number for number, one in enumerate(config.instances) if one.peers]
    if not emptied:
        return None
    operations = [{"op": "remove", "path": f"/spec/bgpInstances/{number}/peers"} for number in emptied]
    what = f"take the peers out of CiliumBGPNodeConfig {config.node}"
    return Patch(path, what, (_unchanged(config), *_named(config), *operations))


def back(path: str, config: NodeConfig, kept: Kept, owner: Document | None) -> Patch:
    """As it was before. `owner`: the CiliumBGPClusterConfig that has the node now, None = there was none."""
    return Patch(
        path,
        f"give CiliumBGPNodeConfig {config.node} its peers and its owner back",
        (
            _unchanged(config),
            *_named(config),
            *_peers_back(config, kept),
            *_owners_back(config, kept, owner),
            *_take("annotations", config.annotations, ANNOTATION),
            *_take("labels", config.labels, LABEL),
        ),
    )


def _unchanged(config: NodeConfig) -> Operation:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": config.version}


def _named(config: NodeConfig) -> Iterator[Operation]:
    """The instances, and the peers of each, are those that were looked at."""
    for number, instance in enumerate(config.instances):
        yield {"op": "test", "path": f"/spec/bgpInstances/{number}/name", "value": instance.name}
        for place, peer in enumerate(instance.peers):
            path = f"/spec/bgpInstances/{number}/peers/{place}/name"
            yield {"op": "test", "path": path, "value": peer.name}


def _refer(config: NodeConfig, names: Mapping[str, str]) -> Iterator[Operation]:
    yield from _named(config)
    for number, instance in enumerate(config.instances):
        for place, peer in enumerate(instance.peers):
            path = f"/spec/bgpInstances/{number}/peers/{place}/peerConfigRef/name"
            if peer.config:
                yield {"op": "replace", "path": path, "value": names[peer.config]}


def _peers_back(config: NodeConfig, kept: Kept) -> Iterator[Operation]:
    """The references where the peers are still there, so that their sessions stay up; else the peers."""
    before = {str(one["name"]): one.get("peers") or [] for one in kept.instances}
    for number, instance in enumerate(config.instances):
        path, had = f"/spec/bgpInstances/{number}/peers", before.get(instance.name, [])
        if not instance.peers and had:
            yield {"op": "add", "path": path, "value": had}
        referred = {str(one["name"]): one.get("peerConfigRef") for one in had}
        for place, peer in enumerate(instance.peers):
            reference = referred.get(peer.name)
            if reference and reference["name"] != peer.config:
                yield {"op": "replace", "path": f"{path}/{place}/peerConfigRef", "value": reference}


def _owners_back(config: NodeConfig, kept: Kept, owner: Document | None) -> Iterator[Operation]:
    """Those of before; of the CiliumBGPClusterConfig the UID that it has now: it may have been made anew."""
    if config.owner:
        return
    owners = [dict(one) for one in kept.owners if one["kind"] != OWNER_KIND]
    if owner is not None:
        had: Document = next((one for one in kept.owners if one["kind"] == OWNER_KIND), {"controller": True})
        mine = {"kind": OWNER_KIND, "name": name_of(owner), "uid": metadata(owner)["uid"]}
        owners.append({"apiVersion": owner["apiVersion"], **had, **mine})
    if owners:
        yield {"op": "add", "path": OWNERS, "value": owners}


def _put(place: str, known: Mapping[str, str], key: str, value: str) -> Operation:
    """JSON Patch adds to a map that is there only."""
    if not known:
        return {"op": "add", "path": f"/metadata/{place}", "value": {key: value}}
    return {"op": "add", "path": f"/metadata/{place}/{_pointer(key)}", "value": value}


def _take(place: str, known: Mapping[str, str], key: str) -> Sequence[Operation]:
    if key not in known:
        return ()
    only = len(known) == 1
    return ({"op": "remove", "path": f"/metadata/{place}" + ("" if only else f"/{_pointer(key)}")},)


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")

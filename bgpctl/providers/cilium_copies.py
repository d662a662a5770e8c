"""`bgpctl cilium prepare`: makes, keeps up to date and removes the copies of CiliumBGPPeerConfigs to which
the peers of a node that leaves refer, and the second policy of each CiliumBGPPeeringPolicy; and clears away
what nodes left that are no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bgpctl.core.cilium import copies, policies
from bgpctl.core.cilium import soak as soaks
from bgpctl.core.cilium.nodeconfig import KIND, LABEL, LABELLED, SOAK_SUFFIX, read
from bgpctl.core.policy.peering import KIND as POLICY
from bgpctl.core.reading.documents import labels_of, metadata, name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client, NotFound
from bgpctl.kube.optional import optional
from bgpctl.providers import bgpctl_stack, cilium_stack
from bgpctl.providers.changes import Change, perform

__all__ = ["Change", "perform", "prepared", "undone"]

Document = Mapping[str, Any]


def prepared(client: Client, *, soak: bool = False) -> tuple[Change, ...]:
    """What `prepare` would do. `soak`: also what announces with GRACEFUL_SHUTDOWN; what of it is there is
    kept up to date anyway. Raises BgpctlError where Cilium is not, or a soak would be every node's."""
    _meant(client)
    older = tuple(_seconds(client))
    base, found = _peer_configs(client, needed=not older)
    originals = [one for one in found.values() if not copies.is_copy(one)]
    wanted = {copies.copy_name(name_of(one)): one for one in originals}
    now = client.present()
    made = [_copy(base, original, found.get(name), now) for name, original in sorted(wanted.items())]
    used = _used(client)
    soaking = soak or any(name.endswith(SOAK_SUFFIX) and copies.is_copy(one) for name, one in found.items())
    tagged = list(_soaking(client, base, found, used)) if soaking else []
    kept = {*wanted, *used, *(change.name for change in tagged)}
    left = [name for name, one in found.items() if copies.is_copy(one) and name not in kept]
    dropped = [Change("delete", f"{base}/{name}", name, "its original is gone") for name in sorted(left)]
    return (*made, *tagged, *dropped, *older, *_abandoned(client))


def _meant(client: Client) -> None:
    """Our own speaker reads the same policies, and would obey what is made for Cilium's agents."""
    if bgpctl_stack.speaks(client) and not (cilium_stack.speaks(client) or cilium_stack.may_speak(client)):
        raise BgpctlError(
            "nothing of Cilium runs here: bgpctl's own speakers have the nodes, and withdraw without copies",
            "to see who speaks BGP in this cluster: bgpctl providers",
        )


def _soaking(
    client: Client, base: str, found: Mapping[str, Document], used: Mapping[str, Sequence[str]]
) -> Iterator[Change]:
    """The copies that announce with GRACEFUL_SHUTDOWN; those of CiliumBGPAdvertisements first, so that what
    chooses them finds them."""
    place, advertised = _advertisements(client)
    wanted = soaks.wanted(found.values(), advertised.values())
    if why := soaks.clash(found.values(), wanted):
        raise BgpctlError(why, "then run this again; nothing was changed")
    there = {soaks.PEER_CONFIG: (base, found), soaks.ADVERTISEMENT: (place, advertised)}
    for one in sorted(wanted, key=lambda one: (one.kind, one.name)):
        where, known = there[one.kind]
        yield _one(where, one, known.get(one.name), client.present())
    names = {one.name for one in wanted}
    for name, document in advertised.items():
        if copies.is_copy(document) and name not in names and not used:
            yield Change("delete", f"{place}/{name}", name, "its original is gone, or chosen by nobody")


def _one(base: str, one: soaks.Wanted, there: Document | None, now: float) -> Change:
    body = soaks.made_of(one, base.partition("/apis/")[2].rpartition("/")[0], now)
    path, of = f"{base}/{one.name}", name_of(one.original)
    if there is None:
        return Change("create", path, one.name, f"a copy of {of} with GRACEFUL_SHUTDOWN", body)
    if not copies.is_copy(there):
        raise BgpctlError(f"{one.kind} {one.name} is somebody else's", "rename it, or delete it")
    if soaks.same(one, there):
        return Change("keep", path, one.name, f"differs from {of} in nothing but GRACEFUL_SHUTDOWN")
    body["metadata"]["resourceVersion"] = metadata(there).get("resourceVersion")
    return Change("update", path, one.name, f"{of} was changed", body)


def _advertisements(client: Client) -> tuple[str, dict[str, Document]]:
    """The path of the version that is served, and all of them by name."""
    for base in paths.ADVERTISEMENTS:
        try:
            return base, {name_of(one): one for one in client.items(base)}
        except NotFound:
            continue
    return paths.ADVERTISEMENTS[0], {}


def undone(client: Client) -> tuple[Change, ...]:
    """What `prepare --undo` would do. Raises Blocked while a node refers to a copy."""
    older = tuple(_without_seconds(client))
    base, found = _peer_configs(client, needed=not older)
    if used := {name: nodes for name, nodes in _used(client).items() if name in found}:
        nodes = sorted({node for each in used.values() for node in each})
        raise Blocked(
            f"{', '.join(nodes)} announces nothing by these copies: without them its sessions would close",
            f"bring it back first: bgpctl node restore {nodes[0]}",
        )
    names = sorted(name for name, one in found.items() if copies.is_copy(one))
    place, advertised = _advertisements(client)
    tagged = sorted(name for name, one in advertised.items() if copies.is_copy(one))
    gone = [
        *(Change("delete", f"{base}/{name}", name, "bgpctl made it") for name in names),
        *(Change("delete", f"{place}/{name}", name, "bgpctl made it") for name in tagged),
    ]
    return (*gone, *older, *_abandoned(client))


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


def _seconds(client: Client) -> Iterator[Change]:
    """The second policy of each CiliumBGPPeeringPolicy."""
    documents, base = optional(client, paths.PEERING_POLICIES), paths.PEERING_POLICIES
    there = policies.pairs(documents)
    for pair in there:
        name = copies.copy_name(pair.name)
        path = f"{base}/{name}"
        if not pair.key:
            why = f"{pair.name} selects by no label of ours: its nodes can only be made to close"
            yield Change("keep", path, name, why)
            continue
        body = policies.made_of(pair, base.partition("/apis/")[2].rpartition("/")[0], client.present())
        if pair.second is None:
            yield Change("create", path, name, f"the peers of {pair.name}, which get no route", body)
        elif not copies.is_copy(pair.second):
            raise BgpctlError(f"{POLICY} {name} is somebody else's", "rename it, or delete it")
        elif policies.same(pair):
            yield Change("keep", path, name, f"differs from {pair.name} in nothing but what it announces")
        else:
            body["metadata"]["resourceVersion"] = metadata(pair.second).get("resourceVersion")
            yield Change("update", path, name, f"{pair.name} was changed", body)
    wanted = {copies.copy_name(pair.name) for pair in there}
    left = [one for one in documents if copies.is_copy(one) and name_of(one) not in wanted]
    nodes = [labels_of(one) for one in client.items(paths.NODES)] if left else []
    for one in left:
        if not any(policies.selects(one, labels) for labels in nodes):
            yield Change("delete", f"{base}/{name_of(one)}", name_of(one), "its original is gone")


def _without_seconds(client: Client) -> Iterator[Change]:
    """Raises Blocked while one has a node: without it the sessions would close."""
    documents = optional(client, paths.PEERING_POLICIES)
    mine = sorted(name_of(one) for one in documents if copies.is_copy(one))
    if not mine:
        return
    for node in client.items(paths.NODES):
        if pair := policies.out_of(documents, node):
            raise Blocked(
                f"{name_of(node)} announces nothing by {POLICY} {copies.copy_name(pair.name)}: without it "
                "its sessions would close",
                f"bring it back first: bgpctl node restore {name_of(node)}",
            )
    yield from (Change("delete", f"{paths.PEERING_POLICIES}/{name}", name, "bgpctl made it") for name in mine)


def _peer_configs(client: Client, *, needed: bool) -> tuple[str, dict[str, Document]]:
    """The path of the version that is served, and all of them by name. Raises BgpctlError where none is, and
    they are `needed`."""
    for base in paths.PEER_CONFIGS:
        try:
            return base, {name_of(one): one for one in client.items(base)}
        except NotFound:
            continue
    if not needed:
        return "", {}
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
            if (config.withdrawn or config.soaks) and peer.config:
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

"""Cilium's BGP control plane in a cluster: a `bgpctl.providers.stack.Stack`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bgpctl.core.cilium import copies
from bgpctl.core.cilium.nodeconfig import NodeConfig, read
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.kube import paths, rights
from bgpctl.kube.client import Client
from bgpctl.kube.optional import permitted
from bgpctl.ports import Provider
from bgpctl.providers import cilium_v1
from bgpctl.providers.cilium import Cilium
from bgpctl.providers.stack import ALWAYS, Summary, any_of, image_tag, lacking

Document = Mapping[str, Any]

TITLE = "Cilium"
SIGN = "which has a CiliumBGPNodeConfig for it"

NEEDED = (
    *ALWAYS,
    ("list", "cilium.io", "ciliumbgpnodeconfigs", ""),
    ("list", "cilium.io", "ciliumbgpclusterconfigs", ""),
    ("list", "cilium.io", "ciliumbgppeerconfigs", ""),
    ("patch", "cilium.io", "ciliumbgpnodeconfigs", ""),
    ("create", "cilium.io", "ciliumbgppeerconfigs", ""),
)


def provider(client: Client) -> Provider:
    return Cilium(client)


def speaks(client: Client) -> bool | None:
    """Its operator makes a CiliumBGPNodeConfig for each node that something selects. Before 1.16 it knew
    none: its agents' CiliumNodes are there."""
    told = any_of(client, *paths.NODE_CONFIGS)
    return False if told is None and may_speak(client) else told


def may_speak(client: Client) -> bool:
    """Every node of Cilium may be out by its label; its agents' CiliumNodes are there."""
    return bool(any_of(client, paths.CILIUM_NODES))


def on(client: Client, node: str) -> bool:
    return any(client.find(f"{path}/{paths.named(node)}") for path in paths.NODE_CONFIGS)


def summary(client: Client) -> Summary:
    configs, unreadable = _configs(permitted(client, *paths.NODE_CONFIGS) or ())
    peers = permitted(client, *paths.PEER_CONFIGS) or ()
    lever, why = _lever(client, [one for one in configs if not one.withdrawn], peers)
    found = client.items(paths.NODES)
    nodes = {name_of(one) for one in found}
    told_of = {*(one.node for one in configs), *unreadable}
    older, *by_policy = cilium_v1.outlook(client, [one for one in found if name_of(one) not in told_of])
    if older and not configs:
        lever, why = by_policy
    out = [one.node for one in configs if one.withdrawn]
    soaking = [one.node for one in configs if one.soaks]
    left = sorted({*out, *soaking} - nodes)
    notes = [f"{', '.join(out)}: withdrawn by bgpctl"] if out else []
    if soaking:
        notes.append(f"{', '.join(soaking)}: announces with GRACEFUL_SHUTDOWN, by bgpctl's hand")
    if left:
        notes.append(f"{', '.join(left)}: no such node any more, `{copies.PREPARE}` clears it away")
    told = [f"CiliumBGPNodeConfig {name} cannot be read: {why}" for name, why in unreadable.items()]
    return Summary(
        Cilium.name,
        len(told_of) + older,
        image_tag(client, "cilium-agent"),
        lever,
        why,
        lacking(client, NEEDED),
        (*notes, *told),
        frozenset(told_of),
    )


def _configs(documents: Iterable[Document]) -> tuple[list[NodeConfig], dict[str, str]]:
    found: list[NodeConfig] = []
    unreadable: dict[str, str] = {}
    for document in documents:
        try:
            found.append(read(document))
        except Unreadable as error:
            unreadable[name_of(document)] = error.message
    return found, unreadable


def _lever(client: Client, configs: Sequence[NodeConfig], peers: Sequence[Document]) -> tuple[str, str]:
    now = client.present()
    for config in configs:
        ready = copies.readiness(config, peers, now)
        if ready.missing:
            return "closes", f"a label of the Node; `{copies.PREPARE}` lets it withdraw before it closes"
        if ready.trouble:
            how = "" if ready.young else f": `{copies.PREPARE}` brings it up to date"
            return "nothing", f"{ready.trouble}{how}"
    if not rights.may(client, "patch", "cilium.io", "ciliumbgpnodeconfigs"):
        return "closes", "a label of the Node: ciliumbgpnodeconfigs may not be patched"
    return "withdraws", "its CiliumBGPNodeConfig: withdrawn with the sessions up, closed after the proof"

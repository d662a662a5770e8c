"""`bgpctl providers`: which stacks are in a cluster, what the lever does now, which rights are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl import providers
from bgpctl.core.cilium import copies
from bgpctl.core.cilium.nodeconfig import NodeConfig, read
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState
from bgpctl.kube import paths, rights
from bgpctl.kube.client import Client
from bgpctl.kube.optional import permitted
from bgpctl.providers import detect

Document = Mapping[str, Any]
Right = tuple[str, str, str, str]
"""Verb, API group, resource, namespace."""

ALWAYS: tuple[Right, ...] = (
    ("patch", "", "nodes", ""),
    ("create", "", "pods/eviction", ""),
    ("create", "coordination.k8s.io", "leases", "kube-system"),
)
NEEDED: Mapping[str, tuple[Right, ...]] = {
    providers.DEFAULT: (*ALWAYS, ("list", "bgpctl.io", "bgpnodestates", "")),
    detect.CILIUM: (
        *ALWAYS,
        ("list", "cilium.io", "ciliumbgpnodeconfigs", ""),
        ("list", "cilium.io", "ciliumbgpclusterconfigs", ""),
        ("list", "cilium.io", "ciliumbgppeerconfigs", ""),
        ("patch", "cilium.io", "ciliumbgpnodeconfigs", ""),
        ("create", "cilium.io", "ciliumbgppeerconfigs", ""),
    ),
}


@dataclass(frozen=True, slots=True)
class Summary:
    """One stack. `nodes`: on how many it speaks, as far as it tells. `lever` withdraws, closes, or nothing;
    `why` one sentence about it. `missing`: rights that a drain needs, "patch nodes". `notes`: what else
    somebody should look at."""

    provider: str
    nodes: int
    version: str
    lever: str
    why: str
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def summaries(client: Client) -> tuple[Summary, ...]:
    """Every stack that is in the cluster."""
    makers = {providers.DEFAULT: _ours, detect.CILIUM: _cilium}
    return tuple(makers[name](client) for name in detect.look(client).stacks if name in makers)


def _ours(client: Client) -> Summary:
    told = providers.named(client, providers.DEFAULT).states() or ()
    versions = sorted({state.speaker_version for state in told if state.speaker_version})
    return Summary(
        providers.DEFAULT,
        len(told),
        ", ".join(versions),
        "withdraws" if told else "nothing",
        "a label of the Node: the speaker withdraws every route, then closes" if told else NOBODY,
        _missing(client, providers.DEFAULT),
        tuple(_both(client, told)),
    )


NOBODY = "no BGPNodeState is there: no bgpctl speaker was ever installed, nor another stack that is known"


def _both(client: Client, told: Sequence[NodeState]) -> Iterator[str]:
    """The nodes on which Cilium is at work too."""
    theirs = {name_of(one) for one in permitted(client, *paths.NODE_CONFIGS) or ()}
    now = client.present()
    both = sorted(state.node for state in told if state.node in theirs and not state.stale(now))
    if both:
        yield f"Cilium speaks BGP there too, so drains are refused without --provider: {', '.join(both)}"


def _cilium(client: Client) -> Summary:
    configs, unreadable = _configs(permitted(client, *paths.NODE_CONFIGS) or ())
    peers = permitted(client, *paths.PEER_CONFIGS) or ()
    lever, why = _lever(client, [one for one in configs if not one.withdrawn], peers)
    nodes = {name_of(one) for one in client.items(paths.NODES)}
    out = [one.node for one in configs if one.withdrawn]
    left = sorted(set(out) - nodes)
    notes = [f"{', '.join(out)}: withdrawn by bgpctl"] if out else []
    if left:
        notes.append(f"{', '.join(left)}: no such node any more, `{copies.PREPARE}` clears it away")
    return Summary(
        detect.CILIUM,
        len(configs) + len(unreadable),
        _agents(client),
        lever,
        why,
        _missing(client, detect.CILIUM),
        (*notes, *unreadable),
    )


def _configs(documents: Iterable[Document]) -> tuple[list[NodeConfig], list[str]]:
    found: list[NodeConfig] = []
    unreadable: list[str] = []
    for document in documents:
        try:
            found.append(read(document))
        except Unreadable as error:
            unreadable.append(f"CiliumBGPNodeConfig {name_of(document)} cannot be read: {error.message}")
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


_TAG = re.compile(r":(v?\d[\w.-]*)$")


def _agents(client: Client) -> str:
    """The version of the agents by their image's tag; "" = not told."""
    found = permitted(client, paths.DAEMONSETS) or ()
    for one in found:
        containers = (((one.get("spec") or {}).get("template") or {}).get("spec") or {}).get(
            "containers"
        ) or ()
        images = [str(c.get("image") or "") for c in containers if c.get("name") == "cilium-agent"]
        if images and (tag := _TAG.search(images[0].partition("@")[0])):
            return tag[1]
    return ""


def _missing(client: Client, name: str) -> tuple[str, ...]:
    lacking = (right for right in NEEDED[name] if not rights.may(client, *right))
    return tuple(f"{verb} {resource}" for verb, _, resource, _ in lacking)

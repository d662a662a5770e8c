"""`bgpctl providers`: which stacks are in a cluster, what the lever does now, which rights are missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bgpctl import providers
from bgpctl.core.handover import LABEL
from bgpctl.core.reading.documents import name_of
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.providers import detect
from bgpctl.providers.stack import Summary


def summaries(client: Client) -> tuple[Summary, ...]:
    """Every stack that is in the cluster. The first says where another one is at work too."""
    first, *others = (providers.stack_of(name).summary(client) for name in detect.look(client).stacks)
    handed = {name_of(node) for node in client.items(paths.NODES, labelSelector=LABEL)} if others else set()
    shared = (_shared(first, other, handed) for other in others)
    return (replace(first, notes=(*first.notes, *(text for text in shared if text))), *others)


def _shared(first: Summary, other: Summary, handed: Collection[str]) -> str:
    """`handed`: the nodes whose label says whose they are."""
    nodes = ", ".join(sorted((first.at_work & other.at_work) - set(handed)))
    if not nodes:
        return ""
    title = providers.stack_of(other.provider).TITLE
    return f"{title} speaks BGP there too, so drains are refused without --provider: {nodes}"

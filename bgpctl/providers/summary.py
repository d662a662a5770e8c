"""`bgpctl providers`: which stacks are in a cluster, what the lever does now, which rights are missing."""

from __future__ import annotations

from dataclasses import replace

from bgpctl import providers
from bgpctl.kube.client import Client
from bgpctl.providers import detect
from bgpctl.providers.stack import Summary


def summaries(client: Client) -> tuple[Summary, ...]:
    """Every stack that is in the cluster. The first says where another one is at work too."""
    first, *others = (providers.stack_of(name).summary(client) for name in detect.look(client).stacks)
    shared = (_shared(first, other) for other in others)
    return (replace(first, notes=(*first.notes, *(text for text in shared if text))), *others)


def _shared(first: Summary, other: Summary) -> str:
    nodes = ", ".join(sorted(first.at_work & other.at_work))
    if not nodes:
        return ""
    title = providers.stack_of(other.provider).TITLE
    return f"{title} speaks BGP there too, so drains are refused without --provider: {nodes}"

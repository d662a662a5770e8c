"""Who speaks BGP on a node, for a run: by the user's word, else by the Node's label (it was handed over),
else by the journal of the run that goes on or is undone, else by what is in the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgpctl import providers
from bgpctl.errors import Blocked
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client
from bgpctl.ports import Provider
from bgpctl.providers import detect
from bgpctl.runbooks.journal import ANNOTATION, load


def provider(client: Client, node: str, named: str = "") -> Provider:
    """Raises UsageError for a name that no provider has, Blocked for a node with two stacks."""
    if named:
        return providers.named(client, named)
    found = detect.look(client)
    if found.alone:
        return providers.named(client, providers.DEFAULT)
    document = client.find(paths.node(node))
    begun = detect.handed_to(document) or _journalled(client, node, document)
    return providers.named(client, begun) if begun else detect.of_node(client, node, found)


def _journalled(client: Client, node: str, document: Mapping[str, Any] | None) -> str:
    """Whose node it was when the run began; "" = no run, or one that did not write it down. A journal that
    cannot be read is for the run itself to refuse."""
    if document is None:
        return ""
    try:
        journal = load(document["metadata"].get("annotations"), node)
        if journal is None and (held := lease.read(client, node)):
            journal = load({ANNOTATION: held.copy_of(str(document["metadata"].get("uid")))}, node)
    except Blocked:
        return ""
    return journal.provider if journal else ""

"""An install over another one must not end sessions that carry routes: by pruning the engines, or by a
nodeSelector that leaves out nodes which announce. Both go at once, on all such nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bgpctl.core.reading.documents import labels_of
from bgpctl.errors import Blocked
from bgpctl.install.announcing import announcing, named
from bgpctl.install.manifests import Manifest, words_of
from bgpctl.install.settings import Options
from bgpctl.kube import paths
from bgpctl.kube.client import Client

Document = Mapping[str, Any]


def check_kept(
    client: Client,
    chosen: Options,
    pruned: Sequence[Document],
    wanted: Sequence[Manifest],
    there: Sequence[Document | None],
) -> None:
    """`pruned`: the DaemonSets that go. `there`: what is in the cluster of each that is wanted. Raises
    Blocked where nodes that announce would lose speaker or engine, and ApiError where nobody may look."""
    over = [(one.document, old) for one, old in zip(wanted, there, strict=True) if old and _runs(one)]
    narrower = [new for new, old in over if not selector(new).items() <= selector(old).items()]
    if not pruned and not narrower:
        return
    told = announcing(client, chosen.namespace, (*pruned, *(old for _, old in over)))
    if pruned:
        _refuse(chosen, f"{words_of(pruned[0])} would go from all nodes at once", told)
    for new in narrower[:1]:  # all have the same
        lost = {node: words for node, words in told.items() if not _keeps(client, selector(new), node)}
        _refuse(chosen, "the speakers would go from nodes that nodeSelector leaves out", lost)


def _refuse(chosen: Options, what: str, told: Mapping[str, str]) -> None:
    if told:
        raise Blocked(
            f"{what}, and routes are announced by {named(told)}",
            "nothing was changed. To take their traffic away first: bgpctl node drain NODE\n"
            "to withdraw all of it at once, traffic or not: "
            f"bgpctl uninstall --namespace {chosen.namespace} --withdraw-routes --yes\nand then this",
        )


def _runs(one: Manifest) -> bool:
    return one.kind == "DaemonSet"


def selector(daemonset: Document) -> Mapping[str, str]:
    """The labels of the nodes on which it runs; empty = on all."""
    found: Any = daemonset
    for name in ("spec", "template", "spec", "nodeSelector"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _keeps(client: Client, labels: Mapping[str, str], node: str) -> bool:
    """Of one that is not there nobody knows."""
    found = client.find(paths.node(node))
    return found is not None and labels.items() <= labels_of(found).items()

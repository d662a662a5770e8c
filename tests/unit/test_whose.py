"""Who speaks BGP on a node: what its run wrote down goes before what the cluster shows."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.errors import UsageError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import Client
from bgpctl.runbooks import whose
from bgpctl.runbooks.journal import ANNOTATION, Journal, dump
from tests.support import objects
from tests.unit.test_kube_router import GLOBAL, cluster, daemonset

GARBAGE = "{"


def journal(provider: str) -> str:
    return dump(Journal("r", "drain", "guide", "h", 1.0, provider=provider))


def told(annotation: str = "", copy: str | None = None, node: str = "n1") -> str:
    """In a cluster where only kube-router is seen."""
    client: Client = cluster(daemonset(*GLOBAL), objects.node("n3"))
    if annotation:
        client.patch(paths.node("n1"), {"metadata": {"annotations": {ANNOTATION: annotation}}})
    if copy is not None:
        made: dict[str, Any] = {
            "metadata": {"name": lease.name_for("n1"), "annotations": {lease.COPY: copy}},
            "spec": {},
        }
        client.create(paths.leases(lease.NAMESPACE), made)
    return whose.provider(client, node).name


@pytest.mark.parametrize(
    ("annotation", "copy", "name"),
    [
        ("", None, "kube-router"),
        (journal("calico"), None, "calico"),
        (journal("calico"), journal("cilium"), "calico"),
        ("", journal("cilium"), "cilium"),  # somebody removed the annotation
        ("", "", "kube-router"),
        (journal(""), journal("cilium"), "kube-router"),
        (GARBAGE, journal("cilium"), "kube-router"),  # the run itself refuses it
        ("", GARBAGE, "kube-router"),
    ],
)
def test_a_run_that_began_goes_on_with_the_provider_that_it_began_with(
    annotation: str, copy: str | None, name: str
) -> None:
    assert told(annotation, copy) == name


def test_a_node_that_is_not_there_is_the_clusters() -> None:
    assert told(node="nobody") == "kube-router"


def test_the_users_word_goes_first() -> None:
    client = cluster(daemonset(*GLOBAL))
    assert whose.provider(client, "n1", "cilium").name == "cilium"
    with pytest.raises(UsageError, match="no provider"):
        whose.provider(client, "n1", "purelb")

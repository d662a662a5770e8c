"""What of an install is in a cluster: whose each object is, and which are left of an earlier one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bgpctl.core.reading.documents import labels_of
from bgpctl.errors import Blocked
from bgpctl.install.crds import is_ours
from bgpctl.install.labels import INSTALL, MANAGED, MANAGER
from bgpctl.install.manifests import KINDS, Manifest
from bgpctl.install.settings import Options
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.kube.optional import serves

Document = Mapping[str, Any]

OWN_PLACE = ("ConfigMap",)
"""Looked for in the install's namespace only: nobody needs to read everybody's for that."""
STAYING = ("CustomResourceDefinition", "Namespace")
"""Never pruned: all objects of a kind go with its definition, and everything in it with a namespace."""


def path_of(kind: str, namespace: str, name: str) -> str:
    """Of one object of a kind in KINDS."""
    return f"{collection(kind, namespace)}/{paths.named(name)}"


def collection(kind: str, namespace: str = "") -> str:
    """Of a kind, in a namespace or everywhere."""
    base, plural = KINDS[kind]
    return f"{base}/namespaces/{paths.named(namespace)}/{plural}" if namespace else f"{base}/{plural}"


def path(one: Manifest) -> str:
    """Where an object lives."""
    return path_of(one.kind, one.namespace, one.name)


def owner(document: Document) -> str:
    """The install that made an object, "" = none did."""
    labels = labels_of(document)
    return labels.get(INSTALL, "") if labels.get(MANAGED) == MANAGER else ""


def check(one: Manifest, there: Document | None, chosen: Options) -> str:
    """Why the object is left alone, "" = it may be written. Raises Blocked for one that is somebody else's:
    it is neither taken over nor deleted."""
    if there is None or owner(there) == chosen.namespace:
        return ""
    if one.kind == "Namespace":
        return "it is there already, and stays as it is"
    if one.kind == "CustomResourceDefinition":
        return "" if is_ours(dict(one.document)) else "Cilium's own is there, and stays"
    other = owner(there)
    if other:
        raise Blocked(
            f"{one.words} belongs to the install in namespace {other}: there is one in a cluster",
            f"to change that one: bgpctl install --apply --namespace {other}\n"
            f"to remove it first: bgpctl uninstall --namespace {other}",
        )
    raise Blocked(
        f"{one.words} exists, and no bgpctl install made it: it is left alone",
        f"if nobody needs it, delete it; else install into another --namespace\nto see it: {_get(one)}",
    )


def _get(one: Manifest) -> str:
    where = f" -n {one.namespace}" if one.namespace else ""
    return f"kubectl get {one.kind.lower()} {one.name}{where} -o yaml"


def made_before(client: Client, namespace: str, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Document]:
    """Every object that the install in this namespace made, with its kind. Raises ApiError where one of the
    kinds may not be listed."""
    for kind in kinds:
        try:
            listed = client.items(
                collection(kind, namespace if kind in OWN_PLACE else ""),
                labelSelector=f"{MANAGED}={MANAGER},{INSTALL}={namespace}",
            )
        except NotFound:
            continue  # the Prometheus operator's, where it is not installed
        except ApiError as error:
            if error.code == 403 and not _served(client, kind):
                continue  # an API server forbids also what it does not know
            raise
        for document in listed:
            yield {**document, "kind": kind}


def _served(client: Client, kind: str) -> bool:
    base, plural = KINDS[kind]
    group = base.removeprefix("/apis/").partition("/")[0]
    return base.startswith("/api/") or serves(client, group, plural)

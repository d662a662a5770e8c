"""The CustomResourceDefinitions that bgpctl ships: its own, and those of Cilium that its speaker runs by."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from bgpctl.core.state import GROUP
from bgpctl.install.labels import labels
from bgpctl.install.settings import Options

Document = dict[str, Any]


def definitions(chosen: Options) -> Iterator[Document]:
    """As they are shipped, with the labels of an install. Nothing prunes them."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entries = sorted(files("bgpctl.deploy").joinpath("crds").iterdir(), key=lambda entry: entry.name)
    for entry in entries if chosen["crds"] != "none" else ():
        document: Document = yaml.load(entry.read_text(), loader)  # noqa: S506 — a safe loader, ours
        if chosen["crds"] == "all" or is_ours(document):
            meta = document["metadata"]
            meta["labels"] = {**(meta.get("labels") or {}), **labels(chosen)}
            yield document


def is_ours(definition: Document) -> bool:
    """Is it of our own group, and not Cilium's?"""
    return bool(definition["spec"]["group"] == GROUP)

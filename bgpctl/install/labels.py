"""By what the objects of an install are known, and how they are called. Pure."""

from __future__ import annotations

from typing import Any

from bgpctl.install.settings import Options

SPEAKER, ENGINE = "bgpctl-speaker", "bgpctl-engine"
MANAGED, MANAGER = "app.kubernetes.io/managed-by", "bgpctl-install"
INSTALL = "bgpctl.io/install"
"""Which install made it, by its namespace. There is one in a cluster: a node has one speaker."""


def labels(chosen: Options) -> dict[str, str]:
    """Those of all objects."""
    return {MANAGED: MANAGER, INSTALL: chosen.namespace}


def meta(chosen: Options, name: str, namespace: str | None = None, **more: str) -> dict[str, Any]:
    """The metadata of one; `namespace` None = that of the install, "" = it is in none."""
    place = chosen.namespace if namespace is None else namespace
    return {
        "name": name,
        **({"namespace": place} if place else {}),
        "labels": {"app.kubernetes.io/name": "bgpctl", **labels(chosen)},
        **more,
    }

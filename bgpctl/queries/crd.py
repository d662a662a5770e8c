"""The CRD of BGPNodeState: what this bgpctl has, and what the cluster's lacks of it."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from bgpctl.core.doctor import reading
from bgpctl.kube import paths

if TYPE_CHECKING:
    from bgpctl.kube.client import Client

NAME = "bgpnodestates.bgpctl.io"


def lacking(client: Client) -> tuple[str, ...]:
    """The properties that the cluster's CRD has not, as paths; none where there is no such CRD."""
    import yaml

    there = client.find(f"{paths.CRDS}/{NAME}")
    if there is None:
        return ()
    shipped = files("bgpctl.deploy").joinpath("crds").joinpath(f"{NAME}.yaml").read_text()
    return reading.lacking(yaml.load(shipped, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), there)  # noqa: S506

"""The BGP stacks that a lab's nodes can have: who speaks BGP there, and how it is brought up.

`bgpctl` is the product itself. Of any other one the engine is real (GoBGP, FRR, BIRD), and its controllers
are emulations of ours, which do what that project's were documented and measured to do: not its code.
"""

from __future__ import annotations

from bgpctl.errors import UsageError
from bgpctl.lab.stacks import calico, cilium, frr_k8s, kube_router, speakers
from bgpctl.lab.stacks.spec import Document, Driver, Node, Site, Stack

__all__ = ["DEFAULT", "STACKS", "Document", "Driver", "Node", "Site", "Stack", "choose"]

STACKS: dict[str, Driver] = {
    driver.name: driver
    for driver in (speakers.DRIVER, cilium.DRIVER, calico.DRIVER, frr_k8s.DRIVER, kube_router.DRIVER)
}
DEFAULT = speakers.DRIVER.name


def choose(name: str) -> Driver:
    """UsageError says what to install, before anything is started."""
    if name not in STACKS:
        raise UsageError(f"{name!r} is no stack of the lab", f"choose {', '.join(STACKS)}")
    driver = STACKS[name]
    if install := driver.missing():
        raise UsageError(f"the engine of the lab's {name} nodes is not installed", install)
    return driver

"""Real routers for the lab and the tests: which are installed, which to take, how to make one.

BIRD, FRR and GoBGP run as an ordinary user; OpenBGPD needs root (privilege separation). ExaBGP comes with
bgpctl and only receives, so that pip alone is enough for a demonstration.
"""

from __future__ import annotations

from bgpctl.errors import UsageError
from bgpctl.lab.routers import bird, exabgp, frr, gobgp, openbgpd
from bgpctl.lab.routers.process import Router
from bgpctl.lab.routers.spec import Driver, Neighbor, RouterSpec

__all__ = ["KINDS", "Neighbor", "Router", "RouterSpec", "choose", "install_hint", "installed", "make"]

_DRIVERS: dict[str, Driver] = {
    module.DRIVER.kind: module.DRIVER for module in (bird, frr, gobgp, openbgpd, exabgp)
}
KINDS = tuple(_DRIVERS)
# A node of a lab on loopback sends a loopback next hop, which GoBGP before 3.20 treats as a withdrawn route:
# `auto` takes it only when it is new enough. OpenBGPD would need root.
_AUTO = ("bird", "frr", "gobgp", "exabgp")


def installed() -> list[str]:
    """The kinds that this machine has."""
    return [kind for kind, driver in _DRIVERS.items() if driver.find()]


def install_hint(kind: str) -> str:
    """What to type to have this kind of router."""
    return _DRIVERS[kind].install


def choose(kind: str) -> str:
    """`auto` or a kind -> the kind to run on loopback addresses. UsageError says what to install."""
    if kind == "auto":
        return next(k for k in _AUTO if _DRIVERS[k].find() and (k != "gobgp" or gobgp.loopback_next_hops()))
    if kind not in _DRIVERS:
        raise UsageError(f"{kind!r} is no router of the lab", f"choose auto, {', '.join(KINDS)}")
    if _DRIVERS[kind].find() is None:
        raise UsageError(f"{kind} is not installed", f"{_DRIVERS[kind].install}, or leave the choice to auto")
    return kind


def make(spec: RouterSpec) -> Router:
    """A router that is not started yet. UsageError when its kind is unknown or not installed."""
    driver = _DRIVERS[choose(spec.kind)]
    return Router(spec, driver.find() or driver.kind, driver.recipe)

"""Real routers for the lab and the tests: which are installed, which to take, how to make one.

BIRD, FRR and GoBGP run as an ordinary user; OpenBGPD needs root (privilege separation). ExaBGP comes with
bgpctl and only receives, so that pip alone is enough for a demonstration.
"""

from __future__ import annotations

from bgpctl.errors import UsageError
from bgpctl.lab.routers import bird, exabgp, frr, gobgp, openbgpd
from bgpctl.lab.routers.process import Router
from bgpctl.lab.routers.spec import Driver, Neighbor, RouterSpec

__all__ = ["DRIVERS", "KINDS", "Neighbor", "Router", "RouterSpec", "choose", "installed", "make"]

DRIVERS: dict[str, Driver] = {
    module.DRIVER.kind: module.DRIVER for module in (bird, frr, gobgp, openbgpd, exabgp)
}
KINDS = tuple(DRIVERS)
# OpenBGPD would need root.
_AUTO = ("bird", "frr", "gobgp", "exabgp")


def installed() -> list[str]:
    """The kinds that this machine has."""
    return [kind for kind, driver in DRIVERS.items() if driver.find()]


def choose(kind: str) -> str:
    """`auto` or a kind -> the kind to run. UsageError says what to install."""
    if kind == "auto":
        return next(k for k in _AUTO if DRIVERS[k].find())
    _find(kind)
    return kind


def make(spec: RouterSpec) -> Router:
    """A router that is not started yet. UsageError when its kind is unknown or not installed."""
    return Router(spec, _find(spec.kind), DRIVERS[spec.kind].recipe)


def _find(kind: str) -> str:
    """The path of the daemon."""
    if kind not in DRIVERS:
        raise UsageError(f"{kind!r} is no router of the lab", f"choose auto, {', '.join(KINDS)}")
    program = DRIVERS[kind].find()
    if program is None:
        raise UsageError(f"{kind} is not installed", f"{DRIVERS[kind].install}, or leave the choice to auto")
    return program

"""The port to a router (`Probe`), and how its text form is read.

One driver file per router stands behind it (bird.py, frr.py, gobgp.py, openbgpd.py, exabgp.py), each a thin
question and a pure reading of the answer.
"""

from __future__ import annotations

import re
from typing import Protocol

from bgpctl.errors import UsageError
from bgpctl.witness.model import RouterAnswer


class Probe(Protocol):
    """A router that can be asked. `kind` is one of DEFAULTS, `target` a path or an address, by its kind.
    `peer` is the node's peer that this router is (ADDRESS or ADDRESS:PORT), None = not said."""

    @property
    def kind(self) -> str: ...

    @property
    def target(self) -> str: ...

    @property
    def peer(self) -> str | None: ...

    def routes_from(self, neighbor: str) -> RouterAnswer:
        """All the router has from `neighbor` (the node's address as the router sees it). Never raises for a
        router that cannot be asked: UNKNOWN with the reason. A question takes TIMEOUT_SECONDS at most."""


DEFAULTS = {
    "bird": "/run/bird/bird.ctl",
    "frr": "/var/run/frr",
    "gobgp": "127.0.0.1:50051",
    "openbgpd": "/run/bgpd.sock",
    "exabgp": "",
}
_KINDS = [kind for kind, target in DEFAULTS.items() if target]  # the lab's own receiver is no router
_HINT = (
    "write KIND=TARGET[@PEER]: bird=/run/bird/bird.ctl, frr=/var/run/frr (the directory of bgpd.vty), "
    "gobgp=127.0.0.1:50051 or openbgpd=/run/bgpd.sock; KIND alone takes the default target"
)


def parse_probe(text: str) -> Probe:
    """`KIND[=TARGET][@PEER]` -> a probe; the last `@` is the one. Nothing is asked yet. UsageError names the
    kinds and an example."""
    rest, at, peer = text.strip().rpartition("@")
    kind, equals, target = (rest if at else peer).partition("=")
    if kind not in DEFAULTS or (at and not re.fullmatch(r"[!-~]{1,128}", peer)) or not target.isprintable():
        raise UsageError(f"{text!r} is no router probe; the kinds are {', '.join(_KINDS)}", _HINT)
    target = target if equals else DEFAULTS[kind]
    if not target:
        raise UsageError(f"{text!r} names no target", _HINT)
    return build(kind, target, peer if at else None)


def build(kind: str, target: str, peer: str | None = None) -> Probe:
    """The driver of one kind; drivers are imported here so that the command line starts without them."""
    match kind:
        case "bird":
            from bgpctl.witness.bird import BirdProbe

            return BirdProbe(target, peer)
        case "frr":
            from bgpctl.witness.frr import FrrProbe

            return FrrProbe(target, peer)
        case "gobgp":
            from bgpctl.witness.gobgp import GobgpProbe

            return GobgpProbe(target, peer)
        case "openbgpd":
            from bgpctl.witness.openbgpd import OpenbgpdProbe

            return OpenbgpdProbe(target, peer)
        case _:
            from bgpctl.witness.exabgp import ExabgpProbe

            return ExabgpProbe(target, peer)

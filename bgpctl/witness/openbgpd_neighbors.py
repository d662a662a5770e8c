"""OpenBGPD's side of its sessions, from `bgpctl -j show neighbor`. It tells no filters (`bgpd.conf` only)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bgpctl.core.doctor.facts import Channel, Limit, Side
from bgpctl.core.model import IPV4, IPV6
from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness.model import MOST
from bgpctl.witness.neighbors import Answer, number
from bgpctl.witness.openbgpd import OpenbgpdProbe

FAMILIES = {"IPv4 unicast": IPV4, "IPv6 unicast": IPV6}


def ask(router: str, target: str) -> Answer:
    """One question."""
    return tuple(read(router, OpenbgpdProbe(target).client_of().ask("neighbor"))), None


def read(router: str, told: Any) -> Iterator[Side]:
    """`show neighbor` -> each neighbor. A template is none: it has no address of a node."""
    for view in Foreign.of(told).children("neighbors", MOST):
        config, session = view.child("config"), view.child("session")
        if not config.flag("template"):
            yield _side(router, view, config, session)


def _side(router: str, view: Foreign, config: Foreign, session: Foreign) -> Side:
    offered = config.child("capabilities")
    hops = config.integer("multihop_distance", 1) if config.flag("multihop") else 1
    most = config.optional_integer("max_prefix")
    return Side(
        router=router,
        address=view.text("remote_addr"),
        local=session.child("local").text("address"),
        session=view.text("state").lower(),
        asn=number(view.text("remote_as")),
        graceful=offered.has("graceful_restart") if config.has("capabilities") else None,
        hold_time=config.integer("holdtime") or None,
        hops=hops,
        gtsm=config.flag("ttl_security") if config.has("ttl_security") else None,
        channels=tuple(
            Channel(FAMILIES[name], limit=Limit(most) if most else None)
            for name in offered.texts("multiprotocol")
            if name in FAMILIES
        ),
    )

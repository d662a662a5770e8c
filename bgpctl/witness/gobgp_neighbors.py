"""GoBGP's side of its sessions, from `gobgp neighbor -j` and its global import policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bgpctl.core.doctor.facts import Channel, Limit, Side
from bgpctl.core.model import IPV4, IPV6
from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness.gobgp import GobgpProbe, address_of, session_of
from bgpctl.witness.model import MOST
from bgpctl.witness.neighbors import Answer

FAMILIES = {(1, 1): IPV4, (2, 1): IPV6}
REJECT = 2  # api.RouteAction


def ask(router: str, target: str) -> Answer:
    """Three questions."""
    client = GobgpProbe(target).client_of()
    policy = Foreign.of(client.ask("global", "policy", "import", "-j"))
    told = client.ask("neighbor", "-j")
    return tuple(read(router, told, policy)), None


def read(router: str, told: Any, policy: Foreign) -> Iterator[Side]:
    """`gobgp neighbor -j` and `gobgp global policy import -j` -> each neighbor."""
    named = ", ".join(one.text("name") for one in policy.children("policies") if one.text("name"))
    rejects = policy.integer("default_action") == REJECT
    for view in Foreign({"neighbors": told or ()}).children("neighbors", MOST):
        yield _side(router, view, named, rejects)


def _side(router: str, view: Foreign, named: str, rejects: bool) -> Side:
    conf, restart = view.child("conf"), view.child("graceful_restart")
    multihop, local = view.child("ebgp_multihop"), view.child("transport").text("local_address")
    hold = view.child("timers").child("config").optional_integer("hold_time")
    return Side(
        router=router,
        address=address_of(view.value),
        local=local,
        session=session_of(view.value),
        asn=conf.optional_integer("peer_asn") or view.child("state").optional_integer("peer_asn"),
        local_asn=conf.optional_integer("local_asn"),
        graceful=restart.flag("enabled"),
        hold_time=hold,
        hops=(multihop.integer("multihop_ttl") or 255) if multihop.flag("enabled") else 1,
        gtsm=view.child("ttl_security").flag("enabled"),
        password=bool(conf.text("auth_password")),
        channels=tuple(_channels(view, named, rejects)),
    )


def _channels(view: Foreign, named: str, rejects: bool) -> Iterator[Channel]:
    up = session_of(view.value) == "established"
    for entry in view.children("afi_safis"):
        pair = entry.child("config").child("family")
        key = pair.integer("afi"), pair.integer("safi")
        if key not in FAMILIES:
            continue
        state, limit = entry.child("state"), entry.child("prefix_limits")
        most = limit.optional_integer("max_prefixes")
        yield Channel(
            FAMILIES[key],
            accepted=state.integer("accepted") if up else None,  # protobuf leaves out a zero
            received=state.integer("received") if up else None,
            filter=named,
            limit=Limit(most) if most else None,
            discards="its import policy rejects everything" if rejects and not named else "",
        )

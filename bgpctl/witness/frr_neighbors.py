"""FRR's side of its sessions: `show bgp neighbors json`, and both tables: by which paths it forwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bgpctl.core.doctor.facts import Bfd, Channel, Crowd, Limit, Side
from bgpctl.core.model import IPV4, IPV6, Family
from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness.frr import Vty
from bgpctl.witness.model import to_prefix
from bgpctl.witness.neighbors import Answer

FAMILIES: Mapping[str, Family] = {"ipv4Unicast": IPV4, "ipv6Unicast": IPV6}
# What names an import filter of a neighbor.
FILTERS = (
    "incomingUpdatePrefixFilterList",
    "incomingUpdateNetworkFilterList",
    "incomingUpdateAsPathFilterList",
    "routeMapForIncomingAdvertisements",
)
HELPS = ("Helper", "Restart")  # `localGrMode`, with a star where it is inherited


def ask(router: str, target: str) -> Answer:
    """One conversation with bgpd."""
    with Vty(target) as vty:
        told = vty.ask("show bgp neighbors json")
        tables = [vty.ask(f"show bgp {family.afi} unicast json") for family in FAMILIES.values()]
    return tuple(read(router, told)), tuple(crowd for table in tables for crowd in crowds(router, table))


def read(router: str, told: Mapping[str, Any]) -> Iterator[Side]:
    """`show bgp neighbors json` -> each neighbor."""
    for nested, address in Foreign({"neighbors": told}).each("neighbors"):
        if isinstance(told[address], Mapping):
            yield _side(router, address, nested.child(address))


def _side(router: str, address: str, view: Foreign) -> Side:
    info, hops = view.child("gracefulRestartInfo"), view.optional_integer("externalBgpNbrMaxHopsAway")
    mode = info.text("localGrMode").rstrip("*")
    local = view.text("hostLocal")
    hold = view.optional_integer("bgpTimerConfiguredHoldTimeMsecs")
    return Side(
        router=router,
        address=address,
        local="" if local == "Unknown" else local,
        session=view.text("bgpState").lower(),
        asn=view.optional_integer("remoteAs"),
        local_asn=view.optional_integer("localAs"),
        graceful=mode in HELPS if mode else None,
        stale_cap=_stale_cap(info),
        hold_time=None if hold is None else hold // 1000,
        hops=hops,
        password=bool(view.integer("authenticationEnabled")),
        bfd=_bfd(view),
        bfd_told=True,
        channels=tuple(_channels(view)),
    )


def _stale_cap(info: Foreign) -> float | None:
    """It is told by family, once that was negotiated."""
    timers = (info.child(name).child("timers") for name in FAMILIES)
    found = [float(timer.integer("stalePathTimer")) for timer in timers if timer.has("stalePathTimer")]
    return min(found, default=None)


def _bfd(view: Foreign) -> Bfd | None:
    if not view.has("peerBfdInfo"):
        return None
    told = view.child("peerBfdInfo")
    detect = told.integer("detectMultiplier") * told.integer("rxMinInterval") / 1000
    return Bfd(told.text("status").lower() == "up", detect or None)


def _channels(view: Foreign) -> Iterator[Channel]:
    activated = view.child("addressFamilyInfo")
    for name, family in FAMILIES.items():
        if not activated.has(name):
            continue
        told = activated.child(name)
        named = [told.text(key) for key in FILTERS if told.has(key)]
        most = told.optional_integer("prefixAllowedMax")
        yield Channel(
            family,
            accepted=told.optional_integer("acceptedPrefixCounter"),
            filter=", ".join(named),
            limit=None if most is None else Limit(most, told.flag("prefixAllowedMaxWarning")),
            discards=told.text("inboundEbgpRequiresPolicy"),
        )


def crowds(router: str, table: Mapping[str, Any]) -> Iterator[Crowd]:
    """`show bgp … json` -> prefixes with two or more paths that are valid and not stale; it marks those that
    it forwards by (`multipath`, the best one among them)."""
    for routes, prefix in Foreign(table).each("routes"):
        entries = [one for one in routes.children(prefix) if one.flag("valid") and not one.flag("stale")]
        used = [(one.text("peerId"), one.flag("multipath") or one.flag("bestpath")) for one in entries]
        if len(used) > 1:
            yield Crowd(router, to_prefix(prefix), tuple(used))

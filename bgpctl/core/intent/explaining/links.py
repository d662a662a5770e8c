"""The links of a chain that the cluster's objects decide: from the object to the peer's family. Pure.

What is broken, and why, is the search's; that another link is as it must be follows from it, because the
route is there without that one being touched.
"""

from __future__ import annotations

from collections.abc import Mapping

from bgpctl.core.intent import gates, podcidrs, services
from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.explaining.chain import Link, Status
from bgpctl.core.intent.explaining.proposals.case import Case
from bgpctl.core.intent.explaining.repair import repaired
from bgpctl.core.intent.explaining.search import Asker, Broken, Found
from bgpctl.core.intent.explaining.values import (
    ADDRESS,
    ADVERTISEMENT,
    CLASS,
    ENDPOINTS,
    EXPOSURE,
    FAMILY,
    INTERFACE,
    NODE,
    PEER,
    POD_CIDR,
    POLICY,
    POOL,
    SERVICE,
    TELLERS,
    Whole,
)
from bgpctl.core.intent.explaining.verdict import (
    NO_CANDIDATE,
    NO_SESSION,
    NOTHING_IN_FORCE,
    UNREADABLE,
    Target,
    Verdict,
    verdict,
)
from bgpctl.core.model import Intent
from bgpctl.core.policy.nodeconfig import Source

LINK_OF: Mapping[str, str] = {
    NO_CANDIDATE: SERVICE,
    UNREADABLE: SERVICE,
    services.WRONG_CLASS: CLASS,
    services.NO_LOAD_BALANCER_IP: ADDRESS,
    services.INGRESS_NOT_VIP: ADDRESS,
    services.HEADLESS: EXPOSURE,
    services.NOT_THIS_TYPE: EXPOSURE,
    services.NOT_ON_THIS_NODE: EXPOSURE,
    services.NO_LOCAL_ENDPOINTS: ENDPOINTS,
    services.NO_ENDPOINTS: ENDPOINTS,
    services.NO_ENDPOINT_SLICE: ENDPOINTS,
    services.NO_INTERFACE_ADDRESS: INTERFACE,
    podcidrs.NO_POOL: POOL,
    podcidrs.NO_POOL_CIDR: POOL,
    gates.NODE_EXCLUDED: NODE,
    gates.NODE_NETWORK_UNAVAILABLE: NODE,
    gates.NODE_NOT_READY: NODE,
    gates.NODE_NOT_CONFIRMED: NODE,
    services.NOT_SELECTED: POLICY,
    NOTHING_IN_FORCE: POLICY,
    NO_SESSION: PEER,
    services.NO_MATCHING_ADVERTISEMENT: ADVERTISEMENT,
    services.FAMILY_NOT_CONFIGURED: FAMILY,
}
"""The link that a reason is about."""

OUTSIDE = (services.NO_INTERFACE_ADDRESS,)
"""Reasons that say only that the reader is not on the node: whether the link is broken is not known."""

PARTS: Mapping[Source, tuple[str, ...]] = {
    Source.SERVICE: (SERVICE, CLASS, ADDRESS, EXPOSURE, ENDPOINTS),
    Source.POD_CIDR: (POD_CIDR,),
    Source.POD_POOL: (POOL,),
    Source.INTERFACE: (INTERFACE,),
}
COMMON = (NODE, POLICY, PEER, ADVERTISEMENT, FAMILY)


def object_links(
    asker: Asker, objects: ClusterObjects, target: Target, peer: str, found: Found
) -> tuple[Link, ...]:
    """Every link from the target to the family that its route needs, in their order."""
    mended = repaired(objects, found.repairs)
    intent = asker.intent(mended)
    after = verdict(intent, target, peer)
    held = [one for one in intent.peers if peer in ("", one.name)]
    case = Case(objects, asker.node, target, peer, found.verdict.reason, asker.intent(objects))
    whole = Whole(case, after, intent, held[0] if held else None)
    broken: dict[str, list[Broken]] = {}
    parts = PARTS[target.source]
    for each in found.broken:
        link = parts[0] if each.reason == NO_CANDIDATE else LINK_OF.get(each.reason, POLICY)
        broken.setdefault(link, []).append(each)
    names = (*parts, *COMMON)
    made = (_broken(n, broken[n]) if n in broken else _whole(n, whole, found.mended) for n in names)
    return tuple(link for link in made if link is not None)


def value_links(objects: ClusterObjects, node: str, target: Target) -> tuple[Link, ...]:
    """What the target's own objects say, where nobody can tell what is made of it."""
    intent = Intent(node)
    whole = Whole(Case(objects, node, target, "", "", intent), Verdict(), intent, None)
    made = (_whole(name, whole, False) for name in PARTS[target.source])
    return tuple(link for link in made if link is not None)


def _broken(name: str, reasons: list[Broken]) -> Link:
    first, repairs = reasons[0], tuple(repair for each in reasons for repair in each.repairs)
    status = Status.UNKNOWN if first.reason in OUTSIDE else Status.BROKEN
    says = "; ".join(dict.fromkeys(each.detail for each in reasons))
    return Link(name, status, says, repairs, reason=first.reason)


def _whole(name: str, whole: Whole, mended: bool) -> Link | None:
    """A link that no repair touches. Where the search did not get to the route, its value is told only."""
    told = TELLERS[name](whole)
    if told is None:
        return None
    says, command = told
    return Link(name, Status.OK if mended else Status.UNTOLD, says, command=command)

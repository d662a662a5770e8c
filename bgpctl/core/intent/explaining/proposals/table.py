"""Changes of fields that may help against a reason, the least surprising first: guesses, each of which the
intent function is asked about before it is said (`explaining.search`).

One table from reason to the function that names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bgpctl.core.intent import gates, services
from bgpctl.core.intent import podcidrs as pods
from bgpctl.core.intent.explaining.proposals import advertisements, nodes, policies
from bgpctl.core.intent.explaining.proposals import endpoints as slices
from bgpctl.core.intent.explaining.proposals import services as own
from bgpctl.core.intent.explaining.proposals.case import Case
from bgpctl.core.intent.explaining.repair import Repairs
from bgpctl.core.intent.explaining.verdict import NO_CANDIDATE, NO_SESSION, NOTHING_IN_FORCE, UNREADABLE

Proposer = Callable[[Case], Iterator[Repairs]]

BY_REASON: Mapping[str, Proposer] = {
    services.NOT_SELECTED: policies.selecting,
    NOTHING_IN_FORCE: policies.readable,
    NO_SESSION: policies.sessions,
    services.NO_MATCHING_ADVERTISEMENT: advertisements.matching,
    services.FAMILY_NOT_CONFIGURED: advertisements.family,
    gates.NODE_EXCLUDED: nodes.included,
    gates.NODE_NETWORK_UNAVAILABLE: nodes.network,
    gates.NODE_NOT_READY: nodes.ready,
    services.NO_LOAD_BALANCER_IP: own.address,
    services.WRONG_CLASS: own.load_balancer_class,
    services.INGRESS_NOT_VIP: own.vip,
    services.HEADLESS: own.not_headless,
    services.NOT_THIS_TYPE: own.every_type,
    services.NOT_ON_THIS_NODE: own.here,
    NO_CANDIDATE: own.candidate,
    UNREADABLE: own.readable,
    services.NO_LOCAL_ENDPOINTS: slices.ready,
    services.NO_ENDPOINTS: slices.ready,
    services.NO_ENDPOINT_SLICE: slices.ready,
    pods.NO_POOL: nodes.pool,
    pods.NO_POOL_CIDR: nodes.pool_cidr,
}
"""Not in here: what no object says. A speaker's own checks (`gates.NODE_NOT_CONFIRMED`), the interfaces of a
node (`services.NO_INTERFACE_ADDRESS`), and what a session or a speaker holds back, which is no part of an
intent from outside."""


def proposals(case: Case) -> Iterator[Repairs]:
    """What may help against the case's reason."""
    proposer = BY_REASON.get(case.reason)
    if proposer is not None:
        yield from proposer(case)

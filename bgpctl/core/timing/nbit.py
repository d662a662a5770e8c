"""When the N bit (RFC 8538) pays, in one sentence with both figures (facts: bgp.md 0 and 3.2). Pure.

It keeps the routes also over a NOTIFICATION and over the hold timer. That is right while the node forwards on
(a router's `clear`, a speaker that could not run for a while), and wrong when the node is dead.
"""

from __future__ import annotations

from dataclasses import replace
from math import isinf

from bgpctl.core.policy.annotations import GRACEFUL_NOTIFICATION
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.profiles import Profile
from bgpctl.core.timing.withdrawal import Event, estimate

_PAYS = "it pays where a NOTIFICATION or the hold timer ends sessions of nodes that forward on"


def advice(facts: PeerFacts, profile: Profile) -> str:
    """What it costs, or would cost, when the node loses power. "" where it changes nothing: no graceful
    restart, a router that does not send it or keeps the routes anyway."""
    worst = {on: estimate(Event.POWER_OFF, replace(facts, local_n=on), profile).worst for on in (False, True)}
    if worst[False] == worst[True] or isinf(worst[False]):
        return ""
    if facts.local_n:
        return f"Without the N bit up to {worst[False]:g} s; {_PAYS}."
    return f"With the N bit ({GRACEFUL_NOTIFICATION}) up to {worst[True]:g} s; {_PAYS}."

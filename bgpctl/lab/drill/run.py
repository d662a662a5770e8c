"""One drill: requests, the event among them, and the forecast against what became of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bgpctl.core.timing.drills import (
    CLASSES,
    OWN,
    Drill,
    Held,
    Measured,
    Report,
    claimed,
    unapplied,
)
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import (
    READMITTED,
    READMITTED_OTHER,
    Course,
    RouteClass,
    Span,
    foretell,
)
from bgpctl.core.timing.profiles import Profile, find_profile
from bgpctl.core.timing.withdrawal import Close
from bgpctl.errors import BgpctlError
from bgpctl.lab.drill.events import HAPPENS
from bgpctl.lab.drill.net import ADDRESSES, Net
from bgpctl.lab.drill.nodes import NODE
from bgpctl.lab.traffic.counting import Request, gaps, moved
from bgpctl.lab.traffic.forwarding import MIRRORED

SETTLING_SECONDS = 1.0  # in which the router may still be arranging its paths
STEADY_SECONDS = 2.0  # of requests before anything happens, and after everything has
# The lab's BIRD and GoBGP are told to take a node back at once (bgpctl/lab/routers), and what only a mirror
# brings to the kernel learns nothing from it.
READMITS = {"bird": (1.0, 2.0), "gobgp": (1.0, 1.0)}


def run(kind: str, drill: Drill, *, helper: bool = True, stack: str = OWN) -> Report:
    """Let it happen at a router of this kind, to a node of this stack. Root, from the main thread. What could
    not be measured is a `problem` of the report. `helper` False: the router does not do graceful restart,
    whatever the nodes do.

    The forecast is made of what was negotiated. Where that is not what the drill asks for, it fails, and is
    held against the forecast of what was asked for.
    """
    directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))  # short: a socket's path is limited
    with ExitStack() as parts:
        parts.callback(shutil.rmtree, directory, ignore_errors=True)
        try:
            net = Net(parts, kind, drill.setting, directory, helper=helper, stack=stack)
            net.come_up()
            return replace(_happen(net, kind, drill, stack), stack=stack)
        except BgpctlError as error:
            return Report(kind, drill, problem=error.message, stack=stack)


def _happen(net: Net, kind: str, drill: Drill, stack: str) -> Report:
    facts, close, profile = net.nodes.facts(), net.nodes.close, _profile(kind)
    problem = unapplied(drill.setting, facts, stack)
    if problem:
        facts = claimed(drill.setting, facts)
    classes = CLASSES[drill.scenario]
    readmitted = READMITTED if stack == OWN else READMITTED_OTHER
    first = course(drill, facts, classes[-1], profile, None, close)
    time.sleep(SETTLING_SECONDS)
    with net.asking(classes) as stop:
        time.sleep(STEADY_SECONDS)
        event = time.time()
        away = HAPPENS[drill.scenario](net, first.gone.worst if first.gone else 0.0)
        time.sleep(STEADY_SECONDS)
        requests = stop()
    rows = tuple(
        Held(
            course(drill, facts, each, profile, away, close, readmitted),
            measured(requests, ADDRESSES[each], event),
        )
        for each in classes
    )
    return Report(kind, drill, rows, problem or _unmeasured(requests, event))


def course(
    drill: Drill,
    facts: PeerFacts,
    kind: RouteClass,
    profile: Profile,
    away: Span | None,
    close: Close | None = None,
    readmitted: float = READMITTED,
) -> Course:
    """The forecast, as `bgpctl forecast` makes it."""
    elsewhere = kind is RouteClass.CLUSTER
    return foretell(
        drill.scenario,
        facts,
        kind,
        profile,
        elsewhere=elsewhere,
        away=away,
        close=close,
        readmitted=readmitted,
    )


def _profile(kind: str) -> Profile:
    found = find_profile(kind)
    watches = False if kind in MIRRORED else found.watches_link
    return replace(found, error_wait=READMITS.get(kind, found.error_wait), watches_link=watches)


def measured(requests: Sequence[Request], address: str, event: float) -> Measured:
    """What became of those to one address, from the event on (epoch seconds); flows also from before."""
    those = [one for one in requests if one.address == address]
    since = [one for one in those if one.at >= event]
    return Measured(
        sent=len(since),
        lost=sum(not one.node for one in since),
        refused=sum(one.refused for one in since),
        moved=moved(those),
        stretches=tuple((begin - event, end - event) for begin, end in gaps(since)),
    )


def _unmeasured(requests: Sequence[Request], event: float) -> str:
    """Why these requests say nothing, "" = they do."""
    before = [one for one in requests if one.at < event]
    lost = sum(not one.node for one in before)
    if lost:
        return f"{lost} of {len(before)} requests were lost before anything happened"
    if not any(one.node == NODE for one in before):
        return f"{NODE} answered nothing before anything happened"
    return ""

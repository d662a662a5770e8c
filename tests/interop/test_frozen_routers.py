"""Routers that are frozen (SIGSTOP) cost a drain's looks one question's time together, and only once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address

import pytest

from bgpctl.core.state import PeerState
from bgpctl.runbooks.routers import Routers
from bgpctl.witness.asking import TIMEOUT_SECONDS
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import parse_probe
from tests.support.require import require
from tests.support.routers import Lab, Workshop
from tests.support.snapshots import peer, running
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

KINDS = ("bird", "frr")


@pytest.mark.alone
def test_routers_that_are_frozen(workshop: Workshop) -> None:
    for kind in KINDS:
        require(kind)
    labs = [workshop.router(kind, nodes=1) for kind in KINDS]
    state = running(*map(session, labs))
    routers = Routers([parse_probe(f"{lab.router.probe()}@{lab.router.spec.address}") for lab in labs])

    def look() -> tuple[set[RouteState], float]:
        began = time.monotonic()
        seen = routers.look(state, None, time.time)
        return {one.answer.routes for one in seen}, time.monotonic() - began

    eventually(lambda: look()[0] == {RouteState.ABSENT})
    with frozen(labs):
        words, seconds = look()
        assert words == {RouteState.UNKNOWN}
        assert TIMEOUT_SECONDS * 0.9 < seconds < TIMEOUT_SECONDS * 1.5, "the longest, not their sum"
        words, seconds = look()
        assert words == {RouteState.UNKNOWN}
        assert seconds < 1, "nobody waits for them again"
    eventually(lambda: look()[0] == {RouteState.ABSENT}, why="they are asked anew when they go on")


def session(lab: Lab) -> PeerState:
    found = peer(lab.router.spec.address)
    address = ip_address(lab.nodes[0].address)
    return replace(found, session=replace(found.session, local_address=address))


@contextmanager
def frozen(labs: list[Lab]) -> Iterator[None]:
    pids = [lab.router.pid or 0 for lab in labs]
    assert all(pids)
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

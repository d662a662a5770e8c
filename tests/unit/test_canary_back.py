"""Which of a canary's sessions are back after its restart: up, and another one than before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.state import NodeState
from bgpctl.runbooks.preflight.canary import _back
from tests.support.snapshots import NOW, ROUTER, ROUTER_2, peer, running


def at(address: str, since: float | None, *, up: bool = True) -> Any:
    one = peer(address, up=up)
    return replace(one, session=replace(one.session, established_at=since))


BEFORE = running(at(ROUTER, NOW - 900), at(ROUTER_2, NOW - 900), uid="a")
BOTH = {at(ROUTER, None).name, at(ROUTER_2, None).name}
FIRST = {at(ROUTER, None).name}


@pytest.mark.parametrize(
    ("state", "back"),
    [
        (None, set()),
        (running(at(ROUTER, NOW - 900), at(ROUTER_2, NOW - 900), uid="a"), set()),
        (running(at(ROUTER, NOW - 5), at(ROUTER_2, NOW - 900), uid="a"), FIRST),
        (running(at(ROUTER, NOW - 5), at(ROUTER_2, NOW - 4), uid="a"), BOTH),
        (running(at(ROUTER, NOW - 900), at(ROUTER_2, NOW - 900), uid="b"), BOTH),  # another process has them
        (running(at(ROUTER, NOW - 900), at(ROUTER_2, None, up=False), uid="b"), FIRST),
        (running(at(ROUTER, NOW - 5), at(ROUTER_2, NOW - 4, up=False), uid="a"), FIRST),
        (running(at(ROUTER, None), at(ROUTER_2, NOW - 4), uid=""), BOTH - FIRST),
    ],
)
def test_a_session_is_back_when_it_is_up_and_another(state: NodeState | None, back: set[str]) -> None:
    assert _back(state, BEFORE) == back

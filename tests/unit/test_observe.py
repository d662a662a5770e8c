"""A router that never read the withdraws is waited for as if its session had just ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bgpctl.core.model import Session, SessionState
from bgpctl.core.state import NodeState, PeerState, WithdrawnPeer, WithdrawnRecord
from bgpctl.core.timing.withdrawal import Event
from bgpctl.runbooks.observe import ENDED, leaving, never_read

UP = Session("p", SessionState.ESTABLISHED)
PEER = PeerState("p", "192.0.2.1", 179, 65000, 65001, UP)
DOWN = replace(PEER, session=Session("p", SessionState.CONNECT))


def after(*peers: WithdrawnPeer) -> NodeState:
    return NodeState("n", "Withdrawn", withdrawn=WithdrawnRecord("drain", 1.0, 2.0, 2.0, peers))


@pytest.mark.parametrize(
    ("state", "deaf"),
    [
        pytest.param(None, set(), id="no speaker ever reported"),
        pytest.param(NodeState("n"), set(), id="nothing withdrawn yet"),
        pytest.param(after(WithdrawnPeer(PEER, 3, flushed=True)), set(), id="it read them"),
        pytest.param(after(WithdrawnPeer(PEER, 3, flushed=False)), {"192.0.2.1"}, id="it stopped reading"),
        pytest.param(
            after(WithdrawnPeer(DOWN, 3, flushed=False)),
            {"192.0.2.1"},
            id="there was no session to read from",
        ),
        pytest.param(
            NodeState("n", "Idle", unwithdrawn=(PEER,)),
            {"192.0.2.1"},
            id="its speaker died",
        ),
    ],
)
def test_who_never_read_the_withdraws(state: NodeState | None, deaf: set[str]) -> None:
    assert never_read(state) == deaf
    assert leaving("192.0.2.1", never_read(state)) == (ENDED if deaf else (Event.DESELECT,))

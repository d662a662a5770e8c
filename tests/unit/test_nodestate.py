"""Reading a BGPNodeState: what an older or newer writer left out or put in never raises."""

from __future__ import annotations

from bgpctl.core.model import SessionState
from bgpctl.core.state_document import from_document


def test_a_word_of_another_version_is_unknown() -> None:
    peers = [{"name": "p", "state": "dancing"}, {"name": "q", "state": "established"}, {"name": "r"}]
    state = from_document({"metadata": {"name": "n"}, "status": {"peers": peers}})
    found = [peer.session.state for peer in state.peers]
    assert found == [SessionState.UNKNOWN, SessionState.ESTABLISHED, SessionState.UNKNOWN]


def test_an_empty_object_is_a_silent_speaker() -> None:
    state = from_document({"metadata": {"name": "n"}})
    assert state.stale(now=1e9) and state.phase == "Starting" and not state.peers

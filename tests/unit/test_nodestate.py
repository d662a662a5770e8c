"""Reading a BGPNodeState: what an older or newer writer left out or put in never raises."""

from __future__ import annotations

from bgpctl.core.model import SessionState
from bgpctl.core.state import ANOTHER_SPEAKER, DOUBT, is_another
from bgpctl.core.state_document import from_document


def test_a_word_of_another_version_is_unknown() -> None:
    peers = [{"name": "p", "state": "dancing"}, {"name": "q", "state": "established"}, {"name": "r"}]
    state = from_document({"metadata": {"name": "n"}, "status": {"peers": peers}})
    found = [peer.session.state for peer in state.peers]
    assert found == [SessionState.UNKNOWN, SessionState.ESTABLISHED, SessionState.UNKNOWN]


def test_an_empty_object_is_a_silent_speaker() -> None:
    state = from_document({"metadata": {"name": "n"}})
    assert state.stale(now=1e9) and state.phase == "Starting" and not state.peers


def test_which_sentence_is_about_a_certain_other_speaker() -> None:
    assert is_another(f"{ANOTHER_SPEAKER}: process process-2")
    assert not is_another(f"{DOUBT}: nobody knows")
    assert not is_another("a Service is broken") and not is_another(f"x {ANOTHER_SPEAKER}")

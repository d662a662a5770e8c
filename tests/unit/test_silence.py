"""A password that the router does not have: told after a while, taken back with the connection."""

from __future__ import annotations

import pytest

from bgpctl.core.model import Intent, Observed, Secret, Session, SessionState
from bgpctl.speaker.md5 import PATIENCE_SECONDS, Silence
from tests.support.engines import peer


def told(silence: Silence, state: SessionState, now: float, password: str | None = "pw") -> tuple[str, ...]:
    one = peer("127.0.0.1", 179, 65000, "127.0.0.2", password=Secret(password) if password else None)
    observed = Observed(1, True, {one.name: one}, sessions={one.name: Session(one.name, state)})
    return silence.problems(Intent("n", True, peers=(one,)), observed, now)


@pytest.mark.parametrize("state", [SessionState.IDLE, SessionState.CONNECT, SessionState.ACTIVE])
def test_a_silent_peer_with_a_password_is_told_of_after_a_while(state: SessionState) -> None:
    silence = Silence()
    assert told(silence, state, 100.0) == ()
    assert told(silence, SessionState.ACTIVE, 100.0 + PATIENCE_SECONDS - 1) == ()
    (sentence,) = told(silence, state, 100.0 + PATIENCE_SECONDS)
    assert "does not answer" in sentence and "pw" not in sentence.replace("password", "")
    assert told(silence, SessionState.ESTABLISHED, 120.0) == ()
    assert told(silence, state, 121.0) == (), "the wait begins anew"


def test_connections_that_come_about_and_peers_without_a_password_are_not_told_of() -> None:
    for state, password in ((SessionState.OPEN_SENT, "pw"), (SessionState.ACTIVE, None)):
        silence = Silence()
        assert told(silence, state, 0.0, password) == told(silence, state, 99.0, password) == ()


def test_a_peer_that_the_engine_does_not_have_yet_does_not_count() -> None:
    one = peer("127.0.0.1", 179, 65000, "127.0.0.2", password=Secret("pw"))
    silence, intent = Silence(), Intent("n", True, peers=(one,))
    assert silence.problems(intent, Observed(), 0.0) == silence.problems(intent, Observed(), 99.0) == ()

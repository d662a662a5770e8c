"""Hundreds of changes in seconds: none is lost, none overtakes another, BIRD has the API's last word."""

from __future__ import annotations

import signal

import pytest

from tests.support.crowd import crowd
from tests.support.require import require
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.interop

SERVICES, PER_SECOND, SECONDS = 300, 200, 5.0


@pytest.mark.alone
def test_the_last_write_wins_at_the_router() -> None:
    require("bird")
    with crowd(SERVICES, "--no-damping") as run:  # which holds flapping addresses back on purpose
        assert run.bird.prefixes() == run.expected() and len(run.expected()) == SERVICES
        # few Services, so that each changes often: what is overtaken would stay wrong
        for numbers in (range(SERVICES), range(10)):
            run.churn(numbers, SECONDS / 2, PER_SECOND)
            wanted = run.expected()
            eventually(lambda wanted=wanted: run.bird.prefixes() == wanted, deadline=2.0, interval=0.01)
            assert len(wanted) < SERVICES

        # and this eye would have seen a change that did not arrive
        run.speaker.signal(signal.SIGSTOP)
        act = run.take if "20.0.0.0/32" in wanted else run.give
        act(0)
        throughout(lambda: run.bird.prefixes() != run.expected(), 0.5)
        run.speaker.signal(signal.SIGCONT)
        eventually(lambda: run.bird.prefixes() == run.expected(), deadline=2.0, interval=0.01)

"""When a Lease is to be written, and by whom."""

from __future__ import annotations

import pytest

from bgpctl.kube.election import Terms, wait_for_it
from bgpctl.kube.lease import LeaseView

TERMS = Terms(duration=90, renew_every=30.0)


def held(by: str) -> LeaseView:
    return LeaseView(by, 0.0, 90.0, "1", 90)


@pytest.mark.parametrize(
    ("view", "age", "ours", "wait"),
    [
        (None, 5.0, False, 0.0),
        (held(""), 5.0, False, 0.0),
        (held("other"), 0.0, False, 90.0),
        (held("other"), 89.0, False, 1.0),
        (held("other"), 91.0, False, 0.0),
        (held("me"), 0.0, True, 30.0),
        (held("me"), 31.0, True, 0.0),
        (held("me"), 0.0, False, 0.0),  # from before a restart: renewed at once
    ],
)
def test_when_the_lease_is_to_be_written(view: LeaseView | None, age: float, ours: bool, wait: float) -> None:
    assert wait_for_it(view, "me", age, ours, TERMS) == wait

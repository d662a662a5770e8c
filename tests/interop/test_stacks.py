"""A sample of what `make stacks` runs whole: a drain and its restore on each stack, and on one of them
something that happens on the way. BGPCTL_SAMPLE is its seed."""

from __future__ import annotations

import random

import pytest

from tests.matrix.cells import Graceful
from tests.stacks.__main__ import run
from tests.stacks.cells import ROUTERS, STACKS, Event, places
from tests.support import sample
from tests.support.require import require

pytestmark = pytest.mark.interop

SEED = sample.seed()
HAPPENS = random.Random(SEED).choice([event for event in Event if event is not Event.GUIDE])
WHERE = random.Random(SEED).choice(list(STACKS))


@pytest.mark.parametrize("stack", STACKS)
def test_a_node_leaves_with_proof_and_comes_back_as_it_was(stack: str) -> None:
    require(*ROUTERS)
    place = random.Random(f"{SEED} {stack}").choice(list(places([stack], ROUTERS, list(Graceful))))
    events = (Event.GUIDE, HAPPENS) if stack == WHERE else (Event.GUIDE,)
    for result in run(place, events, points=1, seed=SEED):
        assert not result.complaints, str(result)

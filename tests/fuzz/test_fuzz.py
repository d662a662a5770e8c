"""A little of the loop at every run, the same each time; and values that no good input ever had."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import mutate
from tests.fuzz.targets import Files, Target, attempt, targets

TARGETS = targets()
INPUTS = 400
WITH_JSON = [target for target in TARGETS if not isinstance(target.seeds[0], bytes)]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = st.recursive(
    scalars | st.sampled_from(mutate.VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(autouse=True)
def file() -> Iterator[None]:
    yield
    Files.path.unlink(missing_ok=True)


def named(target: Target) -> str:
    return target.name


@pytest.mark.parametrize("target", TARGETS, ids=named)
def test_broken_input_ends_in_a_value_or_in_our_words(target: Target) -> None:
    dice = random.Random(target.name)
    for _ in range(max(3, round(INPUTS * target.share))):
        given_ = target.draw(dice)
        crashed, seconds = attempt(target, given_)
        assert not crashed, f"{crashed}: {repr(given_)[:400]}"
        assert seconds < target.seconds


@pytest.mark.parametrize("target", TARGETS, ids=named)
def test_good_input_is_still_good(target: Target) -> None:
    """Else everything above would be refused at the door."""
    for seed in target.seeds:
        target.run(json.dumps(seed).encode() if target.text else seed)


@pytest.mark.parametrize("target", WITH_JSON, ids=named)
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(value=values, key=st.integers(0, 10**6))
def test_any_value_in_any_place(target: Target, value: object, key: int) -> None:
    if target.share < 0.1:
        return
    document = json.loads(json.dumps(target.seeds[key % len(target.seeds)]))
    places = list(mutate.places(document))
    holder, name = places[key % len(places)]
    holder[name] = value
    for given_ in (document, value):
        text = mutate.text_of(given_).encode("utf-8", "replace")
        assert not attempt(target, text if target.text else given_)[0]

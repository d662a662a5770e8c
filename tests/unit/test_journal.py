"""What is written on a Node is read back as it was; what cannot be read is never guessed at."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.errors import Blocked
from bgpctl.runbooks.journal import ANNOTATION, Journal, dump, load
from tests.kit.snapshots import journal

texts = st.text(max_size=20)
instants = st.floats(0, 4e9).map(lambda seconds: round(seconds, 3))
journals = st.builds(
    Journal,
    run=texts,
    command=st.sampled_from(["drain", "restore"]),
    order=texts,
    holder=texts,
    started_at=instants,
    prior_unschedulable=st.booleans(),
    prior_labels=st.dictionaries(texts, st.none() | texts, max_size=3),
    deselect=st.none() | st.tuples(texts, st.none() | texts),
    peers=st.lists(texts, max_size=3).map(tuple),
    routes=st.integers(0, 10**6),
    steps=st.dictionaries(texts, instants, max_size=3),
    marks=st.dictionaries(texts, instants, max_size=3),
    evidence=st.dictionaries(texts, st.none() | texts | st.booleans() | instants, max_size=3),
)


@given(journals)
def test_round_trip(written: Journal) -> None:
    assert load({ANNOTATION: dump(written)}) == written


@pytest.mark.parametrize("annotations", [None, {}, {"other": "x"}, {ANNOTATION: ""}])
def test_absent_means_that_nobody_touched_the_node(annotations: dict[str, str] | None) -> None:
    assert load(annotations) is None


def _changed(**changes: object) -> str:
    return json.dumps({**json.loads(dump(journal())), **changes})


@pytest.mark.parametrize(
    "text",
    [
        _changed(version=2),
        _changed(version=None),
        _changed(surprise=1),
        _changed(peers=None),
        _changed(steps=7),
        _changed(marks={"Relabelled": "yesterday"}),
        _changed(prior_unschedulable="no"),
        _changed(deselect=["a", "b", "c"]),
        json.dumps({k: v for k, v in json.loads(dump(journal())).items() if k != "holder"}),
        "{",
        "[]",
        "17",
        "null",
    ],
)
def test_another_version_blocks_and_says_how_to_get_rid_of_it(text: str) -> None:
    with pytest.raises(Blocked) as caught:
        load({ANNOTATION: text})
    assert ANNOTATION in caught.value.message
    assert f"{ANNOTATION}-" in caught.value.hint


def test_finished_steps_can_be_voided() -> None:
    done = journal().with_step("Checked", 1.0, {}).with_step("Withdrawn", 2.0, {"proof": "confirmed"})
    again = done.with_mark("Relabelled", 1.5).without(("Withdrawn", "Settled"))
    assert (again.steps, again.marks, again.evidence) == ({"Checked": 1.0}, {}, {})
    assert not again.finished("Withdrawn")

"""What is written on a Node is read back as it was; what cannot be read is never guessed at."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.errors import Blocked
from bgpctl.runbooks.journal import AGAIN, ANNOTATION, LATER, Journal, dump, load
from tests.support.snapshots import journal

texts = st.text(max_size=20)
instants = st.floats(0, 4e9).map(lambda seconds: round(seconds, 3))
addresses = st.ip_addresses().map(lambda found: str(parse_zoned(str(found))))  # ::ffff:A is A

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
    leaves=st.integers(0, 9),
    baselines=st.dictionaries(texts, st.integers(0, 10**6), max_size=3),
    witnesses=st.dictionaries(texts, st.lists(texts.filter(bool), max_size=8).map(tuple), max_size=3),
    locals=st.dictionaries(texts, st.lists(addresses, max_size=8).map(tuple), max_size=3),
    ending=st.just({})
    | st.fixed_dictionaries({"status": st.text(min_size=1, max_size=20), "reason": texts, "at": instants}),
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
        "[" * 100_000,
        '{"version":1,"evidence":' * 10_000,
        "9" * 5000,
        _changed(started_at=float("nan")),
        _changed(marks={"Relabelled": float("inf")}),
        _changed(steps={"Checked": -1.0}),
        _changed(steps={"Checked": 10**400}),
        _changed(started_at=True),
        dump(journal(started_at=1.5)).replace("1.5", "1e999"),
        _changed(started_at="yesterday"),
        _changed(routes="many"),
        _changed(leaves="many"),
        _changed(leaves=-1),
        _changed(baselines={"192.0.2.1": "two"}),
        _changed(baselines=["192.0.2.1"]),
        _changed(ending={"status": 7, "reason": "x", "at": 1.0}),
        _changed(ending={"reason": "x", "at": 1.0}),
        _changed(ending={"status": "blocked", "reason": ["x"], "at": 1.0}),
        _changed(ending={"status": "blocked", "reason": "x", "at": "now"}),
        _changed(ending=[]),
        _changed(routes=[]),
        _changed(run=7),
        _changed(run="x" * 5000),
        _changed(command="destroy"),
        _changed(holder=None),
        _changed(order={}),
        _changed(peers="10.0.0.1"),
        _changed(peers=[["10.0.0.1"]]),
        _changed(prior_labels={"enable-bgp": True}),
        _changed(prior_labels=["enable-bgp"]),
        _changed(deselect=[["a"], "b"]),
        _changed(deselect="ab"),
        _changed(evidence=[1]),
        _changed(evidence={"proof": "confirmed"}),
        _changed(evidence={"proof": "confirmed", "by": ["bird"]}),
        _changed(evidence={"proof": "estimated", "worstSeconds": 3}),
        _changed(evidence={"proof": "reported", "why": "x"}),
        _changed(evidence={"proof": "reported", "by": "x"}),
        _changed(evidence={"proof": {}}),
        _changed(evidence={"routes": "many"}),
        _changed(evidence={"routes": None}),
        _changed(evidence={"proof": "estimated", "why": "x", "worstSeconds": None}),
        _changed(evidence={"missing": [1]}),
        _changed(evidence={"uncounted": "no"}),
        _changed(evidence={"assumed": 7}),
        _changed(evidence={"secondsAfterRelabel": "soon"}),
        _changed(evidence={"deep": json.loads("[" * 20 + "]" * 20)}),
        " " * (256 << 10) + dump(journal()),
        "\ud800",
    ],
)
def test_another_version_blocks_and_says_how_to_get_rid_of_it(text: str) -> None:
    with pytest.raises(Blocked) as caught:
        load({ANNOTATION: text}, "n1")
    assert len(caught.value.message) < 1000
    assert ANNOTATION in caught.value.message
    assert caught.value.hint.splitlines()[1:] == [
        "to read it: kubectl get node n1 -o yaml",
        f"to remove it: kubectl annotate node n1 {ANNOTATION}-",
        "then, by its copy (Lease bgpctl-node-n1 in kube-system): bgpctl node restore n1",
        "without a copy, bring the node back by hand",
    ]


def test_finished_steps_can_be_voided() -> None:
    done = journal().with_step("Checked", 1.0, {}).with_step("Withdrawn", 2.0, {"proof": "confirmed"})
    again = done.with_mark("Relabelled", 1.5).without(("Withdrawn", "Settled"))
    assert (again.steps, again.marks, again.evidence) == ({"Checked": 1.0}, {}, {})
    assert not again.finished("Withdrawn")


def test_a_journal_of_the_version_before_is_read() -> None:
    """It is resumed by this one, in the middle of an upgrade."""
    before = {k: v for k, v in json.loads(dump(journal())).items() if k not in LATER}
    assert load({ANNOTATION: json.dumps(before)}) == journal()
    assert not {"leaves", "baselines", "ending"} & set(before)


@pytest.mark.parametrize(
    ("steps", "begun"),
    [({}, False), ({"Claimed": 1.0}, False), ({"Checked": 1.0}, True), ({"Cordoned": 1.0}, True)],
)
def test_a_run_has_begun_when_it_has_passed_its_checks(steps: dict[str, float], begun: bool) -> None:
    assert journal(steps=steps).begun is begun


def test_each_request_to_leave_has_a_name_of_its_own() -> None:
    asked = [
        journal(run=run, leaves=n).asking(at) for run in ("a", "b") for n in (1, 2, 11) for at in (5.0, 5.1)
    ]
    names = {record.leave for record in asked}
    assert len(names) == len(asked), "also of a run that lost its memory of those before"
    assert {name.rpartition("-")[0] for name in names} == {"a", "b"}
    assert asked[0].leaves == 2
    assert journal(run="a", leaves=3).leave == "a-3", "of a journal of the version before"


@pytest.mark.parametrize(("clock", "anew"), [("a/7.2", False), ("a/99.0", True), ("b/7.0", True)])
def test_no_wait_counts_from_what_another_clock_wrote_down(clock: str, anew: bool) -> None:
    marks = {"SawWithdrawn": 90.0, "Relabelled": 250.0, "SawRecord": 300.0}
    before = journal(marks=marks, steps={"Withdrawn": 300.0, "Cordoned": 20.0}, clock="a/7.0")
    after = before.by_clock(clock, 100.0)
    assert after.clock == clock
    if not anew:
        assert after == replace(before, clock=clock)
        return
    later = before.by_clock(clock, 100.12345)
    assert later.counted == 100.123, "to the millisecond"
    assert (after.counted, after.since("SawWithdrawn"), after.since("Relabelled")) == (100.0, 100.0, 100.0)
    assert after.marks["SawRecord"] == 300.0, "the name of a record"
    assert after.steps == {"Withdrawn": 99.0, "Cordoned": 20.0}, "what was done was done before"
    assert after.since("nothing") == 0.0
    assert after.with_mark("SawWithdrawn", 110.0).since("SawWithdrawn") == 110.0


@pytest.mark.parametrize(
    ("steps", "marks", "at"),
    [
        ({}, {}, None),
        ({"ShutDown": 5.0}, {}, 5.0),
        ({"ShutDown": 0.5}, {}, 0.5),
        ({"ShutDown": 5.0}, {AGAIN: 5.0}, 5.0),
        ({"ShutDown": 5.0}, {AGAIN: 5.1}, None),
    ],
)
def test_when_a_drain_was_done(steps: dict[str, float], marks: dict[str, float], at: float | None) -> None:
    assert journal(steps=steps, marks=marks).done_at == at
    assert journal(steps=steps, marks=marks, command="restore").done_at is None


@pytest.mark.parametrize(
    "evidence",
    [
        {"proof": "confirmed", "by": "bird", "secondsAfterRelabel": 0.5, "goneTime": "x"},
        {"proof": "reported", "by": "cilium-dbg", "why": "x", "uncounted": True},
        {"proof": "estimated", "why": "x", "worstSeconds": 5.0, "routes": 0, "missing": ["x"]},
        {"proof": "", "routes": 0},
        {},
    ],
    ids=lambda evidence: evidence.get("proof", "none"),
)
def test_a_proof_is_read_as_it_was_written(evidence: dict[str, object]) -> None:
    read = load({ANNOTATION: dump(journal(evidence=evidence))}, "n1")
    assert read is not None and read.evidence == evidence

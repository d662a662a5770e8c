"""Each field of a journal as it stands on a Node, and what each must be to be believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.errors import Blocked
from bgpctl.runbooks.journal import ANNOTATION, LONGEST, Journal, dump, load

WHOLE = Journal(
    run="r1",
    command="restore",
    order="guide",
    holder="eve@host:1/r1",
    started_at=1.5,
    prior_unschedulable=True,
    prior_labels={"a": "b", "c": None},
    deselect=("a", None),
    peers=("192.0.2.1", "192.0.2.2"),
    routes=7,
    steps={"Checked": 2.5},
    marks={"Relabelled": 3.5},
    evidence={"proof": ""},
    leaves=2,
    options={"--force": (), "--timeout": ("540",)},
    baselines={"192.0.2.1": 7},
    witnesses={"192.0.2.1": ("frr=/run/frr, router ID 192.0.2.1",)},
    locals={"192.0.2.1": ("192.0.2.11", "fe80::1%eth0")},
    ending={"status": "failed", "reason": "", "at": 9.5},
)
TEXT = (
    '{"baselines":{"192.0.2.1":7},"command":"restore","deselect":["a",null],"ending":{"at":9.5,"reason":"",'
    '"status":"failed"},"evidence":{"proof":""},"holder":"eve@host:1/r1","leaves":2,"locals":{"192.0.2.1":'
    '["192.0.2.11","fe80::1%eth0"]},"marks":{"Relabelled":3.5},"options":{"--force":[],"--timeout":["540"]},'
    '"order":"guide","peers":["192.0.2.1","192.0.2.2"],"prior_labels":{"a":"b","c":null},'
    '"prior_unschedulable":true,"routes":7,"run":"r1","started_at":1.5,"steps":{"Checked":2.5},"version":1,'
    '"witnesses":{"192.0.2.1":["frr=/run/frr, router ID 192.0.2.1"]}}'
)


def test_a_journal_is_short_and_the_same_journal_the_same_text() -> None:
    """Other versions of bgpctl read it: names and values are an interface."""
    assert ANNOTATION == "bgpctl.io/run"
    assert dump(WHOLE) == TEXT
    assert load({ANNOTATION: TEXT}) == WHOLE


def test_one_that_does_not_say_who_showed_the_routes_is_read() -> None:
    """Of the version before: nobody's baseline then, and no address but those of now."""
    old = {key: value for key, value in json.loads(TEXT).items() if key not in ("witnesses", "locals")}
    assert load({ANNOTATION: json.dumps(old)}) == replace(WHOLE, witnesses={}, locals={})


def test_what_other_stacks_and_clocks_need_is_read_back_too() -> None:
    more = replace(
        WHOLE, prior={"way": "copies"}, provider="cilium", request="r1-2", clock="b/1.5", counted=12.5
    )
    assert load({ANNOTATION: dump(more)}) == more
    for name in ("prior", "provider", "request", "clock", "counted"):
        assert f'"{name}"' in dump(more)
        assert f'"{name}"' not in dump(WHOLE), "what is as always is not written"


def test_a_new_direction_has_no_request_that_somebody_could_answer() -> None:
    kept = replace(WHOLE, request="r1-2").prior_only
    assert kept == replace(
        WHOLE, steps={}, marks={}, evidence={}, ending={}, leaves=0, baselines={}, witnesses={}
    )


def test_a_new_proof_takes_the_place_of_all_that_was_said_of_the_one_before() -> None:
    before = {"proof": "estimated", "missing": ["x"], "worstSeconds": 9.0, "assumed": "y", "pods": 3}
    one = replace(WHOLE, evidence=before).with_step("Withdrawn", 1.0, {"proof": "confirmed", "by": "b"})
    assert one.evidence == {"proof": "confirmed", "by": "b", "pods": 3}
    other = replace(WHOLE, evidence=before).with_step("Evicted", 1.0, {"pods": 4})
    assert other.evidence == {**before, "pods": 4}, "what says nothing of the proof leaves it"


def test_a_fresh_one() -> None:
    fresh = Journal("r", "drain", "guide", "h", 1.0)
    assert (fresh.prior_unschedulable, fresh.routes, fresh.leaves, fresh.deselect) == (False, 0, 0, None)
    assert fresh.begun is False and fresh.leave == "r-0"


@pytest.mark.parametrize("command", ["drain", "restore", "restart"])
def test_every_command_has_one(command: str) -> None:
    found = load({ANNOTATION: changed(command=command)})
    assert found is not None and found.command == command


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(TEXT), **changes})


def test_steps_marks_and_evidence_add_up() -> None:
    """To the millisecond."""
    one = WHOLE.with_step("Cordoned", 4.56789, {"by": "x"}).with_mark("SawWithdrawn", 5.43219)
    assert one.steps == {"Checked": 2.5, "Cordoned": 4.568}
    assert one.marks == {"Relabelled": 3.5, "SawWithdrawn": 5.432}
    assert one.evidence == {"proof": "", "by": "x"}
    again = one.with_step("Cordoned", 6.0, {"by": "y"})
    assert (again.steps["Cordoned"], again.evidence["by"]) == (6.0, "y")


@pytest.mark.parametrize(("length", "readable"), [(LONGEST, True), (LONGEST + 1, False)])
def test_it_is_as_long_as_annotations_may_be(length: int, readable: bool) -> None:
    assert LONGEST == 262144
    peers = ["x" * 4000] * 65
    left = length - len(changed(peers=[*peers, ""]))
    text = changed(peers=[*peers, "x" * left])
    assert len(text) == length
    if readable:
        assert load({ANNOTATION: text}) is not None
    else:
        refused(text)


def refused(text: Any) -> str:
    with pytest.raises(Blocked) as told:
        load({ANNOTATION: text})
    return told.value.message


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"prior_labels": {"a": 1}}, "prior_labels"),
        ({"deselect": ["a", 1]}, "deselect"),
        ({"deselect": [1, "a"]}, "deselect"),
        ({"deselect": ["a"]}, "deselect"),
        ({"deselect": ["a", "b", "c"]}, "deselect"),
        ({"ending": {"status": "failed", "reason": "x", "at": "now"}}, "at"),
        ({"ending": {"reason": "x", "at": 1.0}}, "status"),
        ({"ending": {"status": "failed", "reason": 1, "at": 1.0}}, "reason"),
        ({"locals": {"192.0.2.1": ["10.0.0.1 json\nconfigure"]}}, "locals.192.0.2.1"),
        ({"locals": {"192.0.2.1": ["fd00::1%x"]}}, "locals.192.0.2.1"),
        ({"locals": {"192.0.2.1": "10.0.0.1"}}, "locals.192.0.2.1"),
        ({"locals": {"192.0.2.1": ["10.0.0.1"] * 33}}, "locals.192.0.2.1"),
        ({"locals": ["10.0.0.1"]}, "locals"),
        ({"witnesses": {"192.0.2.1": ["x"] * 9}}, "witnesses.192.0.2.1"),
        ({"witnesses": {"192.0.2.1": ["x" * 401]}}, "witnesses.192.0.2.1"),
        ({"witnesses": {"192.0.2.1": "x"}}, "witnesses.192.0.2.1"),
        ({"evidence": {"worstSeconds": "5"}}, "worstSeconds"),
        ({"evidence": {"worstSeconds": None}}, "worstSeconds"),
        ({"evidence": {"routes": None}}, "routes"),
        ({"evidence": {"secondsAfterRelabel": "5"}}, "secondsAfterRelabel"),
        ({"evidence": {"missing": "x"}}, "missing"),
        ({"evidence": {"proof": "confirmed"}}, "by"),
        ({"evidence": {"proof": "estimated"}}, "why"),
        ({"evidence": {"by": 1}}, "by"),
        ({"evidence": {"why": 1}}, "why"),
        ({"evidence": {"assumed": 1}}, "assumed"),
        ({"evidence": {"earlier": 1}}, "earlier"),
        ({"evidence": {"goneTime": 1}}, "goneTime"),
    ],
)
def test_what_cannot_be_believed_is_named(changes: dict[str, Any], where: str) -> None:
    assert where in refused(changed(**changes))


@pytest.mark.parametrize(
    "evidence",
    [
        {"proof": "confirmed", "by": "x", "routes": 3, "secondsAfterRelabel": None, "goneTime": None},
        {"proof": "estimated", "why": "so", "worstSeconds": 2.5, "routes": 1, "missing": ["x"]},
        {"anything": {"else": [1, 2]}},
    ],
)
def test_evidence_is_kept_as_it_stands(evidence: dict[str, Any]) -> None:
    found = load({ANNOTATION: changed(evidence=evidence)})
    assert found is not None and found.evidence == evidence


def test_a_label_that_was_not_there_is_not_an_empty_one() -> None:
    found = load({ANNOTATION: changed(prior_labels={"a": None, "b": ""}, deselect=["k", "v"])})
    assert found is not None
    assert (found.prior_labels, found.deselect) == ({"a": None, "b": ""}, ("k", "v"))


def test_an_annotation_that_is_no_text_is_named() -> None:
    with pytest.raises(Blocked, match="annotations"):
        load({ANNOTATION: 7})  # type: ignore[dict-item]

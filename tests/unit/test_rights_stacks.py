"""The rights for nodes whose BGP another stack runs: with them drains and restores work there, all of them
are used, and without any one it is named, or the table says what happens then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from bgpctl.errors import BgpctlError
from bgpctl.install.rights import EXTRAS, OPERATOR, Right
from bgpctl.lab.api.requests import Answer
from bgpctl.providers.summary import summaries
from tests.support import direct
from tests.support.direct import Asked
from tests.support.rights import USER, granted, role_of, without
from tests.support.stack_runs import Runs
from tests.unit import test_calico_runs, test_cilium_runs, test_frr_k8s_runs

STACKS: dict[str, Callable[[], Runs[Any]]] = {
    "cilium": test_cilium_runs.fresh,
    "calico": test_calico_runs.fresh,
    "frr-k8s": test_frr_k8s_runs.fresh,
}
# MetalLB's kinds are in the cluster of frr-k8s too, which it may speak through.
EXTRA = {"cilium": ("cilium",), "calico": ("calico",), "frr-k8s": ("frr-k8s", "metallb")}
Used = tuple[str, str, str]


@dataclass
class Course:
    """What a drain, a restore and `providers` asked for, and how they ended."""

    used: set[Used] = field(default_factory=set)
    refused: set[Used] = field(default_factory=set)
    statuses: list[str] = field(default_factory=list)
    text: str = ""

    def wire(self, api: direct.Api) -> direct.Wire:
        return direct.Wire(api, user=USER, after=self._after)

    def _after(self, asked: Asked, answer: Answer) -> None:
        if asked.target is not None:
            what = asked.verb, asked.target.group, asked.resource
            (self.refused if answer.code == 403 else self.used).add(what)


def course(stack: str, rights: Sequence[Right]) -> Course:
    runs, told = STACKS[stack](), Course()
    runs.cluster.api.server.apply(*granted(rights, "role"))
    runs.wire = told.wire
    for command in ("drain", "restore"):
        try:
            result = runs.run(command)
        except BgpctlError as error:
            told.statuses.append("raised")
            told.text += error.message
        else:
            told.statuses.append(result.status)
            told.text += f"{result.message}\n{result.hint}\n{[step.text for step in result.steps]}"
    try:
        told.text += str(summaries(told.wire(runs.cluster.api).client()))
    except BgpctlError as error:
        told.statuses.append("raised")
        told.text += error.message
    return told


@cache
def whole(stack: str) -> Course:
    return course(stack, role_of(OPERATOR, EXTRA[stack]))


EACH = [
    pytest.param(stack, right, id=f"{stack}-{right.words.replace(' ', '-')}")
    for stack, extras in EXTRA.items()
    for extra in extras
    for row in EXTRAS[extra][OPERATOR]
    for right in row.each()
]


@pytest.mark.parametrize("stack", STACKS)
def test_with_the_extra_a_drain_and_a_restore_work(stack: str) -> None:
    told = whole(stack)
    assert told.statuses == ["done", "done"], told.text
    assert {what for what in told.refused if what[1] != "coordination.k8s.io"} == set()


@pytest.mark.parametrize(("stack", "right"), EACH)
def test_every_right_is_used(stack: str, right: Right) -> None:
    assert (right.verbs[0], right.group, right.resources[0]) in whole(stack).used


@pytest.mark.parametrize(("stack", "right"), EACH)
def test_without_it_something_says_so(stack: str, right: Right) -> None:
    told = course(stack, without(role_of(OPERATOR, EXTRA[stack]), right))
    verb, resource = right.verbs[0], right.resources[0]
    named = f'cannot {verb} resource "{resource}"' in told.text or f"{verb} {resource}" in told.text
    assert named or right.without, f"{told.statuses}: {told.text}"


def test_every_stack_has_the_same_rights_in_both_of_calicos_apis() -> None:
    assert EXTRAS["calico"].keys() == EXTRAS["calico-crd"].keys()

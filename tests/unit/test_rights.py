"""The table of rights, by taking away: with exactly a role the commands work, nothing in it is useless, and
without any single right of it a command names that right, or the table says what is missing then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from bgpctl.install.rights import EXTRAS, OPERATOR, READER, ROLES, Right, rights_of
from tests.support.rights import Person, Used, cluster, role_of, without
from tests.support.second_writer import POD

DRAIN = ("node", "drain", "worker-1", "--force", "--allow-last-path", "--allow-address-gap")
RESTORE = ("node", "restore", "worker-1")
COMMANDS: dict[str, Sequence[tuple[str, ...]]] = {
    READER: (
        ("peers", "status"),
        ("node", "status"),
        ("node", "estimate", "worker-1"),
        ("routes", "worker-1"),
        ("explain", "svc/default/web"),
        ("explain", "pod/default/web-1"),
        ("doctor",),
        ("providers",),
        ("forecast", "worker-1"),
        ("forecast", "--all"),
    ),
    OPERATOR: (
        (*DRAIN, "--dry-run"),
        DRAIN,
        DRAIN,  # what was told already is counted
        ("node", "status"),
        RESTORE,
        (*DRAIN, "--disable-eviction"),
        RESTORE,
        ("peers", "status"),
    ),
}
ALL = [
    pytest.param(role, right, id=f"{role}-{right.words.replace(' ', '-')}")
    for role in COMMANDS
    for row in role_of(role)
    for right in row.each()
]
Told = tuple[int, str]


Words = tuple[str, ...]


def played(role: str, rights: Sequence[Right], commands: Sequence[Words]) -> tuple[list[Told], Person]:
    """Commands, one after the other, by somebody who has these rights."""
    with cluster() as rig:
        person = Person(rig)
        person.give(rights)
        told = []
        for words in commands:
            rig.speak()
            if words[:2] == DRAIN[:2] and rig.admin.find(POD) is None:
                rig.add_pod()
            told.append(person.types(*words))
        return told, person


@cache
def whole(role: str) -> tuple[list[Told], Person]:
    """All of the role's commands, by somebody who has it."""
    return played(role, role_of(role), COMMANDS[role])


@cache
def alone(role: str, words: Words) -> tuple[list[Told], Person]:
    return played(role, role_of(role), [words])


def concerned(role: str, right: Right) -> Sequence[Words]:
    """The commands that use a right. Those of an operator build on each other, so they come together."""
    if role == OPERATOR:
        return COMMANDS[role]
    used = {words: alone(role, words)[1].used for words in COMMANDS[role]}
    return [words for words, what in used.items() if any(covers(right, one) for one in what)]


def covers(right: Right, used: Used) -> bool:
    verb, group, resource, namespace = used
    return (right.verbs[0], right.group, right.resources[0]) == (verb, group, resource) and (
        right.namespace in ("", namespace)
    )


@pytest.mark.parametrize("role", COMMANDS)
def test_with_exactly_its_role_everything_works(role: str) -> None:
    told, person = whole(role)
    allowed = {("get", "coordination.k8s.io", "leases", "medik8s-leases")}  # optional: an extra
    assert not person.refused - allowed
    for words, (code, text) in zip(COMMANDS[role], told, strict=True):
        assert code == 0 or words == ("doctor",), f"{words}: {code}\n{text}"


@pytest.mark.parametrize(("role", "right"), ALL)
def test_every_right_is_used(role: str, right: Right) -> None:
    _, person = whole(role)
    assert any(covers(right, used) for used in person.used)


@pytest.mark.parametrize(("role", "right"), ALL)
def test_without_it_a_command_names_it_or_goes_on(role: str, right: Right) -> None:
    commands = concerned(role, right)
    good = {words: code for words, (code, _) in zip(COMMANDS[role], whole(role)[0], strict=True)}
    told, person = played(role, without(role_of(role), right), commands)
    gone = [used for used in person.refused if covers(right, used)]
    assert gone, "nobody asked for it"
    failed = [text for words, (code, text) in zip(commands, told, strict=True) if code != good[words]]
    verb, resource = right.verbs[0], right.resources[0]
    if not failed:
        assert right.without, "every command goes on without it: the table must say what is missing then"
        return
    named = f'cannot {verb} resource "{resource}"', f"{verb} {resource}"
    assert any(word in failed[0] for word in named), failed[0]
    assert "Traceback" not in failed[0]


def test_no_right_is_given_twice() -> None:
    for role in ROLES:
        each = [
            (r.verbs, r.group, r.resources, r.namespace, r.names) for row in role_of(role) for r in row.each()
        ]
        assert len(each) == len(set(each)), sorted(one for one in each if each.count(one) > 1)


@pytest.mark.parametrize(("extra", "resource"), [("logs", "pods/log"), ("metrics", "pods/proxy")])
def test_what_a_reader_may_besides(extra: str, resource: str) -> None:
    """The lab's pods run no process: that they have nothing to say is not what this is about."""
    with cluster() as rig:
        person = Person(rig)
        person.give(role_of(READER, (extra,)))
        _, text = person.types(extra)
        assert not person.refused and "run no process" in text
        person.give(role_of(READER))
        code, text = person.types(extra)
        assert code == 1 and ("get", "", resource, "kube-system") in person.refused
        assert f'cannot get resource "{resource}"' in text or f"get {resource}" in text


UPGRADE = ("speaker", "upgrade", "--image", "localhost/bgpctl:2", "--dry-run", "--allow-route-loss")
NEEDED = [one for row in EXTRAS["upgrade"][OPERATOR] for one in row.each() if one.namespace != "kube-system"]


def test_who_upgrades() -> None:
    """A plan asks for what it would need."""
    with cluster() as rig:
        person = Person(rig)
        person.give(rights_of(OPERATOR, ("upgrade",), "kube-system"))
        code, text = person.types(*UPGRADE)
        assert code == 0 and not person.refused, text


@pytest.mark.parametrize("right", NEEDED, ids=lambda right: right.words)
def test_who_upgrades_without_a_right(right: Right) -> None:
    here = replace(right, namespace="kube-system")
    with cluster() as rig:
        person = Person(rig)
        person.give(without(rights_of(OPERATOR, ("upgrade",), "kube-system"), here))
        code, text = person.types(*UPGRADE)
    if right.without:
        assert code == 0
    else:
        assert code == 3 and f"the right to {right.verbs[0]} {right.resources[0]} is missing" in text

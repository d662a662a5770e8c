"""`auth check`: asks for everything, says what is missing, and prints roles that grant just that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from bgpctl.install.rights import OPERATOR, READER, Right
from bgpctl.lab.api.requests import Answer
from tests.support import direct
from tests.support.direct import Asked
from tests.support.rights import Person, cluster, role_of, without


@pytest.fixture
def person() -> Iterator[Person]:
    with cluster() as rig:
        yield Person(rig)


def eviction(role: str) -> Right:
    each = (one for right in role_of(role) for one in right.each())
    return next(one for one in each if one.resources == ("pods/eviction",))


def test_all_there(person: Person) -> None:
    person.give(role_of(OPERATOR))
    code, text = person.types("auth", "check", "--for", "drain")
    assert code == 0
    assert text.startswith("node-operator: all of ")


def test_one_that_is_needed_is_missing(person: Person) -> None:
    person.give(without(role_of(OPERATOR), eviction(OPERATOR)))
    code, text = person.types("auth", "check")
    assert code == 1
    assert "create pods/eviction" in text and "it refuses" in text
    assert text.strip().splitlines()[-1].startswith("node-operator: 1 of ")


@pytest.mark.parametrize("role", [OPERATOR, READER])
def test_the_roles_it_prints_grant_what_was_missing(person: Person, role: str) -> None:
    code, text = person.types("auth", "check", "--for", role, "-o", "json")
    found = json.loads(text)
    assert (code, found["status"]) == (1, "failed")
    assert len(found["missing"]) + len(found["optional"]) == found["asked"]
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "User", "name": "somebody", "apiGroup": group}
    for one in found["grants"]:
        meta, kind = one["metadata"], one["kind"]
        binding = {"apiVersion": f"{group}/v1", "kind": f"{kind}Binding", "metadata": dict(meta)}
        reference = {"apiGroup": group, "kind": kind, "name": meta["name"]}
        person.rig.server.apply(one, {**binding, "roleRef": reference, "subjects": [subject]})
    code, text = person.types("auth", "check", "--for", role, "-o", "json")
    assert (code, json.loads(text)["missing"], json.loads(text)["optional"]) == (0, [], [])


def test_what_is_optional_is_no_failure(person: Person) -> None:
    kept = [one for right in role_of(OPERATOR) for one in right.each() if not one.without]
    person.give(kept)
    code, text = person.types("auth", "check")
    assert code == 0
    assert "without which it goes on" in text.strip().splitlines()[-1]


def test_the_yaml_in_the_text_can_be_pasted(person: Person) -> None:
    _, text = person.types("auth", "check", "--for", "reader")
    block = text[text.index("apiVersion:") : text.rindex("reader: ")]
    kinds = [one["kind"] for one in yaml.safe_load_all(block)]
    assert kinds == ["ClusterRole", "Role"]


def test_whoever_installs(person: Person) -> None:
    code, text = person.types("auth", "check", "--for", "install")
    assert code == 1
    assert "create daemonsets.apps" in text


@pytest.mark.parametrize("words", [("--extras", "nothing"), ("--for", "nothing"), ("-n", "A B")])
def test_bad_input(person: Person, words: tuple[str, str]) -> None:
    code, text = person.types("auth", "check", *words)
    assert code == 2 and text.startswith("error: ")


@pytest.mark.parametrize("status", [None, [], {}, {"allowed": None}, {"allowed": "true"}])
def test_no_word_is_not_a_yes(person: Person, status: object) -> None:
    def silent(asked: Asked) -> Answer | None:
        reviews = asked.target is not None and asked.target.group == "authorization.k8s.io"
        return Answer(201, json.dumps({"status": status}).encode()) if reviews else None

    person.wire = lambda: direct.Wire(person.rig.api, before=silent)  # type: ignore[method-assign]
    code, text = person.types("auth", "check")
    assert code == 1, text
    assert "the API server does not say whether you may " in text and "are there" not in text

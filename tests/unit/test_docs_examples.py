"""docs/examples/: every file is one that bgpctl takes, and announces what it says it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bgpctl.core.intent.compile import compile_intent
from bgpctl.documents.check import check_files
from bgpctl.documents.files import load_documents, objects_from_documents
from tests.support.cli import bgpctl
from tests.support.pages import ROOT

EXAMPLES = ROOT / "docs" / "examples"
POLICIES = sorted(set(EXAMPLES.glob("*.yaml")) - {EXAMPLES / "defaults.yaml"})


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.name)
def test_policy_check_finds_nothing(file: Path) -> None:
    report = check_files([file])
    assert (report.problems, report.warnings) == ((), ())
    assert {checked.verdict.value for checked in report.documents} == {"valid"}


def test_config_check_takes_the_defaults() -> None:
    ran = bgpctl("config", "check", BGPCTL_CONFIG=str(EXAMPLES / "defaults.yaml"))
    assert ran.code == 0, ran.err


def test_every_file_is_in_the_list_and_there_are_no_others() -> None:
    listed = re.findall(r"\]\(([\w-]+\.yaml)\)", (EXAMPLES / "README.md").read_text())
    assert sorted(listed) == sorted(file.name for file in EXAMPLES.glob("*.yaml"))


def test_the_state_file_announces_a_pod_cidr_and_an_address() -> None:
    objects = objects_from_documents(load_documents([EXAMPLES / "state.yaml"]), "worker-1")
    intent = compile_intent(objects, "worker-1")
    assert not intent.problems
    assert {str(route.prefix) for table in intent.routes.values() for route in table.values()} == {
        "10.244.1.0/24",
        "203.0.113.10/32",
    }


def test_together_they_have_what_the_list_promises() -> None:
    text = "".join(file.read_text() for file in POLICIES)
    for what in ("authSecretRef", "gracefulRestart", "ebgpMultihop", "2001:db8::", "afi: ipv6"):
        assert what in text

"""bgpctl's own annotations: who decides about the N bit, and what nonsense costs."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.intent.compile import ClusterObjects, compile_intent
from bgpctl.core.policy.annotations import (
    GRACEFUL_NOTIFICATION,
    GRACEFUL_SHUTDOWN_SOAK,
    LEAVE,
    LONGEST_RUN,
    node_settings,
    unfinished,
)
from bgpctl.core.policy.peering import parse_policy
from bgpctl.core.policy.v2.peer import parse_peer_config
from bgpctl.documents.check import check_files
from bgpctl.errors import Exit
from bgpctl.runbooks.journal import Journal, dump
from tests.support import v2
from tests.support.documents import Write, write
from tests.support.objects import neighbor, node, policy, router

__all__ = ["write"]

ON, OFF = {GRACEFUL_NOTIFICATION: "true"}, {GRACEFUL_NOTIFICATION: "false"}
PATH = f"metadata.annotations[{GRACEFUL_NOTIFICATION}]"
RESTART = {"enabled": True}


def annotated(document: Any, annotations: dict[str, str]) -> Any:
    return {**document, "metadata": {**document["metadata"], "annotations": annotations}}


def peering(annotations: dict[str, str], **fields: Any) -> Any:
    return annotated(policy(router(neighbor("10.0.0.1/32", **fields))), annotations)


@pytest.mark.parametrize(
    ("on_policy", "on_node", "restart", "expected"),
    [
        ({}, {}, RESTART, False),
        (ON, {}, RESTART, True),
        (OFF, {}, RESTART, False),
        ({}, ON, RESTART, True),
        (OFF, ON, RESTART, True),
        (ON, OFF, RESTART, False),
        (ON, {}, {"enabled": False}, False),
        ({}, ON, None, False),
        (ON, {GRACEFUL_NOTIFICATION: "yes"}, RESTART, True),
        ({GRACEFUL_NOTIFICATION: "True"}, {}, RESTART, False),
    ],
)
def test_who_decides(
    on_policy: dict[str, str], on_node: dict[str, str], restart: dict[str, bool] | None, expected: bool
) -> None:
    fields = {"gracefulRestart": restart} if restart else {}
    old = ClusterObjects(node=annotated(node(), on_node), policies=[peering(on_policy, **fields)])
    settings = annotated(v2.peer_config(**fields), on_policy)
    new = ClusterObjects(
        node=annotated(node(), on_node), cluster_configs=[v2.cluster_config()], peer_configs=[settings]
    )
    for objects in (old, new):
        (peer,) = compile_intent(objects, "worker-1").peers
        assert peer.graceful_notification is expected


@pytest.mark.parametrize("read", [parse_policy, parse_peer_config])
def test_nonsense_is_a_fault_in_a_file_and_costs_no_object_of_a_cluster(read: Any) -> None:
    fields = {"gracefulRestart": RESTART}
    document = (
        peering({GRACEFUL_NOTIFICATION: "on"}, **fields)
        if read is parse_policy
        else annotated(v2.peer_config(**fields), {GRACEFUL_NOTIFICATION: "on"})
    )
    (problem,) = read(document, "x.yaml").problems
    assert (problem.path, problem.message) == (PATH, 'must be "true" or "false"; it is "on"')
    lenient = read(document, "", strict=False)
    assert lenient.problems == () and PATH in [warning.path for warning in lenient.warnings]


def test_a_node_says_what_is_wrong() -> None:
    settings, faults = node_settings({GRACEFUL_NOTIFICATION: ""})
    assert settings.graceful_notification is None
    assert faults == (f'annotation {GRACEFUL_NOTIFICATION}: must be "true" or "false"; it is ""',)
    objects = ClusterObjects(node=annotated(node(), ON), policies=[peering({})])
    assert f"warning: annotation {GRACEFUL_NOTIFICATION} has no effect" in "\n".join(
        compile_intent(objects, "worker-1").problems
    )


@pytest.mark.parametrize(
    ("documents", "code", "path", "words"),
    [
        ((annotated(node(), {GRACEFUL_NOTIFICATION: "1"}),), Exit.USAGE, "metadata.annotations", "must be"),
        ((peering({GRACEFUL_NOTIFICATION: "1"}),), Exit.USAGE, PATH, "must be"),
        ((peering(ON),), Exit.DONE, PATH, "has no effect for 10.0.0.1: graceful restart is off there"),
        ((annotated(v2.peer_config(), ON),), Exit.DONE, PATH, "has no effect for its peers"),
        ((annotated(node(), ON), peering({})), Exit.DONE, PATH, "graceful restart is off for every peer"),
    ],
)
def test_policy_check_lists_it(write: Write, documents: Any, code: Exit, path: str, words: str) -> None:
    report = check_files([write(*documents)])
    assert report.exit_code is code
    found = {problem.path: problem.message for problem in (*report.problems, *report.warnings)}
    assert words in found[path]


def test_policy_check_has_nothing_against_one_that_works(write: Write) -> None:
    report = check_files([write(annotated(node(), OFF), peering(ON, gracefulRestart=RESTART))])
    assert report.problems == report.warnings == ()


@pytest.mark.parametrize(
    ("soak", "seconds", "problems"),
    [
        ("1m30s", 90.0, ()),
        (
            "soon",
            None,
            (f'annotation {GRACEFUL_SHUTDOWN_SOAK}: must be a duration like 5s or 1m30s; it is "soon"',),
        ),
    ],
)
def test_the_soak_of_a_node(soak: str, seconds: float | None, problems: tuple[str, ...]) -> None:
    settings, found = node_settings({GRACEFUL_SHUTDOWN_SOAK: soak})
    assert (settings.soak, found) == (seconds, problems)


def test_the_names_that_people_and_machines_write() -> None:
    names = (GRACEFUL_NOTIFICATION, GRACEFUL_SHUTDOWN_SOAK, LEAVE)
    assert names == tuple(
        f"bgpctl.io/{name}" for name in ("graceful-notification", "graceful-shutdown-soak", "leave")
    )


# --- the run that is not done


@pytest.mark.parametrize("command", ["drain", "restore", "restart"])
def test_a_run_is_not_done_before_its_last_step(command: str) -> None:
    journal = Journal("r", command, "guide", "me", 1_800_000_000.5, steps={"Claimed": 1.0, "Cordoned": 2.0})
    assert unfinished(dump(journal)) == (command, 1_800_000_000.5)
    assert unfinished(dump(journal.with_step("ShutDown", 3.0, {}))) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"command": "drain"}',
        '{"command": "reboot", "started_at": 1, "steps": {}}',
        '{"command": ["drain"], "started_at": 1, "steps": {}}',
        '{"command": "drain", "started_at": -1, "steps": {}}',
        '{"command": "drain", "started_at": 1, "steps": []}',
        "[" * 100_000,
        " " * (LONGEST_RUN + 1),
    ],
)
def test_what_is_no_journal_is_no_run(text: str) -> None:
    assert unfinished(text) is None

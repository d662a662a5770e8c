"""`speaker upgrade`: what it says of the DaemonSet is so, also where an answer was lost or somebody wrote."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.preflight.rollout import ANNOTATION, Rollout, begin
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.engine import Events
from bgpctl.runbooks.journal import ANNOTATION as JOURNAL
from bgpctl.runbooks.journal import Journal, dump
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.upgrade import PATCHED, UNCHANGED, _Work, plan, upgrade
from bgpctl.runbooks.upgrade_look import Left, Look, UpgradeOptions
from tests.support.apiserver import running
from tests.support.clients import client

Document = dict[str, Any]

PATH = "/apis/apps/v1/namespaces/bgp/daemonsets/bgpctl-speaker"
LABELS = {"app.kubernetes.io/name": "bgpctl-speaker"}
OLD, NEW = "quay.io/example/speaker:v1", "quay.io/example/speaker:v2"
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
HELD = "keeps updateStrategy OnDelete: no other node is touched meanwhile"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with running() as api:
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bgp"}})
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "s", "image": OLD}]}}
        spec = {"selector": {"matchLabels": LABELS}, "updateStrategy": ROLLING, "template": template}
        metadata = {"name": "bgpctl-speaker", "namespace": "bgp"}
        api.apply({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})
        yield api


@pytest.fixture
def work(server: ApiServer) -> _Work:
    typed = CommandLine(("bgpctl", "speaker", "upgrade", "--image", NEW))
    selector = "app.kubernetes.io/name=bgpctl-speaker"
    return _Work(client(server), UpgradeOptions(NEW, selector, typed=typed))


def patched(work: _Work) -> None:
    one = work.begin()
    list(work._patch(PATCHED, one, begin(one, NEW, work.containers)))


def hint(work: _Work) -> str:
    return " ".join(work.result("blocked", "why").hint.split())


def test_the_hint_says_how_the_daemonset_is_now(server: ApiServer, work: _Work) -> None:
    assert UNCHANGED in hint(work)
    patched(work)
    assert HELD in hint(work)
    client(server).patch(PATH, {"spec": {"updateStrategy": ROLLING}})
    assert "has updateStrategy RollingUpdate" in hint(work) and "OnDelete" not in hint(work)
    server.faults.add(Fault("answer", resource="daemonsets", code=503))
    assert "cannot be seen" in hint(work)


@pytest.mark.parametrize(("effect", "told"), [("cut", HELD), ("drop", "has updateStrategy RollingUpdate")])
def test_a_patch_whose_answer_is_lost(server: ApiServer, work: _Work, effect: str, told: str) -> None:
    server.faults.add(Fault(effect, "patch", "daemonsets"))
    with contextlib.suppress(BgpctlError):
        patched(work)
    assert told in hint(work) and UNCHANGED not in hint(work)


def test_one_that_goes_on_and_is_refused(server: ApiServer, work: _Work) -> None:
    """An earlier run left it half done: "not changed" would be of this run alone."""
    patched(work)
    again = _Work(work.client, work.options)
    assert HELD in hint(again)
    assert ANNOTATION in client(server).get(PATH)["metadata"]["annotations"]


def test_an_annotation_that_was_taken_away_meanwhile(server: ApiServer, work: _Work) -> None:
    """Nobody else knows the update strategy any more: "done" would leave it at OnDelete without a word."""
    run = work.all()
    while next(run).step != PATCHED:
        pass
    client(server).patch(PATH, {"metadata": {"annotations": {ANNOTATION: None}}})
    with pytest.raises(Blocked) as told:
        list(run)
    assert told.value.hint.startswith("to give it back: kubectl patch daemonset bgpctl-speaker -n bgp ")
    assert f"-p '{json.dumps({'spec': {'updateStrategy': ROLLING}})}'" in told.value.hint
    assert f"annotation {ANNOTATION}" in told.value.message


@pytest.mark.parametrize("written", ["\x1b[31mno", "[]", '{"type": "Boom"}', "[" * 2000])
def test_an_annotation_that_cannot_be_read(server: ApiServer, work: _Work, written: str) -> None:
    client(server).patch(PATH, {"metadata": {"annotations": {ANNOTATION: written}}})
    with pytest.raises(Blocked) as told:
        work.begin()
    assert f"annotation {ANNOTATION}" in told.value.message
    assert told.value.hint.endswith(f"kubectl annotate daemonset bgpctl-speaker -n bgp {ANNOTATION}-")


def test_a_node_that_is_drained_is_left_out_or_brought_back(server: ApiServer, work: _Work) -> None:
    """`--allow-route-loss`, which `Withdrawn` would ask for, helps there least."""
    for name in ("one", "two"):
        server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    journal = dump(Journal("7", "drain", "evict-first", "somebody", 1.0))
    write = {"metadata": {"annotations": {JOURNAL: journal}}}
    client(server).patch("/api/v1/nodes/two", write)
    work.todo = ("one", "two")
    with pytest.raises(Blocked) as told:
        work._graceful(Rollout("ns", "speakers", "/ds", "a=b", (), {}))
    assert told.value.message == "two: drain 7 has the node"
    assert "--nodes one" in told.value.hint and "--allow-route-loss" not in told.value.hint


def test_where_nothing_is_left_nothing_is_written(server: ApiServer, work: _Work) -> None:
    image = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": NEW}
    client(server).patch(PATH, [image], "json")
    before = client(server).get(PATH)
    assert _last(upgrade(work.client, work.options)).status == "done"
    planned = _last(plan(work.client, work.options))
    assert (planned.status, planned.message) == ("planned", f"every speaker runs {NEW}")
    assert client(server).get(PATH) == before


def test_what_is_said_of_the_routers_is_of_this_run(work: _Work) -> None:
    """The run before may have stopped because a router lost routes: the next one said that none did."""
    work.todo, work.evidence = ("two",), {"two": {"watched": True}}
    assert work.done() == f"every speaker runs {NEW}; no router lost a route"
    work.before = ("one",)
    assert work.done() == f"every speaker runs {NEW}; no router lost a route while two restarted"


def test_the_nodes_that_were_left_out_have_a_command(work: _Work) -> None:
    work.todo, work.out = ("one",), ("two", "three")
    told = work.result("done", work.done()).hint
    assert told == f"for the others: bgpctl speaker upgrade --image {NEW} --nodes two,three"


def test_a_pod_that_came_meanwhile_is_seen_before_the_strategy_is_given_back(
    server: ApiServer, work: _Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that joins during the pulls has a pod of the old template: the DaemonSet's controller would
    replace it by itself, watched by nobody (issue 7)."""
    restarted: list[str] = []
    monkeypatch.setattr(_Work, "_restart", lambda self, node, more: iter(restarted.append(node) or ()))
    run = work.all()
    while next(run).step != PATCHED:
        pass
    server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "late"}})
    spec = {"nodeName": "late", "containers": [{"name": "s", "image": OLD}]}
    pod = {"metadata": {"name": "speaker-late", "labels": LABELS}, "spec": spec}
    work.client.create("/api/v1/namespaces/bgp/pods", pod)
    with pytest.raises(Blocked) as told:
        list(run)
    assert told.value.message == "late: a pod of the old image came meanwhile"
    assert work.client.get(PATH)["spec"]["updateStrategy"] == {"type": "OnDelete"}


@pytest.mark.parametrize("gone", ["container", "node"])
def test_what_is_gone_in_the_middle_is_no_usage_error(
    work: _Work, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """Exit code 2 says that nothing was changed."""
    options = replace(work.options, containers=("s",), probes=())
    monkeypatch.setattr(Look, "left", lambda self, one, containers: Left(("one",), ()))
    monkeypatch.setattr(_Work, "_graceful", lambda self, one: None)
    monkeypatch.setattr(_Work, "_pull", lambda self, one: iter(()))
    run = upgrade(work.client, options)
    while next(run).step != PATCHED:
        pass
    if gone == "container":
        name = {"op": "replace", "path": "/spec/template/spec/containers/0/name", "value": "other"}
        work.client.patch(PATH, [name], "json")
    result = _last(run)
    assert (result.status, result.exit_code) == ("blocked", 3)
    assert ("has no container s" if gone == "container" else "one does not exist") in result.message
    assert HELD in " ".join(result.hint.split())


def _last(run: Events) -> Result:
    while True:
        try:
            next(run)
        except StopIteration as stop:
            found: Result = stop.value
            return found

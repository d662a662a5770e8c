"""Whatever a client sends, the embedded API answers it as a mistake of the client, and lives on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.eviction import SEVERAL_BUDGETS
from bgpctl.lab.api.resources import Resource
from tests.support.apiserver import APPLY, JSON, MERGE, STRATEGIC, TABLE, RawClient, running
from tests.support.cluster_documents import budget, nodes, service, workload

pytestmark = pytest.mark.integration

SCALARS = [None, True, 0, -1, 1.5, "", "x", "default", "worker-1", "All", "1", [], {}]
WORDS = (
    "apiVersion kind metadata name namespace labels spec status containers selector template "
    "replicas ports port finalizers ownerReferences uid conditions type taints nodeName "
    "deleteOptions preconditions dryRun group names versions scope plural matchLabels "
    "matchExpressions managedFields resourceVersion deletionTimestamp generateName annotations "
    "minAvailable podCIDR podCIDRs data stringData op path value gracePeriodSeconds endpoints "
    "addressType schema unschedulable"
)
NAMES = tuple(WORDS.split())


@pytest.fixture
def server(capfd: pytest.CaptureFixture[str]) -> Iterator[ApiServer]:
    with running() as started:
        started.apply(*nodes(2), service(), budget(minAvailable=1))
        started.apply(workload("Deployment", replicas=2), workload("DaemonSet", "agent"))
        yield started
    assert "lab API:" not in capfd.readouterr().err  # neither a handler nor a controller failed


def nonsense(dice: random.Random, depth: int = 0) -> Any:
    """A JSON value made of names and values that mean something, in places where they do not."""
    kind = dice.random()
    if depth > 3 or kind < 0.5:
        return dice.choice(SCALARS)
    if kind < 0.65:
        return [nonsense(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    return {dice.choice(NAMES): nonsense(dice, depth + 1) for _ in range(dice.randint(1, 6))}


def request(dice: random.Random, resource: Resource) -> tuple[str, str, Any, dict[str, str]]:
    """(method, path, body, headers) of a request that no sane client sends"""
    group = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    base = f"{group}{'/namespaces/default' if resource.namespaced else ''}/{resource.plural}"
    name = dice.choice(["web", "worker-1", "x", "default", "agent"])
    method = dice.choice(["POST", "PUT", "PATCH", "DELETE", "GET"])
    below = dice.choice(["", "", "/status", "/scale", "/eviction"])
    path = base if method == "POST" and below != "/eviction" else f"{base}/{name}{below}"
    body = nonsense(dice)
    if isinstance(body, dict) and dice.random() < 0.7 and isinstance(body.setdefault("metadata", {}), dict):
        body["metadata"].setdefault("name", name)
    kind = dice.choice([MERGE, JSON, STRATEGIC, APPLY]) if method == "PATCH" else "application/json"
    if kind == APPLY:
        path += "?fieldManager=nonsense"
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            **(body if isinstance(body, dict) else {}),
        }
    return method, path, body, {"Content-Type": kind}


@pytest.mark.parametrize("seed", range(4))
def test_nonsense_is_the_clients_mistake(server: ApiServer, tmp_path: Path, seed: int) -> None:
    server.write_kubeconfig(tmp_path / "kubeconfig")
    api, dice = RawClient(tmp_path / "kubeconfig"), random.Random(seed)
    for _ in range(400):
        method, path, body, headers = request(dice, dice.choice(server.registry.all()))
        reply = api.request(method, path, None if method == "GET" else body, headers)
        known = reply.body.get("message") == SEVERAL_BUDGETS
        assert reply.code < 500 or known, f"{method} {path} {headers} {json.dumps(body)}: {reply.body}"
    for resource in server.registry.all():
        group = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
        api.request("GET", f"{group}/{resource.plural}", None, {"Accept": TABLE}).ok()

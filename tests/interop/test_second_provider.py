"""A second BGP stack, which tells and can do far less than our own: every command works with it, and says
what it does not know. Its nodes are real gobgpd processes, the router is a real BIRD that keeps routes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bgpctl import providers
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.lab.api import ApiServer
from bgpctl.lab.stacks.gobgp import Gobgp
from bgpctl.witness.model import RouteState
from bgpctl.witness.probe import Probe
from tests.support import apiserver, clients, objects
from tests.support.cli import inside
from tests.support.kinds import KINDS
from tests.support.require import require
from tests.support.routers import PORT, ROUTER_ASN, Workshop
from tests.support.sessions_stack import PATH, Agent, Sessions, config, crd
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

NODE, OTHER = NAMES = ("worker-1", "worker-2")
ODD = "worker-3"  # nobody runs there, and what its object says is garbage
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
PREFIXES = ("10.20.1.0/24", "203.0.113.7/32")


@dataclass
class Stack:
    """Two nodes and their router."""

    server: ApiServer
    client: Client
    probe: Probe
    kubeconfig: Path
    addresses: dict[str, str]

    def routes(self, node: str) -> int:
        answer = self.probe.routes_from(self.addresses[node])
        return len([path for path in answer.paths if not path.stale])

    def any(self, node: str) -> RouteState:
        return self.probe.routes_from(self.addresses[node]).routes

    def objects(self) -> dict[str, Any]:
        """What a run might leave behind."""
        nodes = {d["metadata"]["name"]: d for d in self.client.items(paths.NODES)}
        configs = {d["metadata"]["name"]: d["spec"] for d in self.client.items(PATH)}
        return {
            "nodes": {
                n: (d.get("spec"), d["metadata"].get("annotations"), d["metadata"].get("labels"))
                for n, d in nodes.items()
            },
            "configs": configs,
        }

    def bgpctl(self, *arguments: str) -> tuple[int, str]:
        return inside(*arguments, kubeconfig=self.kubeconfig)

    def document(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out = self.bgpctl(*arguments, "-o", "json")
        return code, json.loads(out.splitlines()[-1] if arguments[1] in ("drain", "restore") else out)

    def restore(self) -> None:
        probe = f"bird={self.probe.target}"
        code, back = self.document("node", "restore", NODE, "--router-probe", probe, "--timeout", "30")
        assert (code, back["status"], back.get("proof")) == (0, "done", "confirmed"), back
        eventually(lambda: self.routes(NODE) == len(PREFIXES), 10)


ROW: Any = SimpleNamespace(provider=Sessions, speaks=lambda client: True)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    require("bird")
    require("gobgp")
    with pytest.MonkeyPatch.context() as patch, Workshop.running() as workshop, apiserver.running() as server:
        patch.setitem(providers.TABLE, "sessions", providers.Row(lambda: ROW))
        patch.setattr(providers, "DEFAULT", "sessions")
        lab = workshop.router("bird")
        server.apply(*KINDS, crd(), *map(config, NAMES))
        server.apply(*(objects.node(name, status=READY) for name in (*NAMES, ODD)))
        client = clients.client(server)
        kubeconfig = workshop.directory / "kubeconfig"
        kubeconfig.write_text(server.kubeconfig())
        spec = lab.router.spec
        made = Stack(server, client, lab.probe, kubeconfig, {})
        agents = []
        for name, neighbor in zip(NAMES, lab.nodes, strict=True):
            made.addresses[name] = neighbor.address
            router = spec.address, PORT, ROUTER_ASN
            engine = Gobgp(neighbor.address, neighbor.asn, *router, restart=10)
            agents.append(Agent(client, name, engine, PREFIXES))
        with agents[0].running(workshop.directory / "one"), agents[1].running(workshop.directory / "two"):
            for name in NAMES:
                eventually(lambda name=name: made.routes(name) == len(PREFIXES), 30)
                eventually(lambda name=name: _told(client, name), 10)
            yield made


def _told(client: Client, name: str) -> bool:
    """Does the stack say that its session is up?"""
    sessions = (client.get(f"{PATH}/{name}").get("status") or {}).get("sessions") or [{}]
    return sessions[0].get("up") is True


def test_a_node_leaves_and_comes_back_with_a_stack_that_only_tells_its_sessions(stack: Stack) -> None:
    before = stack.objects()
    probe = f"bird={stack.probe.target}"

    code, planned = stack.document("node", "drain", NODE, "--dry-run", "--router-probe", probe)
    assert (code, planned["status"]) == (0, "planned"), planned
    assert stack.objects() == before, "looking changes nothing"
    steps = {step["step"]: step["text"] for step in planned["steps"]}
    assert steps["Deselected"] == "disable its SessionConfig"

    code, drained = stack.document("node", "drain", NODE, "--router-probe", probe, "--settle", "0")
    assert (code, drained["status"], drained.get("proof")) == (0, "done", "confirmed"), drained
    assert stack.any(NODE) is RouteState.ABSENT
    assert stack.routes(OTHER) == len(PREFIXES)

    code, status = stack.document("node", "status", NODE)
    assert status["nodes"][0]["service"] == "drained"

    stack.restore()
    assert stack.objects() == before, "everything is as it was"


def test_without_a_router_to_ask_it_waits_for_what_a_close_may_cost(stack: Stack) -> None:
    """The stack says that it closed, not that it withdrew: the worst case of a Cease, not of a withdraw."""
    code, drained = stack.document("node", "drain", NODE, "--settle", "0", "--timeout", "60")
    assert (code, drained["status"], drained.get("proof")) == (0, "done", "estimated"), drained
    assert stack.any(NODE) is RouteState.ABSENT
    assert drained["evidence"]["worstSeconds"] >= 5
    stack.restore()
    (leave,) = [
        one for one in stack.document("node", "estimate", OTHER)[1]["estimates"] if one["event"] == "deselect"
    ]
    assert "withdraw" not in leave["why"].lower()


def test_what_only_looks_says_what_is_not_known(stack: Stack) -> None:
    code, out = stack.bgpctl("peers", "status")
    assert code == 0 and "all 2 sessions established" in out
    code, out = stack.bgpctl("peers", "status", "-o", "wide")
    assert code == 0 and " ? " in out, "whether it sent End-of-RIB nobody tells"
    code, out = stack.bgpctl("node", "status")
    assert code == 0 and "in-service" in out
    code, out = stack.bgpctl("routes")
    assert "cannot be told from outside" in out
    code, out = stack.bgpctl("node", "drain", NODE, "--dry-run")
    assert "whether another node announces the same addresses cannot be told from outside" in out


def test_a_lever_that_somebody_turns_back_is_pulled_again(stack: Stack) -> None:
    """A session that comes back in the middle is no "gone"."""
    probe = f"bird={stack.probe.target}"
    code, drained = stack.document(
        "node", "drain", NODE, "--router-probe", probe, "--settle", "0", "--shutdown-command", "false"
    )
    assert drained["status"] == "blocked", drained
    stack.client.patch(f"{PATH}/{NODE}", {"spec": {"enabled": True}})
    eventually(lambda: stack.routes(NODE) == len(PREFIXES), 30)
    code, status = stack.document("node", "status", NODE)
    assert status["nodes"][0]["service"] != "drained"
    code, again = stack.document("node", "drain", NODE, "--router-probe", probe, "--settle", "0")
    assert (code, again.get("proof")) == (0, "confirmed"), again
    assert stack.any(NODE) is RouteState.ABSENT
    stack.restore()


def test_an_object_that_cannot_be_read_starts_no_drain(stack: Stack) -> None:
    stack.server.apply(config(ODD))
    stack.client.patch(f"{PATH}/{ODD}/status", {"status": {"sessions": "garbage"}})
    before = stack.objects()
    code, out = stack.bgpctl("node", "drain", ODD, "--timeout", "20")
    assert code == 3 and "cannot be read" in out
    assert stack.objects() == before

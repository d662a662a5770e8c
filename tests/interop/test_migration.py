"""docs/migrate-from-cilium.md, as it stands there: from Cilium's BGP to our speaker and back. A real
gobgpd per node for Cilium, a real speaker per node for us, and a real BIRD, which is asked all the time."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml

from bgpctl.core.cilium import copies, states
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.kube.config import load_access
from bgpctl.lab.stacks.announced import prefixes
from bgpctl.lab.stacks.cilium import documents
from bgpctl.lab.stacks.cilium.agent import Agent
from bgpctl.lab.stacks.cilium.client import daemonset, played
from bgpctl.lab.stacks.cilium.operator import Operator
from bgpctl.lab.stacks.gobgp import Gobgp
from bgpctl.lab.stacks.rounds import at_work
from tests.support import apiserver, objects
from tests.support.birdctl import Bird
from tests.support.cli import inside
from tests.support.kinds import KINDS
from tests.support.require import require
from tests.support.routers import PORT, ROUTER_ASN, Workshop
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.interop

DOCUMENT = Path(__file__).parents[2] / "docs" / "migrate-from-cilium.md"
NAMES = ("worker-1", "worker-2")
SELECTED = {"enable-bgp": "true"}
EXPOSED = {"expose": "bgp"}
VIP = "203.0.113.7"
OURS = "65001:77"  # a community that only our speaker sends: the emulated agents know none
CADENCE = 1.0


def commands(heading: str) -> list[str]:
    """What the document says to type in one of its parts."""
    part = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.M | re.S)
    assert part, heading
    blocks = re.findall(r"```console\n(.*?)```", part[1], re.S)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@dataclass
class Cluster:
    """Two nodes, Cilium and a speaker of ours on each, and their router. `seen`: by node what the router had
    of it, look by look: the prefixes, and whose they were."""

    client: Client
    bird: Path
    kubeconfig: Path
    agents: dict[str, Agent]
    speakers: dict[str, SpeakerProcess] = field(default_factory=dict)
    seen: dict[str, list[tuple[frozenset[str], str]]] = field(default_factory=dict)

    def type(self, command: str, node: str) -> None:
        """As it stands in the document, for this node. It has to end with 0."""
        words = shlex.split(command.replace(NAMES[0], node))
        if words[1:3] == ["peers", "status"]:  # a stack tells of its sessions some seconds late
            eventually(lambda: inside(*words[1:], kubeconfig=self.kubeconfig)[0] == 0, 30, why=command)
        if words[0] == "bgpctl":
            code, out = inside(*words[1:], kubeconfig=self.kubeconfig)
        else:
            environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
            done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=30)
            code, out = done.returncode, done.stdout + done.stderr
        assert code == 0, f"{shlex.join(words)}\n{out}\n{self.speakers[node].log[-3000:]}"

    def told(self, *words: str) -> str:
        code, out = inside(*words, kubeconfig=self.kubeconfig)
        assert code == 0, out
        return out

    def has(self, bird: Bird, number: int) -> tuple[frozenset[str], str]:
        told = bird.ask(f"show route all protocol node{number} table master4")
        found = frozenset(re.findall(r"(\d+\.\d+\.\d+\.\d+/\d+) ", told))
        marks = told.count(OURS.replace(":", ","))
        return found, "" if not found else "bgpctl" if marks == len(found) else "both" if marks else "cilium"

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Twenty times a second the router is asked, while it lasts."""
        over, bird = threading.Event(), Bird(self.bird)
        self.seen = {name: [] for name in NAMES}

        def rounds() -> None:
            while not over.wait(0.05):
                for number, name in enumerate(NAMES, 1):
                    self.seen[name].append(self.has(bird, number))

        thread = threading.Thread(target=rounds, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(5)

    def whose(self, node: str) -> list[str]:
        """Who announced for a node, in turn; "" = nobody."""
        found: list[str] = []
        for _, who in self.seen[node]:
            if who not in found[-1:]:
                found.append(who)
        return found

    def ready(self, node: str) -> tuple[int, str]:
        """What its speaker answers to its kubelet."""
        try:
            with urlopen(f"http://{self.speakers[node].listen}/readyz", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def phase(self, node: str) -> str:
        state = self.client.find(paths.node_state(node)) or {}
        return str((state.get("status") or {}).get("phase"))


def described(addresses: dict[str, str], asns: dict[str, int], router: str) -> Iterator[dict[str, Any]]:
    yield from (*KINDS, documents.crd(), daemonset())
    for number, (name, address) in enumerate(addresses.items(), 1):
        told = {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": address}],
        }
        spec = {"podCIDRs": [f"10.20.{number}.0/24"]}
        yield objects.node(name, labels=SELECTED, status=told, spec=spec)
        yield documents.cilium_node(name, SELECTED)
        yield {
            "apiVersion": documents.API,
            "kind": "CiliumBGPNodeConfigOverride",
            "metadata": {"name": name},
            "spec": {"bgpInstances": [{"name": "main", "localASN": asns[name]}]},
        }
    yield objects.service("web", VIP, ports=[{"port": 80}], labels=EXPOSED)
    yield objects.endpoint_slice("web", *(objects.endpoint(name) for name in NAMES))
    chosen = documents.advertisement("bgp", {"advertise": "bgp"}, EXPOSED)
    for one in chosen["spec"]["advertisements"]:
        one["attributes"] = {"communities": {"standard": [OURS]}}
    yield chosen
    yield documents.peer_config("pc", port=PORT)
    yield documents.cluster_config("cc", documents.peer("tor", router, "pc", ROUTER_ASN), selector=SELECTED)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    for part in ("bird", "gobgp", "kubectl"):
        require(part)
    monkeypatch.setattr(states, "LAG", CADENCE + 1)
    monkeypatch.setattr(copies, "SETTLE_SECONDS", 1.0)
    with ExitStack() as stack:
        workshop = stack.enter_context(Workshop.running())
        server = stack.enter_context(apiserver.running(tls=True))  # kubectl sends no token without
        lab = workshop.router("bird")
        router = lab.router.spec.address
        addresses = dict(zip(NAMES, (one.address for one in lab.nodes), strict=True))
        asns = dict(zip(NAMES, (one.asn for one in lab.nodes), strict=True))
        server.apply(*described(addresses, asns, router))
        kubeconfig = workshop.directory / "kubeconfig"
        kubeconfig.write_text(_probed(server.kubeconfig(), f"bird={lab.probe.target}"))
        client = Client(load_access(str(kubeconfig)))
        agents = {}
        for name in NAMES:
            engine = Gobgp(addresses[name], asns[name], router, PORT, ROUTER_ASN)
            stack.enter_context(engine.running(workshop.directory / name))
            agents[name] = Agent(
                client, name, engine, lambda name=name: prefixes(client, name), cadence=CADENCE
            )
        server.commands = played(agents)
        stack.enter_context(at_work(Operator(client, asns=asns), *agents.values()))
        made = Cluster(client, Path(lab.probe.target), kubeconfig, agents)
        for number, name in enumerate(NAMES, 1):
            eventually(lambda number=number: len(made.has(Bird(made.bird), number)[0]) == 2, 30)
            given = ("--node-name", name, "--source-address", addresses[name], "--kubeconfig", kubeconfig)
            speaker = SpeakerProcess(
                workshop.directory / f"s{number}", *given, listen=f"{addresses[name]}:9180"
            )
            stack.callback(speaker.end)
            made.speakers[name] = speaker.start()
        yield made


def _probed(kubeconfig: str, probe: str) -> str:
    """The kubeconfig with its routers named in it."""
    read = yaml.safe_load(kubeconfig)
    read["contexts"][0]["context"]["extensions"] = [{"name": "bgpctl.io/router-probes", "extension": [probe]}]
    return yaml.safe_dump(read)


def test_every_node_moves_to_our_speaker_and_back_and_no_prefix_of_another_is_ever_lost(
    cluster: Cluster,
) -> None:
    for name in NAMES:
        cluster.speakers[name].says("speaker.problem", 20)
        eventually(lambda name=name: cluster.phase(name) == "Waiting", 10)
        code, why = cluster.ready(name)
        assert code == 503 and f"`bgpctl node drain {name} --provider cilium`" in why
        assert "Cilium has" in cluster.speakers[name].log
    kubeconfig = cluster.kubeconfig
    reported = lambda: inside("peers", "status", kubeconfig=kubeconfig)[0] == 0  # noqa: E731
    eventually(reported, 30, why="Cilium reports every session")
    with cluster.watched():
        for command in commands("Beforehand"):
            cluster.type(command, NAMES[0])
        eventually(lambda: "withdraws" in inside("providers", kubeconfig=cluster.kubeconfig)[1], 10)
        dry = ("node", "drain", NAMES[0], "--dry-run")
        eventually(lambda: inside(*dry, kubeconfig=cluster.kubeconfig)[0] == 0, 20, why="copies of age")
    whole = {name: seen[0][0] for name, seen in cluster.seen.items()}
    assert {who for seen in cluster.seen.values() for _, who in seen} == {"cilium"}
    there, back = ("Each node", ["cilium", "", "bgpctl"]), ("Back", ["bgpctl", "", "cilium"])
    for (heading, expected), moved in ((there, NAMES), (back, NAMES[:1])):
        for name in moved:
            (other,) = set(NAMES) - {name}
            with cluster.watched():
                for command in commands(heading):
                    cluster.type(command, name)
            assert cluster.whose(name) == expected, "one stack at a time"
            assert cluster.seen[name][-1][0] == whole[name]
            assert {found for found, _ in cluster.seen[other]} == {whole[other]}, "never lost"
            assert len(cluster.whose(other)) == 1
        code, out = inside("node", "status", kubeconfig=cluster.kubeconfig)
        assert code == 0 and out.count("in-service") == len(NAMES), out
        assert "two stacks" not in out and "drains are refused" not in cluster.told("providers")
        if expected[-1] == "bgpctl":
            assert {cluster.ready(name)[0] for name in NAMES} == {200}

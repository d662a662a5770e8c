"""`bgpctl speaker run` as a process: a file or the embedded API on one side, a BGP router on the other."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpctl.kube import paths
from bgpctl.lab.api import ApiServer
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from tests.support import apiserver, bgppeer, clients, objects, speakers
from tests.support.bgppeer import BgpPeer
from tests.support.cli import bgpctl
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually, throughout

pytestmark = pytest.mark.integration

NODE, ROUTER, OTHER_ROUTER = "127.88.1.2", "127.88.1.1", "127.88.1.3"
NAME = "worker-1"
GRACEFUL = bytes.fromhex("0078" + "00010180" + "00020180")  # 120 s, IPv4 and IPv6, forwarding kept
WEB, POD = ip_network("192.0.2.80/32"), ip_network("10.244.1.0/24")


@pytest.fixture
def place() -> Iterator[Path]:
    with speakers.workplace() as made:
        yield made


@pytest.fixture
def router() -> Iterator[BgpPeer]:
    with BgpPeer(ROUTER, graceful_restart=GRACEFUL) as made:
        yield made


def policy(*routers: BgpPeer, **fields: Any) -> dict[str, Any]:
    graceful = {"gracefulRestart": {"enabled": True, "restartTimeSeconds": 30}}
    neighbors = [
        objects.neighbor(f"{r.address}/32", r.asn, peerPort=r.port, **{**graceful, **fields}) for r in routers
    ]
    return objects.policy(objects.router(*neighbors))


def service(name: str, address: str) -> list[dict[str, Any]]:
    return [
        objects.service(name, address, ports=[{"port": 80}]),
        objects.endpoint_slice(name, objects.endpoint()),
    ]


def written(path: Path, *documents: dict[str, Any]) -> Path:
    """Replaced as a whole, as an editor or a ConfigMap does it."""
    draft = path.with_suffix(".new")
    draft.write_text(yaml.safe_dump_all(documents))
    draft.replace(path)
    return path


@contextmanager
def running(place: Path, *arguments: str | Path, **environment: str) -> Iterator[SpeakerProcess]:
    given = ("--node-name", NAME, "--source-address", NODE, *arguments)
    speaker = SpeakerProcess(place / "speaker", *given).start(**environment)
    try:
        yield speaker
    finally:
        speaker.end()


def has(router: BgpPeer, *prefixes: Any) -> None:
    eventually(lambda: set(prefixes) <= router.routes(), why=f"{prefixes} on the router: {router.routes()}")


def has_not(router: BgpPeer, *prefixes: Any) -> None:
    eventually(lambda: not set(prefixes) & router.routes(), why=f"no {prefixes}: {router.routes()}")


# --- a file -----------------------------------------------------------------------------------------------


def test_a_file_is_followed_and_a_bad_one_changes_nothing(place: Path, router: BgpPeer) -> None:
    base = [objects.node(NAME), policy(router)]
    path = written(place / "state.yaml", *base, *service("web", "192.0.2.80"))
    with running(place, "--file", path) as speaker:
        has(router, WEB, POD)
        assert router.ends_of_rib(1) == ["ipv4", "ipv6"]
        written(path, *base, *service("new", "192.0.2.81"))
        has(router, ip_network("192.0.2.81/32"))
        has_not(router, WEB)

        path.write_text("kind: [")
        speaker.says("is kept as it was before")
        path.write_text("kind: {")
        path.unlink()
        throughout(lambda: ip_network("192.0.2.81/32") in router.routes(), 1.0)
        assert router.sessions == 1

        written(path, *base, *service("web", "192.0.2.80"))
        has(router, WEB)
        speaker.says("speaker.problem_solved")
        assert speaker.log.count("state.yaml:1: ") <= 2, "each fault is told once"
    assert "Traceback" not in speaker.log


def test_a_file_that_is_being_written_is_not_read_half(place: Path, router: BgpPeer) -> None:
    """The first half of a stream is valid YAML: with fewer Services, so fewer routes."""
    documents = [objects.node(NAME), policy(router), *service("web", "192.0.2.80")]
    path = written(place / "state.yaml", *documents)
    with running(place, "--file", path):
        has(router, WEB)
        whole = yaml.safe_dump_all([*documents, *service("new", "192.0.2.81")])
        parts = whole.split("---\n")
        with path.open("w") as file:
            for number, part in enumerate(parts):
                file.write(("---\n" if number else "") + part)
                file.flush()
                throughout(lambda: WEB in router.routes(), 0.15)
        has(router, ip_network("192.0.2.81/32"))
        withdrawn = set().union(*(update.withdrawn for update in router.updates()))
        assert WEB not in withdrawn


def test_the_state_of_a_file_speaker_is_a_private_file(place: Path, router: BgpPeer) -> None:
    path = written(place / "state.yaml", objects.node(NAME), policy(router))
    with running(place, "--file", path) as speaker:
        has(router, POD)
        published = speaker.directory / "state.json"
        eventually(published.exists)
        assert published.stat().st_mode & 0o077 == 0
        assert speaker.directory.stat().st_mode & 0o077 == 0
        eventually(lambda: json.loads(published.read_text())["status"]["sessions"] == "1/1")
        assert json.loads(published.read_text())["metadata"]["name"] == NAME


# --- a cluster --------------------------------------------------------------------------------------------


class Cluster:
    """The embedded API with one node, one policy and one Service."""

    def __init__(self, server: ApiServer, router: BgpPeer, place: Path) -> None:
        self.server, self.api = server, clients.client(server)
        self.kubeconfig = place / "kubeconfig"
        server.write_kubeconfig(self.kubeconfig)
        server.apply(*crds())
        server.apply(objects.node(NAME), policy(router), *service("web", "192.0.2.80"))

    def state(self) -> dict[str, Any]:
        found = self.api.find(paths.node_state(NAME)) or {}
        return dict(found.get("status") or {})

    def phase(self, wanted: str, deadline: float = 10.0) -> dict[str, Any]:
        eventually(lambda: self.state().get("phase") == wanted, deadline, why=f"{wanted}: {self.state()}")
        return self.state()

    def select(self, on: bool) -> None:
        labels = {"enable-bgp": "true" if on else "false"}
        self.api.patch(paths.node(NAME), {"metadata": {"labels": labels}})


@pytest.fixture
def cluster(router: BgpPeer, place: Path) -> Iterator[Cluster]:
    with apiserver.running(controllers=False) as server:
        yield Cluster(server, router, place)


@contextmanager
def on(cluster: Cluster, place: Path, *more: str) -> Iterator[SpeakerProcess]:
    with running(place, "--kubeconfig", cluster.kubeconfig, *more) as speaker:
        yield speaker


def test_announces_and_tells_the_cluster(cluster: Cluster, router: BgpPeer, place: Path) -> None:
    annotation = {"cilium.io/bgp-virtual-router.65001": "router-id=10.99.0.7"}
    cluster.api.patch(paths.node(NAME), {"metadata": {"annotations": annotation}})
    with on(cluster, place, "--log-format", "json") as speaker:
        has(router, WEB, POD)
        state = cluster.phase("Running")
        eventually(lambda: cluster.state()["peers"][0].get("endOfRIBSent"))
        state = cluster.state()
        assert state["sessions"] == "1/1"
        assert state["routes"] == {"intended": 3, "announced": 3}
        assert state["selectedBy"] == "policy"
        assert state["heartbeatTime"] and state["engineVersion"].startswith("exabgp 5.0")
        assert state["peers"][0]["gracefulRestart"]["peer"]["restartTimeSeconds"] == 120
        (hello,) = router.of_kind(bgppeer.OPEN)
        assert hello.body[5:9] == bytes([10, 99, 0, 7]), "the router ID of the annotation"
        for line in speaker.log.splitlines():
            assert json.loads(line)["subsys"] == "bgp-control-plane"
            assert json.loads(line)["node"] == NAME


@pytest.mark.alone
def test_the_relabel_withdraws_by_update_and_then_closes_with_words(
    cluster: Cluster, router: BgpPeer, place: Path
) -> None:
    with on(cluster, place) as speaker:
        has(router, WEB, POD)
        cluster.phase("Running")
        begun = time.time()
        cluster.select(False)
        has_not(router, WEB, POD)
        state = cluster.phase("Withdrawn")
        (goodbye,) = eventually(lambda: router.of_kind(bgppeer.NOTIFICATION))
        assert goodbye.body[:2] == bytes([6, 2])
        assert b"node leaves service" in goodbye.body
        last = [m for m in router.of_kind(bgppeer.UPDATE) if bgppeer.decode_update(m.body).withdrawn][-1]
        assert last.time <= goodbye.time
        assert goodbye.time - begun < 1.0
        record = state["withdrawn"]
        assert record["routes"] == 3
        assert [peer["flushed"] for peer in record["peers"]] == [True]
        assert record["observedTime"] <= record["sentTime"] <= record["closedTime"]

        speaker.signal(signal.SIGTERM)
        assert speaker.wait(5) == 0
        assert cluster.state()["withdrawn"] == record
    with on(cluster, place):
        state = cluster.phase("Withdrawn")
        assert state["withdrawn"] == record
        cluster.select(True)
        has(router, WEB, POD)
        assert cluster.phase("Running")["withdrawn"] == record


@pytest.mark.alone
def test_sigterm_with_graceful_restart_is_silent_quick_and_complete(
    cluster: Cluster, router: BgpPeer, place: Path
) -> None:
    with on(cluster, place) as speaker:
        has(router, WEB, POD)
        assert len(speaker.processes()) >= 3, "the speaker, ExaBGP and its relay"
        begun = time.monotonic()
        speaker.signal(signal.SIGTERM)
        assert speaker.wait(5) == 0
        assert time.monotonic() - begun < 3.0
        assert speaker.processes() == {}
        eventually(lambda: router.endings)
        assert router.of_kind(bgppeer.NOTIFICATION) == []
        assert not any(update.withdrawn for update in router.updates())
        assert cluster.state()["phase"] == "Stopped"
        assert not list((speaker.directory / "engine").iterdir())


def test_sigterm_without_graceful_restart_withdraws(place: Path) -> None:
    with BgpPeer(OTHER_ROUTER) as plain:
        path = written(place / "state.yaml", objects.node(NAME), policy(plain))
        with running(place, "--file", path) as speaker:
            has(plain, POD)
            speaker.signal(signal.SIGINT)
            assert speaker.wait(5) == 0
            assert eventually(lambda: plain.of_kind(bgppeer.NOTIFICATION))[0].body[:2] == bytes([6, 2])
            assert any(POD in update.withdrawn for update in plain.updates())


def test_signals_find_the_loop_wherever_it_is(cluster: Cluster, router: BgpPeer, place: Path) -> None:
    """Also before the first object is in, and while the API server is away."""
    cluster.server.faults.add(Fault("answer", verb="list", code=503))
    with on(cluster, place) as speaker:
        speaker.says("fault injected by the lab")
        eventually(lambda: cluster.state().get("problems"), why="the first state may be of before the list")
        assert cluster.phase("Starting")["problems"]
        speaker.signal(signal.SIGTERM)
        assert speaker.wait(5) == 0
        assert speaker.processes() == {}
    assert router.sessions == 0


def test_kill_9_takes_everything_along(cluster: Cluster, router: BgpPeer, place: Path) -> None:
    with on(cluster, place) as speaker:
        has(router, WEB)
        speaker.signal(signal.SIGKILL)
        speaker.wait(5)
        eventually(lambda: not speaker.processes(), why="ExaBGP and its relay are gone")
        assert router.of_kind(bgppeer.NOTIFICATION) == []
    with on(cluster, place):
        eventually(lambda: router.sessions == 2)
        has(router, WEB, POD)


def test_an_outage_of_the_api_changes_nothing_on_the_wire(
    cluster: Cluster, router: BgpPeer, place: Path
) -> None:
    with on(cluster, place) as speaker:
        has(router, WEB, POD)
        cluster.server.faults.outage(2.0)
        speaker.says("speaker.problem")
        throughout(lambda: WEB in router.routes(), 1.5)
        assert router.sessions == 1
        eventually(lambda: not cluster.server.faults.down)
        cluster.phase("Running")
        eventually(lambda: not cluster.state().get("problems"))
        cluster.select(False)
        has_not(router, WEB, POD)


def test_an_invalid_policy_is_told_and_keeps_the_routes(
    cluster: Cluster, router: BgpPeer, place: Path
) -> None:
    with on(cluster, place) as speaker:
        has(router, WEB)
        bad = policy(router)
        bad["spec"]["virtualRouters"][0]["neighbors"].append(
            bad["spec"]["virtualRouters"][0]["neighbors"][0]
        )  # twice the same peer: the schema cannot see it
        cluster.server.apply(bad)
        eventually(lambda: "is invalid" in cluster.state().get("policyProblem", ""))
        assert WEB in router.routes() and router.sessions == 1
        assert speaker.log.count("is invalid") == 1
        cluster.server.apply(policy(router))
        eventually(lambda: not cluster.state().get("policyProblem"))


# --- passwords --------------------------------------------------------------------------------------------

PASSWORD = "Tr0ub4dor-and-3"


def secret() -> dict[str, Any]:
    data = {"password": base64.b64encode(PASSWORD.encode()).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bgp-auth", "namespace": "kube-system"},
        "data": data,
    }


def test_a_secret_that_comes_later_brings_the_session_up_and_shows_nowhere(
    cluster: Cluster, router: BgpPeer, place: Path
) -> None:
    try:
        speakers.require_md5(router._listener, NODE, PASSWORD)
    except OSError as error:
        pytest.skip(f"this kernel has no TCP-MD5: {error}")
    cluster.server.apply(policy(router, authSecretRef="bgp-auth"))
    with on(cluster, place, "--log-level", "debug") as speaker:
        eventually(lambda: any("bgp-auth" in p for p in cluster.state().get("problems", ())))
        assert router.sessions == 0
        cluster.server.apply(secret())
        has(router, WEB)
        eventually(lambda: not cluster.state().get("problems"))
        for pid, command in speaker.processes().items():
            assert PASSWORD not in command
            assert PASSWORD not in "".join(speakers.environment_of(pid).values())
        assert PASSWORD not in speaker.log
        assert PASSWORD not in json.dumps(cluster.state())
        holding = [p for p in place.rglob("*") if p.is_file() and PASSWORD in p.read_text(errors="replace")]
        assert all(path.stat().st_mode & 0o077 == 0 for path in holding)
        assert all(path.parent.stat().st_mode & 0o077 == 0 for path in holding)
        speaker.signal(signal.SIGTERM)
        assert speaker.wait(5) == 0
        assert PASSWORD not in speaker.log
        left = [p for p in place.rglob("*") if p.is_file() and PASSWORD in p.read_text(errors="replace")]
        assert left == [], "a stopped speaker leaves no password on disk"


# --- what cannot start ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--node-name"),
        (("--node-name", NAME), "no kubeconfig found"),
        (("--node-name", NAME, "--kubeconfig", "/nowhere/config"), "/nowhere/config does not exist"),
        (("--node-name", NAME, "--in-cluster"), "not in a cluster"),
        (("--node-name", NAME, "--file", "/nowhere/state.yaml"), "cannot be read: No such file"),
        (("--node-name", NAME, "--file", "/nowhere", "--in-cluster"), "exclude each other"),
        (("--node-name", NAME, "--file", "STATE", "--source-address", "x"), "is not an IP address"),
        (("--node-name", NAME, "--file", "STATE", "--ready-url", "x"), "--ready-url: x is no URL"),
        (("--node-name", NAME, "--file", "STATE", "--ready-url", ""), "--ready-url: '' is no URL"),
        (("--node-name", NAME, "--file", "STATE", "--ready-command", "a 'b"), "--ready-command cannot be"),
        (("--node-name", "other", "--file", "STATE"), 'there is no Node "other"'),
        (("--node-name", "", "--file", "STATE"), ""),
        (("--node-name", NAME, "--file", "BAD"), "not YAML"),
        (("--node-name", NAME, "--file", "STATE", "--directory", "/proc/nowhere"), "cannot use directory"),
    ],
)
def test_what_cannot_start_says_why_and_exits_with_2(
    place: Path, arguments: tuple[str, ...], words: str
) -> None:
    written(place / "STATE", objects.node(NAME))
    (place / "BAD").write_text("a: [")
    given = [str(place / a) if a in ("STATE", "BAD") else a for a in arguments]
    ran = bgpctl("speaker", "run", "--listen", "", *given, HOME=str(place), TMPDIR=str(place))
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err and "Traceback" not in ran.err
    assert not list(place.glob("bgpctl-crash-*"))


def test_a_directory_has_one_speaker(place: Path, router: BgpPeer) -> None:
    path = written(place / "state.yaml", objects.node(NAME), policy(router))
    with running(place, "--file", path) as first:
        has(router, POD)
        arguments = ("--node-name", NAME, "--file", path, "--directory", first.directory, "--listen", "")
        ran = bgpctl("speaker", "run", *arguments)
        assert ran.code == 2
        assert first.process is not None and f"(process {first.process.pid})" in ran.err
        throughout(lambda: POD in router.routes() and router.sessions == 1, 0.5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(place: Path) -> None:
    path = written(place / "state.yaml", objects.node(NAME))
    foreign = place / f"bgpctl-{os.getuid()}"
    foreign.mkdir()
    os.chown(foreign, 65534, 65534)
    ran = bgpctl("speaker", "run", "--listen", "", "--node-name", NAME, "--file", path, TMPDIR=str(place))
    assert ran.code == 2 and "belongs to another user" in ran.err

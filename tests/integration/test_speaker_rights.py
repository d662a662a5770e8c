"""A speaker with exactly the role of an install: it works, it uses all of it, and without any one right it
says which, or does what the table says. Against the embedded API, a real process for each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bgpctl.install.manifests import manifests
from bgpctl.install.rights import SPEAKER, Right, rights_of
from bgpctl.install.settings import options
from bgpctl.install.speaker import USER as UID
from bgpctl.kube import paths
from bgpctl.lab.api import ApiServer, auth
from tests.support import apiserver, clients, objects, speakers
from tests.support.cli import bgpctl, clean_environment
from tests.support.kinds import KINDS
from tests.support.rights import without
from tests.support.speakers import SpeakerProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

ACCOUNT = "system:serviceaccount:bgpctl-system:bgpctl-speaker"
CHOSEN = options(given=["authSecrets=here,missing", "crds=none", "runAsRoot=false"])
AT_ONCE = 6
RENEWED = 60.0  # seconds; a speaker renews the Lease of the verdicts every 30
NUMBERS = count(1)
"""A node has one speaker, on one machine: every one here is another node's."""
Used = tuple[str, str, str, str]


@dataclass
class Cluster:
    """One API server, with the roles of an install and a node that a policy selects. `used` and `refused`:
    what the speaker asked for."""

    server: ApiServer
    place: Path
    name: str = field(default_factory=lambda: f"worker-{os.getpid()}-{next(NUMBERS)}")
    used: set[Used] = field(default_factory=set)
    refused: set[Used] = field(default_factory=set)

    @property
    def kubeconfig(self) -> Path:
        return self.place / "kubeconfig"

    def speaker(self, *more: str) -> SpeakerProcess:
        given = (
            "--node-name",
            self.name,
            "--kubeconfig",
            self.kubeconfig,
            "--secrets-namespace",
            "kube-system",
        )
        return SpeakerProcess(self.place / "speaker", *given, "--auth-secrets", "here,missing", *more)

    def status(self) -> dict[str, Any]:
        return (clients.client(self.server).find(paths.node_state(self.name)) or {}).get("status") or {}

    def conditions(self) -> list[Any]:
        found: dict[str, Any] = self.server.get("ciliumbgpclusterconfigs", "rack") or {}
        return list((found.get("status") or {}).get("conditions") or ())


@contextmanager
def cluster(place: Path, rights: Sequence[Right] | None = None) -> Iterator[Cluster]:
    """`rights`: instead of the speaker's own."""
    place.mkdir(exist_ok=True)
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    with apiserver.running() as server:
        made = Cluster(server, place)
        server.apply(
            *KINDS,
            objects.node(made.name, status=ready),
            objects.policy(objects.router(objects.neighbor("127.0.0.9/32"))),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bgpctl-system"}},
            _cluster_config(),
            {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumBGPPeerConfig",
                "metadata": {"name": "peer"},
                "spec": {},
            },
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "here", "namespace": "kube-system"}},
        )
        server.apply(*(one.document for one in manifests(CHOSEN) if one.kind != "DaemonSet"))
        if rights is not None:
            for kind, plural in (("ClusterRole", "clusterroles"), ("Role", "roles")):
                space = "" if kind == "ClusterRole" else "kube-system"
                role = server.get(plural, "bgpctl-speaker", space)
                assert role is not None
                server.apply({**role, "rules": _rules(rights, space)})
        server.write_kubeconfig(made.kubeconfig, server.token_of(ACCOUNT))
        yield made


def _rules(rights: Sequence[Right], namespace: str) -> list[dict[str, Any]]:
    return [
        {
            "apiGroups": [right.group],
            "resources": list(right.resources),
            "verbs": list(right.verbs),
            **({"resourceNames": list(right.names)} if right.names else {}),
        }
        for right in rights
        if right.namespace == namespace
    ]


def _cluster_config() -> dict[str, Any]:
    peer = {"name": "p", "peerASN": 65000, "peerAddress": "127.0.0.9", "peerConfigRef": {"name": "peer"}}
    spec = {
        "nodeSelector": {"matchLabels": {"nobody": "has-this"}},
        "bgpInstances": [{"name": "i", "localASN": 65001, "peers": [peer]}],
    }
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumBGPClusterConfig",
        "metadata": {"name": "rack"},
        "spec": spec,
    }


@pytest.fixture
def place() -> Iterator[Path]:
    with speakers.workplace() as found:
        yield found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[set[Used], set[Used]]]:
    """What the speaker was let do, and what it was not."""
    used, refused, authorize = set[Used](), set[Used](), auth.authorize

    def noted(user: str, verb: str, target: Any, *rest: Any) -> None:
        what = (verb, target.group, target.resource_text, target.namespace)
        try:
            authorize(user, verb, target, *rest)
        except Exception:
            refused.add(what)
            raise
        if user == ACCOUNT:
            used.add(what)

    monkeypatch.setattr(auth, "authorize", noted)
    yield used, refused


def each() -> list[Right]:
    return [one for right in rights_of(SPEAKER) for one in right.each()]


def test_with_exactly_its_role(place: Path, asked: tuple[set[Used], set[Used]]) -> None:
    used, refused = asked
    with cluster(place) as made:
        speaker = made.speaker().start()
        try:
            eventually(lambda: made.status().get("phase") == "Running", 20, why="it runs")
            eventually(made.conditions, 20, why="verdicts are written")
            _disown(made)
            wanted = {(one.verbs[0], one.group, one.resources[0], one.namespace) for one in each()}
            with suppress(AssertionError):
                eventually(lambda: not wanted - used, RENEWED)
        finally:
            speaker.end()
    assert not wanted - used, "every right of its role is used"
    assert not refused
    of_secrets = {(verb, "", "secrets", "kube-system") for verb in ("list", "watch")}
    assert used - of_secrets <= wanted, "nothing but its role lets it do something"


RIGHTS = [pytest.param(n, id=f"{n}-to-{n + AT_ONCE}") for n in range(0, len(each()), AT_ONCE)]


@pytest.mark.parametrize("first", RIGHTS)
def test_without_a_right_it_says_which_or_goes_on(place: Path, first: int) -> None:
    with ExitStack() as stack:
        running = []
        for number, right in enumerate(each()[first : first + AT_ONCE]):
            made = stack.enter_context(cluster(place / str(number), without(rights_of(SPEAKER), right)))
            speaker = made.speaker().start()
            stack.callback(speaker.end)
            running.append((right, made, speaker))
        for right, made, speaker in running:
            _judge(right, made, speaker)


def _disown(made: Cluster) -> None:
    """As if an older speaker had made the object: the next write has to give it its owner. Whether the first
    one had to depends on what was known of the Node by then."""
    nobody = {"metadata": {"ownerReferences": None}}
    clients.client(made.server).patch(paths.node_state(made.name), nobody)


def _judge(right: Right, made: Cluster, speaker: SpeakerProcess) -> None:
    refused = f'cannot {right.verbs[0]} resource "{right.resources[0]}"'
    if right.without:
        eventually(
            lambda: made.status().get("phase") in ("Running", "Waiting"),
            25,
            why=f"{right.words}\n{speaker.log}",
        )
        return

    def told() -> bool:
        said = speaker.log + json.dumps(made.status())  # both with their quotation marks escaped
        return refused in said.replace("\\", "")

    if (right.verbs, right.resources) == (("patch",), ("bgpnodestates",)):
        eventually(made.status, 25, why=f"a state is written\n{speaker.log}")
        _disown(made)
    # A speaker that had nothing new to say since its first word writes again with its next heartbeat.
    eventually(told, 75, why=f"{refused} is said in:\n{speaker.log}")
    assert "Traceback" not in speaker.log


# --- as its pods run --------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv")
def test_as_nobody_without_a_capability_in_two_processes_on_a_read_only_root(place: Path) -> None:
    """The engine and the speaker as the DaemonSets have them: another user, no capability, nothing writable
    but the two mounted directories. A speaker that is replaced touches no session of the engine."""
    with cluster(place) as made:
        place.chmod(0o755)
        made.kubeconfig.chmod(0o644)
        own = place / "node" / "speaker"
        ran = bgpctl("speaker", "engine", "prepare", "--directory", str(own), "--user", str(UID))
        assert ran.code == 0, ran.err
        assert (own.stat().st_uid, own.stat().st_mode & 0o777) == (UID, 0o700)
        again = bgpctl("speaker", "engine", "prepare", "--directory", str(own), "--user", str(UID))
        assert again.code == 0
        with ExitStack() as stack:
            engine = _confined(
                stack, place, own, "engine", "speaker", "engine", "run", "--directory", str(own)
            )
            first = _speaker(stack, made, place, own, "first")
            with _explained(place):
                eventually(lambda: made.status().get("phase") == "Running", 30)
            first.terminate()
            assert first.wait(20) == 0, _logs(place)
            assert engine.poll() is None, _logs(place)
            before = made.status().get("startedAt")
            _speaker(stack, made, place, own, "second")
            eventually(
                lambda: made.status().get("phase") == "Running" and made.status().get("startedAt") != before,
                30,
                why="the second speaker runs",
            )
            assert made.status().get("engineMode") == "external"


def _reachable(kept: Path) -> Iterator[str]:
    """The interpreter may be in somebody's home (pyenv): everybody may look into that, in this namespace."""
    base = Path(sys.base_prefix)
    home = base.parents[-2] if len(base.parents) > 1 else base
    if not home.stat().st_mode & 0o001:
        kept.mkdir()
        yield f'mount --bind "{base}" "{kept}"'
        yield f'mount -t tmpfs -o mode=755 tmpfs "{home}"'
        yield f'mkdir -p "{base}" && mount --bind "{kept}" "{base}"'


def _logs(place: Path) -> str:
    return "\n".join(f"{one.name}:\n{one.read_text()}" for one in place.glob("*.log"))


@contextmanager
def _explained(place: Path) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}\n{_logs(place)}") from None


def _speaker(stack: ExitStack, made: Cluster, place: Path, own: Path, name: str) -> subprocess.Popen[bytes]:
    words = ("speaker", "run", "--node-name", made.name, "--kubeconfig", str(made.kubeconfig), "--listen", "")
    secrets = ("--auth-secrets", "here,missing", "--directory", str(own), "--engine", "external")
    return _confined(stack, place, own, name, *words, *secrets)


def _confined(stack: ExitStack, place: Path, own: Path, name: str, *words: str) -> subprocess.Popen[bytes]:
    """In a mount namespace of its own, whose root is read-only but for its directory and its own /tmp."""
    tmp = place / f"tmp-{name}"
    tmp.mkdir(mode=0o1777)
    tmp.chmod(0o1777)
    confine = "--clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs"
    script = " && ".join(
        (
            *_reachable(place / f"python-{name}"),
            f'mount --bind "{own}" "{own}"',
            f'mount --bind "{tmp}" "{tmp}"',
            "mount -o remount,ro,bind /",
            f'exec setpriv --reuid {UID} --regid {UID} {confine} "$@"',
        )
    )
    log = stack.enter_context((place / f"{name}.log").open("wb"))
    argv = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-m", "bgpctl", *words]
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=clean_environment(TMPDIR=str(tmp), HOME="/nonexistent"),
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process

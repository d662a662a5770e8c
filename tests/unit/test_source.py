"""What a speaker reads, and what it keeps of it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpctl.core.intent.compile import compile_intent
from bgpctl.core.intent.endpoints import read_slice
from bgpctl.core.intent.services import read_service
from bgpctl.errors import UsageError
from bgpctl.kube import paths
from bgpctl.kube.watch import Mirror, Timing
from bgpctl.lab.api.faults import Fault
from bgpctl.lab.seed import crds
from bgpctl.speaker import sources as module
from bgpctl.speaker.sources import FileSource, KubeSource
from tests.support import apiserver, clients, objects
from tests.support.wait import eventually, throughout

NAME = "worker-1"


def node(**metadata: Any) -> dict[str, Any]:
    made = objects.node(NAME)
    made["metadata"] |= {"managedFields": [{"x": 1}], "resourceVersion": "7", **metadata}
    made["status"] |= {
        "images": [{"names": ["x"] * 9}],
        "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "now"}],
    }
    return made


# --- what is kept -----------------------------------------------------------------------------------------


def test_what_is_kept_compiles_to_the_same_intent() -> None:
    """The cut must not cost a route."""
    secret = {"metadata": {"name": "s"}, "data": {"password": base64.b64encode(b"pw").decode()}}
    policy = objects.policy(objects.router(objects.neighbor(authSecretRef="s")))
    service = objects.service("web", "192.0.2.80", local=True)
    slice_ = objects.endpoint_slice("web", objects.endpoint(NAME, ready=True))
    kept = module.ClusterObjects(
        node=module._slim_node(node()),
        policies=(module._slim_metadata(policy),),
        services=(read_service(service),),
        endpoint_slices=(read_slice(slice_, NAME),),
        secrets={"s": module._slim_secret(secret)["password"]},
    )
    whole = module.ClusterObjects(node(), (policy,), (service,), (slice_,), kept.secrets)
    assert compile_intent(kept, NAME) == compile_intent(whole, NAME)
    assert len(compile_intent(kept, NAME).routes) == 1


def test_heartbeats_and_images_are_not_kept() -> None:
    kept = module._slim_node(node())
    assert "images" not in kept["status"] and "managedFields" not in kept["metadata"]
    later = node(resourceVersion="8")
    later["status"]["conditions"][0]["lastHeartbeatTime"] = "later"
    assert module._slim_node(later) == kept


def test_what_says_that_the_node_goes_away_is_kept_and_no_other_message() -> None:
    def kept(message: str, **metadata: Any) -> dict[str, Any]:
        made = node(**metadata)
        made["spec"]["taints"] = [{"key": "node.kubernetes.io/out-of-service"}]
        made["status"]["conditions"] = [{"type": "Ready", "status": "False", "message": message}]
        return module._slim_node(made)

    assert kept("PLEG is not healthy for 3m1s") == kept("PLEG is not healthy for 3m2s")
    going = kept("[a, node is shutting down]", deletionTimestamp="now")
    assert going["status"]["conditions"][0]["message"] == "node is shutting down"
    assert going["metadata"]["deletionTimestamp"] == "now"
    assert going["spec"]["taints"] == [{"key": "node.kubernetes.io/out-of-service"}]


def test_a_secret_keeps_nothing_but_the_password_and_does_not_print_it() -> None:
    data = {"password": base64.b64encode(b"hunter2").decode(), "other": "eA=="}
    kept = module._slim_secret({"metadata": {"name": "s", "labels": {}}, "data": data})
    assert set(kept) == {"metadata", "password"}
    assert kept["password"].reveal() == "hunter2"
    assert "hunter2" not in repr(kept)


@pytest.mark.parametrize("data", [None, {}, {"password": ""}, {"password": "%%%"}, {"password": "/w=="}])
def test_a_secret_without_a_password_is_none(data: object) -> None:
    assert module._slim_secret({"metadata": {"name": "s"}, "data": data})["password"] is None


# --- a file -----------------------------------------------------------------------------------------------


class Rung:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def write(path: Path, *documents: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump_all(documents))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "state.yaml"
    write(made, objects.node(NAME))
    return made


def test_a_file_that_is_bad_at_the_start_is_an_error(path: Path) -> None:
    path.write_text("a: [")
    with pytest.raises(UsageError):
        FileSource(path, NAME, Rung()).start()
    with pytest.raises(UsageError):
        FileSource(path.with_name("missing"), NAME, Rung()).start()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: p.write_text("a: ["), "not YAML"),
        (lambda p: p.unlink(), "No such file"),
        (lambda p: p.write_bytes(b"\xff\xfe"), "UTF-8"),
        (lambda p: write(p, objects.node("another")), 'no Node "worker-1"'),
        (lambda p: (p.unlink(), p.mkdir()), "directory"),
    ],
)
def test_a_file_that_turns_bad_is_kept_as_it_was(
    path: Path, spoil: Callable[[Path], Any], words: str
) -> None:
    rung = Rung()
    source = FileSource(path, NAME, rung, poll=0.02)
    source.start()
    before = source.observe()
    try:
        spoil(path)
        eventually(source.problems)
        assert words in source.problems()[0] and "is kept as it was before" in source.problems()[0]
        assert source.observe() is before
        throughout(lambda: rung.count == 1, 0.2)
        if path.is_dir():
            path.rmdir()
        write(path, objects.node(NAME), objects.policy())
        eventually(lambda: not source.problems())
        assert len(source.observe().policies) == 1
    finally:
        source.stop()


def test_a_change_is_read_once_it_has_settled(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rung, stamps = Rung(), iter([(1, 1, 1), (1, 1, 1), (1, 2, 5), (1, 3, 9), (1, 4, 12), (1, 4, 12)])
    source = FileSource(path, NAME, rung, poll=0.01)
    reads: list[tuple[int, int, int]] = []
    last = (1, 4, 12)

    def stamp() -> tuple[int, int, int]:
        nonlocal last
        last = next(stamps, last)
        return last

    monkeypatch.setattr(source, "_stamp", stamp)
    monkeypatch.setattr(source, "_reread", lambda: reads.append(last))
    source.start()
    try:
        eventually(lambda: reads)
        throughout(lambda: reads == [(1, 4, 12)], 0.2)
    finally:
        source.stop()


def test_a_reader_that_breaks_is_a_problem_and_not_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FileSource(path, NAME, Rung(), poll=0.02)
    source.start()

    def broken() -> None:
        raise RecursionError

    try:
        monkeypatch.setattr(source, "_read", broken)
        write(path, objects.node(NAME), objects.policy())
        eventually(source.problems)
        assert "RecursionError" in source.problems()[0]
        monkeypatch.undo()
        write(path, objects.node(NAME))
        eventually(lambda: not source.problems())
    finally:
        source.stop()


# --- a cluster --------------------------------------------------------------------------------------------


@pytest.mark.integration
def test_secrets_that_may_not_be_read_do_not_stop_the_rest() -> None:
    with apiserver.running(controllers=False) as server:
        server.apply(objects.node(NAME), objects.node("other"))
        server.faults.add(Fault("answer", resource="secrets", code=403))
        source = KubeSource(clients.client(server), NAME, "kube-system", Rung())
        source.start()
        try:
            assert not source.ready() or source.problems()
            eventually(source.ready)
            assert any("fault injected" in problem for problem in source.problems())
            seen = source.observe()
            assert seen.node is not None and seen.node["metadata"]["name"] == NAME
            assert (seen.policies, seen.secrets) == ((), {})
        finally:
            source.stop()


@pytest.mark.integration
def test_ciliums_pools_are_read_where_they_are_and_may_be_missing_or_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is forbidden or not served is asked for again after up to 12 s.
    monkeypatch.setattr(module, "Mirror", partial(Mirror, timing=Timing(backoff=(0.05, 0.3))))
    with apiserver.running(controllers=False) as server:
        server.apply(objects.node(NAME))
        for resource, code, count in (("ciliumnodes", 403, None), ("ciliumloadbalancerippools", 503, 2)):
            server.faults.add(Fault("answer", verb="list", resource=resource, code=code, count=count))
        source = KubeSource(clients.client(server), NAME, "kube-system", Rung())
        source.start()
        try:
            eventually(source.ready)
            seen = source.observe()
            assert (seen.pod_pools, seen.lb_pools, seen.cilium_node) == ((), None, None)
            server.apply(*crds())
            server.apply(objects.pool("blue", color="blue"), objects.lb_pool({"cidr": "203.0.113.0/24"}))
            held = [objects.cilium_node(name, blue=["10.8.1.0/24"]) for name in (NAME, "other")]
            server.apply(*held)
            eventually(lambda: source.observe().pod_pools and source.observe().lb_pools)
            assert source.ready() and "fault injected" in " ".join(source.problems())
            server.faults.clear()
            seen = eventually(lambda: (s := source.observe()).cilium_node and s)
            assert seen.cilium_node["spec"]["ipam"]["pools"] == held[0]["spec"]["ipam"]["pools"]
            assert seen.pod_pools[0]["metadata"]["labels"] == {"color": "blue"}
            assert seen.lb_pools[0]["spec"]["blocks"] == [{"cidr": "203.0.113.0/24"}]
        finally:
            source.stop()


@pytest.mark.integration
def test_the_last_look_tells_an_api_that_has_no_such_node_from_one_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LAST_LOOK_SECONDS", 0.5)
    with apiserver.running(controllers=False) as server:
        server.apply(objects.node(NAME))
        source = KubeSource(clients.client(server), NAME, "kube-system", Rung())
        source.start()
        try:
            eventually(source.ready)
            asked, found = source.last_look()
            assert asked and found is not None and found["metadata"]["name"] == NAME
            for effect in (Fault("answer", code=503), Fault("hang", seconds=2.0), Fault("drop")):
                server.faults.add(replace(effect, verb="list", resource="nodes"))
                asked, found = source.last_look()
                assert not asked and found is not None, "as it was seen before"
                server.faults.clear()
            clients.client(server).delete(f"/api/v1/nodes/{NAME}")
            assert source.last_look() == (True, None)
        finally:
            source.stop()


def test_a_selector_that_nobody_minds_gives_no_speaker_another_ones_node() -> None:
    """A proxy between it and the API server (issue 7)."""
    with apiserver.running(controllers=False) as server:
        server.apply(*crds(), objects.node("worker-0"), objects.node(NAME))
        source = KubeSource(clients.client(server), NAME, "kube-system", lambda: None)
        source._node = Mirror(clients.client(server), paths.NODES, lambda: None)  # without the selector
        source._required = (source._node, *source._required[1:])
        source.start()
        try:
            eventually(source.ready)
            node = source.observe().node
            assert node is not None and node["metadata"]["name"] == NAME
            assert source.node_uid() == node["metadata"]["uid"]
        finally:
            source.stop()

"""`peers status` from the command line to the API and back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bgpctl.core.state_document import to_document
from bgpctl.kube import paths
from tests.support.cli import bgpctl, clean_environment
from tests.support.fake_api import FakeApi, fake_api
from tests.support.node_states import NODE_STATES, established, peer, state, withdrawn


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[FakeApi, Path]]:
    with fake_api(tmp_path) as (api, kubeconfig):
        api.collections[paths.NODES] = [{"metadata": {"name": f"worker-{n}"}} for n in (1, 2, 3)]
        api.collections[NODE_STATES] = [established("worker-1"), established("worker-2")]
        yield api, kubeconfig


Cluster = tuple[FakeApi, Path]


def test_all_established(cluster: Cluster) -> None:
    ran = bgpctl("peers", "status", kubeconfig=cluster[1])
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == "all 2 sessions established"
    assert "\x1b" not in ran.out


@pytest.mark.parametrize("place", ["before", "after", "environment"])
def test_the_kubeconfig_may_stand_anywhere(cluster: Cluster, place: str) -> None:
    flag, command = ("--kubeconfig", str(cluster[1]), "--context", "one"), ("peers", "status")
    arguments = {"before": (*flag, *command), "after": (*command, *flag), "environment": command}[place]
    assert bgpctl(*arguments, kubeconfig=cluster[1] if place == "environment" else None).code == 0


def test_the_commands_own_flags_win(cluster: Cluster) -> None:
    ran = bgpctl("--context", "nonsense", "peers", "status", "--context", "one", kubeconfig=cluster[1])
    assert ran.code == 0
    assert bgpctl("peers", "status", "--context", "nonsense", kubeconfig=cluster[1]).code == 2


def test_named_nodes(cluster: Cluster) -> None:
    ran = bgpctl("peers", "status", "worker-2", "worker-3", "-o", "json", kubeconfig=cluster[1])
    assert ran.code == 1
    states = {node["node"]: node["state"] for node in ran.document["nodes"]}
    assert states == {"worker-2": "current", "worker-3": "no speaker"}


def test_a_name_that_no_node_has_is_a_usage_error_unless_a_speaker_reports_under_it(cluster: Cluster) -> None:
    ran = bgpctl("peers", "status", "worker-2", "worker-4", kubeconfig=cluster[1])
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[0] == "error: node worker-4 does not exist"
    assert bgpctl("peers", "status", "--watch", "worker-4", kubeconfig=cluster[1]).code == 2
    cluster[0].collections[NODE_STATES].append(established("worker-4"))
    assert bgpctl("peers", "status", "worker-4", kubeconfig=cluster[1]).code == 0


def test_a_withdrawn_and_a_stale_node(cluster: Cluster) -> None:
    api, kubeconfig = cluster
    now = time.time()
    old = state("worker-2", now, peer(now), heartbeat=now - 400)
    api.collections[NODE_STATES] = [to_document(withdrawn("worker-1", now)), to_document(old)]
    ran = bgpctl("peers", "status", kubeconfig=kubeconfig)
    assert ran.code == 1
    assert "withdrawn (sent 1m" in ran.out
    assert "stale (last seen 6m4" in ran.out
    assert ran.out.splitlines()[-1].startswith("0 of 2 sessions established; worker-1: withdrawn")
    document = yaml.safe_load(bgpctl("peers", "status", "-o", "yaml", kubeconfig=kubeconfig).out)
    assert document["status"] == "failed"


def test_a_cluster_without_speakers(cluster: Cluster) -> None:
    del cluster[0].collections[NODE_STATES]
    ran = bgpctl("peers", "status", kubeconfig=cluster[1])
    assert ran.code == 1
    assert "no bgpctl speaker was ever installed" in ran.err


def test_as_names_and_by_a_template(cluster: Cluster) -> None:
    named = bgpctl("peers", "status", "-o", "name", kubeconfig=cluster[1])
    assert named.out == "node/worker-1\nnode/worker-2\n"
    template = "-ojsonpath={range .nodes[*]}{.node}={.state};{end}"
    for command in (("peers", "status"), ("node", "status")):
        ran = bgpctl(*command, template, kubeconfig=cluster[1])
        assert ran.out.startswith("worker-1="), (command, ran.err)
    ran = bgpctl("peers", "status", "-o", "jsonpath={..node}", kubeconfig=cluster[1])
    assert (ran.code, ran.out) == (2, "")
    assert "{..node}: column 2: `..` is not understood here" in ran.err
    ran = bgpctl("peers", "status", "-o", "xml", kubeconfig=cluster[1])
    assert (ran.code, "not one of table, wide, json, yaml, name, jsonpath=" in ran.err) == (2, True)


def test_long_addresses_are_whole_in_a_narrow_window(cluster: Cluster) -> None:
    now, address = time.time(), "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
    cluster[0].collections[NODE_STATES] = [to_document(state("worker-1", now, peer(now, address)))]
    assert address in bgpctl("peers", "status", kubeconfig=cluster[1], COLUMNS="20").out


def test_probes_of_the_context_and_of_flags(cluster: Cluster) -> None:
    from bgpctl.cli import wire
    from bgpctl.cli.flags import Given
    from bgpctl.errors import UsageError

    def probes(context: str, *flags: str) -> tuple[str, ...]:
        return wire.router_probes(wire.client(Given(context, str(cluster[1]))), flags)

    assert probes("one") == ()
    assert probes("probed") == ("bird=/run/bird.ctl",)
    assert probes("probed", "frr") == ("frr",)
    with pytest.raises(UsageError, match="is not a list of router probes"):
        probes("broken")


@contextlib.contextmanager
def watching(kubeconfig: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "bgpctl", "peers", "status", "--watch", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(kubeconfig),
        start_new_session=True,
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate(timeout=30)


def test_watch_prints_a_document_per_change(cluster: Cluster) -> None:
    api, kubeconfig = cluster
    with watching(kubeconfig, "-o", "json") as child:
        assert child.stdout
        assert json.loads(child.stdout.readline())["status"] == "done"
        assert api.watching.wait(30)
        api.change(NODE_STATES, to_document(withdrawn("worker-1", time.time())))
        changed = json.loads(child.stdout.readline())
    assert changed["status"] == "failed"
    assert changed["nodes"][0]["state"].startswith("withdrawn (sent 1m")


def test_watch_in_text_prints_blocks(cluster: Cluster) -> None:
    with watching(cluster[1]) as child:
        assert child.stdout
        assert child.stdout.readline().rstrip().endswith(" UTC")
        assert child.stdout.readline().startswith("NODE ")

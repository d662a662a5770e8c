"""`bgpctl metrics`: every endpoint told, or named with its reason; nothing missing passes for zero."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl import providers
from bgpctl.core.exposition import read
from bgpctl.kube import paths
from bgpctl.providers.pods import TABLE, Endpoint, endpoints
from bgpctl.queries.metrics import Answer, Report
from bgpctl.render import metrics as render
from bgpctl.render.text import plain
from tests.support.cli import inside
from tests.support.fake_api import FakeApi, fake_api
from tests.support.golden import check_golden

PREFIX = "cilium_bgp_control_plane"
BY = 'instance_name="i",local_asn="65001",neighbor="192.0.2.1:179",neighbor_asn="65000"'
CILIUM = f"""\
{PREFIX}_session_state{{{BY}}} 1
{PREFIX}_advertised_routes{{{BY},afi="ipv4",safi="unicast"}} 15
{PREFIX}_advertised_routes{{{BY},afi="ipv6",safi="unicast"}} 0
{PREFIX}_received_routes{{{BY},afi="ipv4",safi="unicast"}} 1.234567e+06
{PREFIX}_reconcile_errors_total{{instance_name="i"}} 2
{PREFIX}_reconcile_run_duration_seconds_bucket{{instance_name="i",le="+Inf"}} 8
{PREFIX}_reconcile_run_duration_seconds_sum{{instance_name="i"}} 0.2
{PREFIX}_reconcile_run_duration_seconds_count{{instance_name="i"}} 8
cilium_endpoint_count 3
"""
PREFIXES = (f"{PREFIX}_",)
FORBIDDEN = json.dumps(
    {
        "kind": "Status",
        "reason": "Forbidden",
        "message": 'pods "p-worker-2:9962" is forbidden: User "eve" cannot get resource "pods/proxy"',
    }
)


def pod(node: str, *containers: dict[str, Any], **notes: str) -> dict[str, Any]:
    return {
        "metadata": {"name": f"p-{node}", "namespace": "kube-system", "annotations": notes},
        "spec": {
            "nodeName": node,
            "hostNetwork": True,
            "containers": list(containers) or [{"name": "cilium-agent"}],
        },
        "status": {"phase": "Running"},
    }


def page(node: str, port: int, *, https: bool = False) -> str:
    return paths.pod_metrics("kube-system", f"p-{node}", port, https)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[FakeApi, Path]]:
    with fake_api(tmp_path) as (api, kubeconfig):
        api.collections[paths.NODES] = [{"metadata": {"name": f"worker-{n}"}} for n in (1, 2, 3)]
        api.collections[paths.PODS] = [pod("worker-1"), pod("worker-2")]
        api.texts = {page("worker-1", 9962): (200, CILIUM), page("worker-2", 9962): (200, CILIUM)}
        yield api, kubeconfig


def test_all_told(cluster: tuple[FakeApi, Path]) -> None:
    code, out = inside("metrics", "--provider", "cilium", "-o", "json", kubeconfig=cluster[1])
    told = json.loads(out)
    assert (code, told["status"], told["unread"]) == (0, "done", [])
    routes = [one for one in told["samples"] if one["metric"] == f"{PREFIX}_received_routes"]
    assert [(one["node"], one["value"]) for one in routes] == [("worker-1", 1234567), ("worker-2", 1234567)]
    assert routes[0]["labels"]["neighbor"] == "192.0.2.1:179"


def test_who_speaks_is_found_out(cluster: tuple[FakeApi, Path]) -> None:
    api, kubeconfig = cluster
    api.collections[paths.NODE_CONFIGS[0]] = [{"metadata": {"name": "worker-1"}}]
    code, out = inside("metrics", "worker-1", kubeconfig=kubeconfig)
    assert code == 0 and "session_state" in out and "worker-2" not in out


def test_one_that_we_may_not_read_costs_only_itself(cluster: tuple[FakeApi, Path]) -> None:
    api, kubeconfig = cluster
    api.texts[page("worker-2", 9962)] = (403, FORBIDDEN)
    code, out = inside("metrics", "--provider", "cilium", "-o", "json", kubeconfig=kubeconfig)
    told = json.loads(out)
    assert (code, told["status"]) == (1, "failed")
    assert {one["node"] for one in told["samples"]} == {"worker-1"}
    (unread,) = told["unread"]
    assert unread["missingRight"] == "get pods/proxy" and unread["port"] == 9962
    _, text = inside("metrics", "--provider", "cilium", kubeconfig=kubeconfig)
    assert "worker-2: pod kube-system/p-worker-2 port 9962: " in text
    assert "ask for the right to get pods/proxy" in text


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            (503, '{"kind":"Status","message":"dial tcp 10.0.0.2:9962: connect: connection refused"}'),
            "dial tcp 10.0.0.2:9962: connect: connection refused",
        ),
        ((401, "Unauthorized\n"), "a credential of its own"),
        ((404, '{"kind":"Status","message":"pods \\"p\\" not found"}'), 'pods "p" not found'),
        ((404, "404 page not found"), "it answers HTTP 404: 404 page not found"),
        ((200, "<html>\n<p>log in\n"), "2 of its lines are no metrics"),
        ((200, "cilium_endpoint_count 3\n"), "it serves no BGP metrics"),
        ((200, ""), "it serves no BGP metrics"),
    ],
)
def test_reasons(cluster: tuple[FakeApi, Path], answer: tuple[int, str], reason: str) -> None:
    api, kubeconfig = cluster
    api.texts[page("worker-2", 9962)] = answer
    code, out = inside("metrics", "--provider", "cilium", "-o", "json", kubeconfig=kubeconfig)
    (unread,) = json.loads(out)["unread"]
    assert code == 1 and unread["node"] == "worker-2" and reason in unread["reason"]
    assert unread["reason"].startswith("it answers HTTP") is ("HTTP 404: 404" in reason)
    assert "missingRight" not in unread


def test_a_pods_words_are_bounded_and_obeyed_by_no_terminal(cluster: tuple[FakeApi, Path]) -> None:
    api, kubeconfig = cluster
    long = json.dumps({"kind": "Status", "message": "\x1b[2J" + "x" * 9999})
    api.texts = {
        page("worker-1", 9962): (200, f'{PREFIX}_session_state{{neighbor="\x1b[31m\u2028evil"}} 1\n'),
        page("worker-2", 9962): (404, long),
    }
    code, out = inside("metrics", "--provider", "cilium", kubeconfig=kubeconfig)
    assert code == 1 and "evil" in out and "\x1b" not in out and "\u2028" not in out
    assert out.count("x") < 500


@pytest.mark.parametrize(
    ("phase", "reason"), [("Pending", "it is Pending"), ("Failed", "it is Failed"), (7, ""), (None, "")]
)
def test_a_pod_that_does_not_run_serves_nothing(
    cluster: tuple[FakeApi, Path], phase: object, reason: str
) -> None:
    api, kubeconfig = cluster
    api.collections[paths.PODS][1]["status"] = {"phase": phase}
    code, out = inside("metrics", "--provider", "cilium", "-o", "json", kubeconfig=kubeconfig)
    told = json.loads(out)
    assert [(one["node"], one["reason"]) for one in told["unread"]] == (
        [("worker-2", reason)] if reason else []
    )
    assert code == (1 if reason else 0) and any(
        page("worker-2", 9962) in one for one in api.requests
    ) is not bool(reason)


def test_a_pod_of_which_no_container_is_known(cluster: tuple[FakeApi, Path]) -> None:
    api, kubeconfig = cluster
    api.collections[paths.PODS][1]["spec"]["containers"] = [{"name": "other"}]
    _, out = inside("metrics", "--provider", "cilium", "-o", "json", kubeconfig=kubeconfig)
    (unread,) = json.loads(out)["unread"]
    assert unread["reason"] == "none of its containers is known to serve metrics"
    assert (unread["node"], unread["pod"]) == ("worker-2", "kube-system/p-worker-2") and "port" not in unread


def test_metrics_that_are_off(cluster: tuple[FakeApi, Path]) -> None:
    api, kubeconfig = cluster
    name = TABLE["kube-router"].selectors[0]
    api.collections[paths.PODS] = [pod("worker-1", {"name": "kube-router"})]
    code, out = inside("metrics", "--provider", "kube-router", "-o", "json", kubeconfig=kubeconfig)
    (unread,) = json.loads(out)["unread"]
    assert (code, unread["reason"]) == (1, "its metrics are off, or their port is not told"), name


def test_nodes_without_a_pod_are_named_in_their_order(cluster: tuple[FakeApi, Path]) -> None:
    api, kubeconfig = cluster
    names = [f"worker-{number}" for number in range(3, 9)]
    api.collections[paths.NODES] += [{"metadata": {"name": name}} for name in names]
    _, out = inside(
        "metrics", "worker-1", *reversed(names), "--provider", "cilium", "-o", "json", kubeconfig=kubeconfig
    )
    assert [one["node"] for one in json.loads(out)["unread"]] == names


def test_a_node_without_a_pod_is_named(cluster: tuple[FakeApi, Path]) -> None:
    code, out = inside("metrics", "worker-1", "worker-3", "--provider", "cilium", kubeconfig=cluster[1])
    assert code == 1
    assert "worker-3: no pod with labels k8s-app=cilium" in out and "session_state" in out


def test_a_tenants_pod_with_the_labels_speaks_for_no_node(cluster: tuple[FakeApi, Path]) -> None:
    """Labels anybody may give to a pod of his own; the network of its node not."""
    api, kubeconfig = cluster
    forged = pod("worker-3")
    del forged["spec"]["hostNetwork"]
    api.collections[paths.PODS].append(forged)
    api.texts[page("worker-3", 9962)] = (200, CILIUM)
    code, out = inside("metrics", "worker-3", "--provider", "cilium", kubeconfig=kubeconfig)
    assert code == 1 and "session_state" not in out and "no pod with labels" in out
    assert not [path for path in api.requests if "proxy" in path]


def test_what_is_wrong_with_the_command_line(cluster: tuple[FakeApi, Path]) -> None:
    api, kubeconfig = cluster
    code, out = inside("metrics", "worker-9", "--provider", "cilium", kubeconfig=kubeconfig)
    assert code == 2 and "node worker-9 does not exist" in out
    code, out = inside("metrics", "--provider", "isovalent", kubeconfig=kubeconfig)
    assert code == 2 and "it is not known in which pods isovalent speaks BGP" in out
    code, out = inside("metrics", "--provider", "calico", kubeconfig=kubeconfig)
    assert code == 1 and "has no BGP metrics" in out
    api.collections[paths.PODS] = []
    code, out = inside("metrics", "--provider", "cilium", kubeconfig=kubeconfig)
    assert code == 1 and "no pod with labels k8s-app=cilium" in out


def test_of_metallbs_two_endpoints_one_has_them(cluster: tuple[FakeApi, Path]) -> None:
    api, kubeconfig = cluster
    api.collections[paths.PODS] = [pod("worker-1", {"name": "speaker"}, {"name": "frr-metrics"})]
    api.texts = {
        page("worker-1", 7472): (200, "metallb_speaker_announced 1\n"),
        page("worker-1", 7473): (200, 'metallb_bgp_session_up{peer="192.0.2.1:179",vrf="red"} 1\n'),
    }
    code, out = inside("metrics", "--provider", "metallb", kubeconfig=kubeconfig)
    assert code == 0 and "vrf=red" in out and "1 endpoint read" in out


@pytest.mark.parametrize(
    ("provider", "found", "expected"),
    [
        ("cilium", pod("w"), [Endpoint(9962)]),
        ("cilium", pod("w", **{"prometheus.io/port": "9090"}), [Endpoint(9090)]),
        ("cilium", pod("w", **{"prometheus.io/port": "70000"}), [Endpoint(9962)]),
        (
            "cilium",
            pod("w", **{"prometheus.io/port": "9", "prometheus.io/scheme": "https"}),
            [Endpoint(9, True)],
        ),
        ("cilium", {"metadata": 3, "spec": {"containers": [7, {"name": {}}]}}, []),
        ("metallb", pod("w", {"name": "speaker"}), [Endpoint(7472)]),
        (
            "metallb",
            pod("w", {"name": "speaker", "ports": [{"name": "metricshttps", "containerPort": 9120}]}),
            [Endpoint(9120, True)],
        ),
        ("metallb", pod("w", {"name": "speaker", "ports": [{"name": ["metrics"]}, 3]}), [Endpoint(7472)]),
        ("frr-k8s", pod("w", {"name": "frr"}, {"name": "frr-metrics"}), [Endpoint(7573)]),
        ("kube-router", pod("w", {"name": "kube-router"}), [Endpoint(0)]),
        ("bgpctl", pod("w", {"name": "speaker"}), [Endpoint(9180)]),
    ],
)
def test_ports(provider: str, found: dict[str, Any], expected: list[Endpoint]) -> None:
    assert list(endpoints(TABLE[provider], found)) == expected


def test_every_row_is_a_provider() -> None:
    assert set(TABLE) <= set(providers.TABLE)
    assert all(row.prefixes for row in TABLE.values() if row.metrics)


def report() -> Report:
    """One node told, one in part, one not at all."""
    ours = (f"{PREFIX}_", "bgpctl_")
    more = f"bgpctl_session_flaps_total{{{BY}}} 3\n"
    more += 'bgpctl_phase{phase="Idle"} 0\nbgpctl_phase{phase="Up"} 1\n'
    more += f"bgpctl_start_time_seconds 1795458775\nbgpctl_session_hold_time_seconds{{{BY}}} NaN\n"
    refused = "dial tcp 10.0.0.3:9962: connect: connection refused"
    return Report(
        (
            Answer("worker-1", "kube-system/p-1", 9962, read((CILIUM + more).splitlines(), ours)),
            Answer("worker-2", "kube-system/p-2", 9962, read([f"{PREFIX}_reconcile_errors_total 0"], ours)),
            Answer("worker-3", "kube-system/p-3", 9962, reason=refused),
            Answer("worker-4", "kube-system/p-4", 9962, reason="forbidden", missing="get pods/proxy"),
        ),
        ours,
    )


def test_golden_80_columns() -> None:
    cilium = Report(
        (Answer("worker-1", "kube-system/p-1", 9962, read(CILIUM.splitlines(), PREFIXES)),), PREFIXES
    )
    check_golden("metrics_80_columns.txt", render.text(cilium, 80))
    check_golden("metrics_speakers_80_columns.txt", render.text(report(), 80))
    check_golden("metrics.txt", render.text(report()))


def test_whole_at_80_columns() -> None:
    assert max(len(plain(row)) for row in render.text(report(), 80)) <= 80


def test_unknown_is_not_zero_in_the_document() -> None:
    told = render.document(report())
    (hold,) = [one for one in told["samples"] if one["metric"] == "bgpctl_session_hold_time_seconds"]
    assert hold["value"] is None and told["status"] == "failed"

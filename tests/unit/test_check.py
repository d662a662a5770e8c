"""`policy check`: every fault and warning of the files, one by one and together."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from bgpctl.documents.check import Verdict, check_files
from bgpctl.errors import Exit
from tests.support.documents import Write, write
from tests.support.objects import (
    cilium_node,
    endpoint,
    endpoint_slice,
    lb_pool,
    neighbor,
    node,
    password_secret,
    policy,
    pool,
    router,
    service,
)

__all__ = ["write"]

# --- policy check -----------------------------------------------------------------------------------------


def test_good_files(write: Write) -> None:
    slices = endpoint_slice("web", endpoint(ready=True))
    path = write(
        node(), policy(router(neighbor(authSecretRef="bgp"))), service(), slices, password_secret("x")
    )
    report = check_files([path])
    assert report.problems == report.warnings == () and report.exit_code is Exit.DONE
    assert [d.verdict for d in report.documents] == [Verdict.VALID] * 5
    assert [d.line for d in report.documents] == sorted({d.line for d in report.documents})


def test_every_fault_of_every_file_with_its_line(write: Write) -> None:
    one_file = write(policy(router(neighbor(peerPort=0, holdTimeSeconds=1))), name="a.yaml")
    other = write("kind: [\n", name="b.yaml")
    report = check_files([one_file, other])
    assert report.exit_code is Exit.USAGE
    lines = [str(problem).removeprefix(f"{Path(one_file).parent}/") for problem in report.problems]
    assert [line.split(" must be")[0].split(" not YAML")[0] for line in lines] == [
        "a.yaml:16: document 1: spec.virtualRouters[0].neighbors[0].peerPort:",
        "a.yaml:17: document 1: spec.virtualRouters[0].neighbors[0].holdTimeSeconds:",
        "b.yaml:2: document 1: (document):",
    ]


def test_what_cannot_be_read_is_counted_too(write: Write) -> None:
    broken = write("kind: [\n", name="b.yaml")
    report = check_files([broken, write(node()), "/no/such/file"])
    assert [(d.kind, d.verdict, d.problems) for d in report.documents] == [
        ("", Verdict.INVALID, 1),
        ("Node", Verdict.VALID, 0),
        ("", Verdict.INVALID, 1),
    ]
    assert [p.source for p in report.problems] == [broken, "/no/such/file"]


def test_a_fault_in_a_list_item_has_its_path_and_line(write: Write) -> None:
    path = write({"apiVersion": "v1", "kind": "List", "items": [node(), policy(router(asn="x"))]})
    ((problem),) = check_files([path]).problems
    assert problem.path == "items[1].spec.virtualRouters[0].localASN"
    assert problem.line is not None
    assert "localASN: x" in Path(path).read_text().splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        (node(spec={"podCIDRs": ["10.1.0.1/24"]}), "spec.podCIDRs[0]", "without host bits"),
        (node(spec={"podCIDR": 5}), "spec.podCIDR", "must be a CIDR"),
        (
            node(status={"addresses": [{"type": "InternalIP", "address": "x"}]}),
            "status.addresses[0].address",
            "must be an IP address",
        ),
        (
            node(annotations={"cilium.io/bgp-virtual-router.1": "local-port=0"}),
            "metadata.annotations",
            "local-port must be 1..65535",
        ),
        (node(labels={"a": "b c"}), "metadata.labels[a]", "a label value"),
        (service(externalTrafficPolicy="local"), "spec.externalTrafficPolicy", 'Did you mean "Local"?'),
        (service(type="Loadbalancer"), "spec.type", 'Did you mean "LoadBalancer"?'),
        (service("web", "1.2.3"), "status.loadBalancer.ingress[0].ip", "must be an IP address"),
        (service(ports=[{"port": 80, "name": 80}]), "spec.ports[0].name", "a port's name"),
        (
            {**service(), "status": {"loadBalancer": {"ingress": [{"ipMode": "vip"}]}}},
            "status.loadBalancer.ingress[0].ipMode",
            'Did you mean "VIP"?',
        ),
        (
            {
                **service(),
                "metadata": {"name": "web", "annotations": {"service.cilium.io/node-selector": "a in b"}},
            },
            "metadata.annotations",
            'service.cilium.io/node-selector: "a in b" is no requirement of a label selector',
        ),
        (
            {**endpoint_slice("web"), "ports": [{"name": 80}]},
            "ports[0].name",
            "a port's name",
        ),
        (service(externalIPs=["x"]), "spec.externalIPs[0]", "must be an IP address"),
        ({**service(), "spec": None}, "spec", "required"),
        ({**endpoint_slice("web"), "addressType": "ipv4"}, "addressType", 'Did you mean "IPv4"?'),
        (
            endpoint_slice("web", {"conditions": {"ready": "yes"}}),
            "endpoints[0].conditions.ready",
            "must be true or false",
        ),
        ({**node(), "apiVersion": "v2"}, "apiVersion", 'must be "v1"'),
        ({"apiVersion": "v1"}, "kind", "required; one of CiliumBGPPeeringPolicy, CiliumBGPCl"),
        ({**policy(), "kind": "CiliumBGPPeringPolicy"}, "kind", 'Did you mean "CiliumBGPPeeringPolicy"?'),
    ],
)
def test_faults_of_the_other_kinds(write: Write, document: Any, path: str, words: str) -> None:
    report = check_files([write(document)])
    assert [(p.path, words in p.message) for p in report.problems] == [(path, True)]
    assert report.documents[0].verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "secret",
    [
        {"data": {"password": "not base64!"}},
        {"data": {"password": base64.b64encode(b"\xff\xfe").decode()}},
        {"data": "hunter2"},
        {"data": {"other": "aHVudGVyMg=="}},
        {"stringData": {"password": ""}},
        {"stringData": "hunter2"},
        {},
    ],
)
def test_bad_secrets_are_reported_without_their_content(write: Write, secret: dict[str, Any]) -> None:
    report = check_files([write({**password_secret("x"), "data": None, **secret})])
    assert [p.path for p in report.problems] == ["data.password"]
    assert "hunter2" not in str(report) and "not base64!" not in str(report)


def test_a_password_with_a_line_break_is_a_warning(write: Write) -> None:
    report = check_files([write(password_secret("hunter2\n"))])
    assert report.ok and "white space" in report.warnings[0].message and "hunter2" not in str(report)


@pytest.mark.parametrize("kind", ["CiliumBGPNodeConfig", "Deployment"])
def test_kinds_that_are_not_read_are_named(write: Write, kind: str) -> None:
    report = check_files([write({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "a"}})])
    assert (
        report.ok and report.documents[0].verdict is Verdict.NOT_USED and kind in report.warnings[0].message
    )


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (pool("blue"), ""),
        (cilium_node(blue=["10.8.1.0/24"]), ""),
        (cilium_node(blue=["10.8.1.7/24"]), "spec.ipam.pools.allocated[0].cidrs[0]"),
        (cilium_node(pod_cidrs=["x"]), "spec.ipam.podCIDRs[0]"),
        (lb_pool({"cidr": "203.0.113.0/24"}, {"start": "203.0.113.1"}), ""),
        (lb_pool({"start": "203.0.113.1", "stop": "x"}), "spec.blocks[0].stop"),
        (lb_pool({"stop": "203.0.113.1"}), "spec.blocks[0].start"),
    ],
)
def test_what_is_read_of_ciliums_pools(write: Write, document: Any, path: str) -> None:
    report = check_files([write(document)])
    assert [problem.path for problem in report.problems] == ([path] if path else [])
    assert report.warnings == () and report.documents[0].verdict in (Verdict.VALID, Verdict.INVALID)


def test_objects_that_are_described_twice(write: Write) -> None:
    (problem,) = check_files([write(service("a"), service("a", namespace="other"), service("a"))]).problems
    assert problem.document == 3 and "Service a is described already" in problem.message
    (problem,) = check_files([write(policy(), name="1.yaml"), write(policy(), name="2.yaml")]).problems
    assert problem.source.endswith("2.yaml") and "1.yaml, line 1" in problem.message


OTHER = {"matchLabels": {"rack": "1"}}


@pytest.mark.parametrize(
    ("documents", "conflict"),
    [
        ([policy(name="a"), policy(name="b")], True),
        ([policy(name="a"), policy(name="b", nodeSelector=None)], True),
        ([policy(name="a", nodeSelector={}), policy(name="b")], True),
        ([policy(name="a"), policy(name="b", nodeSelector=OTHER)], False),
        ([node(), policy(name="a"), policy(name="b", nodeSelector=OTHER)], False),
        (
            [
                node(labels={"enable-bgp": "true", "rack": "1"}),
                policy(name="a"),
                policy(name="b", nodeSelector=OTHER),
            ],
            True,
        ),
    ],
)
def test_two_policies_for_one_node(write: Write, documents: list[Any], conflict: bool) -> None:
    report = check_files([write(*documents)])
    assert [p.path for p in report.problems] == (["spec.nodeSelector"] if conflict else [])
    assert all("as policy a" in p.message for p in report.problems)


def test_a_secret_that_a_state_file_lacks_is_a_warning(write: Write) -> None:
    with_secret = policy(router(neighbor(authSecretRef="bgp")))
    assert check_files([write(with_secret)]).warnings == ()
    (warning,) = check_files([write(node(), with_secret)]).warnings
    assert warning.path.endswith("neighbors[0].authSecretRef") and "gets no session" in warning.message


def huge_policy(neighbors: int, **last: Any) -> str:
    head = yaml.safe_dump(policy(), sort_keys=False).partition("    neighbors:")[0]
    rows = [
        f"    - peerAddress: 10.{n >> 16}.{(n >> 8) & 255}.{n & 255}/32\n      peerASN: 65000\n"
        for n in range(neighbors)
    ]
    return head + "    neighbors:\n" + "".join(rows) + "".join(f"      {k}: {v}\n" for k, v in last.items())


def test_a_hundred_thousand_lines_take_seconds_and_one_message(write: Write) -> None:
    small_enough = huge_policy(25_000, peerPort=70000) + "# end\n" * 50_000
    assert small_enough.count("\n") > 100_000
    start = time.process_time()
    (problem,) = check_files([write(small_enough)]).problems
    assert problem.path.endswith("neighbors[24999].peerPort") and "must be 1..65535" in problem.message
    assert problem.line is not None
    assert small_enough.splitlines()[problem.line - 1].strip() == "peerPort: 70000"
    assert time.process_time() - start < 20, (
        "a quadratic reader takes minutes; beside other tests this takes 6 s"
    )


def test_a_policy_that_no_cluster_can_store(write: Write) -> None:
    (problem,) = check_files([write(huge_policy(50_000))]).problems
    assert "a cluster stores at most 1572864" in problem.message

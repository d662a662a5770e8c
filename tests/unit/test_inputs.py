"""The documents besides the policies: each mistake in its place, and what is fine is not complained of."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bgpctl.core.policy.inputs import check_input, password_of
from bgpctl.core.reading.fields import Faults
from tests.support.objects import cilium_node, endpoint, endpoint_slice, lb_pool, node, pool, service


def said(document: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The paths of the problems and of the warnings, as of an object that may have other fields."""
    faults = Faults("x", strict=False)
    check_input(document["kind"], document, faults)
    return [problem.path for problem in faults.problems], [warning.path for warning in faults.warnings]


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bgp"}, **fields}


def encoded(text: bytes) -> dict[str, str]:
    return {"password": base64.b64encode(text).decode()}


def address(**fields: Any) -> dict[str, Any]:
    return node(status={"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, fields]})


def ingress(*entries: Any) -> dict[str, Any]:
    return {**service(), "status": {"loadBalancer": {"ingress": list(entries)}}}


def slice_(**fields: Any) -> dict[str, Any]:
    return {**endpoint_slice("web", endpoint()), **fields}


def ready(**conditions: Any) -> dict[str, Any]:
    return slice_(endpoints=[{"nodeName": "n", "conditions": conditions}])


def without_spec(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "spec"}


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        (node(), []),
        (node(spec={}, status={}), []),
        (without_spec(node()), []),
        ({key: value for key, value in node().items() if key != "status"}, []),
        (node(spec={"podCIDR": "10.0.0.0/24"}), []),
        (node(spec={"podCIDR": "10.0.0.1/24"}), ["spec.podCIDR"]),
        (node(spec={"podCIDRs": ["10.0.0.0/24", "ten", 5, ""]}), [f"spec.podCIDRs[{n}]" for n in (1, 2, 3)]),
        (address(type="InternalIP", address="ten"), ["status.addresses[1].address"]),
        (address(type="InternalIP", address=5), ["status.addresses[1].address"]),
        (address(type="Hostname", address="worker-1"), []),
        (address(address="10.0.0.2"), ["status.addresses[1].type"]),
        (node(annotations={"cilium.io/bgp-virtual-router.1": "local-port=0"}), ["metadata.annotations"]),
        (node(annotations={"bgpctl.io/graceful-notification": "x"}), ["metadata.annotations"]),
        (service("web", "10.0.0.1"), []),
        (without_spec(service()), ["spec"]),
        (service(type="Nonsense"), ["spec.type"]),
        (service(externalTrafficPolicy="local"), ["spec.externalTrafficPolicy"]),
        (service(internalTrafficPolicy="local"), ["spec.internalTrafficPolicy"]),
        (service(clusterIPs=["None"], externalIPs=[""]), []),
        (service(clusterIPs=["ten"]), ["spec.clusterIPs[0]"]),
        (service(externalIPs=["10.0.0.1", "ten"]), ["spec.externalIPs[1]"]),
        (ingress({"ip": "10.0.0.1"}, {"hostname": "a"}), []),
        (ingress({"ip": "10.0.0.1"}, {"ip": "ten"}), ["status.loadBalancer.ingress[1].ip"]),
        ({**service(), "status": {}}, []),
        (ingress({"ip": "10.0.0.1", "ipMode": "VIP"}, {"ip": "10.0.0.1", "ipMode": "Proxy"}), []),
        (ingress({"ip": "10.0.0.1", "ipMode": "vip"}), ["status.loadBalancer.ingress[0].ipMode"]),
        (
            {**service(), "metadata": {"name": "web", "annotations": {"service.cilium.io/type": "x"}}},
            ["metadata.annotations"],
        ),
        ({**service(), "status": None}, []),
        (service(ports=[{"name": "", "port": 80}, {"name": "http"}, {}]), []),
        (service(ports=[{"name": 5}]), ["spec.ports[0].name"]),
        (slice_(), []),
        (slice_(addressType=None), ["addressType"]),
        (slice_(addressType="IP"), ["addressType"]),
        (slice_(endpoints=[{"nodeName": 5}]), ["endpoints[0].nodeName"]),
        (slice_(endpoints=[{}]), []),
        (slice_(ports=[{"name": "", "port": 80}, {"name": "http"}, {}]), []),
        (slice_(ports=[{"name": 5}]), ["ports[0].name"]),
        (ready(ready=True, serving=False, terminating=None), []),
        (ready(ready="x"), ["endpoints[0].conditions.ready"]),
        (ready(serving="x"), ["endpoints[0].conditions.serving"]),
        (ready(terminating="x"), ["endpoints[0].conditions.terminating"]),
        (secret(data=encoded(b"x")), []),
        (secret(), ["data.password"]),
        (cilium_node(pod_cidrs=["10.0.0.0/24"], blue=["10.1.0.0/24"]), []),
        (without_spec(cilium_node()), ["spec"]),
        ({**cilium_node(), "spec": {}}, []),
        ({**cilium_node(), "spec": {"ipam": {}}}, []),
        (cilium_node(pod_cidrs=["ten"]), ["spec.ipam.podCIDRs[0]"]),
        (cilium_node(blue=["10.1.0.0/24", "ten"]), ["spec.ipam.pools.allocated[0].cidrs[1]"]),
        (
            {**cilium_node(), "spec": {"ipam": {"pools": {"allocated": [{"cidrs": []}]}}}},
            ["spec.ipam.pools.allocated[0].pool"],
        ),
        (pool("blue"), []),
        (without_spec(pool("blue")), ["spec"]),
        (
            lb_pool(
                {"cidr": "10.0.0.0/24"}, {"start": "10.0.1.1"}, {"start": "10.0.1.2", "stop": "10.0.1.3"}
            ),
            [],
        ),
        (without_spec(lb_pool()), ["spec"]),
        (lb_pool({"cidr": "ten"}, {"start": "ten"}), ["spec.blocks[0].cidr", "spec.blocks[1].start"]),
        (lb_pool({"start": "10.0.1.1", "stop": "ten"}), ["spec.blocks[0].stop"]),
        (lb_pool({}), ["spec.blocks[0].start"]),
        ({**lb_pool(), "spec": {"cidrs": [{"cidr": "ten"}]}}, ["spec.cidrs[0].cidr"]),
        ({**lb_pool(), "spec": {"disabled": "yes"}}, ["spec.disabled"]),
    ],
)
def test_faults(document: dict[str, Any], paths: list[str]) -> None:
    assert said(document) == (paths, [])


def test_a_slice_of_no_service_has_no_effect() -> None:
    assert said(slice_(metadata={"name": "x"})) == ([], ["metadata.labels"])


@pytest.mark.parametrize(
    ("document", "password"),
    [
        (secret(data=encoded(b"secret")), "secret"),
        (secret(data={"password": "c2Vj\n cmV0\n"}), "secret"),  # folded, as YAML may
        (secret(stringData={"password": "plain"}, data=encoded(b"secret")), "plain"),
        (secret(stringData={"other": "x"}, data=encoded(b"secret")), "secret"),
        (secret(stringData={"password": ""}, data=encoded(b"secret")), None),
        (secret(stringData={"password": 5}), None),
        (secret(), None),
        (secret(data=5), None),
        (secret(data={"password": 5}), None),
        (secret(data={"password": ""}), None),
        (secret(data={"password": "no base64!"}), None),
        (secret(data={"password": "c2VjcmV0*"}), None),
        (secret(data={"password": "abc"}), None),
        (secret(data=encoded(b"\xff\xfe")), None),
    ],
)
def test_the_password(document: dict[str, Any], password: str | None) -> None:
    found = password_of(document)
    assert (found.reveal() if found else None) == password


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        (secret(), "required: the TCP-MD5 password"),
        (secret(data=5), "required: the TCP-MD5 password"),
        (secret(data={"other": "x"}), "required: the TCP-MD5 password"),
        (secret(data={"password": "!"}), "must be Base64 of non-empty UTF-8"),
    ],
)
def test_what_is_wrong_with_a_password_and_never_the_password(document: dict[str, Any], rule: str) -> None:
    faults = Faults("x", strict=False)
    check_input("Secret", document, faults)
    messages = [problem.message for problem in faults.problems]
    assert messages == [f"{rule} (or plain text in stringData.password)"]


@pytest.mark.parametrize("text", [b" x", b"x\n"])
def test_white_space_of_a_password_counts(text: bytes) -> None:
    assert said(secret(data=encoded(text))) == ([], ["data.password"])

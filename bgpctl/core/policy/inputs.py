"""Node, Service, EndpointSlice and Secret documents, Cilium's pools and CiliumNodes: the faults in the fields
that bgpctl reads.

An API server validates them by its types or a CRD; in a file nobody did. Only what the intent is
compiled from is checked here, everything else in them is left alone.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.intent.endpoints import SERVICE_NAME_LABEL
from bgpctl.core.intent.exposure import read_exposure
from bgpctl.core.intent.podcidrs import CILIUM_NODE, POD_POOL
from bgpctl.core.model import Secret
from bgpctl.core.policy.annotations import node_settings
from bgpctl.core.policy.nodeconfig import router_settings
from bgpctl.core.policy.pools import LB_POOL
from bgpctl.core.reading.addresses import parse_address, parse_network
from bgpctl.core.reading.documents import annotations_of, labels_of, read_header
from bgpctl.core.reading.fields import Faults, Fields, show

PASSWORD_KEY = "password"  # noqa: S105  # the key's name, not a password
SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
TRAFFIC_POLICIES = ("Cluster", "Local")
IP_MODES = ("VIP", "Proxy")
ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")


def password_of(document: Mapping[str, Any]) -> Secret | None:
    """The key `password` of a Secret (stringData before data, as the API server merges them); None when it
    is missing, empty or not Base64 of UTF-8."""
    plain = document.get("stringData")
    if isinstance(plain, Mapping) and isinstance(plain.get(PASSWORD_KEY), str):
        return Secret(plain[PASSWORD_KEY]) if plain[PASSWORD_KEY] else None
    data = document.get("data")
    text = data.get(PASSWORD_KEY) if isinstance(data, Mapping) else None
    if not isinstance(text, str) or not text:
        return None
    try:
        return Secret(base64.b64decode("".join(text.split()), validate=True).decode())
    except (binascii.Error, ValueError):
        return None


def _ip(fields: Fields, path: str, value: object) -> None:
    try:
        parse_address(value)
    except ValueError:
        fields.faults.error(path, f"must be an IP address; it is {show(value)}")


def _cidr(fields: Fields, path: str, value: object) -> None:
    try:
        parse_network(value)
    except ValueError:
        fields.faults.error(path, f"must be a CIDR without host bits (10.1.0.0/24); it is {show(value)}")


def _check_node(top: Fields) -> None:
    annotations = annotations_of(top.value)
    for problem in (*router_settings(annotations)[1], *node_settings(annotations)[1]):
        top.faults.error("metadata.annotations", problem.removeprefix("annotation "))
    spec = top.mapping("spec")
    if spec is not None:
        for path, value in spec.items("podCIDRs"):
            _cidr(spec, path, value)
        if (one := spec.raw("podCIDR")) is not None:
            _cidr(spec, spec.at("podCIDR"), one)
    status = top.mapping("status")
    for address in status.objects("addresses") if status else ():
        if address.string("type", required=True) == "InternalIP":
            _ip(address, address.at("address"), address.raw("address"))


def _check_service(top: Fields) -> None:
    spec = top.mapping("spec", required=True)
    if spec is not None:
        spec.choice("type", SERVICE_TYPES)
        for policy in ("externalTrafficPolicy", "internalTrafficPolicy"):
            spec.choice(policy, TRAFFIC_POLICIES)
        for port in spec.objects("ports"):
            if port.raw("name") != "":
                port.string("name", "a port's name")
        ignored = read_exposure(top.value, labels_of(top.value))[1]
        if ignored:
            top.faults.error("metadata.annotations", ignored.removeprefix("annotation "))
        for name in ("clusterIPs", "externalIPs"):
            for path, value in spec.items(name):
                if value not in ("None", ""):
                    _ip(spec, path, value)
    status = top.mapping("status")
    balancer = status.mapping("loadBalancer") if status else None
    for entry in balancer.objects("ingress") if balancer else ():
        entry.choice("ipMode", IP_MODES)
        if entry.raw("ip") is not None:
            _ip(entry, entry.at("ip"), entry.raw("ip"))


def _check_endpoint_slice(top: Fields) -> None:
    if SERVICE_NAME_LABEL not in labels_of(top.value):
        top.faults.warn("metadata.labels", f"has no effect without the label {SERVICE_NAME_LABEL}")
    top.choice("addressType", ADDRESS_TYPES, required=True)
    for endpoint in top.objects("endpoints"):
        endpoint.string("nodeName", "a node's name")
        conditions = endpoint.mapping("conditions")
        for name in ("ready", "serving", "terminating") if conditions else ():
            conditions.boolean(name)  # type: ignore[union-attr]
    for port in top.objects("ports"):
        if port.raw("name") != "":
            port.string("name", "a port's name")


def _check_secret(top: Fields) -> None:
    # Never quote a value here: it may be the password, misplaced.
    data = top.value.get("data")
    password = password_of(top.value)
    if password is None:
        held = isinstance(data, Mapping) and PASSWORD_KEY in data
        rule = "must be Base64 of non-empty UTF-8" if held else "required: the TCP-MD5 password"
        top.faults.error(f"data.{PASSWORD_KEY}", f"{rule} (or plain text in stringData.{PASSWORD_KEY})")
    elif password.reveal() != password.reveal().strip():
        top.faults.warn(
            f"data.{PASSWORD_KEY}", "begins or ends with white space (echo without -n?): it counts"
        )


def _check_cilium_node(top: Fields) -> None:
    spec = top.mapping("spec", required=True)
    ipam = spec.mapping("ipam") if spec else None
    for path, value in ipam.items("podCIDRs") if ipam else ():
        _cidr(top, path, value)
    pools = ipam.mapping("pools") if ipam else None
    for entry in pools.objects("allocated") if pools else ():
        entry.string("pool", "a pool's name", required=True)
        for path, value in entry.items("cidrs"):
            _cidr(entry, path, value)


def _check_pod_pool(top: Fields) -> None:
    """Only its name and labels are read, and the header has them."""
    top.mapping("spec", required=True)


def _check_lb_pool(top: Fields) -> None:
    spec = top.mapping("spec", required=True)
    if spec is None:
        return
    spec.boolean("disabled")
    for name in ("blocks", "cidrs"):  # cidrs: as it was spelt before Cilium 1.15
        for block in spec.objects(name):
            if block.raw("cidr") is not None:
                _cidr(block, block.at("cidr"), block.raw("cidr"))
                continue
            for end in ("start", "stop") if block.raw("stop") is not None else ("start",):
                _ip(block, block.at(end), block.raw(end))


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of input besides the policies."""

    api_version: str | tuple[str, ...]
    check: Callable[[Fields], None]


KINDS = {
    "Node": Kind("v1", _check_node),
    "Service": Kind("v1", _check_service),
    "EndpointSlice": Kind("discovery.k8s.io/v1", _check_endpoint_slice),
    "Secret": Kind("v1", _check_secret),
    CILIUM_NODE: Kind("cilium.io/v2", _check_cilium_node),
    POD_POOL: Kind("cilium.io/v2alpha1", _check_pod_pool),
    LB_POOL: Kind(("cilium.io/v2", "cilium.io/v2alpha1"), _check_lb_pool),
}


def check_input(kind: str, document: Mapping[str, Any], faults: Faults) -> None:
    """Report the faults of a document of one of `KINDS`."""
    known = KINDS[kind]
    known.check(read_header(document, kind, known.api_version, faults))

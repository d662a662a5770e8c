"""Cluster objects -> the doctor's facts. Each reader takes one document, and gives None for what it is not
about; malformed ones cost themselves only. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bgpctl.core.doctor.facts import NodeFacts, PoolFacts, Took, Upgrade, Workload
from bgpctl.core.intent.gates import conditions_of
from bgpctl.core.intent.services import Service
from bgpctl.core.intent.sessions import internal_ips
from bgpctl.core.model import IPAddress
from bgpctl.core.policy.nodeconfig import AddressType
from bgpctl.core.policy.pools import read_block
from bgpctl.core.preflight.rollout import ANNOTATION, rollout
from bgpctl.core.reading.addresses import parse_address
from bgpctl.core.reading.documents import (
    MALFORMED,
    annotations_of,
    fault_in,
    labels_of,
    name_of,
    namespace_of,
)
from bgpctl.core.reading.foreign import Foreign, Unreadable

Document = Mapping[str, Any]

OURS = {"app.kubernetes.io/name": "bgpctl-speaker"}
SPEAKERS: Sequence[Mapping[str, str]] = (
    OURS,
    {"k8s-app": "cilium"},
    {"k8s-app": "calico-node"},
    {"app": "metallb", "component": "speaker"},
    {"app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "speaker"},
    {"app": "frr-k8s"},
    {"app.kubernetes.io/component": "frr-k8s"},
    {"k8s-app": "kube-router"},
)
"""The labels of the pods that speak BGP, as the stacks' own manifests and charts have them."""
PROXY = {"k8s-app": "kube-proxy"}

_PULLED = re.compile(
    r'Successfully pulled image "(?P<image>[^"]{1,512})" in (?P<took>[0-9.hmsµu]{1,40})'
    r"(?: \((?P<whole>[0-9.hmsµu]{1,40}) including waiting\))?"
)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6}


def read_node(document: Document) -> NodeFacts:
    """Never raises: what is malformed of it is not known."""
    ready = conditions_of(document).get("Ready")
    return NodeFacts(
        name_of(document),
        labels_of(document),
        None if ready is None else ready == "True",
        tuple(internal_ips(document)),
    )


def read_workload(document: Document) -> Workload | None:
    """A DaemonSet that speaks BGP, or kube-proxy's."""
    try:
        return _workload(Foreign.of(document))
    except Unreadable:
        return None


def _workload(document: Foreign) -> Workload | None:
    metadata, spec = document.child("metadata"), document.child("spec")
    labels = labels_of(spec.child("template").value)
    proxy = _has(labels, PROXY)
    if not proxy and not any(_has(labels, wanted) for wanted in SPEAKERS):
        return None
    ours, host = _has(labels, OURS), spec.child("template").child("spec").flag("hostNetwork")
    if not ours and not host:
        return None  # somebody's, under the same labels: each of these needs its node's network
    pod, update = spec.child("template").child("spec"), spec.child("updateStrategy")
    most = update.child("rollingUpdate").value.get("maxUnavailable")
    return Workload(
        namespace=metadata.text("namespace"),
        name=metadata.text("name"),
        selector=",".join(f"{key}={value}" for key, value in sorted(_matched(spec).items())),
        proxy=proxy,
        ours=ours,
        priority=pod.text("priorityClassName"),
        host_network=host,
        strategy=update.text("type") or "RollingUpdate",
        max_unavailable="" if most is None else str(most)[:10],
        unavailable=document.child("status").integer("numberUnavailable"),
        grace=pod.integer("terminationGracePeriodSeconds", 30),
        upgrade=_upgrade(document),
    )


def _upgrade(document: Foreign) -> Upgrade | None:
    if ANNOTATION not in annotations_of(document.value):
        return None
    try:
        found = rollout(document.value)
    except Unreadable:
        return Upgrade("", {})
    kept = found.kept or {}
    return Upgrade(str(kept.get("type", "")), {one.name: one.image for one in found.containers})


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()


def _matched(spec: Foreign) -> Mapping[str, str]:
    found = spec.child("selector").child("matchLabels").value
    return {key: value for key, value in found.items() if isinstance(value, str)}


# --- pods and their events ----------------------------------------------------------------------------------


def pod_ready(document: Document) -> tuple[str, bool]:
    """The node of a pod, and whether the pod is ready there. Raises Unreadable."""
    return Foreign.of(document).child("spec").text("nodeName"), conditions_of(document).get("Ready") == "True"


def restarts(pods: Iterable[Document]) -> Iterator[Took]:
    """How long each container was away at its last restart: from its end to its new start."""
    for document in pods:
        try:
            pod = Foreign.of(document)
            node = pod.child("spec").text("nodeName")
            for one in pod.child("status").children("containerStatuses"):
                ended = one.child("lastState").child("terminated").instant("finishedAt")
                began = one.child("state").child("running").instant("startedAt")
                if node and ended and began > ended:
                    yield Took(node, began - ended, f"container {one.text('name')}")
        except Unreadable:
            continue


def pulls(
    events: Iterable[Document], nodes: Mapping[tuple[str, str], str], *, waiting: bool = False
) -> Iterator[Took]:
    """How long images took to come. `nodes`: where the speakers' pods are, by namespace and name; others do
    not count, and an event is in the namespace of what it is about. kubelet says it as Go prints a duration
    (1m2.5s), and beside it how long it was `waiting` for the pulls before it as well."""
    for document in events:
        try:
            event = Foreign.of(document)
            about = namespace_of(document), event.child("involvedObject").text("name")
            node = nodes.get(about, "")
            found = _PULLED.match(event.text("message")) if node else None
        except Unreadable:
            continue
        seconds = go_seconds((waiting and found["whole"]) or found["took"]) if found else None
        if found and seconds is not None:
            yield Took(node, seconds, f"image {found['image']}")


def go_seconds(text: str) -> float | None:
    """`1m2.5s` -> 62.5; None for what is no duration."""
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|µs|us|s)", text, re.ASCII)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


# --- pools --------------------------------------------------------------------------------------------------


def read_pools(documents: Iterable[Document], services: Iterable[Service]) -> tuple[PoolFacts, ...]:
    """CiliumLoadBalancerIPPools, each with how many of the Services' addresses are in it."""
    used = sorted({(one.version, int(one)) for service in services for one in _balanced(service)})
    return tuple(_pool(document, used) for document in documents)


def _balanced(service: Service) -> Iterator[IPAddress]:
    for text in dict(service.texts).get(AddressType.LOAD_BALANCER, ()):
        try:
            yield parse_address(text)
        except ValueError:
            continue


def _pool(document: Document, used: Sequence[tuple[int, int]]) -> PoolFacts:
    name = name_of(document)
    try:
        spec = document.get("spec") or {}
        found = [read_block(one) for one in spec.get("blocks") or spec.get("cidrs") or ()]
        disabled = spec.get("disabled") is True
    except MALFORMED as error:
        return PoolFacts(name, problem=f"it cannot be read: {fault_in(error)}")
    blocks = tuple((block.first, block.last) for block in found)
    count = sum(_between(used, first, last) for first, last in blocks)
    conflict = conditions_of(document).get("cilium.io/PoolConflict") == "True"
    return PoolFacts(name, blocks, disabled, count, conflict)


def _between(used: Sequence[tuple[int, int]], first: IPAddress, last: IPAddress) -> int:
    from bisect import bisect_left, bisect_right

    version = first.version
    return bisect_right(used, (version, int(last))) - bisect_left(used, (version, int(first)))


# --- CRDs ---------------------------------------------------------------------------------------------------


def lacking(shipped: Document, there: Document) -> tuple[str, ...]:
    """The properties of a CRD's newest version that `shipped` has and `there` has not, as paths; of one that
    is missing not what is below it."""
    return tuple(_lacking(_schema(shipped), _schema(there), ""))


def _schema(crd: Document) -> Any:
    spec = crd.get("spec")
    versions = spec.get("versions") if isinstance(spec, Mapping) else None
    last = versions[-1] if isinstance(versions, Sequence) and versions else {}
    schema = last.get("schema") if isinstance(last, Mapping) else None
    return schema.get("openAPIV3Schema") if isinstance(schema, Mapping) else None


def _lacking(wanted: Any, found: Any, path: str) -> Iterator[str]:
    wanted, found = _mapping(wanted), _mapping(found)
    if found.get("x-kubernetes-preserve-unknown-fields") is True:
        return
    theirs = _mapping(found.get("properties"))
    for name, schema in _mapping(wanted.get("properties")).items():
        place = f"{path}.{name}" if path else str(name)
        if name not in theirs:
            yield place
        else:
            yield from _lacking(schema, theirs[name], place)
    if "items" in wanted:
        yield from _lacking(wanted["items"], found.get("items"), f"{path}[]")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

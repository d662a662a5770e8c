"""Where a Service would have to have a ready endpoint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bgpctl.core.intent.endpoints import SERVICE_NAME_LABEL, answers, port_names
from bgpctl.core.intent.explaining.proposals.case import Case, documents, items
from bgpctl.core.intent.explaining.repair import Document, Ref, Repair, Repairs, appending, at, setting
from bgpctl.core.intent.services import RULES
from bgpctl.core.reading.documents import labels_of, name_of, namespace_of

SLICE = "EndpointSlice"
MOST_LABELS = 5  # of a selector in a sentence
_PAIR = re.compile(r"[A-Za-z0-9._/-]{1,317}=[A-Za-z0-9._-]{0,63}")
EXAMPLE = {4: "192.0.2.1", 6: "2001:db8::1"}


def slices_of(case: Case) -> list[Document]:
    """The EndpointSlices of the target's Service."""
    service = case.service
    if service is None:
        return []
    key = namespace_of(service), name_of(service)
    return [
        one
        for one in documents(case.objects.endpoint_slices)
        if (namespace_of(one), labels_of(one).get(SERVICE_NAME_LABEL)) == key
    ]


def ready(case: Case) -> Iterator[Repairs]:
    """One on this node that becomes ready, one more, ports of the Service's names, or another policy."""
    service = case.service
    if service is None:
        return
    own = [one for one in slices_of(case) if one.get("addressType") in (f"IPv{case.version}", None)]
    for each in own:
        yield from _readier(case, each)
    for each in own:
        yield from _reached(case, service, each)
    for each in own:
        yield (_one_more(case, each),)
    yield (_new_slice(case, service),)
    for kind in case.kinds:
        field = ("spec", RULES[kind].policy)
        yield (setting("Service", service, field, "Cluster"),)


def _words(case: Case) -> str:
    pod = f", of a ready Pod there with {chosen}" if (chosen := _selector(case)) else ""
    return f"a ready IPv{case.version} endpoint on {case.node}{pod}"


def _selector(case: Case) -> str:
    """The labels by which the Service finds its Pods, as `kubectl get -l` takes them; "" = it has none, and
    somebody writes its EndpointSlices."""
    spec = (case.service or {}).get("spec")
    labels = spec.get("selector") if isinstance(spec, Mapping) else None
    pairs = [f"{key}={value}" for key, value in labels.items()] if isinstance(labels, Mapping) else []
    return ",".join(pairs) if all(map(_PAIR.fullmatch, pairs)) and len(pairs) <= MOST_LABELS else ""


def _readier(case: Case, each: Document) -> Iterator[Repairs]:
    for place, endpoint in enumerate(items(each, "endpoints")):
        if at(endpoint, ("nodeName",)) == case.node and at(endpoint, ("conditions", "ready")) is False:
            yield (setting(SLICE, each, ("endpoints", place, "conditions", "ready"), True),)


def _reached(case: Case, service: Document, each: Document) -> Iterator[Repairs]:
    """A slice whose ports the Service does not lead to."""
    wanted = items(service, "spec", "ports")
    if not answers(port_names(items(each, "ports")), port_names(wanted)):
        named = [{"name": port["name"], "port": port.get("port")} for port in wanted]
        repair = setting(SLICE, each, ("ports",), named, "ports with the names of the Service's")
        yield (repair, _one_more(case, each))


def _endpoint(case: Case) -> dict[str, Any]:
    return {"addresses": [EXAMPLE[case.version]], "nodeName": case.node, "conditions": {"ready": True}}


def _one_more(case: Case, each: Document) -> Repair:
    added = appending(SLICE, each, ("endpoints",), _endpoint(case), _words(case))
    chosen = _selector(case)
    pods = f"kubectl get pods -n {namespace_of(each)} -l {chosen} -o wide" if chosen else ""
    return replace(added, shows=pods)


def _new_slice(case: Case, service: Document) -> Repair:
    name, namespace = name_of(service), namespace_of(service)
    made: dict[str, Any] = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": SLICE,
        "metadata": {
            "name": f"{name}-ipv{case.version}",
            "namespace": namespace,
            "labels": {SERVICE_NAME_LABEL: name},
        },
        "addressType": f"IPv{case.version}",
        "endpoints": [_endpoint(case)],
        "ports": [
            {k: v for k, v in port.items() if k in ("name", "port", "protocol")}
            for port in items(service, "spec", "ports")
        ],
    }
    words = f"there, with {_words(case)}"
    return Repair(Ref(SLICE, made["metadata"]["name"], namespace), (), made, None, words)

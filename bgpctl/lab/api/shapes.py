"""The types of the fields that this server, its controllers and tables read of built-in objects. Pure.

A real server decodes JSON into Go structs and answers 400 where a type does not fit; here the part of those
structs that matters is written as schemas, so that no code behind has to expect a string for a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from bgpctl.lab.api import quick, schema, status
from bgpctl.lab.api.documents import Document
from bgpctl.lab.api.resources import Resource

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string", "nullable": True}
_NUMBER: Schema = {"type": "integer", "nullable": True}
_FLAG: Schema = {"type": "boolean", "nullable": True}
_EITHER: Schema = {"x-kubernetes-int-or-string": True, "nullable": True}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "nullable": True, "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "nullable": True, "items": {**items, "nullable": False}}


def _map(values: Schema) -> Schema:
    return {"type": "object", "nullable": True, "additionalProperties": {**values, "nullable": False}}


_TEXTS, _TEXT_MAP = _list(_TEXT), _map(_TEXT)
_CONDITIONS = _list({**_object(type=_TEXT, status=_TEXT, reason=_TEXT), "required": ["type", "status"]})
_SELECTOR = _object(
    matchLabels=_TEXT_MAP,
    matchExpressions=_list(
        {**_object(key=_TEXT, operator=_TEXT, values=_TEXTS), "required": ["key", "operator"]}
    ),
)
_OWNER = {
    **_object(apiVersion=_TEXT, kind=_TEXT, name=_TEXT, uid=_TEXT, controller=_FLAG),
    "required": ["apiVersion", "kind", "name", "uid"],
}
METADATA = _object(
    name=_TEXT,
    generateName=_TEXT,
    namespace=_TEXT,
    uid=_TEXT,
    resourceVersion=_TEXT,
    labels=_TEXT_MAP,
    annotations=_TEXT_MAP,
    finalizers=_TEXTS,
    ownerReferences=_list(_OWNER),
    managedFields=_list(_object(manager=_TEXT, operation=_TEXT, fieldsV1=_object())),
)
_TAINT = {**_object(key=_TEXT, value=_TEXT, effect=_TEXT), "required": ["key", "effect"]}
_CONTAINER = _object(
    name=_TEXT,
    image=_TEXT,
    ports=_list(_object(name=_TEXT, containerPort=_NUMBER, protocol=_TEXT)),
    env=_list(_object(name=_TEXT)),
)
_POD_SPEC = _object(
    nodeName=_TEXT,
    nodeSelector=_TEXT_MAP,
    containers=_list(_CONTAINER),
    volumes=_list(_object(name=_TEXT)),
    tolerations=_list(_object(key=_TEXT, operator=_TEXT, value=_TEXT, effect=_TEXT)),
    terminationGracePeriodSeconds=_NUMBER,
    hostNetwork=_FLAG,
)
_TEMPLATE = _object(metadata=METADATA, spec=_POD_SPEC)
_WORKLOAD_STATUS = _object(
    **{f"{word}Replicas": _NUMBER for word in ("ready", "available", "updated", "unavailable")},
    replicas=_NUMBER,
    conditions=_CONDITIONS,
)
_WORKLOAD = _object(
    spec=_object(replicas=_NUMBER, selector=_SELECTOR, template=_TEMPLATE), status=_WORKLOAD_STATUS
)
_ADDRESS = {**_object(type=_TEXT, address=_TEXT), "required": ["type", "address"]}

_SHAPES: Mapping[str, Schema] = {
    "nodes": _object(
        spec=_object(podCIDR=_TEXT, podCIDRs=_TEXTS, unschedulable=_FLAG, taints=_list(_TAINT)),
        status=_object(conditions=_CONDITIONS, addresses=_list(_ADDRESS), nodeInfo=_TEXT_MAP),
    ),
    "pods": _object(
        spec=_POD_SPEC,
        status=_object(
            phase=_TEXT,
            podIP=_TEXT,
            podIPs=_list(_object(ip=_TEXT)),
            conditions=_CONDITIONS,
            containerStatuses=_list(_object(name=_TEXT, ready=_FLAG, restartCount=_NUMBER)),
        ),
    ),
    "services": _object(
        spec=_object(
            type=_TEXT,
            clusterIP=_TEXT,
            clusterIPs=_TEXTS,
            externalIPs=_TEXTS,
            ipFamilies=_TEXTS,
            externalTrafficPolicy=_TEXT,
            selector=_TEXT_MAP,
            ports=_list(_object(name=_TEXT, port=_NUMBER, targetPort=_EITHER, nodePort=_NUMBER)),
        ),
        status=_object(loadBalancer=_object(ingress=_list(_object(ip=_TEXT, hostname=_TEXT)))),
    ),
    "endpointslices": _object(
        addressType=_TEXT,
        endpoints=_list(_object(addresses=_TEXTS, nodeName=_TEXT, conditions=_map(_FLAG))),
        ports=_list(_object(name=_TEXT, port=_NUMBER, protocol=_TEXT)),
    ),
    "secrets": _object(data=_TEXT_MAP, stringData=_TEXT_MAP, type=_TEXT),
    "configmaps": _object(data=_TEXT_MAP, binaryData=_TEXT_MAP),
    "namespaces": _object(spec=_object(finalizers=_TEXTS), status=_object(phase=_TEXT)),
    "leases": _object(spec=_object(holderIdentity=_TEXT, leaseDurationSeconds=_NUMBER)),
    "events": _object(
        **{name: _TEXT for name in ("reason", "message", "type", "lastTimestamp", "eventTime")},
        involvedObject=_object(kind=_TEXT, name=_TEXT, namespace=_TEXT),
    ),
    "deployments": _WORKLOAD,
    "replicasets": _WORKLOAD,
    "statefulsets": _WORKLOAD,
    "daemonsets": _WORKLOAD,
    "poddisruptionbudgets": _object(
        spec=_object(selector=_SELECTOR, minAvailable=_EITHER, maxUnavailable=_EITHER),
        status=_object(
            **{name: _NUMBER for name in ("currentHealthy", "desiredHealthy", "disruptionsAllowed")},
            disruptedPods=_TEXT_MAP,
            conditions=_CONDITIONS,
        ),
    ),
    "customresourcedefinitions": _object(
        spec=_object(
            group=_TEXT,
            scope=_TEXT,
            names=_object(plural=_TEXT, singular=_TEXT, kind=_TEXT, shortNames=_TEXTS, categories=_TEXTS),
            versions=_list(
                {
                    **_object(
                        name=_TEXT,
                        served=_FLAG,
                        storage=_FLAG,
                        subresources=_object(),
                        schema=_object(openAPIV3Schema=_object()),
                        selectableFields=_list({**_object(jsonPath=_TEXT), "required": ["jsonPath"]}),
                        additionalPrinterColumns=_list(
                            {
                                **_object(name=_TEXT, type=_TEXT, jsonPath=_TEXT, priority=_NUMBER),
                                "required": ["name", "type", "jsonPath"],
                            }
                        ),
                    ),
                    "required": ["name"],
                }
            ),
        ),
        status=_object(conditions=_CONDITIONS),
    ),
}


def check(resource: Resource, document: Document) -> None:
    """400 for the first field whose type does not fit."""
    if fits(resource)(document):
        return
    shape = {} if resource.custom else _SHAPES.get(resource.plural, {})
    properties = {**shape.get("properties", {}), "metadata": METADATA}
    # Below a property of its own, so that the root's metadata are looked at too.
    causes = schema.validate({"properties": {"object": _object(**properties)}}, {"object": document})
    if causes:
        field, message = causes[0].field.removeprefix("object."), causes[0].message
        raise status.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"json: cannot unmarshal field {field}: {message.replace('object.', '')}"
        )


def fits(resource: Resource) -> Callable[[Any], bool]:
    """Is a document surely in shape?"""
    return _fits("" if resource.custom else resource.plural)


@cache
def _fits(plural: str) -> Callable[[Any], bool]:
    shape = _SHAPES.get(plural, {})
    properties = {**shape.get("properties", {}), "metadata": METADATA}
    return quick.compiled({"type": "object", "properties": properties})


def without_nulls(value: Any) -> Any:
    """The value without null members of objects: to a Go struct, null and absent are the same."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value

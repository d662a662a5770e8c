"""What a built-in object must have before it is stored: names, labels, and each kind's required fields. Pure.

Not Kubernetes' whole validation: what the project's own writers and tests could get wrong.
Source: k8s.io/apimachinery/pkg/util/validation, k8s.io/kubernetes/pkg/apis/*/validation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from bgpctl.lab.api.documents import Document, metadata, name_of, reach
from bgpctl.lab.api.resources import RBAC, Resource
from bgpctl.lab.api.status import Cause

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def _required(field: str, more: str = "") -> Cause:
    return Cause("FieldValueRequired", "Required value" + (f": {more}" if more else ""), field)


def _invalid(field: str, value: object, rule: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {json.dumps(value)}: {rule}", field)


def metadata_causes(resource: Resource, document: Document) -> list[Cause]:
    """Faults of name and labels, which every kind has."""
    found, name = [], name_of(document)
    if not name:
        found.append(_required("metadata.name", "name or generateName is required"))
    elif resource.group == RBAC:  # their names may have anything that a path may (`system:node`)
        if name in (".", "..") or {"/", "%"} & set(name):
            found.append(_invalid("metadata.name", name, "may not be '.' or '..', nor contain '/' or '%'"))
    elif len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        found.append(_invalid("metadata.name", name, _NAME_RULE))
    labels = metadata(document).get("labels") or {}
    return [*found, *_label_causes(labels)]


def _label_causes(labels: Mapping[str, object]) -> Iterator[Cause]:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            yield _invalid("metadata.labels", key, "name part must consist of alphanumeric characters")
        if not isinstance(value, str) or len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            yield _invalid("metadata.labels", value, _LABEL_RULE)


def builtin_causes(plural: str, document: Document) -> list[Cause]:
    """Faults of a built-in kind's own fields."""
    check = _CHECKS.get(plural)
    return list(check(document)) if check else []


def _pod_spec(spec: Document, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield _required(f"{path}.containers")
    for index, container in enumerate(spec.get("containers") or ()):
        for name in ("name", "image"):
            if not container.get(name):
                yield _required(f"{path}.containers[{index}].{name}")


def _pod(document: Document) -> Iterator[Cause]:
    yield from _pod_spec(document.get("spec") or {}, "spec")


def _service(document: Document) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    if not spec.get("ports") and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield _required("spec.ports")
    for index, port in enumerate(spec.get("ports") or ()):
        if not 1 <= int(port.get("port") or 0) <= 65535:
            field = f"spec.ports[{index}].port"
            yield _invalid(field, port.get("port", 0), "must be between 1 and 65535, inclusive")


def _workload(document: Document) -> Iterator[Cause]:
    selector = reach(document, "spec.selector.matchLabels") or {}
    labels = reach(document, "spec.template.metadata.labels") or {}
    if not reach(document, "spec.selector"):
        yield _required("spec.selector")
    elif any(labels.get(key) != value for key, value in selector.items()):
        rule = "`selector` does not match template `labels`"
        yield _invalid("spec.template.metadata.labels", labels, rule)
    yield from _pod_spec(reach(document, "spec.template.spec") or {}, "spec.template.spec")


def _budget(document: Document) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield _invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")


def _slice(document: Document) -> Iterator[Cause]:
    kind, kinds = document.get("addressType"), ("FQDN", "IPv4", "IPv6")
    if not kind:
        yield _required("addressType")
    elif kind not in kinds:
        supported = ", ".join(f'"{word}"' for word in kinds)
        message = f"Unsupported value: {json.dumps(kind)}: supported values: {supported}"
        yield Cause("FieldValueNotSupported", message, "addressType")


def _crd(document: Document) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    for field in ("group", "names", "scope", "versions"):
        if not spec.get(field):
            yield _required(f"spec.{field}")
    names = spec.get("names") or {}
    for field in ("plural", "kind"):
        if not names.get(field):
            yield _required(f"spec.names.{field}")
    expected = f"{names.get('plural')}.{spec.get('group')}"
    if name_of(document) != expected:
        rule = 'must be spec.names.plural+"."+spec.group'
        yield _invalid("metadata.name", name_of(document), rule)


_CHECKS: Mapping[str, Callable[[Document], Iterator[Cause]]] = {
    "pods": _pod,
    "services": _service,
    "deployments": _workload,
    "replicasets": _workload,
    "statefulsets": _workload,
    "daemonsets": _workload,
    "poddisruptionbudgets": _budget,
    "endpointslices": _slice,
    "customresourcedefinitions": _crd,
}

"""What every Kubernetes document has: kind, apiVersion, metadata. Read with faults, or leniently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bgpctl.core.reading.fields import Faults, Fields
from bgpctl.core.reading.selectors import KEY_RULE, VALUE_RULE, valid_label_key, valid_label_value

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
NAME_RULE = "a DNS-1123 subdomain: a-z 0-9 - . , at most 253 characters"

# One bad object costs that object only: what reading a malformed one may raise.
MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def fault_in(error: Exception) -> str:
    """What is wrong with a malformed document, in our words: `error` is one of MALFORMED. Only a ValueError's
    text is about the document; the others' is about our code."""
    if isinstance(error, KeyError):
        return f"{str(error.args[0]) if error.args else 'a field'} is missing"
    if isinstance(error, ValueError):
        return str(error)
    return "a field of it has another type than it must have"


# What the API server and its clients put into metadata besides what people write.
_METADATA = (
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)


def node_of(pod: Mapping[str, Any]) -> str:
    """The name of the node that a Pod is bound to, "" = none."""
    spec = pod.get("spec")
    name = spec.get("nodeName") if isinstance(spec, Mapping) else None
    return name if isinstance(name, str) else ""


def metadata(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata object; an empty one when there is none worth the name."""
    found = document.get("metadata")
    return found if isinstance(found, (dict, Mapping)) else {}


def text_map(value: Any) -> dict[str, str]:
    """Labels or annotations: the pairs of strings, whatever else is in there left out."""
    if not isinstance(value, Mapping):
        return {}
    return {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, str)}


def name_of(document: Mapping[str, Any]) -> str:
    """ "" when the document has none, or one that is no text."""
    name = metadata(document).get("name")
    return name if isinstance(name, str) else ""


def namespace_of(document: Mapping[str, Any]) -> str:
    """The namespace, "default" when the document says none (as kubectl takes it)."""
    namespace = metadata(document).get("namespace")
    return namespace if isinstance(namespace, str) and namespace else "default"


def labels_of(document: Mapping[str, Any]) -> dict[str, str]:
    """{} when there are none; a value that is no text is left out without a word."""
    return text_map(metadata(document).get("labels"))


def annotations_of(document: Mapping[str, Any]) -> dict[str, str]:
    """As `labels_of` reads labels."""
    return text_map(metadata(document).get("annotations"))


def read_header(
    document: Mapping[str, Any], kind: str, api_versions: str | tuple[str, ...], faults: Faults
) -> Fields:
    """Check apiVersion (one of them), kind and metadata; the returned fields have the rest (spec …) still to
    be asked."""
    top = Fields(document, "", faults)
    versions = (api_versions,) if isinstance(api_versions, str) else api_versions
    for field, wanted in (("apiVersion", versions), ("kind", (kind,))):
        allowed = " or ".join(f'"{text}"' for text in wanted)
        value = top.string(field, allowed, required=True)
        if value is not None and value not in wanted:
            top.error(field, f'must be {allowed}; it is "{value[:60]}"')
    meta = top.mapping("metadata", required=True)
    if meta is not None:
        _read_metadata(meta)
    return top


def _read_metadata(meta: Fields) -> None:
    name = meta.string("name", NAME_RULE, required=True)
    if name and (len(name) > 253 or not _SUBDOMAIN.fullmatch(name)):
        meta.error("name", f'must be {NAME_RULE}; it is "{name[:60]}"')
    for key, value in meta.string_map("labels").items():
        path = f"{meta.at('labels')}[{key}]"
        if not valid_label_key(key):
            meta.faults.error(path, f"the key must be {KEY_RULE}")
        if not valid_label_value(value):
            meta.faults.error(path, f"must be {VALUE_RULE}")
    meta.string_map("annotations")
    for known in _METADATA:
        meta.raw(known)
    meta.close()

"""One field of one object as it would have to be (Repair), and the cluster with it so. Pure.

A repair is a value: a person reads it, and `repaired` makes the cluster in which it was carried out, of which
the intent function is then asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.reading.documents import name_of, namespace_of

Document = Mapping[str, Any]
Path = tuple[str | int, ...]

SHOWN = 60  # characters of a value in a sentence
LISTS = {
    "Service": "services",
    "EndpointSlice": "endpoint_slices",
    "CiliumBGPPeeringPolicy": "policies",
    "CiliumBGPClusterConfig": "cluster_configs",
    "CiliumBGPPeerConfig": "peer_configs",
    "CiliumBGPAdvertisement": "advertisements",
    "CiliumBGPNodeConfigOverride": "overrides",
    "CiliumPodIPPool": "pod_pools",
}
"""Where `ClusterObjects` has the objects of a kind of which there are several."""
SINGLE = {"Node": "node", "CiliumNode": "cilium_node"}
NAMESPACED = ("Service", "EndpointSlice", "Pod")

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_TOKEN = re.compile(r"\[(\d+)\]|\[([^\[\]]*)\]|\.?([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Ref:
    """An object of the cluster; `namespace` "" for a kind that has none."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def command(self, path: Path = ()) -> str:
        """What shows it, or one field of it."""
        where = f" -n {self.namespace}" if self.namespace else ""
        field = f" -o jsonpath='{{{jsonpath(path)}}}'" if path else " -o yaml"
        return f"kubectl get {self.kind.lower()} {self.name}{where}{field}"


def ref(kind: str, document: Document) -> Ref:
    """The reference to this document."""
    return Ref(kind, name_of(document), namespace_of(document) if kind in NAMESPACED else "")


@dataclass(frozen=True, slots=True)
class Repair:
    """`path` of `object` is `found` (None = it is not there) and would have to be `needed` (None = not to be
    there). No path: the object is not there, and `needed` is one that would do. `words`: what is needed,
    where many values would do. `shows`: the command that shows it, where that is another object's."""

    object: Ref
    path: Path
    needed: Any
    found: Any = None
    words: str = ""
    shows: str = ""

    @property
    def field(self) -> str:
        """The path as it is written in messages: `spec.ports[0].name`; "" = the whole object."""
        return shown_path(self.path)

    @property
    def wanted(self) -> str:
        """What would have to be there, in words."""
        return self.words or ("gone" if self.needed is None else shown_value(self.needed))

    @property
    def command(self) -> str:
        """What shows the field as it is; of a new item of a list, the list."""
        if self.shows:
            return self.shows
        if self.path:
            new_item = self.found is None and isinstance(self.path[-1], int)
            return self.object.command(self.path[:-1] if new_item else self.path)
        where = f" -n {self.object.namespace}" if self.object.namespace else ""
        return f"kubectl get {self.object.kind.lower()}s{where}"


Repairs = tuple[Repair, ...]
"""Those that belong together: none of them helps without the others."""


def shown_path(path: Path) -> str:
    """As messages of Kubernetes write it."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{step}]"
    return text


def jsonpath(path: Path) -> str:
    """As `kubectl -o jsonpath` takes it."""
    steps = (f"[{step}]" if isinstance(step, int) else "." + step.replace(".", "\\.") for step in path)
    return "".join(steps)


def read_path(text: str) -> Path:
    """The reverse of `shown_path`."""
    return tuple(int(number) if number else key or plain for number, key, plain in _TOKEN.findall(text))


def shown_value(value: Any) -> str:
    """Short, as JSON."""
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


# --- reading and writing a field ----------------------------------------------------------------------------


def at(document: Any, path: Path) -> Any:
    """What stands there, None = nothing."""
    for step in path:
        if isinstance(step, int) and isinstance(document, list):
            document = document[step] if step < len(document) else None
        else:
            document = document.get(step) if isinstance(document, Mapping) else None
    return document


def put(document: Any, path: Path, value: Any) -> Any:
    """A copy with this value there; None takes the field away. An index behind the end of a list appends."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = document if isinstance(document, list) else []
        new = put(items[step] if step < len(items) else None, rest, value)
        return [*items[:step], *([] if new is None else [new]), *items[step + 1 :]]
    fields = dict(document) if isinstance(document, Mapping) else {}
    new = put(fields.pop(step, None), rest, value)
    return fields if new is None else {**fields, step: new}


def setting(kind: str, document: Document, path: Path, needed: Any, words: str = "") -> Repair:
    """The repair of a field of this document."""
    return Repair(ref(kind, document), path, needed, at(document, path), words)


def appending(kind: str, document: Document, path: Path, item: Any, words: str = "") -> Repair:
    """The repair that adds an item to a list of this document."""
    items = at(document, path)
    number = len(items) if isinstance(items, list) else 0
    return Repair(ref(kind, document), (*path, number), item, None, words)


# --- the cluster with it ------------------------------------------------------------------------------------


def repaired(objects: ClusterObjects, repairs: Iterable[Repair]) -> ClusterObjects:
    """The cluster in which these were carried out; what names no object that is there changes nothing."""
    for repair in repairs:
        objects = _repaired(objects, repair)
    return objects


def _repaired(objects: ClusterObjects, repair: Repair) -> ClusterObjects:
    kind, change = repair.object.kind, dict[str, Any]()
    if kind in SINGLE:
        document = getattr(objects, SINGLE[kind]) if repair.path else None
        change[SINGLE[kind]] = put(document, repair.path, repair.needed)
    else:
        documents = tuple(getattr(objects, LISTS[kind]) or ())
        added = () if repair.path else (repair.needed,)
        change[LISTS[kind]] = (*(_each(documents, repair) if repair.path else documents), *added)
    return replace(objects, **change)


def _each(documents: Iterable[Any], repair: Repair) -> Iterator[Any]:
    for document in documents:
        meant = isinstance(document, Mapping) and ref(repair.object.kind, document) == repair.object
        yield put(document, repair.path, repair.needed) if meant else document

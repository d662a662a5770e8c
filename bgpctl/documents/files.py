"""Reads YAML document streams: `speaker run --file` and `policy check` see files through this module.

A file that cannot be read or is not YAML gives problems with their place, all files at once; the documents
that could be read are still there, so that their faults are reported in the same run.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.endpoints import read_slice
from bgpctl.core.intent.podcidrs import CILIUM_NODE, POD_POOL
from bgpctl.core.intent.services import read_service
from bgpctl.core.model import Secret
from bgpctl.core.policy.inputs import password_of
from bgpctl.core.policy.peering import KIND as POLICY
from bgpctl.core.policy.pools import LB_POOL
from bgpctl.core.policy.v2 import advertisement, cluster, override, peer
from bgpctl.core.reading.documents import name_of, namespace_of
from bgpctl.documents.stream import Lines, RawDocument, read_stream
from bgpctl.errors import InvalidDocuments, Problem, UsageError

MAX_BYTES = 64 * 1024 * 1024
# A document with thousands of faults has one cause; this many say enough.
MAX_PROBLEMS = 20

AnyPath = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class LoadedDocument:
    """One object of a stream. `index` and `line` count from 1; an item of a List has its place in `prefix`
    (`items[3].`); `size` is in characters."""

    source: str
    index: int
    line: int
    value: Mapping[str, Any]
    prefix: str = ""
    size: int = 0

    @property
    def kind(self) -> str:
        """ "" when it has none, or one that is no text."""
        kind = self.value.get("kind")
        return kind if isinstance(kind, str) else ""

    @property
    def name(self) -> str:
        """ "" when it has none, or one that is no text."""
        return name_of(self.value)


@dataclass(slots=True)
class Loaded:
    """What could be read, what could not, and where the lines are (`place`)."""

    documents: list[LoadedDocument] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    data: dict[str, bytes] = field(default_factory=dict)

    def place(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with their lines. Files are read a second time, those with problems only."""
        lines: dict[str, Lines] = {}
        placed = []
        for problem in problems:
            if problem.line is None and problem.path and problem.source in self.data:
                if problem.source not in lines:
                    lines[problem.source] = Lines(self.data[problem.source])
                problem = replace(problem, line=lines[problem.source].of(problem.document, problem.path))
            placed.append(problem)
        return placed


def load_documents(paths: Sequence[AnyPath]) -> list[LoadedDocument]:
    """The documents of all files, Lists flattened, empty documents left out. "-" is standard input.

    Raises InvalidDocuments with every fault of every file.
    """
    loaded = read_documents(paths)
    if loaded.problems:
        raise InvalidDocuments(capped(loaded.problems))
    return loaded.documents


def read_documents(paths: Sequence[AnyPath], at_most: int | None = None) -> Loaded:
    """As `load_documents`, without raising: documents and problems side by side. `at_most`: octets of all
    files together; those that would be more are not read."""
    loaded, left = Loaded(), at_most
    for path in paths:
        source = str(path)
        try:
            data = _read(source, at_most, left)
            left = None if left is None else left - len(data)
        except _Unreadable as fault:
            loaded.problems.append(Problem(source, fault.document, "", fault.message, fault.line))
            continue
        loaded.data[source] = data
        _read_stream(source, data, loaded)
    return loaded


def capped(problems: Iterable[Problem]) -> list[Problem]:
    """At most MAX_PROBLEMS of each document, then how many more there are."""
    counts: dict[tuple[str, int], int] = {}
    shown = []
    for problem in problems:
        key = problem.source, problem.document
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= MAX_PROBLEMS:
            shown.append(problem)
    for (source, document), count in counts.items():
        if count > MAX_PROBLEMS:
            shown.append(
                Problem(source, document, "", f"and {count - MAX_PROBLEMS} more problems like these")
            )
    return shown


# --- bytes ------------------------------------------------------------------------------------------------


class _Unreadable(Exception):
    """The file gives no text."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.document = 1


def _read(source: str, at_most: int | None, left: int | None) -> bytes:
    limit = MAX_BYTES if at_most is None else at_most
    data = _bytes(source, limit)
    if left is not None and len(data) > left:
        raise _Unreadable(f"the files together are larger than {limit >> 20} MiB: check this one by itself")
    if not data.strip():
        raise _Unreadable("the file is empty: it must have at least one YAML document")
    if (position := data.find(b"\0")) >= 0:
        raise _Unreadable(f"not a text file: byte {position} is NUL. It must be YAML in UTF-8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        value = f"0x{data[error.start]:02x}"
        raise _Unreadable(f"not UTF-8: {error.reason} {value} at byte {error.start}", line) from None
    return data


def _bytes(source: str, limit: int) -> bytes:
    if source == "-":
        return _bounded(sys.stdin.buffer.read(limit + 1), limit)
    try:
        path = Path(source)
        if stat.S_ISDIR(path.stat().st_mode):
            raise _Unreadable("is a directory: name the files in it")
        with path.open("rb") as file:
            return _bounded(file.read(limit + 1), limit)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror or error}") from None
    except ValueError:  # a NUL in the name
        raise _Unreadable("is no file name") from None


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise _Unreadable(f"is larger than {limit >> 20} MiB, which is the limit")
    return data


# --- documents --------------------------------------------------------------------------------------------


def _read_stream(source: str, data: bytes, loaded: Loaded) -> None:
    before = len(loaded.documents) + len(loaded.problems)
    for raw in read_stream(data):
        for fault in raw.faults:
            loaded.problems.append(Problem(source, raw.index, "", str(fault), fault.line))
        if raw.value is not None and not raw.faults:
            _add(source, raw, loaded)
    if len(loaded.documents) + len(loaded.problems) == before:
        loaded.problems.append(
            Problem(source, 1, "", "the file has no YAML document, only comments or nothing")
        )


def _add(source: str, raw: RawDocument, loaded: Loaded) -> None:
    if not isinstance(raw.value, Mapping):
        what = "a list" if isinstance(raw.value, list) else "a single value"
        message = f"must be a Kubernetes object (a mapping with apiVersion and kind); it is {what}"
        loaded.problems.append(Problem(source, raw.index, "", message, raw.line))
        return
    document = LoadedDocument(source, raw.index, raw.line, raw.value, size=raw.size)
    loaded.documents += _flattened(document, loaded.problems)


def _flattened(document: LoadedDocument, problems: list[Problem]) -> Iterator[LoadedDocument]:
    """The items of a List (or of a `…List` with items), or the document itself."""
    items = document.value.get("items")
    if not document.kind.endswith("List") or not isinstance(items, list):
        yield document
        return
    for index, item in enumerate(items):
        prefix = f"{document.prefix}items[{index}]"
        if isinstance(item, Mapping):
            # The items of a NodeList have no kind of their own.
            kind = {
                "kind": document.kind.removesuffix("List"),
                "apiVersion": document.value.get("apiVersion"),
            }
            value = item if "kind" in item or document.kind == "List" else {**kind, **item}
            inner = replace(document, value=value, prefix=f"{prefix}.")
            yield from _flattened(inner, problems) if inner.kind == "List" else (inner,)
        else:
            problems.append(Problem(document.source, document.index, prefix, "must be a Kubernetes object"))


# --- the speaker's world ----------------------------------------------------------------------------------


def objects_from_documents(documents: Sequence[LoadedDocument], node_name: str) -> ClusterObjects:
    """The cluster that a state file describes, seen from `node_name`.

    Raises UsageError when the Node is not in there, InvalidDocuments when one object is there twice. Kinds
    that the speaker does not read are passed over (`policy check` names them).
    """
    _refuse_duplicates(documents)
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for document in documents:
        by_kind.setdefault(document.kind, []).append(document.value)
    nodes = {name_of(node): node for node in by_kind.get("Node", ())}
    if node_name not in nodes:
        known = ", ".join(sorted(nodes)) or "none"
        files = ", ".join(sorted({document.source for document in documents})) or "the file"
        way = "name one of these with --node-name, or add" if nodes else "add"
        raise UsageError(
            f'there is no Node "{node_name}" in {files}; it has: {known}',
            f"{way} the Node with its labels; `bgpctl policy check FILE` tells every fault of the file",
        )
    return ClusterObjects(
        node=nodes[node_name],
        policies=tuple(by_kind.get(POLICY, ())),
        services=tuple(map(read_service, by_kind.get("Service", ()))),
        endpoint_slices=tuple(read_slice(item, node_name) for item in by_kind.get("EndpointSlice", ())),
        secrets=_secrets(by_kind.get("Secret", ())),
        cluster_configs=tuple(by_kind.get(cluster.KIND, ())),
        peer_configs=tuple(by_kind.get(peer.KIND, ())),
        advertisements=tuple(by_kind.get(advertisement.KIND, ())),
        overrides=tuple(by_kind.get(override.KIND, ())),
        lb_pools=tuple(by_kind[LB_POOL]) if LB_POOL in by_kind else None,
        pod_pools=tuple(by_kind.get(POD_POOL, ())),
        cilium_node=next((n for n in by_kind.get(CILIUM_NODE, ()) if name_of(n) == node_name), None),
    )


def _secrets(documents: Iterable[Mapping[str, Any]]) -> dict[str, Secret]:
    found = ((name_of(document), password_of(document)) for document in documents)
    return {name: password for name, password in found if password is not None}


def _refuse_duplicates(documents: Sequence[LoadedDocument]) -> None:
    problems = list(duplicates(documents))
    if problems:
        raise InvalidDocuments(capped(problems))


def _identity(document: LoadedDocument) -> tuple[str, ...]:
    # Secrets are asked for by name only: the speaker reads one namespace.
    namespaced = document.kind in ("Service", "EndpointSlice")
    return document.kind, namespace_of(document.value) if namespaced else "", document.name


def duplicates(
    documents: Sequence[LoadedDocument], identity: Callable[[LoadedDocument], tuple[str, ...]] = _identity
) -> Iterator[Problem]:
    """One problem for every object that an earlier document describes already."""
    seen: dict[tuple[str, ...], LoadedDocument] = {}
    for document in documents:
        if not document.kind or not document.name:
            continue
        first = seen.setdefault(identity(document), document)
        if first is not document:
            message = (
                f"{document.kind} {document.name} is described already in {first.source}, line {first.line}"
            )
            path = f"{document.prefix}metadata.name"
            yield Problem(document.source, document.index, path, message)

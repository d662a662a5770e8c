"""The CRDs of the v2 kinds say what the code says: limits, defaults, enums, rules, fields; both versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from importlib.resources import files
from typing import Any

import pytest
import yaml

from bgpctl.core.bgp.communities import WELL_KNOWN
from bgpctl.core.policy import peering
from bgpctl.core.policy.v2 import advertisement, cluster, override, peer
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.selectors import OPERATORS
from bgpctl.lab.api.schema import prune, validate, with_defaults
from tests.support import v2

Schema = dict[str, Any]
Document = dict[str, Any]

PLURALS = {
    cluster.KIND: ("ciliumbgpclusterconfigs", "cbgpcluster"),
    peer.KIND: ("ciliumbgppeerconfigs", "cbgppeer"),
    advertisement.KIND: ("ciliumbgpadvertisements", "cbgpadvert"),
    override.KIND: ("ciliumbgpnodeconfigoverrides", "cbgpnodeoverride"),
}
WITH_STATUS = (cluster.KIND, peer.KIND)
PARSERS: dict[str, Any] = {
    cluster.KIND: cluster.parse_cluster_config,
    peer.KIND: peer.parse_peer_config,
    advertisement.KIND: advertisement.parse_advertisement,
    override.KIND: override.parse_override,
}


def crd(kind: str) -> Document:
    path = files("bgpctl") / "deploy" / "crds" / f"{PLURALS[kind][0]}.cilium.io.yaml"
    loaded: Document = yaml.safe_load(path.read_text())
    return loaded


SCHEMAS: dict[tuple[str, str], Schema] = {
    (kind, f"cilium.io/{version['name']}"): version["schema"]["openAPIV3Schema"]
    for kind in PLURALS
    for version in crd(kind)["spec"]["versions"]
}
every_kind = pytest.mark.parametrize("kind", list(PLURALS))
every_schema = pytest.mark.parametrize(("kind", "version"), list(SCHEMAS))


def spec_of(kind: str, version: str) -> Schema:
    found: Schema = SCHEMAS[kind, version]["properties"]["spec"]
    return found


def properties(schema: Schema) -> Iterator[tuple[str, Schema]]:
    for name, inner in schema.get("properties", {}).items():
        yield name, inner
        yield from properties(inner)
    if "items" in schema:
        yield from properties(schema["items"])


# --- the CRDs ---------------------------------------------------------------------------------------------


@every_kind
def test_names_and_versions(kind: str) -> None:
    document, (plural, short) = crd(kind), PLURALS[kind]
    spec = document["spec"]
    assert document["metadata"]["name"] == f"{plural}.cilium.io"
    assert (spec["group"], spec["scope"], spec["names"]["plural"]) == ("cilium.io", "Cluster", plural)
    assert (spec["names"]["kind"], spec["names"]["shortNames"]) == (kind, [short])
    assert [(v["name"], v["served"], v["storage"]) for v in spec["versions"]] == [
        ("v2", True, True),
        ("v2alpha1", True, False),
    ]
    subresources = {"status": {}} if kind in WITH_STATUS else None
    assert [v.get("subresources") for v in spec["versions"]] == [subresources] * 2


@every_schema
def test_schemas_are_structural(kind: str, version: str) -> None:
    """Kubernetes wants a type everywhere, items for arrays, and required names that exist."""
    nodes = [SCHEMAS[kind, version]]
    while nodes:
        node = nodes.pop()
        assert node["type"] in ("object", "array", "string", "boolean", "integer"), node
        assert (node["type"] == "array") == ("items" in node)
        assert set(node.get("required", ())) <= set(node.get("properties", ()))
        assert not ("properties" in node and "additionalProperties" in node)
        keys = node.get("x-kubernetes-list-map-keys", ())
        assert set(keys) <= set(node["items"]["required"] if keys else ())
        nodes += node.get("properties", {}).values()
        nodes += [node[key] for key in ("items", "additionalProperties") if key in node]


# --- what the code says -----------------------------------------------------------------------------------

LIMITS: dict[tuple[str, str], Mapping[str, Range]] = {
    (cluster.KIND, v2.V2): cluster.LIMITS,
    (cluster.KIND, v2.V2ALPHA1): cluster.LIMITS,
    (peer.KIND, v2.V2): peer.LIMITS,
    (peer.KIND, v2.V2ALPHA1): peer.V2ALPHA1_LIMITS,
    (advertisement.KIND, v2.V2): advertisement.LIMITS,
    (advertisement.KIND, v2.V2ALPHA1): advertisement.LIMITS,
    (override.KIND, v2.V2): override.LIMITS,
    (override.KIND, v2.V2ALPHA1): override.LIMITS,
}
DEFAULTS: dict[tuple[str, str], Mapping[str, Any]] = {
    (cluster.KIND, v2.V2): cluster.DEFAULTS,
    (cluster.KIND, v2.V2ALPHA1): {**cluster.DEFAULTS, **cluster.REFERENCE_DEFAULTS},
    (peer.KIND, v2.V2): peer.DEFAULTS,
    (peer.KIND, v2.V2ALPHA1): peer.DEFAULTS,
}


@every_schema
def test_limits_and_defaults_are_those_of_the_code(kind: str, version: str) -> None:
    by_name = dict(properties(spec_of(kind, version)))
    ranges = {n: Range(s["minimum"], s["maximum"]) for n, s in by_name.items() if "minimum" in s}
    assert ranges == LIMITS[kind, version]
    defaults = {n: s["default"] for n, s in by_name.items() if "default" in s}
    assert defaults == DEFAULTS.get((kind, version), {})
    lengths = {(s["minLength"], s["maxLength"]) for s in by_name.values() if "maxLength" in s}
    assert lengths <= {(1, 255)}


@pytest.mark.parametrize("version", [v2.V2, v2.V2ALPHA1])
def test_enums_and_counts_are_those_of_the_code(version: str) -> None:
    families = dict(properties(spec_of(peer.KIND, version)))
    assert families["afi"]["enum"] == list(peering.AFIS) and families["safi"]["enum"] == list(peering.SAFIS)
    assert families["operator"]["enum"] == list(OPERATORS)
    entries = dict(properties(spec_of(advertisement.KIND, version)))
    types = advertisement.TYPES if version == v2.V2 else advertisement.V2ALPHA1_TYPES
    assert entries["advertisementType"]["enum"] == list(types)
    assert entries["addresses"]["items"]["enum"] == list(advertisement.ADDRESSES)
    assert entries["wellKnown"]["items"]["enum"] == list(WELL_KNOWN)
    instances = dict(properties(spec_of(cluster.KIND, version)))["bgpInstances"]
    assert Range(instances["minItems"], instances["maxItems"]) == cluster.INSTANCES
    discovery = dict(properties(spec_of(cluster.KIND, version))).get("autoDiscovery")
    assert (discovery is not None) == (version == v2.V2)
    if discovery is not None:
        found = dict(properties(discovery))
        assert found["mode"]["enum"] == list(cluster.DISCOVERY_MODES)
        assert found["addressFamily"]["enum"] == list(cluster.GATEWAY_FAMILIES)


# --- rules: a small reader of the CEL that the CRDs use -----------------------------------------------------


def _term(text: str, found: Any) -> Any:
    text = text.strip()
    if text.startswith("!"):
        return not _term(text[1:], found)
    if has := re.fullmatch(r"has\(self\.(\w+)\)", text):
        return has[1] in found
    if compared := re.fullmatch(r"self\.(\w+) (==|!=) '(\w+)'", text):
        return (found.get(compared[1]) == compared[3]) == (compared[2] == "==")
    most = re.fullmatch(r"self\.(\w+) <= self\.(\w+)", text)
    assert most is not None, f"a rule that this test cannot read: {text}"
    return found[most[1]] <= found[most[2]]


def broken_rules(schema: Schema, found: Any) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if not any(_term(part, found) for part in rule["rule"].split("||")):
            yield rule["message"]
    if isinstance(found, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in found:
                yield from broken_rules(inner, found[name])
    if isinstance(found, list):
        for item in found:
            yield from broken_rules(schema["items"], item)


def accepted_by_server(document: Document) -> bool:
    """Would an API server with our CRD take it, field validation Strict?"""
    schema = SCHEMAS[document["kind"], document["apiVersion"]]
    known, unknown = prune(schema, document)
    filled = with_defaults(schema, known)
    return not unknown and not validate(schema, filled) and not list(broken_rules(schema, filled))


def accepted_by_us(document: Document) -> bool:
    return not PARSERS[document["kind"]](document, "file").problems


GATEWAY = {"mode": "DefaultGateway", "defaultGateway": {"addressFamily": "ipv4"}}
TIMERS = {"connectRetryTimeSeconds": 5, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3}
ATTRIBUTES = {
    "communities": {"standard": ["1:1"], "wellKnown": ["no-peer"], "large": ["1:2:3"]},
    "localPreference": 1,
}
SERVICE = {"addresses": ["ClusterIP"], "aggregationLengthIPv4": 24, "aggregationLengthIPv6": 64}
EXPRESSION = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}


def full(version: str) -> list[Document]:
    """One document of each kind with every field of its version."""
    new = version == v2.V2
    reference = {"name": "tor"} if new else {"name": "tor", "group": "cilium.io", "kind": peer.KIND}
    one = v2.peer(peerConfigRef=reference, **({"autoDiscovery": GATEWAY} if new else {}))
    transport = {"peerPort": 1, "sourceInterface": "lo"} if new else {"peerPort": 1, "localPort": 1}
    entries = [v2.advert(service=SERVICE, selector=EXPRESSION, attributes=ATTRIBUTES), v2.advert("PodCIDR")]
    if new:
        entries.append(v2.advert("Interface", interface={"name": "lo"}))
    change = {
        "name": "main",
        "routerID": "10.0.0.1",
        "localPort": 1,
        "localASN": 1,
        "peers": [{"name": "tor", "localAddress": "::1", "localPort": 1}],
    }
    return [
        v2.cluster_config(v2.instance(one, localPort=179), version=version),
        v2.peer_config(
            version=version,
            transport=transport,
            timers=TIMERS,
            authSecretRef="s",
            gracefulRestart={"enabled": True, "restartTimeSeconds": 60},
            ebgpMultihop=2,
        ),
        v2.advertisement(*entries, version=version),
        v2.override(change, version=version),
    ]


FULL = [document for version in (v2.V2, v2.V2ALPHA1) for document in full(version)]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        if isinstance(value, dict):
            yield (*path, key)
        yield from _paths(child, (*path, key))


def _changed(document: Document, path: tuple[Any, ...], new_name: str | None, value: Any = None) -> Document:
    """`document` with the field at `path` renamed or removed, or (value) replaced."""
    changed = deepcopy(document)
    parent: Any = changed
    for step in path[:-1]:
        parent = parent[step]
    old = parent.pop(path[-1])
    if new_name is not None:
        parent[new_name] = old if value is None else value
    return changed


CASES = [
    pytest.param(
        document, path, id=f"{document['kind']}-{document['apiVersion'][10:]}-{'.'.join(map(str, path))}"
    )
    for document in FULL
    for path in _paths(document)
    if path[0] == "spec" and len(path) > 1 and "matchLabels" not in path[:-1]
]


@pytest.mark.parametrize(("document", "path"), CASES)
def test_code_and_schema_agree_on_every_field(document: Document, path: tuple[Any, ...]) -> None:
    """Rename, remove and spoil every field in turn: both refuse, or both accept."""
    assert accepted_by_server(document) and accepted_by_us(document)
    assert not accepted_by_server(_changed(document, path, "unknownField"))
    assert not accepted_by_us(_changed(document, path, "unknownField"))
    for changed in (
        _changed(document, path, None),
        *(
            _changed(document, path, path[-1], wrong)
            for wrong in ("no such value", -7, 5_000_000_000, {"x": 1})
        ),
    ):
        # Rules of the code alone: which values an operator has, and how a label's key is written.
        if path[-1] in ("values", "key", "operator"):
            continue
        assert accepted_by_server(changed) == accepted_by_us(changed), changed


@pytest.mark.parametrize("version", [v2.V2, v2.V2ALPHA1])
@pytest.mark.parametrize("kind", [*advertisement.TYPES, "Other"])
@pytest.mark.parametrize("fields", range(8))
def test_which_fields_go_with_which_type(version: str, kind: str, fields: int) -> None:
    entry: Document = {"advertisementType": str(kind)}
    for bit, (name, value) in enumerate(
        [("service", SERVICE), ("interface", {"name": "lo"}), ("selector", {})]
    ):
        if fields & (1 << bit):
            entry[name] = value
    document = v2.advertisement(entry, version=version)
    assert accepted_by_server(document) == accepted_by_us(document)


def test_the_reader_of_rules_sees_faults() -> None:
    assert not accepted_by_server(v2.peer_config(timers={"holdTimeSeconds": 9}))
    assert not accepted_by_server(v2.advertisement({"advertisementType": "Interface"}))
    bare = {"mode": "DefaultGateway"}
    assert not accepted_by_server(v2.cluster_config(v2.instance(v2.peer(autoDiscovery=bare))))

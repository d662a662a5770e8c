"""The CRDs say what the code says: limits, defaults and enums of the policy, the shape of BGPNodeState."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from importlib.resources import files
from ipaddress import ip_address
from typing import Any

import pytest
import yaml

from bgpctl.core import state as nodestate
from bgpctl.core import state_document
from bgpctl.core.bgp.communities import WELL_KNOWN, parse_large, parse_standard
from bgpctl.core.model import IPV4, IPV6, GracefulRestart, LastError, Session, SessionState
from bgpctl.core.policy import peering
from bgpctl.core.reading.selectors import OPERATORS
from tests.support.objects import neighbor, router
from tests.support.objects import policy as policy_document

Schema = dict[str, Any]


def crd(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        (files("bgpctl") / "deploy" / "crds" / f"{name}.yaml").read_text()
    )
    return loaded


def schema_of(name: str) -> Schema:
    found: Schema = crd(name)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


POLICY = schema_of("ciliumbgppeeringpolicies.cilium.io")
NODE_STATE = schema_of("bgpnodestates.bgpctl.io")

TYPES: dict[str, type | tuple[type, ...]] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def violations(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """What an API server would refuse (or prune), for the keywords that our CRDs use."""
    if not isinstance(value, TYPES[schema["type"]]) or (
        schema["type"] == "integer" and isinstance(value, bool)
    ):
        yield f"{path}: not {schema['type']}"
        return
    if value not in schema.get("enum", [value]):
        yield f"{path}: {value} is not in the enum"
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{path}: {value} is out of range"
    if isinstance(value, str):
        if len(value) > schema.get("maxLength", len(value)):
            yield f"{path}: too long"
        # Go's `$` is the end of the text, Python's also stands before a last newline.
        if not re.search(schema.get("pattern", "").replace("$", r"\Z"), value):
            yield f"{path}: does not match the pattern"
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{path}: too few or too many items"
        for index, item in enumerate(value):
            yield from violations(item, schema["items"], f"{path}[{index}]")
    if isinstance(value, Mapping) and "properties" in schema:
        yield from (f"{path}.{name}: required" for name in schema.get("required", ()) if name not in value)
        for key, item in value.items():
            if key in schema["properties"]:
                yield from violations(item, schema["properties"][key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: unknown"
    if isinstance(value, Mapping) and "additionalProperties" in schema:
        for key, item in value.items():
            yield from violations(item, schema["additionalProperties"], f"{path}[{key}]")


def properties(schema: Schema) -> Iterator[tuple[str, Schema]]:
    for name, inner in schema.get("properties", {}).items():
        yield name, inner
        yield from properties(inner)
    if "items" in schema:
        yield from properties(schema["items"])


# --- both -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "group", "kind", "short"),
    [
        ("ciliumbgppeeringpolicies.cilium.io", "cilium.io", "CiliumBGPPeeringPolicy", "bgpp"),
        ("bgpnodestates.bgpctl.io", "bgpctl.io", "BGPNodeState", "bgpns"),
    ],
)
def test_names(name: str, group: str, kind: str, short: str) -> None:
    document = crd(name)
    spec = document["spec"]
    assert document["metadata"]["name"] == f"{spec['names']['plural']}.{spec['group']}" == name
    assert (spec["group"], spec["names"]["kind"], spec["scope"]) == (group, kind, "Cluster")
    assert spec["names"]["shortNames"] == [short]
    assert [(v["served"], v["storage"]) for v in spec["versions"]] == [(True, True)]


@pytest.mark.parametrize("schema", [POLICY, NODE_STATE])
def test_schemas_are_structural(schema: Schema) -> None:
    """Kubernetes wants a type everywhere, items for arrays, and required names that exist."""
    nodes = [schema]
    while nodes:
        node = nodes.pop()
        assert node["type"] in TYPES, node
        assert (node["type"] == "array") == ("items" in node)
        assert set(node.get("required", ())) <= set(node.get("properties", ()))
        assert not ("properties" in node and "additionalProperties" in node)
        nodes += node.get("properties", {}).values()
        nodes += [node[key] for key in ("items", "additionalProperties") if key in node]


# --- policy -----------------------------------------------------------------------------------------------


def test_policy_limits_and_defaults_are_those_of_the_code() -> None:
    by_name = dict(properties(POLICY))
    ranges = {n: peering.Range(s["minimum"], s["maximum"]) for n, s in by_name.items() if "minimum" in s}
    assert ranges == peering.LIMITS
    defaults = {n: s["default"] for n, s in by_name.items() if "default" in s}
    assert defaults == {
        **peering.DEFAULTS,
        "exportPodCIDR": False,
        "serviceAdvertisements": ["LoadBalancerIP"],
    }


def test_policy_enums_are_those_of_the_code() -> None:
    by_name = dict(properties(POLICY))
    assert by_name["afi"]["enum"] == list(peering.AFIS) and by_name["safi"]["enum"] == list(peering.SAFIS)
    assert by_name["serviceAdvertisements"]["items"]["enum"] == list(peering.SERVICE_ADVERTISEMENTS)
    assert by_name["selectorType"]["enum"] == list(peering.SELECTOR_TYPES)
    assert by_name["wellKnown"]["items"]["enum"] == list(WELL_KNOWN)
    assert by_name["operator"]["enum"] == list(OPERATORS)


SAMPLES = [
    "0",
    "1",
    "01",
    "65535:65535",
    "65536:1",
    "4294967295",
    "4294967296",
    "1:2:3",
    "1:4294967296:1",
    "",
    "x",
]


def test_community_patterns_agree_with_the_code() -> None:
    import re

    by_name = dict(properties(POLICY))
    for name, parse in (("standard", parse_standard), ("large", parse_large)):
        pattern = re.compile(by_name[name]["items"]["pattern"])
        for text in SAMPLES:
            assert (pattern.search(text) is not None) == (parse(text) is not None), (name, text)


FULL_POLICY = policy_document(
    router(
        neighbor(
            peerPort=179,
            authSecretRef="s",
            eBGPMultihopTTL=1,
            connectRetryTimeSeconds=5,
            holdTimeSeconds=9,
            keepAliveTimeSeconds=3,
            gracefulRestart={"enabled": True, "restartTimeSeconds": 60},
            families=[{"afi": "ipv4", "safi": "unicast"}],
            advertisedPathAttributes=[
                {
                    "selectorType": "PodCIDR",
                    "selector": {"matchLabels": {"a": "b"}},
                    "communities": {"standard": ["1:1"], "wellKnown": ["no-peer"], "large": ["1:2:3"]},
                    "localPreference": 1,
                }
            ],
        ),
        podIPPoolSelector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
        serviceAdvertisements=["ClusterIP"],
    )
)


def _optional(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        if isinstance(value, dict):
            yield (*path, key)
        yield from _optional(child, (*path, key))


@pytest.mark.parametrize("path", [p for p in _optional(FULL_POLICY) if p[0] == "spec" and len(p) > 1])
def test_code_and_schema_know_and_require_the_same_fields(path: tuple[Any, ...]) -> None:
    """Rename and remove every field in turn: both refuse, or both accept."""
    assert list(violations(FULL_POLICY, POLICY)) == []
    assert peering.parse_policy(FULL_POLICY, "full").problems == ()
    for new_name in ("unknownField", None):
        changed = deepcopy(FULL_POLICY)
        parent: Any = changed
        for step in path[:-1]:
            parent = parent[step]
        value = parent.pop(path[-1])
        if new_name:
            parent[new_name] = value
        # These two are bound to another field (the operator, the hold time): only the code has such rules.
        if path[-1] not in ("values", "keepAliveTimeSeconds"):
            schema_accepts = not list(violations(changed, POLICY))
            assert schema_accepts == (not peering.parse_policy(changed, "changed").problems), (path, new_name)


# --- node state -------------------------------------------------------------------------------------------

SESSION = Session(
    peer="65001/127.0.0.100",
    state=SessionState.ESTABLISHED,
    since=1_700_000_000.25,
    established_at=1_700_000_000.25,
    local_address=ip_address("127.0.0.11"),
    hold_time=9,
    keepalive_time=3,
    families=(IPV4, IPV6),
    local_gr=GracefulRestart(120, True, True, ((IPV4, True),)),
    peer_gr=GracefulRestart(60, False, False, ((IPV4, False), (IPV6, True))),
    extended_next_hop=True,
    long_lived=3600,
    advertised={IPV4: 3, IPV6: 0},
    received={IPV4: 1, IPV6: 0},
    pending=2,
    end_of_rib=True,
    flaps=4,
    last_error=LastError(1_699_999_999.0, "received", "Hold Timer Expired", 4, 0),
)
PEER = nodestate.PeerState(
    SESSION.peer, "127.0.0.100", 1790, 65000, 65001, SESSION, 120, 9, 3, 5, 4, "main", True
)
FULL = nodestate.NodeState(
    node="worker-1",
    phase="Withdrawn",
    heartbeat=1_700_000_100.5,
    started_at=1_700_000_000.0,
    speaker_version="0.1",
    engine_version="5.0.15",
    engine_restarts=1,
    engine_mode="detached",
    observed_leave="r1-1",
    selected_by_kind="CiliumBGPPeeringPolicy",
    selected_by="policy",
    policy_problem="stale",
    problems=("one", "two"),
    intended=5,
    announced=4,
    peers=(PEER,),
    unwithdrawn=(PEER,),
    withdrawn=nodestate.WithdrawnRecord(
        "leaves", 1.5, 2.5, 3.5, (nodestate.WithdrawnPeer(PEER, 4),), 2.0, "r1-1", "2f6c"
    ),
    absent={"noLocalEndpoints": 2},
    soak=5.0,
    soak_until=1_700_000_105.5,
    locals=(nodestate.LocalAddresses("127.0.0.100", 1790, ("127.0.0.9", "127.0.0.11")),),
    uid="9b1e",
    sequence=7,
)


@pytest.mark.parametrize(
    "state",
    [
        FULL,
        nodestate.NodeState(node="worker-1"),
        nodestate.NodeState(node="n", peers=(nodestate.PeerState("p", "::1", 179, 1, 1, Session("p")),)),
    ],
)
def test_node_states_fit_the_schema_and_come_back(state: nodestate.NodeState) -> None:
    document = state_document.to_document(state)
    assert list(violations(document, NODE_STATE)) == []
    assert state_document.from_document(yaml.safe_load(yaml.safe_dump(document))) == state


def test_the_full_state_uses_every_field_of_the_schema() -> None:
    def used(value: Any, schema: Schema, path: str) -> Iterator[str]:
        """Fields of the schema that the document does not have."""
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from used(value[name], inner, f"{path}.{name}")
            else:
                yield f"{path}.{name}"
        if schema["type"] == "array":
            yield from used(value[0], schema["items"], f"{path}[]")

    assert (
        list(used(state_document.to_document(FULL)["status"], NODE_STATE["properties"]["status"], "status"))
        == []
    )


def test_node_state_enums_and_names() -> None:
    spec = crd("bgpnodestates.bgpctl.io")["spec"]
    version = spec["versions"][0]
    assert (spec["group"], version["name"], spec["names"]["plural"], spec["names"]["kind"]) == (
        nodestate.GROUP,
        nodestate.VERSION,
        nodestate.PLURAL,
        nodestate.KIND,
    )
    status = NODE_STATE["properties"]["status"]["properties"]
    assert status["phase"]["enum"] == list(nodestate.PHASES)
    assert status["peers"]["items"]["properties"]["state"]["enum"] == [str(state) for state in SessionState]
    assert version["subresources"] == {"status": {}}


def test_printer_columns_point_at_fields_that_exist() -> None:
    columns = crd("bgpnodestates.bgpctl.io")["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [c["name"] for c in columns] == [
        "Phase", "Sessions", "Intended", "Announced", "Heartbeat", "Policy", "Age",
    ]  # fmt: skip
    document = {**state_document.to_document(FULL), "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}
    for column in columns:
        value: Any = document
        for step in column["jsonPath"].lstrip(".").split("."):
            value = value[step]
        assert isinstance(value, int if column["type"] == "integer" else str)


def test_the_validator_of_this_file_sees_faults() -> None:
    document = state_document.to_document(FULL)
    document["status"].update(phase="Gone", unknown=1, engineRestarts=-1, routes=[])
    del document["status"]["peers"][0]["name"]
    assert len(list(violations(document, NODE_STATE))) == 5


@pytest.mark.parametrize("text", ["garbage", "fe80::1%x json\0enable", "192.0.2.1\n", "fe80::1%" + "x" * 16])
@pytest.mark.parametrize("field", ["localAddress", "peerAddress"])
def test_an_address_of_a_node_state_is_one(field: str, text: str) -> None:
    document = state_document.to_document(FULL)
    document["status"]["peers"][0][field] = text
    document["status"]["withdrawn"]["peers"][0][field] = text
    assert len(list(violations(document, NODE_STATE))) >= 2


def test_sentences_without_end_are_cut_so_that_the_state_is_published() -> None:
    error = LastError(1.0, "sent", "x" * 9000)
    peer = replace(PEER, session=replace(SESSION, last_error=error))
    long = replace(FULL, policy_problem="x" * 9000, problems=("x" * 9000,) * 2000, peers=(peer,))
    document = state_document.to_document(long)
    assert list(violations(document, NODE_STATE)) == []
    assert len(state_document.from_document(document).problems) == 1000

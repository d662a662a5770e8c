"""Every parser of what others wrote, in one table: good input to start from, and what it may raise.

The contract: a value, or one of `refuses` (bgpctl's own errors, unless a parser documents another one); in
bounded time and memory. Nothing else, whatever comes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from bgpctl.core import budgets, guards, loglines, pods, servertime, statereader
from bgpctl.core.inputs import password_of
from bgpctl.core.intent import ClusterObjects, compile_intent
from bgpctl.core.routeview import read_node_routes
from bgpctl.core.v2.status import written_by_others
from bgpctl.errors import BgpctlError
from bgpctl.kube import lease
from bgpctl.kube.config import load_access
from bgpctl.runbooks import journal
from bgpctl.runbooks import objects as objects_
from bgpctl.speaker.exabgp import events, inventory, received, wire
from bgpctl.speaker.exabgp.record import Record
from bgpctl.speaker.files import objects_from_documents, read_documents
from bgpctl.speaker.yamlstream import Lines, read_stream
from bgpctl.witness import bird, exabgp, frr, gobgp, openbgpd
from bgpctl.witness.command import read_json
from tests.fuzz import mutate
from tests.kit import node_states, objects, snapshots

NOW = 1_800_000_000.0
NODE = "127.0.1.1"
DATA = Path(__file__).parents[1] / "unit" / "data" / "witness"
PREFIX = ip_network("10.9.1.0/24")


@dataclass(frozen=True)
class Target:
    """`seeds` are JSON values, which are mutated as structures and given as such, or octets. `text`: a JSON
    seed is given as its text, and that text is mutated too. `share` of the inputs of a run; `seconds` that
    one input may take."""

    name: str
    seeds: Sequence[Any]
    run: Callable[[Any], object]
    refuses: tuple[type[Exception], ...] = (BgpctlError,)
    text: bool = False
    share: float = 1.0
    seconds: float = 2.0

    def draw(self, dice: random.Random) -> Any:
        """One broken input."""
        seed = dice.choice(self.seeds)
        if isinstance(seed, bytes):
            return mutate.octets(seed, dice)
        if not self.text:
            return mutate.structure(seed, dice)
        if dice.random() < 0.7:
            return mutate.text_of(mutate.structure(seed, dice)).encode("utf-8", "replace")
        return mutate.octets(json.dumps(seed).encode(), dice)


def _answers(kind: str, *names: str) -> list[Any]:
    """What a real router said."""
    return [json.loads((DATA / kind / name).read_text()) for name in names]


# --- runbooks and cluster objects -------------------------------------------------------------------------


def _states() -> list[Any]:
    full = node_states.withdrawn("n1", NOW)
    from bgpctl.core.nodestate import to_document

    managed = {"managedFields": [{"subresource": "status", "time": "2026-01-01T00:00:00Z"}]}
    rich = to_document(dataclasses.replace(full, soak=5.0, soak_until=NOW, problems=("a",), absent={"x": 1}))
    rich["metadata"] |= managed
    return [node_states.established("n1", NOW), rich]


def _journals() -> list[Any]:
    confirmed = {"proof": "confirmed", "by": "bird 192.0.2.1", "routes": 2, "secondsAfterRelabel": 0.5}
    estimated = {"proof": "estimated", "why": "hold timer", "worstSeconds": 9.0, "routes": 2}
    estimated |= {"unconfirmed": ["no router was asked"], "assumed": "a clock"}
    done = snapshots.journal(steps={"Checked": 1.0}, marks={"Relabelled": 2.0})
    journals = [done, *(dataclasses.replace(done, evidence=e) for e in (confirmed, estimated))]
    return [json.loads(journal.dump(one)) for one in journals]


def _journal(text: bytes) -> object:
    loaded = journal.load({journal.ANNOTATION: text.decode("utf-8", "replace")})
    if loaded is None:
        return None
    from bgpctl.out import node as shown
    from bgpctl.runbooks.drain import conclude
    from bgpctl.runbooks.inspect import NodeReport
    from bgpctl.runbooks.model import Result, StepReport

    report = NodeReport("n1", True, False, None, loaded)
    shown.document([report], NOW)
    shown.text([report], NOW)
    steps = tuple(StepReport(name, name, "done", "") for name in ("Claimed", "ShutDown", "Announced"))
    conclude(Result(loaded.command, "n1", "done", "", steps=steps), loaded)
    return journal.load({journal.ANNOTATION: journal.dump(loaded)})


def _state(document: Any) -> object:
    from bgpctl.core.nodestate import to_document
    from bgpctl.core.profiles import UNKNOWN_ROUTER
    from bgpctl.core.withdrawal import Event, estimate, facts_from_state
    from bgpctl.out import node, peers
    from bgpctl.runbooks.inspect import NodeReport

    (state,) = statereader.read_states([document])
    picture = peers.Picture((state,), {}, NOW)
    peers.document(picture)
    peers.text(picture, wide=True)
    report = NodeReport(state.node, True, False, state, None)
    node.document([report], NOW)
    node.text([report], NOW)
    for peer in state.peers:
        for event in Event:
            estimate(event, facts_from_state(peer), UNKNOWN_ROUTER)
    if state.unreadable:
        return statereader.from_document(document)
    return statereader.from_document(to_document(state))


POD = {
    "metadata": {
        "name": "web-1",
        "namespace": "default",
        "uid": "u1",
        "labels": {"app": "web"},
        "annotations": {"a": "b"},
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web", "controller": True}],
    },
    "spec": {"nodeName": "n1", "volumes": [{"name": "v", "emptyDir": {}}]},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}
NODE_OBJECT = {
    "metadata": {
        "name": "n1",
        "uid": "u",
        "resourceVersion": "1",
        "labels": {"a": "b"},
        "annotations": {"a": "b"},
    },
    "spec": {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/x", "effect": "NoSchedule"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}
LEASE = {
    "metadata": {"name": "l", "resourceVersion": "7"},
    "spec": {
        "holderIdentity": "eve@host:1/run-a",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-01-01T00:00:00.000000Z",
        "acquireTime": "2026-01-01T00:00:00.000000Z",
    },
}
BUDGET = {
    "metadata": {"name": "b", "namespace": "default", "generation": 1},
    "spec": {"selector": {"matchLabels": {"app": "web"}}, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
    "status": {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "observedGeneration": 1},
}
CAUSE = {"reason": "DisruptionBudget", "message": "The disruption budget web needs 2"}
REFUSAL = {
    "message": "Cannot evict pod: The disruption budget web needs 2",
    "reason": "TooManyRequests",
    "details": {
        "name": "web-1",
        "kind": "pods",
        "retryAfterSeconds": 10,
        "causes": [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 2"}],
    },
    "code": 429,
}
KURED = {"nodeID": "n1", "created": "2026-01-01T00:00:00Z", "TTL": 0, "locks": [{"nodeID": "n2", "TTL": 1}]}


MANAGED = [
    {"manager": "cilium", "fieldsV1": {"f:status": {"f:conditions": {'k:{"type":"x"}': {"f:status": {}}}}}},
    {"manager": "bgpctl", "fieldsV1": {}},
]


def _lease(document: Any) -> object:
    lease.view(document).held_by_other("me", NOW)
    return guards.medik8s("n1", document, NOW)


def _kured(text: bytes) -> object:
    return guards.kured("n1", text.decode(errors="replace"), {}, NOW)


def _eviction(document: Any) -> object:
    return [budgets.parse_eviction_answer(code, document) for code in (200, 403, 404, 409, 429, 500)]


def _node(document: Any) -> object:
    view = objects_.node_view(document)
    guards.removal_taints("n1", (document.get("spec") or {}).get("taints") or ())
    return view


# --- routers ----------------------------------------------------------------------------------------------


def _frr(document: Any) -> object:
    answer = read_json(document, "FRR")
    if not isinstance(answer, dict):
        return None
    view = frr.neighbor_of(answer, NODE)
    found = [frr.remaining(view), *(frr.counted(view, family) for family in frr.families(view))]
    return found, list(frr.read_table(answer)), list(frr.read_prefix(answer, PREFIX))


def _frr_table(document: Any) -> object:
    answer = read_json(document, "FRR")
    return (
        [list(frr.read_table(answer)), list(frr.read_prefix(answer, PREFIX))]
        if isinstance(answer, dict)
        else None
    )


def _gobgp(document: Any) -> object:
    answer = read_json(document, "gobgp")
    view = gobgp.neighbor_of(answer, NODE)
    return gobgp.families(view), gobgp.session_of(view)


def _gobgp_rib(document: Any) -> object:
    return list(gobgp.read_rib(read_json(document, "gobgp")))


def _openbgpd(document: Any) -> object:
    return openbgpd.neighbor_of(read_json(document, "openbgpd"), NODE)


def _openbgpd_rib(document: Any) -> object:
    return list(openbgpd.read_rib(read_json(document, "openbgpd")))


def _exabgp(document: Any) -> object:
    return exabgp.read("exabgp x", NODE, exabgp.neighbors_in(read_json(document, "the receiver")))


def _bird(text: bytes) -> object:
    found = []
    for reply in bird.split_replies(text.decode(errors="replace")):
        protocols = bird.read_protocols(reply)
        found.append(bird.read("bird x", NODE, protocols, [reply]))
        [bird._quoted(protocol.name) for protocol in protocols]
    return found


# --- the engine -------------------------------------------------------------------------------------------


def _session() -> Any:
    record = Record("65001/10.0.0.1")
    record.enter("open_confirm")
    record.enter("established")
    record.local_address, record.hold_time, record.keepalive_time = "10.0.0.11", 9, 3
    record.families = ("ipv4/unicast", "ipv6/unicast")
    record.peer_gr = {"time": 120, "flags": 0xC, "families": {"ipv4/unicast": 0x80}}
    record.local_gr = {"time": 30, "flags": 0x8, "families": {}}
    record.llgr = "0001010000000a"
    record.note_notification("received", 6, 9, bytes((6, 2, 5)) + b"hello")
    return json.loads(json.dumps(record.tell({"ipv4/unicast": 2}, 0)))


def _event(line: bytes) -> object:
    message = events.parse_line(line)
    return None if message is None else events.session_of(message)


def _stock() -> Any:
    from tests.unit.test_exabgp_inventory import FULL, PLAIN

    groups = [
        {
            "peer": FULL.name,
            "attributes": {
                "next_hop": "10.0.0.9",
                "communities": ["1:2"],
                "large_communities": [],
                "local_preference": 1,
            },
            "prefixes": wire.pack_prefixes([PREFIX]),
        }
    ]
    stock = {"peers": {p.name: inventory.definition(p) for p in (FULL, PLAIN)}, "synced": [FULL.name]}
    return json.loads(json.dumps({"stock": stock, "groups": groups, "generation": 1}))


def _adopted(document: Any) -> object:
    if not isinstance(document, dict) or not isinstance(document.get("groups"), list):
        return None
    return inventory.adopted(document.get("generation"), document.get("stock"), document["groups"])


def _request(line: bytes) -> object:
    return wire.decode_request(line.decode("latin-1").strip())


def _update(body: bytes) -> object:
    taken = received.Received()
    taken.take(body)
    return taken.counts(), list(taken.troubles())


def _cease(data: bytes) -> object:
    record = Record("p")
    for subcode in (2, 4, 9, 10):
        record.note_notification("received", 6, subcode, data)
        record.note_notification("sent", 3, subcode, data)
    return events.last_error(record.tell({}, 0)["last_error"]), events.long_lived(data, ())


# --- files and documents ----------------------------------------------------------------------------------


def _yaml(data: bytes) -> object:
    found = list(read_stream(data))
    lines = Lines(data)
    return found, [lines.of(one.index, "spec.virtualRouters[0].neighbors[0].peerAddress") for one in found]


class Files:
    """One file that is written anew for every input."""

    path = Path(f"/tmp/bgpctl-fuzz-{os.getpid()}")

    @classmethod
    def write(cls, data: bytes) -> str:
        cls.path.write_bytes(data)
        cls.path.chmod(0o600)
        return str(cls.path)


def _documents(data: bytes) -> object:
    documents = read_documents([Files.write(data)])
    return objects_from_documents(documents.documents, "worker-1")


def _kubeconfig(data: bytes) -> object:
    from bgpctl.cli.wire import PROBES_EXTENSION, router_probes
    from bgpctl.kube.client import Client

    if b"exec" in data:
        return None  # a program that the fuzzer made up is not run
    access = load_access(Files.write(data))
    assert PROBES_EXTENSION
    return router_probes(Client(access), ())


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "contexts": [
        {
            "name": "c",
            "context": {
                "cluster": "k",
                "user": "u",
                "extensions": [{"name": "bgpctl.io/router-probes", "extension": ["bird=/run/bird.ctl"]}],
            },
        }
    ],
    "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


def _objects() -> Any:
    return {
        "node": objects.node(labels={"rack": "rack0"}),
        "policies": [objects.policy(objects.router(objects.neighbor()))],
        "services": [objects.service("web")],
        "endpoint_slices": [objects.endpoint_slice("web", objects.endpoint())],
        "cilium_node": objects.cilium_node(),
    }


def _compiled(document: Any) -> object:
    if not isinstance(document, dict):
        return None
    known = {field.name for field in dataclasses.fields(ClusterObjects)}
    given = {k: v for k, v in document.items() if k in known}
    for name in ("policies", "services", "endpoint_slices"):  # the client gives lists of objects
        given[name] = (
            [one for one in given.get(name) or () if isinstance(one, dict)]
            if isinstance(given.get(name), list)
            else []
        )
    for name in ("node", "cilium_node"):
        given[name] = given.get(name) if isinstance(given.get(name), dict) else None
    return compile_intent(ClusterObjects(**given), "worker-1")


def _date(text: bytes) -> object:
    return servertime.epoch(text.decode("latin-1"))


def _annotation(text: bytes) -> object:
    from bgpctl.core.exposure import NODE_SELECTOR, read_exposure

    words = text.decode(errors="replace")
    service = objects.service("web")
    service["metadata"]["annotations"] = {NODE_SELECTOR: words}
    everything = {"bgpctl.io/graceful-shutdown-soak": words, "bgpctl.io/graceful-notification": words}
    document = {**_objects(), "node": objects.node(annotations=everything)}
    return read_exposure(service, {}), _compiled(document)


LOG = b'time="2026-01-01T00:00:00Z" level=info msg="speaker.started" subsys=bgp-control-plane peer=10.0.0.1\n'
JSON_LOG = {
    "time": "2026-01-01T00:00:00Z",
    "level": "info",
    "msg": "x",
    "subsys": "bgp-control-plane",
    "n": 1,
}


def _log(line: bytes) -> object:
    from bgpctl.out import logs

    found = loglines.read(line.decode(errors="replace"), "n1")
    if found is not None:
        logs.text(found)
        logs.document(found)
    return found


def _secret(document: Any) -> object:
    return password_of(document) if isinstance(document, dict) else None


def _routes() -> Any:
    row = {
        "prefix": "10.0.0.0/24",
        "standing": "changing",
        "attributes": {"nextHop": "10.0.0.9", "communities": ["1:2"]},
        "announcedAttributes": {"localPreference": 100},
        "origin": "o",
        "why": "w",
    }
    peer = {
        "name": "p",
        "peerAddress": "192.0.2.1",
        "state": "established",
        "families": [],
        "pending": 0,
        "routes": [row],
    }
    absent = {"origin": "o", "prefix": "10.0.0.0/24", "reason": "r", "detail": "d", "peer": "p"}
    return {"node": "n", "at": NOW, "peers": [peer], "absent": [absent], "problems": ["x"]}


def _node_routes(document: Any) -> object:
    from bgpctl.core.routeview import only_peer
    from bgpctl.out import routes

    found = read_node_routes(document)
    shown = routes.Shown((found,), True)
    routes.document(shown)
    routes.text(shown, wide=True)
    return only_peer((found,), "192.0.2.1")


def bird_seeds() -> list[bytes]:
    return [file.read_bytes() for file in sorted((DATA / "bird").glob("*o*.*"))]


UPDATE = bytes.fromhex("0000 0000 080a")
MP_UPDATE = bytes.fromhex("0000 0010 900e000c 0002 01 04 00000000 00 10fd00")


def targets() -> tuple[Target, ...]:
    """The whole table."""
    structure: list[Target] = [
        Target("state", _states(), _state),
        Target("pod", [POD], lambda d: pods.pod_view(d)),
        Target("node", [NODE_OBJECT], _node),
        Target("lease", [LEASE], _lease),
        Target("budget", [BUDGET], lambda d: budgets.budget_view(d)),
        Target("eviction answer", [REFUSAL], _eviction),
        Target("node routes", [_routes()], _node_routes),
        Target("engine inventory", [_stock()], _adopted),
        Target("cluster objects", [_objects()], _compiled, share=0.3),
        Target("managed fields", [MANAGED], written_by_others),
        Target("secret", [objects.password_secret("hush")], _secret),
    ]
    text = [
        Target("journal", _journals(), _journal, text=True),
        Target("kured lock", [KURED], _kured, text=True),
        Target("frr neighbor", _answers("frr", "neighbor.live", "neighbor.stale"), _frr, text=True),
        Target("frr routes", _answers("frr", "routes4.live", "prefix.stale"), _frr_table, text=True),
        Target("gobgp neighbor", _answers("gobgp", "neighbors.live", "neighbors.stale"), _gobgp, text=True),
        Target("gobgp rib", _answers("gobgp", "rib4.live", "rib6.stale"), _gobgp_rib, text=True),
        Target("openbgpd", _answers("openbgpd", "neighbor.live", "neighbor.stale"), _openbgpd, text=True),
        Target("openbgpd rib", _answers("openbgpd", "routes.live", "prefix.stale"), _openbgpd_rib, text=True),
        Target("exabgp file", _answers("exabgp", "rib.live", "rib.stale"), _exabgp, text=True),
        Target("engine event", [_session()], _event, text=True),
        Target("log line", [JSON_LOG], _log, text=True),
        Target("kubeconfig", [KUBECONFIG], _kubeconfig, text=True, share=0.01, seconds=20),
    ]
    raw = [
        Target("bird", bird_seeds(), _bird),
        Target("Date header", [b"Sat, 28 Nov 2026 17:43:09 GMT"], _date),
        Target("annotations", [b"1m30s", b"rack in (a,b),!c"], _annotation),
        Target("text log line", [LOG], _log),
        Target("request", [wire.encode_request("1", "hello", {"x": 1})], _request, (ValueError,)),
        Target("UPDATE", [UPDATE, MP_UPDATE], _update),
        Target("Cease", [bytes((6, 2, 5)) + b"hello", b"\x05hello"], _cease),
        Target("YAML", yaml_seeds(), _yaml, share=0.3),
        Target("state file", yaml_seeds()[:1], _documents, share=0.1),
    ]
    return (*structure, *text, *raw)


def yaml_seeds() -> list[bytes]:
    import yaml

    documents = [objects.node(), objects.policy(objects.router(objects.neighbor())), objects.service("web")]
    anchors = b"a: &x [1, 2]\nb: *x\nc: {<<: {d: 1}}\ne: |\n  text\n? f\n: g\n"
    return [yaml.safe_dump_all(documents).encode(), anchors]


def site(error: BaseException) -> str:
    """The innermost line of ours in a traceback, with what was raised there."""
    place, trace = "?", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "/bgpctl/" in name:
            place = f"{name.rpartition('/bgpctl/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} {place}"


def attempt(target: Target, given: Any) -> tuple[str, float]:
    """("" or the site of a crash, seconds)."""
    begun = time.perf_counter()
    try:
        target.run(given)
    except target.refuses:
        pass
    except Exception as error:
        return site(error), time.perf_counter() - begun
    return "", time.perf_counter() - begun

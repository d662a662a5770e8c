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
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from bgpctl.core import loglines, state_document
from bgpctl.core.bgp import capabilities
from bgpctl.core.cilium import nodeconfig, states
from bgpctl.core.doctor import reading
from bgpctl.core.drain import budgets, guards, pods
from bgpctl.core.intent.compile import ClusterObjects, compile_intent
from bgpctl.core.intent.routeview import read_node_routes
from bgpctl.core.policy.inputs import password_of
from bgpctl.core.policy.v2.status import written_by_others
from bgpctl.core.preflight import pulling
from bgpctl.core.reading.certificates import expiry, pem_expiry
from bgpctl.core.reading.foreign import Foreign
from bgpctl.core.timing import servertime
from bgpctl.documents.files import objects_from_documents, read_documents
from bgpctl.documents.stream import Lines, read_stream
from bgpctl.errors import BgpctlError
from bgpctl.exabgp import events, inventory, received, wire
from bgpctl.exabgp.record import Record
from bgpctl.kube import lease
from bgpctl.kube.config import load_access
from bgpctl.lab.stacks.calico import documents as calico
from bgpctl.runbooks import journal
from bgpctl.runbooks import objects as objects_
from bgpctl.witness import (
    bird,
    bird_neighbors,
    exabgp,
    frr,
    frr_neighbors,
    gobgp,
    gobgp_neighbors,
    openbgpd,
    openbgpd_neighbors,
)
from bgpctl.witness.command import read_json
from tests.fuzz import mutate, seeds
from tests.support import objects
from tests.support.router_paths import frr_prefix
from tests.unit import test_calico_bird as said

NODE = "127.0.1.1"


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


# --- runbooks and cluster objects -------------------------------------------------------------------------


def _journal(text: bytes) -> object:
    loaded = journal.load({journal.ANNOTATION: text.decode("utf-8", "replace")})
    if loaded is None:
        return None
    from bgpctl.queries.nodes import NodeReport
    from bgpctl.render import node as shown
    from bgpctl.runbooks.drain import conclude
    from bgpctl.runbooks.model import Result, StepReport

    report = NodeReport("n1", True, False, None, loaded)
    shown.document([report], seeds.NOW)
    shown.text([report], seeds.NOW)
    steps = tuple(StepReport(name, name, "done", "") for name in ("Claimed", "ShutDown", "Announced"))
    conclude(Result(loaded.command, "n1", "done", "", steps=steps), loaded)
    return journal.load({journal.ANNOTATION: journal.dump(loaded)})


def _state(document: Any) -> object:
    from bgpctl.core.state_document import to_document
    from bgpctl.core.timing.profiles import UNKNOWN_ROUTER
    from bgpctl.core.timing.withdrawal import Event, estimate, facts_from_state
    from bgpctl.queries.nodes import NodeReport
    from bgpctl.render import node, peers

    (state,) = state_document.read_states([document])
    picture = peers.Picture((state,), {}, seeds.NOW)
    peers.document(picture)
    peers.text(picture, wide=True)
    report = NodeReport(state.node, True, False, state, None)
    node.document([report], seeds.NOW)
    node.text([report], seeds.NOW)
    for peer in state.peers:
        for event in Event:
            estimate(event, facts_from_state(peer), UNKNOWN_ROUTER)
    if state.unreadable:
        return state_document.from_document(document)
    return state_document.from_document(to_document(state))


def _cilium_node(document: Any) -> object:
    from bgpctl.core.cilium import copies, leave, soak
    from bgpctl.render import node, peers

    config = nodeconfig.read(document)
    state = states.node_state(config, {"pc": states.DEFAULT})
    kept = config.kept or config.keep("uid", 7.0)
    leave.withdraw("/x", config, kept)
    leave.close("/x", config)
    leave.back("/x", config, kept, {"apiVersion": "v", "metadata": {"name": "cc", "uid": "u"}})
    copies.readiness(config, [document], seeds.NOW)
    soak.readiness(config, [document], [document], seeds.NOW)
    picture = peers.Picture((state,), {}, seeds.NOW)
    peers.document(picture)
    peers.text(picture, wide=True)
    return node.text([_report(state)], seeds.NOW), nodeconfig.read_kept(kept.text())


def _calico_peer(document: Any) -> object:
    from bgpctl.core.calico import config, leave
    from bgpctl.core.calico import states as seen
    from bgpctl.render import node, peers

    peering = config.read_peering(document)
    hosts = [config.read_host(objects.node(n, labels={"rack": "r1"})) for n in ("n1", "n2")]
    world = seen.World(seen.Hosts(hosts), [peering], rejects=True)
    world.by_node()
    leave.withdraw("/x", peering)
    if leave.FILTER in (peering.filters or ()):
        leave.back("/x", peering)
    state = seen.node_state(hosts[0], world, world.of(hosts[0]), None)
    picture = peers.Picture((state,), {}, seeds.NOW)
    peers.document(picture)
    peers.text(picture, wide=True)
    return node.text([_report(state)], seeds.NOW)


def _calico_status(document: Any) -> object:
    from bgpctl.core.calico import nodestatus

    return nodestatus.read(document)


def _calico_node(document: Any) -> object:
    from bgpctl.core.calico import config

    return config.read_host(document) if isinstance(document, dict) else None


def _calico_selector(text: bytes) -> object:
    from bgpctl.core.calico.selector import parse

    return parse(text.decode("utf-8", "replace")).matches({"rack": "r1"})


def _calico_bird(text: bytes) -> object:
    from bgpctl.core.calico import bird

    words = text.decode("utf-8", "replace")
    return bird.settled(words), bird.read_sessions(words)


def _frr_configuration(document: Any) -> object:
    from bgpctl.core.frr_k8s import config, leave, told
    from bgpctl.core.frr_k8s import states as seen
    from bgpctl.render import node, peers

    if not isinstance(document, dict):
        return None  # no item of a list
    found = config.read(document)
    if isinstance(found, config.Unread):
        return found.selects({}), str(found)
    ours = dataclasses.replace(found, raw=leave.lines(found.neighbors), ours=True)
    assert leave.silenced(ours, found.neighbors) == frozenset(found.neighbors)
    status = told.node_status({"status": {"runningConfig": found.raw}})
    for out in (None, ours):
        host = seen.Host("n1", {}, [found], out, status=status)
        state = seen.node_state(host)
        picture = peers.Picture((state,), {}, seeds.NOW)
        peers.document(picture)
        peers.text(picture, wide=True)
        node.text([_report(state)], seeds.NOW)
    return leave.document("n1", "u", "n1", "ns", found.neighbors)


def _frr_told(document: Any) -> object:
    from bgpctl.core.frr_k8s import told

    if not isinstance(document, dict):
        return None
    told.node_of(document)
    return told.node_status(document), told.session(document)


def _frr_running(text: bytes) -> object:
    from bgpctl.core.frr_k8s import running

    words = text.decode("utf-8", "replace")
    return running.mentioned(running.read(words), [words], ()), running.strange(words)


def _frr_answer(text: str) -> object:
    from bgpctl.core.frr_k8s import told

    return told.answer(text, [seeds.FRR_NEIGHBOR])


def _metallb_peer(document: Any) -> object:
    from bgpctl.core import metallb

    if not isinstance(document, dict):
        return None
    found = metallb.read(document)
    peers = [found] if isinstance(found, metallb.Peer) else []
    unread = [found] if isinstance(found, metallb.Unread) else []
    metallb.ignores_exclusion([document])
    metallb.leaves_to_frr_k8s([document])
    return metallb.node_state(objects.node("n1", labels={"rack": "1"}), peers, unread, out=False)


def _kube_router(document: Any) -> object:
    from bgpctl.core import kube_router

    settings = kube_router.read_settings(document)
    return settings and kube_router.node_state(objects.node("n1"), settings, None)


def _kube_router_peers(text: bytes) -> object:
    from bgpctl.providers.kube_router import Settings, _state

    words = text.decode("utf-8", "replace")
    node = objects.node("n1", annotations={"kube-router.io/peers": words})
    return _state(node, (Settings({}),))


def _cilium_kept(text: bytes) -> object:
    kept = nodeconfig.read_kept(text.decode(errors="replace"))
    return nodeconfig.read_kept(kept.text())


def _report(state: Any) -> Any:
    from bgpctl.queries.nodes import NodeReport

    return NodeReport(state.node, True, False, state, None)


def _pulling(documents: Any) -> object:
    found = documents if isinstance(documents, dict) else {}
    pod, event = found.get("pod"), found.get("event")
    told = pulling.seconds_told([event] if isinstance(event, dict) else [], "p", "u")
    return pulling.seen(pod), told


def _lease(document: Any) -> object:
    lease.view(document).held_by_other("me", seeds.NOW)
    return guards.medik8s("n1", document, seeds.NOW)


def _kured(text: bytes) -> object:
    return guards.kured("n1", text.decode(errors="replace"), {}, seeds.NOW)


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
    found = frr.remaining(view), frr.families(view)
    return found, list(frr.read_table(answer, ip_address(NODE))), list(frr_prefix(answer, seeds.PREFIX))


def _frr_groups(document: Any) -> object:
    answer = read_json(document, "FRR")
    return frr.dynamic_range(answer, ip_address(NODE)) if isinstance(answer, dict) else None


def _frr_table(document: Any) -> object:
    answer = read_json(document, "FRR")
    return (
        [list(frr.read_table(answer, ip_address(NODE))), list(frr_prefix(answer, seeds.PREFIX))]
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


def _frr_sides(document: Any) -> object:
    answer = read_json(document, "FRR")
    if not isinstance(answer, dict):
        return None
    return list(frr_neighbors.read("frr x", answer)), list(frr_neighbors.crowds("frr x", answer))


def _gobgp_sides(document: Any) -> object:
    return list(gobgp_neighbors.read("gobgp x", read_json(document, "gobgp"), Foreign({})))


def _openbgpd_sides(document: Any) -> object:
    return list(openbgpd_neighbors.read("openbgpd x", read_json(document, "openbgpd")))


def _bird_sides(text: bytes) -> object:
    replies = bird.split_replies(text.decode(errors="replace"))
    return [list(bird_neighbors.read("bird x", reply)) for reply in replies]


def _doctored(document: Any) -> object:
    """Cluster objects as the doctor reads them."""
    if not isinstance(document, dict):
        return None
    pods = list(reading.restarts([document])), list(reading.pulls([document], {("", "p"): "n"}))
    pools = reading.read_pools([document], [])
    return (
        reading.read_node(document),
        reading.read_workload(document),
        pods,
        pools,
        reading.lacking({}, document),
    )


# --- the engine -------------------------------------------------------------------------------------------


def _event(line: bytes) -> object:
    message = events.parse_line(line)
    return None if message is None else events.session_of(message)


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
    return events.last_error(record.tell({}, 0)["last_error"]), capabilities.long_lived(data, ())


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
    from bgpctl.core.intent.exposure import NODE_SELECTOR, read_exposure

    words = text.decode(errors="replace")
    service = objects.service("web")
    service["metadata"]["annotations"] = {NODE_SELECTOR: words}
    everything = {"bgpctl.io/graceful-shutdown-soak": words, "bgpctl.io/graceful-notification": words}
    document = {**seeds.cluster_objects(), "node": objects.node(annotations=everything)}
    return read_exposure(service, {}), _compiled(document)


def _log(line: bytes) -> object:
    from bgpctl.render import logs

    found = loglines.read(line.decode(errors="replace"), "n1")
    if found is not None:
        logs.text(found)
        logs.document(found)
    return found


def _secret(document: Any) -> object:
    return password_of(document) if isinstance(document, dict) else None


def _node_routes(document: Any) -> object:
    from bgpctl.core.intent.routeview import only_peer
    from bgpctl.render import routes

    found = read_node_routes(document)
    shown = routes.Shown((found,), True)
    routes.document(shown)
    routes.text(shown, wide=True)
    return only_peer((found,), "192.0.2.1")


def targets() -> tuple[Target, ...]:
    """The whole table."""
    structure: list[Target] = [
        Target("state", seeds.states(), _state),
        Target("pod", [seeds.POD], lambda d: pods.pod_view(d)),
        Target("node", [seeds.NODE_OBJECT], _node),
        Target("lease", [seeds.LEASE], _lease),
        Target("budget", [seeds.BUDGET], lambda d: budgets.budget_view(d)),
        Target("eviction answer", [seeds.REFUSAL], _eviction),
        Target("node routes", [seeds.node_routes()], _node_routes),
        Target("engine inventory", [seeds.stock()], _adopted),
        Target("cluster objects", [seeds.cluster_objects()], _compiled, share=0.3),
        Target("cilium node", seeds.cilium_nodes(), _cilium_node),
        Target("calico peer", seeds.calico_peers(), _calico_peer),
        Target("calico status", [seeds.calico_status()], _calico_status),
        Target("calico node", [objects.node("n1", annotations=calico.notes("10.0.0.1", 1))], _calico_node),
        Target("frr configuration", [seeds.frr_configuration()], _frr_configuration),
        Target("frr told", [seeds.FRR_TOLD], _frr_told),
        Target("metallb peer", [seeds.metallb_peer()], _metallb_peer),
        Target("kube-router", [seeds.kube_router()], _kube_router),
        Target("managed fields", [seeds.MANAGED], written_by_others),
        Target("secret", [objects.password_secret("hush")], _secret),
        Target("doctor's objects", seeds.doctored(), _doctored),
        Target("preflight's pods", [seeds.pulling()], _pulling),
    ]
    text = [
        Target("journal", seeds.journals(), _journal, text=True),
        Target("cilium kept", [seeds.cilium_kept()], _cilium_kept, text=True),
        Target("kured lock", [seeds.KURED], _kured, text=True),
        Target("frr neighbor", seeds.answers("frr", "neighbor.live", "neighbor.stale"), _frr, text=True),
        Target("frr peer groups", seeds.answers("frr", "groups.dynamic"), _frr_groups, text=True),
        Target("frr routes", seeds.answers("frr", "table4.live", "prefix.stale"), _frr_table, text=True),
        Target(
            "gobgp neighbor", seeds.answers("gobgp", "neighbors.live", "neighbors.stale"), _gobgp, text=True
        ),
        Target("frr-k8s answer", [seeds.frr_answer()], _frr_answer, text=True),
        Target("gobgp rib", seeds.answers("gobgp", "rib4.live", "rib6.stale"), _gobgp_rib, text=True),
        Target(
            "openbgpd", seeds.answers("openbgpd", "neighbor.live", "neighbor.stale"), _openbgpd, text=True
        ),
        Target(
            "openbgpd rib", seeds.answers("openbgpd", "routes.live", "prefix.stale"), _openbgpd_rib, text=True
        ),
        Target("frr's side", seeds.answers("frr", "neighbors.odd", "neighbor.live"), _frr_sides, text=True),
        Target("frr's crowds", seeds.answers("frr", "table4.live"), _frr_sides, text=True),
        Target("gobgp's side", seeds.answers("gobgp", "neighbors.odd"), _gobgp_sides, text=True),
        Target("openbgpd's side", seeds.answers("openbgpd", "neighbors.odd"), _openbgpd_sides, text=True),
        Target("exabgp file", seeds.answers("exabgp", "rib.live", "rib.stale"), _exabgp, text=True),
        Target("engine event", [seeds.session()], _event, text=True),
        Target("log line", [seeds.JSON_LOG], _log, text=True),
        Target("kubeconfig", [seeds.KUBECONFIG], _kubeconfig, text=True, share=0.01, seconds=20),
    ]
    raw = [
        Target("bird", seeds.bird_seeds(), _bird),
        Target("bird's side", seeds.bird_seeds(), _bird_sides),
        Target("certificate", [seeds.CERTIFICATE], pem_expiry),
        Target("DER", [seeds.der()], expiry),
        Target("Date header", [b"Sat, 28 Nov 2026 17:43:09 GMT"], _date),
        Target("annotations", [b"1m30s", b"rack in (a,b),!c"], _annotation),
        Target("text log line", [seeds.LOG], _log),
        Target("request", [wire.encode_request("1", "hello", {"x": 1})], _request, (ValueError,)),
        Target("seeds.UPDATE", [seeds.UPDATE, seeds.MP_UPDATE], _update),
        Target("Cease", [bytes((6, 2, 5)) + b"hello", b"\x05hello"], _cease),
        Target("calico selector", [seeds.CALICO_SELECTOR], _calico_selector),
        Target("calico bird", [said.BIRD_1.encode(), said.status().encode()], _calico_bird),
        Target("frr running", [seeds.FRR_RUNNING.encode()], _frr_running),
        Target("kube-router peers", [seeds.KUBE_ROUTER_PEERS], _kube_router_peers),
        Target("YAML", seeds.yaml_seeds(), _yaml, share=0.3),
        Target("state file", seeds.yaml_seeds()[:1], _documents, share=0.1),
    ]
    return (*structure, *text, *raw)


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

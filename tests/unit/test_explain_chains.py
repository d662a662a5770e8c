"""`explain` of a cluster in situations: each link that is not as in the first one, as it is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from bgpctl.core.intent.explaining.asked import parse_asked
from bgpctl.core.intent.explaining.chain import Path
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.errors import UsageError
from bgpctl.kube import paths
from bgpctl.ports import Outlook
from bgpctl.queries.explaining.look import Explanation, explain
from bgpctl.queries.explaining.targets import MOST
from bgpctl.render.text import Line, line
from bgpctl.runbooks.journal import ANNOTATION
from bgpctl.witness.model import Path as RouterPath
from bgpctl.witness.model import RouterAnswer, judge
from tests.support import direct, node_states, objects, v2
from tests.support.direct import EPOCH, Wire
from tests.support.golden import check_golden
from tests.support.kinds import KINDS

Api = direct.Api
READY = {
    "addresses": [{"type": "InternalIP", "address": "192.0.2.11"}],
    "conditions": [{"type": "Ready", "status": "True"}],
}


class Router:
    """A router that has these prefixes of every node."""

    kind, target, peer = "bird", "/run/bird.ctl", "192.0.2.1"

    def __init__(self, *prefixes: str) -> None:
        self._prefixes = [ip_network(text) for text in prefixes]

    def routes_from(self, neighbor: str) -> RouterAnswer:
        found = tuple(RouterPath(prefix, neighbor) for prefix in self._prefixes)
        return RouterAnswer("bird", neighbor, judge(found), found, "established", local="192.0.2.1")


class Untold:
    """A provider that knows sessions, and not what a node should announce."""

    name = "frr-k8s"

    def __init__(self, *states: NodeState) -> None:
        self._states = states

    def outlook(self) -> Outlook:
        return Outlook({state.node: state for state in self._states}, None)


def speaking(name: str, **changes: Any) -> NodeState:
    one = node_states.peer(EPOCH, local_address=ip_address("192.0.2.11"))
    return replace(node_states.state(name, EPOCH, one, selected_by="policy"), **changes)


def node(name: str, **parts: Any) -> Any:
    number = name.rpartition("-")[2]
    return objects.node(name, **{"spec": {"podCIDRs": [f"10.244.{number}.0/24"]}, "status": READY, **parts})


def endpoints(service: str, *places: str) -> Any:
    made = objects.endpoint_slice(service, *(objects.endpoint(place, ready=True) for place in places))
    return {**made, "ports": [{"port": 80}]}


def _seeded() -> Api:
    api = direct.Api()
    selector = {"matchLabels": {"expose": "bgp"}}
    router = objects.router(objects.neighbor("192.0.2.1/32"), serviceSelector=selector)
    api.server.apply(*KINDS, objects.policy(router))
    for name in ("worker-1", "worker-2"):
        api.server.apply(node(name), to_document(speaking(name)))
    labels = {"expose": "bgp"}
    api.server.apply(
        objects.service("web", "203.0.113.10", ports=[{"port": 80}], labels=labels),
        endpoints("web", "worker-1"),
        objects.service("own", "203.0.113.20", ports=[{"port": 80}], labels=labels, local=True),
        endpoints("own", "worker-1"),
        objects.service("hidden", "203.0.113.30", ports=[{"port": 80}]),
    )
    return api


SEEDED = _seeded()
ONE = {"node": "worker-1"}
HAS, LACKS = Router("203.0.113.10/32", "203.0.113.30/32"), Router("203.0.113.99/32")


def nothing(api: Api) -> None:
    """As it was seeded."""


def applied(*documents: Any) -> Callable[[Api], None]:
    return lambda api: api.server.apply(*documents)


def without(*names: str) -> Callable[[Api], None]:
    def change(api: Api) -> None:
        for name in names:
            Wire(api).client().delete(name)

    return change


def modern(api: Api) -> None:
    without(f"{paths.PEERING_POLICIES}/policy")(api)
    good, bad = v2.peer("good", "192.0.2.1"), v2.peer("bad", "192.0.2.2", peerConfigRef={"name": "tro"})
    api.server.apply(
        v2.cluster_config(v2.instance(good, bad)),
        v2.peer_config(families=[v2.family()]),
        v2.advertisement(v2.advert(), v2.advert("CiliumPodIPPool", selector={})),
        objects.pool("blue"),
        objects.cilium_node(blue=["10.8.1.0/24"]),
    )


LEFT = applied(
    node("worker-1", labels={"enable-bgp": "false"}, annotations={ANNOTATION: "{}"}),
    to_document(node_states.withdrawn("worker-1", EPOCH)),
)
DRAINING = applied(
    node("worker-1", annotations={ANNOTATION: "{}"}),
    to_document(speaking("worker-1", phase="Leaving")),
)


def unreadable(api: Api) -> None:
    """By the v2 resources, with an override that no schema would let in."""
    modern(api)
    broken = v2.override({"name": "main", "routerID": "x"})
    api.server.store.put(("cilium.io", "ciliumbgpnodeconfigoverrides"), broken)


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "default"},
    "spec": {"nodeName": "worker-1", "containers": [{"name": "c", "image": "i"}]},
    "status": {"phase": "Pending", "podIP": "10.244.1.7", "podIPs": [{"ip": "10.244.1.7"}]},
}

SITUATIONS: Mapping[str, tuple[Callable[[Api], None], str, Mapping[str, Any]]] = {
    "announced": (nothing, "svc/web", ONE),
    "on both nodes, of which one has no endpoint": (nothing, "svc/own", {}),
    "a Service that nothing advertises": (nothing, "svc/hidden", ONE),
    "and the router has it": (nothing, "svc/hidden", {**ONE, "probes": [HAS]}),
    "and the router has it not": (nothing, "svc/hidden", {**ONE, "probes": [LACKS]}),
    "the router has it": (nothing, "svc/web", {**ONE, "probes": [HAS]}),
    "the router has it not": (nothing, "svc/web", {**ONE, "probes": [LACKS]}),
    "a node that is out": (LEFT, "svc/web", ONE),
    "a node that is out, as a whole": (LEFT, "node/worker-1", {}),
    "a node on its way out": (DRAINING, "svc/web", ONE),
    "a node on its way out, as a whole": (DRAINING, "node/worker-1", {}),
    "a node as a whole": (nothing, "node/worker-1", {}),
    "a node that no policy selects": (applied(node("worker-1", labels={})), "node/worker-1", {}),
    "a node without a speaker": (
        without(paths.node_state("worker-1")),
        "node/worker-1",
        {"probes": [HAS]},
    ),
    "a prefix of a node": (nothing, "10.244.1.0/24", {}),
    "a prefix of a Service and of the pods behind it": (nothing, "203.0.113.0/27", ONE),
    "a pool's prefix, to two peers": (modern, "10.8.1.0/24", {}),
    "by the v2 resources, to one": (modern, "svc/web", {**ONE, "peer": "192.0.2.1"}),
    "by the v2 resources, as a whole": (modern, "node/worker-1", {}),
    "a pod that is not ready": (applied(POD), "pod/web-1", {}),
    "a pod that cannot be read": (
        lambda api: api.server.store.put(("", "pods"), {**POD, "spec": 7}) and None,
        "pod/web-1",
        {},
    ),
    "a pod that is ready": (
        applied(
            {
                **POD,
                "status": {
                    **POD["status"],
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            }
        ),
        "pod/web-1",
        {},
    ),
    "a pod on no node yet": (
        applied(
            {
                **POD,
                "spec": {"containers": [{"name": "c", "image": "i"}]},
                "status": {"phase": "Pending"},
            }
        ),
        "pod/web-1",
        {},
    ),
    "a pod that no Service leads to": (
        applied({**POD, "status": {**POD["status"], "podIP": "10.244.1.9", "podIPs": []}}),
        "pod/web-1",
        {},
    ),
    "a pod whose address another one has now": (
        applied(
            POD,
            {
                **endpoints("web", "worker-1"),
                "endpoints": [
                    {
                        **objects.endpoint("worker-1", ready=True),
                        "targetRef": {"kind": "Pod", "name": "web-2", "namespace": "default"},
                    }
                ],
            },
        ),
        "pod/web-1",
        {},
    ),
    "a pod whose slice does not name it": (applied(POD), "10.244.1.7", {}),
    "a prefix that nothing has": (nothing, "198.51.100.1", {}),
    "a stack that does not tell": (nothing, "svc/web", {**ONE, "provider": Untold(speaking("worker-1"))}),
    "nor of any session": (nothing, "svc/web", {**ONE, "provider": Untold()}),
    "nor of a node": (nothing, "node/worker-1", {"provider": Untold(speaking("worker-1"))}),
    "and a router that does": (
        nothing,
        "svc/web",
        {**ONE, "provider": Untold(speaking("worker-1", peers=())), "probes": [HAS]},
    ),
    "a Service that cannot be read": (
        lambda api: api.server.store.put(("", "services"), {**objects.service("web"), "spec": 7}) and None,
        "svc/web",
        {},
    ),
    "an object that cannot be read beside it": (unreadable, "svc/web", ONE),
}


def explained(name: str) -> Explanation:
    change, what, more = SITUATIONS[name]
    api = SEEDED.fork()
    change(api)
    asked: dict[str, Any] = {"provider": None, **more}
    provider = asked.pop("provider")
    return explain(Wire(api).client(), provider, parse_asked(what), **asked)


def _chain(path: Path) -> list[str]:
    reasons = [f" ({link.reason})" if link.reason else "" for link in path.links]
    return [
        f"    {link.name}: {link.status}{reason}: {link.says} [{link.command}]"
        for link, reason in zip(path.links, reasons, strict=True)
    ]


def _all(names: list[str]) -> Iterator[Line]:
    first = set(_chain(explained("announced").paths[0])) if "announced" not in names else set[str]()
    for name in names:
        found = explained(name)
        yield line(f"# {name}: {found.title}{' (green)' if found.green else ''}")
        for one in (*found.behind, *found.notes):
            yield line(f"  behind or beside it: {one}")
        for path in found.paths:
            where = f"{path.node or '(no node)'} to {path.peer or '(nobody)'}"
            yield line(f"  {where}, {path.prefix or path.origin}: {path.standing}")
            yield from (line(text) for text in _chain(path) if text not in first)
            first = first or set(_chain(path))


HALF = len(SITUATIONS) // 2


@pytest.mark.parametrize("part", [1, 2])
def test_every_link_in_its_words(part: int) -> None:
    names = list(SITUATIONS)
    check_golden(f"explain_chains_{part}.txt", _all(names[:HALF] if part == 1 else names[HALF:]))


def test_of_many_services_the_first_are_explained() -> None:
    api = SEEDED.fork()
    for number in range(MOST):
        api.server.apply(objects.service(f"s{number:03}", f"203.0.113.{100 + number}", ports=[{"port": 80}]))
    found = explain(Wire(api).client(), None, parse_asked("203.0.113.0/24"), "worker-1")
    assert len(found.behind) == MOST
    assert found.notes == ("and 3 more Services, each of which can be asked about",)
    every = explain(Wire(api).client(), None, parse_asked("203.0.113.96/27"), "worker-1")
    assert every.notes == ()


@pytest.mark.parametrize(
    ("provider", "known"),
    [(None, "192.0.2.1"), (Untold(speaking("worker-1")), "192.0.2.1"), (Untold(), "none")],
)
def test_a_peer_that_nobody_has(provider: Any, known: str) -> None:
    with pytest.raises(UsageError) as raised:
        explain(Wire(SEEDED.fork()).client(), provider, parse_asked("svc/web"), None, "192.0.2.9")
    assert raised.value.message == "--to: no node that was looked at has a peer 192.0.2.9"
    assert raised.value.hint == f"the peers are: {known}"


def test_where_nothing_is_there_no_peer_is_missed() -> None:
    found = explain(Wire(SEEDED.fork()).client(), None, parse_asked("198.51.100.1"), None, "192.0.2.9")
    assert not found.green


@pytest.mark.parametrize("peer", ["2001:db8::1", "2001:0db8:0::1"])
def test_a_peer_as_somebody_spells_it(peer: str) -> None:
    api = SEEDED.fork()
    both = objects.neighbor("192.0.2.1/32"), objects.neighbor("2001:db8::1/128")
    api.server.apply(objects.policy(objects.router(*both)))
    found = explain(Wire(api).client(), None, parse_asked("svc/web"), "worker-1", peer)
    assert [path.peer for path in found.paths] == ["2001:db8::1"]

"""Why a route is absent, and what would bring it: every repair that is named does so in the intent."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent import damping, gates, podcidrs, services
from bgpctl.core.intent.compile import ClusterObjects, compile_intent
from bgpctl.core.intent.explaining.links import LINK_OF
from bgpctl.core.intent.explaining.proposals.table import BY_REASON
from bgpctl.core.intent.explaining.repair import repaired
from bgpctl.core.intent.explaining.search import Asker, Found, search
from bgpctl.core.intent.explaining.verdict import Target, verdict
from bgpctl.core.intent.services import NO_INTERFACE_ADDRESS, NOT_SELECTED
from bgpctl.core.model import Absent, Intent
from bgpctl.core.policy.nodeconfig import AddressType, Source
from tests.support import changing, v2
from tests.support import objects as kit
from tests.support.changing import NAME
from tests.support.intents import world

UNTOLD = (NO_INTERFACE_ADDRESS,)
"""Reasons that no object of the cluster says anything about: named, and without a repair."""


SAID_BY_OTHERS = {damping.DAMPED, services.FAMILY_NOT_NEGOTIATED, services.NEXT_HOP_NOT_NEGOTIATED}
"""By a speaker, or by a session: no part of an intent from outside."""


def reasons() -> set[str]:
    """Every name of a reason that the intent knows."""
    named = (vars(module).items() for module in (services, gates, podcidrs, damping))
    told = {v for pairs in named for k, v in pairs if k.isupper() and isinstance(v, str)}
    return {value for value in told if re.fullmatch(r"[a-z]+([A-Z]\w*|less|ed)", value)}


def test_no_reason_is_without_its_link_and_its_repairs() -> None:
    """A reason that is new has both from the start."""
    assert {services.HEADLESS, damping.DAMPED, gates.NODE_EXCLUDED} <= reasons()
    assert set(LINK_OF) >= reasons() - SAID_BY_OTHERS
    assert set(BY_REASON) >= reasons() - SAID_BY_OTHERS - {*UNTOLD, gates.NODE_NOT_CONFIRMED}


def target_of(absent: Absent) -> Target:
    kinds = {"Service": Source.SERVICE, "PodCIDR": Source.POD_CIDR, "CiliumPodIPPool": Source.POD_POOL}
    source = kinds.get(absent.origin.split()[0], Source.INTERFACE)
    return Target(absent.origin, absent.prefix, source)


def explained(objects: ClusterObjects, absent: Absent, peer: str) -> Found:
    """The search, held against a compile of its own: with the repairs the route is there."""
    target = target_of(absent)
    found = search(Asker(NAME), objects, target, peer)
    assert not found.verdict.there and found.broken[0].reason == found.verdict.reason
    if found.mended:
        after = compile_intent(repaired(objects, found.repairs), NAME)
        assert verdict(after, target, peer).there
    return found


def peers_of(intent: Intent, absent: Absent) -> tuple[str, ...]:
    if absent.peer:
        return (absent.peer,)
    return tuple(peer.name for peer in intent.peers) or ("",)


def all_explained(objects: ClusterObjects) -> None:
    """Every absence of the intent has its repair."""
    intent = compile_intent(objects, NAME)
    for absent in intent.absent:
        for peer in peers_of(intent, absent):
            found = explained(objects, absent, peer)
            nobody = not objects.policies and not objects.cluster_configs
            last = found.broken[-1].reason
            assert found.mended or last in UNTOLD or (nobody and last == NOT_SELECTED), (absent, found)


def named(document: Any) -> str:
    """An API server has no two of a name."""
    return str(document["metadata"]["name"])


@st.composite
def clusters(draw: st.DrawFn) -> ClusterObjects:
    """One node, and policies of the older kind."""
    return ClusterObjects(
        node=draw(st.sampled_from(changing.NODES)),
        policies=draw(st.sampled_from(changing.POLICIES)),
        services=tuple(draw(st.lists(changing.services(), max_size=3, unique_by=named))),
        endpoint_slices=tuple(draw(st.lists(changing.slices(), max_size=3, unique_by=named))),
        lb_pools=draw(st.sampled_from(changing.POOLS)),
        secrets=None,
        interfaces=None,
    )


@given(clusters())
def test_every_absent_route_has_the_repair_that_brings_it(objects: ClusterObjects) -> None:
    all_explained(objects)


WEB = {"matchLabels": {"app": "web"}}
SELECTING = [{}, WEB, {"matchExpressions": [{"key": "app", "operator": "In", "values": ["db", "web"]}]}]
SELECTORS = st.sampled_from([None, *SELECTING])
TYPES = st.lists(st.sampled_from(sorted(AddressType)), min_size=1, max_size=2, unique=True)


@st.composite
def entries(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(["PodCIDR", "Service", "CiliumPodIPPool"]))
    if kind == "Service":
        return v2.advert(kind, service={"addresses": draw(TYPES)}, selector=draw(st.sampled_from(SELECTING)))
    return v2.advert(kind, selector=None if kind == "PodCIDR" else draw(SELECTORS))


@st.composite
def modern_clusters(draw: st.DrawFn) -> ClusterObjects:
    """The same by the v2 resources."""
    labels = st.sampled_from([{}, v2.ADVERTISED, {"advertise": "no"}])
    selects = st.sampled_from([None, {}, {"matchLabels": v2.ADVERTISED}])
    families = [
        v2.family(afi, advertisements=draw(selects))
        for afi in draw(st.lists(st.sampled_from(["ipv4", "ipv6"]), max_size=2, unique=True))
    ]
    adverts = [
        v2.advertisement(*draw(st.lists(entries(), min_size=1, max_size=2)), name=name, labels=draw(labels))
        for name in draw(st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True))
    ]
    reference = draw(st.sampled_from([{"name": "tor"}, None, {"name": "missing"}]))
    peers = v2.peer("good"), v2.peer("other", "127.0.0.101", peerConfigRef=reference)
    return replace(
        draw(clusters()),
        policies=(),
        cluster_configs=[v2.cluster_config(v2.instance(*peers))],
        peer_configs=[v2.peer_config(families=families)],
        advertisements=adverts,
        pod_pools=draw(st.sampled_from([[], [kit.pool("blue", app="web")]])),
        cilium_node=draw(st.sampled_from([None, kit.cilium_node(), kit.cilium_node(blue=["10.8.1.0/24"])])),
    )


@given(modern_clusters())
def test_every_one_by_the_v2_resources_too(objects: ClusterObjects) -> None:
    all_explained(objects)


def _of_selector(labels: Any) -> Any:
    """What is said of a Local Service with this selector, whose EndpointSlice is empty."""
    service = kit.service("shop", "203.0.113.9", local=True, selector=labels)
    objects = world(service, slices=[kit.endpoint_slice("shop")])
    (absent,) = compile_intent(objects, NAME).absent
    (repair,) = explained(objects, absent, "").repairs
    return repair


def test_a_selector_that_matches_no_pod_is_named() -> None:
    """Nobody mends an EndpointSlice by hand."""
    repair = _of_selector({"app": "wbe"})
    assert repair.wanted == "a ready IPv4 endpoint on worker-1, of a ready Pod there with app=wbe"
    assert repair.command == "kubectl get pods -n default -l app=wbe -o wide"


@pytest.mark.parametrize("labels", [None, {}, "app", {"app": "x; reboot"}, {"app": 7, "$(id)": "x"}])
def test_a_selector_that_is_none_or_no_labels_is_in_no_command(labels: Any) -> None:
    repair = _of_selector(labels)
    assert repair.wanted == "a ready IPv4 endpoint on worker-1" and "get endpointslice" in repair.command

"""The intent: which policy owns the node, and which peers follow."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.intent.compile import Context, compile_intent
from bgpctl.core.intent.sessions import router_id
from bgpctl.core.model import IPV4, IPV6, Secret
from bgpctl.core.policy.claim import NO_OWNER, Owner
from bgpctl.core.policy.owners import read_claims, select_owner
from tests.support.intents import PEER, POD_CIDRS, absences, compiled, prefixes, world
from tests.support.objects import endpoint, endpoint_slice, neighbor, node, policy, router, service

# --- selection --------------------------------------------------------------------------------------------


def test_a_selected_node() -> None:
    intent = compiled(service("web", "203.0.113.1"))
    assert intent.selected and intent.policy == "policy" and intent.problems == () and not intent.stale
    assert prefixes(intent) == POD_CIDRS | {"203.0.113.1/32"}
    assert intent.absent == ()
    route = intent.routes[PEER][ip_network("203.0.113.1/32")]
    assert route.origin == "Service default/web" and "externalTrafficPolicy is Cluster" in route.why
    pod_route = intent.routes[PEER][ip_network("10.244.1.0/24")]
    assert pod_route.origin == "PodCIDR" and pod_route.why


@pytest.mark.parametrize("selector", [None, {}])
def test_no_selector_selects_every_node(selector: Any) -> None:
    assert compiled(policies=[policy(nodeSelector=selector)], node=node(labels={})).selected


def test_a_node_that_no_policy_selects() -> None:
    intent = compiled(service("web", "203.0.113.1"), node=node(labels={"enable-bgp": "false"}))
    assert (intent.selected, intent.policy, intent.peers, intent.routes) == (False, "", (), {})
    assert {(origin, reason) for origin, _, reason in absences(intent)} == {
        ("PodCIDR", "notSelected"),
        ("Service default/web", "notSelected"),
    }


def test_the_first_owner_keeps_the_node() -> None:
    old = policy(name="a-new", created="2026-02-01T00:00:00Z")
    older = policy(router(neighbor("10.0.0.9/32")), name="z-old", created="2026-01-01T00:00:00Z")
    intent = compiled(policies=[old, older])
    assert intent.policy == "z-old" and [p.name for p in intent.peers] == ["65001/10.0.0.9"]
    assert any("a-new selects this node too" in line for line in intent.problems)
    had = replace(intent, policy="a-new")
    assert compile_intent(world(policies=[old, older]), "worker-1", previous=had).policy == "a-new"
    had = replace(intent, policy="gone")
    assert compile_intent(world(policies=[old, older]), "worker-1", previous=had).policy == "z-old"


def test_the_owner_of_before_this_run_keeps_the_node() -> None:
    """A restart is no new choice: by age, z-old would have it."""
    young = policy(router(neighbor("10.0.0.8/32")), name="a-new", created="2026-02-01T00:00:00Z")
    old = policy(router(neighbor("10.0.0.9/32")), name="z-old", created="2026-01-01T00:00:00Z")
    had = Owner("CiliumBGPPeeringPolicy", "a-new")
    both = world(policies=[young, old])
    first = compile_intent(both, "worker-1", Context(owner=had))
    assert first.policy == "a-new" and "z-old selects this node too" in first.problems[0]
    assert compile_intent(both, "worker-1", Context(owner=NO_OWNER), previous=first).policy == "a-new"
    for other in (had._replace(name="gone"), had._replace(kind="CiliumBGPClusterConfig"), NO_OWNER):
        assert compile_intent(both, "worker-1", Context(owner=other)).policy == "z-old"
    away = compile_intent(
        world(policies=[], node=node(labels={})), "worker-1", Context(owner=had), previous=first
    )
    assert compile_intent(both, "worker-1", Context(owner=had), previous=away).policy == "z-old", (
        "it gave the node up"
    )


def test_the_owner_of_before_keeps_the_node_though_nobody_can_read_it_now() -> None:
    """Deciding for another one would take down the sessions of an engine that outlived its speaker."""
    had = Owner("CiliumBGPPeeringPolicy", "policy")
    unreadable = policy(nodeSelector={"matchLabels": "x"})
    for bad in (BAD, unreadable):
        found = compile_intent(world(policies=[bad, policy(name="second")]), "worker-1", Context(owner=had))
        assert (found.policy, found.undecided, found.peers) == ("policy", True, ())
    lost = compile_intent(world(node=None), "worker-1", Context(owner=had))
    again = world(policies=[policy(), policy(name="a")])
    assert compile_intent(again, "worker-1", Context(owner=had), previous=lost).policy == "policy"


def test_an_owner_whose_kind_the_server_does_not_know_is_no_word_for_leaving() -> None:
    """A speaker that starts while somebody has deleted the CRD."""
    had = Owner("CiliumBGPPeeringPolicy", "policy")
    lost = replace(world(policies=[]), unserved=frozenset({had.kind}))
    found = compile_intent(lost, "worker-1", Context(owner=had))
    assert found.undecided and "CustomResourceDefinition is installed again" in found.problems[0]
    still = compile_intent(lost, "worker-1", Context(owner=had), previous=found)
    assert still.undecided, "looking again does not install it"
    again = compile_intent(world(policies=[policy()]), "worker-1", Context(owner=had), previous=found)
    assert again.selected and again.policy == "policy"
    assert not compile_intent(world(policies=[]), "worker-1", Context(owner=had), previous=found).undecided
    assert not compile_intent(lost, "worker-1", Context(owner=NO_OWNER)).undecided, (
        "nobody had it: nothing to keep"
    )


def test_equal_age_goes_by_name() -> None:
    assert compiled(policies=[policy(name="b"), policy(name="a")]).policy == "a"
    written = [policy(name="a"), policy(name="b", created="2026-01-01T00:00:00Z")]
    assert compiled(policies=written).policy == "b"


def test_an_owner_that_no_longer_selects_gives_the_node_up() -> None:
    first = compiled(policies=[policy(name="a")])
    moved = [policy(name="a", nodeSelector={"matchLabels": {"x": "y"}}), policy(name="b")]
    second = compile_intent(world(policies=moved), "worker-1", previous=first)
    assert second.policy == "b" and second.problems == ()


# --- invalid policies -------------------------------------------------------------------------------------

BAD = policy(router(neighbor(peerPort=0)))


def test_an_invalid_policy_keeps_the_previous_intent() -> None:
    good = compiled(service("web", "203.0.113.1"))
    stale = compile_intent(world(service("web", "203.0.113.1"), policies=[BAD]), "worker-1", previous=good)
    assert stale.stale and stale.selected and stale.peers == good.peers and stale.routes == good.routes
    assert any("peerPort: must be 1..65535; it is 0" in line for line in stale.problems)
    again = compile_intent(world(service("web", "203.0.113.1"), policies=[BAD]), "worker-1", previous=stale)
    assert again == stale


def test_an_invalid_owner_does_not_lose_the_node_to_another_policy() -> None:
    good = compiled()
    other = policy(router(neighbor("10.0.0.9/32")), name="other")
    stale = compile_intent(world(policies=[BAD, other]), "worker-1", previous=good)
    assert stale.stale and stale.policy == "policy" and stale.peers == good.peers


def test_a_stale_intent_still_follows_the_endpoints() -> None:
    web = service("web", "203.0.113.1", local=True)
    here, gone = endpoint_slice("web", endpoint()), endpoint_slice("web", endpoint("worker-2"))
    good = compiled(web, slices=[here])
    assert "203.0.113.1/32" in prefixes(good)
    stale = compile_intent(world(web, slices=[gone], policies=[BAD]), "worker-1", previous=good)
    assert stale.stale and "203.0.113.1/32" not in prefixes(stale)


def test_a_repaired_policy_ends_staleness() -> None:
    good = compiled()
    stale = compile_intent(world(policies=[BAD]), "worker-1", previous=good)
    repaired = compile_intent(world(), "worker-1", previous=stale)
    assert repaired == good and not repaired.stale


def test_an_invalid_policy_that_does_not_select_the_node_changes_nothing() -> None:
    other = policy(router(neighbor(peerPort=0)), name="other", nodeSelector={"matchLabels": {"x": "y"}})
    intent = compiled(policies=[policy(), other])
    assert intent.policy == "policy" and not intent.stale
    assert any("other is invalid" in line for line in intent.problems)


def test_deselecting_works_while_the_policy_is_invalid() -> None:
    good = compiled()
    off = world(policies=[BAD], node=node(labels={"enable-bgp": "false"}))
    assert not compile_intent(off, "worker-1", previous=good).selected


def test_a_broken_selector_keeps_its_owner_and_takes_nobody_else() -> None:
    good = compiled()
    broken = policy(nodeSelector={"matchLabels": "x"})
    assert compile_intent(world(policies=[broken]), "worker-1", previous=good).stale
    assert not compiled(policies=[broken]).selected


def test_an_invalid_policy_without_a_previous_intent_runs_nothing() -> None:
    intent = compiled(policies=[BAD])
    assert intent.selected and intent.stale and intent.peers == () and intent.policy == "policy"
    second = policy(name="second")
    taken = compile_intent(world(policies=[BAD, second]), "worker-1", previous=intent)
    assert taken.policy == "second" and not taken.stale and taken.peers


def test_a_node_that_cannot_be_read_is_no_reason_to_leave() -> None:
    good = compiled()
    lost = compile_intent(world(node=None), "worker-1", previous=good)
    assert lost.stale and lost.selected and lost.routes == good.routes and "not found" in lost.problems[0]
    assert not compile_intent(world(node=None), "worker-1").selected


# --- peers ------------------------------------------------------------------------------------------------


def test_peer_values() -> None:
    fields: dict[str, Any] = {
        "peerPort": 1179,
        "holdTimeSeconds": 9,
        "keepAliveTimeSeconds": 3,
        "connectRetryTimeSeconds": 5,
        "eBGPMultihopTTL": 4,
        "gracefulRestart": {"enabled": True},
        "authSecretRef": "bgp",
    }
    objects = world(policies=[policy(router(neighbor(**fields)))], secrets={"bgp": Secret("pw")})
    peer = compile_intent(objects, "worker-1", Context(source_address=ip_address("127.0.0.11"))).peers[0]
    assert (peer.name, peer.instance, peer.asn, peer.local_asn) == (PEER, "65001", 65000, 65001)
    assert (peer.port, peer.hold_time, peer.keepalive_time, peer.connect_retry_time) == (1179, 9, 3, 5)
    assert (peer.multihop_ttl, peer.restart_time, peer.password) == (4, 120, Secret("pw"))
    assert peer.families == (IPV4, IPV6) and peer.local_port is None and peer.external
    assert peer.router_id == IPv4Address("192.0.2.11") and peer.local_address == ip_address("127.0.0.11")


def test_a_source_address_of_the_other_version_is_not_used() -> None:
    objects = world(policies=[policy(router(neighbor("2001:db8::1/128")))])
    assert (
        compile_intent(objects, "worker-1", Context(source_address=ip_address("127.0.0.11")))
        .peers[0]
        .local_address
        is None
    )


def test_annotations_set_router_id_and_port() -> None:
    notes = {"cilium.io/bgp-virtual-router.65001": "router-id=10.0.0.2,local-port=1790"}
    peer = compiled(node=node(annotations=notes)).peers[0]
    assert str(peer.router_id) == "10.0.0.2" and peer.local_port == 1790
    bad = compiled(node=node(annotations={"cilium.io/bgp-virtual-router.65001": "local-port=x"}))
    assert bad.peers[0].local_port is None and any("local-port" in line for line in bad.problems)


@given(st.text(min_size=1))
def test_a_router_id_from_the_name_is_stable_and_usable(name: str) -> None:
    address = router_id({}, name)
    assert address == router_id({}, name)
    assert not (address.is_loopback or address.is_multicast or address.is_reserved)
    assert int(address) >> 24 != 0


def test_a_v6_only_node() -> None:
    only = node(status={"addresses": [{"type": "InternalIP", "address": "2001:db8::11"}]})
    assert compiled(node=only).peers[0].router_id == router_id({}, "worker-1")


def test_a_missing_secret_costs_its_peer_only() -> None:
    routers = router(neighbor(authSecretRef="none"), neighbor("10.0.0.2/32"))
    intent = compiled(policies=[policy(routers)], secrets={"other": Secret("x")})
    assert [peer.name for peer in intent.peers] == ["65001/10.0.0.2"] and list(intent.routes) == [
        "65001/10.0.0.2"
    ]
    assert any('Secret "none"' in line for line in intent.problems)


def test_a_reader_without_secrets_lists_every_peer() -> None:
    secured = [policy(router(neighbor(authSecretRef="bgp")))]
    intent = compiled(policies=secured, secrets=None)
    assert [peer.name for peer in intent.peers] == [PEER] and intent.peers[0].password is None
    assert prefixes(intent) == POD_CIDRS and intent.problems == ()


def test_families_that_cannot_be_spoken() -> None:
    only_evpn = [{"afi": "l2vpn", "safi": "evpn"}]
    intent = compiled(policies=[policy(router(neighbor(families=only_evpn)))])
    assert intent.peers == () and any("none of its families" in line for line in intent.problems)


def test_passwords_do_not_show() -> None:
    objects = world(policies=[policy(router(neighbor(authSecretRef="s")))], secrets={"s": Secret("hunter2")})
    assert "hunter2" not in repr(compile_intent(objects, "worker-1")) + repr(objects)


def test_selection_alone() -> None:
    claims = read_claims([policy(name="a"), policy(name="b")])
    had = Owner("CiliumBGPPeeringPolicy", "b")
    chosen = select_owner(claims, {"enable-bgp": "true"}, had)
    assert chosen.owner is not None and chosen.owner.name == "b" and [p.name for p in chosen.others] == ["a"]

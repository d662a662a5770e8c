"""The edges of the doctor's rules: for each where it fires by a hair's breadth, and where it just does not.

Every case is a change of a healthy cluster's facts that differs from one of the rule's other cases in one
value: the last one of a threshold and the first one beyond, or one of the things that it asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any

from bgpctl.core.bgp.notification import HOLD_TIMER_EXPIRED
from bgpctl.core.cilium.nodeconfig import SUFFIX
from bgpctl.core.doctor.facts import (
    Bfd,
    Certificate,
    Crowd,
    Held,
    Leftover,
    Limit,
    NodeFacts,
    PoolFacts,
    Took,
    Upgrade,
)
from bgpctl.core.intent.services import FAMILY_NOT_NEGOTIATED, NEXT_HOP_NOT_NEGOTIATED, read_service
from bgpctl.core.model import IPV4, IPV6, Family, GracefulRestart, LastError, SessionState
from bgpctl.core.reading.selectors import LabelSelector, Requirement
from bgpctl.core.state import ANOTHER_SPEAKER, WAITS, PeerState
from tests.support import doctor_cases as kit
from tests.support import objects, v2
from tests.support.doctor_cases import GR, NOW, ROUTER, Change, peer, pool, session


@dataclass(frozen=True)
class Edge:
    """`fires`: each is one finding of the rule. `silent`: each is none."""

    fires: tuple[Change, ...]
    silent: tuple[Change, ...]


HOUR, DAY = 3600.0, 86400.0
JUST_UP, SETTLED = NOW - 60, NOW - 60.5
"""A session that is up for so long is still at its beginning; and no more."""
_OFF: dict[str, Any] = {"state": SessionState.ACTIVE, "established_at": None, "advertised": {}}
_DOWN = session(state=SessionState.ACTIVE, established_at=None)
_LOST = LastError(NOW - 60, "received", "Hold Timer Expired (4/0)", HOLD_TIMER_EXPIRED, 0)
_CEASED = LastError(NOW - 60, "received", "Cease (6/2)", 6, 2)
_IBGP = objects.policy(objects.router(objects.neighbor("192.0.2.1/32", asn=65001)))
_NO_SELECTOR = objects.policy()
del _NO_SELECTOR["spec"]["nodeSelector"]
_OTHER = Family("l2vpn", "evpn")
_UNICAST, _EVPN = {"afi": "ipv4", "safi": "unicast"}, {"afi": "l2vpn", "safi": "evpn"}
_OVERLAP = tuple((ip_address("203.0.113.0"), ip_address(last)) for last in ("203.0.113.9", "203.0.113.20"))


def _upgrade(**images: str) -> Upgrade:
    return Upgrade("RollingUpdate", images or {"speaker": "example.com/speaker:2"})


def _seen(ago: float, **changes: Any) -> Change:
    """The first node's speaker wrote so many seconds ago, by both clocks."""
    return kit.with_state(heartbeat=NOW - ago, reported_at=NOW - ago, **changes)


def _timers(**changes: Any) -> Change:
    """Of the peer's session and its policy: `hold` is what was agreed."""
    hold = changes.pop("hold", 9)
    return kit.with_peer(session=session(hold_time=hold, **changes.pop("session", {})), **changes)


def _met(**changes: Any) -> Any:
    return peer(session=session(**changes))


def _internal(**changes: Any) -> PeerState:
    """The peer of `_IBGP`."""
    return peer(asn=65001, local_asn=65001, **changes)


def _router_ids(*addresses: str) -> Change:
    """Each node has its own address and this router ID."""
    nodes = [
        objects.node(
            name,
            annotations={"cilium.io/bgp-virtual-router.65001": f"router-id={address}"},
        )
        for name, address in zip(kit.NAMES, addresses, strict=True)
    ]
    return kit.with_facts(**kit.policies(kit.policy_of(), nodes=nodes))


def _both_families(**ipv6: Any) -> Change:
    """By the v2 resources, as the peer main/tor."""
    return kit.with_v2(peer_configs=[v2.peer_config(families=[v2.family("ipv6", **ipv6), v2.family()])])


def _policy(**neighbor: Any) -> Change:
    return kit.with_policies(kit.policy_of(**neighbor))


def _and(*changes: Change) -> Change:
    return kit.both(*changes)


def _took(field: str, seconds: float, node: str = "worker-1") -> Change:
    return kit.with_facts(**{field: (Took(node, seconds, "container speaker"),)})


def _pool(used: int, **changes: Any) -> Change:
    """One of twenty addresses."""
    return kit.with_facts(pools=(pool("vips", "203.0.113.1", "203.0.113.20", used=used, **changes),))


def _pools(*blocks: tuple[str, str, str]) -> Change:
    return kit.with_facts(pools=tuple(pool(*block) for block in blocks))


def _held(**changes: Any) -> Change:
    return kit.with_facts(leases=(replace(Held("bgpctl-node-w", "w", True, True), **changes),))


def _nodes(count: int) -> Change:
    return kit.with_facts(nodes=tuple(NodeFacts(f"worker-{number}") for number in range(1, count + 1)))


def _crowd(*used: bool) -> Change:
    paths = tuple((f"192.0.2.1{number}", one) for number, one in enumerate(used, 1))
    return kit.with_facts(crowds=(Crowd(ROUTER, ip_network("203.0.113.10/32"), paths),))


def _certificate(left: float) -> Change:
    return kit.with_facts(certificates=(Certificate("client certificate of the kubeconfig", NOW + left),))


def _labels(**labels: str) -> Change:
    selector = LabelSelector(tuple(labels.items()))
    nodes = tuple(NodeFacts(name, dict(labels)) for name in kit.NAMES)
    return kit.with_facts(nodes=nodes, selectors={"policy": selector})


def _ready(ready: bool | None) -> Change:
    return lambda facts: replace(facts, nodes=(replace(facts.nodes[0], ready=ready), *facts.nodes[1:]))


EDGES: Mapping[str, Edge] = {
    "session-down": Edge(
        fires=(
            _seen(150, peers=(peer(session=session(state=SessionState.IDLE, established_at=None)),)),
            kit.with_session(state=SessionState.CONNECT, last_error=_CEASED),
        ),
        silent=(
            _seen(150.5, peers=(peer(session=_DOWN),)),
            kit.with_state(phase="Withdrawn", peers=(peer(session=_DOWN),)),
            kit.with_state(selected_by="", peers=(peer(session=_DOWN),)),
            kit.with_session(last_error=_CEASED),
        ),
    ),
    "session-flaps": Edge(
        fires=(
            kit.with_state(started_at=NOW - 3 * HOUR, peers=(peer(session=session(flaps=3)),)),
            kit.with_state(started_at=NOW, peers=(peer(session=session(flaps=3, last_error=_CEASED)),)),
            # Its clock is 100 s behind.
            kit.with_state(
                heartbeat=NOW - 101,
                started_at=NOW - 3 * HOUR - 100,
                peers=(peer(session=session(flaps=3)),),
            ),
        ),
        silent=(
            kit.with_state(started_at=NOW - 3 * HOUR - 1, peers=(peer(session=session(flaps=3)),)),
            kit.with_state(started_at=NOW - HOUR, peers=(peer(session=session(flaps=2)),)),
            kit.with_state(started_at=0.0, peers=(peer(session=session(flaps=1_000_000)),)),
        ),
    ),
    "session-trouble": Edge(
        fires=(kit.with_session(troubles=("it does not read what it is sent",)),),
        silent=(kit.with_session(state=SessionState.ACTIVE, troubles=("it does not read what it is sent",)),),
    ),
    "routes-pending": Edge(
        fires=(kit.with_session(pending=1, established_at=SETTLED),),
        silent=(
            kit.with_session(pending=1, established_at=JUST_UP),
            kit.with_session(pending=0, established_at=SETTLED),
            kit.with_session(pending=1, established_at=None),
            kit.with_session(pending=1, established_at=SETTLED, state=SessionState.ACTIVE),
        ),
    ),
    "routes-not-announced": Edge(
        fires=(kit.with_peer(announced=2, session=session(established_at=SETTLED)),),
        silent=(
            kit.with_peer(announced=2, session=session(established_at=JUST_UP)),
            kit.with_peer(announced=3, session=session(established_at=SETTLED)),
            kit.with_peer(announced=2, session=_DOWN),
        ),
    ),
    "routes-not-carried": Edge(
        fires=(
            kit.with_state(absent={FAMILY_NOT_NEGOTIATED: 1}),
            kit.with_state(absent={NEXT_HOP_NOT_NEGOTIATED: 1}),
            kit.with_state(absent={NEXT_HOP_NOT_NEGOTIATED: 1}, uid=""),
        ),
        silent=(
            kit.with_state(absent={FAMILY_NOT_NEGOTIATED: 0}),
            kit.with_state(absent={"noEndpoints": 1}),
            kit.with_state(absent=None),
            kit.with_state(absent={}, uid=""),
        ),
    ),
    "nothing-to-announce": Edge(
        fires=(kit.with_peer(intended=0, session=session(established_at=SETTLED)),),
        silent=(
            kit.with_peer(intended=0, session=session(established_at=JUST_UP)),
            kit.with_peer(intended=1, session=session(established_at=SETTLED)),
            kit.with_state(selected_by="", peers=(peer(intended=0),)),
        ),
    ),
    "end-of-rib-missing": Edge(
        fires=(kit.with_session(end_of_rib=False, established_at=SETTLED),),
        silent=(
            kit.with_session(end_of_rib=False, established_at=JUST_UP),
            kit.with_session(end_of_rib=True, established_at=SETTLED),
            kit.with_session(end_of_rib=False, established_at=SETTLED, local_gr=None),
        ),
    ),
    "families-differ": Edge(
        fires=(
            kit.with_session(families=(IPV6,)),
            _and(_both_families(), kit.with_peer(name="main/tor", session=session(families=(_OTHER,)))),
        ),
        silent=(
            kit.with_session(families=(IPV4, IPV6)),
            kit.with_session(families=(IPV4,)),
            _and(
                _both_families(advertisements=None),
                kit.with_peer(name="main/tor", session=session(families=(IPV4,))),
            ),
        ),
    ),
    "graceful-restart-one-sided": Edge(
        fires=(kit.with_session(peer_gr=None), kit.with_peer(port=1790, session=session(peer_gr=None))),
        silent=(kit.with_session(local_gr=None, peer_gr=None), kit.with_session(local_gr=None)),
    ),
    "graceful-restart-unused": Edge(
        fires=(kit.with_peer(session=session(local_gr=None), configured_restart_time=None),),
        silent=(
            kit.with_peer(session=session(local_gr=None), configured_restart_time=120),
            kit.with_peer(session=session(), configured_restart_time=None),
            kit.with_peer(session=session(local_gr=None, peer_gr=None), configured_restart_time=None),
        ),
    ),
    "graceful-restart-families": Edge(
        fires=(kit.with_session(families=(IPV4, IPV6)),),
        silent=(
            kit.with_session(families=(IPV4,)),
            kit.with_session(families=(IPV4, IPV6), local_gr=None),
            kit.with_session(families=(IPV4, IPV6), local_gr=GracefulRestart(120)),
        ),
    ),
    "graceful-restart-router-off": Edge(
        fires=(kit.with_side(graceful=False),),
        silent=(
            kit.with_side(graceful=True),
            kit.with_side(graceful=False, met=peer(configured_restart_time=None)),
        ),
    ),
    "restart-time-short": Edge(
        fires=(
            _took("restarts", 115.5),
            kit.with_facts(restarts=tuple(Took("worker-1", s, f"container {s:g}") for s in (90, 116, 100))),
            _took("restarts", 3000),  # its field has 12 bits
        ),
        silent=(
            _took("restarts", 115),
            _took("restarts", 115.5, "worker-9"),
            _and(_took("restarts", 115.5), kit.with_peer(configured_restart_time=None)),
        ),
    ),
    "restart-time-below-pull": Edge(
        fires=(_took("pulls", 120.5),),
        silent=(_took("pulls", 120), _took("pulls", 120.5, "worker-9")),
    ),
    "restart-time-long": Edge(
        fires=(kit.with_peer(configured_restart_time=301),),
        silent=(kit.with_peer(configured_restart_time=300), kit.with_peer(configured_restart_time=None)),
    ),
    "stale-cap-short": Edge(
        fires=(kit.with_side(stale_cap=119.5),),
        silent=(
            kit.with_side(stale_cap=120.0),
            kit.with_side(stale_cap=1.0, met=peer(configured_restart_time=None)),
        ),
    ),
    "notification-bit": Edge(
        fires=(kit.with_side(router="frr /var/run/frr", met=kit.BOTH_N),),
        silent=(
            kit.with_side(router="frr x", met=_met(local_gr=replace(GR, notification=True))),
            kit.with_side(router="frr x", met=_met(peer_gr=GracefulRestart(120, notification=True))),
        ),
    ),
    "long-lived-stale": Edge(
        fires=tuple(kit.with_session(long_lived=seconds) for seconds in (3600, 86399, 86400, 2**24 - 1)),
        silent=(kit.with_session(long_lived=3599), kit.with_session(long_lived=0)),
    ),
    "keepalive-slow": Edge(
        fires=(
            kit.with_peer(configured_hold_time=9, configured_keepalive_time=4),
            kit.with_peer(configured_hold_time=11, configured_keepalive_time=4),
        ),
        silent=(
            kit.with_peer(configured_hold_time=9, configured_keepalive_time=3),
            kit.with_peer(configured_hold_time=0, configured_keepalive_time=4),
        ),
    ),
    "hold-time-off": Edge(fires=(_timers(hold=0),), silent=(_timers(hold=3), _timers(hold=None))),
    "hold-time-lowered": Edge(
        fires=(_timers(hold=8), _timers(hold=3)), silent=(_timers(hold=9), _timers(hold=0), _timers(hold=10))
    ),
    "hold-time-too-short": Edge(
        fires=(
            _timers(hold=9, session={"flaps": 1, "last_error": _LOST}),
            _timers(hold=None, session={"flaps": 1, "last_error": _LOST}),
        ),
        silent=(
            _timers(hold=10, session={"flaps": 1, "last_error": _LOST}),
            _timers(hold=None, configured_hold_time=10, session={"flaps": 1, "last_error": _LOST}),
            _timers(hold=9, session={"flaps": 0, "last_error": _LOST}),
            _timers(hold=9, session={"flaps": 1, "last_error": _CEASED}),
            _timers(hold=9, session={"flaps": 1}),
        ),
    ),
    "hold-time-long": Edge(
        fires=(kit.with_side(met=_met(hold_time=31)),),
        silent=(
            kit.with_side(met=_met(hold_time=30)),
            kit.with_side(met=_met(hold_time=31), bfd=Bfd(True)),
        ),
    ),
    "bfd-not-up": Edge(
        fires=(kit.with_side(bfd=Bfd(False)),),
        silent=(kit.with_side(bfd=Bfd(True)), kit.with_side(bfd=None)),
    ),
    "bfd-slower-than-hold": Edge(
        fires=(kit.with_side(bfd=Bfd(True, 9.0)), kit.with_side(bfd=Bfd(True, 1.0), met=_met(hold_time=1))),
        silent=(
            kit.with_side(bfd=Bfd(True, 8.9)),
            kit.with_side(bfd=Bfd(True)),
            kit.with_side(bfd=Bfd(True, 9.0), met=_met(hold_time=0)),
        ),
    ),
    "bfd-against-restart": Edge(
        fires=(kit.with_side(bfd=Bfd(True)),),
        silent=(
            kit.with_side(bfd=Bfd(False)),
            kit.with_side(bfd=Bfd(True), met=peer(configured_restart_time=None)),
            kit.with_side(bfd=None),
        ),
    ),
    "heartbeat-stale": Edge(
        fires=(
            _seen(150.5),
            _seen(150.5, selected_by=""),  # its policy selects it, whatever it said last
            _and(_seen(150.5), kit.with_facts(intents=None)),
            _seen(150.5, phase="Stopped", engine_mode="detached"),
        ),
        silent=(
            _seen(150),
            _seen(150.5, phase="Stopped", engine_mode="own"),
            _and(_seen(150.5, selected_by=""), kit.with_policies(kit.IDLE)),
            _seen(150.5, unreadable="status is a list"),
            _and(_seen(150.5), kit.with_facts(nodes=(NodeFacts("worker-2"),))),
            _and(_seen(150.5, selected_by=""), kit.with_facts(intents={})),
        ),
    ),
    "speaker-missing": Edge(
        fires=(kit.with_facts(states={"worker-2": kit.state("worker-2")}),),
        silent=(
            kit.with_facts(states={name: kit.state(name, phase="Starting") for name in kit.NAMES}),
            _and(kit.with_policies(kit.IDLE), kit.with_facts(states={})),
        ),
    ),
    "state-unreadable": Edge(
        fires=(_seen(900, unreadable="status must be an object"),), silent=(kit.with_state(unreadable=""),)
    ),
    "state-without-node": Edge(fires=(kit.with_facts(nodes=(NodeFacts("worker-1"),)),), silent=(_nodes(3),)),
    "two-speakers": Edge(
        fires=(kit.with_state(problems=("a", f"{ANOTHER_SPEAKER}: process host-7")),),
        silent=(
            kit.with_state(problems=(f"it is not so that {ANOTHER_SPEAKER}",)),
            _seen(151, problems=(f"{ANOTHER_SPEAKER}: process host-7",)),
        ),
    ),
    "speaker-problem": Edge(
        fires=(kit.with_state(problems=(f"{WAITS} Cilium", f"{ANOTHER_SPEAKER}: x", 'no Secret "x"')),),
        silent=(
            kit.with_state(problems=(f"{WAITS} Cilium", f"{ANOTHER_SPEAKER}: process x")),
            _seen(151, problems=('no Secret "x"',)),
            kit.with_state(problems=('no Secret "x"',), sessions_told=False),
        ),
    ),
    "policy-held": Edge(
        fires=(
            kit.with_state(policy_problem="spec: required"),
            kit.with_state(policy_problem="spec: required", selected_by="", selected_by_kind=""),
        ),
        silent=(kit.with_state(policy_problem=""), _seen(151, policy_problem="spec: required")),
    ),
    "speaker-waits": Edge(
        fires=(kit.with_state(phase="Waiting", problems=(f"{WAITS} Cilium has worker-1",)),),
        silent=(
            kit.with_state(phase="Running", problems=(f"{WAITS} Cilium has worker-1",)),
            kit.with_state(phase="Waiting", problems=()),
        ),
    ),
    "speaker-starting": Edge(
        fires=(
            kit.with_state(phase="Starting", started_at=NOW - 300.5),
            kit.with_state(phase="Starting", started_at=NOW - 400.5, heartbeat=NOW - 101),  # 100 s behind
        ),
        silent=(
            kit.with_state(phase="Starting", started_at=NOW - 300),
            kit.with_state(phase="Starting", started_at=NOW - 400, heartbeat=NOW - 101),
            kit.with_state(phase="Running", started_at=NOW - 300.5),
            kit.with_state(phase="Starting", started_at=0.0),
        ),
    ),
    "engine-restarts": Edge(
        fires=(kit.with_state(engine_restarts=3),), silent=(kit.with_state(engine_restarts=2),)
    ),
    "clock-apart": Edge(
        fires=(kit.with_state(heartbeat=NOW - 33.5), kit.with_state(heartbeat=NOW + 31.5)),
        silent=(kit.with_state(heartbeat=NOW - 33), kit.with_state(heartbeat=NOW + 31)),
    ),
    "speaker-not-critical": Edge(
        fires=(kit.with_speaker(priority="system-cluster-critical"), kit.with_speaker(priority="")),
        silent=(kit.with_speaker(priority="system-node-critical"), kit.with_speaker(priority="", proxy=True)),
    ),
    "speaker-not-host-network": Edge(
        fires=(kit.with_speaker(host_network=False),),
        silent=(
            kit.with_speaker(host_network=True),
            kit.with_speaker(host_network=False, proxy=True),
        ),
    ),
    "speaker-rolls-together": Edge(
        fires=(kit.with_speaker(max_unavailable="2"), kit.with_speaker(max_unavailable="10%")),
        silent=(
            *(kit.with_speaker(max_unavailable=most) for most in ("", "0", "1")),
            kit.with_speaker(max_unavailable="2", strategy="OnDelete"),
        ),
    ),
    "speaker-unavailable": Edge(
        fires=(kit.with_speaker(unavailable=1),),
        silent=(kit.with_speaker(unavailable=0), kit.with_speaker(unavailable=1, proxy=True)),
    ),
    "speaker-killed-in-soak": Edge(
        fires=(_and(kit.with_speaker(grace=60), kit.with_state(soak=60.0)),),
        silent=(
            _and(kit.with_speaker(grace=61), kit.with_state(soak=60.0)),
            _and(kit.with_speaker(grace=60, ours=False), kit.with_state(soak=60.0)),
            _and(kit.with_speaker(grace=60), kit.with_facts(states={})),
        ),
    ),
    "version-of-speakers": Edge(
        fires=(
            kit.with_state(speaker_version="0.0.9"),
            kit.with_facts(
                states={
                    name: kit.state(name, speaker_version=version)
                    for name, version in zip(kit.NAMES, ("0.9.0", "0.10.0"), strict=True)
                }
            ),
            kit.with_state(speaker_version="dev"),
        ),
        silent=(kit.with_state(speaker_version=""), kit.with_state(speaker_version="0.1.0")),
    ),
    "version-of-bgpctl": Edge(
        fires=(kit.with_facts(version="0.2.0"), kit.with_facts(version="1.1.0")),
        silent=(
            kit.with_facts(version="0.1.9"),
            kit.with_facts(version="v0.1.9"),
            kit.with_facts(version="dev"),
            kit.with_state(speaker_version="", uid=""),
            kit.with_state(speaker_version="dev", uid=""),
        ),
    ),
    "version-of-crd": Edge(fires=(kit.with_facts(crds=("status.uid",)),), silent=(kit.with_facts(crds=()),)),
    "two-policies": Edge(
        fires=(kit.with_policies(kit.policy_of(), objects.policy(name="a", nodeSelector={})),),
        silent=(kit.with_policies(kit.policy_of(), kit.IDLE),),
    ),
    "policy-invalid": Edge(
        fires=(
            _policy(holdTimeSeconds=2, keepAliveTimeSeconds=1),
            kit.with_v2(overrides=[{**v2.override(), "spec": 7}]),
            kit.with_v2(peer_configs=[v2.peer_config(families=[v2.family()], ebgpMultihop=256)]),
        ),
        silent=(
            _policy(holdTimeSeconds=3, keepAliveTimeSeconds=1),
            kit.with_v2(peer_configs=[v2.peer_config(families=[v2.family()], ebgpMultihop=255)]),
        ),
    ),
    "policy-warning": Edge(
        fires=(_policy(families=[_EVPN, _UNICAST]),),
        silent=(
            _policy(families=[_UNICAST]),
            kit.with_policies(
                kit.policy_of(),
                {**kit.policy_of(families=[_EVPN, _UNICAST]), "metadata": {"name": f"policy{SUFFIX}"}},
            ),
        ),
    ),
    "policy-selects-nothing": Edge(
        fires=(
            kit.with_policies(kit.policy_of(), kit.IDLE),
            _and(kit.with_policies(_NO_SELECTOR), kit.with_facts(nodes=())),
        ),
        silent=(
            kit.with_policies(kit.policy_of(), objects.policy(name="a", nodeSelector={})),
            kit.with_policies(kit.policy_of(), {**kit.IDLE, "spec": 7}),
            lambda facts: replace(facts, nodes=(*facts.nodes, NodeFacts("out"))),
        ),
    ),
    "selector-cannot-leave": Edge(
        fires=(_labels(**{"kubernetes.io/os": "linux"}), _labels()),
        silent=(
            _labels(**{"kubernetes.io/os": "linux", "enable-bgp": "true"}),
            kit.with_facts(
                nodes=(NodeFacts("worker-1", {"kubernetes.io/os": "linux", "rack": "1"}),),
                selectors={"policy": LabelSelector((), (Requirement("rack", "Exists", ()),))},
            ),
        ),
    ),
    "peer-left-out": Edge(
        fires=(kit.with_v2(peer_configs=[v2.peer_config("other", families=[v2.family()])]),),
        silent=(kit.with_v2(),),
    ),
    "advertisement-unused": Edge(
        fires=(kit.with_v2(advertisements=[v2.advertisement(labels={"advertise": "no"})]),),
        silent=(
            kit.with_v2(advertisements=[v2.advertisement(labels={"advertise": "bgp", "more": "no"})]),
            kit.with_v2(
                peer_configs=[
                    v2.peer_config(families=[v2.family("ipv6", advertisements=None), v2.family()]),
                    v2.peer_config("b", families=[v2.family(advertisements={"matchLabels": {"a": "b"}})]),
                    {**v2.peer_config("odd"), "spec": 7},
                ],
                advertisements=[v2.advertisement(), {**v2.advertisement(name="odd", labels={}), "spec": 7}],
            ),
        ),
    ),
    "peer-config-unused": Edge(
        fires=(
            kit.with_v2(
                peer_configs=[v2.peer_config(name, families=[v2.family()]) for name in ("tor", "tor2")]
            ),
        ),
        silent=(
            kit.with_v2(),
            kit.with_v2(
                peer_configs=[
                    v2.peer_config(name, families=[v2.family()]) for name in ("tor", f"tor{SUFFIX}")
                ]
            ),
        ),
    ),
    "override-unused": Edge(
        fires=(kit.with_v2(overrides=[v2.override({"name": "main"}, name="worker-3")]),),
        silent=(kit.with_v2(overrides=[v2.override({"name": "main"}, name="worker-2")]),),
    ),
    "router-id-twice": Edge(
        fires=(_router_ids("192.0.2.1", "192.0.2.1"),),
        silent=(_router_ids("192.0.2.1", "192.0.2.2"),),
    ),
    "multihop-without-use": Edge(
        fires=(
            kit.with_policies(
                objects.policy(objects.router(objects.neighbor("192.0.2.1/32", asn=65001, eBGPMultihopTTL=2)))
            ),
        ),
        silent=(kit.with_policies(_IBGP), _policy(eBGPMultihopTTL=2)),
    ),
    "one-next-hop": Edge(
        fires=(kit.reach(announcers=1, only="worker-1"),),
        silent=(
            kit.reach(announcers=2),
            kit.reach(announcers=0),
            kit.reach(announcers=1, only="worker-1", local=True),
            _and(kit.reach(announcers=1, only="worker-1"), _nodes(1)),
        ),
    ),
    "local-on-one-node": Edge(
        fires=(
            kit.reach(announcers=1, only="worker-1", local=True),
            kit.reach(announcers=1, only="worker-1", local=True, idle=1),
        ),
        silent=(
            kit.reach(announcers=2, local=True),
            kit.reach(announcers=0, local=True),
            kit.reach(announcers=1, only="worker-1"),
            _and(kit.reach(announcers=1, only="worker-1", local=True), _nodes(1)),
        ),
    ),
    "local-nowhere": Edge(
        fires=(kit.reach(local=True, announcers=0, endpoints=1),),
        silent=(
            kit.reach(local=True, announcers=1, endpoints=1),
            kit.reach(local=True, announcers=0, endpoints=0),
            kit.reach(local=False, announcers=0, endpoints=1),
        ),
    ),
    "announced-without-endpoints": Edge(
        fires=(kit.reach(announcers=1, endpoints=0),),
        silent=(
            kit.reach(announcers=1, endpoints=1),
            kit.reach(announcers=0, endpoints=0),
            kit.reach(announcers=1, endpoints=0, local=True),
        ),
    ),
    "service-without-address": Edge(
        fires=(
            kit.with_facts(services=(read_service(objects.service("new")),)),
            kit.with_facts(
                services=(
                    read_service(objects.service("new", loadBalancerClass="io.cilium/bgp-control-plane")),
                )
            ),
        ),
        silent=(
            kit.with_facts(services=(read_service(objects.service("new", "203.0.113.1")),)),
            kit.with_facts(services=(read_service(objects.service("new", loadBalancerClass="a/b")),)),
        ),
    ),
    "pool-unreadable": Edge(
        fires=(_pool(2, problem="it cannot be read: no block"),), silent=(_pool(2, problem=""),)
    ),
    "pool-overlaps": Edge(
        fires=(
            _pools(("a", "203.0.113.0", "203.0.113.9"), ("b", "203.0.113.9", "203.0.113.20")),
            # The same two, the later one first.
            _pools(("b", "203.0.113.9", "203.0.113.20"), ("a", "203.0.113.0", "203.0.113.9")),
            # The same, or from the same on.
            _pools(("a", "203.0.113.0", "203.0.113.9"), ("b", "203.0.113.0", "203.0.113.9")),
            _pools(("a", "203.0.113.0", "203.0.113.20"), ("b", "203.0.113.0", "203.0.113.9")),
            # Each with the one before it, which ends last.
            _pools(
                ("a", "203.0.113.0", "203.0.113.9"),
                ("b", "203.0.113.5", "203.0.113.30"),
                ("c", "203.0.113.20", "203.0.113.25"),
            ),
            # Another one that begins between them.
            _pools(
                ("a", "203.0.113.0", "203.0.113.99"),
                ("b", "203.0.113.10", "203.0.113.20"),
                ("c", "203.0.113.50", "203.0.113.60"),
            ),
        ),
        silent=(
            _pools(("a", "203.0.113.0", "203.0.113.9"), ("b", "203.0.113.10", "203.0.113.20")),
            _pools(("a", "0.0.0.0", "0.0.0.9"), ("b", "::", "::9")),
            _pools(("a", "::", "::9"), ("b", "0.0.0.0", "0.0.0.9"), ("c", "::a", "::b")),
            kit.with_facts(pools=(replace(pool("a", "203.0.113.0", "203.0.113.9"), blocks=_OVERLAP),)),
        ),
    ),
    "pool-conflict": Edge(fires=(_pool(2, conflict=True),), silent=(_pool(2, conflict=False),)),
    "pool-empty": Edge(
        fires=(_pool(20), kit.with_facts(pools=(PoolFacts("vips"),))),
        silent=(_pool(19), _pool(20, disabled=True), _pool(20, problem="it cannot be read: no block")),
    ),
    "pool-nearly-empty": Edge(
        fires=(_pool(18), _pool(19)), silent=(_pool(17), _pool(18, disabled=True), _pool(20))
    ),
    "pool-disabled": Edge(
        fires=(_pool(1, disabled=True),), silent=(_pool(0, disabled=True), _pool(1, disabled=False))
    ),
    "address-in-no-pool": Edge(
        fires=(
            _pools(("vips", "203.0.113.11", "203.0.113.20")),
            _pools(("vips", "203.0.113.10", "203.0.113.19")),
            _pools(("vips", "203.0.113.10", "203.0.113.19"), ("six", "::cb00:7114", "::cb00:7114")),
            kit.with_facts(
                services=(
                    read_service(
                        objects.service("a", "10.0.0.1", loadBalancerClass="io.cilium/bgp-control-plane")
                    ),
                )
            ),
        ),
        silent=(
            _pools(("vips", "203.0.113.10", "203.0.113.20")),
            _pools(("a", "203.0.113.10", "203.0.113.10"), ("b", "203.0.113.20", "203.0.113.20")),
            kit.with_facts(pools=()),
            kit.with_facts(
                pools=(pool("a", "10.0.0.0", "10.0.0.1"), PoolFacts("b", problem="it cannot be read"))
            ),
            _and(
                _pools(("vips", "203.0.113.10", "203.0.113.19")),
                kit.with_facts(
                    services=(read_service(objects.service("a", "10.0.0.1", loadBalancerClass="a/b")),)
                ),
            ),
            kit.with_facts(
                services=(
                    read_service(objects.service("a", "nonsense")),
                    read_service(objects.service("b", type="ClusterIP", clusterIPs=["10.0.0.1"])),
                ),
            ),
        ),
    ),
    "router-unreachable": Edge(
        fires=(kit.with_facts(probes_failed={ROUTER: "no such socket"}),),
        silent=(kit.with_facts(probes_failed={}),),
    ),
    "router-stranger": Edge(
        fires=(kit.with_facts(strangers=(ROUTER,)),), silent=(kit.with_facts(strangers=()),)
    ),
    "router-disagrees": Edge(
        fires=(kit.with_side(session="idle", met=_met(established_at=SETTLED)),),
        silent=(
            kit.with_side(session="idle", met=_met(established_at=JUST_UP)),
            kit.with_side(session="idle", met=peer(session=_DOWN)),
            kit.with_side(session="established", met=_met(established_at=SETTLED)),
        ),
    ),
    "asn-differs": Edge(
        fires=(
            kit.with_side(asn=65002, local_asn=65000),
            kit.with_side(asn=65001, local_asn=65002),
            kit.with_side(asn=None, local_asn=65002),
            kit.with_side(asn=65002, local_asn=None),
        ),
        silent=(
            kit.with_side(asn=65001, local_asn=65000),
            kit.with_side(asn=65001, local_asn=None),
            kit.with_side(asn=None, local_asn=65000),
            # A stack that does not tell its own, as zeros.
            kit.with_side(met=peer(local_asn=0, asn=0)),
        ),
    ),
    "password-one-sided": Edge(
        fires=(
            kit.with_side(password=True),
            _and(_policy(authSecretRef="bgp"), kit.with_side(password=False)),
        ),
        silent=(
            kit.with_side(password=False),
            _and(_policy(authSecretRef="bgp"), kit.with_side(password=True)),
        ),
    ),
    "multihop-one-sided": Edge(
        fires=(
            kit.with_side(met=peer(session=_DOWN), hops=2),
            _and(_policy(eBGPMultihopTTL=2), kit.with_side(met=peer(session=_DOWN), hops=1)),
        ),
        silent=(
            kit.with_side(met=peer(session=_DOWN), hops=1),
            kit.with_side(met=peer(), hops=2),
            _and(_policy(eBGPMultihopTTL=2), kit.with_side(met=peer(), hops=1)),
            _and(_policy(eBGPMultihopTTL=2), kit.with_side(met=peer(session=_DOWN), hops=2)),
            _and(kit.with_policies(_IBGP), kit.with_side(met=_internal(session=_DOWN), hops=2)),
        ),
    ),
    "ttl-security": Edge(
        fires=(_and(_policy(eBGPMultihopTTL=254), kit.with_side(gtsm=True)),),
        silent=(
            _and(_policy(eBGPMultihopTTL=255), kit.with_side(gtsm=True)),
            _and(kit.with_policies(_IBGP), kit.with_side(met=_internal(), gtsm=True)),
            kit.with_side(gtsm=False),
        ),
    ),
    "routes-filtered": Edge(
        fires=(
            kit.with_channel(received=3, accepted=2, filter=""),
            kit.with_channel(received=3, accepted=2, filter="rack-in"),
            kit.with_side(
                channels=(kit.channel(received=None, accepted=2, filter="rack-in"),),
                met=_met(established_at=SETTLED),
            ),
        ),
        silent=(
            kit.with_channel(received=3, accepted=3, filter="rack-in"),
            kit.with_channel(received=None, accepted=3, filter="rack-in"),
            kit.with_channel(received=2, accepted=2, filter="rack-in"),
            kit.with_channel(received=None, accepted=2, filter=""),
            kit.with_side(
                channels=(kit.channel(received=None, accepted=2, filter="rack-in"),),
                met=_met(established_at=JUST_UP),
            ),
        ),
    ),
    "routes-discarded": Edge(
        fires=(
            kit.with_side(channels=(kit.channel(discards="no policy"),), met=_met(advertised={IPV4: 1})),
            kit.with_side(
                channels=(kit.channel(discards="no policy"),), met=peer(session=session(advertised={}))
            ),
        ),
        silent=(
            kit.with_channel(accepted=0, discards=""),
            kit.with_side(channels=(kit.channel(discards="no policy"),), met=_met(advertised={IPV4: 0})),
            kit.with_side(channels=(kit.channel(discards="no policy"),), met=_met(advertised={IPV6: 1})),
            kit.with_side(
                channels=(kit.channel(discards="no policy"),),
                met=peer(intended=0, session=session(advertised={})),
            ),
        ),
    ),
    "routes-missing": Edge(
        fires=(
            kit.with_side(channels=(kit.channel(received=2),), met=_met(established_at=SETTLED)),
            kit.with_side(channels=(kit.channel(received=None, accepted=2),), met=_met(families=())),
            kit.with_side(channels=(kit.channel(received=2, filter="x", discards="y"),)),
        ),
        silent=(
            kit.with_side(channels=(kit.channel(received=2),), met=_met(established_at=JUST_UP)),
            kit.with_side(channels=(kit.channel(received=3),), met=_met(established_at=SETTLED)),
            kit.with_side(channels=(kit.channel(received=2),), met=_met(pending=1)),
            kit.with_side(channels=(kit.channel(received=2),), session="active"),
            kit.with_side(channels=(kit.channel(received=2),), met=_met(families=(IPV6,))),
            kit.with_channel(received=None, accepted=2, discards="no policy"),
        ),
    ),
    "maximum-prefix": Edge(
        fires=(
            kit.with_side(channels=(kit.channel(limit=Limit(5)),), met=_met(advertised={IPV4: 4})),
            kit.with_channel(limit=Limit(5), received=4),
            kit.with_channel(limit=Limit(5), received=None, accepted=4),
            kit.with_side(
                channels=(kit.channel(limit=Limit(1), received=None, accepted=0),),
                met=peer(intended=2, session=session(**_OFF)),
            ),
        ),
        silent=(
            kit.with_channel(limit=Limit(4)),
            kit.with_channel(limit=Limit(3, warns=True)),
            kit.with_channel(limit=None),
        ),
    ),
    "family-not-at-router": Edge(
        fires=(
            kit.with_side(channels=(kit.channel(family=IPV6),)),
            _and(
                _both_families(),
                kit.with_side(channels=(kit.channel(family=_OTHER),), met=peer(name="main/tor")),
            ),
        ),
        silent=(
            kit.with_side(channels=(kit.channel(family=IPV6), kit.channel())),
            kit.with_side(channels=()),
            _and(_both_families(advertisements=None), kit.with_side(met=peer(name="main/tor"))),
        ),
    ),
    "router-few-next-hops": Edge(
        fires=(_crowd(True, False), _crowd(False, True, True)),
        silent=(_crowd(True, True), _crowd(False, False)),
    ),
    "run-stopped": Edge(
        fires=tuple(
            kit.run(service=f"{what}-stopped", stopped="interrupted")
            for what in ("drain", "restore", "restart")
        ),
        silent=(kit.run(service="draining"),),
    ),
    "run-unreadable": Edge(
        fires=(
            kit.run(service="unknown", problem="the journal cannot be read"),
            kit.run(
                service="unknown", problem="the journal is gone", hint="\nbgpctl node restore worker-1\n"
            ),
        ),
        silent=(kit.run(service="unknown"),),
    ),
    "drain-untrue": Edge(
        fires=tuple(kit.run(service=word) for word in ("announces-again", "uncordoned", "unknown")),
        silent=(
            kit.run(service="drained"),
            kit.run(service="announces-again", stopped="interrupted"),
            kit.run(service="unknown", problem="the journal cannot be read"),
        ),
    ),
    "drain-forgotten": Edge(
        fires=(kit.run(age=DAY + 1),), silent=(kit.run(age=DAY), kit.run(age=DAY + 1, service="uncordoned"))
    ),
    "upgrade-stopped": Edge(
        fires=(
            kit.with_speaker(strategy="OnDelete", upgrade=_upgrade()),
            kit.with_speaker(upgrade=_upgrade()),
            kit.with_speaker(strategy="OnDelete", upgrade=_upgrade(agent="a:2", other="b:1")),
            kit.with_speaker(strategy="OnDelete", upgrade=_upgrade(engine="x:2", manager="x:2")),
            kit.with_facts(workloads=(kit.workload("cilium", upgrade=_upgrade(agent="a:2")),)),
            kit.with_speaker(upgrade=_upgrade(speaker="a:2; reboot")),
            kit.with_speaker(strategy="OnDelete", upgrade=Upgrade("", {})),
        ),
        silent=(kit.with_speaker(strategy="OnDelete"), kit.with_facts(workloads=())),
    ),
    "update-strategy-left": Edge(
        fires=(kit.with_speaker(strategy="OnDelete"),),
        silent=(
            kit.with_speaker(strategy="OnDelete", upgrade=_upgrade()),
            kit.with_speaker(strategy="OnDelete", ours=False),
        ),
    ),
    "lease-orphaned": Edge(
        fires=(_held(journal=False), _held(node_there=False), _held(node_there=False, journal=False)),
        silent=(
            _held(),
            _held(journal=False, holder="me@here:1/x"),
            _held(node_there=False, holder="me@here:1/x"),
        ),
    ),
    "copies-orphaned": Edge(
        fires=(kit.with_facts(leftovers=(Leftover("tor.x", "its original is gone", "clear it"),)),),
        silent=(kit.with_facts(leftovers=(Leftover("tor.x", "it was changed", "clear it", gone=False),)),),
    ),
    "copies-outdated": Edge(
        fires=(kit.with_facts(leftovers=(Leftover("tor.x", "it was changed", "clear it", gone=False),)),),
        silent=(kit.with_facts(leftovers=(Leftover("tor.x", "its original is gone", "clear it"),)),),
    ),
    "kube-proxy-down": Edge(
        fires=(
            kit.with_facts(proxies_down=("worker-1",)),
            _and(kit.with_facts(proxies_down=("worker-1",)), kit.with_state(intended=None)),
        ),
        silent=(
            kit.with_facts(proxies_down=("worker-9",)),
            _and(kit.with_facts(proxies_down=("worker-1",)), kit.with_state(intended=0)),
            _and(kit.with_facts(proxies_down=("worker-1",)), kit.with_session(state=SessionState.ACTIVE)),
        ),
    ),
    "not-ready-and-announcing": Edge(
        fires=(_ready(False), _and(_ready(False), kit.with_state(intended=None))),
        silent=(
            _ready(None),
            _and(_ready(False), kit.with_state(intended=0)),
            _and(_ready(False), kit.with_session(state=SessionState.ACTIVE)),
        ),
    ),
    "certificate-expired": Edge(fires=(_certificate(0),), silent=(_certificate(1),)),
    "certificate-expires": Edge(
        fires=(_certificate(1), _certificate(30 * DAY)), silent=(_certificate(0), _certificate(30 * DAY + 1))
    ),
}
"""By the rule's name."""

_ROUTER_SAYS = "a router does not tell"
_NOBODY_SELECTS = kit.with_policies(kit.IDLE)

UNTOLD: Sequence[tuple[str, Change, str]] = (
    ("session-down", kit.with_session(state=SessionState.UNKNOWN), "whether sessions are up is not told"),
    ("routes-not-announced", kit.with_peer(intended=None), "how many routes are announced is not told"),
    ("routes-not-announced", kit.with_peer(announced=None), "how many routes are announced is not told"),
    ("routes-not-carried", kit.with_state(absent=None, uid=""), "why routes are absent is not told"),
    ("end-of-rib-missing", kit.with_session(end_of_rib=None), "whether the End-of-RIB was sent is not told"),
    ("end-of-rib-missing", kit.with_session(gr_told=False), "whether the End-of-RIB was sent is not told"),
    ("families-differ", kit.with_session(families=()), "which families a session has is not told"),
    ("families-differ", kit.with_facts(intents={}), "which families a session has is not told"),
    ("families-differ", kit.with_peer(name="65001/192.0.2.9"), "which families a session has is not told"),
    ("families-differ", _NOBODY_SELECTS, "which families a session has is not told"),
    *(
        (name, kit.with_session(gr_told=False), "what was negotiated of graceful restart is not told")
        for name in (
            "graceful-restart-one-sided",
            "graceful-restart-unused",
            "graceful-restart-families",
            "long-lived-stale",
        )
    ),
    (
        "graceful-restart-router-off",
        kit.with_side(graceful=None),
        f"{_ROUTER_SAYS} whether it helps with graceful restart",
    ),
    ("stale-cap-short", kit.with_side(stale_cap=None), f"{_ROUTER_SAYS} its stale path time"),
    (
        "notification-bit",
        kit.with_side(met=_met(gr_told=False)),
        "what was negotiated of graceful restart is not told",
    ),
    ("hold-time-off", _timers(hold=None), "the timers of a session that is not up are not negotiated"),
    ("hold-time-lowered", _timers(hold=None), "the timers of a session that is not up are not negotiated"),
    *(
        (name, kit.with_side(bfd_told=False), "whether a router has BFD for a neighbor is not told")
        for name in ("hold-time-long", "bfd-not-up", "bfd-slower-than-hold", "bfd-against-restart")
    ),
    *(
        (
            name,
            kit.with_side(met=_met(hold_time=None)),
            "whether a router has BFD for a neighbor is not told",
        )
        for name in ("hold-time-long", "bfd-slower-than-hold")
    ),
    ("speaker-problem", kit.with_state(problems=("who knows",), sessions_told=False), "who knows"),
    ("clock-apart", kit.with_state(reported_at=0.0), "when a speaker wrote by its own clock is not told"),
    (
        "clock-apart",
        kit.with_state(heartbeat=0.0),
        "when a speaker wrote by its own clock is not told",
    ),
    ("version-of-bgpctl", kit.with_state(speaker_version="dev"), "a speaker does not tell its version"),
    ("router-disagrees", kit.with_side(session=""), f"{_ROUTER_SAYS} the state of a session"),
    ("asn-differs", kit.with_side(asn=None, local_asn=None), f"{_ROUTER_SAYS} its AS numbers"),
    *(
        ("password-one-sided", change, f"{_ROUTER_SAYS} whether it has a password for a neighbor")
        for change in (
            kit.with_side(password=None),
            kit.with_facts(intents={}),
            _NOBODY_SELECTS,
            kit.with_side(met=peer(name="65001/192.0.2.9")),
        )
    ),
    *(
        ("multihop-one-sided", change, f"{_ROUTER_SAYS} how far away it lets a neighbor be")
        for change in (
            kit.with_side(hops=None),
            kit.with_facts(intents={}),
            kit.with_side(met=peer(name="65001/192.0.2.9")),
        )
    ),
    *(
        ("ttl-security", change, f"{_ROUTER_SAYS} whether it has TTL security for a neighbor")
        for change in (
            kit.with_side(gtsm=None),
            kit.with_facts(intents={}),
            kit.with_side(met=peer(name="65001/192.0.2.9")),
        )
    ),
    *(
        ("routes-filtered", change, f"{_ROUTER_SAYS} what its filters let through")
        for change in (
            kit.with_channel(accepted=None, received=3),
            kit.with_channel(received=None, filter=None),
            kit.with_side(
                channels=(kit.channel(received=None, filter="rack-in"),), met=_met(established_at=JUST_UP)
            ),
        )
    ),
    *(
        ("routes-missing", change, "how many routes a router received is not told")
        for change in (
            kit.with_channel(received=None, accepted=None),
            kit.with_channel(received=None, filter="rack-in"),
            kit.with_channel(received=None, discards="no policy"),
            kit.with_side(met=_met(advertised={})),
        )
    ),
    (
        "maximum-prefix",
        kit.with_side(channels=(kit.channel(received=None, accepted=None),), met=_met(advertised={IPV6: 1})),
        "how many routes a node announces is not told",
    ),
    *(
        ("family-not-at-router", change, "which families a router has configured is not told")
        for change in (kit.with_side(channels=()), kit.with_facts(intents={}), _NOBODY_SELECTS)
    ),
)
"""A rule, what it is not told, and what is said of it: it is counted, and is no finding."""

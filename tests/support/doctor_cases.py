"""For every rule of the doctor a case in which it fires, as a change of a healthy cluster's facts.

Two nodes with one speaker and one router each, a Service of each traffic policy, a pool, DaemonSets:
everything is known, so every rule is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from bgpctl.core.doctor.facts import (
    Bfd,
    Certificate,
    Channel,
    Crowd,
    Facts,
    Held,
    Leftover,
    Limit,
    Met,
    NodeFacts,
    PoolFacts,
    Reach,
    Run,
    Side,
    Took,
    Upgrade,
    Workload,
)
from bgpctl.core.intent.compile import ClusterObjects
from bgpctl.core.intent.fleet import Fleet
from bgpctl.core.intent.services import FAMILY_NOT_NEGOTIATED, read_service
from bgpctl.core.model import IPV4, IPV6, GracefulRestart, LastError, SessionState
from bgpctl.core.policy.owners import read_claims
from bgpctl.core.policy.v2.compile import read_resources
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.core.state import ANOTHER_SPEAKER, WAITS, NodeState, PeerState
from tests.support import node_states, v2
from tests.support import objects as kit

NOW = 1_800_000_000.0
NAMES = ("worker-1", "worker-2")
ROUTER = "bird /run/bird.ctl"
GR = GracefulRestart(120, families=((IPV4, True),))
Change = Callable[[Facts], Facts]


# --- a healthy cluster --------------------------------------------------------------------------------------


def session(**changes: Any) -> Any:
    told = {
        "hold_time": 9,
        "keepalive_time": 3,
        "families": (IPV4,),
        "local_gr": GR,
        "peer_gr": GracefulRestart(120),
        "advertised": {IPV4: 3},
        "received": {},
        "local_address": ip_address("192.0.2.11"),
    }
    return node_states.session(NOW, **{**told, **changes})


def peer(**changes: Any) -> PeerState:
    one = changes.pop("session", None) or session()
    told = PeerState("65001/192.0.2.1", "192.0.2.1", 179, 65000, 65001, one, 120, 9, 3, 3, 3)
    return replace(told, **changes)


def state(name: str, *peers: PeerState, **changes: Any) -> NodeState:
    told = NodeState(
        name,
        "Running",
        NOW - 1,
        NOW - 86400,
        speaker_version="0.1.0",
        selected_by="policy",
        selected_by_kind="CiliumBGPPeeringPolicy",
        intended=3,
        announced=3,
        peers=peers or (peer(),),
        absent={},
        reported_at=NOW - 1,
        uid=f"speaker-of-{name}",
    )
    return replace(told, **changes)


def _nodes() -> tuple[dict[str, Any], ...]:
    return tuple(
        kit.node(name, status={"addresses": [{"type": "InternalIP", "address": f"192.0.2.1{n}"}]})
        for n, name in enumerate(NAMES, 1)
    )


def policy_of(**neighbor: Any) -> dict[str, Any]:
    families = [{"afi": "ipv4", "safi": "unicast"}]
    timers = {"holdTimeSeconds": 9, "keepAliveTimeSeconds": 3}
    told = kit.neighbor("192.0.2.1/32", **{"families": families, **timers, **neighbor})
    return kit.policy(kit.router(told))


def policies(*documents: dict[str, Any], nodes: Any = None, **v2_objects: Any) -> dict[str, Any]:
    """What the facts have of these policies and these Nodes."""
    objects = ClusterObjects(policies=documents, secrets=None, interfaces=None, gateways=None, **v2_objects)
    fleet = Fleet(objects)
    claims = read_claims(objects.policies, objects.cluster_configs)
    return {
        "intents": {node["metadata"]["name"]: fleet.bare(node) for node in nodes or _nodes()},
        "claims": claims,
        "resources": read_resources(objects.peer_configs, objects.advertisements, objects.overrides),
        "selectors": {str(claim.owner): claim.node_selector for claim in claims},
    }


def side(**changes: Any) -> Side:
    told = Side(
        ROUTER,
        "192.0.2.11",
        local="192.0.2.1",
        session="established",
        asn=65001,
        local_asn=65000,
        graceful=True,
        stale_cap=360.0,
        hold_time=9,
        hops=1,
        gtsm=False,
        password=False,
        bfd_told=True,
        channels=(channel(),),
    )
    return replace(told, **changes)


def channel(**changes: Any) -> Channel:
    told = Channel(IPV4, accepted=3, received=3, filter="", limit=Limit(100))
    return replace(told, **changes)


def _service(name: str, ip: str, **changes: Any) -> Any:
    return read_service(kit.service(name, ip, **changes))


def healthy() -> Facts:
    """Nothing is wrong and everything is known."""
    return Facts(
        now=NOW,
        version="0.1.0",
        nodes=tuple(
            NodeFacts(name, {"enable-bgp": "true"}, True, addresses=(ip_address(f"192.0.2.1{n}"),))
            for n, name in enumerate(NAMES, 1)
        ),
        states={name: state(name) for name in NAMES},
        **policies(policy_of()),
        services=(_service("web", "203.0.113.10"), _service("api", "203.0.113.20", local=True)),
        reaches=(
            Reach(ip_network("203.0.113.10/32"), ("Service default/web",), False, 2, "", 2),
            Reach(ip_network("203.0.113.20/32"), ("Service default/api",), True, 2, "", 2),
        ),
        pools=(pool("vips", "203.0.113.0", "203.0.113.63", used=2),),
        workloads=(workload("bgpctl-speaker", ours=True), workload("kube-proxy", proxy=True)),
        proxies_down=(),
        restarts=(Took("worker-1", 4.0, "container speaker"),),
        pulls=(Took("worker-1", 20.0, "image speaker:1"),),
        runs=(),
        leases=(Held("bgpctl-node-worker-1", "worker-1", True, True),),
        leftovers=(),
        crds=(),
        certificates=(Certificate("certificate of the API server", NOW + 365 * 86400),),
        routers=(Met(state("worker-1"), peer(), side()),),
        crowds=(Crowd(ROUTER, ip_network("203.0.113.10/32"), (("192.0.2.11", True), ("192.0.2.12", True))),),
    )


def pool(name: str, first: str, last: str, **changes: Any) -> PoolFacts:
    return PoolFacts(name, ((ip_address(first), ip_address(last)),), **changes)


def workload(name: str, **changes: Any) -> Workload:
    told = Workload(
        "kube-system",
        name,
        f"app={name}",
        proxy=False,
        ours=False,
        priority="system-node-critical",
        host_network=True,
        strategy="RollingUpdate",
        max_unavailable="",
        unavailable=0,
        grace=30,
    )
    return replace(told, **changes)


# --- what is wrong with it ----------------------------------------------------------------------------------


def with_peer(**changes: Any) -> Change:
    """The first node's peer."""
    return lambda facts: with_state(peers=(peer(**changes),))(facts)


def with_session(**changes: Any) -> Change:
    return with_peer(session=session(**changes))


def with_state(**changes: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert facts.states is not None
        first = replace(facts.states["worker-1"], **changes)
        return replace(facts, states={**facts.states, "worker-1": first})

    return change


def with_side(met: PeerState | None = None, **changes: Any) -> Change:
    def change(facts: Facts) -> Facts:
        assert facts.states is not None
        return replace(facts, routers=(Met(facts.states["worker-1"], met or peer(), side(**changes)),))

    return change


def with_channel(**changes: Any) -> Change:
    return with_side(channels=(channel(**changes),))


def with_facts(**changes: Any) -> Change:
    return lambda facts: replace(facts, **changes)


def with_speaker(**changes: Any) -> Change:
    return with_facts(workloads=(workload("bgpctl-speaker", **{"ours": True, **changes}),))


def with_policies(*documents: dict[str, Any], **v2_objects: Any) -> Change:
    return with_facts(**policies(*documents, **v2_objects))


def with_v2(**changes: Any) -> Change:
    told: dict[str, Any] = {
        "cluster_configs": [v2.cluster_config()],
        "peer_configs": [v2.peer_config(families=[v2.family()])],
        "advertisements": [v2.advertisement()],
        "overrides": [],
    }
    return with_policies(**{**told, **changes})


def reach(**changes: Any) -> Change:
    told = Reach(ip_network("203.0.113.10/32"), ("Service default/web",), False, 2, "", 2)
    return with_facts(reaches=(replace(told, **changes),))


def run(**changes: Any) -> Change:
    return with_facts(runs=(replace(Run("worker-1", "drained"), **changes),))


def both(*changes: Change) -> Change:
    def change(facts: Facts) -> Facts:
        for one in changes:
            facts = one(facts)
        return facts

    return change


_DOWN = peer(session=session(state=SessionState.ACTIVE, established_at=None))
BOTH_N = peer(
    session=session(local_gr=replace(GR, notification=True), peer_gr=GracefulRestart(120, notification=True))
)
_EXPIRED = LastError(NOW - 60, "received", "Hold Timer Expired (4/0)", 4, 0)
_OS = ("kubernetes.io/os", "linux")
_LINUX = tuple(NodeFacts(name, dict((_OS,))) for name in NAMES)
_IPV4 = [{"afi": "ipv4", "safi": "unicast"}]
IDLE = kit.policy(name="idle", nodeSelector={"matchLabels": {"a": "b"}})
_UNLABELLED = v2.advertisement(name="idle", labels={})

CASES: Mapping[str, Change] = {
    "session-down": with_peer(session=session(state=SessionState.ACTIVE, established_at=None)),
    "session-flaps": with_session(flaps=40, last_error=LastError(NOW, "local", "connection lost")),
    "session-trouble": with_session(troubles=("it does not read what it is sent",)),
    "routes-pending": with_session(pending=7),
    "routes-not-announced": with_peer(announced=2),
    "routes-not-carried": with_state(absent={FAMILY_NOT_NEGOTIATED: 2}),
    "nothing-to-announce": with_peer(intended=0, announced=0),
    "end-of-rib-missing": with_session(end_of_rib=False),
    "families-differ": with_session(families=(IPV6,)),
    "graceful-restart-one-sided": with_session(peer_gr=None),
    "graceful-restart-unused": with_peer(session=session(local_gr=None), configured_restart_time=None),
    "graceful-restart-families": with_session(families=(IPV4, IPV6)),
    "graceful-restart-router-off": with_side(graceful=False),
    "restart-time-short": with_facts(restarts=(Took("worker-1", 130.4, "container speaker"),)),
    "restart-time-below-pull": with_facts(pulls=(Took("worker-1", 200.0, "image speaker:1"),)),
    "restart-time-long": with_peer(configured_restart_time=900),
    "stale-cap-short": with_side(stale_cap=30.0),
    "notification-bit": with_side(router="frr /var/run/frr", met=BOTH_N),
    "long-lived-stale": with_session(long_lived=86400),
    "keepalive-slow": with_peer(configured_keepalive_time=9),
    "hold-time-off": with_session(hold_time=0),
    "hold-time-lowered": with_session(hold_time=6),
    "hold-time-too-short": with_session(flaps=1, last_error=_EXPIRED),
    "hold-time-long": with_side(met=peer(session=session(hold_time=90))),
    "bfd-not-up": with_side(bfd=Bfd(False)),
    "bfd-slower-than-hold": with_side(
        bfd=Bfd(True, 10.0), met=peer(configured_restart_time=None, session=session(hold_time=9))
    ),
    "bfd-against-restart": with_side(bfd=Bfd(True, 0.9)),
    "heartbeat-stale": with_state(heartbeat=NOW - 900, reported_at=NOW - 900),
    "speaker-missing": lambda facts: replace(facts, states={"worker-2": state("worker-2")}),
    "state-unreadable": with_state(unreadable="status.peers must be a list"),
    "state-without-node": with_facts(states={name: state(name) for name in (*NAMES, "old")}),
    "two-speakers": with_state(problems=(f"{ANOTHER_SPEAKER}: process host-7",)),
    "speaker-problem": with_state(
        problems=('peer 65001/192.0.2.9: no session, because Secret "x" is missing',)
    ),
    "policy-held": with_state(policy_problem="spec.virtualRouters[0].localASN: required"),
    "speaker-waits": with_state(
        phase="Waiting", selected_by="", problems=(f"{WAITS} Cilium has worker-1",), peers=()
    ),
    "speaker-starting": with_state(phase="Starting", started_at=NOW - 900),
    "engine-restarts": with_state(engine_restarts=5),
    "clock-apart": with_state(heartbeat=NOW - 61),
    "speaker-not-critical": with_speaker(priority=""),
    "speaker-not-host-network": with_speaker(host_network=False),
    "speaker-rolls-together": with_speaker(max_unavailable="100%"),
    "speaker-unavailable": with_speaker(unavailable=2),
    "speaker-killed-in-soak": both(with_speaker(grace=30), with_state(soak=60.0)),
    "version-of-speakers": with_state(speaker_version="0.1.1"),
    "version-of-bgpctl": with_facts(version="0.2.0"),
    "version-of-crd": with_facts(crds=("status.uid", "status.sequence")),
    "two-policies": with_policies(policy_of(), {**policy_of(), "metadata": {"name": "second"}}),
    "policy-invalid": with_policies(policy_of(holdTimeSeconds=1)),
    "policy-warning": with_policies(
        policy_of(families=[{"afi": "l2vpn", "safi": "evpn"}, {"afi": "ipv4", "safi": "unicast"}])
    ),
    "policy-selects-nothing": with_policies(
        policy_of(), kit.policy(name="idle", nodeSelector={"matchLabels": {"a": "b"}})
    ),
    "selector-cannot-leave": with_facts(
        nodes=_LINUX, selectors={"policy": LabelSelector((("kubernetes.io/os", "linux"),))}
    ),
    "peer-left-out": with_v2(peer_configs=[]),
    "advertisement-unused": with_v2(
        advertisements=[v2.advertisement(), v2.advertisement(name="idle", labels={})]
    ),
    "peer-config-unused": with_v2(
        peer_configs=[v2.peer_config(families=[v2.family()]), v2.peer_config("spare", families=[v2.family()])]
    ),
    "override-unused": with_v2(overrides=[v2.override({"name": "main"}, name="worker-9")]),
    "router-id-twice": with_facts(**policies(policy_of(), nodes=[kit.node(name) for name in NAMES])),
    "multihop-without-use": with_policies(
        kit.policy(kit.router(kit.neighbor("192.0.2.1/32", asn=65001, eBGPMultihopTTL=4)))
    ),
    "one-next-hop": reach(announcers=1, only="worker-1"),
    "local-on-one-node": reach(local=True, announcers=1, only="worker-2"),
    "local-nowhere": reach(local=True, announcers=0),
    "announced-without-endpoints": reach(endpoints=0),
    "service-without-address": with_facts(services=(read_service(kit.service("new")),)),
    "pool-unreadable": with_facts(pools=(PoolFacts("odd", problem="it cannot be read: no block"),)),
    "pool-overlaps": with_facts(
        pools=(
            pool("vips", "203.0.113.0", "203.0.113.63", used=2),
            pool("more", "203.0.113.32", "203.0.113.40"),
        )
    ),
    "pool-conflict": with_facts(pools=(pool("vips", "203.0.113.0", "203.0.113.63", conflict=True),)),
    "pool-empty": with_facts(pools=(pool("vips", "203.0.113.10", "203.0.113.20", used=11),)),
    "pool-nearly-empty": with_facts(pools=(pool("vips", "203.0.113.1", "203.0.113.20", used=19),)),
    "pool-disabled": with_facts(pools=(pool("vips", "203.0.113.0", "203.0.113.63", disabled=True, used=2),)),
    "address-in-no-pool": with_facts(pools=(pool("vips", "203.0.113.0", "203.0.113.15", used=1),)),
    "router-unreachable": with_facts(probes_failed={ROUTER: "no such socket"}),
    "router-stranger": with_facts(strangers=(ROUTER,)),
    "router-disagrees": with_side(session="active"),
    "asn-differs": with_side(asn=65009),
    "password-one-sided": with_side(password=True),
    "multihop-one-sided": with_side(met=_DOWN, session="active", hops=3, channels=()),
    "ttl-security": with_side(gtsm=True),
    "routes-filtered": with_channel(accepted=1, filter="rack-in"),
    "routes-discarded": with_channel(accepted=0, received=None, discards="its import filter is REJECT"),
    "routes-missing": with_channel(accepted=2, received=2),
    "maximum-prefix": with_channel(limit=Limit(3)),
    "family-not-at-router": with_side(channels=(channel(family=IPV6),)),
    "router-few-next-hops": with_facts(
        crowds=(Crowd(ROUTER, ip_network("203.0.113.10/32"), (("192.0.2.11", True), ("192.0.2.12", False))),)
    ),
    "run-stopped": run(service="drain-stopped", stopped="its process was killed"),
    "run-unreadable": run(service="unknown", problem="the journal cannot be read"),
    "drain-untrue": run(service="announces-again"),
    "drain-forgotten": run(age=3 * 86400.0),
    "upgrade-stopped": with_speaker(
        strategy="OnDelete", upgrade=Upgrade("RollingUpdate", {"speaker": "example.com/speaker:2"})
    ),
    "update-strategy-left": with_speaker(strategy="OnDelete"),
    "lease-orphaned": with_facts(leases=(Held("bgpctl-node-old", "old", False, False),)),
    "copies-orphaned": with_facts(
        leftovers=(Leftover("tor.bgpctl-withdrawn", "its original is gone", "bgpctl cilium prepare"),)
    ),
    "copies-outdated": with_facts(
        leftovers=(Leftover("tor.x", "tor was changed", "bgpctl cilium prepare", gone=False),)
    ),
    "kube-proxy-down": with_facts(proxies_down=("worker-1",)),
    "not-ready-and-announcing": lambda facts: replace(
        facts, nodes=(replace(facts.nodes[0], ready=False), *facts.nodes[1:])
    ),
    "certificate-expired": with_facts(certificates=(Certificate("certificate of the API server", NOW - 1),)),
    "certificate-expires": with_facts(
        certificates=(Certificate("client certificate of the kubeconfig", NOW + 9 * 86400),)
    ),
}

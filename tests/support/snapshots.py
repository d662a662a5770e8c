"""Snapshots for the tables of the runbooks' steps: a drained or serving node in one line each."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from typing import Any

from bgpctl.core.drain.eviction import EvictionOptions, PodView, verdicts
from bgpctl.core.model import GracefulRestart, Session, SessionState
from bgpctl.core.state import NodeState, PeerState, WithdrawnPeer, WithdrawnRecord
from bgpctl.core.timing.withdrawal import Estimate, Event, estimate, facts_from_state
from bgpctl.kube.lease import LeaseView
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.snapshot import NodeView, PeerAnswer, Snapshot
from bgpctl.witness.model import Path, RouterAnswer, RouteState

NOW = 1_800_000_000.0
ME, OTHER = "eve@host:1/run-a", "bob@elsewhere:7/run-b"
ROUTER, ROUTER_2 = "192.0.2.1", "192.0.2.2"
LABEL = ("enable-bgp", "false")
LEAVE = "run-a-1"  # the first request to leave of `journal()`'s run
ASKED = {"enable-bgp": "false"}  # the labels of a node that was asked to leave


def node(**changes: Any) -> NodeView:
    fresh = NodeView("n1", "uid-n1", "1", {"enable-bgp": "true"}, unschedulable=False, ready=True)
    return replace(fresh, **changes)


def journal(**changes: Any) -> Journal:
    """A drain of ours that has passed its checks."""
    fresh = Journal(
        run="run-a",
        command="drain",
        order="guide",
        holder=ME,
        started_at=NOW - 60,
        prior_labels={"enable-bgp": "true"},
        deselect=LABEL,
        peers=(ROUTER,),
        routes=2,
    )
    return replace(fresh, **_witnessed(changes))


def _witnessed(changes: dict[str, Any]) -> dict[str, Any]:
    """The router that each baseline is of, unless the test says another."""
    known = changes.get("baselines", {})
    return {"witnesses": {peer: (witness(peer),) for peer in known}, **changes} if known else changes


def witness(address: str = ROUTER) -> str:
    """Who answers in `seen`."""
    return f"bird=/run/{address}"


def snapshot(**changes: Any) -> Snapshot:
    """Ours, at NOW."""
    return replace(Snapshot(now=NOW, began=NOW, node=node(), holder=ME, holds_lease=True), **changes)


def lease(holder: str = OTHER, *, expires: float = NOW + 10) -> LeaseView:
    return LeaseView(holder, expires - 15, expires, "1")


def pod(name: str = "web-1", **changes: Any) -> PodView:
    owned = PodView("default", name, f"uid-{name}", "n1", controller_kind="ReplicaSet", controller_name="web")
    return replace(owned, **changes)


def judged(*pods: PodView, **options: Any) -> Any:
    return verdicts(pods, {("default", "agent")}, EvictionOptions(ignore_daemonsets=True, **options), NOW)


def peer(address: str = ROUTER, *, up: bool = True, announced: int = 2, **session: Any) -> PeerState:
    graceful = GracefulRestart(120)
    state = SessionState.ESTABLISHED if up else SessionState.ACTIVE
    facts = {"hold_time": 9, "keepalive_time": 3, "local_gr": graceful, "peer_gr": graceful, "end_of_rib": up}
    one = Session(f"65001/{address}", state, local_address=IPv4Address("10.0.0.1"), **{**facts, **session})
    return PeerState(one.peer, address, 179, 65000, 65001, one, 120, 9, 3, intended=2, announced=announced)


def running(*peers: PeerState, **changes: Any) -> NodeState:
    """The speaker of a node in service."""
    peers = peers or (peer(),)
    fresh = NodeState("n1", "Running", NOW - 5, NOW - 3600, intended=2, announced=2, peers=peers)
    return replace(fresh, **changes)


PROCESS, NEXT_PROCESS = "process-1", "process-2"  # of a speaker


def withdrawn(*, observed: float = NOW - 30, answers: str = LEAVE, **changes: Any) -> NodeState:
    """The speaker has left every peer, in answer to the run's first request (or to another one). It runs
    still; with another `uid` it is the next one that tells of it."""
    record = WithdrawnRecord(
        "drain",
        observed,
        observed + 0.1,
        observed + 0.1,
        (WithdrawnPeer(peer(), 2),),
        answers=answers,
        uid=PROCESS,
    )
    fresh = NodeState("n1", "Withdrawn", NOW - 5, NOW - 3600, withdrawn=record, observed_leave=answers)
    return replace(fresh, **{"uid": PROCESS, **changes})


def estimates(event: Event, *addresses: str) -> tuple[Estimate, ...]:
    return tuple(estimate(event, facts_from_state(peer(address))) for address in addresses or (ROUTER,))


ASKED_IN_TIME = {f"Asked {ROUTER}": NOW - 40}  # the mark of a router that showed no route before the relabel


def relabelled(*, ago: float = 30.0, **changes: Any) -> Journal:
    """The run has asked the node to leave, once, and had seen its routes on the router before."""
    fresh = journal(marks={"Relabelled": NOW - ago}, leaves=1, baselines={ROUTER: 2})
    return replace(fresh, **_witnessed(changes))


def seen(
    routes: RouteState, address: str = ROUTER, *, since: float | None = None, times: int = 0
) -> PeerAnswer:
    """A router's answer; `since` and `times` are its unbroken row of absences."""
    stale = routes is RouteState.STALE
    count = 2 if routes in (RouteState.PRESENT, RouteState.STALE) else 0
    paths = tuple(Path(ip_network(f"203.0.113.{n}/32"), "10.0.0.1", stale=stale) for n in range(count))
    word = RouterAnswer(f"bird {address}", "10.0.0.1", routes, paths, detail=f"it is {routes.value}", at=NOW)
    return PeerAnswer(address, word, since, times, witness(address))

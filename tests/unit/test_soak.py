"""A leave that soaks: how long, for whom, with which attributes."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network

import pytest

from bgpctl.core.intent.compile import ClusterObjects, Context, compile_intent
from bgpctl.core.model import Attributes, Intent, Observed, Peer, Route, Session, SessionState
from bgpctl.core.timing.soak import GRACEFUL_SHUTDOWN, READ_SECONDS, Soak, proceed, shut_down
from tests.support import objects

A, B = (ip_network(f"203.0.113.{n}/32") for n in (1, 2))
PLAIN, SHUT = Attributes(), Attributes(communities=frozenset({GRACEFUL_SHUTDOWN}))
DOWN = SessionState.ACTIVE


def peer(name: str, asn: int = 65000) -> Peer:
    return Peer(name, "65001", IPv4Address("192.0.2.1"), asn, 65001, IPv4Address("10.0.0.1"))


def engine(
    *tables: dict[object, Attributes], pending: int = 0, state: SessionState = SessionState.ESTABLISHED
) -> Observed:
    """Peers p0, p1 … with these tables; `pending` and `state` are those of p0."""
    names = [f"p{number}" for number in range(len(tables))]
    sessions = {name: Session(name, SessionState.ESTABLISHED) for name in names}
    if names:
        sessions["p0"] = Session("p0", state, pending=pending)
    announced = dict(zip(names, tables, strict=True))
    return Observed(1, True, {name: peer(name) for name in names}, announced, sessions=sessions)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "seconds", "seen", "after"),
    [
        pytest.param(None, 0, engine({A: PLAIN}), None, id="off"),
        pytest.param(None, 5, engine(), None, id="no peer"),
        pytest.param(None, 5, engine({}), None, id="nothing is announced"),
        pytest.param(None, 5, engine({A: PLAIN}, state=DOWN), None, id="nobody is connected"),
        pytest.param(None, 5, engine({A: PLAIN}), Soak(5, 100), id="it begins"),
        pytest.param(Soak(5, 97), 5, engine({A: SHUT}, pending=1), Soak(5, 97), id="not on the socket"),
        pytest.param(Soak(5, 97), 5, engine({A: SHUT, B: PLAIN}), Soak(5, 97), id="one is still plain"),
        pytest.param(Soak(5, 97), 5, engine({A: SHUT}), Soak(5, 97, 100), id="out: it counts from here"),
        pytest.param(
            Soak(5, 97), 5, engine({A: PLAIN}, {A: SHUT}, state=DOWN), Soak(5, 97, 100), id="one is down"
        ),
        pytest.param(Soak(5, 97), 5, engine({A: SHUT}, state=DOWN), None, id="all went down"),
        pytest.param(Soak(5, 90, 92), 5, engine({A: SHUT, B: PLAIN}), Soak(5, 90, 92), id="a new route"),
        pytest.param(Soak(5, 90, 92), 9, engine({A: SHUT}), Soak(9, 90, 92), id="made longer meanwhile"),
        pytest.param(Soak(5, 90, 92), 0, engine({A: SHUT}), None, id="switched off meanwhile"),
        pytest.param(
            Soak(5, 10), 5, engine({A: SHUT}), Soak(5, 10, 10 + READ_SECONDS), id="read too slowly to wait"
        ),
    ],
)
def test_proceed(before: Soak | None, seconds: float, seen: Observed, after: Soak | None) -> None:
    assert proceed(before, seconds, seen, 100.0) == after


@pytest.mark.parametrize(("soak", "ends"), [(Soak(5, 10), 15 + READ_SECONDS), (Soak(5, 10, 11), 16)])
def test_it_ends(soak: Soak, ends: float) -> None:
    assert soak.ends == ends


@pytest.mark.parametrize(
    ("asn", "given", "preference"),
    [(65000, None, None), (65001, None, 0), (65001, 300, 0), (0, None, None)],
    ids=["eBGP", "iBGP", "iBGP with a preference", "not known yet"],
)
def test_the_attributes(asn: int, given: int | None, preference: int | None) -> None:
    attributes = Attributes(communities=frozenset({"65000:99"}), local_preference=given)
    intent = Intent(
        "n", True, "policy", (peer("p0", asn),), {"p0": {A: Route(A, attributes, "Service x", "w")}}
    )
    after = shut_down(intent)
    assert not after.selected and after.policy == "" and after.peers == intent.peers
    (route,) = after.routes["p0"].values()
    assert route.attributes == Attributes(
        communities=frozenset({"65000:99", GRACEFUL_SHUTDOWN}), local_preference=preference
    )
    assert (route.origin, route.why) == ("Service x", "w")


def test_a_soaking_node_still_follows_its_services() -> None:
    """With traffic policy Local, a route whose pods have gone must not wait."""
    local = objects.service("web", "192.0.2.80", externalTrafficPolicy="Local")
    away = objects.node(labels={"enable-bgp": "false"})

    def compiled(ready: bool, leaving: bool = True) -> Intent:
        slices = (objects.endpoint_slice("web", objects.endpoint(ready=ready)),)
        world = ClusterObjects(away, (objects.policy(),), (local,), slices)
        return compile_intent(
            world, "worker-1", Context(leaving=selected.config if leaving else None), previous=selected
        )

    here = ClusterObjects(
        objects.node(),
        (objects.policy(),),
        (local,),
        (objects.endpoint_slice("web", objects.endpoint(ready=True)),),
    )
    selected = compile_intent(here, "worker-1")
    (name,) = selected.routes
    vip = ip_network("192.0.2.80/32")
    assert vip in selected.routes[name]
    kept = compiled(ready=True)
    assert set(kept.routes[name]) == set(selected.routes[name]) and not kept.selected
    assert all(GRACEFUL_SHUTDOWN in r.attributes.communities for r in kept.routes[name].values())
    assert vip not in compiled(ready=False).routes[name]
    assert compiled(ready=True, leaving=False).peers == ()


def test_a_short_soak_is_one_too() -> None:
    assert proceed(None, 0.5, engine({A: PLAIN}), 100.0) == Soak(0.5, 100.0)


def test_every_router_must_have_it() -> None:
    seen = engine({A: PLAIN}, {A: SHUT})
    assert proceed(Soak(5, 97), 5, seen, 100.0) == Soak(5, 97), "the first is still plain"


def test_a_peer_without_a_session_is_not_waited_for() -> None:
    seen = engine({A: SHUT}, {A: PLAIN})
    del seen.sessions["p1"]  # type: ignore[attr-defined]
    assert proceed(Soak(5, 97), 5, seen, 100.0) == Soak(5, 97, 100)

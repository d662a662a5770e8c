"""A node's forecast on the embedded API: by whose word, of which routes, beside whom; and of many nodes."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address
from math import inf
from typing import Any

import pytest

from bgpctl.core.model import IPV4, IPV6, GracefulRestart, SessionState
from bgpctl.core.state import NodeState
from bgpctl.core.state_document import to_document
from bgpctl.core.timing.disruption import Path, Scheme, Share
from bgpctl.core.timing.facts import facts_from_state
from bgpctl.core.timing.failures import Fate, RouteClass, Scenario, Span, foretell
from bgpctl.core.timing.forecast import HASHING, SUMMED_UP, Forecast, Row
from bgpctl.core.timing.profiles import FRR
from bgpctl.core.timing.whatif import Settings
from bgpctl.core.timing.withdrawal import Close
from bgpctl.errors import BgpctlError, UsageError
from bgpctl.lab.api.requests import Answer
from bgpctl.ports import Outlook
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.queries.forecast import Asked, briefs, forecasts
from bgpctl.runbooks.journal import ANNOTATION, dump
from tests.support import direct, node_states, objects
from tests.support.direct import EPOCH, Wire
from tests.support.kinds import KINDS
from tests.support.snapshots import journal

ROUTER = "192.0.2.1"
PORTS = [{"name": "http", "port": 80}]
S, C = Scenario, RouteClass
ALL = Asked(tuple(Scenario))


def _node(number: int) -> dict[str, Any]:
    pods = {"podCIDRs": [f"10.244.{number}.0/24", f"fd00:10:244:{number}::/64"]}
    return objects.node(f"worker-{number}", spec=pods)


def _peer(number: int, **changes: Any) -> Any:
    return node_states.peer(EPOCH, ROUTER, local_address=ip_address(f"192.0.2.1{number}"), **changes)


def _seeded() -> direct.Api:
    api = direct.Api()
    neighbor = objects.neighbor(f"{ROUTER}/32", gracefulRestart={"enabled": True, "restartTimeSeconds": 120})
    api.server.apply(*KINDS, objects.policy(objects.router(neighbor)), *map(_node, (1, 2, 3)))
    api.server.apply(
        objects.service("web", "20.0.0.1", ports=PORTS),
        objects.endpoint_slice("web", objects.endpoint("worker-2"), objects.endpoint("worker-3")),
        objects.service("api", "20.0.0.2", local=True, ports=PORTS),
        objects.endpoint_slice("api", objects.endpoint("worker-1"), objects.endpoint("worker-2")),
        objects.service("own", "20.0.0.3", local=True, ports=PORTS),
        objects.endpoint_slice("own", objects.endpoint("worker-1")),
    )
    for number in (1, 2, 3):
        state = node_states.state(f"worker-{number}", EPOCH, _peer(number), selected_by="policy")
        api.server.apply(to_document(state))
    return api


SEEDED = _seeded()


@pytest.fixture
def wire() -> Wire:
    return Wire(SEEDED.fork())


def publish(wire: Wire, told: NodeState) -> None:
    wire.api.server.apply(to_document(told))


def one(wire: Wire, node: str = "worker-1", asked: Asked = ALL) -> Forecast:
    return forecasts(wire.client(), [node], asked)[0]


def rows(found: Forecast, scenario: Scenario, kind: RouteClass) -> list[Row]:
    return [row for row in found.rows if row.course.scenario is scenario and row.group.kind is kind]


def test_routes_by_class_with_who_else_announces_them(wire: Wire) -> None:
    groups = {(g.kind, g.family, g.next_hops): g for g in one(wire).subject.routers[0].groups}
    pods, shared = groups[C.POD_CIDR, IPV4, 1], groups[C.CLUSTER, IPV4, 3]
    both, own = groups[C.LOCAL, IPV4, 2], groups[C.LOCAL, IPV4, 1]
    assert (pods.prefixes, pods.elsewhere, pods.services) == (1, False, ())
    assert groups[C.POD_CIDR, IPV6, 1].prefixes == 1
    assert (shared.services, shared.endpoints, shared.position, shared.elsewhere) == (
        ("default/web",),
        2,
        1,
        True,
    )
    assert (both.services, both.endpoints, both.position, both.elsewhere) == (("default/api",), 1, 1, True)
    assert (own.services, own.elsewhere) == (("default/own",), False)
    second = one(wire, "worker-2").subject.routers[0].groups
    assert {(g.kind, g.position) for g in second if g.services} == {(C.CLUSTER, 2), (C.LOCAL, 2)}


def test_each_row_is_the_course_of_what_was_negotiated(wire: Wire) -> None:
    found = one(wire, asked=replace(ALL, profiles={ROUTER: FRR}))
    facts = facts_from_state(_peer(1))
    for scenario in Scenario:
        for row in rows(found, scenario, C.CLUSTER):
            away = {S.RESTART: Span(1.0, 30.0), S.UPGRADE: Span(1.0, inf)}.get(scenario)
            assert row.course == foretell(scenario, facts, C.CLUSTER, FRR, elsewhere=True, away=away)
    (alone,) = [row for row in rows(found, S.POWER_OFF, C.LOCAL) if row.group.elsewhere is False]
    assert (alone.course.then, alone.course.loss) == (Fate.UNREACHABLE, Span(inf, inf))
    assert not rows(found, S.NO_BACKENDS, C.POD_CIDR)


def test_flows_that_move_when_the_next_hop_leaves(wire: Wire) -> None:
    found = one(wire, asked=replace(ALL, schemes={"": Scheme.HASH_THRESHOLD}))
    (row,) = rows(found, S.POWER_OFF, C.CLUSTER)
    assert row.moved == Share(0.5, 0.5), "the first of three"
    assert row.reset[Path.SNAT] == row.moved
    assert HASHING not in found.unknown
    assert HASHING in one(wire).unknown
    mixed = one(wire, asked=replace(ALL, schemes={"": Scheme.MODULO, ROUTER: Scheme.RESILIENT}))
    assert rows(mixed, S.POWER_OFF, C.CLUSTER)[0].moved.worst == pytest.approx(1 / 3), "its own goes before"


def test_connections_are_reset_when_it_is_back_too(wire: Wire) -> None:
    found = one(wire, asked=replace(ALL, schemes={"": Scheme.RESILIENT}))
    (row,) = rows(found, S.POWER_OFF, C.CLUSTER)
    assert row.reset_back[Path.SNAT] == row.returned and row.returned.best == 0.0 < row.returned.worst


def test_a_session_that_is_down_is_one_router(wire: Wire) -> None:
    """It stands among those that were not withdrawn as well."""
    down = _peer(1, state=SessionState.IDLE)
    publish(wire, node_states.state("worker-1", EPOCH, down, unwithdrawn=(down,)))
    found = one(wire)
    assert len(found.subject.routers) == 1 and found.rows


def test_what_there_is_no_such_thing_of_is_told_with_what_there_is(wire: Wire) -> None:
    with pytest.raises(UsageError) as told:
        one(wire, "worker-9")
    assert told.value.hint == "the nodes are: worker-1, worker-2, worker-3"


def test_a_keepalive_that_is_longer_than_the_hold_time(wire: Wire) -> None:
    long = replace(ALL, settings=Settings(keepalive_time=99))
    for ask in (lambda: one(wire, asked=long), lambda: briefs(wire.client(), long)):
        with pytest.raises(UsageError, match=f"longer than the hold time of {ROUTER}") as told:
            ask()
        assert told.value.hint == "set that as well: --set holdTimeSeconds=297"


def test_a_node_whose_speaker_is_dead_is_no_other_path(wire: Wire) -> None:
    for number in (2, 3):
        publish(wire, node_states.state(f"worker-{number}", EPOCH - 3600, _peer(number)))
    (row,) = rows(one(wire), S.POWER_OFF, C.CLUSTER)
    assert (row.group.next_hops, row.group.elsewhere, row.course.then) == (1, False, Fate.UNREACHABLE)


def test_a_node_without_a_session_would_be_one_more_next_hop(wire: Wire) -> None:
    publish(wire, node_states.state("worker-1", EPOCH, _peer(1, state=SessionState.ACTIVE)))
    (row,) = rows(one(wire), S.POWER_OFF, C.CLUSTER)
    assert (row.group.next_hops, row.group.position, row.group.elsewhere) == (3, None, True)


def test_a_family_that_graceful_restart_does_not_cover_goes_at_once(wire: Wire) -> None:
    """node_states' sessions list IPv4 only (RFC 4724 section 3)."""
    found = one(wire)
    gone = {row.group.family: row.course.gone for row in rows(found, S.AGENT_DOWN, C.POD_CIDR)}
    assert gone[IPV6] == Span(0.02, 5.0)
    assert gone[IPV4] is not None and gone[IPV4].worst == 125.0
    assert f"{ROUTER}: graceful restart does not cover ipv6/unicast" in found.subject.notes
    both = GracefulRestart(120, False, True, ((IPV4, True), (IPV6, True)))
    publish(wire, node_states.state("worker-1", EPOCH, _peer(1, local_gr=both)))
    gone = {row.group.family: row.course.gone for row in rows(one(wire), S.AGENT_DOWN, C.POD_CIDR)}
    assert gone[IPV4] == gone[IPV6]


def test_other_settings_stand_beside_todays(wire: Wire) -> None:
    found = one(wire, asked=replace(ALL, settings=Settings(hold_time=3, graceful=False)))
    (row,) = rows(found, S.POWER_OFF, C.CLUSTER)
    assert row.changed is not None and row.changed.loss.worst == 3.0 < row.course.loss.worst


def test_how_long_a_restart_takes(wire: Wire) -> None:
    short, long = (
        rows(one(wire, asked=replace(ALL, away=Span(1.0, away), profiles={ROUTER: FRR})), S.RESTART, C.LOCAL)[
            0
        ]
        for away in (30.0, 300.0)
    )
    assert short.course.gone is None
    assert long.course.gone is not None


def test_pods_with_addresses_of_their_own(wire: Wire) -> None:
    def pod(name: str, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"nodeName": "worker-1", "containers": [{"name": "c", "image": "i"}], **spec},
        }

    wire.api.server.apply(pod("a"), pod("b"), pod("host", hostNetwork=True), pod("c", nodeName="worker-2"))
    assert one(wire).subject.pods == 2
    wire.before = lambda asked: direct.refused(403) if asked.path.endswith("/pods") else None
    assert one(wire).subject.pods is None, "nobody may look"


@pytest.mark.parametrize(
    ("phase", "counts"), [("Running", 1), ("Pending", 1), ("Succeeded", 0), ("Failed", 0)]
)
def test_a_pod_that_has_ended_has_nothing_to_lose(wire: Wire, phase: str, counts: int) -> None:
    wire.api.server.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a", "namespace": "default"},
            "spec": {"nodeName": "worker-1", "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": phase},
        }
    )
    assert one(wire).subject.pods == counts


def test_a_pod_that_cannot_be_read_counts(wire: Wire) -> None:
    def odd(asked: direct.Asked, answer: Answer) -> Answer | None:
        if not asked.path.endswith("/pods"):
            return None
        listed = json.loads(answer.body)
        parts: list[Any] = [{"spec": 7}, {"spec": {"hostNetwork": True}}, {"status": []}]
        listed["items"] = [{"metadata": {"name": f"p{n}"}, **part} for n, part in enumerate(parts)]
        return replace(answer, body=json.dumps(listed).encode())

    wire.after = odd
    assert one(wire).subject.pods == 2


def test_another_refusal_of_the_pods_is_none_of_a_right(wire: Wire) -> None:
    wire.before = lambda asked: direct.refused(422) if asked.path.endswith("/pods") else None
    with pytest.raises(BgpctlError):
        one(wire)


def test_what_a_reader_of_it_must_know(wire: Wire) -> None:
    assert one(wire).subject.notes == (f"{ROUTER}: graceful restart does not cover ipv6/unicast",)
    old = node_states.state("worker-1", EPOCH - 900, _peer(1), selected_by="policy")
    publish(wire, old)
    silent = one(wire).subject.notes[0]
    assert silent.startswith("its speaker has not reported for 90")
    assert silent.endswith(" s: what it told last is taken")
    client = wire.client()
    (told,) = forecasts(client, ["worker-2"], ALL, Untold(client))
    assert told.subject.notes[0] == (
        "what this stack announces cannot be told from outside, nor who else announces it"
    )


def test_services_that_wait_for_an_address(wire: Wire) -> None:
    wire.api.server.apply(
        objects.service("b", ports=PORTS), objects.service("a", namespace="kube-system", ports=PORTS)
    )
    assert one(wire).subject.pending == ("default/b", "kube-system/a")


def test_a_node_that_is_named_twice_is_told_once(wire: Wire) -> None:
    found = forecasts(wire.client(), ["worker-2", "worker-1", "worker-2"], ALL)
    assert [each.node for each in found] == ["worker-2", "worker-1"]


def test_a_speaker_that_never_told_is_judged_by_the_policy(wire: Wire) -> None:
    wire.client().delete(f"{node_states.NODE_STATES}/worker-1")
    found = one(wire)
    assert f"{ROUTER}: nothing negotiated yet, so its policy's values are taken" in found.subject.notes
    (row,) = rows(found, S.POWER_OFF, C.CLUSTER)
    assert "the router's hold time" in row.course.unknown


class Untold(Bgpctl):
    """A stack that does not tell what it announces."""

    def outlook(self) -> Outlook:
        return replace(super().outlook(), fleet=None)


def test_what_a_stack_does_not_tell_is_unknown(wire: Wire) -> None:
    client = wire.client()
    (found,) = forecasts(client, ["worker-1"], ALL, Untold(client))
    counts = {row.group.family: row.group.prefixes for row in found.rows}
    assert {row.group.kind for row in found.rows} == {C.UNKNOWN}
    assert counts == {IPV4: 4, IPV6: 2}, "the session counts them"
    assert "whether another node announces the same addresses" in found.unknown
    assert (
        found.subject.notes[0]
        == "what this stack announces cannot be told from outside, nor who else announces it"
    )
    down = replace(_peer(1), session=replace(_peer(1).session, state=SessionState.IDLE, families=()))
    publish(wire, node_states.state("worker-1", EPOCH, down))
    (found,) = forecasts(client, ["worker-1"], ALL, Untold(client))
    assert {(row.group.family, row.group.prefixes) for row in found.rows} == {(None, None)}


STRANGERS = {"192.0.2.77": Scheme.MODULO}


def test_a_node_that_left_has_no_routes_to_lose(wire: Wire) -> None:
    wire.client().patch("/api/v1/nodes/worker-1", {"metadata": {"labels": {"enable-bgp": "false"}}})
    down = replace(_peer(1, state=SessionState.IDLE), intended=0, announced=0)
    left = node_states.state("worker-1", EPOCH, down, phase="Withdrawn", selected_by="")
    publish(wire, left)
    found = one(wire)
    assert found.rows == ()
    assert found.subject.notes[0] == "no policy selects it by the cluster's objects"
    assert found.subject.notes[1:] == (f"{ROUTER} gets no routes",)
    client, record = wire.client(), dump(journal(prior_labels={"enable-bgp": "true"}))
    client.patch("/api/v1/nodes/worker-1", {"metadata": {"annotations": {ANNOTATION: record}}})
    publish(wire, node_states.withdrawn("worker-1", EPOCH))
    assert one(wire).rows == (), "it was drained, and its speaker withdrew"
    publish(wire, replace(left, unwithdrawn=(replace(down, announced=4),)))
    assert {row.group.kind for row in one(wire).rows} == {C.UNKNOWN}, "a router may keep them"


@pytest.mark.parametrize(
    ("names", "asked", "message"),
    [
        (["worker-9"], ALL, "node worker-9 does not exist"),
        (["worker-1"], replace(ALL, schemes=STRANGERS), "--scheme 192.0.2.77: worker-1 has no such peer"),
        (
            ["worker-1", "worker-2"],
            replace(ALL, profiles={"192.0.2.77": FRR}),
            "--peer-profile 192.0.2.77: none of these nodes has such a peer",
        ),
    ],
)
def test_what_does_not_exist(wire: Wire, names: list[str], asked: Asked, message: str) -> None:
    with pytest.raises(UsageError) as told:
        forecasts(wire.client(), names, asked)
    assert told.value.message == message


def test_a_node_without_peers(wire: Wire) -> None:
    wire.api.server.apply(objects.node("worker-4", labels={}))
    with pytest.raises(BgpctlError, match="node worker-4 has no BGP peer"):
        forecasts(wire.client(), ["worker-4"], ALL)


# --- all nodes --------------------------------------------------------------------------------------------


def test_every_node_summed_up_worst_first(wire: Wire) -> None:
    slow = GracefulRestart(600, False, True, ((IPV4, True),))
    publish(wire, node_states.state("worker-3", EPOCH, _peer(3, local_gr=slow)))
    wire.api.server.apply(objects.node("worker-4", labels={}))
    found = briefs(wire.client(), Asked(SUMMED_UP))
    assert [each.node for each in found] == ["worker-3", "worker-1", "worker-2"]
    assert [each.alone for each in found] == [0, 1, 0], "worker-1 alone announces default/own"
    assert found[0].lost == 690.0 and found[1].lost == 210.0
    assert tuple(found[0].courses) == SUMMED_UP


def test_what_is_summed_up_of_each(wire: Wire) -> None:
    found = {each.node: each for each in briefs(wire.client(), Asked(SUMMED_UP))}
    assert {(each.peers, each.problem) for each in found.values()} == {(1, "")}
    publish(wire, node_states.state("worker-2", EPOCH, _peer(2), node_states.peer(EPOCH, "192.0.2.2")))
    wire.client().delete(f"{node_states.NODE_STATES}/worker-3")
    found = {each.node: each for each in briefs(wire.client(), Asked(SUMMED_UP))}
    assert (found["worker-2"].peers, found["worker-3"].peers) == (2, 1), "that one by its policy"
    client = wire.client()
    assert {each.alone for each in briefs(client, Asked(SUMMED_UP), Untold(client))} == {None}


def test_a_leave_that_soaks_takes_longer_among_many_too(wire: Wire) -> None:
    def gone() -> dict[str, Any]:
        found = briefs(wire.client(), Asked((S.DESELECT,)))
        return {each.node: each.courses[S.DESELECT].gone for each in found}

    before = gone()
    publish(wire, node_states.state("worker-2", EPOCH, _peer(2), selected_by="policy", soak=40.0))
    after = gone()
    assert after["worker-1"] == before["worker-1"]
    assert after["worker-2"].best == pytest.approx(before["worker-2"].best + 40)


def test_what_many_nodes_do_not_have(wire: Wire) -> None:
    with pytest.raises(UsageError, match="none of these nodes has such a peer"):
        briefs(wire.client(), replace(Asked(SUMMED_UP), profiles={"192.0.2.77": FRR}))


def test_no_request_per_node(wire: Wire) -> None:
    """But for how one of them leaves."""

    def requests(nodes: int) -> int:
        for number in range(10, 10 + nodes):
            wire.api.server.apply(_node(number))
            publish(wire, node_states.state(f"worker-{number}", EPOCH, _peer(1)))
        asked: list[str] = []
        wire.before = lambda request: asked.append(request.path)
        briefs(wire.client(), Asked(SUMMED_UP))
        return len(asked)

    assert requests(0) == requests(40)


def test_a_node_that_cannot_be_read_costs_itself(wire: Wire) -> None:
    document = to_document(node_states.state("worker-2", EPOCH, _peer(2)))
    document["status"]["peers"][0]["localAddress"] = ":::"
    wire.api.server.apply(document)
    found = {each.node: each for each in briefs(wire.client(), Asked(SUMMED_UP))}
    assert found["worker-2"].problem.startswith("what its speaker published cannot be read")
    assert not found["worker-1"].problem


def test_how_a_node_leaves_is_asked_of_its_lever(wire: Wire) -> None:
    class Ceases(Bgpctl):
        def lever(self, *given: Any, **named: Any) -> Any:
            return replace(super().lever(*given, **named), close=Close.CEASE)

    client = wire.client()
    plain, ceased = (
        briefs(client, Asked((S.DESELECT,)), provider)[0].courses[S.DESELECT]
        for provider in (Bgpctl(client), Ceases(client))
    )
    assert plain.gone == Span(0.02, 5.0)
    assert ceased.gone is not None and ceased.gone.worst == 125.0
    (found,) = forecasts(client, ["worker-1"], ALL, Ceases(client))
    assert any(row.course.gone == ceased.gone for row in found.rows if row.course.scenario is S.DESELECT)

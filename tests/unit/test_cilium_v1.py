"""Nodes that only a CiliumBGPPeeringPolicy selects: to its second policy and back, on the embedded API, with
an agent that does what Cilium's was measured to do. A session closes only after its routes were withdrawn."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest

from bgpctl.core.cilium import copies, policies
from bgpctl.core.cilium.agent import PEERS
from bgpctl.core.drain.lever import Effect
from bgpctl.core.handover import Look, Looks, decide
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import BgpctlError, Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError
from bgpctl.lab import seed
from bgpctl.lab.stacks.cilium.agent_v1 import AgentV1
from bgpctl.lab.stacks.cilium.documents import cilium_node
from bgpctl.providers import cilium_copies, cilium_v1, detect
from bgpctl.providers.cilium import Cilium
from bgpctl.providers.cilium_stack import summary
from bgpctl.providers.cilium_v1 import UNTOLD
from bgpctl.queries.nodes import node_reports
from bgpctl.runbooks import engine
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.estimated import UNSEEN
from bgpctl.runbooks.journal import ANNOTATION, load
from bgpctl.runbooks.model import Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from bgpctl.runbooks.routers import Routers
from bgpctl.witness.model import Path, RouterAnswer, answered
from tests.support import direct, objects
from tests.support.cilium_cluster import READY, SELECTED, Recorder
from tests.support.kinds import KINDS

NODE, OTHER = "n1", "n2"
ROUTER = "192.0.2.1"
PREFIXES = ("203.0.113.1/32", "10.20.1.0/24")
SECOND = copies.copy_name("rack-1")


def _status(number: int) -> dict[str, Any]:
    return {**READY, "addresses": [{"type": "InternalIP", "address": f"192.0.2.{11 + number}"}]}


class Killed(BaseException):
    """kill -9: nothing of the run happens any more."""


class Cluster:
    """Two nodes and a router, which has what the engines announce."""

    runs, writes = 0, 0

    def __init__(self) -> None:
        self.api = direct.Api()
        self.api.server.apply(*KINDS)
        self.api.server.apply(
            *(objects.node(name, labels=SELECTED, status=_status(n)) for n, name in enumerate((NODE, OTHER))),
            *(cilium_node(name, SELECTED) for name in (NODE, OTHER)),
            seed.policy(ROUTER, 179),
        )
        self.client = direct.Wire(self.api).client()
        self.engines = {name: Recorder(clock=self.api.time) for name in (NODE, OTHER)}
        own = direct.Wire(self.api).client()
        self.agents = [AgentV1(own, name, one, lambda: PREFIXES) for name, one in self.engines.items()]
        self.provider = Cilium(self.client)
        self.round()

    def round(self) -> None:
        for agent in self.agents:
            agent.once()

    def prepare(self, wait: float = copies.SETTLE_SECONDS) -> None:
        cilium_copies.perform(self.client, cilium_copies.prepared(self.client))
        self.round()
        self.api.time.move(wait)

    def node(self, name: str = NODE) -> dict[str, Any]:
        return self.client.get(paths.node(name))

    def label(self, **labels: str | None) -> None:
        self.client.patch(paths.node(NODE), {"metadata": {"labels": labels}})
        self.round()

    def told(self, name: str = NODE) -> list[str]:
        self.round()
        engine = self.engines[name]
        told, engine.told = [verb for verb, _ in engine.told], []
        return told

    def objects(self) -> dict[str, Any]:
        found = {}
        for base in (paths.NODES, paths.PEERING_POLICIES):
            for one in self.client.items(base):
                kept = {k: v for k, v in one["metadata"].items() if v and k in ("labels", "annotations")}
                found[f"{base}/{one['metadata']['name']}"] = (kept, one.get("spec"))
        return found

    # -- runs

    name = ""  # it is a run's clock, too

    def now(self) -> float:
        return self.api.time.now

    monotonic = now

    def sleep(self, seconds: float) -> None:
        self.api.time.move(max(seconds, 0.5))
        self.round()

    def run(
        self, command: str, *, asked: bool = True, confirmed: bool = False, dies: int = 0, after: bool = False
    ) -> Result:
        """`dies`: at which write it is killed, before or `after` that one is carried out; 0 = at none."""
        self.runs, self.writes = self.runs + 1, 0
        name, wire = f"{self.runs:08x}", direct.Wire(self.api)
        client = wire.client()

        def before(one: direct.Asked) -> None:
            if dies and self.writes >= dies:
                raise Killed
            self.writes += one.writes
            if dies and dies == self.writes and not after:
                raise Killed

        def carried(one: direct.Asked, _: Any) -> None:
            if dies and one.writes and dies == self.writes:
                raise Killed

        wire.before, wire.after = before, carried  # type: ignore[assignment]
        world = worlds.build(
            client,
            NODE,
            name,
            provider=Cilium(client),
            timeout=600,
            routers=Routers((Eye(self),)) if asked else Routers(),
            lifted=frozenset({"--allow-last-path"}),
            clock=self,  # type: ignore[arg-type]
            background=False,
        )
        drain = DrainOptions(NODE, settle=0, provider="cilium", require_confirmed=confirmed)
        steps = node_drain(drain, name) if command == "drain" else node_restore(RestoreOptions(NODE), name)
        events = engine.run(command, NODE, name, steps, world, 600)
        while True:
            try:
                next(events)
            except StopIteration as end:
                result: Result = end.value
                return result


class Eye:
    """The router: it has what the node's engine announces to it now."""

    kind, target, peer = "bird", "test", ROUTER

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def routes_from(self, address: str) -> RouterAnswer:
        up = self._cluster.engines[NODE].up
        count = sum(routes for _, routes in up.values())
        paths = tuple(Path(ip_network(prefix), address) for prefix in PREFIXES[:count])
        session = "established" if up else "active"
        return answered("bird test", address, paths, session, None, local=ROUTER, router_id="192.0.2.254")


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    made.told()
    return made


def journal(cluster: Cluster) -> Any:
    return load(cluster.node()["metadata"].get("annotations"))


# --- what is known ------------------------------------------------------------------------------------------


def test_its_peers_are_those_of_its_policy_and_nobody_tells_of_their_sessions(cluster: Cluster) -> None:
    state = cluster.provider.state(NODE)
    assert state is not None and state.selected_by == "rack-1" and not state.sessions_told
    (peer,) = state.peers
    assert (peer.address, peer.port, peer.asn, peer.configured_restart_time) == (ROUTER, 179, 65000, 120)
    assert (peer.session.state, state.announced, state.established) == ("unknown", None, 0)
    told = {one.node: one for one in cluster.provider.states() or ()}
    assert set(told) == {NODE, OTHER} and told[NODE] == state
    assert detect.look(cluster.client).stacks == ("cilium",)


def told_by(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[str]:
    """Agents' pods, and what `cilium-dbg bgp peers` answers in each in turn; who was asked."""
    stays = {"kubernetes.io/config.mirror": "stays"}
    for name in (NODE, OTHER):
        containers = [{"name": "cilium-agent", "image": "x"}]
        for namespace, host in (("kube-system", True), ("default", False)):  # the latter is somebody's
            meta = {"name": f"cilium-{name}", "namespace": namespace, "labels": CILIUM, "annotations": stays}
            spec = {"nodeName": name, "hostNetwork": host, "containers": containers}
            cluster.api.server.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    asked: list[str] = []

    def run(client: Any, namespace: str, pod: str, container: str, words: Any) -> str:
        assert (namespace, container, tuple(words)) == ("kube-system", "cilium-agent", PEERS)
        asked.append(pod)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer)

    monkeypatch.setattr("bgpctl.kube.exec.run", run)
    return asked


CILIUM = {"k8s-app": "cilium"}
SESSION = {
    "peer-address": ROUTER,
    "local-asn": seed.NODE_ASN,
    "session-state": "established",
    "uptime-nanoseconds": 60_000_000_000,
}


def test_who_may_exec_hears_of_the_sessions_from_the_agent(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_by(cluster, monkeypatch, [SESSION])
    state = cluster.provider.state(NODE)
    assert state is not None and state.sessions_told and state.established == 1 and state.problems == ()
    assert (state.lag, state.engine_asked) == (0.0, f"cilium-dbg in pod kube-system/cilium-{NODE}")
    assert state.peers[0].session.established_at == pytest.approx(cluster.api.time.now - 60, abs=2)
    assert (state.announced, state.peers[0].announced) == (None, None), "how many routes it does not say"
    assert [one.established for one in cluster.provider.states() or ()] == [1, 1]


@pytest.mark.parametrize(
    ("answer", "session"),
    [
        ([{**SESSION, "session-state": "active"}], "active"),
        ([], "unknown"),
        ([{**SESSION, "local-asn": 1}], "unknown"),
    ],
)
def test_an_agent_tells_what_is_not_up_and_of_a_peer_that_it_does_not_know_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, answer: list[Any], session: str
) -> None:
    told_by(cluster, monkeypatch, answer)
    state = cluster.provider.state(NODE)
    assert state is not None and (state.established, state.peers[0].session.state) == (0, session)


@pytest.mark.parametrize("answer", [ApiError(403, "Forbidden", "may not", {}), BgpctlError("x"), {}, "x"])
def test_an_agent_that_may_not_be_asked_leaves_them_unknown(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    asked = told_by(cluster, monkeypatch, answer)
    state = cluster.provider.state(NODE)
    assert state is not None and not state.sessions_told and state.peers[0].session.state == "unknown"
    assert state.problems == (UNTOLD,) and state.lag
    cluster.provider.state(NODE)
    assert len(asked) == 1, "not soon again"


def test_of_thousands_of_agents_no_more_are_asked_than_there_is_time_for(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_by(cluster, monkeypatch, [SESSION])
    monkeypatch.setattr(cilium_v1, "MOST_ASKED", 1)
    assert sorted(one.established for one in cluster.provider.states() or ()) == [0, 1]
    monkeypatch.setattr(cilium_v1, "ASK_SECONDS", -1.0)
    assert [one.established for one in cluster.provider.states() or ()] == [0, 0]


def test_a_drain_shows_the_sessions_and_takes_no_agents_word_for_the_routes(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_by(cluster, monkeypatch, [SESSION])
    cluster.prepare()
    drained = cluster.run("drain", asked=False)
    assert drained.status == "blocked" and "its BGP stack does not say whether it did" in drained.message


@pytest.mark.parametrize(("prepares", "lever"), [(False, "closes"), (True, "withdraws")])
def test_the_summary_counts_these_nodes(cluster: Cluster, prepares: bool, lever: str) -> None:
    if prepares:
        cluster.prepare()
    found = summary(cluster.client)
    assert (found.nodes, found.lever) == (2, lever)


# --- the lever ----------------------------------------------------------------------------------------------


def test_prepared_it_withdraws_closes_and_comes_back_by_labels(cluster: Cluster) -> None:
    cluster.prepare()
    before = cluster.objects()
    drained = cluster.run("drain", confirmed=True)
    assert drained.status == "done" and journal(cluster).evidence["proof"] == "confirmed", drained
    assert cluster.told() == ["withdraw", "close"]
    assert cluster.told(OTHER) == ["open", "announce"], "the other node was never touched"
    state = cluster.provider.state(NODE)
    assert state is not None and state.told_out and not state.peers
    back = cluster.run("restore")
    assert back.status == "done" and "confirmed" in next(s.text for s in back.steps if s.step == "Announced")
    assert cluster.told() == ["open", "announce"]
    assert cluster.objects() == before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_write_it_goes_on_and_is_undone(after: bool) -> None:
    whole = Cluster()
    whole.prepare()
    assert whole.run("drain").status == "done"
    drains = whole.writes
    assert whole.run("restore").status == "done"
    for command, writes in (("drain", drains), ("restore", whole.writes)):
        for number in range(1, writes + 1):
            killed_at(number, command, after)


def killed_at(number: int, command: str, after: bool) -> None:
    cluster = Cluster()
    cluster.prepare()
    before = cluster.objects()
    cluster.told()
    if command == "restore":
        assert cluster.run("drain").status == "done"
        assert cluster.told() == ["withdraw", "close"]
    with pytest.raises(Killed):
        cluster.run(command, dies=number, after=after)
    if command == "drain":
        assert cluster.run("drain").status == "done", number
        assert cluster.told() == ["withdraw", "close"], number
    assert cluster.run("restore").status == "done", number
    assert cluster.objects() == before, number


def test_a_node_that_is_relabelled_by_hand_after_its_drain_is_not_safe_any_more(cluster: Cluster) -> None:
    cluster.prepare()
    assert cluster.run("drain").status == "done"
    assert service(cluster) == "drained"
    cluster.label(**{seed.LABEL: "true"})
    assert service(cluster) == "unknown", "that its session is up nobody tells"


def service(cluster: Cluster) -> str:
    (report,) = node_reports(cluster.client, [NODE], provider=cluster.provider)
    return report.service


def test_without_a_router_nobody_knows_whether_it_withdrew(cluster: Cluster) -> None:
    cluster.prepare()
    before = cluster.objects()
    blocked = cluster.run("drain", asked=False)
    assert blocked.status == "blocked" and "--router-probe" in blocked.hint
    assert cluster.told() == ["withdraw"], "its session is up"
    back = cluster.run("restore", asked=False)
    assert back.status == "done" and "nobody tells" in next(
        s.text for s in back.steps if s.step == "Announced"
    )
    assert cluster.objects() == before


def test_unprepared_it_is_the_guides_relabel_and_what_nobody_saw_is_assumed(cluster: Cluster) -> None:
    before = cluster.objects()
    lever = cluster.provider.lever(cluster.node())
    assert lever.effect is Effect.CLOSES and copies.PREPARE in lever.note
    drained = cluster.run("drain", asked=False)
    assert drained.status == "done" and cluster.told() == ["close"]
    evidence = journal(cluster).evidence
    assert evidence["assumed"] == UNSEEN and evidence["worstSeconds"] >= 120
    assert cluster.run("restore").status == "done"
    assert cluster.objects() == before


def test_a_lost_run_is_found_and_brought_back_by_what_the_policy_selects_by(cluster: Cluster) -> None:
    cluster.prepare()
    before = cluster.objects()
    assert cluster.run("drain").status == "done"
    gone = {ANNOTATION: None, "bgpctl.io/leave": None}
    cluster.client.patch(
        paths.node(NODE), {"metadata": {"annotations": gone}, "spec": {"unschedulable": None}}
    )
    cluster.client.delete(paths.lease("kube-system", f"bgpctl-node-{NODE}"))
    assert cluster.provider.state(NODE).told_out  # type: ignore[union-attr]
    assert cluster.run("restore").status == "done"
    assert cluster.objects() == before


# --- mistakes -----------------------------------------------------------------------------------------------


def test_a_second_policy_that_is_new_is_not_used(cluster: Cluster) -> None:
    cluster.prepare(wait=5)
    refused = cluster.run("drain")
    assert refused.status == "blocked" and "is new" in refused.message
    assert cluster.told() == []


def test_a_second_policy_that_differs_is_not_used_until_it_is_prepared_again(cluster: Cluster) -> None:
    cluster.prepare()
    change = [{"op": "replace", "path": "/spec/virtualRouters/0/neighbors/0/holdTimeSeconds", "value": 30}]
    cluster.client.patch(f"{paths.PEERING_POLICIES}/rack-1", change, "json")
    assert "differs" in cluster.provider.lever(cluster.node()).refusal
    assert [one.verb for one in cilium_copies.prepared(cluster.client) if one.verb != "keep"] == ["update"]
    cluster.prepare()
    assert not cluster.provider.lever(cluster.node()).refusal


def test_a_label_that_was_left_would_close_and_is_named(cluster: Cluster) -> None:
    cluster.prepare()
    cluster.label(**{policies.SESSIONS: policies.CLOSED})
    assert policies.SESSIONS in cluster.provider.lever(cluster.node()).refusal
    assert cluster.run("restore").status == "done"
    assert policies.SESSIONS not in cluster.node()["metadata"]["labels"]


def test_a_policy_of_somebody_else_under_that_name_is_left_alone(cluster: Cluster) -> None:
    other = seed.policy("192.0.2.9", 179)
    cluster.api.server.apply(
        {
            **other,
            "metadata": {"name": SECOND},
            "spec": {**other["spec"], "nodeSelector": {"matchLabels": {"nobody": "has"}}},
        }
    )
    assert "somebody else's" in cluster.provider.lever(cluster.node()).refusal
    with pytest.raises(BgpctlError, match="somebody else's"):
        cilium_copies.prepared(cluster.client)


def test_a_policy_that_selects_every_node_cannot_be_prepared(cluster: Cluster) -> None:
    cluster.client.patch(
        f"{paths.PEERING_POLICIES}/rack-1", [{"op": "remove", "path": "/spec/nodeSelector"}], "json"
    )
    (kept,) = cilium_copies.prepared(cluster.client)
    assert kept.verb == "keep" and "no label of ours" in kept.why
    assert "selects every node" in cluster.provider.lever(cluster.node()).refusal


def test_what_has_a_node_is_not_undone(cluster: Cluster) -> None:
    cluster.prepare()
    assert cluster.run("drain").status == "done"
    with pytest.raises(Blocked, match=NODE):
        cilium_copies.undone(cluster.client)
    assert cluster.run("restore").status == "done"
    cilium_copies.perform(cluster.client, cilium_copies.undone(cluster.client))
    assert [one["metadata"]["name"] for one in cluster.client.items(paths.PEERING_POLICIES)] == ["rack-1"]


def test_two_policies_that_select_by_values_of_one_label_keep_apart() -> None:
    first, second = seed.policy(ROUTER, 179), seed.policy("192.0.2.2", 179)
    second["metadata"] = {"name": "rack-2"}
    second["spec"]["nodeSelector"] = {"matchLabels": {"enable-bgp": "other"}}
    made = [policies.made_of(pair, "cilium.io/v2alpha1", 0.0) for pair in policies.pairs([first, second])]
    found = policies.pairs([first, second, *made])
    labels = {"enable-bgp": found[1].out}
    assert [pair.has_out(labels) for pair in found] == [False, True]
    assert [policies.selects(one, labels) for one in made] == [False, True]


BROKEN = (
    None,
    "x",
    3,
    [],
    {"virtualRouters": "x"},
    {"virtualRouters": [3]},
    {"nodeSelector": [1]},
    {"nodeSelector": {"matchLabels": {"a": 1}}},
    {"nodeSelector": {"matchExpressions": 1}},
)


@pytest.mark.parametrize("spec", BROKEN, ids=map(repr, BROKEN))
def test_a_policy_that_is_no_policy_costs_itself_only(cluster: Cluster, spec: Any) -> None:
    broken = {"metadata": {"name": "broken"}, "spec": spec}
    made = {
        "metadata": {"name": copies.copy_name("broken"), "labels": {copies.LABEL: copies.LABELLED}},
        "spec": spec,
    }
    good = cluster.client.get(f"{paths.PEERING_POLICIES}/rack-1")
    found = policies.pairs([broken, made, good])
    assert [pair.name for pair in found if pair.selects({**SELECTED})][-1] == "rack-1"
    assert not policies.same(found[0]) or not found[0].key


def pair(**spec: Any) -> policies.Pair:
    """Of a policy as a person wrote it, without a second one."""
    document = seed.policy(ROUTER, 179)
    document["spec"].update(spec)
    return policies.pairs([document])[0]


def test_a_policy_that_our_speaker_would_not_run_is_none_without_peers(cluster: Cluster) -> None:
    """Cilium takes it all the same: what it announces by it is not known, and nobody takes it for nothing."""
    path = f"{paths.PEERING_POLICIES}/rack-1"
    routers = cluster.client.get(path)["spec"]["virtualRouters"]
    routers[0]["serviceSelector"] = {"matchLabels": {"no key": "x"}}
    cluster.client.patch(path, {"spec": {"virtualRouters": routers}})
    with pytest.raises(Blocked, match="what node n1 announces is unknown: CiliumBGPPeeringPolicy rack-1"):
        cluster.provider.state(NODE)
    told = {state.node: state for state in cluster.provider.states() or ()}
    assert "no key" in told[NODE].unreadable
    (other,) = detect.others(cluster.client, NODE, "metallb")
    assert other.title == "Cilium" and "rack-1 is invalid" in other.unseen
    before = cluster.objects()
    blocked = cluster.run("drain", asked=False)
    assert blocked.status == "blocked" and "is unknown" in blocked.message
    assert cluster.objects() == before and cluster.told() == []


def test_the_second_policy_to_the_letter() -> None:
    """The same peers; no selector but those that it had selects anything, and no PodCIDR is announced."""
    routers = [
        {"localASN": 65001, "exportPodCIDR": True, "neighbors": [{"peerAddress": "192.0.2.1/32"}]},
        {"localASN": 65002, "podIPPoolSelector": {"matchLabels": {"a": "b"}}, "neighbors": []},
    ]
    terms = [{"key": "rack", "operator": "Exists"}]
    selector = {"matchLabels": {"enable-bgp": "true", "rack": "r1"}, "matchExpressions": terms}
    one = pair(virtualRouters=routers, nodeSelector=selector)
    made = policies.made_of(one, "cilium.io/v2alpha1", 1_795_860_000.0)
    assert made["metadata"] == {
        "name": SECOND,
        "labels": {copies.LABEL: copies.LABELLED},
        "annotations": {
            copies.MADE_FROM: copies.source(one.original),
            copies.MADE_AT: "2026-11-28T10:00:00Z",
        },
    }
    nobody = {"matchLabels": {"bgpctl.io/announced": "never"}}
    assert made["spec"] == {
        "nodeSelector": {
            "matchLabels": {"enable-bgp": "true.bgpctl-withdrawn", "rack": "r1"},
            "matchExpressions": [
                *terms,
                {"key": "bgpctl.io/sessions", "operator": "NotIn", "values": ["closed"]},
            ],
        },
        "virtualRouters": [
            {**routers[0], "exportPodCIDR": False, "serviceSelector": nobody},
            {**routers[1], "exportPodCIDR": False, "serviceSelector": nobody, "podIPPoolSelector": nobody},
        ],
    }
    assert one.original["spec"]["virtualRouters"] == routers, "the first is as it was"


@pytest.mark.parametrize(
    ("labels", "key", "value"),
    [
        ({"a": "x", "enable-bgp": "true"}, "enable-bgp", "true"),
        ({"b": "x", "a": "y"}, "a", "y"),
        ({"a": ""}, "", ""),
        ({"a": "v" * (63 - len(SECOND) + len("rack-1"))}, "a", "v" * (63 - len(SECOND) + len("rack-1"))),
        ({"a": "v" * 63}, "", ""),
        ({"kubernetes.io/hostname": "n1"}, "", ""),
    ],
    ids=["true goes before others", "by key", "empty", "as long as may be", "no room", "not ours"],
)
def test_the_label_that_takes_a_node_to_the_second_policy(
    labels: dict[str, str], key: str, value: str
) -> None:
    one = pair(nodeSelector={"matchLabels": labels})
    assert (one.key, one.value) == (key, value)


def test_a_policy_of_a_newer_cilium_selects_all_the_same() -> None:
    """A field that is not known here is none of the selector's."""
    assert policies.selects(pair(surprise=1).original, {**SELECTED})


def test_a_node_is_not_out_where_there_is_no_second_policy() -> None:
    """Somebody set the label by hand, or deleted the second one."""
    one = pair()
    assert not one.has_out({**SELECTED, one.key: one.out})


def test_a_policy_that_is_nested_too_deep_has_no_second_one() -> None:
    deep: dict[str, Any] = {}
    for _ in range(policies.DEEPEST):
        deep = {"a": deep}
    with pytest.raises(Unreadable, match=r"^spec"):
        policies.made_of(pair(extra=deep), "cilium.io/v2alpha1", 0.0)
    first = pair(extra=deep).original
    second = {"metadata": {"name": SECOND}, "spec": first["spec"]}
    assert not policies.same(policies.pairs([first, second])[0]), "whatever there is"


# --- beside our own speaker, which runs by the same kind ----------------------------------------------------


def beside(*, enabled: dict[str, str], version: str = "v1.18.3", there: bool = True) -> Look:
    """What our speaker sees on a node of such a Cilium. `there`: its network is on this node."""
    cluster = Cluster()
    image = f"quay.io/cilium/cilium:{version}@sha256:{'0' * 64}"
    agent = {"nodeName": NODE, "containers": [{"name": "cilium-agent", "image": image}]}
    spec, somebodys = {**agent, "hostNetwork": True}, {"name": "a", "namespace": "aa", "labels": CILIUM}
    pod = {"name": "cilium-x", "namespace": "cilium", "labels": CILIUM}
    config = {"name": "cilium-config", "namespace": "cilium"}
    cluster.api.server.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cilium"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": spec},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "aa"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": somebodys, "spec": agent},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": config, "data": enabled},
    )
    if not there:
        cluster.client.delete(f"{paths.CILIUM_NODES}/{NODE}")
    return detect.beside(cluster.client, NODE)


def test_our_speaker_sees_that_ciliums_agent_runs_by_its_policy() -> None:
    (found,) = beside(enabled={"enable-bgp-control-plane": "true"}).here
    assert (found.name, found.sign) == ("cilium", "which CiliumBGPPeeringPolicy rack-1 selects")
    told = decide(NODE, "", Looks(Look((found,))), serves=False, ran=False, allowed=False).waits
    assert "enable-bgp-control-plane to false in the ConfigMap cilium/cilium-config" in told
    assert "node drain" not in told and f"kubectl label node {NODE} bgpctl.io/stack=bgpctl" in told


@pytest.mark.parametrize(
    "known",
    [
        {"enabled": {"enable-bgp-control-plane": "false"}},
        {"enabled": {}},
        {"enabled": {"enable-bgp-control-plane": "true"}, "version": "v1.19.0"},
        {"enabled": {"enable-bgp-control-plane": "true"}, "there": False},
    ],
    ids=["its BGP is off", "nothing is said of it", "too new for the kind", "Cilium is not on the node"],
)
def test_our_speaker_begins_beside_ciliums_network(known: dict[str, Any]) -> None:
    assert beside(**known) == Look(elsewhere=beside(**known).elsewhere)


def test_our_speaker_that_may_not_see_how_cilium_is_set_up_knows_nothing() -> None:
    cluster = Cluster()
    wire = direct.Wire(cluster.api)
    wire.before = lambda asked: direct.refused(403) if asked.path.startswith(paths.PODS) else None  # type: ignore[assignment]
    with pytest.raises(ApiError):
        detect.beside(wire.client(), NODE)

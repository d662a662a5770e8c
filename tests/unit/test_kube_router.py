"""kube-router: what its arguments and a Node's annotations tell, and the drain that it cannot have."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from bgpctl.core.drain.lever import Effect
from bgpctl.core.kube_router import UNTOLD, Peer, _flags, node_state, read_peers, read_settings
from bgpctl.core.model import Session, SessionState
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.state import NodeState, PeerState
from bgpctl.core.timing.withdrawal import Close
from bgpctl.errors import Blocked
from bgpctl.kube import paths
from bgpctl.kube.client import Client
from bgpctl.providers import detect
from bgpctl.providers.kube_router import KubeRouter
from bgpctl.providers.summary import summaries
from bgpctl.render.peers import restart
from tests.support import direct, objects

PEERS = "kube-router.io/peers"
GLOBAL = ("--peer-router-ips=192.0.2.1,192.0.2.2", "--peer-router-asns=65000,65000")
GRACEFUL = ("--bgp-graceful-restart=true",)


def daemonset(*arguments: str, name: str = "kube-router", image: str = "", **pod: Any) -> dict[str, Any]:
    container = {
        "name": name,
        "image": image or "docker.io/cloudnativelabs/kube-router:v2.11.1",
        "args": list(arguments),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": name}},
            "template": {
                "metadata": {"labels": {"k8s-app": name}},
                "spec": {"hostNetwork": True, "containers": [container], **pod},
            },
        },
    }


def cluster(*documents: dict[str, Any]) -> Client:
    """Without any custom resource."""
    api = direct.Api()
    api.server.apply(objects.node("n1"), objects.node("n2"), *documents)
    return direct.Wire(api).client()


def asked(client: Client) -> Any:
    return KubeRouter(client).lever(client.get(paths.node("n1")))


# --- what is told -------------------------------------------------------------------------------------------


def test_global_peers_and_the_defaults() -> None:
    settings = read_settings(daemonset("--run-router=true", *GLOBAL))
    assert settings is not None
    assert (settings.asn, settings.hold_time, settings.restart_time) == (64512, 90, None)
    assert settings.peers == (Peer("192.0.2.1", 65000), Peer("192.0.2.2", 65000))


def test_arguments_as_people_write_them() -> None:
    settings = read_settings(
        daemonset(
            "--peer-router-ips",
            "2001:db8::1",
            "--peer-router-asns",
            "4200000000",
            "--peer-router-ports=1179",
            "--cluster-asn=64600",
            "--bgp-graceful-restart",
            "--bgp-graceful-restart-time=1m30s",
            "--bgp-holdtime=30s",
            name="kr",
        )
    )
    assert settings is not None
    assert (settings.asn, settings.hold_time, settings.restart_time) == (64600, 30, 90)
    assert settings.peers == (Peer("2001:db8::1", 4200000000, 1179),)


@pytest.mark.parametrize(
    ("arguments", "graceful"),
    [
        (("--bgp-graceful-restart",), True),
        (("--bgp-graceful-restart=1",), True),
        (("--bgp-graceful-restart=T",), True),
        (("--bgp-graceful-restart", "--run-router"), True),
        (("--bgp-graceful-restart=0",), False),
        (("--bgp-graceful-restart", "false"), False),
        (("bgp-graceful-restart",), False),
    ],
)
def test_a_switch_is_read_as_go_reads_one(arguments: tuple[str, ...], graceful: bool) -> None:
    settings = read_settings(daemonset(*arguments))
    assert settings is not None and (settings.restart_time == 90) is graceful


def test_arguments_may_stand_in_the_command() -> None:
    made = daemonset(*GLOBAL)
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["kube-router", "--cluster-asn", "4294967295", "--bgp-holdtime=30s500ms"]
    settings = read_settings(made)
    assert settings is not None
    assert (settings.asn, settings.hold_time, len(settings.peers)) == (4294967295, 31, 2)
    zero = read_settings(daemonset("--cluster-asn=0"))
    assert zero is not None and (zero.asn, zero.peers) == (64512, ())


def test_a_hundred_peers_are_read_and_no_more() -> None:
    def of(count: int) -> Any:
        ips = ",".join(f"192.0.2.{number}" for number in range(count))
        return read_settings(
            daemonset(f"--peer-router-ips={ips}", "--peer-router-asns=" + ",".join("1" * count))
        )

    assert of(100).peers[99] == Peer("192.0.2.99", 1)
    with pytest.raises(Unreadable, match="101 peers"):
        of(101)


def test_what_is_not_it_is_none() -> None:
    assert read_settings(daemonset(*GLOBAL, name="web", image="docker.io/library/web:1")) is None
    assert read_settings(daemonset(*GLOBAL, hostNetwork=False)) is None
    assert read_settings(daemonset(*GLOBAL, "--run-router=false")) is None
    assert read_settings(daemonset(name="kr", image="reg:5000/kube-router@sha256:0")) is not None


def test_peers_of_a_node_in_both_ways_to_write_them() -> None:
    settings = read_settings(daemonset())
    assert settings is not None
    listed = [{"remoteip": "192.0.2.1", "remoteasn": 65000, "port": 1179, "localip": "10.0.0.1"}]
    assert read_peers(objects.node("n"), settings, listed) == (Peer("192.0.2.1", 65000, 1179, "10.0.0.1"),)
    older = {"kube-router.io/peer.ips": "192.0.2.1, 192.0.2.2", "kube-router.io/peer.asns": "65000,65001"}
    found = read_peers(objects.node("n", annotations=older), settings, None)
    assert [(one.address, one.asn, one.port) for one in found] == [
        ("192.0.2.1", 65000, 179),
        ("192.0.2.2", 65001, 179),
    ]
    full = {
        "kube-router.io/peer.ips": "192.0.2.1,2001:db8::1",
        "kube-router.io/peer.asns": "65000,65001",
        "kube-router.io/peer.ports": "1179, 65535",
        "kube-router.io/peer.localips": "10.0.0.1,",
    }
    assert read_peers(objects.node("n", annotations=full), settings, None) == (
        Peer("192.0.2.1", 65000, 1179, "10.0.0.1"),
        Peer("2001:db8::1", 65001, 65535, ""),
    )
    assert read_peers(objects.node("n"), settings, None) == ()
    assert read_peers(objects.node("n", annotations={"kube-router.io/peer.ips": " "}), settings, None) == ()


def test_a_nodes_state_is_its_configuration_and_nothing_of_its_sessions() -> None:
    settings = read_settings(daemonset("--bgp-holdtime=31s", *GRACEFUL))
    assert settings is not None
    listed = [{"remoteip": "192.0.2.1", "remoteasn": 65000, "port": 1179, "localip": "10.0.0.1"}]
    session = Session(
        "192.0.2.1",
        SessionState.UNKNOWN,
        local_address=ip_address("10.0.0.1"),
        gr_told=False,
        end_of_rib=None,
    )
    peer = PeerState(
        "192.0.2.1",
        "192.0.2.1",
        1179,
        65000,
        64512,
        session,
        configured_restart_time=90,
        configured_hold_time=31,
        configured_keepalive_time=10,
        intended=None,
        announced=None,
    )
    told = {"problems": (UNTOLD,), "intended": None, "announced": None, "peers": (peer,), "lag": 0.0}
    by = {"selected_by": "kube-router", "selected_by_kind": "DaemonSet"}
    assert node_state(objects.node("n1"), settings, listed) == NodeState("n1", phase="", **by, **told)
    alone = NodeState("n1", phase="", intended=None, announced=0, lag=0.0)
    assert node_state(objects.node("n1"), settings, None) == alone


@pytest.mark.parametrize(("arguments", "shown"), [(GRACEFUL, "90 s offered"), ((), "off")])
def test_graceful_restart_is_what_its_arguments_offer(arguments: tuple[str, ...], shown: str) -> None:
    settings = read_settings(daemonset(*GLOBAL, *arguments))
    assert settings is not None
    assert [restart(one) for one in node_state(objects.node("n1"), settings, None).peers] == [shown] * 2


def test_global_peers_hide_those_of_a_node() -> None:
    settings = read_settings(daemonset(*GLOBAL))
    assert settings is not None
    assert len(read_peers(objects.node("n"), settings, [{"remoteip": "192.0.2.9", "remoteasn": 1}])) == 2


def test_a_nodes_state_says_that_no_session_is_known() -> None:
    text = "- remoteip: 192.0.2.1\n  remoteasn: 65000\n"
    client = noted(daemonset(*GRACEFUL), {PEERS: text, "kube-router.io/node.asn": "65001"})
    state = KubeRouter(client).state("n1")
    assert state is not None
    (one,) = state.peers
    assert (one.asn, one.local_asn, one.configured_restart_time) == (65000, 65001, 90)
    assert one.session.state is SessionState.UNKNOWN and "tells nobody" in state.problems[0]
    states = {each.node: each for each in KubeRouter(client).states() or ()}
    assert (len(states["n1"].peers), states["n2"].peers) == (1, ())
    assert KubeRouter(client).states(("n2", "n3")) == (states["n2"],)


def noted(made: dict[str, Any], annotations: dict[str, str]) -> Client:
    client = cluster(made)
    client.patch(paths.node("n1"), {"metadata": {"annotations": annotations}})
    return client


def test_only_where_its_daemonset_runs() -> None:
    client = cluster(daemonset(*GLOBAL, nodeSelector={"bgp": "yes"}))
    assert KubeRouter(client).state("n1") is None
    client.patch(paths.node("n1"), {"metadata": {"labels": {"bgp": "yes"}}})
    state = KubeRouter(client).state("n1")
    assert state is not None and len(state.peers) == 2


# --- the drain ----------------------------------------------------------------------------------------------


def test_a_drain_is_refused_with_what_stopping_its_pod_costs() -> None:
    lever = asked(cluster(daemonset(*GLOBAL, *GRACEFUL)))
    assert (lever.policies, lever.effect, lever.close) == (("kube-router",), Effect.NOTHING, Close.SILENT)
    assert "has nothing by which one node withdraws" in lever.refusal
    assert "wait 95 s" in lever.refusal and "192.0.2.1: No NOTIFICATION ends the session" in lever.refusal


def test_without_graceful_restart_that_is_soon_over() -> None:
    assert "wait 5 s" in asked(cluster(daemonset(*GLOBAL))).refusal


def test_a_node_without_a_router_may_leave() -> None:
    assert asked(cluster(daemonset())).policies == ()


def test_it_is_found_where_nobody_else_is() -> None:
    client = cluster(daemonset(*GLOBAL, *GRACEFUL))
    assert detect.look(client).stacks == ("kube-router",)
    (row,) = summaries(client)
    assert (row.provider, row.nodes, row.version, row.lever) == ("kube-router", 2, "v2.11.1", "nothing")
    assert detect.look(cluster()).stacks == ("bgpctl",)


# --- hostile ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=65000,65001"),
        ("--peer-router-ips=tor.example", "--peer-router-asns=65000"),
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=many"),
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=-1"),
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=99999999999"),
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=4294967296"),
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=0"),
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=²"),
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=1", "--peer-router-ports=0"),
        ("--peer-router-ips=192.0.2.1", "--peer-router-asns=1", "--peer-router-ports=65536"),
        (*GLOBAL, "--peer-router-ports=179"),
        ("--bgp-holdtime=soon",),
        (*GRACEFUL, "--bgp-graceful-restart-time=-1"),
        ("--cluster-asn=one",),
    ],
)
def test_arguments_that_cannot_be_read_are_named(arguments: tuple[str, ...]) -> None:
    with pytest.raises(Unreadable):
        read_settings(daemonset(*arguments))
    with pytest.raises(Blocked, match="the DaemonSet kube-system/kube-router cannot be read"):
        KubeRouter(cluster(daemonset(*arguments))).states()


@pytest.mark.parametrize(
    "text",
    [
        "- remoteip: [",
        "remoteip: 192.0.2.1",
        "- 5",
        "- remoteasn: 65000",
        "- remoteip: 192.0.2.1\n  remoteasn: many",
        "- remoteip: 192.0.2.1\n  remoteasn: 65000\n  port: 0",
        "- remoteip: 192.0.2.1\n  remoteasn: 0",
        "&a [*a, *a]",
        "x" * 100_000,
    ],
)
def test_an_annotation_that_cannot_be_read_costs_its_node(text: str) -> None:
    client = noted(daemonset(), {PEERS: text})
    states = {one.node: one for one in KubeRouter(client).states() or ()}
    assert "its peers cannot be read" in states["n1"].unreadable and not states["n2"].unreadable
    with pytest.raises(Blocked, match="what node n1 announces is unknown"):
        asked(client)


def test_a_daemonset_of_somebody_else_that_cannot_be_read_is_nobodys_business() -> None:
    odd = daemonset(*GLOBAL, name="web", image="web:1")
    odd["spec"]["template"]["spec"]["containers"][0]["args"] = ["--x"] * 1001
    client = cluster(odd, daemonset(*GLOBAL))
    assert len(KubeRouter(client).settings()) == 1


def test_a_daemonset_of_which_no_pod_is_let_in_refuses_nobodys_drain() -> None:
    """Whoever may write one in a namespace of his own named routers on every node, and all drains were
    refused (issue 7). The status is the controller's."""
    made = daemonset(*GLOBAL)
    for status, counts in (
        ({}, True),
        ({"observedGeneration": 1, "currentNumberScheduled": 2}, True),
        ({"observedGeneration": 1, "currentNumberScheduled": 0}, False),
    ):
        assert (read_settings({**made, "status": status}) is not None) is counts


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        (("--a=1", "--b", "2", "--c", "--d=", "-x", "word"), {"a": "1", "b": "2", "c": "true", "d": ""}),
        (("--last",), {"last": "true"}),
        (("word", "-a=1"), {}),
        (("--a", "--b"), {"a": "true", "b": "true"}),
        ((), {}),
    ],
)
def test_flags_as_its_command_line_reads_them(words: tuple[str, ...], flags: dict[str, str]) -> None:
    assert _flags(words) == flags

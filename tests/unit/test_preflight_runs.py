"""A preflight from its first look to its report, on a clock that only tests move: nobody waits for it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from bgpctl.core.model import SessionState
from bgpctl.core.preflight.observed import observed
from bgpctl.core.preflight.pulling import pod
from bgpctl.core.preflight.verdict import Case, Measured, Verdict, Word
from bgpctl.core.state import WithdrawnRecord, timestamp
from bgpctl.core.state_document import to_document
from bgpctl.core.timing.profiles import find_profile
from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, Exit, UsageError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError
from bgpctl.lab.api import auth
from bgpctl.lab.api.requests import Answer
from bgpctl.providers.bgpctl import Bgpctl
from bgpctl.queries import preflight as queries
from bgpctl.queries.preflight import Asked, Report, preflight
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import ANNOTATION, dump
from bgpctl.witness.neighbors import RouterReport
from tests.support import direct, objects
from tests.support.doctor_cases import side
from tests.support.moved import IMAGE, LABELS, NODES, Moved, World
from tests.support.snapshots import journal

Document = dict[str, Any]

BIRD = {"192.0.2.1": find_profile("bird")}
ASKED = Asked(
    IMAGE, profiles=BIRD, typed=CommandLine(("bgpctl", "preflight", "upgrade", "--canary", "worker-1"))
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(queries, "Clock", lambda client: Moved(made))
    yield made
    assert made.pods() == [], "whatever came of it, nothing is left"


def run(world: World, **changes: Any) -> Report:
    client = world.wire.client()
    return preflight(client, Bgpctl(client), replace(ASKED, **changes), world.said.append)


def by_node(report: Report) -> Mapping[str, Case]:
    return {one.node: one.case for one in report.judged}


def verdicts(report: Report) -> Mapping[str, Verdict]:
    return {one.node: one.verdict for one in report.judged}


def refuse(resource: str, verb: str, answer: Answer | Exception, times: int = 1000) -> direct.Before:
    """The first so many of these requests get this answer."""
    left = [times]

    def before(asked: direct.Asked) -> Answer | None:
        if (asked.resource, asked.verb) != (resource, verb) or not left[0]:
            return None
        left[0] -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    return before


# --- pulls ------------------------------------------------------------------------------------------------


def test_every_node_pulls_and_fits(world: World) -> None:
    report = run(world)
    assert report.exit_code is Exit.DONE
    assert (report.image, report.provider, report.late, report.canary) == (IMAGE, "bgpctl", (), "")
    assert verdicts(report) == dict.fromkeys(NODES, Verdict.FITS)
    assert {one.pull for one in by_node(report).values()} == {Measured(0.4, Word.REPORTED, "by its kubelet")}
    assert world.said == [
        f"pulling {IMAGE} on 2 nodes, pods in namespace kube-system",
        "worker-1: pulled in 0.4 s",
        "worker-2: pulled in 0.4 s",
    ]


def test_the_restart_is_that_of_the_last_start(world: World) -> None:
    report = run(world)
    how = "last start of its speaker, until its sessions were up"
    assert by_node(report)["worker-1"].restart == Measured(pytest.approx(5.0), Word.REPORTED, how)


def test_a_session_that_was_down_since_the_start_tells_no_restart(world: World) -> None:
    """A drain and a restore minutes later, or a flap: that is not how long a restart takes."""
    now = world.state("worker-1")
    after = now.started_at + 1
    left = WithdrawnRecord("leave", after, after, after, ())
    flapped = replace(now.peers[0], session=replace(now.peers[0].session, flaps=1))
    for state in (replace(now, withdrawn=left), replace(now, peers=(flapped,))):
        assert observed([], state).seconds is None
    before = replace(left, observed_at=now.started_at - 60)
    assert observed([], replace(now, withdrawn=before)).seconds == pytest.approx(5.0)


def test_one_node_is_too_slow(world: World) -> None:
    world.speaks("worker-2", restart_time=5)
    report = run(world)
    assert report.exit_code is Exit.FAILED
    assert verdicts(report) == {"worker-1": Verdict.FITS, "worker-2": Verdict.TOO_SLOW}


def test_an_image_that_no_registry_has(world: World) -> None:
    world.api.server.images.missing.add(IMAGE)
    report = run(world, nodes=("worker-1",))
    one = by_node(report)["worker-1"]
    assert one.failed.startswith("ErrImagePull: ") and one.pull.how == one.failed
    assert world.said[-1] == "worker-1: not pulled"
    assert report.exit_code is Exit.FAILED


def test_time_is_up_while_a_node_pulls(world: World) -> None:
    world.api.server.images.seconds["worker-2", IMAGE] = 60.0
    report = run(world, timeout=3.0)
    assert report.exit_code is Exit.DEADLINE and report.late == ("worker-2",)
    assert by_node(report)["worker-2"].pull == Measured(how="time was up before it ended", least=3.0)
    assert verdicts(report) == {"worker-1": Verdict.FITS, "worker-2": Verdict.UNKNOWN}


def test_no_more_than_twenty_pull_at_once_and_time_is_up_for_the_rest(world: World) -> None:
    names = tuple(f"n{number:02}" for number in range(23))
    for name in names:
        world.node(name)
    world.api.server.images.seconds[IMAGE] = 60.0
    most: list[int] = []
    world.on_sleep = lambda w: most.append(len(w.pods()))
    report = run(world, nodes=names, profiles={}, timeout=2.0)
    assert max(most) == 20
    hows = [one.pull.how for one in by_node(report).values()]
    assert hows == ["time was up before it ended"] * 20 + ["time was up before it began"] * 3
    assert report.late == names


def test_the_next_one_begins_when_one_is_done(world: World) -> None:
    names = tuple(f"n{number:02}" for number in range(23))
    for name in names:
        world.node(name)
    report = run(world, nodes=names, profiles={})
    assert report.late == () and {one.pull.seconds for one in by_node(report).values()} == {0.4}


def test_a_pod_that_somebody_else_removes(world: World) -> None:
    world.api.server.images.seconds[IMAGE] = 60.0
    client = direct.Wire(world.api).client()

    def remove(w: World) -> None:
        for one in w.pods():
            client.delete(paths.pod("kube-system", one["metadata"]["name"]), {"gracePeriodSeconds": 0})

    world.at[1.0] = remove
    report = run(world, nodes=("worker-1",))
    assert by_node(report)["worker-1"].pull == Measured(how="somebody else removed its pod")
    assert report.late == ()


def test_a_node_that_does_not_take_the_pod(world: World) -> None:
    world.api.server.images.seconds[IMAGE] = 60.0
    client = direct.Wire(world.api).client()

    def refuse_it(w: World) -> None:
        (one,) = w.pods()
        status = {"status": {"phase": "Failed", "reason": "OutOfpods", "message": "too many"}}
        client.patch(f"{paths.pod('kube-system', one['metadata']['name'])}/status", status)

    world.at[1.0] = refuse_it
    one = by_node(run(world, nodes=("worker-1",)))["worker-1"]
    assert one.pull == Measured(how="the node did not run the pod: OutOfpods: too many") and not one.failed


@pytest.mark.parametrize("answer", [direct.refused(403), direct.refused(503)])
def test_without_the_kubelets_word_it_is_an_estimate(world: World, answer: Answer) -> None:
    world.wire.before = refuse("events", "list", answer)
    pull = by_node(run(world, nodes=("worker-1",)))["worker-1"].pull
    how = "from the order for its pod until the image was there: its kubelet told no time"
    assert pull == Measured(1.0, Word.ESTIMATED, how)
    assert world.past == pytest.approx(4.0), "the kubelet was given its time to say it"


def test_the_kubelets_word_comes_later(world: World) -> None:
    """The pod's status and its event are two writes."""
    world.wire.before = lambda asked: (
        direct.refused(403) if asked.resource == "events" and world.past < 3.0 else None
    )
    pull = by_node(run(world, nodes=("worker-1",)))["worker-1"].pull
    assert (pull.seconds, pull.word) == (0.4, Word.REPORTED)
    assert world.past == pytest.approx(3.0)


def test_a_node_that_is_not_ready_pulls_nothing(world: World) -> None:
    world.node("worker-2", ready=False)
    world.node("worker-3", ready=None)
    report = run(world, nodes=("worker-1", "worker-2", "worker-3"))
    assert by_node(report)["worker-2"].pull == Measured(how="the node is not Ready: no kubelet would pull it")
    assert by_node(report)["worker-3"].pull.seconds == 0.4, "a node that does not say is asked"
    assert world.said[0].startswith(f"pulling {IMAGE} on 2 nodes")


# --- an API server in trouble -----------------------------------------------------------------------------


def test_a_creation_that_is_not_answered_is_tried_again(world: World) -> None:
    world.wire.before = refuse("pods", "create", direct.refused(503), times=1)
    assert run(world).exit_code is Exit.DONE


def test_a_list_that_is_not_answered_is_tried_again(world: World) -> None:
    """The look before it is over, by the label of this run alone."""
    busy = refuse("pods", "list", direct.refused(503), times=2)
    world.wire.before = lambda asked: busy(asked) if "run=" in asked.query.get("labelSelector", "") else None
    assert run(world).exit_code is Exit.DONE


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        (403, Blocked, "the API server takes no pod of a preflight in namespace kube-system: refused by"),
        (404, UsageError, "namespace kube-system does not exist"),
    ],
)
def test_a_creation_that_is_refused(world: World, code: int, error: type[BgpctlError], told: str) -> None:
    world.wire.before = refuse("pods", "create", direct.refused(code))
    with pytest.raises(error, match=told):
        run(world)


def test_what_cannot_be_removed_at_once_is_removed_at_the_end(world: World) -> None:
    world.wire.before = refuse("pods", "delete", direct.refused(503), times=3)
    assert run(world).exit_code is Exit.DONE
    assert not [line for line in world.said if "warning" in line]


def test_what_cannot_be_removed_at_all_is_said(world: World) -> None:
    world.wire.before = refuse("pods", "delete", direct.refused(503, message="no"))
    assert run(world, nodes=("worker-1",)).exit_code is Exit.DONE
    warning = world.said[-1]
    assert warning.startswith("warning: pods of this preflight may be left (")
    assert warning.endswith(
        "; another preflight removes them, or: kubectl delete pod -n kube-system "
        "-l app.kubernetes.io/name=bgpctl-preflight"
    )
    assert len(world.pods()) == 1
    world.wire.before = lambda asked: None
    assert run(world, nodes=("worker-1",)).exit_code is Exit.DONE
    assert "removed 1 pod that an earlier preflight left" in world.said


SOMEBODY = "eve@elsewhere:7/feed-12345678.1"


def begun(world: World, by: str = SOMEBODY, run_name: str = "0000") -> None:
    """Another run lets the first node pull."""
    body = pod(IMAGE, "worker-1", run_name, 660, by=by)
    direct.Wire(world.api).client().create("/api/v1/namespaces/kube-system/pods", body)


def end_all(world: World) -> None:
    for one in world.pods():
        path = f"/api/v1/namespaces/kube-system/pods/{one['metadata']['name']}"
        direct.Wire(world.api).client().delete(path, {"gracePeriodSeconds": 0})


def test_while_another_one_pulls_nothing_is_begun(world: World) -> None:
    begun(world)
    with pytest.raises(Blocked, match=r"another preflight pulls images, eve@elsewhere:7 for \d s") as told:
        run(world)
    assert told.value.exit_code is Exit.BLOCKED
    assert told.value.hint.endswith(
        "kubectl delete pod -n kube-system -l app.kubernetes.io/name=bgpctl-preflight"
    )
    assert len(world.pods()) == 1, "its pod is left alone"
    end_all(world)


def test_of_two_that_begin_at_once_the_first_goes_on(world: World) -> None:
    """Neither saw a pod of the other before it made one."""
    for name, wins in (("0000", False), ("zzzz", True)):
        left = [1]

        def before(asked: direct.Asked, name: str = name, left: list[int] = left) -> Answer | None:
            if (asked.resource, asked.verb) == ("pods", "create") and left and left.pop():
                begun(world, run_name=name)
            return None

        world.wire.before = before
        if wins:
            assert run(world).exit_code is Exit.DONE
        else:
            with pytest.raises(Blocked, match="another preflight"):
                run(world)
        assert [one["metadata"]["labels"]["bgpctl.io/run"] for one in world.pods()] == [name]
        end_all(world)


def test_what_nobody_can_be_at_any_more_is_removed(world: World) -> None:
    """A process of this machine that is gone; a time that is over."""
    begun(world, by=lease.identity("feed").replace(f":{os.getpid()}/", ":9999999/"))
    assert run(world).exit_code is Exit.DONE
    begun(world)
    world.api.time.now += 700
    for name in NODES:
        world.speaks(name)
    assert run(world).exit_code is Exit.DONE
    assert world.said.count("removed 1 pod that an earlier preflight left") == 2


def test_what_two_earlier_ones_left(world: World) -> None:
    world.wire.before = refuse("pods", "delete", direct.refused(503))
    run(world)
    world.wire.before = lambda asked: None
    run(world)
    assert "removed 2 pods that an earlier preflight left" in world.said


def test_interrupted_while_a_creation_is_under_way_the_pod_is_waited_for(world: World) -> None:
    """The API server carries it out when we have looked once already."""
    other = direct.Wire(world.api).client()
    late: list[direct.Asked] = []

    def before(asked: direct.Asked) -> Answer | None:
        if (asked.resource, asked.verb) == ("pods", "create"):
            late.append(asked)
            raise KeyboardInterrupt
        return None

    world.wire.before = before
    world.at[1.0] = lambda w: other.create(late[0].path, late[0].document) and None
    with pytest.raises(KeyboardInterrupt):
        run(world, nodes=("worker-1",))
    assert world.past == pytest.approx(1.0) and not late[1:]
    assert not [line for line in world.said if "warning" in line]


@pytest.mark.parametrize("codes", [(404, 409), (409, 404)])
def test_a_pod_that_was_exchanged_meanwhile_is_left_alone(world: World, codes: tuple[int, int]) -> None:
    """One of the same name is somebody else's: 409, and it counts as removed by others."""
    asked: list[Any] = []

    def before(request: direct.Asked) -> Answer | None:
        if (request.resource, request.verb) != ("pods", "delete") or len(asked) > 1:
            return None
        asked.append(request.document)
        return direct.refused(codes[len(asked) - 1])

    world.wire.before = before
    assert run(world, nodes=("worker-1",)).exit_code is Exit.DONE
    (uid,) = {one["preconditions"]["uid"] for one in asked}
    assert uid and asked[0]["gracePeriodSeconds"] == 0


def test_another_refusal_to_remove_is_said(world: World) -> None:
    refused = refuse("pods", "delete", direct.refused(422, message="no"))
    world.wire.before = refused
    with pytest.raises(ApiError, match="no"):
        run(world, nodes=("worker-1",))
    assert world.said[-1].startswith("warning: pods of this preflight may be left (")
    world.wire.before = lambda asked: None
    run(world, nodes=("worker-1",))


def test_the_estimate_counts_from_the_order_for_the_pod(world: World) -> None:
    """For a node that waits its turn, not from the beginning."""
    world.wire.before = refuse("events", "list", direct.refused(403))
    names = tuple(f"n{number:02}" for number in range(21))
    for name in names:
        world.node(name)
    hows = [one.pull.seconds for one in by_node(run(world, nodes=names, profiles={})).values()]
    assert hows == [1.0] * 21


# --- which nodes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, NODES),
        ({"nodes": ("worker-2", "worker-1", "worker-2")}, ("worker-2", "worker-1")),
        ({"selector": "rack=1"}, ("a-node", "worker-2")),
    ],
)
def test_which_nodes_are_judged(world: World, asked: Mapping[str, Any], names: tuple[str, ...]) -> None:
    world.node("worker-2", labels={"rack": "1"})
    world.node("a-node", labels={"rack": "1"})
    assert tuple(one.node for one in run(world, **asked).judged) == names


def test_a_node_counts_by_its_pod_or_by_what_its_speaker_says(world: World) -> None:
    world.node("silent")
    world.daemon_set()
    world.speaks("gone")
    assert tuple(verdicts(run(world))) == ("silent", *NODES)


@pytest.mark.parametrize(
    ("asked", "error", "told"),
    [
        ({"nodes": ("worker-1", "worker-9")}, UsageError, "worker-9"),
        ({"canary": "worker-9"}, UsageError, "worker-9"),
        ({"selector": "rack=9"}, UsageError, "no node has the labels rack=9"),
        (
            {"profiles": {"192.0.2.9": BIRD["192.0.2.1"]}},
            UsageError,
            "--peer-profile 192.0.2.9: none of these",
        ),
    ],
)
def test_what_does_not_exist(
    world: World, asked: Mapping[str, Any], error: type[BgpctlError], told: str
) -> None:
    with pytest.raises(error, match=told):
        run(world, **asked)
    assert not [asked for asked in world.wire.sent if asked.writes and "reviews" not in asked.path]


def test_it_runs_nowhere(world: World) -> None:
    client = direct.Wire(world.api).client()
    for name in NODES:
        client.delete(paths.node_state(name))
    with pytest.raises(BgpctlError, match="bgpctl runs on no node that can be seen") as raised:
        run(world)
    assert raised.value.exit_code is Exit.FAILED


@pytest.mark.parametrize(
    ("name", "told", "hint"),
    [
        ("cilium and metallb", "both speak BGP here", "say --provider cilium or --provider metallb"),
        ("somebody", "in which pods somebody speaks BGP is not known", "choose them with --pod-selector"),
    ],
)
def test_whose_image_it_is_has_to_be_clear(world: World, name: str, told: str, hint: str) -> None:
    class Named(Bgpctl):
        pass

    client = world.wire.client()
    named = Named(client)
    named.name = name  # type: ignore[misc]
    with pytest.raises(UsageError, match=told) as raised:
        preflight(client, named, ASKED, world.said.append)
    assert raised.value.hint == hint
    assert preflight(client, named, replace(ASKED, pod_selector="a=b"), world.said.append).provider == name


def test_the_rights_that_are_missing_are_named_before_anything_is_done(world: World) -> None:
    world.api.server.rights = ("get *", "list *", "watch *")
    world.wire.user = auth.PERSON
    with pytest.raises(Blocked, match="the right to create pods, delete pods in namespace kube-system"):
        run(world)


# --- the stack's own pods ---------------------------------------------------------------------------------


def test_the_pods_pull_where_the_stacks_own_are_and_as_they_do(world: World) -> None:
    world.daemon_set(imagePullSecrets=[{"name": "registry"}, {"name": "registry"}, 7, {"name": 7}])
    seen: list[Document] = []
    world.on_sleep = lambda w: seen.extend(w.pods())
    run(world)
    assert {one["metadata"]["namespace"] for one in seen} == {"bgp"}
    assert seen[0]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert seen[0]["spec"]["activeDeadlineSeconds"] == 660
    assert world.said[0].endswith("pods in namespace bgp")


def test_in_another_namespace_its_secrets_are_not_there(world: World) -> None:
    world.daemon_set()
    seen: list[Document] = []
    world.on_sleep = lambda w: seen.extend(w.pods())
    run(world, namespace="kube-system")
    assert {one["metadata"]["namespace"] for one in seen} == {"kube-system"}
    assert "imagePullSecrets" not in seen[0]["spec"]


def test_who_only_has_the_labels_is_not_asked(world: World) -> None:
    world.daemon_set(hostNetwork=False)
    run(world)
    assert world.said[0].endswith("pods in namespace kube-system")


def test_whoever_is_chosen_by_a_selector_counts(world: World) -> None:
    world.daemon_set(hostNetwork=False)
    run(world, pod_selector="app.kubernetes.io/name=bgpctl-speaker")
    assert world.said[0].endswith("pods in namespace bgp")


# --- what is told -----------------------------------------------------------------------------------------


def doubt(report: Report, node: str = "worker-1") -> str:
    return by_node(report)[node].doubt


def test_a_silent_speaker(world: World) -> None:
    world.speaks("worker-1")
    world.api.time.move(200)
    world.speaks("worker-2")
    report = run(world)
    assert doubt(report).startswith("its speaker has not reported for 2") and not doubt(report, "worker-2")
    assert verdicts(report)["worker-1"] is Verdict.UNKNOWN


def test_a_state_that_cannot_be_read(world: World) -> None:
    def broken(asked: direct.Asked, answer: Answer) -> Answer | None:
        if asked.path != paths.NODE_STATES:
            return None
        listed = json.loads(answer.body)
        listed["items"][0]["status"] = 7
        return replace(answer, body=json.dumps(listed).encode())

    world.wire.after = broken
    report = run(world)
    assert doubt(report).startswith("what its speaker published cannot be read: ")


def test_a_node_that_should_have_sessions_and_of_which_nobody_tells(world: World) -> None:
    client = direct.Wire(world.api).client()
    client.delete(paths.node_state("worker-1"))
    world.api.server.apply(objects.policy(objects.router(objects.neighbor("192.0.2.1/32"))))
    report = run(world, nodes=NODES)
    assert doubt(report) == "nobody tells of its sessions, and it should have some"


def test_a_node_of_which_nobody_expects_any(world: World) -> None:
    world.node("worker-3", labels={})
    report = run(world, nodes=("worker-3",), profiles={})
    assert doubt(report, "worker-3") == "" and verdicts(report)["worker-3"] is Verdict.FITS


@pytest.mark.parametrize(
    ("state_", "down"),
    [(SessionState.ESTABLISHED, ""), (SessionState.UNKNOWN, ""), (SessionState.ACTIVE, "active")],
)
def test_a_session_that_is_down(world: World, state_: SessionState, down: str) -> None:
    world.speaks("worker-1", session={"state": state_})
    assert by_node(run(world))["worker-1"].peers[0].down == down


def test_what_changed_while_it_pulled(world: World) -> None:
    world.api.server.images.seconds[IMAGE] = 3.0
    world.at[1.0] = lambda w: w.speaks("worker-2", restart_time=4)
    assert verdicts(run(world))["worker-2"] is Verdict.TOO_SLOW


def test_a_router_that_is_asked_says_what_it_keeps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    local = ip_address("192.0.2.11")
    for name in NODES:
        world.speaks(name, session={"local_address": local} if name == "worker-1" else {})
    sides = (side(router="frr x", address="192.0.2.11", local="192.0.2.1", graceful=True, stale_cap=50.0),)
    monkeypatch.setattr(queries, "ask_all", lambda probes: (RouterReport("frr x", sides),))
    report = run(world, profiles={}, probes=(object(),))
    (one,), (other,) = by_node(report)["worker-1"].peers, by_node(report)["worker-2"].peers
    assert (one.helps, one.cap, one.profile) == (True, 50.0, find_profile("frr"))
    assert (other.helps, other.cap) == (None, None) and other.profile != find_profile("frr")
    named = run(world, probes=(object(),))
    assert by_node(named)["worker-1"].peers[0].profile == BIRD["192.0.2.1"], (
        "what was said at the prompt counts"
    )


# --- the canary -------------------------------------------------------------------------------------------


def restarted(world: World, node: str = "worker-1", after: float = 4.0) -> None:
    """Its pod is made anew by its DaemonSet, and its sessions are up again so many seconds later."""
    old = world.speaker(node)["metadata"]["uid"]

    def look(w: World) -> None:
        now = [one for one in w.pods("bgpctl-speaker") if one["spec"].get("nodeName") == node]
        if old not in {one["metadata"]["uid"] for one in now}:
            w.on_sleep = lambda world: None
            w.at[w.past + after] = lambda w: w.speaks(node, ago=5.0, uid="another")

    world.on_sleep = look


def test_the_canary_is_restarted_once_and_measured(world: World) -> None:
    world.daemon_set()
    old = world.speaker("worker-1")["metadata"]
    restarted(world)
    report = run(world, canary="worker-1")
    one, other = by_node(report)["worker-1"].restart, by_node(report)["worker-2"].restart
    how = f"restart of pod bgp/{old['name']}, until its sessions were up"
    assert one == Measured(pytest.approx(5.2, abs=0.3), Word.REPORTED, how)
    assert other == Measured(one.seconds, Word.ESTIMATED, "as on the canary worker-1")
    assert report.canary == "worker-1" and report.exit_code is Exit.DONE
    assert "restarting what speaks BGP on the canary worker-1" in world.said
    held = lease.read(world.wire.client(), "worker-1")
    assert held is None or not held.holder, "and the node is nobody's"
    deleted = [asked for asked in world.wire.sent if asked.verb == "delete" and "/bgp/pods" in asked.path]
    assert [one.document["preconditions"] for one in deleted if old["name"] in one.path] == [
        {"uid": old["uid"]}
    ]


def test_a_canary_whose_sessions_do_not_come_back(world: World) -> None:
    world.daemon_set()
    with pytest.raises(DeadlineExceeded, match=r"its sessions are not back \(1 of 1 missing\)"):
        run(world, canary="worker-1", timeout=20.0)
    assert world.past == pytest.approx(20.0, abs=0.3)
    held = lease.read(world.wire.client(), "worker-1")
    assert held is None or not held.holder


@pytest.mark.parametrize(("moved", "counts"), [(2.0, False), (2.5, True)])
def test_the_session_that_was_up_before_is_not_back(world: World, moved: float, counts: bool) -> None:
    """Whoever counts back from how long it is up tells of one and the same by a second more or less."""
    world.daemon_set()
    before = world.state("worker-1").peers[0].session.established_at
    assert before is not None

    def look(w: World) -> None:
        now = w.state("worker-1", uid="")
        session = replace(now.peers[0].session, established_at=before + moved)
        w.api.server.apply(to_document(replace(now, peers=(replace(now.peers[0], session=session),))))

    world.at[1.5] = look
    if counts:
        assert run(world, canary="worker-1", timeout=20.0).canary == "worker-1"
    else:
        with pytest.raises(DeadlineExceeded):
            run(world, canary="worker-1", timeout=20.0)


def test_of_several_sessions_each_has_to_be_another(world: World) -> None:
    """A speaker that does not say who it is: by the instants alone; one that is new counts."""
    world.daemon_set()
    two = (
        world.state("worker-1").peers[0],
        replace(world.state("worker-1").peers[0], name="other", address="192.0.2.2"),
    )
    world.api.server.apply(to_document(replace(world.state("worker-1"), peers=two, uid="same")))
    both = {**BIRD, "192.0.2.2": BIRD["192.0.2.1"]}

    def again(w: World, number: int, uid: str) -> None:
        now = w.api.time.now
        peers = [
            replace(one, session=replace(one.session, established_at=now)) if place < number else one
            for place, one in enumerate(two)
        ]
        w.api.server.apply(to_document(replace(w.state("worker-1"), peers=tuple(peers), uid=uid)))

    world.at[5.0] = lambda w: again(w, 1, "same")
    world.at[9.0] = lambda w: again(w, 2, "same")
    took = by_node(run(world, canary="worker-1", profiles=both))["worker-1"].restart.seconds
    assert took is not None and took == pytest.approx(9.0, abs=1.5)


def test_a_state_that_cannot_be_read_is_no_return(world: World) -> None:
    world.daemon_set()
    restarted(world, after=6.0)
    refused = lambda asked: (  # noqa: E731
        direct.refused(503) if world.past < 5.0 and asked.path == paths.node_state("worker-1") else None
    )
    world.at[1.5] = lambda w: setattr(w.wire, "before", refused)
    assert run(world, canary="worker-1").canary == "worker-1"


def test_a_canary_that_is_gone_when_it_is_its_turn(world: World) -> None:
    world.daemon_set()
    world.wire.before = lambda asked: (
        direct.refused(404) if world.past and asked.path == paths.node("worker-1") else None
    )
    with pytest.raises(UsageError, match="worker-1"):
        run(world, canary="worker-1")


def test_pods_that_end_or_cannot_be_read_are_not_the_canarys(world: World) -> None:
    world.daemon_set()
    odd = {
        "metadata": {"name": "odd", "namespace": "bgp", "labels": LABELS},
        "spec": {"nodeName": "worker-1"},
    }
    odd["spec"] |= {"hostNetwork": True, "containers": [{"name": "a", "image": "b"}]}  # type: ignore[operator]
    world.api.server.apply({"apiVersion": "v1", "kind": "Pod", **odd})

    def broken(asked: direct.Asked, answer: Answer) -> Answer | None:
        if asked.path != paths.PODS or "speaker" not in asked.query.get("labelSelector", ""):
            return None
        listed = json.loads(answer.body)
        for one in listed["items"]:
            if one["metadata"]["name"] == "odd":
                one["metadata"]["uid"] = 7
        return replace(answer, body=json.dumps(listed).encode())

    world.wire.after = broken
    restarted(world)
    assert run(world, canary="worker-1").canary == "worker-1"


def test_no_canary_is_restarted_when_time_was_up_before(world: World) -> None:
    world.daemon_set()
    world.api.server.images.seconds["worker-2", IMAGE] = 60.0
    uid = world.speaker("worker-1")["metadata"]["uid"]
    report = run(world, canary="worker-1", timeout=3.0)
    assert report.exit_code is Exit.DEADLINE and report.canary == ""
    assert world.speaker("worker-1")["metadata"]["uid"] == uid


def refused(world: World, match: str, **asked: Any) -> Blocked:
    with pytest.raises(Blocked, match=match) as raised:
        run(world, canary="worker-1", **asked)
    assert not world.said, "it is known before any node pulls"
    return raised.value


def test_a_canary_without_a_pod_of_its_own(world: World) -> None:
    refused(world, "exactly one pod on worker-1 must speak BGP to be the canary's; found: none")


def test_a_canary_with_two(world: World) -> None:
    world.daemon_set()
    pod = {**world.speaker("worker-1"), "metadata": {"name": "b", "namespace": "bgp", "labels": LABELS}}
    world.api.server.apply({"apiVersion": "v1", "kind": "Pod", **pod})
    error = refused(world, "found: bgp/b, bgp/bgpctl-speaker-|found: bgp/bgpctl-speaker-.*, bgp/b")
    assert error.hint == "choose it with --pod-selector, or leave --canary out"


def test_a_canary_that_nobody_would_make_anew(world: World) -> None:
    spec = {"nodeName": "worker-1", "hostNetwork": True, "containers": [{"name": "a", "image": "b"}]}
    pod = {"metadata": {"name": "alone", "namespace": "bgp", "labels": LABELS}, "spec": spec}
    world.api.server.apply({"apiVersion": "v1", "kind": "Pod", **pod})
    refused(world, "pod bgp/alone belongs to no DaemonSet: nothing would make it anew on worker-1")


def test_a_canary_that_may_lose_routes(world: World) -> None:
    world.daemon_set()
    error = refused(world, "a restart of the canary worker-1 may lose routes: whether", profiles={})
    assert error.hint.endswith(
        "to restart it anyway: bgpctl preflight upgrade --canary worker-1 --allow-route-loss"
    )
    restarted(world)
    assert run(world, canary="worker-1", profiles={}, allow_route_loss=True).canary == "worker-1"


def test_a_canary_of_which_nobody_tells(world: World) -> None:
    world.daemon_set()
    world.api.time.move(200)
    refused(world, "may lose routes: its speaker has not reported for")
    refused(world, "nobody tells of its sessions, so their return would not be seen", allow_route_loss=True)


def test_a_canary_whose_session_is_down(world: World) -> None:
    world.daemon_set()
    world.speaks("worker-1", session={"state": SessionState.ACTIVE})
    refused(world, "its session to 192.0.2.1 is not told to be up", allow_route_loss=True)


def test_a_canary_that_a_drain_has(world: World) -> None:
    world.daemon_set()
    client = direct.Wire(world.api).client()
    client.patch(paths.node("worker-1"), {"metadata": {"annotations": {ANNOTATION: dump(journal())}}})
    refused(world, "worker-1 cannot be the canary: drain run-a has the node")


@pytest.mark.parametrize(("left", "held"), [(60.0, True), (0.0, False)])
def test_a_canary_that_somebody_is_at_work_on(world: World, left: float, held: bool) -> None:
    world.daemon_set()
    client = direct.Wire(world.api).client()
    renewed = timestamp(world.api.time.now + left - lease.DURATION)
    assert renewed is not None
    document = lease.document(lease.name_for("worker-1"), "me@there:1/run-x", renewed, version=None)
    document["spec"]["renewTime"] = renewed
    client.create(paths.leases(lease.NAMESPACE), document)
    if held:
        refused(world, "worker-1 cannot be the canary: me@there:1/run-x is at work on it")
    else:
        restarted(world)
        assert run(world, canary="worker-1").canary == "worker-1"


def test_a_canary_that_may_not_be_deleted(world: World) -> None:
    world.daemon_set()
    deny = refuse("pods", "delete", direct.refused(422, message="not you"))
    world.wire.before = lambda asked: deny(asked) if "/bgp/pods/bgpctl-speaker" in asked.path else None
    with pytest.raises(Blocked, match=r"pod bgp/bgpctl-speaker-.* cannot be deleted: not you"):
        run(world, canary="worker-1")
    held = lease.read(world.wire.client(), "worker-1")
    assert held is None or not held.holder

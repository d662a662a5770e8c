"""Rows of "absent": unbroken, begun after the relabel, per peer; and which probe is for which peer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import ip_network

import pytest

from bgpctl.runbooks.routers import Routers, Target, _for_two, _void
from bgpctl.witness.model import Path, RouterAnswer, RouteState
from bgpctl.witness.probe import Probe, parse_probe
from tests.support.snapshots import ROUTER, ROUTER_2, journal, peer, running, withdrawn


@dataclass
class FakeProbe:
    """Answers one routes after the other, at the given instants."""

    answers: list[tuple[float, RouteState]]
    peer: str | None = None
    kind: str = "bird"
    target: str = "/run/bird.ctl"
    asked: list[str] = field(default_factory=list)
    now: float = 0.0
    local: str = ""
    session: str = "established"

    def routes_from(self, neighbor: str) -> RouterAnswer:
        self.asked.append(neighbor)
        self.now, routes = self.answers.pop(0)
        router = f"bird {self.target}"
        return RouterAnswer(
            router, neighbor, routes, (), self.session, at=-1.0, local=self.local
        )  # not our clock


A, P, U = RouteState.ABSENT, RouteState.PRESENT, RouteState.UNKNOWN


@pytest.mark.parametrize(
    ("answers", "since", "count"),
    [
        ([(11, A)], 11, 1),
        ([(11, A), (12, A), (13, A)], 11, 3),
        ([(11, A), (12, P), (13, A)], 13, 1),
        ([(11, A), (12, U), (13, A)], 13, 1),
        ([(11, P)], None, 0),
        ([(8, A), (9, A), (11, A)], 11, 1),  # a row that began before the relabel proves nothing of it
    ],
)
def test_rows(answers: list[tuple[float, RouteState]], since: float | None, count: int) -> None:
    probe = FakeProbe(list(answers))
    routers = Routers((probe,))
    record = journal(marks={"Relabelled": 10.0})
    for at, _ in answers:
        (seen,) = routers.look(running(), record, lambda: probe.now)
        assert seen.answer.at == at, "dated by the run's clock, once the answer is there"
    assert (seen.absent_since, seen.absences) == (since, count)
    assert seen.answer.router == f"bird {ROUTER}", "named by its peer address, not by a socket's path"


def test_the_nodes_address_is_remembered_after_the_sessions_have_gone() -> None:
    probe = FakeProbe([(1, P), (2, A), (3, A)])
    routers = Routers((probe,))
    for state in (running(), withdrawn(), None):
        routers.look(state, journal(), lambda: 0)
    assert probe.asked == ["10.0.0.1"] * 3


def test_what_a_speaker_told_goes_before_what_was_written_down() -> None:
    """A run that goes on reads its journal at each look: the address of now stays the newest."""
    probe = FakeProbe([(at, P) for at in range(6)])
    routers = Routers((probe,))
    record = journal(peers=(ROUTER,), locals={ROUTER: ("10.0.0.9",)})
    for state in (running(), None, None):
        routers.look(state, record, lambda: 0)
    assert probe.asked == ["10.0.0.1", "10.0.0.9"] * 3, "and then after whatever it had before"


def test_the_nodes_address_outlives_its_speaker() -> None:
    probe = FakeProbe([(1, P)])
    stopped = running(phase="Stopped", peers=(), unwithdrawn=running().peers)
    Routers((probe,)).look(replace(stopped, peers=()), journal(peers=()), lambda: 0)
    assert probe.asked == ["10.0.0.1"]


def test_an_address_that_nobody_told_is_no_absence() -> None:
    (seen,) = Routers((FakeProbe([]),)).look(None, journal(), lambda: 0)
    assert seen.answer.routes is U
    assert "address" in seen.answer.detail


def test_with_two_peers_a_probe_says_which_it_is() -> None:
    """Not a usage error in the middle of a run: a second peer may have been added since it began."""
    state, probe = running(peer(), peer(ROUTER_2)), FakeProbe([])
    (seen,) = Routers((probe,)).look(state, None, lambda: 0)
    assert (seen.answer.routes, seen.absences, probe.asked) == (U, 0, [])
    assert "the node has 2 peers" in seen.answer.detail
    assert f"bird=/run/bird.ctl@{ROUTER}" in seen.answer.detail
    (seen,) = Routers((FakeProbe([(1, A)], peer=ROUTER_2),)).look(state, None, lambda: 0)
    assert seen.peer == ROUTER_2


def test_a_second_peer_that_is_added_in_the_middle_voids_the_word_of_a_probe_that_does_not_say_which() -> (
    None
):
    probe = FakeProbe([(1, A), (2, A)])
    routers = Routers((probe,))
    (seen,) = routers.look(running(), journal(), lambda: 1)
    assert seen.answer.routes is A
    (seen,) = routers.look(running(peer(), peer(ROUTER_2)), journal(), lambda: 2)
    assert seen.answer.routes is U


@pytest.mark.parametrize(
    ("peer_address", "local", "session", "routes"),
    [
        (ROUTER, "10.0.0.9", "established", U),  # the node is its neighbor too
        (ROUTER, ROUTER, "established", P),
        (ROUTER, "", "established", P),  # it does not say
        (ROUTER, f"10.0.0.9, {ROUTER}", "established", P),  # one of its two sessions with the node
        (ROUTER, "10.0.0.8, 10.0.0.9", "established", U),
        (ROUTER, "10.0.0.9", "active", P),  # what it calls its own without a session is only configured
        ("fd00::1", "fd00:0:0::1", "established", P),
        ("fd00::1", "fd00::2", "established", U),
        ("fe80::1%eth0", "fe80::1%swp7", "established", P),  # each end has its own name for the link
        ("fe80::1", "fe80::2%eth0", "established", U),
        ("192.0.2.1", "::ffff:192.0.2.1", "established", P),
        ("192.0.2.1", "::ffff:192.0.2.9", "established", U),
        ("192.0.2.1", "fd00::1", "established", U),
        ("uplink", "10.0.0.9", "established", P),  # an older speaker's peer without an address
    ],
)
def test_a_router_with_another_address_than_the_peers_is_another_router(
    peer_address: str, local: str, session: str, routes: RouteState
) -> None:
    probe = FakeProbe([(1, P)], local=local, session=session)
    (seen,) = Routers((probe,)).look(running(peer(peer_address)), None, lambda: 1)
    assert seen.answer.routes is routes
    if routes is U:
        assert seen.answer.detail == (
            f"its session with this node is from {local}, not {peer_address}: another router?"
        )


def test_the_absence_of_another_router_is_no_row() -> None:
    probe = FakeProbe([(1, A), (2, A)], local="10.0.0.9")
    routers = Routers((probe,))
    for _ in range(2):
        (seen,) = routers.look(running(), journal(), lambda: probe.now)
    assert (seen.absent_since, seen.absences, seen.answer.paths) == (None, 0, ())


def test_a_peer_that_the_node_does_not_have_is_named_as_such() -> None:
    """Not "its address is unknown": @PEER is one of the node's peers, and this is none."""
    probe = FakeProbe([], peer="192.0.2.99")
    (answer,) = Routers((probe,)).look(running(), None, lambda: 0.0)
    assert (answer.answer.routes, probe.asked) == (U, [])
    assert (
        answer.answer.detail == f"@192.0.2.99 is no peer of the node (@PEER is the address of one: {ROUTER})"
    )


# --- who is asked -------------------------------------------------------------------------------------------


def local(address: str) -> str:
    """The node's address towards a peer of `running`."""
    return "10.0.0.1"


def test_nobody_is_asked_without_a_probe() -> None:
    clock: list[int] = []
    assert Routers().look(running(), journal(), lambda: clock.append(1) or 0.0) == ()
    assert clock == [] and Routers().targets() == ()


def test_a_row_that_begins_with_the_relabel_counts() -> None:
    probe = FakeProbe([(10.0, A), (10.5, A)])
    routers = Routers((probe,))
    for _ in range(2):
        (seen,) = routers.look(running(), journal(marks={"Relabelled": 10.0}), lambda: probe.now)
    assert (seen.absent_since, seen.absences) == (10.0, 2)


@pytest.mark.parametrize("record", [None, journal()])
def test_without_a_relabel_every_row_counts(record: object) -> None:
    """Also one that begins at the begin of time."""
    probe = FakeProbe([(0.5, A), (0.7, A)])
    routers = Routers((probe,))
    for _ in range(2):
        (seen,) = routers.look(running(), record, lambda: probe.now)  # type: ignore[arg-type]
    assert (seen.absent_since, seen.absences) == (0.5, 2)


def test_whom_the_journal_names_while_no_speaker_does() -> None:
    (seen,) = Routers((FakeProbe([]),)).look(None, journal(peers=(ROUTER,)), lambda: 0)
    assert (seen.peer, seen.answer.router) == (ROUTER, f"bird {ROUTER}")
    assert seen.answer.detail == f"the node's address towards {ROUTER} is unknown"
    assert (seen.answer.neighbor, seen.absent_since, seen.absences) == ("", None, 0)


def test_whom_nobody_names() -> None:
    for record in (None, journal(peers=())):
        (seen,) = Routers((FakeProbe([]),)).look(None, record, lambda: 0)
        assert (seen.peer, seen.answer.router) == ("", "bird /run/bird.ctl")
        assert seen.answer.detail == "the node's address towards it is unknown"


def test_one_of_several_must_be_said() -> None:
    (seen,) = Routers((FakeProbe([]),)).look(running(peer(), peer(ROUTER_2)), None, lambda: 0)
    assert (seen.peer, seen.answer.router) == ("", "bird /run/bird.ctl")
    assert seen.answer.detail == (
        f"the node has 2 peers ({ROUTER}, {ROUTER_2}); say which it is, "
        f"as in --router-probe bird=/run/bird.ctl@{ROUTER}"
    )


def test_a_session_without_an_address_tells_nothing() -> None:
    lost = replace(peer(), session=replace(peer().session, local_address=None))
    (seen,) = Routers((FakeProbe([]),)).look(running(lost), journal(), lambda: 0)
    assert "is unknown" in seen.answer.detail


def test_who_is_another_router_has_no_paths() -> None:
    class Other(FakeProbe):
        def routes_from(self, neighbor: str) -> RouterAnswer:
            told = super().routes_from(neighbor)
            return replace(told, paths=(Path(None, neighbor),))  # type: ignore[arg-type]

    probe = Other([(1.0, P), (2.0, P)], local="192.0.2.99")
    routers = Routers((probe,))
    (seen,) = routers.look(running(), None, lambda: 1.0)
    assert (seen.answer.routes, seen.answer.paths) == (U, ())
    probe.local = ""  # it does not say
    (seen,) = routers.look(running(), None, lambda: 2.0)
    assert (seen.answer.routes, len(seen.answer.paths)) == (P, 1)


def test_the_targets_of_a_watch_are_those_whose_address_is_known() -> None:
    only, second, unknown = FakeProbe([]), FakeProbe([], peer=ROUTER_2), FakeProbe([], peer="192.0.2.99")
    routers = Routers((only, second, unknown))
    assert routers.targets() == (), "before the first look"
    routers._remember(running(peer(), peer(ROUTER_2)))
    (target,) = routers.targets()
    assert target == Target(second, (ROUTER_2, 179), local(ROUTER_2)), "the first may be either"
    single = Routers((only, unknown))
    single._remember(running())
    assert single.targets() == (Target(only, (ROUTER, 179), local(ROUTER)),)


def test_who_has_left_is_known_by_its_record() -> None:
    """The peers that it had, and those that it has."""
    probes = (FakeProbe([(1.0, A)], peer=ROUTER), FakeProbe([(1.0, A)], peer=ROUTER_2))
    gone = replace(withdrawn(), peers=(peer(ROUTER_2),))
    first, second = Routers(probes).look(gone, None, lambda: 1.0)
    assert (first.answer.routes, second.answer.routes) == (A, A)


def gobgp(target: str, peer: str) -> Probe:
    return parse_probe(f"gobgp={target}@{peer}")


@pytest.mark.parametrize(
    ("one", "other", "ids", "doubted"),
    [
        # One GoBGP by two of its names, given for two peers at one address: whose word it is nobody knows.
        (gobgp("a:50051", f"{ROUTER}:179"), gobgp("b:50051", f"{ROUTER}:180"), ("1.1.1.1", "1.1.1.1"), True),
        (gobgp("a", f"{ROUTER}:179"), gobgp("b", f"{ROUTER}:180"), ("1.1.1.1", "1.1.1.1"), True),
        (gobgp("a:50051", f"{ROUTER}:179"), gobgp("b:50052", f"{ROUTER}:180"), ("1.1.1.1", "1.1.1.1"), False),
        (gobgp("a:50051", f"{ROUTER}:179"), gobgp("b", f"{ROUTER}:180"), ("1.1.1.1", "1.1.1.1"), False),
        (gobgp("a:50051", f"{ROUTER}:179"), gobgp("b:50051", f"{ROUTER}:180"), ("1.1.1.1", "2.2.2.2"), False),
        (gobgp("a:50051", f"{ROUTER}:179"), gobgp("b:50051", f"{ROUTER}:180"), ("", ""), False),
        (gobgp("a:50051", ROUTER), gobgp("b:50051", ROUTER_2), ("1.1.1.1", "1.1.1.1"), False),
        (gobgp("a:50051", ROUTER), gobgp("b:50051", ROUTER), ("1.1.1.1", "1.1.1.1"), False),
        (
            parse_probe(f"bird=/a@{ROUTER}:179"),
            parse_probe(f"bird=/b@{ROUTER}:180"),
            ("1.1.1.1", "1.1.1.1"),
            False,
        ),
        (
            parse_probe(f"bird=/a:1@{ROUTER}:179"),
            gobgp("b:1", f"{ROUTER}:180"),
            ("1.1.1.1", "1.1.1.1"),
            False,
        ),
    ],
)
def test_one_gobgp_that_is_given_for_two_peers_is_doubted(
    one: Probe, other: Probe, ids: tuple[str, str], doubted: bool
) -> None:
    paths = (Path(ip_network("203.0.113.1/32"), "10.0.0.1"),)
    answers = [RouterAnswer("gobgp", "10.0.0.1", P, paths, router_id=each) for each in ids]
    peers = [one.peer or "", other.peer or ""]
    also = _for_two((one, other), peers, answers)
    assert also == ({0: peers[1], 1: peers[0]} if doubted else {})
    for number, answer in enumerate(answers):
        told = _void(answer, also.get(number, ""))
        assert (told.routes, bool(told.paths)) == ((U, False) if doubted else (P, True))
        assert ("it has the BGP Identifier of the router that was asked for" in told.detail) is doubted

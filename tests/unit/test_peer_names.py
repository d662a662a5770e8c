"""Two routers at one address are two: what the one says is not the other's word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgpctl.core.state import PeerState
from bgpctl.runbooks import proof
from bgpctl.runbooks.baseline import baselines
from bgpctl.runbooks.drain_steps import known
from bgpctl.runbooks.kept import keep
from bgpctl.runbooks.peers import names, parse
from bgpctl.runbooks.routers import Routers
from bgpctl.witness.model import RouteState
from tests.support.snapshots import ROUTER, journal, peer, relabelled, running, seen, snapshot, withdrawn
from tests.unit.test_routers import FakeProbe

SIX = "fd00::1"
FIRST, SECOND = f"{ROUTER}:1790", f"{ROUTER}:1791"


def on(port: int, address: str = ROUTER) -> PeerState:
    return replace(peer(address), port=port)


TWO = running(on(1790), on(1791))


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("192.0.2.1", ("192.0.2.1", None)),
        ("192.0.2.1:1791", ("192.0.2.1", 1791)),
        ("[192.0.2.1]:1791", ("192.0.2.1", 1791)),
        ("[fd00:0::1]:1791", ("fd00::1", 1791)),
        ("[fd00::1]", ("fd00::1", None)),
        ("fd00:0::1", ("fd00::1", None)),
        ("fd00::1:1791", ("fd00::1:1791", None)),  # an address
        ("[fe80::1%eth0]:179", ("fe80::1%eth0", 179)),
        ("uplink", ("uplink", None)),
        (":179", ("", 179)),
        ("[]:179", ("", 179)),
        ("192.0.2.1:", ("192.0.2.1:", None)),
        ("", ("", None)),
    ],
)
def test_how_a_peer_is_written(text: str, one: Any) -> None:
    assert parse(text) == one


@pytest.mark.parametrize(
    ("state", "record", "called"),
    [
        pytest.param(running(on(1790)), None, [ROUTER], id="alone, whatever its port"),
        pytest.param(TWO, None, [FIRST, SECOND], id="two ports"),
        pytest.param(running(on(179), on(1791)), None, [f"{ROUTER}:179", SECOND], id="one of them usual"),
        pytest.param(running(on(1, SIX), on(2, SIX)), None, [f"[{SIX}]:1", f"[{SIX}]:2"], id="IPv6"),
        pytest.param(running(on(1790), on(1790)), None, [ROUTER], id="one router, from two addresses"),
        pytest.param(running(on(1791)), journal(peers=(FIRST, SECOND)), [SECOND, FIRST], id="one has gone"),
        pytest.param(TWO, journal(peers=(ROUTER,)), [FIRST, SECOND], id="one has come"),
        pytest.param(None, journal(peers=(ROUTER,)), [ROUTER], id="an old journal alone"),
        pytest.param(running(on(1790)), journal(peers=(ROUTER,)), [ROUTER], id="an old journal"),
    ],
)
def test_what_they_are_called(state: Any, record: Any, called: list[str]) -> None:
    assert list(names(state, record).values()) == called


def test_the_second_router_has_to_be_asked() -> None:
    s = snapshot(state=TWO, answers=(seen(RouteState.PRESENT, FIRST),))
    assert proof.unasked(s) == (SECOND,)
    assert baselines(s) == {FIRST: 2}
    assert known((), s) == (FIRST, SECOND)
    later = snapshot(
        state=withdrawn(),
        journal=relabelled(peers=(FIRST, SECOND), baselines={FIRST: 2}),
        answers=(seen(RouteState.ABSENT, FIRST, since=1.0, times=2),),
    )
    assert f"no probe asks {SECOND}" in proof.missing(later)


def test_a_router_that_comes_in_the_middle_voids_what_was_called_by_the_address_alone() -> None:
    s = snapshot(state=TWO, journal=journal(peers=(ROUTER,), baselines={ROUTER: 2}))
    assert proof.peers(s) == {FIRST, SECOND}
    assert known((ROUTER,), s) == (FIRST, SECOND)
    answered = replace(s, answers=(seen(RouteState.ABSENT, FIRST), seen(RouteState.ABSENT, SECOND)))
    assert len(proof.missing(answered)) == 2


@pytest.mark.parametrize(
    ("said", "meant"),
    [(FIRST, FIRST), (f"[{ROUTER}]:1791", SECOND), (ROUTER, ""), (None, "")],
)
def test_a_probe_has_to_say_which_of_the_two_it_is(said: str | None, meant: str) -> None:
    probe = FakeProbe([(1.0, RouteState.PRESENT)], peer=said)
    (answer,) = Routers((probe,)).look(TWO, None, lambda: 1.0)
    assert answer.peer == meant
    assert answer.answer.routes is (RouteState.PRESENT if meant else RouteState.UNKNOWN)
    if not meant:
        where = f" at {ROUTER}" if said else ""
        assert answer.answer.detail == (
            f"the node has 2 peers{where} ({FIRST}, {SECOND}); say which it is, "
            f"as in --router-probe bird=/run/bird.ctl@{FIRST}"
        )


@pytest.mark.parametrize(
    ("said", "routes"),
    [
        (f"{ROUTER}:1790", RouteState.PRESENT),
        (ROUTER, RouteState.PRESENT),
        (f"[{ROUTER}]", RouteState.PRESENT),
        (f"{ROUTER}:1791", RouteState.UNKNOWN),
    ],
)
def test_the_port_of_an_only_peer_may_be_said(said: str, routes: RouteState) -> None:
    probe = FakeProbe([(1.0, RouteState.PRESENT)], peer=said)
    (answer,) = Routers((probe,)).look(running(on(1790)), None, lambda: 1.0)
    assert answer.answer.routes is routes
    assert (answer.peer == ROUTER) is (routes is RouteState.PRESENT)


def test_two_probes_of_one_peer_have_rows_of_their_own() -> None:
    probes = (FakeProbe([(1.0, RouteState.ABSENT)]), FakeProbe([(1.0, RouteState.ABSENT)], target="/run/b"))
    told = Routers(probes).look(running(), None, lambda: 1.0)
    assert [answer.absences for answer in told] == [1, 1]


def test_such_a_probe_is_kept_for_the_next_run() -> None:
    probes = (f"frr=/run/frr@{FIRST}", f"frr=/run/frr@[{SIX}]:1791")
    assert keep({"--router-probe": probes}) == {"--router-probe": probes}


def test_the_port_of_a_peer_that_only_a_journal_names_may_be_said() -> None:
    """It may be that one: the node's address there is not known, and that is what is said."""
    (answer,) = Routers((FakeProbe([], peer=f"{ROUTER}:1790"),)).look(None, journal(), lambda: 1.0)
    assert answer.peer == ROUTER
    assert answer.answer.detail == f"the node's address towards {ROUTER} is unknown"


@pytest.mark.parametrize("state", [None, running()])
def test_who_is_no_peer_is_called_as_it_was_written(state: Any) -> None:
    record = None if state is None else journal()
    (answer,) = Routers((FakeProbe([], peer="192.0.2.99"),)).look(state, record, lambda: 1.0)
    assert (answer.peer, answer.answer.router) == ("192.0.2.99", "bird 192.0.2.99")


def test_a_row_is_of_one_peer() -> None:
    """The node's only peer is another one now: what its router says is not the row of the one before."""
    probe = FakeProbe([(1.0, RouteState.ABSENT), (2.0, RouteState.ABSENT), (3.0, RouteState.ABSENT)])
    routers = Routers((probe,))
    one, two = journal(peers=(FIRST,)), journal(peers=(FIRST, SECOND))
    routers.look(running(on(1790)), None, lambda: 1.0)
    (again,) = routers.look(running(on(1790)), None, lambda: 2.0)
    assert again.absences == 2
    (named,) = routers.look(running(on(1790)), one, lambda: 3.0)
    assert (named.peer, named.absences) == (FIRST, 1)
    (both,) = routers.look(running(on(1790)), two, lambda: 4.0)
    assert both.answer.routes is RouteState.UNKNOWN


def test_one_router_is_not_two(tmp_path: Path) -> None:
    """One socket was given for both ports of an address: the word of the first is not the second's."""
    link = tmp_path / "link"
    link.symlink_to("/run/bird.ctl")
    for other in ("/run/bird.ctl", "/run//bird.ctl", str(link)):
        probes = FakeProbe([], peer=FIRST), FakeProbe([], peer=SECOND, target=other)
        told = Routers(probes).look(TWO, None, lambda: 1.0)
        assert [answer.answer.routes for answer in told] == [RouteState.UNKNOWN] * 2
        assert told[0].answer.detail == (
            f"bird=/run/bird.ctl is given for {SECOND} too: "
            "at one address, two ports or two VRFs are two routers; name the probe of each"
        )
    probes = (
        FakeProbe([(1.0, RouteState.PRESENT)], peer=FIRST),
        FakeProbe([(1.0, RouteState.PRESENT)], peer=SECOND, target="/b"),
    )
    told = Routers(probes).look(TWO, None, lambda: 1.0)
    assert [answer.answer.routes for answer in told] == [RouteState.PRESENT] * 2

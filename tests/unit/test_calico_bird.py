"""What BIRD says when it is asked itself, in the words of 1.6 and of 2, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.calico.bird import PROTOCOLS, STATUS, Told, answers, question, read_sessions, settled
from bgpctl.core.calico.config import read_host, read_peering
from bgpctl.core.calico.leave import FILTER
from bgpctl.core.calico.states import LAG, Hosts, World, node_state
from bgpctl.core.model import SessionState
from bgpctl.lab.stacks.calico.documents import notes, peer
from tests.support import objects

UP = SessionState.ESTABLISHED

BIRD_1 = """BIRD v0.3.3+birdv1.6.8 ready.
name     proto    table    state  since       info
static1  Static   master   up     09:00:00
  Routes:         7 imported, 7 exported, 7 preferred

Node_192_0_2_1 BGP      master   up     09:31:02    Established
  Description:    Connection to BGP peer
  Preference:     100
  Input filter:   ACCEPT
  Output filter:  (unnamed)
  Routes:         5 imported, 2 exported, 5 preferred
  Route change stats:     received   rejected   filtered    ignored   accepted
    Export updates:              9          0          7        ---          2
  BGP state:          Established
    Neighbor address: 192.0.2.1
    Neighbor AS:      65000

Node_192_0_2_2 BGP      master   start  09:31:02    Active        Socket: Connection refused
  BGP state:          Active
    Neighbor address: 192.0.2.2
"""

BIRD_2 = """BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
own        Static     master4    up     07:15:33.358
  Channel ipv4
    Routes:         2 imported, 9 exported, 2 preferred

Node_1     BGP        ---        up     07:15:33.358  Established
  BGP state:          Established
    Neighbor address: 2001:db8::1
  Channel ipv4
    State:          UP
    Routes:         1 imported, 0 filtered, 3 exported, 1 preferred
  Channel ipv6
    Routes:         1 imported, 4 exported, 1 preferred
"""


def status(now: str = "2026-11-29 08:00:00", booted: str = "2026-11-29 07:00:00", more: str = "") -> str:
    return (
        "BIRD v0.3.3+birdv1.6.8 ready.\nBIRD v0.3.3+birdv1.6.8\nRouter ID is 10.0.0.1\n"
        f"Current server time is {now}\nLast reboot on {booted}\n"
        f"Last reconfiguration on {now}\n{more}Daemon is up and running\n"
    )


def test_what_is_exported_to_whom() -> None:
    assert read_sessions(BIRD_1) == {
        "192.0.2.1": Told(UP, 2),
        "192.0.2.2": Told(SessionState.ACTIVE, None),
    }
    assert read_sessions(BIRD_2) == {"2001:db8::1": Told(UP, 7)}


def test_of_two_sessions_with_one_address_the_worse_and_the_routes_of_both() -> None:
    assert read_sessions(BIRD_1.replace("192.0.2.2", "192.0.2.1")) == {
        "192.0.2.1": Told(SessionState.ACTIVE, None)
    }
    assert read_sessions(BIRD_2 + BIRD_2)["2001:db8::1"] == Told(UP, 14)


@pytest.mark.parametrize("text", ["", "\n", "Unable to connect to server control socket", "x BGP y\n" * 3])
def test_what_is_no_answer_tells_of_nobody(text: str) -> None:
    assert read_sessions(text) == {}


@pytest.mark.parametrize(
    ("text", "is_list"),
    [
        (BIRD_1, True),
        (BIRD_2, True),
        ("BIRD 2.0.12 ready.\nName       Proto      Table      State  Since         Info\n", True),
        ("", False),
        ("BIRD 2.0.12 ready.\n", False),
        ("Unable to connect to server control socket", False),
        ("name table\n", False),
        ("a name proto\n", False),
    ],
)
def test_a_list_without_a_protocol_of_bgp_is_an_answer_too(text: str, is_list: bool) -> None:
    """Else nothing that is exported would be taken from words that are no list at all."""
    assert answers(text) is is_list


def block(*words: str, state: str = "Established", exported: int | None = 2) -> str:
    """One protocol, with whatever lines before it."""
    routes = "" if exported is None else f"    Routes:         1 imported, {exported} exported, 1 preferred\n"
    before = "".join(f"{word}\n" for word in words)
    return (
        f"{before}n BGP master up 09:31:02\n    BGP state: {state}\n    Neighbor address: 192.0.2.1\n{routes}"
    )


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (block(), block(exported=3), Told(UP, 5)),
        (block(exported=0), block(exported=0), Told(UP, 0)),
        (block(), block(exported=None), Told(UP, None)),
        (block(exported=None), block(), Told(UP, None)),
        (block(), block(state="Idle"), Told(SessionState.IDLE, 4)),
        (block(state="Idle"), block(), Told(SessionState.IDLE, 4)),
        (block(state="Idle"), block(state="Active"), Told(SessionState.IDLE, 4)),
        (block(), block("k Kernel master up"), Told(UP, 4)),
        (block(), "d Direct x\n    Routes: 1 imported, 9 exported\n", Told(UP, 2)),
        (block(), "d\n    Routes: 1 imported, 9 exported\n", Told(UP, 2)),
        (block(), "x BGP y\n    BGP state: Idle\n    Routes: 1 imported, 9 exported\n", Told(UP, 2)),
    ],
)
def test_two_protocols_with_one_neighbor(one: str, other: str, both: Told) -> None:
    """A dual-stack node has one peer by both of its BIRDs; other protocols are nobody's routes."""
    assert read_sessions(one + other) == {"192.0.2.1": both}
    assert read_sessions(f"{one}\n{other}") == {"192.0.2.1": both}


def test_a_session_without_a_word_of_its_state_is_unknown() -> None:
    block = "Node_1 BGP master up 09:31:02\n    Neighbor address: 192.0.2.1\n"
    assert read_sessions(block) == {"192.0.2.1": Told(SessionState.UNKNOWN, None)}


@pytest.mark.parametrize(
    ("text", "is_settled"),
    [
        (status(), True),
        (status("2026-11-29 08:00:00.123", "2026-11-29 07:56:00.000"), True),
        (status("2026-11-29 07:03:59"), False),
        (status(more="Graceful restart recovery in progress\n  Waiting for 1 protocols\n"), False),
        (status("2026-99-29 08:00:00"), False),
        (status("yesterday"), False),
        (status("2026-11-29 07:04:00"), True),
        (status().replace("Current server time is", "Time is"), False),
        (status().replace("Last reboot on", "Booted on"), False),
        (status("2026-11-29 07:00:00", "2026-11-29 08:00:00"), False),
        ("", False),
    ],
)
def test_a_bird_that_was_started_a_moment_ago_is_not_believed(text: str, is_settled: bool) -> None:
    """It may wait with End-of-RIB, and its routers keep what they had."""
    assert settled(text) is is_settled


def test_the_bird_of_each_ip_version_is_asked() -> None:
    assert question(4, PROTOCOLS) == ("birdcl", "-s", "/var/run/calico/bird.ctl", "show", "protocols", "all")
    assert question(6, STATUS) == ("birdcl", "-s", "/var/run/calico/bird6.ctl", "show", "status")


def out(told: dict[str, Told], by: str = "birdcl") -> Any:
    host = read_host(objects.node("n1", annotations=notes("10.0.0.1")))
    peerings = [read_peering(peer(f"tor{n}", f"192.0.2.{n}", filters=[FILTER])) for n in (1, 2)]
    world = World(Hosts((host,)), peerings, rejects=True)
    return node_state(host, world, world.of(host), None, told=told, by=by)


def test_its_word_goes_before_what_was_written() -> None:
    both = {f"192.0.2.{n}": Told(UP, 0) for n in (1, 2)}
    state = out(both)
    assert (state.established, state.announced, state.lag, state.engine_asked) == (2, 0, 0.0, "birdcl")
    assert out({**both, "192.0.2.2": Told(UP, 3)}).announced == 3
    down = out({**both, "192.0.2.2": Told(SessionState.ACTIVE, None)})
    assert down.announced is None and [one.address for one in down.unwithdrawn] == ["192.0.2.2"]
    assert replace(out({}), problems=()).lag == LAG and out({}).engine_asked == ""

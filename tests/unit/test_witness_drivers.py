"""What each driver makes of an answer's parts: timers, addresses, states, families, next hops."""

from __future__ import annotations

import errno
import socket
import threading
from ipaddress import ip_address, ip_network
from pathlib import Path as FilePath
from types import SimpleNamespace
from typing import Any

import pytest

from bgpctl.errors import UsageError
from bgpctl.witness import asking, bird, frr, gobgp, model, openbgpd
from bgpctl.witness.conversation import Conversation
from bgpctl.witness.exabgp import STALE_FILE_SECONDS, ExabgpProbe, read_routes
from bgpctl.witness.gobgp import GobgpProbe
from bgpctl.witness.model import Path, RouterAnswer, RouteState, Unanswered, answered, to_prefix
from bgpctl.witness.openbgpd import OpenbgpdProbe
from bgpctl.witness.probe import parse_probe
from tests.support.router_paths import frr_prefix, paths

N, OTHER = "192.0.2.1", "192.0.2.2"
P = ip_network("10.9.1.0/24")

# --- FRR ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timers", "remaining"),
    [
        ({}, None),
        ({"gracefulRestartTimerMsecs": 9500}, 9.5),
        ({"gracefulStalepathTimerMsecs": 8500}, 8.5),
        ({"gracefulRestartTimerMsecs": 9500, "gracefulStalepathTimerMsecs": 8500}, 8.5),
        ({"gracefulRestartTimerMsecs": 0}, 0.0),
    ],
)
def test_the_timer_that_fires_first(timers: dict[str, int], remaining: float | None) -> None:
    assert frr.remaining({"gracefulRestartInfo": timers}) == remaining


HOPS = [{"afi": "ipv6"}, {"ip": "192.0.2.9"}, {"ip": "192.0.2.10"}]


@pytest.mark.parametrize("best", [True, False])
def test_a_path_of_frrs_lists(best: bool) -> None:
    entry = {"peerId": N, "bestpath": best, "nexthops": HOPS}
    (path,) = frr.read_table({"routes": {str(P): [entry]}}, ip_address(N))
    assert path == Path(P, N, False, best, "192.0.2.9")
    one = {"peer": {"peerId": N}, "stale": True, "bestpath": {"overall": best}, "nexthops": HOPS}
    assert list(frr_prefix({"paths": [one, {}]}, P)) == [
        Path(P, N, True, best, "192.0.2.9"),
        Path(P, "", False, False, None),
    ]


def test_the_neighbor_is_the_first_object_of_the_answer() -> None:
    assert frr.neighbor_of({"bgpNoSuchNeighbor": True, N: {"a": 1}, OTHER: {"b": 2}}, N) == {"a": 1}


# --- GoBGP --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ({}, "unknown"),
        ({"session_state": 1}, "idle"),
        ({"session_state": 2}, "connect"),
        ({"session_state": 3}, "active"),
        ({"session_state": 4}, "opensent"),
        ({"session_state": 5}, "openconfirm"),
        ({"session_state": 6}, "established"),
        ({"session_state": 7}, "7"),
        ({"session_state": "ESTABLISHED"}, "established"),
    ],
)
def test_the_fsm_of_gobgp(state: dict[str, Any], word: str) -> None:
    assert gobgp.session_of({"state": state}) == word


@pytest.mark.parametrize(
    "view",
    [
        {"state": {"neighbor_address": N}},
        {"state": {"neighbor_address": N}, "conf": {"neighbor_address": OTHER}},  # a dynamic one
        {"state": {}, "conf": {"neighbor_address": N}},
        {"conf": {"neighbor_address": N}},
    ],
)
def test_the_address_of_a_neighbor_of_gobgp(view: dict[str, Any]) -> None:
    assert gobgp.address_of(view) == N


@pytest.mark.parametrize(
    ("view", "dynamic"),
    [
        ({"state": {"neighbor_address": N}, "conf": {"peer_group": "K8S"}}, True),
        ({"state": {"neighbor_address": N}, "conf": {"neighbor_address": N, "peer_group": "K8S"}}, False),
    ],
)
def test_a_neighbor_that_gobgp_forgets_with_its_session(
    view: dict[str, Any], dynamic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = {"config": {"family": {"afi": 1, "safi": 1}}}
    answers = {"neighbor": [{**view, "afi_safis": [family]}], "global": {}}
    client = SimpleNamespace(ask=lambda *words: answers[words[0]])
    monkeypatch.setattr(gobgp, "Client", lambda *_: client)
    assert GobgpProbe("127.0.0.1:1").routes_from(N).forgets is dynamic
    assert gobgp.neighbor_of([{"conf": {"neighbor_address": "192.0.2.3"}}, view], N) == view


def families(*pairs: tuple[int, int]) -> dict[str, Any]:
    return {"afi_safis": [{"config": {"family": {"afi": afi, "safi": safi}}} for afi, safi in pairs]}


@pytest.mark.parametrize(
    ("pairs", "found"),
    [([(1, 1)], ["ipv4"]), ([(2, 1)], ["ipv6"]), ([(2, 1), (25, 70), (1, 1)], ["ipv4", "ipv6"])],
)
def test_the_unicast_families_of_gobgp(pairs: list[tuple[int, int]], found: list[str]) -> None:
    assert gobgp.families(families(*pairs)) == found


@pytest.mark.parametrize("pairs", [[], [(25, 70)], [(1, 2)]])
def test_a_neighbor_of_gobgp_without_one_says_nothing(pairs: list[tuple[int, int]]) -> None:
    with pytest.raises(Unanswered, match="no unicast family configured"):
        gobgp.families(families(*pairs))


def test_a_target_without_a_port_and_the_client_on_the_path() -> None:
    """The port of GoBGP's API, and no path of ours."""
    assert GobgpProbe("h").client == "gobgp"
    with pytest.raises(Unanswered, match=r"^cannot ask gobgp h:: nothing is not installed$"):
        paths(GobgpProbe("h:", client="nothing"), P)


def program(folder: FilePath, answer: str) -> str:
    path = folder / "client"
    path.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/words\ncat <<'END'\n{answer}\nEND\n")
    path.chmod(0o700)
    return str(path)


def test_a_prefix_is_asked_for_and_only_its_paths_count(tmp_path: FilePath) -> None:
    """A client may answer with the longest match."""
    rib = '{"10.9.1.0/24": [{"neighbor-ip": "192.0.2.1"}], "10.9.0.0/16": [{"neighbor-ip": "192.0.2.1"}]}'
    (path,) = paths(GobgpProbe("h:", client=program(tmp_path, rib)), P)
    assert path == Path(P, N, False, False, None)
    assert (tmp_path / "words").read_text() == "-u h -p 50051 global rib 10.9.1.0/24 -a ipv4 -j\n"
    entries = '{"prefix": "10.9.1.0/24", "neighbor": {"remote_addr": "192.0.2.1"}}, {"prefix": "10.9.0.0/16"}'
    client = program(tmp_path, f'{{"rib": [{entries}]}}')
    (path,) = paths(OpenbgpdProbe("/run/bgpd.sock", client=client), P)
    assert path == Path(P, N, False, False, None)
    assert (tmp_path / "words").read_text() == "-s /run/bgpd.sock -j show rib 10.9.1.0/24\n"


# --- OpenBGPD -----------------------------------------------------------------------------------------------


def test_openbgpds_own_client_is_called_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BGPCTL_OPENBGPD_CLIENT", raising=False)
    assert OpenbgpdProbe("/x").client == "/usr/sbin/bgpctl"
    monkeypatch.setenv("BGPCTL_OPENBGPD_CLIENT", "/opt/bgpctl")
    assert OpenbgpdProbe("/x").client == "/opt/bgpctl"


def test_the_neighbor_of_openbgpd_is_found_among_others() -> None:
    views = [{"remote_addr": OTHER}, {"remote_addr": N, "state": "Idle"}]
    assert openbgpd.neighbor_of({"neighbors": views}, N) == views[1]


# --- a lab's receiver ---------------------------------------------------------------------------------------


def test_a_file_that_nobody_has_touched_lately(tmp_path: FilePath) -> None:
    """The receiver touches it twice a second; a loaded machine may delay it by some."""
    assert 2.5 <= STALE_FILE_SECONDS <= 5


def test_a_route_of_the_receiver_without_a_next_hop() -> None:
    assert list(read_routes(N, {"routes": {str(P): ""}})) == [Path(P, N)]


def test_a_device_is_no_file() -> None:
    assert ExabgpProbe("/dev/null").routes_from(N).detail == (
        "cannot read /dev/null: it is no file; is the lab running?"
    )


# --- any router ---------------------------------------------------------------------------------------------


def test_a_router_that_resets_the_connection(tmp_path: FilePath) -> None:
    """A socket that nobody hears any more, and one that is reset: the system's words, not a traceback."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "x"))
        server.listen()
        with Conversation(str(tmp_path / "x"), "R", 5.0) as line:
            other, _ = server.accept()
            other.close()
            with pytest.raises(Unanswered, match=r"^R at .*/x went away: Broken pipe$") as caught:
                line.say(b"x")
    assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == errno.EPIPE


@pytest.mark.parametrize("said", [b"", b"half"])
def test_a_router_that_says_nothing_more(said: bytes, tmp_path: FilePath) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "x"))
        server.listen()
        with Conversation(str(tmp_path / "x"), "R", 0.05) as line:
            other, _ = server.accept()
            with other, pytest.raises(Unanswered, match=r"^R at .*/x did not answer: timed out$"):
                other.sendall(said)
                line.hear(lambda heard: False)


def test_how_much_an_answer_may_be() -> None:
    """A full table (1,000,000 prefixes) is refused; a large one (100,000, some 300 octets each) is not."""
    assert 30 << 20 < model.LONGEST <= 64 << 20
    assert 100_000 < model.MOST <= 1_000_000


def test_a_sighting_says_nothing_by_itself() -> None:
    assert RouterAnswer("r", N, RouteState.UNKNOWN) == RouterAnswer(
        "r", N, RouteState.UNKNOWN, (), "", None, "", 0.0
    )
    stale = answered("r", N, (Path(P, N, True),), "", None)
    assert stale.detail == "1 stale path still forwarding; session unknown."


def test_a_prefix_as_a_router_writes_it_may_have_host_bits() -> None:
    assert to_prefix("10.9.1.7/24") == P


# --- the text form ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("bird", "/run/bird/bird.ctl"),
        ("frr", "/var/run/frr"),
        ("gobgp", "127.0.0.1:50051"),
        (" openbgpd ", "/run/bgpd.sock"),
    ],
)
def test_the_default_target(text: str, target: str) -> None:
    assert parse_probe(text).target == target


@pytest.mark.parametrize("text", ["bird=/x\x07", "bird=/x\n", "bird=/x@a\x00", "bird=/x@" + "y" * 129])
def test_what_no_terminal_should_see_is_no_probe(text: str) -> None:
    if text.strip() == text:
        with pytest.raises(UsageError):
            parse_probe(text)
    else:
        assert parse_probe(text).target == "/x"


def test_a_machine_that_does_not_tell_its_boot_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(asking.this_machine()) == 36
    monkeypatch.setattr(asking, "BOOT_ID", "/nowhere/boot_id")
    assert asking.this_machine() == ""


def test_octets_that_are_no_text_cost_nothing_of_birds_answer(tmp_path: FilePath) -> None:
    """A description may hold any."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "x"))
        server.listen()

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.sendall(b"0001 BIRD 2.0.12 ready.\n")
                for words in (b"0016 Access restricted\n", b"1011-caf\xe9\n0013 Daemon is up\n"):
                    line.recv(4096)
                    line.sendall(words)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with bird.Bird(str(tmp_path / "x")) as asked:
            assert asked.ask("show status").lines[0] == (1011, "caf\ufffd")
        thread.join(5.0)

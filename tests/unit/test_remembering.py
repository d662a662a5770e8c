"""What a speaker tells of the addresses that its sessions came from outlives it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from bgpctl.core.state import LocalAddresses, NodeState, PeerState
from bgpctl.core.state_document import from_document
from bgpctl.speaker.status.publisher import FileSink
from bgpctl.speaker.status.remembering import Remembering
from tests.support.snapshots import ROUTER, ROUTER_2, peer, running, withdrawn

FIRST, SECOND = "10.0.0.8", "10.0.0.1"


def at(address: str, router: str = ROUTER) -> PeerState:
    one = peer(router)
    return replace(one, session=replace(one.session, local_address=ip_address(address)))


def speaker(tmp_path: Path, *states: NodeState) -> NodeState:
    """One speaker after another on one node: what the last one told last."""
    sink = FileSink(tmp_path / "state.json")
    one = Remembering(sink)
    one.read()
    for state in states:
        one.write(state)
    last = sink.read()
    assert last is not None
    return last


def test_the_next_speaker_tells_the_address_of_the_one_before(tmp_path: Path) -> None:
    assert speaker(tmp_path, running(at(FIRST))).locals == (LocalAddresses(ROUTER, 179, (FIRST,)),)
    starting = NodeState("n1", "Starting")
    assert speaker(tmp_path, starting).locals == (LocalAddresses(ROUTER, 179, (FIRST,)),), (
        "also if it dies now"
    )
    told = speaker(tmp_path, starting, running(at(SECOND), at(SECOND, ROUTER_2)))
    assert told.locals == (
        LocalAddresses(ROUTER, 179, (FIRST, SECOND)),
        LocalAddresses(ROUTER_2, 179, (SECOND,)),
    )


def test_a_speaker_of_the_version_before_told_it_with_its_peers(tmp_path: Path) -> None:
    FileSink(tmp_path / "state.json").write(running(at(FIRST)))
    assert speaker(tmp_path, running(at(SECOND))).locals[0].addresses == (FIRST, SECOND)
    FileSink(tmp_path / "state.json").write(withdrawn())
    assert speaker(tmp_path, NodeState("n1")).locals[0].addresses == ("10.0.0.1",), "its record has them too"


def test_how_much_is_kept(tmp_path: Path) -> None:
    """The newest: of addresses and of routers."""
    changing = [running(at(f"10.0.0.{n}")) for n in range(40)]
    assert speaker(tmp_path, *changing).locals[0].addresses == tuple(f"10.0.0.{n}" for n in range(8, 40))
    many = [at(FIRST, f"10.1.{n // 200}.{n % 200}") for n in range(300)]
    told = speaker(tmp_path, running(*many), running(at(FIRST)))
    assert len(told.locals) == 256
    assert told.locals[-1].peer == ROUTER


@pytest.mark.parametrize("text", ["10.0.0.1 json\0configure", "", "fd00::1%x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    entry = {"peerAddress": ROUTER, "peerPort": 179, "addresses": [text]}
    document = {"metadata": {"name": "n"}, "status": {"localAddresses": [entry]}}
    with pytest.raises(Exception, match="addresses"):
        from_document(document)

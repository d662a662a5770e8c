"""`peers status`: only a fresh heartbeat may say established, in every format."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bgpctl.core.model import IPV4, GracefulRestart, LastError, SessionState
from bgpctl.core.state import STALE_AFTER_SECONDS, NodeState
from bgpctl.core.state_document import from_document, to_document
from bgpctl.render import peers
from bgpctl.render.envelope import plain_data
from bgpctl.render.peers import NO_NODE, NO_SPEAKER, Picture
from bgpctl.render.peerwatch import Blocks, Changes
from bgpctl.render.text import plain
from tests.support.golden import check_golden
from tests.support.node_states import peer, session, state, withdrawn

NOW = 1_800_000_000.0
SHUTDOWN = LastError(NOW - 20, "received", "Cease/Administrative Shutdown: mainte\x1bnance", 6, 2)


def zoo() -> Picture:
    """One node in each condition."""
    down = peer(
        NOW, state=SessionState.ACTIVE, since=NOW - 20, hold_time=None, local_gr=None, last_error=SHUTDOWN
    )
    old = NOW - STALE_AFTER_SECONDS - 250
    return Picture(
        (
            state("worker-1", NOW, peer(NOW), peer(NOW, "2001:db8::1", 1790, peer_gr=None, families=(IPV4,))),
            state("worker-2", NOW, down),
            state("worker-3", NOW, peer(NOW), heartbeat=old),
            withdrawn("worker-4", NOW),
            withdrawn("worker-5", NOW, ago=3600, heartbeat=old),
            state("worker-6", NOW, phase="Idle", selected_by=""),
            state("worker-7", NOW, peer(NOW), phase="Stopped"),
        ),
        {"worker-8": NO_SPEAKER, "worker-9": NO_NODE},
        NOW,
    )


def lines(picture: Picture, **options: bool) -> list[str]:
    return [plain(row) for row in peers.text(picture, **options)]


def test_table() -> None:
    check_golden("peers_status.txt", peers.text(zoo()))


def test_what_a_live_speaker_complains_about_is_shown() -> None:
    told = {"policy_problem": "policy rack0 is invalid", "problems": ("Secret bgp is missing",)}
    alive = state("worker-1", NOW, peer(NOW), **told)
    gone = state("worker-2", NOW, peer(NOW), heartbeat=NOW - 999, **told)
    shown = lines(Picture((alive, gone), {}, NOW))
    assert [row for row in shown if row.startswith("worker-") and ": " in row] == [
        "worker-2: stale (last seen 16m39s ago)",
        "worker-1: policy rack0 is invalid",
        "worker-1: Secret bgp is missing",
    ]


def test_wide() -> None:
    error = replace(SHUTDOWN, text="Hold Timer Expired", direction="sent")
    one = peer(NOW, flaps=3, last_error=error, peer_gr=GracefulRestart(60, True, False, ()))
    check_golden(
        "peers_status_wide.txt", peers.text(Picture((state("worker-1", NOW, one),), {}, NOW), wide=True)
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"phase": ""}, True),  # of a stack that tells no phase
        ({"selected_by": "rack0"}, False),
        ({"policy_problem": "policy rack0 is invalid"}, False),
        ({"heartbeat": NOW - 999}, False),
        ({"phase": "Withdrawn"}, False),
    ],
)
def test_a_node_that_is_to_have_no_session_is_none_that_is_down(changes: Any, expected: bool) -> None:
    up, out = state("worker-2", NOW, peer(NOW)), state("worker-1", NOW, **{"selected_by": "", **changes})
    picture = Picture((out, up), {}, NOW)
    assert picture.all_established is expected
    assert peers.document(picture)["status"] == ("done" if expected else "failed")
    assert not Picture((out,), {}, NOW).all_established, "not one session"


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("phase", ["Running", "Leaving", "Withdrawn", "Idle", "Stopped", "Starting"])
def test_a_stale_speaker_never_shows_established(phase: str, wide: bool) -> None:
    old = state("worker-1", NOW, peer(NOW), phase=phase, heartbeat=NOW - STALE_AFTER_SECONDS - 1)
    picture = Picture((old,), {}, NOW)
    assert not picture.all_established
    assert not any(row.established for row in picture.rows)
    assert "established  " not in "\n".join(lines(picture, wide=wide))
    document = plain_data(peers.document(picture))
    assert document["status"] == "failed"
    assert [p["state"] for n in document["nodes"] for p in n["peers"]] != ["established"]
    assert document["nodes"][0]["peers"][0]["lastReportedState"] == "established"
    assert "sessions" not in document["nodes"][0]


def test_fresh_until_the_last_second() -> None:
    fresh = state("worker-1", NOW, peer(NOW), heartbeat=NOW - STALE_AFTER_SECONDS)
    assert Picture((fresh,), {}, NOW).all_established


def test_nothing_to_show_is_not_well() -> None:
    assert not Picture((), {}, NOW).all_established
    assert lines(Picture((), {}, NOW)) == ["no node runs a bgpctl speaker"]


def test_document_keeps_the_wire_names() -> None:
    picture = zoo()
    document: dict[str, Any] = json.loads(json.dumps(plain_data(peers.document(picture))))
    assert document["schema"] == "bgpctl/v1"
    assert document["command"] == "peers status"
    by_name = {node["node"]: node for node in document["nodes"]}
    assert list(by_name) == sorted(by_name)
    assert by_name["worker-1"]["peers"][0]["gracefulRestart"]["local"]["restartTimeSeconds"] == 120
    assert by_name["worker-2"]["peers"][0]["lastError"]["code"] == 6
    assert by_name["worker-3"]["stale"] is True
    assert by_name["worker-8"] == {"node": "worker-8", "state": "no speaker", "peers": []}


def test_every_renderer_takes_every_picture(capsys: pytest.CaptureFixture[str]) -> None:
    for render in peers.RENDERERS.values():
        render(zoo())
        assert "worker-5" in capsys.readouterr().out


def test_a_watch_shows_changes_only() -> None:
    blocks, up = Blocks(), state("worker-1", NOW, peer(NOW))
    assert blocks.changed(Picture((up,), {}, NOW), "")
    assert not blocks.changed(Picture((up,), {}, NOW + 10), "")
    assert blocks.changed(Picture((up,), {}, NOW + STALE_AFTER_SECONDS + 1), "")
    assert not blocks.changed(Picture((up,), {}, NOW + STALE_AFTER_SECONDS + 9), "")
    assert blocks.changed(Picture((up,), {}, NOW + STALE_AFTER_SECONDS + 9), "the API server does not answer")
    down = replace(
        up, heartbeat=NOW + 300, peers=(replace(up.peers[0], session=session(NOW, SessionState.IDLE)),)
    )
    assert blocks.changed(Picture((down,), {}, NOW + 300), "")


def test_a_screen_is_drawn_for_a_change_another_width_and_when_its_ages_are_old() -> None:
    changes, up = Changes(), state("worker-1", NOW, peer(NOW))
    drawn = [
        (0, "", 80),
        (1, "", 80),
        (61, "", 80),
        (62, "", 80),
        (63, "", 40),
        (64, "gone", 40),
    ]
    shown = [changes.worth(Picture((up,), {}, NOW + at), problem, width) for at, problem, width in drawn]
    assert shown == [True, False, True, False, True, True]


def test_a_node_that_left_does_not_widen_the_table() -> None:
    up = state("worker-1", NOW, peer(NOW))
    both = Picture((up, withdrawn("worker-2", NOW, ago=9999, heartbeat=NOW - 999)), {}, NOW)
    widths = [len(row) for row in lines(both) if row.startswith(("NODE", "worker-1", "worker-2 "))]
    assert max(widths) == len(lines(Picture((up,), {}, NOW))[0])
    assert "worker-2: withdrawn (sent 2h46m ago; last seen 16m39s ago)" in lines(both)


@pytest.mark.parametrize(
    ("one", "style"),
    [
        (state("worker-1", NOW, peer(NOW)), "good"),
        (state("worker-1", NOW, peer(NOW, state=SessionState.IDLE)), "bad"),
        (state("worker-1", NOW, peer(NOW), heartbeat=NOW - 999), "bad"),
        (withdrawn("worker-1", NOW), "dim"),
        (state("worker-1", NOW, phase="Idle", selected_by=""), "dim"),
    ],
)
def test_states_have_colours(one: NodeState, style: str) -> None:
    picture = Picture((one,), {}, NOW)
    (shown,) = [span.style for span in peers.text(picture)[1] if span.text == picture.rows[0].word]
    assert shown == style


def test_as_names_and_by_a_template(capsys: pytest.CaptureFixture[str]) -> None:
    peers.RENDERERS["name"](zoo())
    assert capsys.readouterr().out.splitlines()[:2] == ["node/worker-1", "node/worker-2"]
    peers.RENDERERS["jsonpath={.nodes[0].peers[*].peerAddress} {.status}"](zoo())
    assert capsys.readouterr().out == "192.0.2.1 2001:db8::1 failed"
    with pytest.raises(KeyError):
        peers.RENDERERS["xml"]


def test_the_kit_writes_what_is_read() -> None:
    """The states of these tests survive the wire, so they are states a speaker can write."""
    for one in zoo().states:
        assert from_document(to_document(one)).node == one.node
        assert to_document(from_document(to_document(one))) == to_document(one)

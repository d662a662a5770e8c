"""A pod, a Node, a Lease or a record of the engine that cannot be read: blocked, or the cost of one peer."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.drain.pods import pod_view
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json, plain
from bgpctl.errors import Blocked
from bgpctl.exabgp import events
from bgpctl.kube import lease
from bgpctl.runbooks import objects
from tests.fuzz.seeds import LEASE, NODE_OBJECT, POD


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "nested too deep"),
        ("NaN", "no finite number"),
        ("-Infinity", "no finite number"),
        ("1e999", "no finite number"),
        ("9" * 5000, "no JSON"),
        ("{", "no JSON"),
        (b"\xff", "no JSON"),
        (" " * 200_000 + "1", "longer than"),
    ],
)
def test_text_that_is_no_json_of_ours(text: str | bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        parse_json(text, 150_000)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**64, [[[[[[[[[[1]]]]]]]]]], {"a": b"x"}])
def test_what_cannot_be_kept(value: Any) -> None:
    with pytest.raises(Unreadable):
        plain(value)


def test_a_fault_names_its_place() -> None:
    read = Foreign({"spec": {"peers": [{"port": 1}, {"port": "x"}]}})
    with pytest.raises(Unreadable, match=r"^spec.peers\[1\].port must be an integer, 0"):
        [peer.integer("port") for peer in read.child("spec").children("peers")]


def test_a_pod_a_node_or_a_lease_that_cannot_be_read_blocks_its_node() -> None:
    """A pod that is left out would be killed by the power switch."""
    pod: Any = {**POD, "status": {"phase": ["Running"]}}
    with pytest.raises(
        Blocked, match=r"pod default/web-1 cannot be read \(pod.status.phase must be a string"
    ):
        objects.pods([POD, pod])
    assert objects.pods([POD]) == [pod_view(POD)]

    node: Any = {**NODE_OBJECT, "spec": {"unschedulable": "yes"}}
    with pytest.raises(Blocked, match="unschedulable must be true or false"):
        objects.node(node, "n1")

    class Api:
        def find(self, path: str) -> Any:
            return {**LEASE, "spec": {"holderIdentity": {"a": 1}}}

    with pytest.raises(Blocked, match="who holds node n1 is unknown") as caught:
        lease.read(Api(), "n1")  # type: ignore[arg-type]
    assert "kubectl -n kube-system delete lease bgpctl-node-n1" in caught.value.hint


def test_one_record_of_the_engine_that_cannot_be_read_costs_its_peer() -> None:
    good = {"peer": "a", "state": "idle"}
    sessions, fault = events.sessions_in({"id": "1", "peers": [good, {"peer": ["b"], "state": "idle"}]})
    assert [session.peer for session in sessions] == ["a"]
    assert "peer must be a string" in fault
    assert events.sessions_in({"id": "1", "peers": 7}) == ([], "")
    assert events.parse_line(b"[" * 100_000) is None

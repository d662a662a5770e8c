"""What speakers published, as the runbooks read it."""

from __future__ import annotations

import pytest

from bgpctl.core.state_document import to_document
from bgpctl.errors import Blocked
from bgpctl.providers.bgpctl import Bgpctl
from tests.support import direct, node_states
from tests.support.direct import EPOCH, Wire
from tests.support.kinds import KINDS


def test_a_state_that_cannot_be_read_blocks_its_node_and_no_other() -> None:
    api = direct.Api()
    client = Wire(api).client()
    assert Bgpctl(client).states() is None, "no CRD"
    assert Bgpctl(client).state("n1") is None
    api.server.apply(*KINDS)
    assert (Bgpctl(client).states(), Bgpctl(client).state("n1")) == ((), None)
    api.server.apply(to_document(node_states.state("n1", EPOCH)), to_document(node_states.state("n2", EPOCH)))
    stored = api.server.store.get(("bgpctl.io", "bgpnodestates"), "", "n1")
    assert stored is not None
    api.server.store.put(("bgpctl.io", "bgpnodestates"), {**stored.document, "status": {"phase": {"a": 1}}})
    first, second = Bgpctl(client).states() or ()
    assert (bool(first.unreadable), bool(second.unreadable)) == (True, False)
    assert Bgpctl(client).states(("n2", "n3", "n1")) == (second, first)
    assert Bgpctl(client).states(("n3",)) == (first, second), "more than was asked for"
    good = Bgpctl(client).state("n2")
    assert good is not None and good.node == "n2"
    with pytest.raises(Blocked) as told:
        Bgpctl(client).state("n1")
    start = "what node n1 announces is unknown: its BGPNodeState cannot be read ("
    assert told.value.message.startswith(start)
    assert told.value.hint.endswith(": kubectl delete bgpnodestate n1")

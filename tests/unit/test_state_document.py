"""The tables of BGPNodeState: what they say is what the CRD says, and what is written is what is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core import state_document as tables
from bgpctl.core.model import (
    IPV4,
    IPV6,
    Family,
    GracefulRestart,
    IPAddress,
    LastError,
    Session,
    SessionState,
)
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.reading.kinds import integer
from bgpctl.core.reading.table import Field, Group, Table, under
from bgpctl.core.state import LocalAddresses, NodeState, PeerState, WithdrawnPeer, WithdrawnRecord
from tests.unit.test_crds import NODE_STATE

# --- the CRD ------------------------------------------------------------------------------------------------


def shape(schema: dict[str, Any], path: str = "status") -> Iterator[tuple[str, str, str]]:
    """(path, type, format) of every property."""
    yield path, schema["type"], schema.get("format", "")
    for name, inner in schema.get("properties", {}).items():
        yield from shape(inner, f"{path}.{name}")
    if "items" in schema:
        yield from shape(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from shape(schema["additionalProperties"], f"{path}{{}}")


def test_the_tables_and_the_crd_have_the_same_properties_of_the_same_types() -> None:
    ours, theirs = set(shape(tables.STATUS.schema)), set(shape(NODE_STATE["properties"]["status"]))
    assert not ours - theirs, "in a table, not in the CRD"
    assert not theirs - ours, "in the CRD, in no table"


def attributes(table: Table[Any]) -> set[str]:
    """What a table reads, parts included."""
    flat = [one for entry in table.fields for one in (entry.fields if isinstance(entry, Group) else [entry])]
    return {one.attribute for one in flat if one.read}


@pytest.mark.parametrize(
    ("table", "value", "part", "elsewhere"),
    [
        (
            tables.STATUS,
            NodeState,
            "",
            {
                "node",
                "reported_at",
                "unreadable",
                "lag",
                "told_out",
                "engine_asked",
                "sessions_told",
                "assumes",
                "unread",
            },
        ),
        (tables.PEER, PeerState, "", {"session"}),
        (tables.PEER, Session, "session.", {"advertised", "received", "troubles", "gr_told"}),
        (tables.WITHDRAWN_PEER, WithdrawnPeer, "", {"state"}),
        (tables.WITHDRAWN, WithdrawnRecord, "", set()),
        (tables.LOCALS, LocalAddresses, "", set()),
        (tables.GRACEFUL_RESTART, GracefulRestart, "", set()),
        (tables.LAST_ERROR, LastError, "", set()),
    ],
)
def test_no_attribute_of_a_value_is_forgotten(
    table: Table[Any], value: type, part: str, elsewhere: set[str]
) -> None:
    wanted = {f"{part}{one.name}" for one in fields(value) if one.name not in elsewhere}
    assert wanted <= attributes(table)


# --- both ways ----------------------------------------------------------------------------------------------

counts = st.integers(0, 2**63 - 1)
seconds = st.integers(0, 2**31 - 1)
instants = st.integers(1, 4 * 253402300799).map(lambda quarters: quarters / 4)  # what floats hold exactly
words = st.text(max_size=20)
some_families = st.lists(st.sampled_from([IPV4, IPV6, Family("l2vpn", "evpn")]), unique=True).map(tuple)
addresses = st.sampled_from(["192.0.2.1", "2001:db8::1", "fe80::1%eth0"]).map(ip_address)
restarts = st.builds(
    GracefulRestart,
    seconds,
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from([IPV4, IPV6]), st.booleans())).map(tuple),
)
errors = st.builds(LastError, st.just(0.0) | instants, words, words, st.none() | counts, st.none() | counts)


@st.composite
def peers(draw: st.DrawFn) -> PeerState:
    """As a speaker can describe one: routes are counted while the session is up, of all its families."""
    name, state = draw(words), draw(st.sampled_from(list(SessionState)))
    families = draw(some_families)
    counted = families if state is SessionState.ESTABLISHED else ()
    maybe = lambda strategy: draw(st.none() | strategy)  # noqa: E731
    local: IPAddress | None = maybe(addresses)
    session = Session(
        peer=name,
        state=state,
        since=draw(st.just(0.0) | instants),
        established_at=maybe(instants),
        local_address=local,
        hold_time=maybe(seconds),
        keepalive_time=maybe(seconds),
        families=families,
        extended_next_hop=draw(st.booleans()),
        local_gr=maybe(restarts),
        peer_gr=maybe(restarts),
        long_lived=maybe(seconds),
        advertised={family: draw(counts) for family in counted},
        received={family: draw(counts) for family in counted},
        pending=draw(counts),
        end_of_rib=draw(st.booleans()),
        flaps=draw(counts),
        last_error=maybe(errors),
    )
    return PeerState(
        name,
        str(draw(addresses)),
        draw(st.integers(0, 65535)),
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(0, 2**32 - 1)),
        session,
        maybe(seconds),
        draw(seconds),
        draw(seconds),
        draw(counts),
        draw(counts),
        draw(words),
        draw(st.booleans()),
    )


some_peers = st.lists(peers(), max_size=2).map(tuple)
records = st.builds(
    WithdrawnRecord,
    words,
    instants,
    instants,
    instants,
    st.lists(st.builds(WithdrawnPeer, peers(), counts, st.booleans()), max_size=2).map(tuple),
    st.none() | instants,
    words,
    words,
)
soaks = st.just((0.0, None)) | st.tuples(st.integers(1, 3600).map(float), st.none() | instants)
states = st.builds(
    lambda soak, **rest: NodeState(soak=soak[0], soak_until=soak[1], **rest),
    soaks,
    node=st.text(min_size=1, max_size=9),
    phase=words,
    heartbeat=instants,
    started_at=st.just(0.0) | instants,
    speaker_version=words,
    engine_version=words,
    engine_restarts=counts,
    engine_mode=words,
    selected_by=words,
    selected_by_kind=words,
    policy_problem=words,
    problems=st.lists(words, max_size=3).map(tuple),
    intended=counts,
    announced=counts,
    peers=some_peers,
    withdrawn=st.none() | records,
    unwithdrawn=some_peers,
    absent=st.none() | st.dictionaries(words, counts, min_size=1, max_size=3),
    observed_leave=words,
    uid=words,
    sequence=st.integers(0, 2**53),
    locals=st.lists(
        st.builds(
            LocalAddresses,
            addresses.map(str),
            st.integers(0, 65535),
            st.lists(addresses.map(str), max_size=8).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)


@given(states)
def test_what_is_written_is_what_is_read(state: NodeState) -> None:
    document = json.loads(json.dumps(tables.to_document(state)))
    assert tables.from_document(document) == state


# --- what is not known --------------------------------------------------------------------------------------

SPARSE = Table(dict, Field("flaps", "flaps", integer(), default=None), Field("n", "n", integer()))


def test_a_field_may_be_unknown_which_is_not_zero() -> None:
    assert SPARSE.read(Foreign.of({})) == {"flaps": None, "n": 0}
    for flaps, document in ((None, {"n": 1}), (0, {"flaps": 0, "n": 1})):
        value = type("Value", (), {"flaps": flaps, "n": 1})
        assert SPARSE.write(value) == document
        assert SPARSE.read(Foreign.of(document)) == {"flaps": flaps, "n": 1}


BARE = PeerState("p", "192.0.2.1", 179, 65000, 65001, Session("p", SessionState.ACTIVE))


def test_what_nobody_knows_and_what_is_seldom_so_is_not_written() -> None:
    """The whole document of a node of which nothing is known, and of a peer: 5,000 nodes are written so. A
    count of 0 is something that is known."""
    empty = {
        "phase": "Starting",
        "speakerVersion": "",
        "engineVersion": "",
        "engineRestarts": 0,
        "sessions": "0/0",
        "routes": {"intended": 0, "announced": 0},
        "peers": [],
    }
    one = {
        "name": "p",
        "peerAddress": "192.0.2.1",
        "peerPort": 179,
        "peerASN": 65000,
        "localASN": 65001,
        "state": "active",
        "configured": {"holdTimeSeconds": 90, "keepAliveTimeSeconds": 30},
        "timers": {},
        "gracefulRestart": {},
        "families": [],
        "routeCount": [],
        "intended": 0,
        "announced": 0,
        "pending": 0,
        "endOfRIBSent": False,
        "flaps": 0,
    }
    assert tables.to_document(NodeState("n1"))["status"] == empty
    found = tables.to_document(NodeState("n1", peers=(BARE,)))["status"]
    assert found == {**empty, "sessions": "0/1", "peers": [one]}
    record = WithdrawnRecord("why", 1.0, 2.0, 3.0, (WithdrawnPeer(BARE, 2),))
    assert tables.to_document(NodeState("n1", withdrawn=record))["status"]["withdrawn"] == {
        "reason": "why",
        "observedTime": "1970-01-01T00:00:01.000000Z",
        "sentTime": "1970-01-01T00:00:02.000000Z",
        "closedTime": "1970-01-01T00:00:03.000000Z",
        "routes": 2,
        "peers": [{**one, "routes": 2, "flushed": True}],
    }


def test_an_object_that_needs_a_property_needs_it_in_a_part_too() -> None:
    group = Group("at", Field("port", "port", integer(default=None)), needs="port")
    table = Table(dict, *under("one", [group]), parts={"one": LocalAddresses})
    value = SimpleNamespace(one=LocalAddresses("192.0.2.1", None, ()))  # type: ignore[arg-type]
    assert table.write(value) == {}
    value = SimpleNamespace(one=LocalAddresses("192.0.2.1", 5, ()))
    assert table.write(value) == {"at": {"port": 5}}


def test_what_is_absent_reads_as_what_it_would_be() -> None:
    read = tables.STATUS.read(
        Foreign.of({"peers": [{}], "withdrawn": {"peers": [{}]}, "localAddresses": [{}]})
    )
    (one,), (gone,), (local,) = read["peers"], read["withdrawn"].peers, read["locals"]
    nothing = PeerState("", "", 179, 0, 0, Session("", SessionState.UNKNOWN), None, 90, 30)
    assert one == gone.state == nothing and (gone.routes, gone.flushed) == (0, True)
    assert local == LocalAddresses("", 179, ())
    assert (read["phase"], read["sequence"], read["heartbeat"]) == ("Starting", 0, 0.0)
    with pytest.raises(Unreadable):
        tables.STATUS.read(Foreign.of({"sequence": -1}))

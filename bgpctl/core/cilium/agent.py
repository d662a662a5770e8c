"""What Cilium's agent says when it is asked itself: `cilium-dbg bgp peers` and `bgp routes advertised`, as
JSON. It is its engine's own table (Adj-RIB-Out, RFC 4271 §3.2), of now. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bgpctl.core.cilium.nodeconfig import MOST_PEERS, NodeConfig, Peer
from bgpctl.core.model import SessionState
from bgpctl.core.policy.v2.peer import BGPPeerConfig
from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json

CLIENT = "cilium-dbg"
LONGEST = 8 << 20  # octets of one answer
MOST_ROUTES = 1_000_000
PEERS = (CLIENT, "bgp", "peers", "-o", "json")

Key = tuple[str, int]
"""A peer as the agent names it: its address, and the node's ASN towards it."""


@dataclass(frozen=True, slots=True)
class Told:
    """Of one peer: its session, for how many seconds that has been up, and how many routes are advertised to
    it."""

    state: SessionState
    uptime: float
    advertised: int = 0


Question = tuple[str, Sequence[str]]
"""The key of a peer as our policies name it, and a command."""


def questions(config: NodeConfig, settings: Mapping[str, BGPPeerConfig]) -> Iterator[Question]:
    """What tells how many routes are advertised to each peer, one per family."""
    for peer in config.peers:
        of = settings.get(peer.config, BGPPeerConfig(""))
        for family in of.families:
            afi, safi = str(family.family).split("/")
            where = ("vrouter", str(peer.local_asn), "peer", peer.address)
            yield peer.key, (CLIENT, "bgp", "routes", "advertised", afi, safi, *where, "-o", "json")


def key_of(peer: Peer) -> Key:
    """By which `read_sessions` has it."""
    return peer.address, peer.local_asn


def read_sessions(text: str) -> dict[Key, Told]:
    """`bgp peers -o json`: of each peer all but its routes. Raises Unreadable; no word is not "none"."""
    if not text.strip():
        raise Unreadable("it says nothing")
    found = {}
    for one in Foreign({"peers": _json(text)}).children("peers", MOST_PEERS):
        address = one.parsed("peer-address", _address, "an IP address")
        state = one.choice("session-state", tuple(SessionState)) if one.has("session-state") else "unknown"
        if address:
            uptime = one.integer("uptime-nanoseconds") / 1e9
            found[address, one.integer("local-asn")] = Told(SessionState(state), uptime)
    return found


def read_count(text: str) -> int:
    """`bgp routes advertised … -o json` -> how many there are. Raises Unreadable."""
    return len(Foreign({"routes": _json(text)}).children("routes", MOST_ROUTES))


def _address(text: str) -> str:
    """Older agents write it with its length."""
    return str(parse_zoned(text.partition("/")[0]))


def _json(text: str) -> object:
    """No routes are an empty answer, or null."""
    return parse_json(text, LONGEST) if text.strip() else None

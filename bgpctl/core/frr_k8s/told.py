"""What frr-k8s and FRR say of a node: FRRNodeState, BGPSessionState, and FRR itself when it is asked. Pure.

FRRNodeState is looked at every 30 s and written on change; BGPSessionState whenever that changes, else every
2 minutes. Neither has a heartbeat: of a daemon that died the last word stays (cmd/status, internal/frr).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bgpctl.core.frr_k8s.config import Key, Neighbor
from bgpctl.core.frr_k8s.running import Running, read
from bgpctl.core.model import IPAddress, SessionState
from bgpctl.core.reading.addresses import parse_address
from bgpctl.core.reading.documents import name_of
from bgpctl.core.reading.foreign import Foreign, Unreadable, parse_json

NODE_LABEL = "frrk8s.metallb.io/node"
SESSION_LAG = 125.0  # seconds that a BGPSessionState may be old: two minutes, and the time to write it
SUCCESS = "success"
STATES = {  # as FRR spells them
    "Idle": SessionState.IDLE,
    "Connect": SessionState.CONNECT,
    "Active": SessionState.ACTIVE,
    "OpenSent": SessionState.OPEN_SENT,
    "OpenConfirm": SessionState.OPEN_CONFIRM,
    "Established": SessionState.ESTABLISHED,
    "Clearing": SessionState.IDLE,
    "Deleted": SessionState.IDLE,
}

CLIENT, CONTAINER, SELECTOR = "vtysh", "frr", "app.kubernetes.io/component=frr-k8s"
LONGEST = 8 << 20  # octets of one answer
LONGEST_CONFIG = 1 << 20
_FAMILIES = {4: "ipv4Unicast", 6: "ipv6Unicast"}

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """An FRRNodeState: what FRR runs, and why it does not run what it was told; "" = it does."""

    node: str
    running: Running
    conversion: str
    reload: str


@dataclass(frozen=True, slots=True)
class Told:
    """What FRR said of one session. `uptime` in seconds; `sent`: how many routes it has sent, over all
    families, None = it does not say of each that it should have. `ended`: it has sent End-of-RIB for each,
    after which a router keeps nothing of an earlier session (RFC 4724). `local`: the node's end of it."""

    state: SessionState
    uptime: float = 0.0
    sent: int | None = None
    hold_time: int | None = None
    keepalive_time: int | None = None
    local: IPAddress | None = None
    ended: bool = False


Sessions = Mapping[Key, Told]


def node_status(document: Document) -> NodeStatus:
    """Raises Unreadable."""
    status = Foreign.of(document).child("status")
    results = (status.text(name, longest=LONGEST_CONFIG) for name in _RESULTS)
    conversion, reload = ("" if text.strip() == SUCCESS else _first_line(text) for text in results)
    running = status.text("runningConfig", longest=LONGEST_CONFIG)
    return NodeStatus(name_of(document), read(running), conversion, reload)


_RESULTS = ("lastConversionResult", "lastReloadResult")


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")[:300]


def session(document: Document) -> tuple[str, Key, SessionState]:
    """A BGPSessionState: the node, the peer, and the state. Raises Unreadable."""
    status = Foreign.of(document).child("status")
    peer = status.parsed("peer", _address, "an IP address")
    if peer is None:
        status.refuse("peer", "an IP address")
    vrf = status.text("vrf", longest=64)
    state = STATES.get(status.text("bgpStatus"), SessionState.UNKNOWN)
    return status.required("node"), (vrf, str(peer)), state


def node_of(document: Document) -> str:
    """Of which node a BGPSessionState is, where all else of it cannot be read; "" = nobody knows."""
    status = document.get("status")
    node = status.get("node") if isinstance(status, Mapping) else None
    return node if isinstance(node, str) else ""


def _address(text: str) -> IPAddress:
    """IPv6 is written there as a label's value may be: 2001-0db8-0000-…"""
    return parse_address(text.replace("-", ":"))


# -- FRR asked itself


QUESTION = CLIENT, "-c", "show bgp vrf all neighbors json"
"""The command, of every VRF: nobody knows in which of them it has more neighbors than are known."""
_OF_VRF = ("vrfId", "vrfName")  # beside its neighbors


def answer(text: str, neighbors: Iterable[Neighbor]) -> Sessions:
    """Of those of the neighbors that FRR has. Raises Unreadable, also where another one that FRR has, in
    whichever VRF, got routes, or may have: what is said of ours alone is not the node's word."""
    whole = Foreign.of(parse_json(text, LONGEST), "its answer")
    mine = {one.key: one for one in neighbors}
    found = {}
    for name in whole.value:
        there, vrf = whole.child(name), "" if name == "default" else name
        for router in there.value:
            if router in _OF_VRF:
                continue
            if one := mine.get((vrf, _spelled(router))):
                found[one.key] = _told(there.child(router), one)
            elif _sent(there.child(router)) != 0:
                where = f"{router[:64]} in VRF {vrf[:64]}" if vrf else router[:64]
                raise Unreadable(f"it has a session with {where} too, which is nobody's that is known")
    return found


def _told(read_: Foreign, neighbor: Neighbor) -> Told:
    state = STATES.get(read_.text("bgpState"), SessionState.UNKNOWN)
    if state is not SessionState.ESTABLISHED:
        return Told(state)
    counts = _counts(read_)
    known = [count for count in counts.values() if count is not None]
    wanted = [_FAMILIES[version] for version in neighbor.versions]
    ended = read_.child("gracefulRestartInfo").child("endOfRibSend")
    return Told(
        state,
        read_.integer("bgpTimerUpMsec") / 1000,
        sum(known) if known and all(counts.get(name) is not None for name in wanted) else None,
        _seconds(read_, "bgpTimerHoldTimeMsecs"),
        _seconds(read_, "bgpTimerKeepAliveIntervalMsecs"),
        _local(read_.text("hostLocal")),
        all(map(ended.flag, wanted)),
    )


def _counts(read_: Foreign) -> Mapping[str, int | None]:
    """How many routes it has sent, by family; None = it does not say."""
    families = read_.child("addressFamilyInfo")
    return {name: families.child(name).optional_integer("sentPrefixCounter") for name in families.value}


def _sent(read_: Foreign) -> int | None:
    """The same over all families. 0 without a session, None = it does not say."""
    if STATES.get(read_.text("bgpState"), SessionState.UNKNOWN) is not SessionState.ESTABLISHED:
        return 0
    counts = [count for count in _counts(read_).values() if count is not None]
    return sum(counts) if counts else None


def _seconds(read_: Foreign, name: str) -> int | None:
    found = read_.optional_integer(name)
    return None if found is None else found // 1000


def _local(text: str) -> IPAddress | None:
    try:
        return parse_address(text)
    except ValueError:
        return None


def _spelled(name: str) -> str:
    try:
        return str(parse_address(name))
    except ValueError:
        return name

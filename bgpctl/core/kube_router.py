"""What kube-router's arguments and a Node's annotations tell of its BGP. Pure.

It tells nobody of its sessions but its metrics. Names and defaults: cloudnativelabs/kube-router, docs/bgp.md
and docs/user-guide.md. The peers of its arguments hide those of a Node, and a Node's annotations count from
the start of its pod on only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from typing import Any, TypeVar

from bgpctl.core.model import Session, SessionState
from bgpctl.core.reading.addresses import parse_address
from bgpctl.core.reading.documents import annotations_of, labels_of, name_of, text_map
from bgpctl.core.reading.durations import seconds
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.state import NodeState, PeerState

T = TypeVar("T")

CONTAINER = "kube-router"
PEERS = "kube-router.io/peers"
NODE_ASN = "kube-router.io/node.asn"
CLUSTER_ASN, PORT, HOLD_TIME, RESTART_TIME = 64512, 179, 90, 90
MOST_PEERS = 100

UNTOLD = (
    "kube-router tells nobody of its sessions: its metric kube_router_bgp_peer_info does, and "
    "`gobgp neighbor` in its pod"
)

Document = Mapping[str, Any]
_ASN, _PORT = Range(1, 2**32 - 1), Range(1, 65535)


@dataclass(frozen=True, slots=True)
class Peer:
    """One router. `local` "" = the Node's own address."""

    address: str
    asn: int
    port: int = PORT
    local: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one DaemonSet. `selector`: the labels of the nodes on which it runs. `restart_time` None = without
    graceful restart: then its pod closes its sessions when it ends. `peers`: of every node."""

    selector: Mapping[str, str]
    asn: int = CLUSTER_ASN
    hold_time: int = HOLD_TIME
    restart_time: int | None = None
    peers: tuple[Peer, ...] = ()

    def runs_on(self, node: Document) -> bool:
        """As far as its nodeSelector tells."""
        labels = labels_of(node)
        return all(labels.get(key) == value for key, value in self.selector.items())


def read_settings(daemonset: Document) -> Settings | None:
    """None: it is not kube-router, does not speak BGP, or has no pod: whoever may write a DaemonSet may write
    anything into it, but its pods have to be let into their nodes' network. Raises Unreadable."""
    status = Foreign.of(daemonset).child("status")
    if status.has("observedGeneration") and not status.integer("currentNumberScheduled"):
        return None
    pod = Foreign.of(daemonset).child("spec").child("template").child("spec")
    if not pod.flag("hostNetwork"):
        return None  # somebody's, whatever it is called: kube-router needs its node's network
    for container in pod.children("containers"):
        if CONTAINER in (container.text("name"), _image(container.text("image"))):
            flags = _flags((*container.texts("command"), *container.texts("args")))
            if _is_true(flags.get("run-router", "true")):
                return _settings(text_map(pod.child("nodeSelector").value), flags)
    return None


def _image(text: str) -> str:
    """The last step of its path, without tag and digest."""
    return text.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _flags(words: Sequence[str]) -> dict[str, str]:
    """--name=value, --name value, --name."""
    found: dict[str, str] = {}
    for word, after in pairwise((*words, "")):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            found[name] = value if equals else "true" if not after or after.startswith("-") else after
    return found


def _is_true(text: str) -> bool:
    return text.lower() in ("1", "t", "true")


def _settings(selector: Mapping[str, str], flags: Mapping[str, str]) -> Settings:
    read = Foreign(flags, "its arguments")
    graceful = _is_true(flags.get("bgp-graceful-restart", "false"))
    ports = flags.get("peer-router-ports", "")
    return Settings(
        selector,
        _number(read, "cluster-asn", _ASN, CLUSTER_ASN) if flags.get("cluster-asn") != "0" else CLUSTER_ASN,
        _duration(read, "bgp-holdtime", HOLD_TIME),
        _duration(read, "bgp-graceful-restart-time", RESTART_TIME) if graceful else None,
        _peers(flags.get("peer-router-ips", ""), flags.get("peer-router-asns", ""), ports),
    )


def _duration(read: Foreign, name: str, default: int) -> int:
    found = read.parsed(name, seconds, "a duration")
    return default if found is None else int(-(-min(found, 86400.0) // 1))


def _number(read: Foreign, name: str, limits: Range, default: int) -> int:
    found = read.parsed(name, lambda text: _within(text, limits), f"an integer, {limits}")
    return default if found is None else found


def _within(text: str, limits: Range) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
    if not limits.low <= number <= limits.high:
        raise ValueError(text)
    return number


def _peers(ips: str, asns: str, ports: str = "", locals_: str = "") -> tuple[Peer, ...]:
    """Lists with a comma, one of each for each peer; ports and addresses of ours may be missing."""
    addresses = _split(ips)
    numbers = _each(_split(asns), lambda text: _within(text, _ASN), "AS numbers")
    if len(numbers) != len(addresses) or len(addresses) > MOST_PEERS:
        raise Unreadable(f"{len(addresses)} peers, and {len(numbers)} AS numbers")
    found = _each(addresses, lambda text: str(parse_address(text)), "addresses of peers")
    ends = _each(_split(ports), lambda text: _within(text, _PORT), "ports") or [PORT] * len(found)
    own = _each(_split(locals_), lambda text: str(parse_address(text)) if text else "", "addresses of ours")
    own = own or [""] * len(found)
    if not len(found) == len(ends) == len(own):
        raise Unreadable(f"{len(found)} peers, {len(ends)} ports and {len(own)} addresses of ours")
    return tuple(Peer(*one) for one in zip(found, numbers, ends, own, strict=True))


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text.strip() else []


def _each(texts: Sequence[str], parse: Callable[[str], T], what: str) -> list[T]:
    try:
        return [parse(text) for text in texts]
    except ValueError:
        raise Unreadable(f"{', '.join(texts)[:100]!r} are no {what}") from None


def read_peers(node: Document, settings: Settings, consolidated: Any) -> tuple[Peer, ...]:
    """Of one node; `consolidated`: the value of its annotation `kube-router.io/peers`, which is YAML, None =
    it has none. Raises Unreadable."""
    if settings.peers:
        return settings.peers
    notes = annotations_of(node)
    if consolidated is None:
        parts = (
            notes.get(f"kube-router.io/peer.{name}", "") for name in ("ips", "asns", "ports", "localips")
        )
        return _peers(*parts)
    listed = Foreign({PEERS: consolidated})
    return tuple(_peer(one) for one in listed.children(PEERS, MOST_PEERS))


def _peer(read: Foreign) -> Peer:
    address = read.parsed("remoteip", parse_address, "an IP address")
    local = read.parsed("localip", parse_address, "an IP address")
    if address is None:
        read.refuse("remoteip", "an IP address")
    return Peer(
        str(address),
        read.integer("remoteasn", limits=_ASN),
        read.integer("port", PORT, _PORT),
        str(local) if local else "",
    )


def node_state(node: Document, settings: Settings, consolidated: Any) -> NodeState:
    """Raises Unreadable."""
    peers = read_peers(node, settings, consolidated)
    asn = _number(Foreign(annotations_of(node), "metadata.annotations"), NODE_ASN, _ASN, settings.asn)
    return NodeState(
        name_of(node),
        phase="",
        selected_by="kube-router" if peers else "",
        selected_by_kind="DaemonSet" if peers else "",
        problems=(UNTOLD,) if peers else (),
        intended=None,
        announced=None if peers else 0,
        peers=tuple(_state(peer, settings, asn) for peer in peers),
        lag=0.0,
    )


def _state(peer: Peer, settings: Settings, asn: int) -> PeerState:
    local = ip_address(peer.local) if peer.local else None
    session = Session(
        peer.address,
        SessionState.UNKNOWN,
        local_address=local,
        gr_told=settings.restart_time is None,
        end_of_rib=None,
    )
    return PeerState(
        peer.address,
        peer.address,
        peer.port,
        peer.asn,
        asn,
        session,
        configured_restart_time=settings.restart_time,
        configured_hold_time=settings.hold_time,
        configured_keepalive_time=settings.hold_time // 3,
        intended=None,
        announced=None,
    )

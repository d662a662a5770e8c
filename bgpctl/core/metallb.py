"""MetalLB where it speaks BGP itself, natively or by an FRR in its speaker: what gives a node its peers.

It announces nothing but the addresses of Services, and tells nobody of its sessions; its FRR can be asked.
Field names and what the exclude label does: metallb/metallb, api/v1beta2, speaker/bgp_controller.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from bgpctl.core.drain.lever import EXCLUDE
from bgpctl.core.frr_k8s.config import (
    DEFAULT_PORT,
    LONG_LIVED,
    RESTART_TIME,
    Neighbor,
    read_selectors,
    read_vrf,
)
from bgpctl.core.frr_k8s.states import NOT_TOLD
from bgpctl.core.frr_k8s.told import Sessions, Told
from bgpctl.core.model import Session, SessionState
from bgpctl.core.reading.addresses import parse_address
from bgpctl.core.reading.documents import labels_of, name_of
from bgpctl.core.reading.durations import seconds
from bgpctl.core.reading.fields import Range
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.core.state import NodeState, PeerState, placed

KIND = "BGPPeer"
CONTAINER = "speaker"
IGNORES = "--ignore-exclude-lb"
"""The speaker's flag with which the exclude label does nothing."""
NODE_NAME, BGP_TYPE, FRR_K8S = "METALLB_NODE_NAME", "METALLB_BGP_TYPE", "frr-k8s"
"""Of the speaker's environment: what each has, what says how it speaks BGP, and the value of that which says
that it does not itself. A value from elsewhere may be that one."""
HOLD_TIME = 180  # FRR's, where nobody says anything else; natively it is less
LAG = 10.0  # seconds until a label is obeyed: at most every 3 s FRR is reloaded

SELECTORS = (  # of its speakers' pods, by its manifests and by its chart
    "app=metallb,component=speaker",
    "app.kubernetes.io/name=metallb,app.kubernetes.io/component=speaker",
)
UNTOLD = (
    "MetalLB tells nothing of its sessions where it speaks BGP itself (its metric metallb_bgp_session_up "
    "does): its FRR has to be asked, or routers"
)
EXCLUDED = f"label {EXCLUDE}: MetalLB announces no address from it"

_ASN, _PORT = Range(0, 2**32 - 1), Range(0, 65535)

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Peer:
    """One BGPPeer. `versions`: of IP, which it gets routes of. `graceful`: graceful restart is enabled; where
    it is not, an FRR offers it all the same (`frr_k8s.config`), and MetalLB natively does not. `selectors`:
    of nodes, () = all have it."""

    name: str
    vrf: str
    address: str
    port: int
    asn: int
    local_asn: int
    source: str
    versions: tuple[int, ...]
    hold_time: int
    keepalive_time: int
    graceful: bool
    selectors: tuple[LabelSelector, ...]

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Has a node with these labels it?"""
        return not self.selectors or any(one.matches(labels) for one in self.selectors)

    @property
    def neighbor(self) -> Neighbor:
        """As its FRR has it."""
        about = self.name, self.vrf, self.address, self.port, self.asn, self.local_asn, self.local_asn
        return Neighbor(*about, versions=self.versions)


@dataclass(frozen=True, slots=True)
class Unread:
    """One that cannot be read. `selectors` None = for which nodes it is is not known either."""

    name: str
    selectors: tuple[LabelSelector, ...] | None
    why: str

    def selects(self, labels: Mapping[str, str]) -> bool:
        """May a node with these labels have it?"""
        return not self.selectors or any(one.matches(labels) for one in self.selectors)

    def __str__(self) -> str:
        whose = ": for which nodes it is, is not known" if self.selectors is None else ""
        return f"{KIND} {self.name} cannot be read ({self.why}){whose}"


def read(document: Document) -> Peer | Unread:
    """One object, of v1beta2 or v1beta1."""
    selectors = None
    try:
        spec = Foreign.of(document).child("spec")
        selectors = read_selectors(spec, "nodeSelectors")
        return _peer(name_of(document), spec, selectors)
    except Unreadable as error:
        return Unread(name_of(document), selectors, error.message)


def _peer(name: str, spec: Foreign, selectors: tuple[LabelSelector, ...]) -> Peer:
    if spec.text("interface"):
        spec.refuse("interface", "absent: by its interface alone (unnumbered) no router is known")
    address = spec.parsed("peerAddress", parse_address, "an IP address")
    if address is None:
        spec.refuse("peerAddress", "an IP address")
    source = spec.parsed("sourceAddress", parse_address, "an IP address")
    own = spec.integer("myASN", limits=_ASN)
    hold = _duration(spec, "holdTime", HOLD_TIME)
    internal = spec.text("dynamicASN") == "internal"
    return Peer(
        name,
        read_vrf(spec),
        str(address),
        spec.integer("peerPort", DEFAULT_PORT, _PORT) or DEFAULT_PORT,
        own if internal else spec.integer("peerASN", limits=_ASN),
        spec.integer("localASN", limits=_ASN) or own,
        str(source) if source else "",
        (4, 6) if spec.flag("dualStackAddressFamily") else (address.version,),
        hold,
        _duration(spec, "keepaliveTime", hold // 3),
        spec.flag("enableGracefulRestart"),
        selectors,
    )


def _duration(spec: Foreign, name: str, default: int) -> int:
    found = spec.parsed(name, seconds, "a duration")
    return default if found is None else int(min(found, 65535.0))


def ignores_exclusion(daemonsets: Iterable[Document]) -> bool:
    """Was a speaker of MetalLB told to announce in spite of the exclude label? A DaemonSet that cannot be
    read says nothing."""
    return any(said == "true" for said in _each(daemonsets, _ignoring))


def leaves_to_frr_k8s(daemonsets: Iterable[Document]) -> bool | None:
    """Does a speaker of MetalLB write FRRConfigurations, and leave the sessions to frr-k8s? It does where its
    environment says so, natively without a word (speaker/main.go). None = there is none to be seen."""
    told = [said for said in _each(daemonsets, _type) if said]
    return FRR_K8S in told if told else None


def _each(daemonsets: Iterable[Document], said: Callable[[Foreign], str]) -> Iterator[str]:
    """What each container tells that is called as the speaker is, "" = nothing."""
    for document in daemonsets:
        try:
            pod = Foreign.of(document).child("spec").child("template").child("spec")
            yield from [said(c) for c in pod.children("containers") if c.text("name") == CONTAINER]
        except Unreadable:
            continue


def _ignoring(container: Foreign) -> str:
    words = (*container.texts("command"), *container.texts("args"))
    return "true" if _says(words) else ""


def _type(container: Foreign) -> str:
    """The value of its METALLB_BGP_TYPE. One without its own variables is another stack's."""
    variables = {one.text("name"): one for one in container.children("env")}
    if NODE_NAME not in variables:
        return ""
    return variables[BGP_TYPE].text("value", FRR_K8S) if BGP_TYPE in variables else "native"


def _says(words: Iterable[str]) -> bool:
    flags = {word.lstrip("-").partition("=")[0]: word.partition("=")[2] for word in words if word[:1] == "-"}
    return flags.get(IGNORES.lstrip("-"), "false").lower() in ("", "1", "t", "true")


def node_state(
    node: Document,
    peers: Iterable[Peer],
    unread: Iterable[Unread],
    *,
    out: bool,
    told: Sessions = NOT_TOLD,
    by: str = "",
) -> NodeState:
    """`out`: the label keeps it from announcing, by bgpctl's hand. `told`: what its FRR said just now, of
    every peer or of none; `by`: whom that was heard. What it should announce nobody tells, so a count says
    something only where that is nothing."""
    labels = labels_of(node)
    mine = [peer for peer in peers if peer.selects(labels)]
    strange = tuple(str(one) for one in unread if one.selects(labels))
    counts = [told[peer.neighbor.key].sent for peer in mine] if told and out else []
    known = [count for count in counts if count is not None]
    return NodeState(
        name_of(node),
        phase="",
        selected_by="" if out else ", ".join(peer.name for peer in mine),
        selected_by_kind=KIND if mine and not out else "",
        problems=(
            *strange,
            *([UNTOLD] if mine and not told else ()),
            *([EXCLUDED] if EXCLUDE in labels else ()),
        ),
        intended=None,
        announced=sum(known) if len(known) == len(mine) else None,
        peers=tuple(_state(peer, told.get(peer.neighbor.key)) for peer in mine),
        unwithdrawn=tuple(_state(p, said) for p in mine if out and (said := _lost(p, told))),
        lag=0.0 if told else LAG,
        told_out=out,
        engine_asked=by if told else "",
        sessions_told=bool(told),
        unread=strange,
    )


def _lost(peer: Peer, told: Sessions) -> Told | None:
    """A session that is down, or one on which a router that keeps routes was not told yet that it has all."""
    said = told.get(peer.neighbor.key)
    if said is None or (said.state is SessionState.ESTABLISHED and (said.ended or not peer.graceful)):
        return None
    return said


def _state(peer: Peer, said: Told | None) -> PeerState:
    own = ip_address(peer.source) if peer.source else None
    session = Session(
        peer.name,
        said.state if said else SessionState.UNKNOWN,
        local_address=own or (said.local if said else None),
        hold_time=said.hold_time if said else None,
        keepalive_time=said.keepalive_time if said else None,
        gr_told=False,
        long_lived=LONG_LIVED,
        end_of_rib=None,
    )
    return PeerState(
        peer.name,
        placed(peer.vrf, peer.address),
        peer.port,
        peer.asn,
        peer.local_asn,
        session,
        configured_restart_time=RESTART_TIME,
        configured_hold_time=peer.hold_time,
        configured_keepalive_time=peer.keepalive_time,
        configured_notification=peer.graceful,
        intended=None,
        announced=None,
    )

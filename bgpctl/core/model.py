"""The nouns: what a node should run (Intent) and what is seen of it (Session). Frozen values, no behaviour.

Times are seconds since the epoch (float); durations are seconds. Addresses and prefixes are `ipaddress`
objects inside the program and text only at its edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from bgpctl.core.policy.nodeconfig import NodeConfig

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class _HashedOnce:
    """A network that remembers its hash: `ipaddress` computes it anew, in Python, at every look into a table,
    and a table of 10,000 prefixes is looked through at every change."""

    def __hash__(self) -> int:
        try:
            return self._hashed
        except AttributeError:
            self._hashed: int = super().__hash__()
            return self._hashed


class IPv4Host(_HashedOnce, IPv4Network):
    """Equal to the IPv4Network with the same prefix."""


class IPv6Host(_HashedOnce, IPv6Network):
    """Equal to the IPv6Network with the same prefix."""


def host_network(address: IPAddress) -> IPNetwork:
    """The address as a /32 or /128."""
    return IPv4Host(address) if isinstance(address, IPv4Address) else IPv6Host(address)


class Family(NamedTuple):
    """An address family as the Cilium resources write it: afi `ipv4|ipv6|…`, safi `unicast|…`."""

    afi: str
    safi: str = "unicast"

    def __str__(self) -> str:
        return f"{self.afi}/{self.safi}"

    @classmethod
    def parse(cls, text: str) -> Family:
        """The reverse of `str`; "ipv4" is "ipv4/unicast"."""
        afi, _, safi = text.partition("/")
        return cls(afi, safi or "unicast")


IPV4 = Family("ipv4")
IPV6 = Family("ipv6")


def family_of(prefix: IPNetwork) -> Family:
    """The unicast family that carries `prefix`."""
    return IPV4 if prefix.version == 4 else IPV6


class Secret:
    """A password. Its text leaves only through `reveal`; printing it shows nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


# --- Intent: what one node should run -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Peer:
    """One BGP session that the node should hold, every default filled in.

    `name` is unique on the node: "<instance>/<peer>", for CiliumBGPPeeringPolicy "<localASN>/<peer address>".
    `restart_time` is the RFC 4724 Restart Time that we send, in seconds; None = graceful restart off.
    `graceful_notification`: do we send the N bit (RFC 8538) with it? `extended_next_hop`: do we offer to send
    IPv4 routes with the session's IPv6 address as their next hop (RFC 8950)?
    `local_port` None = never listen. `local_address` None = the kernel chooses.
    """

    name: str
    instance: str
    address: IPAddress
    asn: int
    local_asn: int
    router_id: IPv4Address
    port: int = 179
    local_address: IPAddress | None = None
    local_port: int | None = None
    hold_time: int = 90
    keepalive_time: int = 30
    connect_retry_time: int = 120
    multihop_ttl: int = 1
    restart_time: int | None = None
    graceful_notification: bool = False
    extended_next_hop: bool = False
    families: tuple[Family, ...] = (IPV4, IPV6)
    password: Secret | None = None

    @property
    def external(self) -> bool:
        """eBGP?"""
        return self.asn != self.local_asn


@dataclass(frozen=True, slots=True)
class Attributes:
    """Path attributes beyond the mandatory ones. `next_hop` None = self (the session's local address).

    Communities are in RFC text form ("65000:99", names already resolved to numbers); large ones "a:b:c".
    `local_preference` is for iBGP only; None = 100 as RFC 4271 5.1.5 suggests.
    """

    next_hop: IPAddress | None = None
    communities: frozenset[str] = frozenset()
    large_communities: frozenset[str] = frozenset()
    local_preference: int | None = None


NO_ATTRIBUTES = Attributes()


@dataclass(frozen=True, slots=True)
class Route:
    """A prefix that should be announced to one peer, and why (`origin` e.g. "Service default/web",
    `why` one sentence)."""

    prefix: IPNetwork
    attributes: Attributes = NO_ATTRIBUTES
    origin: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """Something that could be announced and is not: `reason` is a stable name (notSelected,
    noLocalEndpoints …), `detail` a sentence. `prefix` None when it has no address yet."""

    origin: str
    prefix: IPNetwork | None
    reason: str
    detail: str
    peer: str = ""


class RouteTable(dict[IPNetwork, Route]):
    """Routes by prefix, which nobody changes. `wire` has their attributes only: two such tables compare as
    fast as memory is read, and a speaker compares what it wants with what it has at every change."""

    __slots__ = ("wire",)

    def __init__(self, routes: Mapping[IPNetwork, Route], wire: Mapping[IPNetwork, Attributes]) -> None:
        super().__init__(routes)
        self.wire = wire


@dataclass(frozen=True, slots=True)
class Intent:
    """What one node should run. `routes` maps a peer's name to its routes by prefix.

    `selected` is False when no policy selects the node: then it must leave (withdraw, Cease).
    `policy` names the policy that owns the node; `problems` are sentences about objects that were left out
    (a bad policy, a Service without EndpointSlice, a missing Secret); one bad object costs that object only.
    `stale` is set when an invalid policy made us keep the previous intent.
    `config` is what it was compiled from (a stale intent goes on from it), `opened` says that the node was
    Ready once since it was selected (`core/intent/gates.py`); neither is a part of equality.
    """

    node: str
    selected: bool = False
    policy: str = ""
    peers: tuple[Peer, ...] = ()
    routes: Mapping[str, Mapping[IPNetwork, Route]] = field(default_factory=dict)
    absent: tuple[Absent, ...] = ()
    problems: tuple[str, ...] = ()
    stale: bool = False
    opened: bool = field(default=False, compare=False)
    config: NodeConfig | None = field(default=None, compare=False, repr=False)

    @property
    def waiting(self) -> bool:
        """The node may not announce yet: it was not (confirmed to be) Ready since it was selected."""
        return self.selected and self.config is not None and not self.opened

    @property
    def out(self) -> bool:
        """No policy selects the node, and that is known."""
        return not self.selected and not self.undecided

    @property
    def undecided(self) -> bool:
        """Nothing that says what to run could be read, now or before: this is no word for leaving either."""
        return self.stale and self.config is None


# --- Session: what is seen of one peer --------------------------------------------------------------------


class SessionState(StrEnum):
    """RFC 4271 section 8.2.2, spelt as Cilium's status spells it."""

    UNKNOWN = "unknown"
    IDLE = "idle"
    CONNECT = "connect"
    ACTIVE = "active"
    OPEN_SENT = "open_sent"
    OPEN_CONFIRM = "open_confirm"
    ESTABLISHED = "established"


class Forwarding(NamedTuple):
    """One family of a graceful restart capability, and its F bit."""

    family: Family
    forwarding: bool


class FamilyCount(NamedTuple):
    """The routes of one family on a session that is up."""

    afi: str
    safi: str
    advertised: int
    received: int


@dataclass(frozen=True, slots=True)
class GracefulRestart:
    """One side's RFC 4724 capability as it stood in its OPEN. `notification` is the N bit of RFC 8538;
    `families` holds (family, F bit)."""

    restart_time: int
    restart_state: bool = False
    notification: bool = False
    families: tuple[tuple[Family, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class LastError:
    """Why the session last went down. `direction` is "sent", "received" (a NOTIFICATION) or "local"."""

    time: float
    direction: str
    text: str
    code: int | None = None
    subcode: int | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One peer as the engine sees it. Negotiated values are None until the session was Established once.

    `extended_next_hop`: both sides agreed that IPv4 routes have an IPv6 next hop here (RFC 8950).
    `long_lived` are the RFC 9494 stale times in seconds that apply to our routes, None = not negotiated.
    `advertised`, `received` are prefixes per family, empty unless Established. `pending` counts routes that
    are not on the socket yet; `end_of_rib` says that ours was sent on this session, None =
    nobody tells. `gr_told`: is what was negotiated of graceful restart known? It is
    where the node offers none.
    `troubles`: what is wrong although it is up, each a predicate of the router ("it does not read …").
    """

    peer: str
    state: SessionState = SessionState.IDLE
    since: float = 0.0
    established_at: float | None = None
    local_address: IPAddress | None = None
    hold_time: int | None = None
    keepalive_time: int | None = None
    families: tuple[Family, ...] = ()
    extended_next_hop: bool = False
    local_gr: GracefulRestart | None = None
    peer_gr: GracefulRestart | None = None
    gr_told: bool = True
    long_lived: int | None = None
    advertised: Mapping[Family, int] = field(default_factory=dict)
    received: Mapping[Family, int] = field(default_factory=dict)
    pending: int = 0
    end_of_rib: bool | None = False
    flaps: int = 0
    troubles: tuple[str, ...] = ()
    last_error: LastError | None = None

    @property
    def established(self) -> bool:
        return self.state is SessionState.ESTABLISHED

    @property
    def counts(self) -> tuple[FamilyCount, ...]:
        """Of every family that the session has or counts, in order; none unless it is up."""
        if not self.established:
            return ()
        families = sorted({*self.families, *self.advertised, *self.received})
        return tuple(FamilyCount(*f, self.advertised.get(f, 0), self.received.get(f, 0)) for f in families)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the engine runs now. `generation` grows when the engine process is replaced: nothing that an
    earlier process was told counts any more. `announced` is what this process was told and acknowledged,
    per peer name; `synced` are the peers that may send End-of-RIB."""

    generation: int = 0
    running: bool = False
    peers: Mapping[str, Peer] = field(default_factory=dict)
    announced: Mapping[str, Mapping[IPNetwork, Attributes]] = field(default_factory=dict)
    synced: frozenset[str] = frozenset()
    sessions: Mapping[str, Session] = field(default_factory=dict)

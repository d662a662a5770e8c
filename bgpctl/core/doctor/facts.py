"""What the doctor knows of a cluster: frozen values, each gathered once (`queries.doctor`). Pure.

A field that is None is unknown, and `missing` says why; the rules that need it are not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bgpctl.core.intent.services import Service
from bgpctl.core.model import Family, Intent, IPAddress, IPNetwork
from bgpctl.core.policy.owners import AnyClaim
from bgpctl.core.policy.v2.compile import Resources
from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.core.state import NodeState, PeerState

SETTLED_SECONDS = 60.0
"""A session that came up less than this ago may still be sending its first routes."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One Node. `ready` None = it has no such condition."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ready: bool | None = None
    addresses: tuple[IPAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """One Service address that nodes announce: the Services that have it, whether it follows their endpoints
    (traffic policy Local), how many nodes announce it, and the name of the only one ("" = not one). `idle`:
    of one that follows them, the nodes that have endpoints and do not announce it."""

    prefix: IPNetwork
    owners: tuple[str, ...]
    local: bool
    announcers: int
    only: str
    endpoints: int
    idle: int = 0


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A `speaker upgrade` that has not come to its end. `before`: the type of the DaemonSet's updateStrategy
    then, "" = that cannot be read. `images`: those of its containers now, by their names."""

    before: str
    images: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Workload:
    """A DaemonSet that speaks BGP, or kube-proxy's (`proxy`). `max_unavailable`: as it is written, "" = the
    default, 1. `selector`: of its pods. `unavailable`: nodes where it should run and is not available.
    `grace` in seconds. `upgrade` None = there is none half-done."""

    namespace: str
    name: str
    selector: str
    proxy: bool
    ours: bool
    priority: str
    host_network: bool
    strategy: str
    max_unavailable: str
    unavailable: int
    grace: int
    upgrade: Upgrade | None = None


@dataclass(frozen=True, slots=True)
class Took:
    """How long something took on a node, in seconds: the restart of a speaker's container, the pull of its
    image (`what` names it)."""

    node: str
    seconds: float
    what: str


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """One CiliumLoadBalancerIPPool: its blocks as (first, last) addresses, both included; `used`: how many
    Services' addresses are in it. `conflict`: Cilium's own condition says so. `problem`: it cannot be read.
    """

    name: str
    blocks: tuple[tuple[IPAddress, IPAddress], ...] = ()
    disabled: bool = False
    used: int = 0
    conflict: bool = False
    problem: str = ""

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return sum(int(last) - int(first) + 1 for first, last in self.blocks)


@dataclass(frozen=True, slots=True)
class Run:
    """What bgpctl did with one node. `service` is the word of `node status` (drained, drain-stopped,
    announces-again …), `stopped` why nobody goes on, `problem` what cannot be read or found again; `hint` the
    way out. `age`: seconds since a drain was done."""

    node: str
    service: str
    stopped: str = ""
    problem: str = ""
    hint: str = ""
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """A Lease of a node's run. `node_there`: is its Node? `journal`: has that one a journal? `holder`: who
    has it now, "" = nobody."""

    name: str
    node: str
    node_there: bool
    journal: bool
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Leftover:
    """An object that bgpctl made for drains and that is not as it should be: `gone`, what it was for is no
    more; else the original was changed after it was copied. `clears`: the command that puts it right."""

    object: str
    why: str
    clears: str
    gone: bool = True


@dataclass(frozen=True, slots=True)
class Certificate:
    """Until when (epoch seconds) a certificate counts."""

    what: str
    not_after: float


@dataclass(frozen=True, slots=True)
class Bfd:
    """BFD for one neighbor, as the router has it: its detection time in seconds, None = not told yet."""

    up: bool
    detect: float | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A maximum number of prefixes from one neighbor. `warns`: it only logs."""

    most: int
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """One address family of a neighbor at the router. `received` are the prefixes that came in, `accepted`
    those that its filters let through, `filter` the name of what filters them ("" = nothing does).
    `discards`: why it takes none at all, "" = it does. None = it does not tell."""

    family: Family
    accepted: int | None = None
    received: int | None = None
    filter: str | None = None
    limit: Limit | None = None
    discards: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """One neighbor as its router has it; None = this router does not tell, or not while the session is down.

    `session` in lower case. `graceful`: does it keep the routes of a node that restarts (RFC 4724, helper)?
    `stale_cap`: for how many seconds at most. `hold_time`: as it is configured. `hops`: how far away it lets
    the neighbor be (1 = directly connected). `gtsm`: RFC 5082. `password`: TCP-MD5. `bfd` counts where
    `bfd_told`. `stale`: how many stale paths of it are left.
    """

    router: str
    address: str
    local: str = ""
    session: str = ""
    asn: int | None = None
    local_asn: int | None = None
    graceful: bool | None = None
    stale_cap: float | None = None
    hold_time: int | None = None
    hops: int | None = None
    gtsm: bool | None = None
    password: bool | None = None
    bfd: Bfd | None = None
    bfd_told: bool = False
    long_lived: bool | None = None
    channels: tuple[Channel, ...] = ()

    @property
    def kind(self) -> str:
        """Of the probe: bird, frr, gobgp, openbgpd."""
        return self.router.partition(" ")[0]

    @property
    def up(self) -> bool:
        """Is the session up, by the router's word?"""
        return self.session == "established"


@dataclass(frozen=True, slots=True)
class Crowd:
    """One prefix of which a router has several live paths: of each the neighbor that it is from, and
    whether the router forwards by it."""

    router: str
    prefix: IPNetwork
    paths: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Met:
    """A node's peer, and the same session at its router. `state`: the node's."""

    state: NodeState
    peer: PeerState
    side: Side

    @property
    def node(self) -> str:
        """The node's name."""
        return self.state.node


@dataclass(frozen=True, slots=True)
class Facts:
    """`now` is epoch seconds by the API server's clock, `version` this bgpctl's. `intents` are those of the
    nodes without Services' routes; `selectors` what selects nodes, by name. `crds`: properties of
    BGPNodeState that the cluster's CRD has not, and this bgpctl has. `probes_failed`: routers that could not
    be asked, and why; `strangers`: routers of which no neighbor is one of the nodes."""

    now: float
    version: str = ""
    nodes: Sequence[NodeFacts] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, NodeState] | None = None
    intents: Mapping[str, Intent] | None = None
    claims: Sequence[AnyClaim] | None = None
    resources: Resources | None = None
    selectors: Mapping[str, LabelSelector | None] | None = None
    services: Sequence[Service] | None = None
    reaches: Sequence[Reach] | None = None
    pools: Sequence[PoolFacts] | None = None
    workloads: Sequence[Workload] | None = None
    proxies_down: Sequence[str] | None = None
    restarts: Sequence[Took] | None = None
    pulls: Sequence[Took] | None = None
    runs: Sequence[Run] | None = None
    leases: Sequence[Held] | None = None
    leftovers: Sequence[Leftover] | None = None
    crds: Sequence[str] | None = None
    certificates: Sequence[Certificate] | None = None
    routers: Sequence[Met] | None = None
    crowds: Sequence[Crowd] | None = None
    probes_failed: Mapping[str, str] = field(default_factory=dict)
    strangers: Sequence[str] = ()

    @property
    def live(self) -> Iterator[NodeState]:
        """The states that say something of the present."""
        for state in (self.states or {}).values():
            if not state.unreadable and not state.stale(self.now):
                yield state

    @property
    def sessions(self) -> Iterator[tuple[NodeState, PeerState]]:
        """Every peer of those, its session up or not."""
        for state in self.live:
            for peer in state.peers:
                yield state, peer

    @property
    def established(self) -> Iterator[tuple[NodeState, PeerState]]:
        """Those whose session is up."""
        return ((state, peer) for state, peer in self.sessions if peer.session.established)

    def settled(self, state: NodeState, peer: PeerState) -> bool:
        """Is its session up for so long that nothing of its beginning is left to be done?"""
        at = peer.session.established_at
        return (
            peer.session.established and at is not None and self.now - state.by_server(at) > SETTLED_SECONDS
        )


def peer_of(state: NodeState, peer: PeerState) -> str:
    """A node's peer, in the words of a finding."""
    return f"{state.node} peer {peer.address}" + (f":{peer.port}" if peer.port != 179 else "")

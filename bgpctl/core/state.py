"""BGPNodeState (bgpctl.io/v1alpha1): what a speaker says about its node, as values and as the CRD's dict.

The speaker writes it, the CLI and the runbooks read it (state_document.py). Times are RFC 3339 strings on the
wire and epoch seconds here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bgpctl.core.bgp.notification import COLLISION, CONNECTION_REJECTED
from bgpctl.core.model import IPAddress, Peer, Session

GROUP = "bgpctl.io"
VERSION = "v1alpha1"
KIND = "BGPNodeState"
PLURAL = "bgpnodestates"

HEARTBEAT_SECONDS = 60.0
# A heartbeat may be late by a slow API server and a retry before the state is called stale.
STALE_AFTER_SECONDS = 150.0

# What the schema allows: a status that is refused would look like a dead speaker.
MOST_SENTENCES = 1000

SAME_CLOCK_SECONDS = 2.0

MOST_WRITES = 2**53  # of one state, by all speakers of a node: exact in every JSON reader

MOST_LOCAL_PEERS, MOST_LOCALS = 256, 32
"""Routers, and addresses of the node towards one of them: Cilium allows 16 instances, each with its own."""

UNTOLD = ""  # a phase that nobody tells
PHASES = ("Starting", "Waiting", "Running", "Leaving", "Withdrawn", "Idle", "Stopped")

WAITS = "waits:"
"""How the problem begins of a speaker that leaves its node to another BGP stack (`core.handover`)."""

UNPROVED = (
    "this node was deselected while its sessions were down: nothing was withdrawn, and routers may keep its "
    "routes until their own timers end"
)

ANOTHER_SPEAKER = "another speaker of this node reports too"
"""How the problem begins that two processes under one node name are."""

DOUBT = f"{ANOTHER_SPEAKER}, or may have"
"""How it begins where nobody knows whether there is one, nor its name."""

ENDED = "bgpctl.io/ended"
"""An annotation of the BGPNodeState: the names of other speakers of the node, of which the operator says that
they have ended. Who reads it takes it away: it counts once, and one that tells something afterwards has not
ended."""

ENDS_WITH_SPEAKER = ("", "own")  # `engine_mode`: ExaBGP ends when its speaker does

ANOTHER_SESSION = (CONNECTION_REJECTED, COLLISION)
"""What a router says to who comes while it has a session with this node already (RFC 4486)."""


@dataclass(frozen=True, slots=True)
class PeerState:
    """One peer: its definition, its session, and how many routes it should get. `address`: in another VRF
    than the default one `VRF/ADDRESS` (`placed`), since two routers may share one. `instance` is the name of
    its BGP instance, "" when an older speaker wrote it."""

    name: str
    address: str
    port: int
    asn: int
    local_asn: int
    session: Session
    configured_restart_time: int | None = None
    configured_hold_time: int = 90
    configured_keepalive_time: int = 30
    intended: int | None = 0
    announced: int | None = 0
    instance: str = ""
    configured_notification: bool = False


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """From which addresses of the node the sessions to one router came, the newest last."""

    peer: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WithdrawnPeer:
    """One peer of a withdrawal: who it was, what it had, and what was negotiated when we left. `flushed`: its
    withdraws were on the socket; False when it had no session or did not read them in time."""

    state: PeerState
    routes: int
    flushed: bool = True

    @property
    def has_another(self) -> bool:
        """Was our session refused as a router does that has one with this node already? Then somebody else
        speaks for the node, and nothing of his was withdrawn."""
        error = self.state.session.last_error
        if self.flushed or error is None or error.direction != "received":
            return False
        return (error.code, error.subcode) in ANOTHER_SESSION


@dataclass(frozen=True, slots=True)
class WithdrawnRecord:
    """The proof of a leave, from the node's side; it outlives the drain.

    `answers`: the value that the Node's annotation `bgpctl.io/leave` had when the speaker saw that it must
    leave, "" = it had none. `observed_at`: that instant. `sent_at`: every withdraw was on the socket.
    `closed_at`: Cease was sent to every peer. `shut_down_at`: the routes were announced with
    GRACEFUL_SHUTDOWN before (RFC 8326), None = they were not. A router's word is not in here.
    `uid`: the process that withdrew, as in NodeState, "" = an older speaker did not say.
    """

    reason: str
    observed_at: float
    sent_at: float
    closed_at: float
    peers: tuple[WithdrawnPeer, ...]
    shut_down_at: float | None = None
    answers: str = ""
    uid: str = ""

    @property
    def routes(self) -> int:
        """Over all peers: a prefix that two routers had counts twice."""
        return sum(peer.routes for peer in self.peers)


@dataclass(frozen=True, slots=True)
class NodeState:
    """The whole status of one node's speaker. `selected_by` is the policy's name, "" when none selects;
    `selected_by_kind` its kind, "" while no form of it could be run yet. `engine_mode` says whether ExaBGP
    ends with its speaker (own) or not (detached, external); "" = an older speaker did not say.

    `soak`: for how many seconds a leave announces the routes with GRACEFUL_SHUTDOWN (RFC 8326); `soak_until`:
    it does so now, and when that ends by the speaker's clock.

    `unwithdrawn`: the peers of the sessions that ended without a withdraw and are not up again, as they were
    last: their routers may keep the node's routes until their own timers end. Some may be in `peers` too.

    `observed_leave`: the value of the annotation `bgpctl.io/leave` on the Node that `phase` was decided from,
    as `observedGeneration` is for other kinds. All instants are the speaker's clock's, but `reported_at`:
    when the API server took this status, by *its* clock (0 = it did not say).

    `locals`: the addresses that the node had towards its routers, also in the time of earlier speakers: a
    router may keep the routes of a session from one of them.

    `uid`: the process that writes this, by a name that no other one has; `sequence`: how many states were
    told before this one, by it and by those whose state it had read. They say whose word this is, and which
    of two is the later, whatever the clocks say; "" and 0 = an older speaker wrote it.

    `unreadable`: why the node's object cannot be read, "" = it can. Then nothing else in here says anything.

    Other BGP stacks tell less than our speaker does: a phase that nobody tells is "", a count None. `lag`:
    who tells has no heartbeat, and what he says is at most so many seconds old; None = the heartbeat tells.
    `told_out`: its configuration has been changed so that it announces nothing, with its sessions up.
    `engine_asked`: sessions and counts are what its BGP engine itself said just now, and by whom it was
    asked; "" = they are what somebody wrote.
    `sessions_told` False: whether a session is up nobody will ever tell.
    `assumes`: what has to be so for `announced` to be true, "that …"; "" = it is what was told.
    `unread`: the objects that may be about the node and cannot be read, a sentence each.
    """

    node: str
    phase: str = "Starting"
    heartbeat: float = 0.0
    started_at: float = 0.0
    speaker_version: str = ""
    engine_version: str = ""
    engine_restarts: int = 0
    engine_mode: str = ""
    selected_by: str = ""
    selected_by_kind: str = ""
    policy_problem: str = ""
    problems: tuple[str, ...] = ()
    intended: int | None = 0
    announced: int | None = 0
    peers: tuple[PeerState, ...] = ()
    withdrawn: WithdrawnRecord | None = None
    unwithdrawn: tuple[PeerState, ...] = ()
    absent: Mapping[str, int] | None = None
    soak: float = 0.0
    soak_until: float | None = None
    observed_leave: str = ""
    reported_at: float = 0.0
    locals: tuple[LocalAddresses, ...] = ()
    uid: str = ""
    sequence: int = 0
    unreadable: str = ""
    lag: float | None = None
    told_out: bool = False
    engine_asked: str = ""
    sessions_told: bool = True
    assumes: str = ""
    unread: tuple[str, ...] = ()

    @property
    def last_seen(self) -> float:
        """The last word of the speaker: epoch seconds by the API server's clock where it tells, else by the
        speaker's own."""
        return self.reported_at or self.heartbeat

    def stale(self, now: float) -> bool:
        """Has the speaker stopped reporting? Then nothing in here may be shown as the present. `now` is epoch
        seconds by the API server's clock."""
        return self.lag is None and now - self.last_seen > STALE_AFTER_SECONDS

    def by_server(self, instant: float) -> float:
        """An instant of the speaker's clock by the API server's: both clocks were read at the last write. One
        of them counts whole seconds, so clocks that are no further apart are the same."""
        apart = self.last_seen - self.heartbeat
        return instant if abs(apart) < SAME_CLOCK_SECONDS else instant + apart

    @property
    def holders(self) -> tuple[PeerState, ...]:
        """The peers whose routers may have routes of the node that were not withdrawn."""
        return (*self.peers, *self.lost)

    @property
    def lost(self) -> tuple[PeerState, ...]:
        """Those of them that the node has no more: their router knows nothing of its policy."""
        return others(self.unwithdrawn, self.peers)

    @property
    def unproved(self) -> bool:
        """Does the speaker say that its routes may be somewhere without it ever having withdrawn them?"""
        return UNPROVED in self.problems

    @property
    def ended(self) -> bool:
        """Does it say that it has stopped, and its engine with it?"""
        return self.phase == "Stopped" and self.engine_mode in ENDS_WITH_SPEAKER

    @property
    def contested(self) -> str:
        """The sentence about another speaker of this node, "" = none is known. Then nobody speaks for all
        that the node announces."""
        return next((problem for problem in self.problems if problem.startswith(ANOTHER_SPEAKER)), "")

    @property
    def other_speakers(self) -> tuple[str, ...]:
        """The names of the processes that `contested` is about, () = nobody knows one."""
        return tuple(dict.fromkeys(process_of(one) for one in self.problems if is_another(one)))

    @property
    def waits(self) -> str:
        """Why its speaker does not begin, of a node that it leaves to another BGP stack; "" = it does."""
        told = (problem for problem in self.problems if problem.startswith(WAITS))
        return next(told, WAITS) if self.phase == "Waiting" else ""

    @property
    def in_service(self) -> bool:
        """A policy selected the node, and it had not left with its speaker."""
        return bool(self.selected_by) and self.phase != "Withdrawn"

    @property
    def established(self) -> int:
        """How many of the peers have a session that is up."""
        return sum(peer.session.established for peer in self.peers)

    @property
    def sessions(self) -> str:
        """ "2/3": Established of configured."""
        return f"{self.established}/{len(self.peers)}"


def others(peers: Iterable[PeerState], known: Iterable[PeerState]) -> tuple[PeerState, ...]:
    """The peers that are other routers than those which are known, or the same with a session from another
    address of the node: to a router that is another neighbor."""
    routers: dict[tuple[str, int], set[IPAddress | None]] = {}
    for peer in known:
        routers.setdefault((peer.address, peer.port), set()).add(peer.session.local_address)

    def is_known(peer: PeerState) -> bool:
        locals_, local = routers.get((peer.address, peer.port)), peer.session.local_address
        return locals_ is not None and (local is None or None in locals_ or local in locals_)

    return tuple(peer for peer in peers if not is_known(peer))


def placed(vrf: str, address: str) -> str:
    """The address of a router, within its VRF; "" = the default one."""
    return f"{vrf}/{address}" if vrf else address


def unplaced(address: str) -> str:
    """The address alone."""
    return address.rpartition("/")[2]


def is_another(problem: str) -> bool:
    """Is it the sentence about a certain other speaker?"""
    return problem.startswith(ANOTHER_SPEAKER) and not problem.startswith(DOUBT)


def process_of(problem: str) -> str:
    """The name of the process in a sentence about another speaker; "unnamed" where it has none."""
    found = re.search(r": process ([\w.-]+)", problem)
    return found[1] if found else "unnamed"


def newest(addresses: Iterable[str]) -> tuple[str, ...]:
    """Each once, by its last place; no more than is kept."""
    found: dict[str, None] = {}
    for address in addresses:
        found.pop(address, None)
        found[address] = None
    return tuple(found)[-MOST_LOCALS:]


def timestamp(seconds: float | None) -> str | None:
    """Epoch seconds -> RFC 3339 with microseconds (Kubernetes MicroTime); None stays None."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def seconds(text: str | None) -> float:
    """RFC 3339 -> epoch seconds; nothing gives 0."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else 0.0


def describe_peer(peer: Peer, session: Session, intended: int, announced: int) -> PeerState:
    """A peer's definition and what is seen of it, as one PeerState."""
    return PeerState(
        name=peer.name,
        address=str(peer.address),
        port=peer.port,
        asn=peer.asn,
        local_asn=peer.local_asn,
        session=session,
        configured_restart_time=peer.restart_time,
        configured_hold_time=peer.hold_time,
        configured_keepalive_time=peer.keepalive_time,
        configured_notification=peer.graceful_notification,
        intended=intended,
        announced=announced,
        instance=peer.instance,
    )

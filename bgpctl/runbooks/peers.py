"""What each router of a node is called: by its peer address (of another VRF with that: `red/192.0.2.1`), and
where two share one, by the port too. Pure.

Two routers may have one address, with different ports or in different VRFs: what the one says is not the
other's word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.state import NodeState, PeerState, newest, placed
from bgpctl.runbooks.journal import Journal

Endpoint = tuple[str, int | None]
"""A router: its address in its one spelling and its port; None = written down without."""

Names = Mapping[Endpoint, str]

_PORTED = re.compile(r"(?:\[(?P<six>[^]]*)\]|(?P<four>[^:]*)):(?P<port>\d{1,5})", re.ASCII)


@lru_cache(256)
def parse(text: str) -> Endpoint:
    """`ADDRESS`, `[ADDRESS]`, `ADDRESS:PORT` of IPv4, `[ADDRESS]:PORT`, each with `VRF/` in front of the
    address or not; other text is as it is."""
    if match := _PORTED.fullmatch(text):
        return _spelled(match["six"] or match["four"] or ""), int(match["port"])
    return _spelled(text.removeprefix("[").removesuffix("]")), None


def endpoint(peer: PeerState) -> Endpoint:
    return peer.address, peer.port


def peers_of(state: NodeState | None) -> tuple[PeerState, ...]:
    """The peers that the speaker lost or left, and after them those that it has: what it says now counts
    more."""
    if state is None:
        return ()
    left = tuple(peer.state for peer in state.withdrawn.peers) if state.withdrawn else ()
    return (*state.lost, *left, *state.peers)


def names(state: NodeState | None, journal: Journal | None, more: Iterable[Endpoint] = ()) -> Names:
    """Every router that the node was seen to have, in that order, with its name. What a journal calls by its
    port stays called so; what it calls by the address alone may, once two are there, be either."""
    written = [parse(name) for name in _written(journal)]
    seen = dict.fromkeys((*more, *map(endpoint, peers_of(state)), *written))
    ports: dict[str, set[int]] = {}
    for host, port in seen:
        if port is not None:
            ports.setdefault(host, set()).add(port)
    shared = {host for host in ports if len(ports[host]) > 1} | {host for host, port in written if port}
    return {one: _name(one, one[0] in shared) for one in seen if one[1] is not None or one[0] not in ports}


def still(names: Names, written: Iterable[str]) -> tuple[str, ...]:
    """The names that a journal has. An address goes where the routers at it are now called by their ports."""
    called, hosts = set(names.values()), {host for host, _ in names}
    return tuple(name for name in written if name in called or parse(name)[0] not in hosts)


def own(peer: PeerState, state: NodeState) -> tuple[str, ...]:
    """The addresses that the node has or had towards a peer, by its speaker's word, the newest last."""
    before = (one.addresses for one in state.locals if (one.peer, one.port) == endpoint(peer))
    told = next(before, ())
    local = peer.session.local_address
    return (*told, str(local)) if local else told


def locals_of(state: NodeState | None, journal: Journal) -> Mapping[str, tuple[str, ...]]:
    """The same for every peer, with what is written down of it."""
    called, found = names(state, journal), dict(journal.locals)
    for peer in peers_of(state):
        assert state is not None, "it has peers"
        if addresses := own(peer, state):
            name = called[endpoint(peer)]
            found[name] = newest((*found.get(name, ()), *addresses))
    return found


def _written(journal: Journal | None) -> Iterable[str]:
    return (*journal.peers, *journal.baselines, *journal.locals) if journal else ()


def _name(one: Endpoint, ported: bool) -> str:
    host, port = one
    if not ported:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _spelled(host: str) -> str:
    vrf, _, address = host.rpartition("/")
    try:
        return placed(vrf, str(parse_zoned(address)))
    except ValueError:
        return host

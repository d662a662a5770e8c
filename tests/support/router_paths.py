"""All paths of one prefix at a router, from any neighbor: what the probes do not ask, with their readers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bgpctl.core.model import IPNetwork
from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness import bird, exabgp, frr, gobgp, openbgpd
from bgpctl.witness.model import Path
from bgpctl.witness.probe import Probe


def paths(probe: Probe, prefix: IPNetwork) -> tuple[Path, ...]:
    """Every path of one exact prefix. Unanswered when the router cannot be asked."""
    return tuple(path for path in _all(probe, prefix) if path.prefix == prefix)


def _all(probe: Probe, prefix: IPNetwork) -> Iterator[Path]:
    match probe:
        case bird.BirdProbe():
            with bird.Bird(probe.target) as asked:
                protocols = bird.read_protocols(asked.ask("show protocols all"))
                for table in bird_tables(protocols, f"ipv{prefix.version}"):
                    reply = asked.ask(f"show route {prefix} table {bird._quoted(table)} all")
                    yield from bird.read_routes(reply, protocols)
        case frr.FrrProbe():
            with frr.Vty(probe.target) as vty:
                yield from frr_prefix(vty.ask(f"show bgp ipv{prefix.version} unicast {prefix} json"), prefix)
        case gobgp.GobgpProbe():
            words = ("global", "rib", str(prefix), "-a", f"ipv{prefix.version}", "-j")
            yield from gobgp.read_rib(probe.client_of().ask(*words))
        case openbgpd.OpenbgpdProbe():
            yield from openbgpd.read_rib(probe.client_of().ask("rib", str(prefix)))
        case exabgp.ExabgpProbe():
            for address, view in probe._load().items():
                yield from exabgp.read_routes(address, view)


def bird_tables(protocols: Iterable[bird.Protocol], family: str) -> list[str]:
    """Where the channels of the family put their routes."""
    return sorted({c.table for p in protocols for c in p.channels if c.name == family and c.table})


def frr_prefix(answer: Mapping[str, Any], prefix: IPNetwork) -> Iterator[Path]:
    """`show bgp … P json` -> paths of P; an unknown prefix answers `{}`."""
    for entry in Foreign(answer).children("paths"):
        yield Path(
            prefix=prefix,
            neighbor=entry.child("peer").text("peerId"),
            stale=entry.flag("stale"),
            best=entry.child("bestpath").flag("overall"),
            next_hop=frr._next_hop(entry),
        )

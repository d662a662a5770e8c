"""BIRD's side of its sessions, from `show protocols all`. It tells neither passwords nor BFD, and which paths
its kernel forwards by depends on `merge paths` of another protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bgpctl.core.doctor.facts import Channel, Limit, Side
from bgpctl.core.model import IPV4, IPV6
from bgpctl.witness.bird import Bird, Reply, bgp_blocks, value
from bgpctl.witness.neighbors import Answer, number

FAMILIES = {"ipv4": IPV4, "ipv6": IPV6}
OPENS = ("ACCEPT", "REJECT")


def ask(router: str, target: str) -> Answer:
    """One question."""
    with Bird(target) as bird:
        told = bird.ask("show protocols all")
    return tuple(read(router, told)), None


def read(router: str, reply: Reply) -> Iterator[Side]:
    """`show protocols all` -> each BGP protocol."""
    for block in bgp_blocks(reply):
        starts = [i for i, line in enumerate(block) if line.startswith("Channel ")]
        own = block[: starts[0]] if starts else block
        sections = [block[start:end] for start, end in pairwise((*starts, len(block)))] if starts else []
        local = _capabilities(own, "Local capabilities")
        yield Side(
            router=router,
            address=value(own, "Neighbor address").partition("%")[0],
            local=value(own, "Source address").partition("%")[0],
            session=value(own, "BGP state").lower(),
            asn=number(value(own, "Neighbor AS")),
            local_asn=number(value(own, "Local AS")),
            graceful="Graceful restart" in local if local else None,
            long_lived="Long-lived graceful restart" in local if local else None,
            channels=tuple(_channels(sections)),
        )


def _capabilities(lines: Sequence[str], head: str) -> Sequence[str]:
    """The lines below a head, to the next one; none while the session is down."""
    if head not in lines:
        return ()
    rest = lines[lines.index(head) + 1 :]
    ends = [i for i, line in enumerate(rest) if line.endswith("capabilities") or line.startswith("Session:")]
    return rest[: ends[0]] if ends else rest


def _channels(sections: Sequence[Sequence[str]]) -> Iterator[Channel]:
    for section in sections:
        family = FAMILIES.get(section[0].split()[1])
        if family is None:
            continue
        named = value(section, "Input filter")
        counts = re.match(r"(\d+) imported(?:, (\d+) filtered)?", value(section, "Routes"))
        accepted = int(counts[1]) if counts else None
        filtered = _filtered(section)
        yield Channel(
            family,
            accepted=accepted,
            received=None if accepted is None or filtered is None else accepted + filtered,
            filter="" if named in OPENS else named,
            limit=_limit(section),
            discards="its import filter is REJECT" if named == "REJECT" else "",
        )


def _filtered(section: Sequence[str]) -> int | None:
    """Routes that are there and filtered (`import keep filtered`), else 0 where no update was ever filtered:
    otherwise it cannot be told how many routes those updates were."""
    kept = re.search(r"(\d+) filtered", value(section, "Routes"))
    if kept:
        return int(kept[1])
    columns = value(section, "Import updates").split()
    return 0 if len(columns) >= 3 and columns[1] == columns[2] == "0" else None


def _limit(section: Sequence[str]) -> Limit | None:
    """The smaller one of what may come in and of what may be imported; the action stands below it."""
    found = []
    for at, line in enumerate(section, 1):
        told = re.match(r"(?:Receive|Import) limit:\s+(\d{1,9})", line)
        if told:
            action = value(section[at : at + 1], "Action")
            found.append(Limit(int(told[1]), action == "warn"))
    return min(found, key=lambda limit: (limit.warns, limit.most), default=None)

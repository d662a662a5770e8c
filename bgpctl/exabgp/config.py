"""Peers -> the text of an ExaBGP 5 configuration. Pure; values that ExaBGP would misread are refused here.

The text holds passwords: whoever writes it down keeps it in a 0600 file. A password is written in base64, so
no character of it can end the statement it stands in.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, urlencode

from bgpctl.core.model import Peer, Secret
from bgpctl.errors import UsageError
from bgpctl.exabgp.wire import COMMAND

MAX_PASSWORD = 80
"""Octets; the kernel's TCP_MD5SIG_MAXKEYLEN (RFC 2385 as Linux implements it)."""

MAX_RESTART_TIME = 4095
"""RFC 4724 section 3: twelve bits. ExaBGP masks more without a word: 4096 would become 0."""

_FAMILIES = ("ipv4/unicast", "ipv6/unicast")


def render_config(peers: Sequence[Peer], relay_command: Sequence[str]) -> str:
    """The whole configuration: our process, then one neighbor per peer, in the order of their names.

    No peers gives the process alone, which ExaBGP accepts: it then waits for commands.
    Raises `UsageError` naming the peer for a value that cannot be configured.
    """
    _refuse_twins(peers)
    blocks = [_process(relay_command), *(_neighbor(peer) for peer in sorted(peers, key=lambda p: p.name))]
    return "\n\n".join(blocks) + "\n"


def describe(peer: Peer) -> str:
    """What the extension must know of a peer and ExaBGP has no word for, as `description` carries it."""
    return urlencode(
        {
            "peer": peer.name,
            "keepalive": peer.keepalive_time,
            "retry": peer.connect_retry_time,
            "notification": int(peer.graceful_notification),
            "nexthop": int(peer.extended_next_hop),
        },
        quote_via=quote,
        safe="/:.",
    )


def _refuse_twins(peers: Iterable[Peer]) -> None:
    seen: dict[tuple[object, ...], str] = {}
    for peer in peers:
        # ExaBGP's identity of a neighbor (exabgp.bgp.neighbor.Neighbor.name): the port is not in it.
        key = (peer.address, peer.local_address, peer.local_asn, peer.asn, peer.router_id)
        listening = ("listen", peer.address, peer.local_port)
        for same in (key, listening) if peer.local_port is not None else (key,):
            if same in seen:
                raise UsageError(
                    f"peers {seen[same]} and {peer.name} are the same session to the BGP engine",
                    "two sessions of one local AS to one address need different local addresses",
                )
            seen[same] = peer.name


def _process(command: Sequence[str]) -> str:
    run = " ".join(_quoted(word) for word in command)
    return f"process {COMMAND} {{\n  run {run};\n  encoder json;\n  respawn false;\n}}"


def _neighbor(peer: Peer) -> str:
    lines = [*_session(peer), *_password(peer.password, peer), *_capability(peer), *_family(peer), *_API]
    body = "\n".join(f"  {line}" for line in lines)
    return f"neighbor {peer.address} {{\n{body}\n}}"


def _session(peer: Peer) -> Iterator[str]:
    yield f'description "{describe(peer)}";'
    yield f"router-id {peer.router_id};"
    yield f"local-address {peer.local_address or 'auto'};"
    yield f"local-as {peer.local_asn};"
    yield f"peer-as {peer.asn or 'auto'};"  # 0: whatever the peer's OPEN says
    yield f"connect {_within(peer, 'port', peer.port, 1, 65535)};"
    if peer.local_port is not None:
        yield f"listen {_within(peer, 'local port', peer.local_port, 1, 65535)};"
    yield f"hold-time {_within(peer, 'hold time', peer.hold_time, 3, 65535)};"
    if peer.external:
        yield f"outgoing-ttl {_within(peer, 'TTL', peer.multihop_ttl, 1, 255)};"
    yield "adj-rib-in false;"
    yield "adj-rib-out true;"
    yield "group-updates true;"
    yield "manual-eor true;"


def _within(peer: Peer, what: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise UsageError(f"peer {peer.name}: {what} {value} is not between {low} and {high}")
    return value


def _password(password: Secret | None, peer: Peer) -> Iterator[str]:
    if password is None:
        return
    octets = password.reveal().encode()
    if not 1 <= len(octets) <= MAX_PASSWORD:
        raise UsageError(f"peer {peer.name}: a TCP MD5 password has 1 to {MAX_PASSWORD} octets")
    yield f'md5-password "{base64.b64encode(octets).decode()}";'
    yield "md5-base64 true;"


def _capability(peer: Peer) -> Iterator[str]:
    restart = "disable"
    if peer.restart_time is not None:
        restart = str(_within(peer, "restart time", peer.restart_time, 1, MAX_RESTART_TIME))
    yield "capability {"
    yield "  asn4 enable;"
    yield "  route-refresh enable;"
    yield f"  graceful-restart {restart};"
    yield "  extended-message disable;"
    yield "}"


def _family(peer: Peer) -> Iterator[str]:
    yield "family {"
    for family in sorted(set(peer.families)):
        if str(family) not in _FAMILIES:
            raise UsageError(f"peer {peer.name}: family {family} is not one of {', '.join(_FAMILIES)}")
        yield f"  {family.afi} {family.safi};"
    yield "}"


_API = (
    "api {",
    f"  processes [ {COMMAND} ];",
    "  neighbor-changes;",
    "  negotiated;",
    "  fsm;",
    "  receive {",
    "    consolidate;",
    "    notification;",
    "    update;",
    "  }",
    "  send {",
    "    consolidate;",
    "    packets;",
    "    notification;",
    "  }",
    "}",
)


def _quoted(word: str) -> str:
    """A word of the `run` line. ExaBGP undoes escapes before it looks for quotes: no word can hold both."""
    for quotes in ('"', "'"):
        if quotes not in word and "\n" not in word:
            return quotes + word.replace("\\", "\\\\") + quotes
    raise UsageError(f"ExaBGP cannot be told to run {word!r}: it holds both kinds of quotes or a newline")

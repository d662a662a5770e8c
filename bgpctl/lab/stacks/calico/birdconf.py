"""The configuration that a node's BIRD gets from Calico's objects, in the words of BIRD 2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

Document = Mapping[str, Any]

HOLD = 240  # Calico sets none, and this is BIRD's own


@dataclass(frozen=True, slots=True)
class Session:
    """One protocol. `filters`: the export rules of its BGPFilters, the first that matches decides."""

    name: str
    address: str
    port: int
    asn: int
    local_asn: int
    restart: int = 120
    filters: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True)
class Speaker:
    """One node. `routes` are its own, `exported` those that Calico's export function lets out. `next_hop`
    "" = itself."""

    address: str
    port: int
    sessions: tuple[Session, ...]
    routes: tuple[str, ...] = ()
    exported: frozenset[str] = field(default_factory=frozenset)
    next_hop: str = ""


def render(speaker: Speaker, hold: int = HOLD) -> str:
    """bird.conf, without its log."""
    static = "".join(f"  route {route} blackhole;\n" for route in speaker.routes)
    return "\n".join(
        (
            f"router id {speaker.address};",
            "protocol device {}",
            "ipv4 table nexthops4;",  # of a session over loopback, as in a lab
            'protocol static { ipv4 { table nexthops4; }; route 0.0.0.0/0 via "lo"; }',
            f"protocol static own {{\n  ipv4;\n{static}}}",
            f"function leaves_calico() {{\n{_exported(speaker.exported)}  return false;\n}}",
            *(_protocol(session, speaker, hold) for session in speaker.sessions),
            "",
        )
    )


def _exported(prefixes: Iterable[str]) -> str:
    return "".join(f"  if net = {prefix} then return true;\n" for prefix in sorted(prefixes))


def _protocol(session: Session, speaker: Speaker, hold: int) -> str:
    direct = "multihop"  # as Calico has it, and as BIRD needs it over loopback
    next_hop = f"address {speaker.next_hop}" if speaker.next_hop else "self"
    return f"""protocol bgp {session.name} {{
  local {speaker.address} port {speaker.port} as {session.local_asn};
  neighbor {session.address} port {session.port} as {session.asn};
  {direct};
  strict bind yes;
  hold time {hold};
  graceful restart on;
  graceful restart time {session.restart};
  long lived graceful restart off;
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 2;
  ipv4 {{
    import all;
    igp table nexthops4;
    next hop {next_hop};
    export filter {{
{_rules(session.filters)}      if leaves_calico() then accept;
      reject;
    }};
  }};
}}
"""


def _rules(rules: Sequence[Document]) -> str:
    return "".join(f"      {_rule(rule)}\n" for rule in rules)


def _rule(rule: Document) -> str:
    action = f"{str(rule['action']).lower()};"
    if not rule.get("cidr"):
        return action
    operators = {
        "In": "net ~ [ {}+ ]",
        "NotIn": "!(net ~ [ {}+ ])",
        "Equal": "net = {}",
        "NotEqual": "net != {}",
    }
    return f"if {operators[rule['matchOperator']].format(rule['cidr'])} then {action}"


def symbol(peering: str, address: str, port: int) -> str:
    """A name that is BIRD's to have."""
    kind = "Node" if peering else "Global"
    digits = f"{int(ip_address(address)):x}"
    return f"{kind}_{digits}_port_{port}"

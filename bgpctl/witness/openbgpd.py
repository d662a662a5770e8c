"""OpenBGPD through its own client, which is also called bgpctl: always by absolute path, never ours by
mistake.

It tells the BGP Identifiers of its neighbors, and its own only with networks that it originates (7.7). What
is known of a router behind a local socket is the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bgpctl.core.reading.foreign import Foreign
from bgpctl.witness.asking import ask, this_machine
from bgpctl.witness.command import Client
from bgpctl.witness.model import MOST, NoNeighbor, Path, RouterAnswer, answered, same_address, to_prefix

CLIENT = "/usr/sbin/bgpctl"
CLIENT_VARIABLE = "BGPCTL_OPENBGPD_CLIENT"


@dataclass(frozen=True, slots=True)
class OpenbgpdProbe:
    """`target` is the path of bgpd's control socket; `client` the absolute path of OpenBGPD's bgpctl
    (BGPCTL_OPENBGPD_CLIENT in the environment, else /usr/sbin/bgpctl)."""

    target: str
    peer: str | None = None
    kind: str = "openbgpd"
    client: str = field(default_factory=lambda: os.environ.get(CLIENT_VARIABLE, CLIENT))

    def routes_from(self, neighbor: str) -> RouterAnswer:
        router = f"openbgpd {self.target}"
        return ask(router, neighbor, lambda address: self._routes_from(router, str(address)))

    def _routes_from(self, router: str, neighbor: str) -> RouterAnswer:
        client = self.client_of()
        view = Foreign(neighbor_of(client.ask("neighbor", neighbor), neighbor))
        paths = tuple(read_rib(client.ask("rib", "neighbor", neighbor)))
        local = view.child("session").child("local").text("address")
        seen = answered(router, neighbor, paths, view.text("state").lower(), None, local=local)
        return replace(seen, machine=this_machine())

    def client_of(self) -> Client:
        """Its client program, pointed at this router, with one deadline for all that it is asked."""
        return Client(f"openbgpd {self.target}", (self.client, "-s", self.target, "-j", "show"))


# --- reading answers (pure) -------------------------------------------------------------------------------


def neighbor_of(answer: Any, neighbor: str) -> Mapping[str, Any]:
    """`show neighbor N` -> its entry. OpenBGPD answers `{}` for a neighbor that it does not have, and `{}`
    for one without routes: only this question tells the two apart."""
    for view in Foreign.of(answer).children("neighbors"):
        if same_address(view.text("remote_addr"), neighbor):
            return view.value
    raise NoNeighbor(neighbor)


def read_rib(answer: Any) -> Iterator[Path]:
    """`show rib …` -> paths; `stale` and `best` are there only when true."""
    for entry in Foreign.of(answer).children("rib", MOST):
        yield Path(
            prefix=to_prefix(entry.text("prefix")),
            neighbor=entry.child("neighbor").text("remote_addr"),
            stale=entry.flag("stale"),
            best=entry.flag("best"),
            next_hop=entry.text("exit_nexthop") or None,
        )

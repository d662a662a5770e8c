"""OpenBGPD through its own client, which is also called bgpctl: always by absolute path, never ours by
mistake."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bgpctl.core.model import IPNetwork
from bgpctl.witness.asking import ask
from bgpctl.witness.command import ask_json
from bgpctl.witness.model import Path, Sighting, Unanswered, same_address, sighting, to_prefix

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

    def routes_from(self, neighbor: str) -> Sighting:
        router = f"openbgpd {self.target}"
        return ask(router, neighbor, lambda: self._routes_from(router, neighbor))

    def _routes_from(self, router: str, neighbor: str) -> Sighting:
        view = neighbor_of(self._ask("neighbor", neighbor), neighbor)
        paths = tuple(read_rib(self._ask("rib", "neighbor", neighbor)))
        return sighting(router, neighbor, paths, str(view.get("state", "")).lower(), None)

    def paths(self, prefix: IPNetwork) -> tuple[Path, ...]:
        return tuple(path for path in read_rib(self._ask("rib", str(prefix))) if path.prefix == prefix)

    def _ask(self, *words: str) -> Any:
        argv = (self.client, "-s", self.target, "-j", "show", *words)
        return ask_json(argv, f"openbgpd {self.target}")


# --- reading answers (pure) -------------------------------------------------------------------------------


def neighbor_of(answer: Mapping[str, Any], neighbor: str) -> Mapping[str, Any]:
    """`show neighbor N` -> its entry. OpenBGPD answers `{}` for a neighbor that it does not have, and `{}`
    for one without routes: only this question tells the two apart."""
    for view in answer.get("neighbors", ()):
        if same_address(str(view.get("remote_addr", "")), neighbor):
            return dict(view)
    raise Unanswered(f"router has no neighbor {neighbor}")


def read_rib(answer: Mapping[str, Any]) -> Iterator[Path]:
    """`show rib …` -> paths; `stale` and `best` are there only when true."""
    for entry in answer.get("rib", ()):
        yield Path(
            prefix=to_prefix(str(entry.get("prefix", ""))),
            neighbor=str(entry.get("neighbor", {}).get("remote_addr", "")),
            stale=bool(entry.get("stale")),
            best=bool(entry.get("best")),
            next_hop=entry.get("exit_nexthop"),
        )

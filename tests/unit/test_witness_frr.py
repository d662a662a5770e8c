"""FRR keeps stale paths that its list of a neighbor's routes leaves out (8.4): its own count tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bgpctl.witness import frr
from bgpctl.witness.model import Sight

NODE, OTHER = "192.0.2.11", "192.0.2.12"
TABLE = {
    "routes": {
        "10.244.1.0/24": [{"peerId": NODE, "stale": True, "nexthops": [{"ip": NODE}]}],
        "203.0.113.10/32": [
            {"peerId": OTHER, "bestpath": True, "nexthops": [{"ip": OTHER}]},
            {"peerId": NODE, "stale": True, "nexthops": [{"ip": NODE}]},
        ],
    }
}


class FakeVty:
    """Answers what FRR 8.4.4 answered while the session of NODE was Active."""

    def __init__(self, accepted: int) -> None:
        self._accepted = accepted
        self.asked: list[str] = []

    def __enter__(self) -> FakeVty:
        return self

    def __exit__(self, *_: object) -> None: ...

    def ask(self, command: str) -> Mapping[str, Any]:
        self.asked.append(command)
        if command == f"show bgp neighbors {NODE} json":
            families = {"ipv4Unicast": {"acceptedPrefixCounter": self._accepted}}
            return {NODE: {"bgpState": "Active", "addressFamilyInfo": families}}
        return TABLE if command == "show bgp ipv4 unicast json" else {"routes": {}}


@pytest.mark.parametrize(
    ("accepted", "sight", "paths", "questions"), [(2, Sight.STALE, 2, 3), (0, Sight.ABSENT, 0, 2)]
)
def test_a_list_that_is_shorter_than_the_count_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, accepted: int, sight: Sight, paths: int, questions: int
) -> None:
    vty = FakeVty(accepted)
    monkeypatch.setattr(frr, "_Vty", lambda directory: vty)
    seen = frr.FrrProbe("/nowhere").routes_from(NODE)
    assert (seen.sight, len(seen.paths), len(vty.asked)) == (sight, paths, questions)
    assert {path.neighbor for path in seen.paths} <= {NODE}

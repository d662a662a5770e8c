"""docs/fleet.md has the figures of the code: how late a count may be, how many watches a speaker has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bgpctl.core.state import HEARTBEAT_SECONDS
from bgpctl.core.state_lag import FRESH_SECONDS, LAG_SECONDS
from bgpctl.kube.pulse import SCOUT_SECONDS
from bgpctl.kube.watch import Timing
from bgpctl.speaker import beside
from bgpctl.speaker.sources import FIRST_LISTS_SECONDS, KubeSource

TEXT = " ".join((Path(__file__).parents[2] / "docs" / "fleet.md").read_text().split())


def test_what_may_be_late_and_how_late() -> None:
    least, most = LAG_SECONDS
    assert f"{least:.0f} to {most:.0f} s after the change" in TEXT
    assert f"any count within {FRESH_SECONDS:.0f} s after a phase or a session changed" in TEXT
    assert f"every {HEARTBEAT_SECONDS:.0f} s, its heartbeat" in TEXT
    assert f"N / {sum(LAG_SECONDS) / 2:.0f} s" in TEXT and f"N / {HEARTBEAT_SECONDS:.0f} s" in TEXT


def test_how_a_fleet_comes_back() -> None:
    first, longest = Timing().backoff
    assert Timing().spread == 1.0 and "some of one second after its pause" in TEXT
    assert f"({first} s, doubled up to {longest:.0f} s, give or take a fifth)" in TEXT
    assert f"asks for all of them every {SCOUT_SECONDS:.0f} s" in TEXT
    assert f"are spread over {FIRST_LISTS_SECONDS} s" in TEXT


def test_how_often_a_speaker_looks_for_another_stack() -> None:
    least, most = (beside.SERVING_SECONDS * part / 60 for part in (0.5, 1.5))
    assert f"every {least:.0f} to {most:.0f} minutes then" in TEXT
    assert f"every {beside.WAITING_SECONDS:.0f} s while it leaves its node" in TEXT


def test_how_many_watches_a_speaker_has() -> None:
    client: Any = SimpleNamespace()
    source = KubeSource(client, "worker-1", "kube-system", lambda: None)
    election = 1
    assert f"({len(source._required) + len(source._optional) + election} a speaker)" in TEXT

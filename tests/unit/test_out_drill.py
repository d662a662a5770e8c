"""`lab drill`: the table, the page, the document, and the table of docs/operation-guide.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

from bgpctl.core.timing.drills import (
    NOTHING_SECONDS,
    OFF,
    ON,
    SETTINGS,
    SLACK_SECONDS,
    Drill,
    Held,
    Measured,
    Report,
)
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import RouteClass, Scenario, Span, foretell
from bgpctl.core.timing.forecast import WORDS
from bgpctl.core.timing.profiles import BIRD2
from bgpctl.render.drill import document, page, text
from bgpctl.render.text import plain
from tests import drills

GUIDE = Path("docs/operation-guide.md")
FACTS = PeerFacts("r", "10.77.0.1", 9, 3, 20, True, False, False, None, negotiated=True)


def _held(scenario: Scenario, kind: RouteClass, found: Measured, away: Span | None = None) -> Held:
    elsewhere = kind is RouteClass.CLUSTER
    return Held(foretell(scenario, FACTS, kind, BIRD2, elsewhere=elsewhere, away=away), found)


S, C = Scenario, RouteClass
SHORT = Span(5.0, 8.0)
REPORTS = [
    Report(
        "bird",
        Drill(S.AGENT_DOWN, ON),
        (
            _held(S.AGENT_DOWN, C.POD_CIDR, Measured(2175, 0, 0, 0.0), SHORT),
            _held(S.AGENT_DOWN, C.CLUSTER, Measured(2175, 600, 0, 0.48, ((1.0, 3.5),)), SHORT),
        ),
    ),
    Report(
        "bird",
        Drill(S.POWER_OFF, ON),
        (_held(S.POWER_OFF, C.CLUSTER, Measured(2961, 1027, 0, 0.51, ((0.0, 8.24),))),),
    ),
    Report(
        "bird", Drill(S.POWER_OFF, OFF), (_held(S.POWER_OFF, C.CLUSTER, Measured(900, 0, 0, 0.0)),), "no\x1b"
    ),
    Report("bird", Drill(S.NO_BACKENDS, ON), problem="the router did not come up"),
]


def test_the_table_is_whole_at_80_columns() -> None:
    assert [plain(row) for row in text(REPORTS, 80)] == [
        "DRILL              ROUTES   SENT  LOST  MOVED    FOR  FORECAST   VERDICT",
        "agent-down",
        "GR 20 s, hold 9 s  PodCIDR  2175     0    0 %      -  0 s        held",
        "                   Cluster  2175   600   48 %  2.5 s  0 s        longer",
        "power-off",
        "GR 20 s, hold 9 s  Cluster  2961  1027   51 %  8.2 s  2.7 s–9 s  held",
        "GR off, hold 9 s   Cluster   900     0    0 %      -  2.7 s–9 s  shorter",
        "no-backends",
        "GR 20 s, hold 9 s                                                failed",
        "",
        "longer: traffic was lost for longer than the worst case.",
        "shorter: traffic was lost for less time than the best case says at least.",
        "power-off, GR off, hold 9 s: no\\x1b",
        "no-backends, GR 20 s, hold 9 s: the router did not come up",
        "",
        "bird: 3 of 4 drills not as foretold: agent-down, GR 20 s, hold 9 s; power-off,",
        "  GR off, hold 9 s; no-backends, GR 20 s, hold 9 s",
    ]


def test_all_as_foretold_is_one_sentence() -> None:
    assert plain(text(REPORTS[1:2])[-1]) == "bird: 1 drill, as foretold"
    assert plain(text([REPORTS[1], REPORTS[1]])[-1]) == "bird: 2 drills, all as foretold"


def test_the_page_shows_forecast_and_fact_by_itself() -> None:
    html = page(REPORTS)
    picture = ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])
    lost = [
        one for one in picture.iter("rect") if one.get("height") == "7" and "black" in one.get("style", "")
    ]
    assert len(lost) == 2, "two drills lost requests"
    words = [one.text for one in picture.iter("text")]
    assert {"agent-down", "power-off", "lost 2.7 s–9 s", "8.2 s held", "2.5 s longer", "shorter"} <= set(
        words
    )
    assert "http" not in html and "<script" not in html and "\x1b" not in html


def test_what_was_refused_and_is_mended_is_drawn_so() -> None:
    held = _held(S.NO_BACKENDS, C.CLUSTER, Measured(9, 4, 4, 0.0, ((0.0, 6.0),)), Span(6.0, 7.0))
    html = page([Report("bird", Drill(S.NO_BACKENDS, ON), (held,))])
    picture = ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])
    bars = [one for one in picture.iter("rect") if one.get("height") in ("14", "7") and one.get("y") != "2"]
    fills = [(one.get("height"), one.get("style", "").removeprefix("fill: ")) for one in bars]
    assert fills == [
        ("14", "var(--reset)"),
        ("14", "url(#reset-or-unharmed)"),
        ("14", "var(--unharmed)"),
        ("7", "var(--unharmed)"),
        ("7", "var(--reset)"),
    ]


def test_the_document_has_every_figure() -> None:
    found = document(REPORTS)
    assert (found["schema"], found["command"], found["status"]) == ("bgpctl/v1", "lab drill", "failed")
    row = found["drills"][1]["routes"][0]
    assert (row["bestSeconds"], row["worstSeconds"], row["lostSeconds"]) == (2.75, 9, 8.24)
    assert document(REPORTS[1:2])["status"] == "done"


def _drills() -> list[drills.Drill]:
    found: list[drills.Drill] = json.loads(json.dumps(document(REPORTS)))["drills"]
    return found


def test_the_guide_has_a_column_per_router() -> None:
    others = [{**one, "router": "frr"} for one in _drills()[:1]]
    assert list(drills.markdown([*_drills(), *others])) == [
        "| drill | with | requests to | BIRD | FRR |",
        "|---|---|---|---|---|",
        "| `agent-down` | GR 20 s, hold 9 s | PodCIDR | 0 (0–0) | 0 (0–0) |",
        "|  | GR 20 s, hold 9 s | Cluster | 2.5 s (0–0) LONGER | 2.5 s (0–0) LONGER |",
        "| `power-off` | GR 20 s, hold 9 s | Cluster | 8.2 s (2.8–9) | not run |",
        "|  | GR off, hold 9 s | Cluster | 0 (2.8–9) FAILED: no\x1b | not run |",
        "| `no-backends` | GR 20 s, hold 9 s |  | FAILED: the router did not come up | not run |",
    ]
    assert drills.summary(_drills()) == "4 drills, 3 not as foretold; 8211 requests after the events."


def test_the_guide_is_written_between_its_marks_and_again() -> None:
    text = GUIDE.read_text()
    once = drills.written(text, _drills(), "here")
    assert "2.5 s (0–0) LONGER" in once and "## " in once
    assert drills.written(once, _drills(), "here") == once


def test_the_guide_names_commands_and_figures_that_there_are() -> None:
    text = " ".join(GUIDE.read_text().split())
    assert set(re.findall(r"--event ([a-z-]+)", text)) <= set(WORDS)
    assert {f"`{one}`" for one in SETTINGS} <= set(re.findall(r"`[a-z-]+`", text))
    assert f"may be off by {SLACK_SECONDS:g} s, and by {NOTHING_SECONDS:g} s where" in text
    assert "docs/operation-guide.md" in Path("README.md").read_text()

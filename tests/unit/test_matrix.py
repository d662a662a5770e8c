"""The matrix: what was seen -> when routes went; what must hold -> complaints; results -> table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from tests.matrix import __main__ as command
from tests.matrix import table
from tests.matrix.cells import ROWS, Cell, Event, Fate, Graceful, cells, expectation
from tests.matrix.complaints import BLIND, Bounds, Entries, complaints
from tests.matrix.documents import NEW_COMMUNITY, NODE, Policy
from tests.matrix.entries import Entry, read_bird, read_frr, read_gobgp, read_openbgpd
from tests.matrix.events import HAPPENS, edited
from tests.matrix.result import Result
from tests.matrix.seeing import Look, Seen, see
from tests.support import require
from tests.support.require import Part

# --- seeing -------------------------------------------------------------------------------------------------

EVENT = 1000.0


def looks(*rows: str, start: float = EVENT, other: str = "xy") -> list[Look]:
    """A look a second, the first at the event, which it found so. A letter is a route, in upper case a stale
    one."""

    def routes(letters: str) -> dict[str, bool]:
        return {letter.lower(): letter.isupper() for letter in letters}

    return [Look(start + second, routes(row), routes(other)) for second, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "missing", "gone", "back", "gap", "flaps", "stale"),
    [
        pytest.param(("ab", "ab", "ab"), None, None, None, 0, 0, 0, id="nothing happens"),
        pytest.param(("ab", "ab", "a", ""), 2, 3, None, 0, 0, 0, id="gone for good"),
        pytest.param(("ab", "", "a", "ab"), 1, 1, 3, 2, 2, 0, id="gone and back"),
        pytest.param(("ab", "AB", "AB", "ab"), None, None, None, 0, 0, 2, id="stale forwards"),
        pytest.param(("ab", "AB", "", ""), 2, 2, None, 0, 0, 1, id="stale, then gone"),
        pytest.param(("ab", "a", "ab", "b", "ab"), 1, None, 4, 1, 2, 0, id="one after the other"),
        pytest.param(("ab", "a", "ab", "a"), 1, None, None, 1, 1, 0, id="not back at the end"),
        pytest.param(("ab", "abc", "abc"), None, None, None, 0, 0, 0, id="a new one is none of ours"),
    ],
)
def test_seeing(
    rows: tuple[str, ...],
    missing: float | None,
    gone: float | None,
    back: float | None,
    gap: float,
    flaps: int,
    stale: float,
) -> None:
    seen = see(looks(*rows), EVENT, "ab")
    assert (seen.missing_at, seen.gone_at, seen.back_at, seen.gap) == (missing, gone, back, gap)
    assert (seen.routes, seen.flaps, seen.stale, seen.other) == (2, flaps, stale, 0)


def test_the_watcher_is_watched() -> None:
    """From the last look before the event on: the one that was due then may be late."""
    seen = see([*looks("a", "a", start=EVENT - 9), *looks("a", "a", "a", start=EVENT + 3)], EVENT, "a")
    assert (seen.interval, seen.pause) == (1, 11)
    assert see(looks("a", "a"), EVENT, "a", end=EVENT + 8).pause == 7, "it looked no more"


def test_the_other_node_is_watched() -> None:
    assert see(looks("a", "a", "a"), EVENT, "a").other == 0
    assert see(looks("a", "a", other=""), EVENT, "a").other == 0, "it had none before"
    lost = [*looks("a", "a"), *looks("a", "a", start=EVENT + 2, other="x")]
    assert see(lost, EVENT, "a").other == 2
    assert see(looks("a", "a", "a", other="xY"), EVENT, "a").other == 2, "stale is touched"


# --- judging ------------------------------------------------------------------------------------------------

BOUNDS = Bounds(5.0, 9.0)
QUIET = Seen(4, interval=0.1, pause=0.1)
LEFT = replace(QUIET, missing_at=6.0, gone_at=6.1)
FLAP = replace(QUIET, missing_at=0.1, gone_at=0.1, back_at=1.0, gap=0.9, flaps=4)

VERDICTS = [
    (Fate.LEAVES, LEFT, ""),
    (Fate.LEAVES, replace(LEFT, gone_at=9.2), ""),
    (Fate.LEAVES, replace(LEFT, gone_at=9.4), "exceeded: routes stayed 9.4 s"),
    (Fate.LEAVES, QUIET, "exceeded: routes stayed until the end"),
    (Fate.LEAVES, replace(LEFT, missing_at=4.0), "early: gone after 4.0 s"),
    (Fate.LEAVES, replace(LEFT, flaps=1, back_at=8.0), "came back after 8.0 s"),
    (Fate.RETURNS, FLAP, ""),
    (Fate.RETURNS, QUIET, ""),
    (Fate.RETURNS, replace(FLAP, back_at=None), "did not come back"),
    (Fate.RETURNS, replace(FLAP, gone_at=9.4), "exceeded"),
    (Fate.STAYS, QUIET, ""),
    (Fate.STAYS, replace(QUIET, stale=4.0), ""),
    (Fate.STAYS, FLAP, "a route was missing after 0.1 s, for 0.9 s"),
    (Fate.UNTOUCHED, FLAP, "a route was missing"),
    (Fate.CHANGES, FLAP, "a route was missing"),
    (Fate.STAYS, replace(QUIET, other=3), "the other node's routes were missing or stale in 3 looks"),
    (Fate.STAYS, replace(QUIET, pause=BLIND + 0.1), "nobody looked for 2.6 s"),
]


@pytest.mark.parametrize(("fate", "seen", "words"), VERDICTS)
def test_verdicts(fate: Fate, seen: Seen, words: str) -> None:
    found = complaints(fate, seen, BOUNDS)
    assert words in "; ".join(found)
    assert bool(found) is bool(words)


def test_an_estimate_without_end_is_never_exceeded_by_a_time() -> None:
    assert complaints(Fate.LEAVES, replace(LEFT, gone_at=900.0), Bounds(0.0, None)) == []


def test_a_leave_that_goes_through_stale_is_no_leave() -> None:
    assert complaints(Fate.LEAVES, replace(LEFT, stale=4.0), BOUNDS) == []
    (said,) = complaints(Fate.LEAVES, replace(LEFT, stale=4.0), BOUNDS, silent=False)
    assert "closed before they were withdrawn" in said


def test_what_the_router_was_sent_counts_only_where_nothing_may_be() -> None:
    again = Entries({"10.0.0.0/24"}, (), session_kept=False)
    assert complaints(Fate.STAYS, QUIET, BOUNDS, again) == []
    assert complaints(Fate.UNTOUCHED, QUIET, BOUNDS, again) == [
        "sent again though nothing changed: 10.0.0.0/24",
        "the session is not the one of before",
    ]
    assert complaints(Fate.STAYS, QUIET, BOUNDS, Entries(wrong=["it is not so"])) == ["it is not so"]


# --- the cells ----------------------------------------------------------------------------------------------

EXPECTED = {
    # event: (without, with graceful restart)
    "deselect": ("leaves", "leaves"),
    "shutdown": ("leaves", "leaves"),
    "restart": ("returns", "stays"),
    "kill-engine": ("returns", "stays"),
    "kill-speaker": ("returns", "stays"),
    "kill-detached": ("untouched", "untouched"),
    "kill-for-good": ("leaves", "leaves"),
    "upgrade": ("returns", "stays"),
    "upgrade-manager": ("untouched", "untouched"),
    "edit-routes": ("changes", "changes"),
    "edit-timer": ("returns", "stays"),
    "power-off": ("leaves", "leaves"),
}


def test_what_must_hold() -> None:
    found = {str(event): tuple(expectation(event, setting) for setting in Graceful) for event in Event}
    assert found == {event: (off, on, on) for event, (off, on) in EXPECTED.items()}


def test_every_event_can_be_made_to_happen() -> None:
    assert ROWS.keys() == HAPPENS.keys() == set(Event)
    assert len(list(cells(["bird"], list(Event), list(Graceful)))) == 27


def test_an_edit_takes_one_route_gives_one_and_recolours_one() -> None:
    policy = Policy(NODE, Graceful.ON)
    after = edited(policy)
    assert len(policy.prefixes - after.prefixes) == len(after.prefixes - policy.prefixes) == 1
    assert (policy.community, after.community) == ("65001:100", NEW_COMMUNITY)


# --- the table ----------------------------------------------------------------------------------------------


def result(router: str, event: Event, graceful: Graceful, seen: Seen, *said: str) -> Result:
    cell = Cell(router, event, graceful)
    return Result(router, event, graceful, cell.fate, seen, BOUNDS, said, left=LEFT)


RESULTS = [
    result("bird", Event.RESTART, Graceful.OFF, FLAP),
    result("bird", Event.RESTART, Graceful.ON, replace(QUIET, stale=4.0)),
    result("openbgpd", Event.RESTART, Graceful.OFF, QUIET),
    result("openbgpd", Event.RESTART, Graceful.ON, replace(QUIET, pause=1.1)),
    result("bird", Event.EDIT_ROUTES, Graceful.ON, QUIET),
    result("bird", Event.POWER_OFF, Graceful.ON, LEFT),
    result("openbgpd", Event.POWER_OFF, Graceful.ON, QUIET, "exceeded: it stayed"),
]


def test_the_table_names_every_outcome() -> None:
    assert table.markdown(RESULTS).splitlines() == [
        "| event | GR | BIRD | OpenBGPD |",
        "|---|---|---|---|",
        "| SIGTERM, start | off | 0.1 s (5–9), gap 0.9 s | gap < 0.1 s (5–9) |",
        "| | on | no flap, stale 4.0 s | no flap† |",
        "| policy edit of routes | on | 6.1 s (5–9), no flap | not run |",
        "| power-off | on | 6.1 s (5–9) | FAILED: exceeded: it stayed |",
        "",
        "7 cells, 1 failed; a look every 0.10 s or more often.",
        "† OpenBGPD answered nobody for up to 1.1 s: the process that has its RIB sleeps when a session "
        "becomes stale, and changes nothing.",
        "openbgpd / power-off / graceful restart on: exceeded: it stayed",
    ]
    assert re.search(r"power-off +on +6\.1 s \(5–9\) +FAILED", table.text(RESULTS))


def test_a_result_survives_its_json() -> None:
    for one in [*RESULTS, Result.broken(Cell("frr", Event.UPGRADE, Graceful.ON), "no root")]:
        assert Result.from_json(one.to_json()) == one
    assert json.loads(RESULTS[0].to_json())["seen"]["gap"] == 0.9


@pytest.mark.parametrize("words", [["--router", "quagga"], ["--event", "coffee"], ["--gr", "perhaps"]])
def test_a_wrong_word_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Every router is here and every cell is in order; nothing is run."""
    quiet = Part(lambda: True, "")
    monkeypatch.setattr(require, "PARTS", dict.fromkeys(require.PARTS, quiet))
    monkeypatch.setattr(command, "run_all", lambda chosen, jobs: [_of(cell) for cell in chosen])
    monkeypatch.delenv(require.VARIABLE, raising=False)
    yield monkeypatch


def _of(cell: Cell, *said: str) -> Result:
    seen = LEFT if cell.fate is Fate.LEAVES else QUIET
    return Result(cell.router, cell.event, cell.graceful, cell.fate, seen, BOUNDS, said, left=LEFT)


def test_all_in_order_is_exit_0(everything: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    out = capsys.readouterr().out
    assert "FRR" in out
    assert f"{4 * 27} cells, 0 failed" in out


def test_one_complaint_is_exit_1(everything: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bad = Cell("frr", Event.POWER_OFF, Graceful.ON)
    everything.setattr(
        command, "run_all", lambda chosen, jobs: [_of(c, *(["exceeded"] if c == bad else ())) for c in chosen]
    )
    assert command.main(["-o", "json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["complaints"] for line in lines if line["complaints"]] == [["exceeded"]]


@pytest.mark.parametrize(("variable", "code"), [("", 0), ("all", 1)])
def test_what_cannot_run_is_named(
    everything: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, code: int
) -> None:
    absent = Part(lambda: False, "apt install gobgpd")
    everything.setitem(require.PARTS, "gobgp", absent)
    everything.setenv(require.VARIABLE, variable)
    assert command.main(["--event", "deselect"]) == code
    said = capsys.readouterr()
    assert "GoBGP" not in said.out
    assert "this run did not test: gobgp" in said.err


# --- the routers' entries -----------------------------------------------------------------------------------

NODE_ADDRESS = "10.77.0.11"


def test_reading_frr() -> None:
    answer = {
        "paths": [
            {
                "community": {"string": "65001:100", "list": ["65001:100"]},
                "lastUpdate": {"epoch": 1764040000},
                "peer": {"peerId": NODE_ADDRESS},
            },
            {"lastUpdate": {"epoch": 1764040001}, "peer": {"peerId": "10.77.0.12"}},
        ]
    }
    assert list(read_frr(answer, "10.244.1.0/24")) == [
        Entry("10.244.1.0/24", NODE_ADDRESS, 1764040000.0, frozenset({"65001:100"})),
        Entry("10.244.1.0/24", "10.77.0.12", 1764040001.0),
    ]
    assert list(read_frr({}, "10.244.1.0/24")) == []


def test_reading_gobgp() -> None:
    origin, community = {"type": 1, "value": 0}, {"type": 8, "communities": [(65001 << 16) + 100]}
    path = {"age": 1764040000, "attrs": [origin, community], "neighbor-ip": NODE_ADDRESS}
    assert list(read_gobgp({"10.244.1.0/24": [path]})) == [
        Entry("10.244.1.0/24", NODE_ADDRESS, 1764040000.0, frozenset({"65001:100"}))
    ]


def test_reading_openbgpd() -> None:
    path = {
        "prefix": "10.244.1.0/24",
        "neighbor": {"remote_addr": NODE_ADDRESS},
        "communities": ["65001:100"],
        "last_update_sec": 7,
    }
    assert list(read_openbgpd({"rib": [path]}, 1764040007.0)) == [
        Entry("10.244.1.0/24", NODE_ADDRESS, 1764040000.0, frozenset({"65001:100"}))
    ]


BIRD_ROUTES = """\
BIRD 2.0.12 ready.
Table master4:
10.244.1.0/24        unicast [node1 03:57:31.053] * (100) [AS65001i]
\tvia 10.77.0.11 on eth0
\tBGP.community: (65001,100) (65535,0)
203.0.113.12/32      unicast [node1 03:57:31.053] * (100) [AS65001i]
\tBGP.local_pref: 100
                     unicast [node2 23:59:59.5] (100) [AS65002i]
\tBGP.local_pref: 100
0.0.0.0/0            unicast [static1 03:57:29.282] * (200)
"""
BIRD_PROTOCOLS = """\
static1    Static     nexthops4  up     03:57:29.282
node1      BGP        ---        up     03:57:31.034  Established
  BGP state:          Established
    Neighbor address: 10.77.0.11
node2      BGP        ---        up     03:57:31.034  Established
    Neighbor address: 10.77.0.12
"""


def test_reading_bird() -> None:
    """Of a time of day the last one is meant, also just after midnight."""
    now = datetime(2026, 11, 25, 4, 0).timestamp()
    changed = datetime(2026, 11, 25, 3, 57, 31, 53000).timestamp()
    assert list(read_bird(BIRD_ROUTES, BIRD_PROTOCOLS, now)) == [
        Entry("10.244.1.0/24", NODE_ADDRESS, changed, frozenset({"65001:100", "65535:0"})),
        Entry("203.0.113.12/32", NODE_ADDRESS, changed),
        Entry("203.0.113.12/32", "10.77.0.12", datetime(2026, 11, 24, 23, 59, 59, 500000).timestamp()),
    ]

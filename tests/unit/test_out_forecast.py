"""How a forecast looks: as text at 80 columns, as a document, and as a page that nobody's text can break."""

from __future__ import annotations

import json
import xml.etree.ElementTree as Tree
from dataclasses import replace
from html.parser import HTMLParser
from math import inf

import pytest

from bgpctl.cli.forecast import Event
from bgpctl.cli.main import main
from bgpctl.core.model import IPV4, IPV6
from bgpctl.core.timing.disruption import Scheme
from bgpctl.core.timing.failures import RouteClass, Scenario, Span
from bgpctl.core.timing.forecast import (
    SUMMED_UP,
    WORDS,
    Brief,
    Forecast,
    Router,
    Subject,
    brief,
    forecast,
)
from bgpctl.core.timing.groups import Group
from bgpctl.core.timing.profiles import FRR, UNKNOWN_ROUTER
from bgpctl.core.timing.whatif import Settings
from bgpctl.core.timing.withdrawal import Close
from bgpctl.render import forecast as render
from bgpctl.render import forecast_words as words
from bgpctl.render.envelope import plain_data
from bgpctl.render.forecast_document import brief_document, document
from bgpctl.render.forecast_page import brief_page, page
from bgpctl.render.text import plain
from tests.support.golden import check_golden
from tests.unit.test_failures import GR_N, NO_GR, NOT_TOLD

C = RouteClass
GROUPS = (
    Group(IPV4, C.POD_CIDR, 1, 1, None, False),
    Group(IPV4, C.CLUSTER, 12, 3, 1, True, ("default/web", "shop/cart", "shop/pay", "shop/search"), 40),
    Group(IPV4, C.LOCAL, 2, 2, 2, True, ("edge/dns",), 3),
    Group(IPV6, C.LOCAL, 1, 1, 1, False, ("edge/ntp",), 1),
)
KNOWN = Router(replace(GR_N, address="192.0.2.1"), GROUPS, FRR, Scheme.HASH_THRESHOLD)
SUBJECT = Subject("worker-1", (KNOWN,), pods=23, pending=("shop/new",))
SECOND = Router(replace(NO_GR, address="192.0.2.2", peer="64512/192.0.2.2"), GROUPS[:2])
TWO = replace(SUBJECT, routers=(KNOWN, SECOND), close=Close.CEASE, notes=("192.0.2.2 has a note",))
EVERY = tuple(Scenario)
SET = Settings(hold_time=3, keepalive_time=1, restart_time=30)


def one() -> Forecast:
    return forecast(SUBJECT, EVERY)


def summary() -> list[Brief]:
    def fares(name: str, router: Router, alone: int | None) -> Brief:
        subject = replace(SUBJECT, routers=(router,))
        return Brief(name, brief(subject, SUMMED_UP), 1, alone)

    unknown = Router(replace(NOT_TOLD, address="192.0.2.3"), (), UNKNOWN_ROUTER)
    nodes = [fares(f"worker-{number}", KNOWN, 0) for number in range(2, 90)]
    broken = Brief("worker-90", {}, problem="what its speaker published cannot be read: status.peers")
    return [fares("worker-1", unknown, None), *nodes, fares("worker-91", SECOND, 3), broken]


SCREENS = {
    "forecast": lambda width: render.text([one()], width=width),
    "forecast_event": lambda width: render.text(
        [forecast(SUBJECT, (Scenario.AGENT_DOWN, Scenario.POWER_OFF, Scenario.OPERATOR_DOWN))],
        detail=True,
        width=width,
    ),
    "forecast_set": lambda width: render.text([forecast(SUBJECT, EVERY, SET)], width=width),
    "forecast_two_routers": lambda width: render.text([forecast(TWO, EVERY)], width=width),
    "forecast_all": lambda width: render.brief_text(summary(), width),
}


@pytest.mark.parametrize("screen", SCREENS)
def test_as_it_is_seen_at_80_columns(screen: str) -> None:
    lines = SCREENS[screen](80)
    assert max(len(plain(line)) for line in lines) <= 80
    check_golden(f"{screen}_80_columns.txt", lines)


def test_in_a_pipe_a_row_is_a_line() -> None:
    check_golden("forecast.txt", render.text([one()]))


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (Span(0.02, 5.0), "0 s–5 s"),
        (Span(2.75, 1.61), "2.7 s–1.7 s"),
        (Span(1.1, 1.1), "1.1 s"),
        (Span(59.0, 90.0), "59 s–1m30s"),
        (Span(0.0, 0.0), "0 s"),
        (Span(7.0, inf), "7 s or more"),
        (Span(inf, inf), "until mended"),
        (None, "-"),
    ],
)
def test_times(span: Span | None, text: str) -> None:
    assert words.span(span) == text


def test_the_last_line_names_what_costs_most() -> None:
    pods = replace(KNOWN, groups=GROUPS[:1])
    dark = replace(KNOWN, groups=(Group(None, C.UNKNOWN, None),))
    for routers, told in (
        ((KNOWN,), "power-off costs most, up to 3m30s of what other nodes then answer"),
        ((pods,), "what is lost (PodCIDR) nobody else answers"),
        ((dark,), "whether other nodes would answer is not known"),
    ):
        assert told in words.summary(forecast(replace(SUBJECT, routers=routers), EVERY))
    assert "none of this loses traffic" in words.summary(forecast(SUBJECT, (Scenario.OPERATOR_DOWN,)))
    assert "no router has a route of it" in words.summary(forecast(replace(SUBJECT, routers=()), EVERY))
    assert words.brief_summary([]) == "no node has a BGP peer that anything is known of"


def test_the_document() -> None:
    told = json.loads(json.dumps(plain_data(document([forecast(SUBJECT, EVERY, SET)]))))
    assert (told["schema"], told["command"], told["proof"]) == (
        "bgpctl/v1",
        "forecast",
        "estimated",
    )
    (node,) = told["nodes"]
    assert (node["node"], node["pods"], node["pendingServices"]) == ("worker-1", 23, ["shop/new"])
    row = next(r for r in node["rows"] if (r["event"], r["routes"]) == ("power-off", "Cluster"))
    assert row["today"]["trafficLost"] == {"best": 178.0, "worst": 210.0}
    assert row["with"]["trafficLost"] == {"best": 29.0 + 1.0, "worst": 33.0}
    assert (row["nextHops"], row["position"], row["endpoints"], row["scheme"]) == (3, 1, 40, "hash-threshold")
    assert row["flowsMoved"] == {"best": 0.5, "worst": 0.5}
    assert row["connectionsReset"]["Cluster, SNAT"] == row["flowsMoved"]
    lonely = next(r for r in node["rows"] if (r["event"], r["family"]) == ("power-off", "ipv6/unicast"))
    assert lonely["today"]["trafficLost"] == {"best": None, "worst": None}, "null: nothing ever ends it"
    assert "flowsMoved" not in lonely
    helps = next(a for a in node["advice"] if a["name"] == "BFD" and a["event"] == "power-off")
    assert (helps["unit"], helps["then"]["worst"]) == ("seconds", pytest.approx(1.6))
    every = json.loads(json.dumps(plain_data(brief_document(summary()))))
    assert every["nodes"][0]["events"]["power-off"]["routesGone"]["worst"] == 210.0
    assert every["nodes"][-1] == {
        "node": "worker-90", "peers": 0, "events": {},
        "problem": "what its speaker published cannot be read: status.peers",
    }  # fmt: skip


# --- the page ---------------------------------------------------------------------------------------------

HOSTILE = '</text><script>alert(1)</script>"\x1b]0;x\x07 & <b>'


class Tags(HTMLParser):
    """Every tag, and every address that a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href")]
        assert not any(name.startswith("on") for name, _ in attrs)


def parsed(text: str) -> Tags:
    found = Tags()
    found.feed(text)
    return found


def test_nothing_that_others_wrote_breaks_the_page() -> None:
    group = replace(GROUPS[1], services=(HOSTILE,))
    router = replace(KNOWN, groups=(group,), facts=replace(KNOWN.facts, address=HOSTILE))
    subject = Subject(HOSTILE, (router, SECOND), notes=(HOSTILE,))
    text = page([forecast(subject, EVERY, SET)])
    plain_tags = parsed(page([one()])).tags
    found = parsed(text)
    assert found.tags <= plain_tags and "script" not in found.tags
    assert "\x1b" not in text and "\x07" not in text and "&lt;script&gt;" in text
    broken = brief_page([Brief(HOSTILE, {}, problem=HOSTILE), *summary()])
    assert parsed(broken).tags <= plain_tags and "\x1b" not in broken


def test_one_page_without_anything_from_elsewhere() -> None:
    text = page([one()])
    assert not parsed(text).fetched
    assert "http" not in text.replace("http-equiv", "") and "@import" not in text and "url(#" in text
    Tree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])  # well-formed


def test_a_bar_shows_the_course() -> None:
    """From left to right: what traffic does until the routes are gone, the doubt, and what then."""
    shared = replace(SUBJECT, routers=(replace(KNOWN, groups=GROUPS[1:2]),))
    text = page([forecast(shared, (Scenario.POWER_OFF,))])
    svg = Tree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])
    bars = [bar for bar in svg.iter("rect") if bar.get("height") == "14"]
    assert [bar.get("style") for bar in bars] == [
        "fill: var(--black-holed)",
        "fill: url(#black-holed-or-redirected)",
        "fill: var(--redirected)",
    ]
    ends = [float(bar.get("x", 0)) + float(bar.get("width", 0)) for bar in bars]
    assert ends == sorted(ends) and ends[-1] == pytest.approx(735.0, abs=0.2)


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def unfolded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def test_the_words_of_event() -> None:
    assert {str(event) for event in Event} == set(WORDS)
    assert {scenario for some in WORDS.values() for scenario in some} == set(Scenario)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "error: no node is named\nhint: name some, or sum up all:\n"),
        (("worker-1", "--all"), "error: --all is every node, and some are named"),
        (
            ("worker-1", "--event", "flood"),
            "'flood' is not one of 'agent-down', 'restart', 'upgrade', 'node-down'",
        ),
        (("worker-1", "--scheme", "crc"), 'error: --scheme "crc": "crc" is no way to hash flows'),
        (("worker-1", "--set", "mtu=9000"), 'error: --set "mtu=9000": there is no "mtu"'),
        (("worker-1", "--set", "holdTimeSeconds=1"), "is no number of seconds from 3 to 65535"),
        (("worker-1", "--peer-profile", "192.0.2.1=abacus"), "no router profile is called 'abacus'"),
        (("worker-1", "--restart-takes", "0"), "it must be longer than 0"),
        (("worker-1", "-o", "yaml"), "'yaml' is not one of 'text', 'json', 'html'"),
    ],
)
def test_bad_input_is_one_message(
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(("forecast", *arguments))
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err

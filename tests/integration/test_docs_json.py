"""docs/json.md and what README.md and docs/drain.md show as output is what the commands print, in a lab."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bgpctl.lab.cluster import Lab
from tests.support import lab as kit
from tests.support.outlines import Key, faults, outlines
from tests.support.pages import ROOT, blocks, section
from tests.support.require import require

pytestmark = pytest.mark.integration

PAGE = (ROOT / "docs" / "json.md").read_text()
ENVELOPE = frozenset({"schema", "command", "status", "message", "hint"})
RUN = "node drain, node restore, speaker restart"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    require("bird")
    with kit.running("bird", nodes=3) as made:
        yield made


def told(title: str, name: str = "") -> Key:
    return outlines(section(PAGE, title))[name]


def unlike(document: dict[str, Any], outline: Key) -> list[str]:
    """The faults of a document beside those keys that all have."""
    own = {key: value for key, value in document.items() if key not in ENVELOPE - outline.keys.keys()}
    return [*faults(own, outline)]


LOOKS = (
    ("peers status", "", ("peers", "status")),
    ("node status", "", ("node", "status")),
    ("routes", "", ("routes", "worker-1", "--absent")),
    ("explain", "", ("explain", "svc/default/api")),
    ("node estimate", "", ("node", "estimate", "worker-1")),
    ("forecast", "", ("forecast", "worker-1", "--set", "holdTimeSeconds=3")),
    ("forecast", "--all", ("forecast", "--all")),
    ("doctor", "", ("doctor",)),
    ("preflight upgrade", "", ("preflight", "upgrade", "--image", "example.com/bgpctl:1.0")),
    ("install, uninstall", "", ("install", "--apply", "--dry-run")),
    ("install, uninstall", "", ("uninstall", "--withdraw-routes")),
    ("auth check", "", ("auth", "check", "--for", "install")),
    ("providers", "", ("providers",)),
    ("version", "", ("version",)),
    ("config view, config check", "view", ("config", "view")),
    ("config view, config check", "check", ("config", "check")),
    ("policy check", "", ("policy", "check", str(ROOT / "docs" / "examples" / "state.yaml"))),
)


@pytest.mark.parametrize(("title", "name", "words"), LOOKS, ids=[" ".join(words) for _, _, words in LOOKS])
def test_a_look_prints_what_the_page_says(lab: Lab, title: str, name: str, words: tuple[str, ...]) -> None:
    document = kit.run(lab, *words, "-o", "json").document
    assert document["schema"] == "bgpctl/v1"
    assert not unlike(document, told(title, name))


def test_a_run_prints_what_the_page_says(lab: Lab) -> None:
    event, result = told(RUN, "event"), told(RUN, "result")
    for words in (("node", "drain"), ("node", "restore")):
        ran = kit.run_ok(lab, *words, "worker-3", "-o", "json")
        *events, last = map(json.loads, ran.out.splitlines())
        assert len(events) > 5
        assert not [fault for one in events for fault in faults(one, event)]
        assert not unlike(last, result)
        drained = kit.run(lab, "node", "status", "worker-3", "-o", "json").document
        assert not unlike(drained, told("node status"))
        assert not unlike(kit.run(lab, "peers", "status", "-o", "json").document, told("peers status"))


def test_a_speaker_says_the_same_of_itself(lab: Lab) -> None:
    node = told("peers status").keys["nodes"]
    directory = next(str(place.directory) for place in lab.speakers if place.node == "worker-1")
    document = kit.run_ok(lab, "speaker", "status", "--directory", directory, "-o", "json").document
    own = {key: value for key, value in document.items() if key not in (*ENVELOPE, "observedAt", "directory")}
    assert not [fault for fault in faults(own, node) if fault != ".state is not there"]


# --- output ------------------------------------------------------------------------------------------------


def shapes(text: str) -> list[str]:
    """The lines of an output without what differs from run to run: times, names of runs, pods and routers."""
    return [_shape(line) for line in text.splitlines() if line.strip()]


def _shape(line: str) -> str:
    for pattern, put in (
        (r"\d{4}-\d\d-\d\d", "DAY"),
        (r"\d\d:\d\d:\d\d\.\d{3}", "TIME"),
        (r"run [0-9a-f]{8}", "run ID"),
        (r"(?:bird|frr) [\d.]+", "ROUTER"),
        (r"kube-system/node-agent-\w+", "AGENT"),
        (r"\d+(?:\.\d+)? s\b", "N s"),
        (r"\b\d+ (routes?|pods?)", r"N \1"),
    ):
        line = re.sub(pattern, put, line)
    return line


def shown(page: str, words: str) -> tuple[list[str], list[str]]:
    """The arguments and the output of the console block of a page that has these words."""
    (block,) = (one for one in blocks((ROOT / page).read_text(), "console") if words in one)
    command, *lines = block.splitlines()
    assert command.startswith("$ bgpctl ")
    return command.split()[2:], lines


def test_the_drain_in_the_readme_and_the_refusal_in_the_manual_are_what_ran(lab: Lab) -> None:
    command, lines = shown("README.md", "safe to power off")
    ran = kit.run_ok(lab, *command)
    try:
        printed = shapes(ran.out)
        assert not [line for line in shapes("\n".join(lines)) if line not in printed]
        assert shapes(lines[-1]) == printed[-1:]
        command, lines = shown("docs/drain.md", "at most 1 may be")
        refused = kit.run(lab, *command)
        assert refused.code == 3
        assert shapes(refused.out) == shapes("\n".join(lines))
    finally:
        kit.run_ok(lab, "node", "restore", "worker-1")

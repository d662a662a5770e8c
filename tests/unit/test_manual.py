"""The manual pages: fresh, of every command, and without a complaint of groff."""

from __future__ import annotations

import subprocess

import pytest

from tests import completions
from tests.support.require import require

PAGES = completions.pages()


def test_fresh() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in completions.MANUAL.iterdir()}
    assert found == PAGES, "stale: run `make completions`"


def test_a_page_has_what_help_has() -> None:
    page = PAGES["bgpctl-node-drain.1"]
    for words in (
        ".TH BGPCTL-NODE-DRAIN 1",
        "bgpctl\\-node\\-drain \\- Take a node out of service",
        "\\fBbgpctl node drain\\fR [\\fIOPTIONS\\fR] [NODE]...",
        "\\fB\\-\\-order\\fR \\fIguide|withdraw\\-first\\fR",
        "bgpctl node drain worker\\-1 \\-\\-dry\\-run",
        "\\fBbgpctl\\-node\\fR(1)",
    ):
        assert words in page


@pytest.mark.parametrize("name", ["bgpctl.1", "bgpctl-node-drain.1", "bgpctl-config-set.1"])
def test_groff_has_nothing_to_say(name: str) -> None:
    require("groff")
    argv = ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", str(completions.MANUAL / name)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert not done.stderr
    assert "EXIT STATUS" in done.stdout

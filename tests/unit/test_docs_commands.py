"""Every `bgpctl …` line of a console block in README.md and docs/ is one that the parser takes."""

from __future__ import annotations

import shlex

import pytest

from bgpctl.cli.app import tree
from tests.support.pages import PAGES, name, typed


def refused(line: str) -> str:
    """What the parser says against a command line, "" = nothing."""
    command, words, path = tree(), shlex.split(line.partition(" > ")[0]), ""
    del words[0]
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return f"no command {words[0]!r}"
        command, path = command.commands[words[0]], f"{path} {words.pop(0)}".strip()
    try:
        command.make_context(path, [word for word in words if word != "…"]).close()
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message()) or type(error).__name__
    return ""


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGPCTL_CONFIG", "")


LINES = [(name(page), line) for page in PAGES for line in typed(page.read_text())]


def test_there_are_some_on_every_page_that_tells_what_to_type() -> None:
    counts: dict[str, int] = {}
    for page, _ in LINES:
        counts[page] = counts.get(page, 0) + 1
    assert len(LINES) > 60
    for page in ("README.md", "docs/drain.md", "docs/speaker.md", "docs/upgrade.md", "docs/explain.md"):
        assert counts[page] > 3


@pytest.mark.parametrize(("page", "line"), LINES)
def test_the_parser_takes_it(page: str, line: str) -> None:
    assert not refused(line), f"{page}: {line}"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("bgpctl node drian worker-1", "no command 'drian'"),
        ("bgpctl node drain worker-1 --gently", "No such option"),
        ("bgpctl node drain worker-1 --order sideways", "Invalid value"),
    ],
)
def test_one_that_it_does_not_take_is_noticed(line: str, why: str) -> None:
    assert why in refused(line)


def test_lines_are_found_as_they_are_typed() -> None:
    lines = "$ sudo bgpctl a 'b # c' \\\n  d   # why\nbgpctl printed\n$ bgpctl x && kubectl bgp y | head\n"
    page = f"```console\n{lines}```\n"
    assert [" ".join(line.split()) for line in typed(page)] == ["bgpctl a 'b # c' d", "bgpctl x", "bgp y"]

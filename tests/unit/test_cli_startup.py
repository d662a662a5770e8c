"""What starting costs: `--help`, `--version` and typing errors import nothing that only commands need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bgpctl.cli.main import main
from tests.support.cli import clean_environment

HEAVY = {"kubernetes", "pydantic", "asyncio", "exabgp", "rich", "yaml", "urllib3", "http.server"}
REPORT = (
    "import sys, runpy, atexit\n"
    "atexit.register(lambda: print('LOADED', *sorted(sys.modules), file=sys.stderr))\n"
    "sys.argv = ['bgpctl', *sys.argv[1:]]\n"
    "runpy.run_module('bgpctl', run_name='__main__')\n"
)


def loaded(*arguments: str) -> set[str]:
    """The modules that one command line had imported when it ended."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        env=clean_environment(),
    )
    line = next(line for line in done.stderr.splitlines() if line.startswith("LOADED "))
    return set(line.split()[1:])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("node", "--help"),
        ("node", "drain", "--help"),
        ("speaker", "run", "--help"),
        ("lab", "demo", "--help"),
        ("forecast", "--help"),
        ("install", "--help"),
        ("auth", "check", "--help"),
        ("node", "drain", "--timeout", "soon", "worker-1"),
        (),
    ],
    ids=" ".join,
)
def test_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not loaded(*arguments) & HEAVY


def test_version_does_not_even_import_the_parser() -> None:
    assert "typer" not in loaded("--version")


def test_the_probe_would_have_seen_it() -> None:
    """A command that reads a kubeconfig imports the client: the tests above could fail."""
    assert "kubernetes" in loaded("peers", "status", "--kubeconfig", __file__)


@pytest.mark.parametrize("group", ["", "node", "speaker", "speaker engine", "peers", "policy", "lab"])
def test_a_list_of_commands_ends_no_sentence_in_the_middle(
    group: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main((*group.split(), "--help"))
    shown = capsys.readouterr().out
    assert "Commands:" in shown and "..." not in shown.partition("Commands:")[2]

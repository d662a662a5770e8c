"""Which value a flag has: typed, from the environment, from the file for its context, or its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bgpctl.cli import app, defaults
from bgpctl.cli.flags import Given
from bgpctl.core.settings import SETTINGS
from tests.unit.test_cli_node import Cluster, asked, cluster, drained_before, run

__all__ = ["asked", "cluster"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.yaml"
    monkeypatch.setenv("BGPCTL_CONFIG", str(path))
    path.write_text("defaults:\n  order: withdraw-first\n  settle: 9s\n  router-probe: [frr]\n")
    return path


def test_typed_then_environment_then_context_then_everywhere(
    cluster: Cluster, asked: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drained(*flags: str) -> tuple[str, float, tuple[str, ...]]:
        assert run("node", "drain", "worker-1", *flags) == 0
        options = asked["drain"]
        return options.order, options.settle, options.probes

    assert drained() == ("withdraw-first", 9, ("frr",))
    file.write_text(f"{file.read_text()}contexts:\n  one:\n    settle: 8s\n  other: {{settle: 1s}}\n")
    assert drained() == ("withdraw-first", 8, ("frr",))
    monkeypatch.setenv("BGPCTL_SETTLE", "7s")
    monkeypatch.setenv("BGPCTL_ROUTER_PROBE", "bird frr@192.0.2.1")
    assert drained() == ("withdraw-first", 7, ("bird", "frr@192.0.2.1"))
    assert drained("--settle", "6s", "--order", "guide", "--router-probe", "none") == ("guide", 6, ())


def test_what_the_file_said_is_in_the_journal(cluster: Cluster, asked: dict[str, Any], file: Path) -> None:
    """Whoever goes on with it elsewhere has another file."""
    assert run("node", "drain", "worker-1", "--timeout", "5m") == 0
    assert asked["drain"].asked == {
        "--order": ("withdraw-first",),
        "--settle": ("9",),
        "--router-probe": ("frr",),
        "--timeout": ("300",),
    }


def test_a_run_that_goes_on_heeds_its_journal_and_not_the_file(
    cluster: Cluster, asked: dict[str, Any], file: Path
) -> None:
    drained_before(cluster, "--settle 5", order="guide")
    assert run("node", "drain", "worker-1") == 0
    options = asked["drain"]
    assert (options.order, options.settle, options.probes) == ("guide", 5, ("frr",))
    assert "--order" not in options.asked


def test_where_a_value_comes_from(
    cluster: Cluster, asked: dict[str, Any], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("node", "drain", "worker-1", "--settle", "1s", "-v") == 0
    assert capsys.readouterr().err.splitlines() == [
        f"--order withdraw-first: {file}:2",
        f"--router-probe frr: {file}:4",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defaults:\n  settle: soon\n", ":2: settle: 'soon' is not a duration"),
        ("defaults:\n  router-probe: [juniper]\n", ":2: router-probe: 'juniper' is no router probe"),
        ("defaults:\n  peer-profile: [x]\n", ":2: peer-profile: "),
        ("defaults:\n  setle: 3s\n", ":2: defaults.setle: 'setle' is no setting; did you mean settle?"),
        ("contexts:\n  one:\n    order: x\n", ":3: order: 'x' is not one of"),
    ],
)
def test_a_fault_is_told_with_its_line_before_anything_is_done(
    cluster: Cluster,
    asked: dict[str, Any],
    file: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    said: str,
) -> None:
    file.write_text(text)
    assert run("node", "drain", "worker-1") == 2
    assert f"error: {file}{said}" in capsys.readouterr().err.replace("\n       ", " ")
    assert "drain" not in asked


def test_a_fault_of_another_context_or_of_no_setting_of_the_command_stops_nothing(
    cluster: Cluster, asked: dict[str, Any], file: Path
) -> None:
    file.write_text("defaults:\n  scheme: [none]\ncontexts:\n  other:\n    order: x\n    nothing: 1\n")
    assert run("node", "drain", "worker-1") == 0
    assert run("config", "check") == 2


def test_nor_does_one_of_a_context_whose_name_only_begins_alike(
    cluster: Cluster, asked: dict[str, Any], file: Path
) -> None:
    file.write_text("contexts:\n  'one]x':\n    nothing: 1\n")
    assert run("node", "drain", "worker-1") == 0
    file.write_text("contexts:\n  one:\n    nothing: 1\n")
    assert run("node", "drain", "worker-1") == 2


def test_help_is_given_and_a_speaker_runs_whatever_is_wrong_with_the_file(file: Path) -> None:
    file.write_text("{")
    assert run("node", "drain", "--help") == 0
    root = app.tree()
    assert defaults.of_line(root, ("speaker", "run", "--node-name", "worker-1")) is None
    assert defaults.of_line(root, ("lab", "up")) is None


def test_set_view_and_unset(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("config", "set", "timeout", "20m", "--context", "prod") == 0
    assert run("config", "set", "timeout", "soon") == 2
    assert run("config", "set", "order", "guide", "withdraw-first") == 2
    assert run("config", "unset", "settle") == 0
    capsys.readouterr()
    assert run("config", "view", "--context", "prod", "-o", "json") == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert {one["name"]: one["values"] for one in settings} == {
        "order": ["withdraw-first"],
        "router-probe": ["frr"],
        "timeout": ["20m"],
    }


def test_set_is_for_the_context_that_is_named_wherever_it_stands(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("")
    assert run("--context", "prod", "config", "set", "timeout", "20m") == 0
    assert file.read_text() == "contexts:\n  prod:\n    timeout: 20m\n"
    for words in (("set", "timeout", "1m"), ("unset", "timeout")):
        assert run("config", *words, "--context", "") == 2  # as of "$CONTEXT", which nothing set
    assert "--context is empty" in capsys.readouterr().err
    assert "1m" not in file.read_text()
    assert run("--context", "prod", "config", "unset", "timeout") == 0
    assert "20m" not in file.read_text()


def test_a_file_that_is_named_and_not_there(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.unlink()
    assert run("node", "drain", "worker-1") == 2
    assert "BGPCTL_CONFIG" in capsys.readouterr().err
    assert run("config", "set", "order", "guide") == 0
    assert file.read_text() == "defaults:\n  order: guide\n"


def test_every_setting_is_a_flag_of_some_command() -> None:
    root = app.tree()
    for setting in SETTINGS.values():
        assert next(defaults._takers(root, setting))


def test_the_context_of_the_line() -> None:
    words = ("--context", "a", "node", "drain", "n", "--kubeconfig=/k", "--context=b", "--", "--context", "c")
    assert defaults.given_by(words) == Given("b", "/k")


def test_the_page_names_every_setting_and_who_takes_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "defaults.md").read_text()
    root = app.tree()
    for setting in SETTINGS.values():
        takers = ", ".join(f"`{' '.join(path)}`" for path, _ in defaults._takers(root, setting))
        assert f"| `{setting.name}` | {takers} |" in page

"""The examples of `--help` do what they say they do: pasted into a lab, one after the other."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgpctl.cli.app import tree
from bgpctl.cli.examples import EXAMPLES, Example, folded
from bgpctl.lab.cluster import Lab
from tests.support import lab as kit
from tests.support.cli import clean_environment
from tests.support.require import require

pytestmark = pytest.mark.integration


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        words = f"{path} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield words, command


def test_every_command_has_examples_and_there_are_no_others() -> None:
    assert sorted(EXAMPLES) == sorted(words for words, _ in commands(tree()))


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_parser_takes_them(path: str) -> None:
    known = dict(commands(tree()))
    for example in EXAMPLES[path]:
        words = shlex.split(example.words.partition(" > ")[0])
        assert words[: len(path.split())] == path.split()
        known[path].make_context(path, words[len(path.split()) :]).close()


def test_a_long_one_is_folded_as_a_shell_reads_it() -> None:
    for example in (one for found in EXAMPLES.values() for one in found):
        whole = folded(f"bgpctl {example.words}")
        assert shlex.split(whole.replace("\\\n", " ")) == shlex.split(f"bgpctl {example.words}")
        assert max(map(len, whole.splitlines())) <= 76


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    require("bird")
    with kit.running("bird", nodes=3) as made:
        yield made


PASTED = [one for found in EXAMPLES.values() for one in found if one.code is not None]


def test_pasted_into_a_lab_they_work(lab: Lab, tmp_path: Path) -> None:
    environment = clean_environment(Path(lab.kubeconfig), HOME=str(tmp_path), BGPCTL_CONFIG="")
    for example in PASTED:
        done = _pasted(example, environment)
        assert done.returncode == example.code, f"{example.words}\n{done.stdout}{done.stderr}"
        assert not re.search(r"Traceback|bug:", done.stdout + done.stderr)


def test_a_selector_that_selects_nothing_is_told(lab: Lab) -> None:
    ran = kit.run(lab, "node", "drain", "-l", "rack=9")
    assert (ran.code, "no node has the labels rack=9" in ran.err) == (2, True), ran.err


def _pasted(example: Example, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """By a shell, as it stands in the help."""
    line = folded(f"{shlex.quote(sys.executable)} -m bgpctl {example.words}")
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=120, env=environment)

"""The completion scripts are fresh, and the shells that read them offer the right words."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests import completions
from tests.kit.require import require

KIT = Path(__file__).resolve().parent.parent / "kit"

CASES = [
    ("bgpctl ", {"peers", "routes", "logs", "node", "speaker", "policy", "lab"}),
    ("bgpctl node ", {"drain", "restore", "status", "estimate"}),
    ("kubectl-bgp node dr", {"drain"}),
    ("bgpctl --context node node re", {"restore"}),
    ("bgpctl peers status -o ", {"table", "wide", "json", "yaml"}),
    ("bgpctl node drain worker-1 --order ", {"guide", "withdraw-first"}),
    ("bgpctl node drain --timeout 5m --order w", {"withdraw-first"}),
    ("bgpctl lab demo --rou", {"--router"}),
]

shells = pytest.mark.parametrize(("line", "words"), CASES, ids=[line for line, _ in CASES])


@pytest.mark.parametrize("name", sorted(completions.scripts()))
def test_fresh(name: str) -> None:
    found = (completions.DIRECTORY / name).read_text(encoding="utf-8")
    assert found == completions.scripts()[name], "stale: run `make completions`"


def test_every_command_and_option_is_in_every_script() -> None:
    for name, script in completions.scripts().items():
        for command in completions.walk(completions.tree()):
            assert all(word in script for word in command.path)
            for option in command.options:
                for flag in option.flags:
                    shown = flag if not name.endswith("fish") else flag.lstrip("-")
                    assert shown in script, (name, command.words, flag)


@pytest.mark.parametrize(
    ("shell", "name"), [("bash", "bgpctl.bash"), ("zsh", "_bgpctl"), ("fish", "bgpctl.fish")]
)
def test_syntax(shell: str, name: str) -> None:
    require(shell)
    subprocess.run([shell, "-n", completions.DIRECTORY / name], check=True, timeout=30)


def ask_bash(line: str) -> set[str]:
    """What bash offers: COMP_WORDS as readline would fill it, split at `=` too."""
    return set(bash_replies(re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith(" ") else [])))


def bash_replies(words: list[str]) -> list[str]:
    script = (
        f"source {shlex.quote(str(completions.DIRECTORY / 'bgpctl.bash'))}\n"
        f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}\n"
        '_bgpctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return [reply for reply in _output(["bash", "--norc", "-c", script]).splitlines() if reply]


def ask_zsh(line: str) -> set[str]:
    shown = _output(["zsh", "-f", str(KIT / "zsh_tab.zsh"), str(completions.DIRECTORY), line])
    listing = shown.split("\x1b[J")[-1].split("\x1b[A")[0]
    return set(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", listing).split())


def ask_fish(line: str) -> set[str]:
    script = completions.DIRECTORY / "bgpctl.fish"
    shown = _output(
        ["fish", "--no-config", "-c", f"source {shlex.quote(str(script))}; complete -C {shlex.quote(line)}"]
    )
    return {row.split("\t")[0] for row in shown.splitlines()}


def _output(argv: list[str]) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=30, check=True, stdin=subprocess.DEVNULL
    )
    return done.stdout


@shells
def test_bash(line: str, words: set[str]) -> None:
    require("bash")
    assert ask_bash(line) == words


def test_bash_offers_values_after_an_equals_sign() -> None:
    require("bash")
    assert ask_bash("bgpctl node drain --order=w") == {"withdraw-first"}
    assert ask_bash("bgpctl node drain --order=") == {"guide", "withdraw-first"}


def test_bash_offers_paths_where_a_path_is_wanted(tmp_path: Path) -> None:
    require("bash")
    (tmp_path / "policy one.yaml").touch()
    assert bash_replies(["bgpctl", "policy", "check", f"{tmp_path}/pol"]) == [f"{tmp_path}/policy one.yaml"]


@shells
def test_zsh(line: str, words: set[str]) -> None:
    require("zsh")
    assert ask_zsh(line) == words


@shells
def test_fish(line: str, words: set[str]) -> None:
    require("fish")
    assert ask_fish(line) == words

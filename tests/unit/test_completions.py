"""The completion scripts are fresh, and the shells that read them offer the right words."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bgpctl.cli import completion
from bgpctl.cli.completion import kubectl
from bgpctl.cli.completion.tree import tree, walk
from bgpctl.cli.main import main
from tests import completions
from tests.support.require import require

SUPPORT = Path(__file__).resolve().parent.parent / "support"

CASES = [
    (
        "bgpctl ",
        {
            "peers",
            "routes",
            "top",
            "explain",
            "doctor",
            "logs",
            "metrics",
            "forecast",
            "preflight",
            "node",
            "speaker",
            "policy",
            "providers",
            "calico",
            "config",
            "completion",
            "version",
            "install",
            "uninstall",
            "auth",
            "cilium",
            "lab",
        },
    ),
    ("bgpctl node ", {"drain", "restore", "status", "estimate"}),
    ("kubectl-bgp node dr", {"drain"}),
    ("bgpctl --context node node re", {"restore"}),
    ("bgpctl peers status -o ", {"table", "wide", "json", "yaml", "name", "jsonpath="}),
    ("bgpctl node drain worker-1 --order ", {"guide", "withdraw-first"}),
    ("bgpctl node drain --timeout 5m --order w", {"withdraw-first"}),
    ("bgpctl lab demo --rou", {"--router"}),
    ("bgpctl completion ", {"bash", "zsh", "fish", "powershell"}),
    ("bgpctl config set max", {"max-unavailable"}),
]

shells = pytest.mark.parametrize(("line", "words"), CASES, ids=[line for line, _ in CASES])


@pytest.mark.parametrize("name", sorted(completions.scripts()))
def test_fresh(name: str) -> None:
    found = (completions.DIRECTORY / name).read_text(encoding="utf-8")
    assert found == completions.scripts()[name], "stale: run `make completions`"


def test_every_command_and_option_is_in_every_script() -> None:
    for name, script in completions.scripts().items():
        for command in walk(tree()):
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


def ask_zsh(line: str, directory: Path = completions.DIRECTORY, first: str = "") -> set[str]:
    shown = _output(["zsh", "-f", str(SUPPORT / "zsh_tab.zsh"), str(directory), line, first])
    listing = re.split(r"\x1b\[\d*A", shown.split("\x1b[J")[-1])[0]  # up again, by one row or several
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


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that knows two nodes, and what it was asked."""
    kubectl, asked = tmp_path / "bin" / "kubectl", tmp_path / "asked"
    kubectl.parent.mkdir()
    kubectl.write_text(
        f'#!/bin/sh\necho "$@" >> {asked}\necho broken >&2\nprintf "node/worker-1\\nnode/worker-2\\n"\n'
    )
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kubectl.parent}:{os.environ['PATH']}")
    return asked


ASK: dict[str, Callable[[str], set[str]]] = {"bash": ask_bash, "zsh": ask_zsh, "fish": ask_fish}


@pytest.mark.parametrize("shell", sorted(ASK))
@pytest.mark.parametrize(
    ("line", "words", "flags"),
    [
        ("bgpctl node drain wor", {"worker-1", "worker-2"}, ""),
        ("bgpctl node status worker-1 worker-2", {"worker-2"}, ""),
        ("bgpctl node drain --context lab --order guide ", {"worker-1", "worker-2"}, "--context lab"),
        ("kubectl-bgp speaker engine stop --node-name w", {"worker-1", "worker-2"}, ""),
    ],
)
def test_nodes_are_the_clusters(cluster: Path, shell: str, line: str, words: set[str], flags: str) -> None:
    require(shell)
    assert ASK[shell](line) == words
    assert cluster.read_text().split("\n")[0] == f"get nodes -o name {flags}".strip()


@pytest.mark.parametrize("shell", sorted(ASK))
def test_without_a_cluster_nothing_is_offered_and_nothing_is_said(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(shell)
    (tmp_path / "kubectl").write_text("#!/bin/sh\necho no cluster >&2\nexit 1\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert not ASK[shell]("bgpctl node drain wor") & {"worker-1", "cluster"}


def test_bash_asks_the_cluster_once_in_ten_seconds(cluster: Path) -> None:
    require("bash")
    script = (
        f"source {shlex.quote(str(completions.DIRECTORY / 'bgpctl.bash'))}\n"
        "COMP_WORDS=(bgpctl node drain '') COMP_CWORD=3\n"
        "_bgpctl; _bgpctl; SECONDS=11; _bgpctl"
    )
    _output(["bash", "--norc", "-c", script])
    assert len(cluster.read_text().splitlines()) == 2


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


def test_zsh_can_be_given_the_script_as_kubectls_is(tmp_path: Path) -> None:
    require("zsh")
    sourced = f"source {shlex.quote(str(completions.DIRECTORY / '_bgpctl'))}"
    assert ask_zsh("bgpctl completion ", tmp_path, sourced) == {"bash", "zsh", "fish", "powershell"}


@shells
def test_fish(line: str, words: set[str]) -> None:
    require("fish")
    assert ask_fish(line) == words


@shells
def test_kubectl(line: str, words: set[str]) -> None:
    assert ask_kubectl(line) == words


def ask_kubectl(line: str) -> set[str]:
    """What kubectl's plugin is asked, without the program's name."""
    words = line.split()[1:] + ([""] if line.endswith(" ") else [])
    *rows, directive = kubectl.complete(words).splitlines()
    assert directive == ":4"
    return {row.split("\t")[0] for row in rows}


def test_kubectl_asks_its_own_plugin(cluster: Path, tmp_path: Path) -> None:
    require("kubectl")
    ours = tmp_path / "ours"
    ours.mkdir()
    for name, function in (("kubectl-bgp", "main"), ("kubectl_complete-bgp", "complete")):
        (ours / name).write_text(
            f"#!{sys.executable}\nfrom bgpctl.cli.main import {function}\n{function}()\n"
        )
        (ours / name).chmod(0o755)
    real = shutil.which("kubectl", path=os.environ["PATH"].partition(":")[2])
    assert real
    done = subprocess.run(
        [real, "__complete", "bgp", "node", "drain", "--context", "lab", "wor"],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PATH": f"{ours}:{os.environ['PATH']}", "PYTHONPATH": os.getcwd()},
    )
    assert done.stdout.splitlines() == ["worker-1", "worker-2", ":4"]
    assert cluster.read_text().strip() == "get nodes -o name --context lab"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["node", "drain", "--order=w"], (["--order=withdraw-first"], 4)),
        (["policy", "check", "x"], ([], 0)),
        (["routes", "--directory", ""], ([], 16)),
        (["logs", "--peer", "192"], (["192.0.2.1"], 4)),
        (["--kubeconfig", "/k", "node", "status", ""], (["worker-1"], 4)),
    ],
)
def test_what_kubectl_is_told(words: list[str], offered: tuple[list[str], int]) -> None:
    names = {"node": ["worker-1"], "peer": ["192.0.2.1", "2001:db8::1"]}
    assert kubectl.offers(tree(), words, lambda kind, kube: names[kind]) == offered


@pytest.mark.parametrize("shell", sorted(ASK))
def test_the_command_prints_the_same_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", shell])
    assert not ended.value.code
    assert capsys.readouterr().out == completions.scripts()[completion.FILES[shell]]


def test_the_script_for_powershell_asks_what_kubectl_asks() -> None:
    """No PowerShell was there to run it; what it calls is tested above."""
    script = completion.script("powershell")
    assert "-CommandName bgpctl, kubectl-bgp " in script and "kubectl_complete-bgp @words" in script
    assert script.count("{") == script.count("}") and script.count("(") == script.count(")")
    assert not re.search(r"@[A-Z]+@", script)

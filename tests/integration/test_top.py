"""`bgpctl top` in a real terminal (tmux), on a lab; and where there is none."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpctl.lab.cluster import Lab
from tests.support import lab as labs
from tests.support.cli import bgpctl, clean_environment
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


class Screen:
    """A terminal of 80 x 20 in which a command runs."""

    def __init__(self, socket: Path, command: str) -> None:
        self._tmux = ("tmux", "-S", str(socket), "-f", "/dev/null")
        shell = f"{command}; echo exit $?; exec cat"
        self._run("new-session", "-d", "-x", "80", "-y", "20", shell)

    def _run(self, *words: str) -> str:
        env = clean_environment(TERM="xterm-256color", LC_ALL="C.UTF-8")
        return subprocess.run(
            (*self._tmux, *words), capture_output=True, text=True, check=True, env=env
        ).stdout

    def __str__(self) -> str:
        return self._run("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def shows(self, words: str, deadline: float = 30.0) -> str:
        """The screen once it has these words."""
        try:
            return eventually(lambda: words in (seen := str(self)) and seen, deadline, why=repr(words)) or ""
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self}") from None

    def end(self) -> None:
        self._run("kill-server")


@pytest.fixture
def lab() -> Iterator[Lab]:
    require("tmux")
    with labs.running(nodes=2) as found:
        yield found


def test_a_drain_is_watched(lab: Lab, tmp_path: Path) -> None:
    words = (sys.executable, "-m", "bgpctl", "top", "--kubeconfig", str(lab.kubeconfig))
    screen = Screen(tmp_path / "tmux", shlex.join(words))
    try:
        screen.shows("2 nodes, 2 of 2 sessions up")
        labs.run_ok(lab, "node", "drain", "worker-2")
        assert "worker-2" in screen.shows("drained")
        screen.press("End", "Enter")
        screen.shows("safe to power off")
        screen.press("Escape")
        screen.shows("> worker-2")
        screen.press("/", "worker-1", "Enter")
        eventually(lambda: "worker-2" not in str(screen), 5)
        lab.api.stop()
        screen.shows("not current: ")
        screen.press("q")
        assert "not current" not in screen.shows("exit 0"), "the screen before is back"
    finally:
        screen.end()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_terminal_is_as_before_whatever_ends_it(lab: Lab, tmp_path: Path, ending: signal.Signals) -> None:
    words = shlex.join((sys.executable, "-m", "bgpctl", "top", "--kubeconfig", str(lab.kubeconfig)))
    ended = f"{words} & echo $! > {tmp_path / 'pid'}; fg"
    screen = Screen(
        tmp_path / "tmux", f"exec bash -mc {shlex.quote(f'{ended}; echo exit $?; stty -a; exec cat')}"
    )
    try:
        screen.shows("2 of 2 sessions up")
        screen.press("C-z")
        os.kill(int((tmp_path / "pid").read_text()), ending)
        after = screen.shows(f"exit {128 + ending}")
        assert "sessions up" not in after
        assert " icanon" in screen.shows(" echo ") and "-icanon" not in str(screen)
    finally:
        screen.end()


def test_without_a_terminal_it_says_what_to_type() -> None:
    ran = bgpctl("top")
    assert ran.code == 2
    assert "top needs a terminal" in ran.err and "bgpctl peers status --watch" in ran.err

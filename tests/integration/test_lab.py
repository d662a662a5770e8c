"""`bgpctl lab`: it comes up, it can be used, and nothing of it stays, whichever way it ends."""

from __future__ import annotations

import contextlib
import queue
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpctl.lab.stacks import DEFAULT, STACKS
from tests.support.cli import Ran, bgpctl, clean_environment
from tests.support.require import require
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

READY_SECONDS = 40


class Up:
    """`bgpctl lab up` in a session and a temporary directory of its own."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.kubeconfig, self.tmp = directory / "kubeconfig", directory / "tmp"
        self.tmp.mkdir(exist_ok=True)
        self._lines: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            (
                *(sys.executable, "-m", "bgpctl", "lab", "up", "--nodes", "2"),
                "--kubeconfig",
                self.kubeconfig,
                *flags,
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(TMPDIR=str(self.tmp)),
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def ready(self) -> Up:
        """The first line of stdout, and it is alone there."""
        assert self._lines.get(timeout=READY_SECONDS) == "ready\n"
        return self

    @property
    def places(self) -> list[Path]:
        """The directories of labs."""
        return [place for root in self.tmp.glob("bgpctl-lab-*") for place in root.iterdir()]

    def processes(self) -> set[int]:
        """Everything that has this lab's directory on its command line: speakers, engines, the router."""
        return {pid for pid, line in _command_lines().items() if str(self.tmp) in line}

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)


def _command_lines() -> dict[int, str]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return found


@contextlib.contextmanager
def lab_up(directory: Path, *flags: str) -> Iterator[Up]:
    up = Up(directory, *flags)
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.process.kill()
            up.process.wait()


def test_it_can_be_used_from_outside_and_ends_without_a_trace(short: Path) -> None:
    with lab_up(short) as up:
        up.ready()
        assert stat.S_IMODE(up.kubeconfig.stat().st_mode) == 0o600
        assert bgpctl("peers", "status", kubeconfig=up.kubeconfig).code == 0
        assert len(up.processes()) >= 4, "speakers and engines: the check below would find them"
        assert up.end(signal.SIGINT) == 0
        assert up.processes() == set()
        assert not up.kubeconfig.exists()
        assert list(up.tmp.iterdir()) == []


def test_kubectl_takes_its_kubeconfig(short: Path) -> None:
    require("kubectl")
    with lab_up(short) as up:
        up.ready()
        flags = ("--kubeconfig", str(up.kubeconfig), "--cache-dir", str(short / "cache"))
        argv = ("kubectl", *flags, "get", "nodes", "-o", "name")
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
        assert ran.stdout.split() == ["node/worker-1", "node/worker-2"]


def test_the_hints_about_speakers_are_commands_that_work_in_the_lab(short: Path) -> None:
    """They are in no pods, and not where a machine's only speaker is."""
    with lab_up(short) as up:
        up.ready()
        for command, words in (
            (("logs",), "speaker.reconciled"),
            (("logs", "worker-2"), "speaker.reconciled"),
            (("speaker", "status"), "worker-1"),
        ):
            refused = bgpctl(*command, kubeconfig=up.kubeconfig, TMPDIR=str(up.tmp))
            assert refused.code == 1, refused
            said = re.search(r"hint: .*:\s+bgpctl (.*)$", refused.err.strip())
            assert said is not None, refused.err
            ran = bgpctl(*shlex.split(said[1]), kubeconfig=up.kubeconfig, TMPDIR=str(up.tmp))
            assert ran.code == 0 and words in ran.out, ran


def test_a_drain_outlives_its_output(short: Path) -> None:
    """`bgpctl node drain … | head -1`: the node is out of service all the same, and the exit code says so."""
    with lab_up(short) as up:
        up.ready()
        drain = subprocess.Popen(
            [sys.executable, "-m", "bgpctl", "node", "drain", "worker-1", "--settle", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(up.kubeconfig),
        )
        assert drain.stdout is not None
        assert drain.stdout.readline().startswith("drain worker-1")
        drain.stdout.close()
        _, said = drain.communicate(timeout=60)
        assert drain.returncode == 0, said
        assert "standard output was closed: the run goes on" in said
        assert "safe to power off" in said.splitlines()[-1]


def test_killed_it_leaves_no_process_and_the_next_one_cleans_up(short: Path) -> None:
    with lab_up(short) as first:
        first.ready()
        began, tree = time.monotonic(), first.processes()
        first.end(signal.SIGKILL)
        eventually(lambda: not first.processes(), deadline=3, why="every process of the lab ends")
        assert time.monotonic() - began <= 3
        left = first.places
        assert len(left) == 1, "kill -9 leaves the directory: the check below would see it"
        assert first.kubeconfig.exists()
        assert len(tree) >= 4
    with lab_up(short) as second:
        second.ready()
        assert len(second.places) == 1, "the first one's directory has gone"
        assert second.end(signal.SIGINT) == 0
        assert list(second.tmp.iterdir()) == []
        assert not second.kubeconfig.exists()


def test_two_labs_live_side_by_side(short: Path) -> None:
    with lab_up(short) as one, lab_up(short, "--kubeconfig", str(short / "other")) as two:
        two.kubeconfig = short / "other"
        for up in (one, two):
            up.ready()
        for up in (one, two):
            ran = bgpctl("node", "drain", "worker-1", "--settle", "0", kubeconfig=up.kubeconfig)
            assert ran.code == 0, ran.out + ran.err
            assert "confirmed" in ran.out
        assert one.end(signal.SIGTERM) == 0
        assert bgpctl("node", "restore", "worker-1", kubeconfig=two.kubeconfig).code == 0
        assert two.end(signal.SIGTERM) == 0
        assert list(one.tmp.iterdir()) == []


def test_a_kubeconfig_that_is_there_is_not_overwritten(short: Path) -> None:
    mine = short / "kubeconfig"
    mine.write_text("precious")
    with lab_up(short) as up:
        assert up.process.wait(READY_SECONDS) == 2
        assert up.process.stderr is not None
        assert f"{mine} exists already" in up.process.stderr.read()
    assert mine.read_text() == "precious"
    assert list(up.tmp.iterdir()) == []


def test_the_demonstration_needs_nothing_but_python(short: Path) -> None:
    """A PATH on which no router is: what pip brings is enough."""
    began = time.monotonic()
    ran = _demo("--router", "exabgp", PATH=str(short), TMPDIR=str(short))
    assert ran.code == 0, ran.out + ran.err
    assert time.monotonic() - began < 60
    assert "its last route gone on the router (confirmed by the drain)" in ran.out
    assert "worker-2 kept its routes throughout" in ran.out
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("stack", [name for name in STACKS if name != DEFAULT and STACKS[name].drains])
def test_the_demonstration_shows_another_stack_and_says_that_it_is_emulated(stack: str, short: Path) -> None:
    require("bird")
    require("gobgp")
    require("frr-pythontools")
    ran = _demo("--stack", stack, "--router", "bird", TMPDIR=str(short))
    assert ran.code == 0, ran.out + ran.err
    assert "emulated" in ran.out
    assert "its last route gone on the router (confirmed by the drain)" in ran.out
    assert "worker-2 kept its routes throughout" in ran.out
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("stack", [name for name, driver in STACKS.items() if not driver.drains])
def test_the_demonstration_of_one_that_cannot_be_drained_shows_that_the_refusal_is_right(
    stack: str, short: Path
) -> None:
    require("bird")
    require("gobgp")
    ran = _demo("--stack", stack, "--router", "bird", TMPDIR=str(short))
    assert ran.code == 0, ran.out + ran.err
    assert "emulated" in ran.out
    assert re.search(r"its last route gone on the router \(said before: \d+ s at most\)", ran.out)
    assert "worker-2 kept its routes throughout" in ran.out
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("stack", [name for name in STACKS if name != DEFAULT])
def test_a_lab_with_another_stack_ends_without_a_trace(stack: str, short: Path) -> None:
    require("bird")
    require("gobgp")
    require("frr-pythontools")
    with lab_up(short, "--stack", stack) as up:
        up.ready()
        ran = bgpctl("providers", kubeconfig=up.kubeconfig)
        assert ran.code == 0 and stack in ran.out
        assert len(up.processes()) >= 3, "router and engines: the check below would find them"
        assert up.end(signal.SIGINT) == 0
        assert up.processes() == set()
        assert list(up.tmp.iterdir()) == []


def _demo(*flags: str, **environment: str) -> Ran:
    argv = (sys.executable, "-m", "bgpctl", "lab", "demo", *flags)
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=120,
        env={**clean_environment(), **environment},
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "flags", [("--router", "cisco"), ("--nodes", "0"), ("--nodes", "51"), ("--nodes", "many")]
)
@pytest.mark.parametrize("command", ["up", "demo"])
def test_bad_flags_are_usage_errors(command: str, flags: tuple[str, ...]) -> None:
    ran = bgpctl("lab", command, *flags)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("error: ")


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short name: a socket's path may have 107 characters."""
    directory = Path(tempfile.mkdtemp(prefix="bgpctl-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)

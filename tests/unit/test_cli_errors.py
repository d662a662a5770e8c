"""Every failure ends with one message, a hint and its exit code; never with a traceback."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bgpctl.cli import errors
from bgpctl.errors import BgpctlError, Blocked, DeadlineExceeded, UsageError
from tests.support.cli import bgpctl, clean_environment
from tests.support.fake_api import FakeApi, fake_api
from tests.support.node_states import NODE_STATES, established


def ended(error: BaseException, output: str = "text", *, resumable: bool = False) -> int:
    with pytest.raises(SystemExit) as raised, errors.guard("node drain", output, resumable=resumable):
        raise error
    code = raised.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (BgpctlError("it broke", "mend it"), 1, "failed"),
        (UsageError("it broke", "mend it"), 2, "usage"),
        (Blocked("it broke", "mend it"), 3, "blocked"),
        (DeadlineExceeded("it broke", "mend it"), 4, "deadline"),
    ],
)
def test_each_kind_has_its_code(
    error: BgpctlError, code: int, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(error) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: it broke\nhint: mend it\n"

    assert ended(error, "json") == code
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "schema": "bgpctl/v1",
        "command": "node drain",
        "status": status,
        "message": "it broke",
        "hint": "mend it",
    }


@pytest.mark.parametrize(("closed", "err"), [(">&-", "error: "), ("2>&-", ""), ("<&-", "error: ")])
def test_a_stream_that_the_caller_closed_reads_and_writes_nothing(closed: str, err: str) -> None:
    """`node drain … 2>&- | head` ended a run in the middle: there was nowhere to say that its reader left."""
    argv = ["sh", "-c", f'"$0" -m bgpctl node status {closed}', sys.executable]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=clean_environment())
    assert (ran.returncode, ran.stdout, ran.stderr[:7]) == (2, "", err)


def test_text_from_outside_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    ended(BgpctlError("router said \x1b[2Jgone"))
    assert "\x1b" not in capsys.readouterr().err


def test_what_to_type_next_is_about_the_cluster_that_was_meant(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bgpctl", "--context", "lab", "node", "drain", "n1"])
    ended(Blocked("the journal is broken", "to read it: kubectl get node n1 -o yaml\nthen mend it"))
    assert capsys.readouterr().err.splitlines()[1:] == [
        "hint: to read it:",
        "        kubectl get node n1 -o yaml --context lab",
        "      then mend it",
    ]


def test_an_interrupted_drain_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/kubectl-bgp", "node", "drain", "w 1"])
    assert ended(KeyboardInterrupt(), resumable=True) == 130
    assert "hint: resume with:\n        kubectl bgp node drain 'w 1'\n" in capsys.readouterr().err


def test_a_bug_leaves_a_private_report_without_the_values_of_flags(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["bgpctl", "node", "drain", "--shutdown-command=ipmi -P hunter2", "w"])
    assert ended(RuntimeError("wires crossed\nsecond line"), "json") == 1
    shown = capsys.readouterr()
    found = re.search(r"bug: RuntimeError: wires crossed; a report was written to (\S+)", shown.err)
    assert found
    assert "Traceback" not in shown.err
    assert json.loads(shown.out)["status"] == "failed"
    report = Path(found[1])
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text()
    assert "RuntimeError: wires crossed" in text
    assert "--shutdown-command" in text
    assert "hunter2" not in text


def test_a_bug_is_told_even_where_no_report_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    assert ended(RuntimeError("wires crossed")) == 1
    assert "no report could be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("peers", "status", "-o", "xml"), "'xml' is not one of table, wide, json, yaml, name, "),
        (("node", "drain"), "no node is named"),
        (("node", "drian", "x"), "No such command 'drian'. Did you mean 'drain'?"),
        (("node", "drain", "x", "--timeout", "soon"), "'soon' is not a duration; write 30s, 10m, 1h"),
        (("node", "drain", "x", "--deselect-label", "y"), "write KEY=VALUE, or KEY- to remove it"),
        (("node", "drain", "x", "--frobnicate"), "No such option: --frobnicate"),
        (("lab", "up", "--nodes", "0"), "0 is not in the range"),
        (("speaker", "run"), "Missing option '--node-name'"),
        (("peers", "status", "--kubeconfig", "/nonexistent"), "kubeconfig /nonexistent does not exist"),
        (("node", "drain", "x", "--peer-profile", "1.2.3.4=q"), "no router profile is called 'q'"),
        (("node", "drain", "x", "--shutdown-command", ""), "--shutdown-command is empty"),
        (("speaker", "run", "--node-name", "x", "--in-cluster", "--file", "y"), "--file and --in-cluster"),
        (("speaker", "run", "--node-name", "x", "--file", "y", "--source-address", "z"), "'z' is not an IP"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_usage_errors(arguments: tuple[str, ...], message: str) -> None:
    ran = bgpctl(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert message in ran.err
    assert ran.err.startswith("error: ")
    assert "hint: " in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("drain n1 --settle 5", ["hint: did you mean:", "        bgpctl node drain n1 --settle 5"]),
        ("--context lab drain n1", ["hint: did you mean:", "        bgpctl --context lab node drain n1"]),
        ("estmate n1", ["hint: did you mean:", "        bgpctl node estimate n1"]),
        (
            "status",
            [
                *("hint: did you mean:", "        bgpctl peers status"),
                *("      or:", "        bgpctl node status"),
                *("      or:", "        bgpctl speaker status"),
            ],
        ),
        ("frobnicate n1", ["hint: see `bgpctl --help`"]),
        ("node check n1", ["hint: see `bgpctl node --help`"]),
    ],
)
def test_a_verb_without_its_noun_is_told_the_whole_command(words: str, hint: list[str]) -> None:
    assert bgpctl(*words.split()).err.splitlines()[1:] == hint


def test_a_usage_error_is_folded_on_a_terminal() -> None:
    """As hints are; in a pipe it is one line."""
    words = ("node", "drain", "x", "--deselect-label", "y")
    narrow = bgpctl(*words, COLUMNS="80").err.splitlines()
    assert len(narrow) > 2 and max(map(len, narrow)) <= 80
    assert narrow[1].startswith("       "), "under its first word"
    assert len(bgpctl(*words).err.splitlines()) == 2


@pytest.mark.parametrize("flag", [("-o", "json"), ("-ojson",), ("--output=json",), ("--output", "json")])
def test_usage_errors_as_json(flag: tuple[str, ...]) -> None:
    ran = bgpctl("node", "drain", *flag)
    assert ran.code == 2
    assert ran.document["status"] == "usage"
    assert ran.document["command"] == "node drain"
    assert "no node" in ran.document["message"]
    assert ran.document["hint"].endswith("see `bgpctl node drain --help`")


def test_no_cluster_is_said_in_words() -> None:
    ran = bgpctl("peers", "status", "-o", "json")
    assert ran.code == 2
    assert "no kubeconfig found" in ran.document["message"]
    assert "bgpctl lab up" in ran.document["hint"]


@pytest.mark.parametrize("code", [401, 403, 500])
def test_a_refusing_api_server(code: int, tmp_path: Path) -> None:
    with fake_api(tmp_path) as (api, kubeconfig):
        api.refuse = (code, "nodes is forbidden: not you")
        ran = bgpctl("peers", "status", "-o", "json", kubeconfig=kubeconfig)
    assert ran.code == 1
    assert ran.document["status"] == "failed"
    assert "not-a-real-token" not in ran.out + ran.err


@pytest.mark.parametrize(("down", "code"), [(False, 0), (True, 1)])
def test_the_reader_may_go_away(tmp_path: Path, down: bool, code: int) -> None:
    """`bgpctl peers status | head -1`: no complaint from the interpreter, and the exit code says of the
    sessions what it says without `head` (`set -o pipefail`)."""
    with fake_api(tmp_path) as (api, kubeconfig):
        api.collections[NODE_STATES] = [established(f"worker-{n}") for n in range(2000)]
        if down:
            api.collections[NODE_STATES][1999]["status"]["peers"] = []
        child = subprocess.Popen(
            [sys.executable, "-m", "bgpctl", "peers", "status"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment(kubeconfig),
        )
        assert child.stdout
        child.stdout.readline()
        child.stdout.close()
        _, err = child.communicate(timeout=30)
    assert err == b""
    assert child.returncode == code


def test_help_and_logs_end_with_their_reader(tmp_path: Path) -> None:
    log = tmp_path / "speaker.log"
    log.write_text(
        "time=2026-11-23T18:32:55Z level=info msg=started subsys=bgp-control-plane node=worker-1\n" * 20_000
    )
    for words in (("node", "drain", "--help"), ("logs", "--file", str(log))):
        read, write = os.pipe()
        os.close(read)
        command = [sys.executable, "-m", "bgpctl", *words]
        ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=clean_environment(None))
        os.close(write)
        assert (ran.returncode, ran.stderr) == (0, b""), words


def test_another_pipe_that_breaks_is_no_reader_that_left(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, errors.guard("peers status"):
        raise BrokenPipeError(32, "Broken pipe")
    assert caught.value.code == 1 and "bug: BrokenPipeError" in capsys.readouterr().err


def test_control_c_while_watching(tmp_path: Path) -> None:
    with fake_api(tmp_path) as (api, kubeconfig):
        api.collections[NODE_STATES] = [established("worker-1")]
        with watching(api, kubeconfig) as child:
            child.send_signal(signal.SIGINT)
            _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err == b""


@pytest.mark.parametrize("module", ["bgpctl.cli.errors", "typer", "bgpctl.cli.node"])
def test_control_c_before_there_is_a_command(module: str) -> None:
    """While modules are imported, which is the first half second."""
    script = f"""
import signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)

from bgpctl.cli.main import main
sys.meta_path.insert(0, Finder())
main(["node", "drain", "worker-1"])
"""
    argv = [sys.executable, "-c", script]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=clean_environment())
    assert (ran.returncode, ran.stdout) == (130, "")
    assert ran.stderr == "error: interrupted before anything was done\n"


@contextlib.contextmanager
def watching(api: FakeApi, kubeconfig: Path):  # type: ignore[no-untyped-def]
    child = subprocess.Popen(
        [sys.executable, "-m", "bgpctl", "peers", "status", "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(kubeconfig),
        start_new_session=True,
    )
    try:
        assert api.watching.wait(30)
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(30)


def test_an_ascii_terminal_gets_question_marks_not_a_traceback() -> None:
    ran = bgpctl("policy", "check", "ü—.yaml", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ran.code == 2
    assert "?-.yaml" in ran.out, "a dash is one of our signs, which have an ASCII"
    assert "Traceback" not in ran.err


def test_the_plugin_shows_its_own_name(tmp_path: Path) -> None:
    script = tmp_path / "kubectl-bgp"
    script.write_text(f"#!{sys.executable}\nfrom bgpctl.cli.main import main\nmain()\n")
    script.chmod(0o755)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script, *arguments], capture_output=True, text=True, timeout=30, env=clean_environment()
        )

    assert run("--version").stdout.startswith("kubectl bgp ")
    assert "Usage: kubectl bgp node drain" in run("node", "drain", "--help").stdout
    assert "see `kubectl bgp node drain --help`" in run("node", "drain").stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("--version",), ("--help",), ("peers", "status"), ("node", "status")])
def test_a_full_disk_is_no_bug(words: tuple[str, ...], unbuffered: str, tmp_path: Path) -> None:
    with fake_api(tmp_path) as (api, kubeconfig), open("/dev/full", "w") as full:
        api.collections[NODE_STATES] = [established("n1")]
        api.collections["/api/v1/nodes"] = [{"metadata": {"name": "n1"}}]
        done = subprocess.run(
            [sys.executable, "-m", "bgpctl", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            env=clean_environment(kubeconfig, PYTHONUNBUFFERED=unbuffered),
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write to standard output: No space left on device\nhint: ")
    assert len(done.stderr.splitlines()) == 2


def test_an_error_that_cannot_be_said_as_json_is_said_all_the_same(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "bgpctl", "peers", "status", "-o", "json"]
        env = clean_environment(tmp_path / "none")
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, env=env)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr

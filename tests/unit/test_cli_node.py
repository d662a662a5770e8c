"""`node …`: flags become options, results become exit codes."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Generator, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from bgpctl.cli.main import main
from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.kube import paths
from bgpctl.runbooks import drain as runbook
from bgpctl.runbooks import kept
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.journal import ANNOTATION, dump
from bgpctl.runbooks.model import Event, Result
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from tests.support.cli import bgpctl
from tests.support.fake_api import FakeApi, fake_api
from tests.support.node_states import NODE_STATES, established
from tests.support.snapshots import OTHER, journal

Cluster = tuple[FakeApi, Path]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with fake_api(tmp_path) as (api, kubeconfig):
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        api.collections[paths.NODES] = [{"metadata": {"name": "worker-1"}, "status": ready}]
        api.collections[NODE_STATES] = [established("worker-1")]
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "ssh").write_text("")
        (tmp_path / "bin" / "ssh").chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        monkeypatch.delenv("COLUMNS", raising=False)
        yield api, kubeconfig


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended, pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["bgpctl", *arguments])
        main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the runbooks were started with; each ends as `asked["status"]` says."""
    found: dict[str, Any] = {"status": "done", "nodes": []}

    def start(name: str) -> Any:
        def runbook_of(
            client: object, options: Any, *, server: bool = False
        ) -> Generator[Event, None, Result]:
            found["server"] = server
            found[name] = options
            found["nodes"].append(options.node)
            yield Event(1.0, "step", "Claimed", "own the node", "done", "run 1a2b3c4d")
            if found["status"] == "interrupt":
                raise KeyboardInterrupt
            return Result(name, options.node, found["status"], f"{options.node}: the end")

        return runbook_of

    for name in ("drain", "restore", "plan"):
        monkeypatch.setattr(runbook, name, start(name))
    return found


def test_every_flag_of_a_drain_arrives(cluster: Cluster, asked: dict[str, Any]) -> None:
    text = (
        "--order withdraw-first --timeout 1h30m --settle 500ms --deselect-label enable-bgp- "
        "--router-probe frr --router-probe bird=/run/b.ctl --peer-profile 192.0.2.1=stale:300 "
        "--no-ignore-daemonsets --force --delete-emptydir-data --grace-period 7 --disable-eviction "
        "--pod-selector app=web --skip-wait-for-delete-timeout 1m --allow-last-path --allow-address-gap "
        "--beside-another-stack "
        "--require-confirmed --assume-dead --max-unavailable 2 --take-over"
    )
    words = ("node", "drain", "worker-1", "--shutdown-command", "ssh {node} 'power off'", *text.split())
    assert run(*words) == 0
    options = asked["drain"]
    assert options.profiles["192.0.2.1"].stale_cap == 300
    assert options == DrainOptions(
        node="worker-1",
        order="withdraw-first",
        timeout=5400,
        settle=0.5,
        deselect_label="enable-bgp-",
        shutdown_command=("ssh", "{node}", "power off"),
        eviction=EvictionOptions(
            ignore_daemonsets=False,
            force=True,
            delete_emptydir_data=True,
            grace_period=7,
            disable_eviction=True,
            pod_selector="app=web",
            skip_wait_for_delete_timeout=60,
        ),
        probes=("frr", "bird=/run/b.ctl"),
        profiles=options.profiles,
        lifted=frozenset({"--allow-last-path", "--allow-address-gap", "--beside-another-stack"}),
        max_unavailable=2,
        require_confirmed=True,
        assume_dead=True,
        take_over=True,
        typed=CommandLine(("bgpctl", *words)),
        asked={
            "--order": ("withdraw-first",),
            "--timeout": ("5400",),
            "--settle": ("0.5",),
            "--deselect-label": ("enable-bgp-",),
            "--shutdown-command": ("…",),
            "--router-probe": ("frr", "bird=/run/b.ctl"),
            "--peer-profile": ("192.0.2.1=stale:300",),
            "--no-ignore-daemonsets": (),
            "--force": (),
            "--delete-emptydir-data": (),
            "--grace-period": ("7",),
            "--disable-eviction": (),
            "--pod-selector": ("app=web",),
            "--skip-wait-for-delete-timeout": ("60",),
            "--allow-last-path": (),
            "--allow-address-gap": (),
            "--beside-another-stack": (),
            "--require-confirmed": (),
            "--assume-dead": (),
            "--max-unavailable": ("2",),
        },
    )


def test_no_deadline_and_a_reason(cluster: Cluster, asked: dict[str, Any]) -> None:
    for command in ("drain", "restore"):
        assert run("node", command, "worker-1", "--timeout", "0", "--reason", " a new disk ") == 0
        assert asked[command].timeout == inf
        assert asked[command].asked == {"--timeout": ("0",), "--reason": ("a new disk",)}
        assert run("node", command, "worker-1", "--reason", "x" * 121) == 2
        assert run("node", command, "worker-1", "--reason", "") == 2


NOT_KEPT = {"--dry-run", "--take-over", "--output", "--context", "--kubeconfig", "--selector"}


@pytest.mark.parametrize("command", ["node drain", "node restore", "speaker restart"])
def test_every_flag_of_a_run_is_kept_but_those_of_one_command_line(command: str) -> None:
    from typer.main import get_command

    from bgpctl.cli.app import app

    found: Any = get_command(app)
    for word in command.split():
        found = found.commands[word]
    for parameter in found.params:
        for flag in (*parameter.opts[:1], *parameter.secondary_opts):
            if parameter.param_type_name == "option" and flag.startswith("--"):
                value = () if parameter.is_flag else ("7",)
                assert (flag in kept.keep({flag: value})) is (flag not in NOT_KEPT), flag


ASKED = "--order withdraw-first --require-confirmed --pod-selector app=web --settle 0.5"
DIALLED = "--router-probe bird=/run/b.ctl@192.0.2.1"
LIFTED = (
    "--shutdown-command 'ssh {node} sudo poweroff' --max-unavailable 2 --grace-period=-1 --allow-last-path"
)


def drained_before(cluster: Cluster, words: str, order: str = "withdraw-first") -> None:
    """Another machine's drain of worker-1, asked for with these flags."""
    options: dict[str, tuple[str, ...]] = {}
    rest = [part for word in shlex.split(words) for part in (word.split("=", 1) if "=-" in word else [word])]
    for word in rest:
        if word.startswith("--"):
            options[(flag := word)] = ()
        else:
            options[flag] = (*options[flag], word)
    theirs = journal(run="run-b", holder=OTHER, order=order, options=options)
    metadata = cluster[0].collections[paths.NODES][0]["metadata"]
    metadata["annotations"] = {ANNOTATION: dump(theirs)}


def test_a_run_that_goes_on_is_the_one_that_was_asked_for(cluster: Cluster, asked: dict[str, Any]) -> None:
    """The options that it does not say are inherited; what dials an address is not, but stands in the command
    that it tells to type next. What runs a program or lifts a guard does neither."""
    drained_before(cluster, f"{ASKED} {DIALLED} {LIFTED} --timeout 3")
    assert run("node", "drain", "worker-1", "--settle", "9s", "--dry-run") == 0
    options = asked["plan"]
    assert (options.order, options.require_confirmed, options.max_unavailable) == ("withdraw-first", True, 1)
    assert (options.settle, options.lifted) == (9.0, frozenset())
    assert (options.probes, options.shutdown_command, options.timeout) == ((), (), 600.0)
    assert set(options.asked) == {
        "--order",
        "--require-confirmed",
        "--pod-selector",
        "--settle",
    }
    assert str(options.typed).startswith("bgpctl node drain worker-1 --settle 9s --dry-run --")
    for word in f"{ASKED} {DIALLED}".replace("--settle 0.5 ", "").split(" --"):
        assert word in str(options.typed)
    for word in ("--max-unavailable", "--grace-period", "--allow", "poweroff"):
        assert word not in str(options.typed)
    assert "--timeout" not in str(options.typed), "each attempt has its own"


def test_a_budget_is_passed_only_by_who_says_so(cluster: Cluster, asked: dict[str, Any]) -> None:
    drained_before(cluster, "--disable-eviction --force", order="guide")
    assert run("node", "drain", "worker-1") == 0
    options = asked["drain"]
    assert (options.eviction.disable_eviction, options.eviction.force) == (False, False)
    assert dict(options.inherited) == {}
    assert str(options.typed) == "bgpctl node drain worker-1"
    assert run("node", "drain", "worker-1", "--force", "--disable-eviction") == 0
    options = asked["drain"]
    assert (options.eviction.disable_eviction, options.eviction.force) == (True, True)


def test_what_is_said_now_counts_more(cluster: Cluster, asked: dict[str, Any]) -> None:
    drained_before(cluster, "--require-confirmed --settle 7", order="guide")
    assert run("node", "drain", "worker-1", "--no-require-confirmed") == 0
    options = asked["drain"]
    assert (options.require_confirmed, options.settle) == (False, 7.0)
    assert dict(options.asked) == {"--settle": ("7",), "--no-require-confirmed": ()}


def test_a_journal_of_the_version_before_passes_its_order_on(cluster: Cluster, asked: dict[str, Any]) -> None:
    drained_before(cluster, "")
    assert run("node", "drain", "worker-1") == 0
    assert asked["drain"].order == "withdraw-first"


def test_options_that_this_version_does_not_take_are_refused_by_name(
    cluster: Cluster, asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    drained_before(cluster, "--pod-selector ===", order="guide")
    assert run("node", "drain", "worker-1") == 3
    told = capsys.readouterr().err
    assert "the options in the journal of node worker-1 cannot be used" in told
    assert "give these flags yourself: --pod-selector" in told
    assert run("node", "drain", "worker-1", "--pod-selector", "app=web") == 0


def test_the_flags_of_a_restart_are_kept(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    from bgpctl.runbooks import restart

    found: list[Any] = []

    def start(client: object, options: Any) -> Generator[Event, None, Result]:
        found.append(options)
        yield from ()
        return Result("speaker restart", "worker-1", "done", "the end")

    monkeypatch.setattr(restart, "restart", start)
    words = ("--restart-command", "ssh {node} sudo systemctl restart bgpctl-speaker", "--expect", "1m")
    assert run("speaker", "restart", "worker-1", *words) == 0
    assert dict(found[0].asked) == {"--restart-command": (words[1],), "--expect": ("60",)}


def test_a_value_that_was_not_kept_is_no_command(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("node", "drain", "worker-1", "--shutdown-command", "…") == 2
    assert "… stands for words that were not kept" in capsys.readouterr().err


def test_the_defaults_are_the_runbooks_own(cluster: Cluster, asked: dict[str, Any]) -> None:
    assert run("node", "drain", "worker-1") == 0
    assert asked["drain"] == DrainOptions(
        "worker-1", eviction=EvictionOptions(ignore_daemonsets=True), typed=typed("drain")
    )
    assert run("node", "restore", "worker-1") == 0
    assert asked["restore"] == RestoreOptions("worker-1", typed=typed("restore"))


def test_a_restore_takes_no_flag_that_decides_nothing(
    cluster: Cluster, asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """It waits for no router's timers: what product a peer is changes nothing."""
    assert run("node", "restore", "worker-1", "--peer-profile", "192.0.2.1=frr") == 2
    assert "restore" not in asked and "No such option" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("node", "drain", "worker-1", "--shutdown-command", "ipmitoool power off"),
        ("node", "drain", "worker-1", "--shutdown-command", "ipmitoool power off", "--dry-run"),
        ("speaker", "restart", "worker-1", "--restart-command", "ipmitoool power off"),
    ],
)
def test_a_program_that_is_not_there_is_found_out_before_anything_is_done(
    cluster: Cluster, asked: dict[str, Any], capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Not after the evictions, with the node out of service and nobody to switch it off."""
    assert run(*words) == 2
    assert "there is no program 'ipmitoool' on this machine" in capsys.readouterr().err
    assert set(asked) == {"status", "nodes"}, "no runbook was begun"


def test_a_program_that_is_named_after_the_node_is_not_looked_for(
    cluster: Cluster, asked: dict[str, Any]
) -> None:
    assert run("node", "drain", "worker-1", "--shutdown-command", "/opt/off/{node}") == 0


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("--ignore-daemonsets=false", "it is a switch: write --no-ignore-daemonsets"),
        ("--ignore-daemonsets=true", "it is a switch: write --ignore-daemonsets"),
        ("--disable-eviction=false", "it is a switch: it is off unless it is given"),
        ("--force=maybe", "--help`"),
    ],
)
def test_a_switch_as_kubectl_takes_it_is_told_how_to_be_typed(
    cluster: Cluster, asked: dict[str, Any], capsys: pytest.CaptureFixture[str], word: str, hint: str
) -> None:
    assert run("node", "drain", "worker-1", word) == 2
    assert capsys.readouterr().err.rstrip().endswith(hint)


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
@pytest.mark.parametrize("command", ["drain", "restore"])
def test_nothing_is_headed_for_a_node_that_does_not_exist(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], command: str, flags: tuple[str, ...]
) -> None:
    assert run("node", command, "worker-9", *flags) == 2
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()[0]) == ("", "error: node worker-9 does not exist")


def typed(command: str) -> CommandLine:
    return CommandLine(("bgpctl", "node", command, "worker-1"))


def test_a_dry_run_is_a_plan(cluster: Cluster, asked: dict[str, Any]) -> None:
    assert run("node", "drain", "worker-1", "--dry-run") == 0
    assert set(asked) == {"status", "nodes", "plan", "server"}
    assert asked["server"] is False
    assert run("node", "drain", "worker-1", "--dry-run=server") == 0
    assert asked["server"] is True


def test_the_contexts_probes_are_used(cluster: Cluster, asked: dict[str, Any]) -> None:
    assert run("node", "drain", "worker-1", "--context", "probed") == 0
    assert asked["drain"].probes == ("bird=/run/bird.ctl",)


@pytest.mark.parametrize("command", ["drain", "restore"])
@pytest.mark.parametrize(
    ("status", "code"),
    [("done", 0), ("planned", 0), ("failed", 1), ("blocked", 3), ("deadline", 4), ("interrupted", 130)],
)
def test_exit_codes(
    cluster: Cluster,
    asked: dict[str, Any],
    command: str,
    status: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked["status"] = status
    assert run("node", command, "worker-1", "-o", "json") == code
    event, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert event["type"] == "event"
    assert (last["command"], last["status"], last["node"]) == (f"node {command}", status, "worker-1")


def test_an_interrupt_tells_how_to_resume(
    cluster: Cluster,
    asked: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked["status"] = "interrupt"
    monkeypatch.setattr(sys, "argv", ["bgpctl", "node", "drain", "worker-1"])
    assert run("node", "drain", "worker-1") == 130
    assert capsys.readouterr().err == (
        "error: interrupted\n"
        "hint: resume with:\n"
        "        bgpctl node drain worker-1\n"
        "      to see what is true of the nodes now:\n"
        "        bgpctl node status\n"
    )


def test_status(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("node", "status", "worker-1", "-o", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["nodes"][0]["speaker"] == "1/1 established"
    assert document["nodes"][0]["inService"] is True
    assert run("node", "status", "worker-7") == 2
    assert "worker-7 does not exist" in capsys.readouterr().err


def test_estimate(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("node", "estimate", "worker-1", "-o", "json", "--peer-profile", "192.0.2.1=bird") == 0
    document = json.loads(capsys.readouterr().out)
    assert {one["event"] for one in document["estimates"]} >= {
        "deselect",
        "restart",
        "power-off",
        "link-down",
    }
    for one in document["estimates"]:
        assert one["bestSeconds"] <= one["worstSeconds"]
        assert "RFC" in one["why"]
    assert run("node", "estimate", "worker-1") == 0
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith("worker-1: when it leaves, its routes are gone within")
    )


@pytest.mark.parametrize(("mode", "told"), [("own", False), ("detached", True), ("external", True)])
def test_an_estimate_knows_of_an_engine_that_stays(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], mode: str, told: bool
) -> None:
    cluster[0].collections[NODE_STATES][0]["status"]["engineMode"] = mode
    assert run("node", "estimate", "worker-1", "-o", "json") == 0
    why = {one["event"]: one["why"] for one in json.loads(capsys.readouterr().out)["estimates"]}
    assert {event for event in why if "ExaBGP ends too" in why[event]} == (
        {"restart", "crash"} if told else set()
    )


# --- what is found before anything is asked or changed -----------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("node drain worker-1 --pod-selector a=b=c", "write app=web, 'tier in (a,b)' or !key"),
        ("speaker restart worker-1 --pod-selector a=b=c", '"a=b=c" is no requirement of a label selector'),
        ("logs --pod-selector ,", "is no requirement of a label selector"),
        ("node drain worker-1 --max-unavailable 0", "with 0 no node could be drained"),
        ("node drain worker-1 --max-unavailable=-2", "it counts the drained one; write 1 or more"),
        ("node drain worker-1 --max-unavailable half", "'half' is no number of nodes"),
        (
            "node estimate worker-1 --peer-profile 192.0.2.1=stale:x",
            "stale:300 = it keeps stale routes for 300",
        ),
    ],
)
def test_a_mistyped_flag_is_found_before_anything_is_asked(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    assert run(*words.split()) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert cluster[0].requests == []


@pytest.mark.parametrize(
    "words",
    ["node drain", "node drain --dry-run", "node restore", "node status", "node estimate", "routes",
     "speaker restart", "logs", "peers status", "forecast"],
)  # fmt: skip
def test_a_node_that_is_not_there_is_one_and_the_same_usage_error(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    cluster[0].collections |= {path: [] for path in (paths.SERVICES, paths.ENDPOINT_SLICES, paths.PODS)}
    assert run(*words.split(), "worker-7") == 2
    hint = "the nodes are: worker-1" if words == "forecast" else "see `kubectl get nodes`"  # it has read them
    assert capsys.readouterr().err == f"error: node worker-7 does not exist\nhint: {hint}\n"


def test_an_estimate_refuses_a_profile_for_nobody(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("node", "estimate", "worker-1", "--peer-profile", "192.0.2.77=frr") == 2
    ended = capsys.readouterr()
    assert ended.out == ""
    assert "--peer-profile 192.0.2.77: worker-1 has no such peer" in ended.err
    assert "its peers are 192.0.2.1" in ended.err


def test_help_shows_defaults_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("node", "drain", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "[default: 10m]" in told and "[default: 2s]" in told
    assert "[default: (" not in told
    assert "stale:300 = 300 seconds" in told


def test_the_words_of_the_table_are_explained() -> None:
    """In the help and in docs/drain.md: nobody guesses what `no-bgp` is."""
    page = (Path(__file__).parents[2] / "docs" / "drain.md").read_text()
    told = bgpctl("node", "status", "--help").out
    for word in ("degraded", "unknown", "no-bgp", "drain-stopped", "restore-stopped", "restart-stopped"):
        assert f"    {word}  " in told
        assert f"*{word}*" in page


# --- several nodes ------------------------------------------------------------------------------------------


def racked(cluster: Cluster) -> None:
    """Three nodes; two of them are in rack 7."""
    api, _ = cluster
    (first,) = api.collections[paths.NODES]
    names = {"worker-1": "7", "worker-2": "7", "worker-3": "8"}
    api.collections[paths.NODES] = [
        {**first, "metadata": {"name": name, "labels": {"rack": rack}}} for name, rack in names.items()
    ]


def test_nodes_go_one_after_the_other_and_hints_are_about_one(
    cluster: Cluster, asked: dict[str, Any]
) -> None:
    racked(cluster)
    words = ("node", "drain", "worker-3", "worker-1", "worker-3", "--settle", "1s", "--max-unavailable", "2")
    assert run(*words) == 0
    assert asked["nodes"] == ["worker-3", "worker-1"]
    assert str(asked["drain"].typed) == "bgpctl node drain worker-1 --settle 1s --max-unavailable 2"


def test_the_first_that_does_not_end_well_is_the_last(
    cluster: Cluster, asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    racked(cluster)
    asked["status"] = "blocked"
    assert run("node", "restore", "worker-1", "worker-2", "worker-3") == 3
    assert asked["nodes"] == ["worker-1"]
    assert capsys.readouterr().err == (
        "not begun: worker-2, worker-3\nto go on with all: bgpctl node restore worker-1 worker-2 worker-3\n"
    )


def test_what_goes_on_names_the_nodes_since_their_labels_may_be_others_now(
    cluster: Cluster, asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    racked(cluster)
    asked["status"] = "blocked"
    for words in (("-l", "rack"), ("-lrack",), ("--selector=rack",)):
        assert run("node", "drain", *words, "--max-unavailable", "3") == 3
        whole = "bgpctl node drain worker-1 worker-2 worker-3 --max-unavailable 3"
        assert capsys.readouterr().err == f"not begun: worker-2, worker-3\nto go on with all: {whole}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("worker-1 worker-2", "2 nodes would be out of service at once, and --max-unavailable is 1"),
        ("worker-1 -l rack=7", "nodes are named, and there is a --selector"),
        ("worker-1 nope neither --max-unavailable 3", "nodes nope, neither do not exist"),
        ("-l rack", "3 nodes would be out of service at once"),
    ],
)
def test_what_is_refused_before_the_first(
    cluster: Cluster, asked: dict[str, Any], capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    racked(cluster)
    assert run("node", "drain", *words.split()) == 2
    assert said in capsys.readouterr().err
    assert asked["nodes"] == []


def test_the_plan_of_a_node_begins_when_those_before_it_are_out(
    cluster: Cluster, asked: dict[str, Any]
) -> None:
    racked(cluster)
    words = ("node", "drain", "worker-3", "worker-1", "worker-2", "--max-unavailable", "3")
    assert run(*words, "--dry-run") == 0
    assert (asked["plan"].node, asked["plan"].after) == ("worker-2", ("worker-3", "worker-1"))
    assert run(*words) == 0
    assert asked["drain"].after == (), "a run sees for itself"


def of_several(cluster: Cluster, name: str, annotations: dict[str, str]) -> None:
    """One of them has these annotations."""
    racked(cluster)
    api, _ = cluster
    for node in api.collections[paths.NODES]:
        if node["metadata"]["name"] == name:
            node["metadata"]["annotations"] = {
                key.replace("_", "/"): text for key, text in annotations.items()
            }


def test_what_the_defaults_file_asks_for_holds_for_the_node_behind_one_that_goes_on(
    cluster: Cluster, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that goes on heeds its journal and not the file; the next node, which begins, was then drained
    without --require-confirmed too, and estimated."""
    monkeypatch.setenv("BGPCTL_REQUIRE_CONFIRMED", "true")
    of_several(cluster, "worker-1", {ANNOTATION: dump(journal(command="drain"))})
    required = []
    begun = runbook.drain
    monkeypatch.setattr(runbook, "drain", lambda c, o: (required.append(o.require_confirmed), begun(c, o))[1])
    assert run("node", "drain", "worker-1", "worker-2", "--max-unavailable", "2") == 0
    assert required == [False, True]
    assert asked["drain"].asked == {"--require-confirmed": (), "--max-unavailable": ("2",)}


def test_what_is_wrong_with_a_later_node_is_its_own_and_leaves_none_unsaid(
    cluster: Cluster, asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    of_several(cluster, "worker-2", {ANNOTATION: "{"})
    words = ("node", "drain", "worker-1", "worker-2", "worker-3", "--max-unavailable", "3")
    assert run(*words) == 3
    assert asked["nodes"] == ["worker-1"]
    text = " ".join(capsys.readouterr().err.split())
    assert "error: worker-2: the annotation bgpctl.io/run cannot be read" in text
    assert text.endswith(f"not begun: worker-3 to go on with all: bgpctl {' '.join(words)}")


@pytest.mark.parametrize(("more", "code"), [((), 3), (("--dry-run",), 2)], ids=["drain", "dry-run"])
def test_a_later_node_that_is_gone_is_no_usage_error(
    cluster: Cluster,
    asked: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    code: int,
) -> None:
    """Exit code 2 says that nothing was changed."""
    from bgpctl.cli import node as commands
    from bgpctl.runbooks.objects import no_such_node

    racked(cluster)
    drained = commands._drain

    def gone(client: Any, options: DrainOptions, *rest: Any, **how: Any) -> int:
        if options.node == "worker-2":
            raise no_such_node("worker-2")
        return drained(client, options, *rest, **how)

    monkeypatch.setattr(commands, "_drain", gone)
    assert run("node", "drain", "worker-1", "worker-2", "worker-3", "--max-unavailable", "3", *more) == code
    assert asked["nodes"] == ["worker-1"]
    text = capsys.readouterr().err
    assert "worker-2: node worker-2 does not exist" in text and "not begun: worker-3" in text


def test_who_interrupts_between_two_nodes_is_told_which_are_left(
    cluster: Cluster,
    asked: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from bgpctl.cli import node as commands

    racked(cluster)
    resumed = commands._resumed

    def interrupted(ctx: Any, client: Any, node: str) -> DrainOptions:
        if node == "worker-2":
            raise KeyboardInterrupt
        return resumed(ctx, client, node)

    monkeypatch.setattr(commands, "_resumed", interrupted)
    assert run("node", "drain", "worker-1", "worker-2", "worker-3", "--max-unavailable", "3") == 130
    assert "not begun: worker-3\n" in capsys.readouterr().err

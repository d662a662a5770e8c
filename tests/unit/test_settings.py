"""The defaults file: what it says, where it is wrong, and edits that leave the rest of it as it was."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.settings import SETTINGS, known, read, spoken
from bgpctl.documents.settings import edit, load, where
from bgpctl.errors import UsageError

WRITTEN = """\
# mine
defaults:
    # the routers
    router-probe:
    - frr      # one
    - bird
    # how
    order: guide   # as the guide says
contexts:
    prod:   # big
        timeout: 1h
"""


def saved(directory: Path, text: str) -> Path:
    path = directory / "config.yaml"
    path.write_text(text)
    return path


def test_a_context_goes_before_what_holds_everywhere(tmp_path: Path) -> None:
    found, faults = read(yaml.safe_load(WRITTEN))
    assert not faults
    assert {name: value.texts for name, value in found.of("prod").items()} == {
        "router-probe": ("frr", "bird"),
        "order": ("guide",),
        "timeout": ("1h",),
    }
    assert "timeout" not in found.of("dev")


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[]", "", "a mapping"),
        ("default: {}", "default", "there is no such key; use defaults or contexts"),
        ("defaults: 3", "defaults", "a mapping"),
        ("defaults: {router_probe: frr}", "defaults.router_probe", "did you mean router-probe?"),
        ("defaults: {force: true}", "defaults.force", "is no setting; use router-probe"),
        ("defaults: {order: [guide]}", "defaults.order", "a text or a number"),
        ("defaults: {timeout: true}", "defaults.timeout", "a text or a number"),
        ("defaults: {require-confirmed: 1}", "defaults.require-confirmed", "true or false"),
        ("contexts: {prod: {router-probe: [{}]}}", "contexts[prod].router-probe", "or a list of them"),
    ],
)
def test_every_fault_has_its_place(text: str, path: str, words: str) -> None:
    found, faults = read(yaml.safe_load(text))
    assert [spoken(one.path) for one in faults] == [path or "the file"]
    assert words in faults[0].message
    assert not found.of("prod")


def test_the_line_of_a_fault(tmp_path: Path) -> None:
    file = load(saved(tmp_path, WRITTEN.replace("timeout: 1h", "timeout: 1h\n        ordr: guide")))
    assert [file.place(fault.path) for fault in file.faults] == [f"{tmp_path}/config.yaml:12"]


@pytest.mark.parametrize("name", ["a]b", "a.b", "contexts[x].order", "\x1b[31m"])
def test_the_line_of_a_context_with_an_odd_name(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, WRITTEN)
    edit(path, name, SETTINGS["timeout"], ("1m",))
    file = load(path)
    found = file.place(file.settings.of(name)["timeout"].path)
    line = path.read_text().splitlines().index("      timeout: 1m") + 1
    assert found == f"{path}:{line}"


def test_two_edits_at_once_are_both_there(tmp_path: Path) -> None:
    path = saved(tmp_path, "")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: edit(path, f"c{n}", SETTINGS["timeout"], (f"{n + 1}m",)), range(16)))
    assert len(load(path).settings.contexts) == 16


def test_what_is_no_regular_file_is_neither_waited_for_nor_replaced(tmp_path: Path) -> None:
    """A pipe that nobody writes into; /dev/null, which root could replace; a directory."""
    pipe, directory = tmp_path / "pipe", tmp_path / "directory"
    os.mkfifo(pipe)
    directory.mkdir()
    with pytest.raises(UsageError, match="is a pipe"):
        load(pipe)
    assert not load(Path("/dev/null")).settings.everywhere
    for path in (pipe, directory):  # /dev/null is not tried: were it replaced, this machine would have none
        with pytest.raises(UsageError, match="is no regular file"):
            edit(path, None, SETTINGS["timeout"], ("1m",))
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["x" * 300, "loop", "file/x"])
def test_where_no_file_can_be_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        edit(tmp_path / name, None, SETTINGS["timeout"], ("1m",))


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BGPCTL_CONFIG", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    mine = "/home/me/.config"
    for home, expected in (("/etc/xdg", "/etc/xdg"), ("relative", mine), ("", mine)):
        monkeypatch.setenv("XDG_CONFIG_HOME", home)
        assert where() == Path(expected, "bgpctl", "config.yaml")
    monkeypatch.setenv("BGPCTL_CONFIG", "~nobody-of-that-name/x")
    with pytest.raises(UsageError, match="no such user"):
        where()


def test_a_section_without_settings_gets_its_first(tmp_path: Path) -> None:
    path = saved(tmp_path, "defaults:\ncontexts:\n")
    assert edit(path, None, SETTINGS["order"], ("guide",)) is None
    assert path.read_text() == "defaults:\n  order: guide\ncontexts:\n"
    assert edit(path, None, SETTINGS["order"], ("withdraw-first",)) == ("guide",)


@pytest.mark.parametrize("text", ["{", "a: 1\n---\nb: 2\n", "a: \x01", "x" * (1 << 21)])
def test_what_is_no_file_of_defaults(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"config\.yaml"):
        load(saved(tmp_path, text))


def test_edits_leave_comments_and_all_else(tmp_path: Path) -> None:
    path = saved(tmp_path, WRITTEN)
    for context, name, texts in (
        (None, "order", ("withdraw-first",)),
        (None, "router-probe", ("gobgp=127.0.0.1:50051@192.0.2.1",)),
        ("prod", "timeout", ("20m",)),
        ("dev", "max-unavailable", ("2",)),
    ):
        edit(path, context, SETTINGS[name], texts)
    assert path.read_text() == (
        "# mine\n"
        "defaults:\n"
        "    # the routers\n"
        '    router-probe: ["gobgp=127.0.0.1:50051@192.0.2.1"]\n'
        "    # how\n"
        "    order: withdraw-first   # as the guide says\n"
        "contexts:\n"
        "    dev:\n"
        "      max-unavailable: 2\n"
        "    prod:   # big\n"
        "        timeout: 20m\n"
    )


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("defaults: {order: guide}\n", None),
        ("{}\n", None),
        ("defaults: &x\n  order: guide\ncontexts: {a: *x}\n", "a"),
    ],
)
def test_what_only_a_person_can_edit_stays_as_it_was(tmp_path: Path, text: str, context: str | None) -> None:
    path = saved(tmp_path, text)
    with pytest.raises(UsageError, match="not written as bgpctl can edit"):
        edit(path, context, SETTINGS["timeout"], ("1m",))
    assert path.read_text() == text


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
EDITS = st.tuples(
    st.sampled_from([None, "prod", "arn:aws:eks:eu/x", "a.b"]),
    st.sampled_from(["order", "timeout", "router-probe", "provider"]),
    st.none() | st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
)


@given(
    edits=st.lists(EDITS, max_size=8),
    before=st.sampled_from(["", WRITTEN, "defaults:\ncontexts:\n", "# mine"]),
)
def test_an_edit_changes_one_value_whatever_it_is(
    tmp_path_factory: pytest.TempPathFactory,
    edits: list[tuple[str | None, str, tuple[str, ...] | None]],
    before: str,
) -> None:
    path = saved(tmp_path_factory.mktemp("edit"), before)
    for context, name, texts in edits:
        given = texts[:1] if texts and not SETTINGS[name].many else texts
        was = said(path)
        edit(path, context, SETTINGS[name], given)
        now = said(path)
        assert now.pop((context, name), None) == given
        was.pop((context, name), None)
        assert now == was


def said(path: Path) -> dict[tuple[str | None, str], tuple[str, ...]]:
    found = load(path)
    assert not found.faults
    sections = {None: found.settings.everywhere, **found.settings.contexts}
    return {
        (context, name): value.texts for context, values in sections.items() for name, value in values.items()
    }


@pytest.mark.parametrize(
    ("value", "texts", "fault"),
    [
        (True, ("true",), ""),
        (False, ("false",), ""),
        ("true", None, "it must be true or false"),
        (1, None, "it must be true or false"),
    ],
)
def test_a_switch_is_a_word_of_yamls_own(value: object, texts: tuple[str, ...] | None, fault: str) -> None:
    found, faults = read({"defaults": {"require-confirmed": value}})
    assert [one.message for one in faults] == ([fault] if fault else [])
    assert [one.texts for one in found.everywhere.values()] == ([texts] if texts else [])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("require_confirmed", "did you mean require-confirmed?"),
        ("require-confirme", "did you mean require-confirmed?"),
        ("nothing-like-it", f"use {', '.join(SETTINGS)}"),
        ("x" * 99, f"{'x' * 60!r} is no setting"),
    ],
)
def test_a_setting_that_is_none_names_the_nearest(name: str, words: str) -> None:
    with pytest.raises(ValueError, match="is no setting") as error:
        known(name)
    assert words in str(error.value)


def test_what_may_stand_in_a_file_of_defaults() -> None:
    """Names in files that people have: one that goes would be a fault in each of them."""
    names = [
        "provider",
        "peer-profile",
        "router-probe",
        "require-confirmed",
        "timeout",
        "settle",
        "soak",
        "deselect-label",
    ]
    assert set(names) <= set(SETTINGS)
    assert {"max-unavailable", "expect", "restart-takes"} <= set(SETTINGS)
    assert [name for name, one in SETTINGS.items() if one.name != name] == []
    assert [name for name, one in SETTINGS.items() if one.switch] == ["require-confirmed"]

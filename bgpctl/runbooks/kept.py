"""The options that a run's journal keeps, so that whoever goes on goes on with the run that was asked for.

By flag, each with its values ((): a flag that takes none). Node annotations are read by many and written by
some, so no value is kept that could hold a credential (UNSAID stands in its place), none is read that has not
its flag's shape, and what would lift a guard, lose data, dial an address or run a program is never taken
over: it has to be said again.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping

from bgpctl import providers
from bgpctl.core.drain.deselection import protected
from bgpctl.core.policy.annotations import LONGEST_REASON, valid_reason
from bgpctl.core.reading.durations import seconds
from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.reading.selectors import parse_selector
from bgpctl.core.timing.profiles import parse_peer_profile
from bgpctl.errors import UsageError
from bgpctl.witness.probe import parse_probe

Options = Mapping[str, tuple[str, ...]]

NO_PROBES = "none"
"""The value of --router-probe with which no router is asked, those of the kubeconfig neither."""
UNSAID = "…"
"""In place of a value that is not kept. No command line with it is accepted."""
MOST = 64  # values of one flag

_NUMBER, _TEXT = r"-?\d{1,9}(\.\d{1,6})?", r"[\w.:/=!,()\[\]\-]"
SHAPES = {
    "--order": "guide|withdraw-first",
    "--provider": "|".join(providers.TABLE),
    "--reason": rf".{{1,{LONGEST_REASON}}}",
    "--timeout": _NUMBER,
    "--settle": _NUMBER,
    "--soak": _NUMBER,
    "--expect": _NUMBER,
    "--grace-period": _NUMBER,
    "--skip-wait-for-delete-timeout": _NUMBER,
    "--max-unavailable": r"\d{1,9}",
    "--deselect-label": rf"{_TEXT}{{1,400}}",
    "--pod-selector": rf"({_TEXT}| ){{1,1000}}",
    "--namespace": r"[a-z0-9-]{1,63}",
    "--peer-profile": rf"({_TEXT}|[<>]){{1,200}}",
    "--router-probe": r"[a-z]{1,16}(=[\w.:/\[\]\-]{1,256})?(@[0-9A-Fa-f./:%\w\[\]-]{1,128})?",
    "--shutdown-command": "",
    "--restart-command": "",
}
SWITCHES = (
    "--require-confirmed",
    "--assume-dead",
    "--force",
    "--delete-emptydir-data",
    "--disable-eviction",
    "--ignore-daemonsets",
    "--allow-last-path",
    "--allow-address-gap",
    "--beside-another-stack",
    "--allow-route-loss",
)
REPEATABLE = ("--peer-profile", "--router-probe")
COMMANDS = ("--shutdown-command", "--restart-command")
OF_ATTEMPT = ("--timeout",)  # each attempt has its own
INHERITED = (
    # What makes a run narrower or slower, or says how it began. Whoever may annotate a Node (each kubelet may
    # its own) must not make the next run of an operator go past a guard, lose somebody's data, trust a router
    # or run a program: all else has to be said again. Without it, a run waits or is refused at most.
    "--order",
    "--provider",
    "--reason",
    "--settle",
    "--soak",
    "--expect",
    "--deselect-label",
    "--pod-selector",
    "--namespace",
    "--require-confirmed",
    "--no-ignore-daemonsets",
)
PRINTED = (*INHERITED, "--router-probe")
"""What a command to paste may have from a journal: what it dials is seen there, and is asked only."""
# The words of a command that are known to hold no secret; with any other word it is not kept.
_WORDS = re.compile(
    r"(/(usr/)?s?bin/)?(ssh|sudo|systemctl|poweroff|halt|shutdown|reboot|true|false)|restart|now|-h|-n|-f|-i"
    r"|--force|--no-wall|\+\d{1,4}|([a-z_][a-z0-9_-]{0,31}@)?\{node\}|bgpctl-speaker(\.service)?"
)


def keep(said: Options) -> Options:
    """What of the flags that were given may be written down; flags of no run are left out."""
    kept = {flag: said[flag] for flag in said if flag in SHAPES or _switch(flag)}
    return {
        flag: tuple(value if _shaped(flag, value) else UNSAID for value in _counting(flag, values))
        for flag, values in kept.items()
    }


def read(written: Foreign) -> Options:
    """The options of a journal, as `keep` left them. Raises Unreadable."""
    found = {flag: _counting(flag, lists.texts(flag, MOST, 1000)) for lists, flag in written.each("options")}
    for flag, values in found.items():
        if (not values) is not _switch(flag) or not all(v == UNSAID or _shaped(flag, v) for v in values):
            raise Unreadable(f"options: {flag[:40]!r} is no option of this version")
    return found


def _counting(flag: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """As a command line is read: of a flag that takes one value, the last."""
    return values if flag in REPEATABLE else values[-1:]


def merged(before: Options, said: Options) -> Options:
    """The options of a run that goes on: what is said now counts more than what was said before."""
    left = {f: v for f, v in before.items() if f not in said and _opposite(f) not in said}
    return {**left, **said}


def inherited(before: Options, said: Options) -> Options:
    """What a run that goes on takes over without being told."""
    more = merged(before, said).items()
    return {f: v for f, v in more if f not in said and _harmless_option(f, v) and UNSAID not in v}


def printed(options: Options, command: str) -> Options:
    """What of a journal's options may stand in a command to paste: what that command takes, and what does no
    harm as it stands. `command` as in the journal."""
    return {
        flag: values
        for flag, values in usable(options, command).items()
        if flag in PRINTED and (flag not in INHERITED or _harmless_option(flag, values))
    }


def unprinted(options: Options, command: str) -> tuple[str, ...]:
    """The flags that a command to paste has not, and without which a run is another one."""
    shown = printed(options, command)
    return tuple(
        flag
        for flag in usable(options, command)
        if flag not in shown and flag not in OF_ATTEMPT and not flag.startswith("--no-")
    )


def _harmless_option(flag: str, values: tuple[str, ...]) -> bool:
    """A label that others decide by is changed only by who names it now."""
    if flag == "--deselect-label":
        return not any(protected(value.partition("=")[0].removesuffix("-")) for value in values)
    return flag in INHERITED


def usable(options: Options, command: str) -> Options:
    """Without what no command line of this command takes: flags of another one, and values that have their
    flag's shape, and no meaning. `command` as in the journal."""
    only = _TAKES.get(command, _TAKES_DRAIN)
    taken = {flag: values for flag, values in options.items() if flag in only}
    return {flag: values for flag, values in taken.items() if all(_means(flag, v) for v in values)}


def words(options: Options) -> tuple[str, ...]:
    """As they are typed."""
    return tuple(_words(options))


def unsaid(options: Options) -> tuple[str, ...]:
    """The flags whose values were not kept."""
    return tuple(flag for flag, values in options.items() if UNSAID in values)


def _words(options: Options) -> Iterator[str]:
    for flag, values in options.items():
        if not values:
            yield flag
        for value in values:
            # A value that begins with a dash would be read as a flag.
            yield from (f"{flag}={value}",) if value.startswith("-") else (flag, value)


def _switch(flag: str) -> bool:
    return flag in SWITCHES or _opposite(flag) in SWITCHES


def _opposite(flag: str) -> str:
    return f"--{flag.removeprefix('--no-')}" if flag.startswith("--no-") else f"--no-{flag[2:]}"


def _shaped(flag: str, value: str) -> bool:
    if flag in COMMANDS:
        return _harmless(value)
    return flag in SHAPES and re.fullmatch(SHAPES[flag], value, re.ASCII) is not None


_OF_ALL = ("--timeout", "--router-probe")
_OF_RESTORE = (*_OF_ALL, "--provider", "--reason")
_OF_RESTART = ("--restart-command", "--pod-selector", "--namespace", "--expect", "--allow-route-loss")
_TAKES: Mapping[str, tuple[str, ...]] = {"restore": _OF_RESTORE, "restart": (*_OF_ALL, *_OF_RESTART)}
_ONE_WAY = ("--assume-dead", "--disable-eviction")  # they have no --no- form
_OF_OTHERS = ("--restart-command", "--namespace", "--expect", "--allow-route-loss")
_TAKES_DRAIN = (
    *(flag for flag in (*SHAPES, *SWITCHES) if flag not in _OF_OTHERS),
    *(f"--no-{flag[2:]}" for flag in SWITCHES if flag not in (*_OF_OTHERS, *_ONE_WAY)),
)


def _means(flag: str, value: str) -> bool:
    read = _READERS.get(flag)
    try:
        return value == UNSAID or read is None or bool(read(value))
    except (ValueError, UsageError):
        return False


def _some_time(text: str) -> bool:
    return seconds(text) > 0


_LABEL = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?(=[\w.-]{0,63}|-)", re.A)
# Whatever is read is fine where it stands in a list, also 0 and nothing.
_READERS: Mapping[str, Callable[[str], object]] = {
    "--timeout": lambda text: [seconds(text)],
    "--reason": valid_reason,
    "--expect": _some_time,
    "--settle": lambda text: [seconds(text)],
    "--soak": lambda text: [seconds(text)],
    "--skip-wait-for-delete-timeout": lambda text: [seconds(text)],
    "--grace-period": lambda text: re.fullmatch(r"-?\d+", text),
    "--max-unavailable": lambda text: int(text) > 0,
    "--deselect-label": _LABEL.fullmatch,
    "--pod-selector": lambda text: [parse_selector(text)],
    "--peer-profile": parse_peer_profile,
    "--router-probe": lambda text: text == NO_PROBES or parse_probe(text),
}


def _harmless(command: str) -> bool:
    try:
        parts = shlex.split(command)
    except ValueError:
        return False
    return len(command) <= 256 and bool(parts) and all(_WORDS.fullmatch(part) for part in parts)

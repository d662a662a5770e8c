"""The defaults file, pure: which settings there are, and what a file of them means for one context.

    defaults:                       # for every cluster
      router-probe: [frr]
    contexts:
      prod:                         # for this context of the kubeconfig; these win
        max-unavailable: 2

A setting is a flag's default and has its name and its syntax. Flags that lift a guard, lose data or run a
command are no settings: what they do must stand in the command that does it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECTIONS = ("defaults", "contexts")
Keys = tuple[str, ...]
"""The keys that lead to a place in the file: ("contexts", "prod", "order"). A context has any name, also one
with the characters that a path in one text would need for itself."""


def spoken(path: Keys) -> str:
    """A path for people: `contexts[prod].order`."""
    section, *rest = path or ("the file",)
    if section != "contexts" or not rest:
        return ".".join((section, *rest))
    return ".".join((f"contexts[{rest[0]}]", *rest[1:]))


@dataclass(frozen=True, slots=True)
class Setting:
    """A flag without its dashes. `many`: it is repeatable. `commands`: the only ones that take it from a file
    ("node drain"), () = all that have the flag. `switch`: it is true or false."""

    name: str
    what: str
    many: bool = False
    switch: bool = False
    commands: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """As it is typed."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it; of a repeatable one, words with blanks between."""
        return f"BGPCTL_{self.name.replace('-', '_').upper()}"


SETTINGS = {
    one.name: one
    for one in (
        Setting("router-probe", "the routers that can be asked", many=True),
        Setting("peer-profile", "what product a peer is", many=True),
        Setting("scheme", "how routers choose a next hop", many=True),
        Setting("provider", "who speaks BGP on the nodes"),
        Setting("order", "evict or withdraw first"),
        Setting("timeout", "when a run gives up"),
        Setting("settle", "how long packets on their way may take"),
        Setting("soak", "how long GRACEFUL_SHUTDOWN is announced", commands=("node drain",)),
        Setting("deselect-label", "the label change that takes a node out"),
        Setting("max-unavailable", "how many nodes may be out at once"),
        Setting("require-confirmed", "take only the routers' word", switch=True),
        Setting("expect", "how long a restart of a speaker may take"),
        Setting("restart-takes", "how long one takes, for a forecast"),
    )
}


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value as texts, as they would be typed; `path` is its place in the file."""

    texts: tuple[str, ...]
    path: Keys


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and at which path of the file."""

    path: Keys
    message: str


@dataclass(frozen=True, slots=True)
class Settings:
    """A file as it was read: what holds everywhere, and what for one context more."""

    everywhere: Mapping[str, Value]
    contexts: Mapping[str, Mapping[str, Value]]

    def of(self, context: str) -> Mapping[str, Value]:
        """What holds for this context, by the names of the settings."""
        return {**self.everywhere, **self.contexts.get(context, {})}


def read(document: Any) -> tuple[Settings, list[Fault]]:
    """The settings of a parsed file (None = an empty one), and all its faults. What is faulty is left out."""
    faults: list[Fault] = []
    root = _mapping(document, (), faults)
    faults += [
        Fault((key,), f"there is no such key; use {' or '.join(SECTIONS)}")
        for key in root
        if key not in SECTIONS
    ]
    everywhere = _values(root.get("defaults"), ("defaults",), faults)
    contexts = {
        name: _values(values, ("contexts", name), faults)
        for name, values in _mapping(root.get("contexts"), ("contexts",), faults).items()
    }
    return Settings(everywhere, contexts), faults


def _mapping(found: Any, path: Keys, faults: list[Fault]) -> Mapping[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        faults.append(Fault(path, "it must be a mapping of keys and values"))
        return {}
    return {str(key): value for key, value in found.items()}


def _values(found: Any, where: Keys, faults: list[Fault]) -> dict[str, Value]:
    values = {}
    for name, value in _mapping(found, where, faults).items():
        path = (*where, name)
        try:
            values[name] = Value(_texts(known(name), value), path)
        except ValueError as error:
            faults.append(Fault(path, str(error)))
    return values


def known(name: str) -> Setting:
    """The setting of that name. Raises ValueError, which says what there is."""
    if name in SETTINGS:
        return SETTINGS[name]
    near = difflib.get_close_matches(name.replace("_", "-"), SETTINGS, 1, 0.75)
    raise ValueError(
        f"{name[:60]!r} is no setting; "
        + (f"did you mean {near[0]}?" if near else f"use {', '.join(SETTINGS)}")
    )


def _texts(setting: Setting, value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and setting.many:
        return tuple(_text(setting, one) for one in value)
    return (_text(setting, value),)


def _text(setting: Setting, value: Any) -> str:
    """A scalar as it would be typed. Raises ValueError."""
    if setting.switch:
        if not isinstance(value, bool):
            raise ValueError("it must be true or false")
        return "true" if value else "false"
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"it must be a text or a number{', or a list of them' if setting.many else ''}")
    return str(value)

"""What `kubectl bgp …<TAB>` offers: kubectl runs `kubectl_complete-bgp` with the words of the line, and reads
one offer per row, then a directive of Cobra's (kubectl 1.26 and newer)."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from bgpctl.cli.completion.cluster import FLAGS, NAMES, SECONDS
from bgpctl.cli.completion.tree import Command, Option, tree

NO_FILES, FILES, DIRECTORIES = 4, 0, 16
Ask = Callable[[str, Sequence[str]], Sequence[str]]


def complete(words: Sequence[str]) -> str:
    """What is printed for a line without `kubectl bgp`; its last word is the one that is being typed."""
    found, directive = offers(tree(), words, ask)
    return "\n".join([*found, f":{directive}"])


def offers(root: Command, words: Sequence[str], ask: Ask) -> tuple[list[str], int]:
    """The words that may stand there, and what the shell may do besides."""
    *before, typed = words or [""]
    command, option, kube = root, None, list[str]()
    for word in before:
        if option is not None:
            kube += [option.flags[0], word] if option.flags[0] in FLAGS else []
            option = None
        elif word.startswith("-"):
            option = _valued(command, word)
        else:
            command = next((child for child in command.children if child.path[-1] == word), command)
    flag, equals, value = typed.partition("=")
    if option is None and equals and (option := _valued(command, flag)):
        found, directive = _values(option.kind, option.values or (), value, kube, ask)
        return [f"{flag}={one}" for one in found], directive
    if option is not None:
        return _values(option.kind, option.values or (), typed, kube, ask)
    if typed.startswith("-"):
        return [one for each in command.options for one in each.flags if one.startswith(typed)], NO_FILES
    if command.children:
        rows = [f"{c.path[-1]}\t{c.help}" for c in command.children if c.path[-1].startswith(typed)]
        return rows, NO_FILES
    return _values(command.kind, command.values, typed, kube, ask)


def _valued(command: Command, flag: str) -> Option | None:
    """The option of this flag, when it takes a value."""
    return next((one for one in command.options if flag in one.flags and one.values is not None), None)


def _values(
    kind: str, values: Sequence[str], typed: str, kube: Sequence[str], ask: Ask
) -> tuple[list[str], int]:
    if kind == "file":
        return [], FILES
    if kind == "dir":
        return [], DIRECTORIES
    known = ask(kind, kube) if kind else values
    return [one for one in known if one.startswith(typed)], NO_FILES


def ask(kind: str, kube: Sequence[str]) -> list[str]:
    """The names of this kind, by kubectl's word; none where it does not answer."""
    found = list[str]()
    for question in NAMES[kind].asked:
        try:
            done = subprocess.run(
                ("kubectl", *question, *kube),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        found += [row.removeprefix(NAMES[kind].prefix) for row in done.stdout.splitlines() if row]
    return found

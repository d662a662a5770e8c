"""Manual pages, from the same source as `--help`: man(7), one page per command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bgpctl import __version__
from bgpctl.cli.examples import EXAMPLES, folded

SECTION = "1"
EXIT = (
    ("0", "done"),
    ("1", "failed; the message says why, the hint what is safe"),
    ("2", "usage or configuration; nothing was changed"),
    ("3", "blocked; the same command goes on when the reason has gone"),
    ("4", "deadline; the same command goes on"),
    ("130", "interrupted; the same command goes on"),
)


def pages(root: Any) -> dict[str, str]:
    """File name -> page, of the program and of every command and group."""
    return {f"{'-'.join(path)}.{SECTION}": page(command, path) for path, command in _walk(root, ("bgpctl",))}


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, (*path, name))


def page(command: Any, path: tuple[str, ...]) -> str:
    """One page, as groff reads it."""
    name = "-".join(path)
    rows = [
        f'.TH {name.upper()} {SECTION} "" "bgpctl {__version__}" "bgpctl"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(_first(command.help))}",
        ".SH SYNOPSIS",
        *_synopsis(command, path),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
    ]
    children = getattr(command, "commands", {})
    if children:
        rows += [".SH COMMANDS"]
        rows += [
            row for word, child in children.items() for row in _item(f"\\fB{_text(word)}\\fR", child.help)
        ]
    rows += [".SH OPTIONS", *_options(command)]
    rows += [".SH EXIT STATUS", *(row for code, why in EXIT for row in _item(code, why))]
    if examples := EXAMPLES.get(" ".join(path[1:]), ()):
        rows += [".SH EXAMPLES"]
        for one in examples:
            rows += [".PP", f"{_text(one.why)}:", ".PP", ".RS 4", ".nf"]
            rows += [*map(_line, folded(f"bgpctl {one.words}").splitlines()), ".fi", ".RE"]
    rows += [".SH SEE ALSO", ", ".join(_also(path, children))]
    return "\n".join(rows) + "\n"


def _synopsis(command: Any, path: tuple[str, ...]) -> list[str]:
    arguments = [
        one.metavar or one.name.upper() for one in command.params if one.param_type_name == "argument"
    ]
    rest = ["COMMAND"] if getattr(command, "commands", {}) else arguments
    return [f"\\fB{_text(' '.join(path))}\\fR [\\fIOPTIONS\\fR] {_text(' '.join(rest))}".rstrip()]


def _options(command: Any) -> Iterator[str]:
    for one in command.params:
        if one.param_type_name == "option" and not getattr(one, "hidden", False):
            yield from _item(_flags(one), one.help)
    yield from _item("\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "Show this text and exit.")


def _flags(option: Any) -> str:
    flags = ", ".join(f"\\fB{_text(flag)}\\fR" for flag in (*option.opts, *option.secondary_opts))
    choices = "|".join(getattr(option.type, "choices", ()))
    value = "" if option.is_flag else f" \\fI{_text(choices or option.metavar or 'TEXT')}\\fR"
    return flags + value


def _item(term: str, text: str | None) -> list[str]:
    return [".TP", term, *(_line(" ".join(part.split())) for part in _parts(text or ""))]


def _paragraphs(text: str) -> Iterator[str]:
    for part in _parts(text):
        yield ".PP"
        if part.startswith("\b"):
            yield from (".nf", *map(_line, part.strip("\b\n").splitlines()), ".fi")
        else:
            yield _line(" ".join(part.split()))


def _parts(text: str) -> list[str]:
    return re.split(r"\n\s*\n", text.strip())


def _first(text: str | None) -> str:
    return " ".join(_parts(text or "")[0].split()).partition(". ")[0].rstrip(".")


def _also(path: tuple[str, ...], children: Any) -> Iterator[str]:
    up = [path[:-1]] if len(path) > 1 else []
    for one in (*up, *((*path, child) for child in children)):
        yield f"\\fB{_text('-'.join(one))}\\fR({SECTION})"


def _text(text: str) -> str:
    """A text that groff prints as it is."""
    return text.replace("\\", "\\e").replace("-", "\\-").replace("…", "\\&...")


def _line(text: str) -> str:
    """One that begins with no request."""
    shown = _text(text)
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown

"""The defaults file as it lies on the disk: found, read with the line of every fault, and edited in place."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bgpctl.core import settings
from bgpctl.core.settings import Fault, Keys, Setting, Settings
from bgpctl.errors import UsageError

VARIABLE = "BGPCTL_CONFIG"
MOST_OCTETS = 1 << 20
# What needs no quotes, on one line or in a list; and what would, being no text to YAML.
_PLAIN = re.compile(r"[1-9][0-9]*[a-z]?|[A-Za-z][A-Za-z0-9/.=@_-]+")
_WORDS = frozenset(("true", "True", "TRUE", "false", "False", "FALSE", "null", "Null", "NULL")) | frozenset(
    ("yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF")
)


@dataclass(slots=True)
class File:
    """What a defaults file says. One that is not there says nothing."""

    path: Path
    settings: Settings
    faults: list[Fault] = field(default_factory=list)
    data: bytes = b""
    there: bool = True

    def line(self, path: Keys) -> int | None:
        """The line of a path of the file."""
        from bgpctl.documents.stream import Lines

        return Lines(self.data).at(1, path) if path else None

    def place(self, path: Keys) -> str:
        """`FILE:LINE`, of a path of the file."""
        line = self.line(path)
        return f"{self.path}:{line}" if line else str(self.path)


def where() -> Path:
    """$BGPCTL_CONFIG, or bgpctl/config.yaml in $XDG_CONFIG_HOME (~/.config), there or not. One that is no
    absolute path does not count (XDG Base Directory Specification). Raises UsageError for ~NOBODY."""
    if named := os.environ.get(VARIABLE):
        try:
            return Path(named).expanduser()
        except RuntimeError:
            raise UsageError(f"{VARIABLE}: {named}: there is no such user", "write the whole path") from None
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(home if home.startswith("/") else os.path.expanduser("~/.config"), "bgpctl", "config.yaml")


def load(path: Path | None = None) -> File:
    """The file, with every fault of it. Raises UsageError when it cannot be read, is no YAML, or is named by
    $BGPCTL_CONFIG and not there."""
    named = path is None and os.environ.get(VARIABLE)
    path = path or where()
    try:
        if stat.S_ISFIFO(path.stat().st_mode):  # nobody may ever write into it
            raise UsageError(f"{path} is a pipe", "it must be a readable file of YAML")
        with path.open("rb") as stream:
            data = stream.read(MOST_OCTETS + 1)
    except FileNotFoundError:
        if named:
            raise UsageError(
                f"{VARIABLE}: {path} does not exist", f"create it, or unset {VARIABLE}"
            ) from None
        return File(path, Settings({}, {}), there=False)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "it must be a readable file of YAML") from None
    return _read(path, data)


def _read(path: Path, data: bytes) -> File:
    if not data.strip():
        return File(path, Settings({}, {}), data=data)
    from bgpctl.documents.stream import read_stream

    if len(data) > MOST_OCTETS:
        raise UsageError(f"{path} is larger than {MOST_OCTETS >> 20} MiB", "it is no file of defaults")
    documents = list(read_stream(data))
    for document in documents:
        for fault in document.faults:
            raise UsageError(f"{path}: {fault}", "correct it; `bgpctl config check` reads it again")
    if len(documents) > 1:
        raise UsageError(f"{path}:{documents[1].line}: there is a second document", "write one only")
    found, faults = settings.read(documents[0].value if documents else None)
    return File(path, found, faults, data)


# --- editing: the rest of the file stays as it is, comments and all -----------------------------------------


def edit(
    path: Path, context: str | None, setting: Setting, texts: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Write one setting (None: take it out) for one context, or for all; what it was before, None = not set.
    Raises UsageError where the file is no regular one, or written in a way that only a person can edit."""
    with _refused(path):
        path = Path(os.path.realpath(path))  # a link stays one
        if not stat.S_ISREG(_mode(path)):
            raise UsageError(f"{path} is no regular file", "nothing was changed")
    with _alone(path):
        file = load(path)
        _edit(file, context, setting, texts)
    section = file.settings.contexts.get(context, {}) if context else file.settings.everywhere
    before = section.get(setting.name)
    return before.texts if before else None


def _mode(path: Path) -> int:
    """Of what is there; of nothing, that of the file that it will be."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return stat.S_IFREG


def _edit(file: File, context: str | None, setting: Setting, texts: tuple[str, ...] | None) -> None:
    text = file.data.decode("utf-8", "replace")
    keys = ("contexts", context, setting.name) if context else ("defaults", setting.name)
    changed = _without(text, keys) if texts is None else _with(text, keys, _written(setting, texts))
    try:
        after = _values(changed.encode(), file.path, context).get(setting.name)
    except UsageError:
        after = ()
    if after != texts:
        raise UsageError(f"{file.path} is not written as bgpctl can edit it", "edit it by hand")
    _replace(file.path, changed)


def _values(data: bytes, path: Path, context: str | None) -> dict[str, tuple[str, ...]]:
    """What one section says, of a file that was edited."""
    found = _read(path, data).settings
    section = found.contexts.get(context, {}) if context else found.everywhere
    return {name: value.texts for name, value in section.items()}


def _written(setting: Setting, texts: tuple[str, ...]) -> str:
    """The value as YAML on one line."""
    quoted = [text if setting.switch else _quoted(text) for text in texts]
    return f"[{', '.join(quoted)}]" if setting.many else quoted[0]


def _quoted(text: str) -> str:
    """A text as YAML has it anywhere."""
    import yaml

    if _PLAIN.fullmatch(text) and text not in _WORDS:
        return text
    written = yaml.safe_dump(text, default_style='"', width=1 << 20, allow_unicode=True)
    return str(written).strip()


def _with(text: str, keys: tuple[str, ...], value: str) -> str:
    """The text with the value at these keys: in its place, or as the first of its section."""
    import yaml

    node: Any = yaml.compose(text, yaml.SafeLoader)
    at, inside = len(text), 0
    for depth, key in enumerate(keys):
        if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
            added = _below(text[:at], _lines(keys[depth:], value, inside))
            return text[:at] + (added.rstrip("\n") if text[at : at + 1] == "\n" else added) + text[at:]
        found = next((pair for pair in node.value if pair[0].value == key), None)
        if found is None:
            at, column = node.start_mark.index, node.start_mark.column
            return text[:at] + _lines(keys[depth:], value, column).lstrip() + " " * column + text[at:]
        name, node = found
        at = node.end_mark.index if _is_null(node) else node.start_mark.index
        inside = name.start_mark.column + 2
    same_line = name.end_mark.line == node.start_mark.line
    head = text[: node.start_mark.index] if same_line else f"{text[: name.end_mark.index]}: "
    return head + value + text[_end(text, node) :]


def _below(before: str, lines: str) -> str:
    return lines if not before or before.endswith("\n") else f"\n{lines}"


def _lines(keys: tuple[str, ...], value: str, column: int) -> str:
    *sections, name = keys
    rows = [f"{' ' * (column + 2 * n)}{_quoted(key)}:\n" for n, key in enumerate(sections)]
    return "".join(rows) + f"{' ' * (column + 2 * len(sections))}{name}: {value}\n"


def _is_null(node: Any) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _end(text: str, node: Any) -> int:
    """Where the value ends: a block's own mark is at the next thing, behind blank lines and comments."""
    end: int = node.end_mark.index
    rows = text[node.start_mark.index : end].splitlines(keepends=True)
    while rows and re.fullmatch(r"\s*(#.*)?\s*", rows[-1]):
        end -= len(rows.pop())
    return end - 1 if rows and rows[-1].endswith("\n") else end


def _without(text: str, keys: tuple[str, ...]) -> str:
    """The text without the lines of these keys; as it was, where they are not there."""
    import yaml

    node: Any = yaml.compose(text, yaml.SafeLoader)
    pair: Any = None
    for key in keys:
        pairs = node.value if isinstance(node, yaml.MappingNode) and not node.flow_style else ()
        pair = next((pair for pair in pairs if pair[0].value == key), None)
        if pair is None:
            return text
        node = pair[1]
    begin = text.rfind("\n", 0, pair[0].start_mark.index) + 1
    end = text.find("\n", max(_end(text, node) - 1, begin))
    return text[:begin] + ("" if end < 0 else text[end + 1 :])


@contextmanager
def _writing(path: Path) -> Iterator[Any]:
    with _refused(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                yield stream
            if path.exists():
                shutil.copymode(path, name)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "nothing was changed") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else edits it meanwhile: of two at once, the second reads what the first wrote. The lock is on
    its directory, since the file is replaced."""
    with _refused(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with _refused(path):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, text: str) -> None:
    with _writing(path) as stream:
        stream.write(text)

"""`config view` and `config check`: the settings that hold, with where each comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bgpctl.core.settings import SETTINGS, Setting, Settings
from bgpctl.render.columns import table
from bgpctl.render.envelope import Document, envelope
from bgpctl.render.formats import renderers
from bgpctl.render.text import Line, prose
from bgpctl.render.units import count


class Chosen(Protocol):
    """A setting with its value as typed words, and who says so."""

    @property
    def setting(self) -> Setting: ...
    @property
    def texts(self) -> tuple[str, ...]: ...
    @property
    def origin(self) -> str: ...


def text(found: Sequence[Chosen], context: str, file: str, width: int | None = None) -> list[Line]:
    """A row per setting that is set, and below it what else could be."""
    rows = [[one.setting.name, " ".join(one.texts), one.origin] for one in found]
    lines = table(("SETTING", "VALUE", "FROM"), rows, (), width) if rows else []
    unset = [name for name in SETTINGS if name not in {one.setting.name for one in found}]
    whose = f"for context {context}" if context else "for no context"
    said = f"{count(len(found), 'setting')} {whose}; the file is {file}"
    return [*lines, *prose(f"not set: {', '.join(unset)}", width, "dim"), *prose(said, width, "bold")]


def document(found: Sequence[Chosen], context: str, file: str) -> Document:
    """The same for programs."""
    settings = [{"name": one.setting.name, "values": list(one.texts), "from": one.origin} for one in found]
    return envelope("config view", "done", context=context or None, file=file, settings=settings)


def checked_text(file: str, settings: Settings, there: bool, width: int | None = None) -> list[Line]:
    """One sentence."""
    if not there:
        return prose(f"{file} does not exist: every flag has its own default", width)
    contexts = count(len(settings.contexts), "context")
    everywhere = count(len(settings.everywhere), "setting")
    return prose(f"{file}: {everywhere} for every cluster, and those of {contexts}: valid", width)


def checked_document(file: str, settings: Settings, there: bool) -> Document:
    """The same for programs."""
    return envelope(
        "config check",
        "done",
        file=file,
        exists=there,
        settings=len(settings.everywhere),
        contexts=sorted(settings.contexts),
    )


RENDERERS = renderers(lambda page, found, context, file: text(found, context, file, page.width), document)
CHECKED = renderers(
    lambda page, file, settings, there: checked_text(file, settings, there, page.width), checked_document
)

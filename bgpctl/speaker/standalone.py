"""`bgpctl speaker engine`: the BGP engine without a speaker, run in the foreground or ended."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from bgpctl.errors import BgpctlError
from bgpctl.exabgp import control
from bgpctl.speaker import places

STOP_REASON = "engine is stopped (bgpctl)"
LEAVE_REASON = "node leaves service (bgpctl)"


def run_engine(given: Path | None, node: str) -> NoReturn:
    """Become the engine. It announces nothing until a speaker adopts it. Raises BgpctlError."""
    directory = places.directory(given, node) / places.ENGINE
    try:
        control.run_foreground(directory)
    except OSError as error:
        hint = "it must be a directory that we may make private"
        raise BgpctlError(f"the BGP engine cannot use {directory}: {error}", hint) from error


def stop_engine(given: Path | None, node: str, *, leave: bool) -> str:
    """End the engine that no speaker manages. Returns what happened, in words. Makes nothing. Raises
    BgpctlError."""
    if not (missing := places.where(given, node)).exists():
        return f"no BGP engine runs in {missing}: there is no such directory"
    directory = places.directory(given, node) / places.ENGINE
    ended = control.end(directory, leave=leave, reason=LEAVE_REASON if leave else STOP_REASON)
    control.clean(directory)
    if not ended:
        return f"no BGP engine runs in {directory}"
    how = "every route was withdrawn first" if leave else "as for a restart, so routers may keep its routes"
    return f"the BGP engine in {directory} has ended: {how}"

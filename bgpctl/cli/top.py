"""`bgpctl top`: the fleet on a terminal, live."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from bgpctl.cli import errors
from bgpctl.cli.flags import Context, Kubeconfig, Provider, given
from bgpctl.cli.program import typed
from bgpctl.errors import BgpctlError, UsageError

if TYPE_CHECKING:
    from rich.live import Live

    from bgpctl.render.top import Seen

LOOK_EVERY = 2.0  # seconds
SHARE = 4  # a look that takes long is made after so many times its own duration
DRAW_EVERY = 0.5
STALE_AFTER = 15.0


def top(
    ctx: typer.Context,
    provider: Provider = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Watch the fleet: each node's service, sessions, routes and run; what needs somebody comes first.

    Needs a terminal. It looks every two seconds, less often where that takes long, and changes nothing.

    \b
    Keys:
      up, down (k, j), page-up, page-down, home, end   select a node
      enter      what node status and peers status say of it; esc goes back
      /          show only what contains the words that follow; esc clears them
      p          show only what needs somebody
      q, ^C      quit
    """
    with errors.guard("top"):
        from bgpctl.cli import wire
        from bgpctl.queries.nodes import node_reports
        from bgpctl.render.terminal import interactive
        from bgpctl.render.top import Seen

        _need_terminal(interactive())
        client = wire.client(given(ctx, context, kubeconfig))
        whose = wire.provider(client, provider)

        def look() -> Seen:
            return Seen(node_reports(client, (), typed(), whose), client.present())

        _show(Eye(look))


def _need_terminal(interactive: bool) -> None:
    if not (interactive and sys.stdin.isatty()):
        raise UsageError(
            "top needs a terminal that it can redraw",
            f"for a pipe or a script: {typed().other('peers', 'status')} --watch\n"
            f"or: {typed().other('node', 'status')} -o json",
        )


class Eye:
    """Looks again and again in a thread of its own: a slow API server must not slow the keys down."""

    def __init__(self, look: Callable[[], Seen]) -> None:
        self._look, self._ended = look, threading.Event()
        self._looked_at = time.monotonic()
        self._seen: Seen | None = None
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="look", daemon=True)

    def start(self) -> Eye:
        """The first look must succeed: what is wrong from the start is an error. Raises BgpctlError."""
        self._seen = self._look()
        self._looked_at = time.monotonic()
        self._thread.start()
        return self

    def stop(self) -> None:
        """No further look; one that is being made ends by itself."""
        self._ended.set()

    @property
    def seen(self) -> Seen:
        """The last look, by the time of now."""
        from dataclasses import replace

        from bgpctl.render import units

        assert self._seen is not None, "it was started"
        age = time.monotonic() - self._looked_at
        late = f"the last look was {units.age(age)} ago" if age > STALE_AFTER else ""
        return replace(self._seen, at=self._seen.at + age, problem=self._problem or late)

    def _run(self) -> None:
        wait = LOOK_EVERY
        while not self._ended.wait(wait):
            began = time.monotonic()
            try:
                self._seen = self._look()
                self._looked_at, self._problem = time.monotonic(), ""
            except BgpctlError as error:
                self._problem = error.message
            except Exception as error:  # a dead eye would show the past for ever, as if it were now
                self._problem = (
                    f"bug: {type(error).__name__}: {error}; {typed().other('node', 'status')} tells more"
                )
            wait = max(LOOK_EVERY, SHARE * (time.monotonic() - began))


def _show(eye: Eye) -> None:
    from rich.live import Live

    from bgpctl.cli.keys import keys
    from bgpctl.render.terminal import console

    eye.start()
    _end_in_order()
    try:
        with keys() as pressed, Live(console=console(), screen=True, auto_refresh=False) as live:
            _loop(eye, pressed.read, live)
    finally:
        eye.stop()


def _end_in_order() -> None:
    """The screen before comes back, whatever ends us: a default action of the kernel's would leave ours, and
    no cursor."""
    for ending in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):  # the last is ^\ on the keyboard
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a shell's prompt on our screen helps nobody


def _loop(eye: Eye, read: Callable[[float], str], live: Live) -> None:
    from rich.text import Text

    from bgpctl.render.terminal import rich_text
    from bgpctl.render.top import View, frame, pressed

    view = View()
    while True:
        seen, (columns, rows) = eye.seen, os.get_terminal_size(sys.stdout.fileno())
        live.console.size = (columns, rows)  # rich would believe LINES first
        live.update(Text("\n").join(rich_text(row) for row in frame(seen, view, columns, rows)), refresh=True)
        try:
            key = read(DRAW_EVERY)
        except EOFError:
            return
        if not key:
            continue
        after = pressed(key, seen, view, rows - 3)
        if after is None:
            return
        view = after

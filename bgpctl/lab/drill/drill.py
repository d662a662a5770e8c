"""The command: what it needs, one drill after the other, and the result."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from bgpctl.core.timing import drills
from bgpctl.core.timing.failures import Scenario
from bgpctl.errors import BgpctlError, Exit, UsageError
from bgpctl.lab import stacks
from bgpctl.lab.routers import DRIVERS
from bgpctl.lab.traffic import forwarding

ROUTERS = ("bird", "frr", "gobgp", "openbgpd")


def drill(
    scenario: Scenario | None,
    router: str = "auto",
    graceful_restart: str | None = None,
    html: Path | None = None,
    output: str = "text",
    stack: str = drills.OWN,
) -> int:
    """Run and show them. `scenario` None = all. `graceful_restart`: seconds, "off", or None = both. `stack`:
    what speaks BGP on the nodes.

    Returns the exit code: 1 where one was not as foretold. UsageError, before anything is started: what is
    missing here.
    """
    from bgpctl.lab.drill.run import run
    from bgpctl.render.drill import RENDERERS, page

    scenarios = _scenarios(scenario, stack)
    kind = _able(router)
    if html is not None:
        _writable(html)
    restart = True if graceful_restart is None else _restart(graceful_restart)
    planned = list(drills.plan(scenarios, restart, stack))
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup(1) ignores it
        signal.signal(signal.SIGHUP, _interrupt)
    reports = []
    for number, one in enumerate(planned, start=1):
        whose = "" if stack == drills.OWN else f" {stack} nodes,"
        _say(f"{kind},{whose} {number} of {len(planned)}: {one.scenario}, {one.setting}")
        reports.append(run(kind, one, stack=stack))
    RENDERERS[output](reports)  # first: a page that cannot be written must not cost what took minutes
    if html is not None:
        _write(html, page(reports))
    return Exit.DONE if all(one.passed for one in reports) else Exit.FAILED


def _scenarios(asked: Scenario | None, stack: str) -> list[Scenario]:
    """Those that can happen to its nodes. Raises UsageError for another one, or an engine that is missing."""
    if stack == drills.OWN:
        return [asked] if asked else list(drills.SETTINGS)
    stacks.choose(stack)
    if asked in drills.ONLY_OWN:
        raise UsageError(
            f"{asked} is a drill of bgpctl's own speaker: no session ends, whatever speaks BGP on the node",
            f"leave --stack {stack} out",
        )
    return [asked] if asked else [one for one in drills.SETTINGS if one not in drills.ONLY_OWN]


def _restart(text: str) -> int | None:
    return None if text == "off" else int(text)


def _able(router: str) -> str:
    """The kind of router to take. UsageError says what a drill needs and this machine has not."""
    if os.geteuid() != 0:
        raise UsageError(
            "a drill needs root: it makes network namespaces, and routers that write into their tables",
            "run it with sudo, on a machine where that is welcome; nothing outside of the namespaces changes",
        )
    if shutil.which("ip") is None:
        raise UsageError("a drill needs ip(8), which is not installed", "apt install iproute2")
    if not _may_make_namespaces():
        raise UsageError(
            "a drill makes network namespaces, which is not allowed here",
            "in a container: give it CAP_SYS_ADMIN and CAP_NET_ADMIN",
        )
    lacking = {kind: forwarding.missing(kind) for kind in ROUTERS}
    if router == "auto":
        able = [kind for kind, lacks in lacking.items() if not lacks]
        if not able:
            raise UsageError(f"none of {', '.join(ROUTERS)} is installed", DRIVERS["bird"].install)
        return able[0]
    if lacking[router]:
        raise UsageError(f"{router} is not installed", f"{lacking[router]}, or leave the choice to auto")
    return router


def _may_make_namespaces() -> bool:
    return subprocess.run(("unshare", "-n", "true"), capture_output=True).returncode == 0


def _writable(path: Path) -> None:
    """Found out before minutes have passed."""
    try:
        able = not path.is_dir() and os.access(path.absolute().parent, os.W_OK)
        why = "it is a directory, or in one that is not there"
    except OSError as error:  # a name that is too long
        able, why = False, str(error.strerror)
    if not able:
        raise UsageError(f"cannot write {path}: {why}", "give --html a file in a directory that is there")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise BgpctlError(f"cannot write {path}: {error.strerror}", "choose another path") from None


def _interrupt(*_: object) -> None:
    """As ^C: everything is taken down."""
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

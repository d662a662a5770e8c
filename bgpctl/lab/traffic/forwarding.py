"""The lab's routers as ones that forward: what they choose is in the kernel's table, with equal paths (ECMP).

BIRD does it by itself and FRR through zebra. GoBGP does so only beside FRR's zebra, and OpenBGPD not at all
on Linux: a mirror stands in for that, which copies their table every 0.2 s.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bgpctl.lab.routers import DRIVERS, Router, RouterSpec
from bgpctl.lab.routers.find import program
from bgpctl.lab.routers.process import die_with_parent, end, spawn
from bgpctl.lab.routers.spec import Recipe
from bgpctl.lab.traffic import mirror
from bgpctl.lab.traffic.network import Host
from bgpctl.lab.waiting import until

USER = "frr"
MIRRORED = ("gobgp", "openbgpd")
STARTS_SECONDS = 10.0
_KERNEL = """
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; merge paths on limit 16; }
"""
_ZEBRA = ("/usr/lib/frr/zebra", "/usr/libexec/frr/zebra")


def missing(kind: str) -> str:
    """What to type where a router of this kind cannot forward here, "" = it can."""
    if DRIVERS[kind].find() is None or (kind == "frr" and program(*_ZEBRA) is None):
        return DRIVERS[kind].install
    if kind == "frr" and not _known(USER):
        return f"FRR's programs become user {USER}: adduser --system --group {USER}"
    return ""


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def enable(host: Host) -> None:
    """Make it forward, and spread flows over equal paths by their ports too."""
    for setting in ("ip_forward=1", "fib_multipath_hash_policy=1", "icmp_ratelimit=0"):
        host.run("sysctl", "-qw", f"net.ipv4.{setting}")


@contextmanager
def running(spec: RouterSpec, directory: Path) -> Iterator[Router]:
    """In the calling thread's namespace, in which it has the kernel's routes to itself."""
    found = DRIVERS[spec.kind].find() or spec.kind
    with ExitStack() as parts:
        recipe = DRIVERS[spec.kind].recipe
        if spec.kind == "bird":
            recipe = _bird
        elif spec.kind == "frr":
            recipe = partial(_frr, parts.enter_context(_zebra(directory)))
        router = parts.enter_context(Router(spec, found, recipe))
        router.start(directory)
        if spec.kind in MIRRORED:
            parts.enter_context(_mirrored(router, directory))
        yield router


def _bird(spec: RouterSpec, directory: Path, found: str) -> Recipe:
    recipe = DRIVERS["bird"].recipe(spec, directory, found)
    return replace(recipe, files={name: text + _KERNEL for name, text in recipe.files.items()})


def _frr(zebra: str, spec: RouterSpec, directory: Path, found: str) -> Recipe:
    recipe = DRIVERS["frr"].recipe(spec, directory, found)
    return replace(recipe, argv=(*(word for word in recipe.argv if word != "-Z"), "-z", zebra))


@contextmanager
def _zebra(directory: Path) -> Iterator[str]:
    """FRR's other half: what its bgpd chose goes into the kernel through it, by the socket that this yields.
    It becomes the user `frr`, so it has a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="bgpctl-zebra-") as own:
        shutil.chown(own, USER, USER)
        directory.mkdir(parents=True, exist_ok=True)
        api = f"{own}/api"
        where = ("-z", api, "--vty_socket", own, "-i", f"{own}/zebra.pid")
        recipe = Recipe((program(*_ZEBRA) or "zebra", "-f", os.devnull, *where, "-P", "0"), {}, "")
        with (directory / "zebra.log").open("ab") as log:
            process = spawn(recipe, directory, log.fileno())
        try:
            until(Path(api).exists, STARTS_SECONDS, f"zebra runs; see {directory}/zebra.log")
            yield api
        finally:
            end(process)


@contextmanager
def _mirrored(router: Router, directory: Path) -> Iterator[None]:
    words = (router.probe(), *(neighbor.address for neighbor in router.spec.neighbors))
    with (directory / "mirror.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", mirror.__name__, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(os.getpid()),
        )
    try:
        yield
    finally:
        process.kill()
        process.wait()

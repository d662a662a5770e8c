"""BIRD and FRR as in the lab, and besides as routers that forward: equal paths go into the kernel (ECMP)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bgpctl.lab.routers import DRIVERS, Router, RouterSpec
from bgpctl.lab.routers.find import program
from bgpctl.lab.routers.process import end, spawn
from bgpctl.lab.routers.spec import Recipe
from tests.support.wait import eventually

_KERNEL = """
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; merge paths on limit 16; }
"""


@contextmanager
def running(spec: RouterSpec, directory: Path) -> Iterator[Router]:
    """In the calling thread's namespace, in which it has the kernel's routes to itself."""
    found = DRIVERS[spec.kind].find() or spec.kind
    with ExitStack() as parts:
        recipe = _bird if spec.kind == "bird" else partial(_frr, parts.enter_context(_zebra(directory)))
        router = parts.enter_context(Router(spec, found, recipe))
        router.start(directory)
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
        shutil.chown(own, "frr", "frr")
        directory.mkdir(parents=True, exist_ok=True)
        api = f"{own}/api"
        where = ("-z", api, "--vty_socket", own, "-i", f"{own}/zebra.pid")
        found = program("/usr/lib/frr/zebra", "/usr/libexec/frr/zebra") or "zebra"
        recipe = Recipe((found, "-f", os.devnull, *where, "-P", "0"), {}, "")
        with (directory / "zebra.log").open("ab") as log:
            process = spawn(recipe, directory, log.fileno())
        try:
            eventually(Path(api).exists, why=f"zebra runs; see {directory}/zebra.log")
            yield api
        finally:
            end(process)

"""`make dist`: what a release consists of, in dist/: the wheel, the sdist, and bgpctl as a plugin of kubectl.

    kubectl-bgp-OS-ARCH.tar.gz   what krew unpacks: bgpctl with what it needs; wants a Python 3.11 to 3.14
    bgp.yaml                     krew's manifest (krew.sigs.k8s.io, "Writing Krew plugin manifests")

    kubectl krew install --manifest=dist/bgp.yaml --archive=dist/kubectl-bgp-linux-amd64.tar.gz

Dependencies are those of requirements.lock, by their hashes. All of them work without their compiled parts
but one, of which the archive has those for each Python. `make dist URL=…`: where the archives will be.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bgpctl import __version__

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
COMPILED = "pydantic-core"  # of the Kubernetes client, which imports it at once
LIBRARY = "lib"
NOWHERE = "https://example.invalid/bgpctl"

LAUNCHER = f"""#!/usr/bin/env python3
# bgpctl as `kubectl bgp`: what it needs lies beside it.
import os
import sys

if not (3, {PYTHONS[0].partition(".")[2]}) <= sys.version_info[:2] <= (3, {PYTHONS[-1].partition(".")[2]}):
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit("error: kubectl-bgp needs Python {PYTHONS[0]} to {PYTHONS[-1]}; python3 is " + found)
library = os.path.join(os.path.dirname(os.path.realpath(__file__)), "{LIBRARY}")
sys.path[0:1] = [library, os.path.join(library, "python%d.%d" % sys.version_info[:2])]
from bgpctl.cli.main import main

main()
"""


@dataclass(frozen=True, slots=True)
class Platform:
    """`system`, `machine`: as Go names them, and krew. `tags`: as wheels do."""

    system: str
    machine: str
    tags: tuple[str, ...]

    @property
    def archive(self) -> str:
        """The name of its file."""
        return f"kubectl-bgp-{self.system}-{self.machine}.tar.gz"


PLATFORMS = (
    Platform("linux", "amd64", ("manylinux_2_17_x86_64", "manylinux2014_x86_64")),
    Platform("linux", "arm64", ("manylinux_2_17_aarch64", "manylinux2014_aarch64")),
    Platform("darwin", "amd64", ("macosx_10_12_x86_64",)),
    Platform("darwin", "arm64", ("macosx_11_0_arm64",)),
)


def pip(*words: str | Path) -> None:
    """By our own Python; what it says is shown only where it fails."""
    given = ("install", "-q", "--no-compile", "--no-deps", "--disable-pip-version-check")
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}
    subprocess.run((sys.executable, "-m", "pip", *given, *map(str, words)), check=True, env=environment)


def locked(name: str) -> str:
    """The lines of requirements.lock about one package."""
    found = re.search(
        rf"^{re.escape(name)}==.*?(?=^\S|\Z)", (ROOT / "requirements.lock").read_text(), re.M | re.S
    )
    assert found, f"{name} is not in requirements.lock"
    return found[0]


def pure(place: Path, wheel: Path) -> None:
    """bgpctl and all that it needs, without what is compiled for one Python or one machine."""
    pip("--target", place, "--require-hashes", "-r", ROOT / "requirements.lock")
    pip("--target", place, wheel)
    for path in (*place.rglob("*.so"), *place.rglob("*.dist-info/direct_url.json")):
        path.unlink()
    for name in ("bin", "share", COMPILED.replace("-", "_"), "bgpctl/lab"):
        shutil.rmtree(place / name, ignore_errors=True)


def compiled(place: Path, platform: Platform, scratch: Path) -> None:
    """The compiled part for each Python, in a directory of its own."""
    only = scratch / "compiled.lock"
    only.write_text(locked(COMPILED))
    tags = [word for tag in platform.tags for word in ("--platform", tag)]
    for python in PYTHONS:
        to = place / f"python{python}"
        wanted = ("--python-version", python, "--implementation", "cp", "--only-binary", ":all:")
        pip("--target", to, *tags, *wanted, "--require-hashes", "-r", only)


def pack(tree: Path, to: Path) -> None:
    """A tar.gz of the files below `tree`: the same files, the same octets but for gzip's own time."""
    with tarfile.open(to, "w:gz") as archive:
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            archive.add(path, path.relative_to(tree), filter=_nobody_s)


def _nobody_s(one: tarfile.TarInfo) -> tarfile.TarInfo:
    one.uid = one.gid = one.mtime = 0
    one.uname = one.gname = ""
    one.mode = 0o755 if one.mode & 0o100 else 0o644
    return one


def manifest(places: dict[Platform, Path], url: str) -> dict[str, Any]:
    """krew's word of the archives, each with its digest."""
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "bgp"},
        "spec": {
            "version": f"v{__version__}",
            "homepage": url,
            "shortDescription": "Drain nodes that speak BGP without loss",
            "description": (
                "Takes Kubernetes nodes that speak BGP out of service and back without losing a packet,\n"
                "proved by the routers: nodes of Cilium, Calico, MetalLB with frr-k8s, or of bgpctl's own\n"
                "speaker (which runs from its image, not from here).\n"
            ),
            "caveats": f"Needs python3 on the PATH, {PYTHONS[0]} to {PYTHONS[-1]}.\n",
            "platforms": [_platform(one, place, url) for one, place in places.items()],
        },
    }


def _platform(one: Platform, place: Path, url: str) -> dict[str, Any]:
    return {
        "selector": {"matchLabels": {"os": one.system, "arch": one.machine}},
        "uri": f"{url}/{one.archive}",
        "sha256": hashlib.sha256(place.read_bytes()).hexdigest(),
        "bin": "kubectl-bgp",
    }


def wheel_and_sdist(dist: Path) -> Path:
    """Of the tracked files; returns the wheel."""
    with tempfile.TemporaryDirectory(prefix="bgpctl-dist-") as name:
        source = Path(name, "source")
        for path in _tracked():
            to = source / path
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, to)
        words = "import sys; from setuptools import build_meta as b; b.build_sdist(sys.argv[1])"
        subprocess.run(
            (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(dist), str(source)),
            check=True,
        )
        built = ("-m", "pip", "install", "-q", "--target", str(Path(name, "setuptools")), "setuptools>=68")
        subprocess.run((sys.executable, *built), check=True)
        environment = {**os.environ, "PYTHONPATH": str(Path(name, "setuptools"))}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            (sys.executable, "-c", words, str(dist)), check=True, cwd=source, env=environment, **quiet
        )
    (wheel,) = dist.glob("*.whl")
    return wheel


def _tracked() -> Iterator[Path]:
    listed = subprocess.run(("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, text=True, check=True)
    return (Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def make(dist: Path, url: str, platforms: tuple[Platform, ...] = PLATFORMS) -> list[Path]:
    """Everything; what was in `dist` of an earlier release goes."""
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    wheel = wheel_and_sdist(dist)
    places: dict[Platform, Path] = {}
    with tempfile.TemporaryDirectory(prefix="bgpctl-dist-") as name:
        pure(Path(name, "pure"), wheel)
        for one in platforms:
            tree = Path(name, one.archive)
            shutil.copytree(Path(name, "pure"), tree / LIBRARY)
            compiled(tree / LIBRARY, one, Path(name))
            (tree / "kubectl-bgp").write_text(LAUNCHER)
            (tree / "kubectl-bgp").chmod(0o755)
            shutil.copy2(ROOT / "LICENSE", tree)
            places[one] = dist / one.archive
            pack(tree, places[one])
    (dist / "bgp.yaml").write_text(yaml.safe_dump(manifest(places, url), sort_keys=False))
    return sorted(dist.iterdir())


def main(words: list[str]) -> None:
    """Exit code 0, and the files by name and size."""
    parser = argparse.ArgumentParser(prog="python -m tests.dist", description=__doc__)
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    parser.add_argument("--url", default=NOWHERE, help="where the archives will be")
    asked = parser.parse_args(words)
    for path in make(asked.dist, asked.url.rstrip("/")):
        print(f"{path.stat().st_size / 1e6:6.1f} MB  {path.name}")
    if asked.url == NOWHERE:
        print("bgp.yaml names no place where they are: make dist URL=https://…")


if __name__ == "__main__":
    main(sys.argv[1:])

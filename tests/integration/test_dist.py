"""The release: what krew would unpack runs as `kubectl bgp` on every Python that is here, and completes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bgpctl import __version__
from tests import dist
from tests.support.require import require

pytestmark = pytest.mark.integration

LINUX = next(one for one in dist.PLATFORMS if (one.system, one.machine) == ("linux", "amd64"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("dist") / "dist"
    dist.make(place, "https://example.org/v1", (LINUX,))
    return place


def pythons() -> Iterator[Path]:
    """The interpreters of this machine that the archive promises to run on, one of each."""
    for version in dist.PYTHONS:
        shims = (path for path in os.environ["PATH"].split(os.pathsep) if "shims" not in path)
        found = shutil.which(f"python{version}", path=os.pathsep.join(shims))
        if found:
            yield Path(found).resolve()


def run(program: Path, python: Path, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """With no Python but this one, and nothing of this checkout."""
    (place / "bin").mkdir(exist_ok=True)
    link = place / "bin/python3"
    link.unlink(missing_ok=True)
    link.symlink_to(python)
    path = f"{place / 'bin'}:{program.parent}:/usr/bin:/bin"
    environment = {"PATH": path, "HOME": str(place), "KUBECONFIG": "/dev/null/none"}
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        cwd=place,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def plugin(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As krew has it: unpacked into its store, and a link to the program."""
    place = tmp_path_factory.mktemp("krew")
    (place / "store").mkdir()
    subprocess.run(("tar", "-xzf", made / LINUX.archive, "-C", place / "store"), check=True)
    link = place / "links/kubectl-bgp"
    link.parent.mkdir()
    link.symlink_to(place / "store/kubectl-bgp")
    return link


def test_it_runs_as_a_plugin_of_kubectl_on_each_python(plugin: Path, tmp_path: Path) -> None:
    require("kubectl")
    found = list(pythons())
    assert found
    for python in found:
        ran = run(plugin, python, tmp_path, "kubectl", "bgp", "version")
        assert f"bgpctl  {__version__}" in ran.stdout and ran.stderr == "", (python, ran)
        ran = run(plugin, python, tmp_path, "kubectl", "bgp", "peers", "status")
        assert ran.returncode == 2 and ran.stderr.startswith("error: "), (python, ran)


def test_another_python_is_told_in_one_line(plugin: Path, tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text(
        "#!/bin/sh\nexec " + str(next(pythons())) + " -c 'import sys, runpy; sys.version_info = (3, 10, 0); "
        'runpy.run_path(sys.argv[1])\' "$@"\n'
    )
    old.chmod(0o755)
    ran = run(plugin, old, tmp_path, str(plugin), "--version")
    assert ran.returncode == 1 and ran.stderr == (
        "error: kubectl-bgp needs Python 3.11 to 3.14; python3 is 3.10\n"
    )


def test_the_manifest_is_about_this_archive(made: Path) -> None:
    manifest = yaml.safe_load((made / "bgp.yaml").read_text())
    (platform,) = manifest["spec"]["platforms"]
    assert platform["sha256"] == hashlib.sha256((made / LINUX.archive).read_bytes()).hexdigest()
    assert platform["uri"] == f"https://example.org/v1/{LINUX.archive}"
    assert manifest["spec"]["version"] == f"v{__version__}" and manifest["metadata"]["name"] == "bgp"
    assert len(manifest["spec"]["shortDescription"]) <= 50
    with tarfile.open(made / LINUX.archive) as archive:
        assert archive.getmember(platform["bin"]).mode == 0o755


def test_the_wheel_has_completions_and_manual_pages_where_they_belong(made: Path) -> None:
    (wheel,) = made.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for end in (
        *("bash-completion/completions/bgpctl.bash", "zsh/site-functions/_bgpctl"),
        *("fish/vendor_completions.d/bgpctl.fish", "man/man1/bgpctl-node-drain.1"),
    ):
        assert [name for name in names if name.endswith(f"share/{end}")], end
    (sdist,) = made.glob("bgpctl-*.tar.gz")
    with tarfile.open(sdist) as archive:
        assert [name for name in archive.getnames() if name.endswith("/bgpctl/cli/main.py")]

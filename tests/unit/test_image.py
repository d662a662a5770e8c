"""What the image is made of, before anything is built: the lock file satisfies pyproject.toml, with hashes,
and what is copied is what exists. `make image-tree` runs it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tests import image

SOURCE = Path(__file__).parents[2]


def locked() -> dict[str, str]:
    """Release by project; every one has hashes."""
    text = (SOURCE / "requirements.lock").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    found = {}
    for entry in entries:
        pinned = re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", entry.strip())
        assert pinned, entry
        name, release = pinned.groups()
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), name
        found[name] = release
    return found


def test_the_lock_file_has_what_bgpctl_needs() -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    releases = locked()
    for one in map(Requirement, project["dependencies"]):
        assert one.specifier.contains(releases[one.name]), f"{one}: run `make lock`"


def test_nothing_of_the_lab_or_the_tests_is_locked() -> None:
    assert not {"trustme", "pytest", "hypothesis", "cryptography"} & locked().keys()


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    shown = image.context()
    assert all((SOURCE / name).exists() for name in shown)
    assert not {"tests", ".git", "docs"} & set(shown)
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())
    for files in project["tool"]["setuptools"]["data-files"].values():
        for one in files:
            assert any(Path(one).is_relative_to(name) for name in shown), one


def test_it_runs_as_nobody_and_finds_itself() -> None:
    assert image.instructions("USER") == ["65532:65532"]
    assert image.instructions("ENTRYPOINT") == ['["bgpctl"]']
    assert image.environment()["PYTHONPATH"] == "/opt/bgpctl"
    assert image.environment()["PATH"].split(":")[0] == "/opt/bgpctl/bin"

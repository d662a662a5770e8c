"""A plain install has no cryptography stack: only the lab needs one, and says so before it does anything."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

from tests.support.cli import Ran, bgpctl, clean_environment

ROOT = Path(__file__).parents[2]
EXTRA = ("trustme", "cryptography")
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A directory that, first on the path, makes what the extra brings fail to import."""
    for name in EXTRA:
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}')\n")
    return tmp_path


def path(plain: Path) -> str:
    return f"{plain}:{ROOT}"


def test_every_room_but_the_lab_does_without(plain: Path) -> None:
    files = (file.relative_to(ROOT).with_suffix("") for file in (ROOT / "bgpctl").rglob("*.py"))
    names = [".".join(file.parts) for file in files if file.parts[1] != "lab" and file.name != "__main__"]
    assert len(names) > 150 and "bgpctl.cli.lab" in names
    environment = clean_environment(PYTHONPATH=path(plain))
    argv = [sys.executable, "-c", IMPORT_ALL, *names]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("command", ["demo", "up"])
def test_the_lab_says_what_to_type(plain: Path, command: str) -> None:
    ran = bgpctl("lab", command, PYTHONPATH=path(plain))
    assert ran == Ran(
        2,
        "",
        "error: the lab needs more than a plain bgpctl\nhint: in the checkout: pip install '.[lab]'\n",
    )


def test_the_extra_is_asked_for_by_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert "bgpctl[lab]" in extras["dev"], "the tests and `make demo` run the lab"
    assert any(one.startswith("trustme") for one in extras["lab"])
    assert not any(one.startswith(EXTRA) for one in project["dependencies"])
    for dependency in ("typer", "rich", "kubernetes", "exabgp", "pyyaml"):
        asked = [one for one in requires(dependency) or () if "extra ==" not in one]
        assert not any(one.lower().startswith(EXTRA) for one in asked)

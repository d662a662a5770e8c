"""Writes completions/ and docs/man/ from the command tree: `python -m tests.completions`, or `make
completions`.

The scripts are static, so that a TAB starts no Python. Commands, options and the values of options that have
a fixed set are completed; paths where a path is wanted; and nodes, peers, namespaces and contexts, for which
kubectl is asked: what it said holds for ten seconds, and when it says nothing, nothing is offered.
"""

from __future__ import annotations

from pathlib import Path

from bgpctl.cli import completion, manual
from bgpctl.cli.app import tree

MANUAL = Path(__file__).resolve().parent.parent / "docs" / "man"
DIRECTORY = Path(__file__).resolve().parent.parent / "completions"


def scripts() -> dict[str, str]:
    """File name -> content, as it should be."""
    return {name: completion.script(shell) for shell, name in completion.FILES.items()}


def pages() -> dict[str, str]:
    """File name -> manual page, as it should be."""
    return manual.pages(tree())


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    MANUAL.mkdir(exist_ok=True)
    for old in MANUAL.iterdir():
        old.unlink()
    for name, content in pages().items():
        (MANUAL / name).write_text(content, encoding="utf-8")
    for name, content in scripts().items():
        (DIRECTORY / name).write_text(content, encoding="utf-8")

"""Writes completions/ from the command tree: `python -m tests.completions` (or `make completions`).

The scripts are static, so that a TAB starts no Python. Commands, options and the values of options that have
a fixed set are completed; paths where a path is wanted; and nodes, peers, namespaces and contexts, for which
kubectl is asked: what it said holds for ten seconds, and when it says nothing, nothing is offered.
"""

from __future__ import annotations

from pathlib import Path

from bgpctl.cli import completion

DIRECTORY = Path(__file__).resolve().parent.parent / "completions"


def scripts() -> dict[str, str]:
    """File name -> content, as it should be."""
    return {name: completion.script(shell) for shell, name in completion.FILES.items()}


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for name, content in scripts().items():
        (DIRECTORY / name).write_text(content, encoding="utf-8")

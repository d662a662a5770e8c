"""Completion for shells (`bgpctl completion`) and for kubectl's plugin."""

from __future__ import annotations

from bgpctl.cli.completion import bash, fish, powershell, zsh
from bgpctl.cli.completion.tree import tree

SHELLS = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script, "powershell": powershell.script}
FILES = {"bash": "bgpctl.bash", "zsh": "_bgpctl", "fish": "bgpctl.fish"}
"""How a shell wants the file of its script to be called."""


def script(shell: str) -> str:
    """The script of one of SHELLS."""
    return SHELLS[shell](tree())

"""`bgpctl completion`: the script by which a shell completes bgpctl and kubectl-bgp."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from bgpctl.cli import errors


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"], typer.Argument(metavar="SHELL", show_default=False)
    ],
) -> None:
    """Print the completion script of a shell: bash, zsh, fish or powershell.

    It completes commands, flags and their values, and from the cluster nodes, peers, namespaces and contexts
    (kubectl is asked, for a second at most; what it said holds for ten). `kubectl bgp` is completed by
    kubectl's own script, which asks kubectl_complete-bgp.

    \b
      bash   source <(bgpctl completion bash)
      zsh    source <(bgpctl completion zsh)
      fish   bgpctl completion fish | source
      powershell (7.3 or newer, in $PROFILE)
             bgpctl completion powershell | Out-String | Invoke-Expression
    """
    with errors.guard("completion"):
        from bgpctl.cli import completion as scripts

        print(scripts.script(shell), end="")

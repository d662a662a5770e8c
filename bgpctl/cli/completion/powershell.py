"""The script for PowerShell 7.3 or newer: it asks `kubectl_complete-bgp`, as kubectl does.

Written by its documentation (about_Register-ArgumentCompleter): no PowerShell was there to run it. The words
that it passes on are tested as kubectl's are.
"""

from __future__ import annotations

from bgpctl.cli.completion.tree import PROGRAMS, Command, fill

_POWERSHELL = r"""# powershell @HEADER@
# What may stand there says kubectl_complete-bgp, which comes with bgpctl.

Register-ArgumentCompleter -Native -CommandName @PROGRAMS@ -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } |
        Select-Object -Skip 1 |
        ForEach-Object { $_.ToString() })
    if ($wordToComplete -eq '') { $words += '' }
    kubectl_complete-bgp @words 2>$null | Select-Object -SkipLast 1 | ForEach-Object {
        $word, $help = $_ -split "`t", 2
        if (-not $help) { $help = $word }
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $help)
    }
}
"""


def script(root: Command) -> str:
    """The whole script; the tree is asked for when it runs."""
    return fill(_POWERSHELL, PROGRAMS=", ".join(PROGRAMS))

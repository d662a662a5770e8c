"""Under which name we were called: bgpctl, or a plugin of kubectl."""

from __future__ import annotations

import os
import sys


def program() -> str:
    """The name to show in usage and hints: kubectl shows its plugins' words apart."""
    name = os.path.basename(sys.argv[0])
    return "kubectl bgp" if name.startswith("kubectl-bgp") or name == "kubectl_complete-bgp" else "bgpctl"

"""All modules that a command may import, imported with the times of `hurry`: for the process that commands
are forked from. Nobody else imports this."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import bgpctl
from tests.stacks.command import hurry

ASIDE = ("bgpctl.lab", "bgpctl.exabgp.extension", "bgpctl.__main__")
"""What no command imports here, or what acts when it is."""

hurry()
for found in pkgutil.walk_packages(bgpctl.__path__, "bgpctl."):
    if not found.name.startswith(ASIDE):
        import_module(found.name)
import_module("kubernetes.config")

"""What a test needs beyond Python: present, skipped and told at the end, or a failure.

`require("bird")` inside a fixture or a test. The closing block is printed by tests/conftest.py.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from bgpctl.lab import routers
from bgpctl.lab.stacks import bgpd

VARIABLE = "BGPCTL_REQUIRE"


@dataclass(frozen=True)
class Part:
    """Something outside: is it there, and what to do when it is not."""

    present: Callable[[], bool]
    remedy: str


def _root() -> bool:
    return os.geteuid() == 0


@functools.cache
def _may_make_namespaces() -> bool:
    return _root() and subprocess.run(("unshare", "-n", "true"), capture_output=True).returncode == 0


@functools.cache
def _may_mount() -> bool:
    return _root() and subprocess.run(("unshare", "-m", "true"), capture_output=True).returncode == 0


def _router(kind: str) -> Part:
    if kind == "openbgpd":
        return Part(
            lambda: kind in routers.installed() and _root(), f"{routers.DRIVERS[kind].install}; run as root"
        )
    return Part(lambda: kind in routers.installed(), routers.DRIVERS[kind].install)


def _program(name: str, package: str) -> Part:
    return Part(lambda: shutil.which(name) is not None, f"apt install {package}")


PARTS: dict[str, Part] = {
    **{kind: _router(kind) for kind in routers.KINDS},
    "root": Part(_root, "run as root"),
    "netns": Part(
        lambda: shutil.which("ip") is not None and _may_make_namespaces(),
        "apt install iproute2; run as root, in a container with CAP_SYS_ADMIN",
    ),
    "mount": Part(_may_mount, "run as root, in a container with CAP_SYS_ADMIN"),
    "frr-pythontools": Part(lambda: not bgpd.missing(), "apt install frr frr-pythontools"),
    "tcpdump": _program("tcpdump", "tcpdump"),
    "bash": _program("bash", "bash"),
    "zsh": _program("zsh", "zsh"),
    "fish": _program("fish", "fish"),
    "tmux": _program("tmux", "tmux"),
    "promtool": _program("promtool", "prometheus"),
    "prometheus": _program("prometheus", "prometheus"),
    "groff": _program("groff", "groff-base"),
    "kubectl": Part(lambda: shutil.which("kubectl") is not None, "install kubectl 1.32 on the PATH"),
    "kube-apiserver": Part(
        lambda: bool(os.environ.get("BGPCTL_TEST_KUBECONFIG")),
        "set BGPCTL_TEST_KUBECONFIG to the kubeconfig of a cluster that may be written to",
    ),
}


def require(*names: str) -> None:
    """Skip the calling test when a part is missing; fail it under BGPCTL_REQUIRE=all."""
    for name in names:
        if PARTS[name].present():
            continue
        message = f"{name} is missing: {PARTS[name].remedy}"
        if os.environ.get(VARIABLE) == "all":
            pytest.fail(f"{message} ({VARIABLE}=all)", pytrace=False)
        pytest.skip(message)


def missing(reasons: Iterable[str]) -> Counter[str]:
    """Part -> number of tests that were skipped for it, by the reasons that pytest reports: the tests may
    have run in other processes."""
    words = (reason.removeprefix("Skipped: ").partition(" is missing: ") for reason in reasons)
    return Counter(name for name, missed, _ in words if missed and name in PARTS)


def closing_block(counts: Counter[str]) -> list[str]:
    """The lines that end a run in which something could not be tested; none when everything could."""
    if not counts:
        return []
    lines = [f"this run did not test: {', '.join(sorted(counts))}"]
    return lines + [
        f"  {name} ({count} {'test' if count == 1 else 'tests'}): {PARTS[name].remedy}"
        for name, count in sorted(counts.items())
    ]

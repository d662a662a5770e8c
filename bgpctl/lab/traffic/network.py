"""A small network of namespaces in which cables are pulled: hosts around one switch, each with a veth cable.

The switch is a bridge in a namespace of its own, so that a cable pulled at one host does not take the carrier
away from the others: they see silence, as after a power failure. Needs root and iproute2. Everything is
removed on exit, also what runs inside.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "bgpctl"
_CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)
# Its input ends with us, however we end; what is left of our namespaces then goes, and what runs inside.
_GUARD = """
cat
for name in $(ip netns list | grep -o "^$0[a-z][a-z0-9]*")
do ip netns pids "$name" | xargs -r kill -9; ip netns del "$name"
done
"""


@dataclass(frozen=True)
class Host:
    """A namespace with `eth0` on the switch. `address` has no prefix length."""

    name: str
    address: str
    port: str

    def run(self, *argv: str) -> str:
        """A command inside, its output as text; CalledProcessError when it fails."""
        return _run("ip", "netns", "exec", self.name, *argv)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread, and every process it starts, in this namespace. For the main thread: /proc/net
        shows its namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/proc/self/ns/net").open() as home, Path(f"/run/netns/{self.name}").open() as here:
            _setns(libc, here.fileno())
            try:
                yield
            finally:
                _setns(libc, home.fileno())

    def pids(self) -> list[int]:
        """Of all that runs inside."""
        return [int(pid) for pid in _run("ip", "netns", "pids", self.name).split()]


class NetLab:
    """Hosts around one switch. Names carry our process id, so labs of parallel runs never meet."""

    def __init__(self) -> None:
        self._prefix = f"{_PREFIX}{os.getpid()}x{next(_numbers)}"
        self._switch = f"{self._prefix}sw"
        self._hosts: list[Host] = []
        self._cables: Counter[str] = Counter()
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> NetLab:
        if os.geteuid() != 0:
            raise PermissionError("network namespaces need root")
        _remove_leftovers()
        guard = ("sh", "-c", _GUARD, self._prefix)
        quiet = subprocess.DEVNULL
        self._guard = subprocess.Popen(
            guard, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
        )
        _run("ip", "netns", "add", self._switch)
        try:
            self._in_switch("link", "add", "br0", "type", "bridge")
            self._in_switch("link", "set", "br0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in (*(host.name for host in self._hosts), self._switch):
            _remove(name)
        self._hosts.clear()
        if self._guard:
            self._guard.communicate()

    def host(self, name: str, address: str) -> Host:
        """A host with `address` ("10.77.0.1/24") on its eth0, cable plugged in."""
        port = f"p{len(self._hosts) + 1}"
        host = Host(f"{self._prefix}{name}", address.partition("/")[0], port)
        _run("ip", "netns", "add", host.name)
        self._hosts.append(host)
        cable = ("type", "veth", "peer", "name", port, "netns", self._switch)
        _run("ip", "link", "add", "eth0", "netns", host.name, *cable)
        detection = ("nodad",) if ":" in address else ()  # or the address is tentative for a second
        _run("ip", "-n", host.name, "address", "add", address, "dev", "eth0", *detection)
        for link in ("lo", "eth0"):
            _run("ip", "-n", host.name, "link", "set", link, "up")
        self._in_switch("link", "set", port, "master", "br0", "up")
        return host

    def cable(self, host: Host, address: str, name: str, other: str) -> Host:
        """Another host that has a cable to this one alone, not to the switch: `host` gets `address` on its
        eth1 (eth2 …), and is its default gateway. It is no host for `unplug`."""
        self._cables[host.name] += 1
        here = f"eth{self._cables[host.name]}"
        made = Host(f"{self._prefix}{name}", other.partition("/")[0], "")
        _run("ip", "netns", "add", made.name)
        self._hosts.append(made)
        cable = ("type", "veth", "peer", "name", here, "netns", host.name)
        _run("ip", "link", "add", "eth0", "netns", made.name, *cable)
        for end, link, own in ((made, "eth0", other), (host, here, address)):
            _run("ip", "-n", end.name, "address", "add", own, "dev", link)
            _run("ip", "-n", end.name, "link", "set", link, "up")
        _run("ip", "-n", made.name, "link", "set", "lo", "up")
        _run("ip", "-n", made.name, "route", "add", "default", "via", address.partition("/")[0])
        return made

    def unplug(self, host: Host) -> None:
        """Silence: nothing passes any more, and no other host's interface notices."""
        self._in_switch("link", "set", host.port, "nomaster")

    def plug(self, host: Host) -> None:
        """Undoes `unplug` and `power_off`; what ran does not come back."""
        self._in_switch("link", "set", host.port, "master", "br0")

    def cut(self, host: Host) -> None:
        """Its cable breaks: its own interface sees that, nobody else's does."""
        self._in_switch("link", "set", host.port, "down")

    def power_off(self, host: Host) -> None:
        """Unplug, then SIGKILL everything inside: no FIN and no NOTIFICATION gets out."""
        self.unplug(host)
        self._kill(host)

    @staticmethod
    def _kill(host: Host) -> None:
        for pid in host.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _in_switch(self, *words: str) -> None:
        _run("ip", "-n", self._switch, *words)


def _remove_leftovers() -> None:
    """Namespaces of labs that were killed, and what runs on in them: FRR's zebra, which becomes another user
    and so does not end with its parent."""
    for name in _run("ip", "netns", "list").split():
        found = re.match(rf"{_PREFIX}(\d+)x\d", name)
        if found and not Path(f"/proc/{found[1]}").exists():
            _remove(name)


def _remove(namespace: str) -> None:
    pids = subprocess.run(("ip", "netns", "pids", namespace), check=False, capture_output=True, text=True)
    for pid in pids.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(("ip", "netns", "del", namespace), check=False, capture_output=True)


def _setns(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*argv: str) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=10)
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr.strip())
    return done.stdout

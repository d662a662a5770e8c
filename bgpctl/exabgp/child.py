"""The engine's process: ExaBGP as released, with our extension in it.

`python -P -m bgpctl.exabgp.child DIRECTORY` reads `exabgp.conf` in DIRECTORY and nothing else: no
environment file, no pid file, no named pipes, no log files. It holds a lock on DIRECTORY while it lives.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import pwd
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

CONFIG = "exabgp.conf"

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_ENVIRONMENT = {
    "log.level": "ERROR",
    "log.destination": "stderr",
    "log.short": "false",
    "api.cli": "false",
    "api.ack": "false",
    "api.respawn": "false",
    # Without its API process an ExaBGP cannot be told to leave: better it ends and is started again.
    "api.terminate": "true",
    "tcp.bind": "",
    "daemon.pid": "",
    # Seconds for a router that took the connection to send its OPEN.
    "bgp.openwait": "15",
    # Seconds; the reactor sleeps a hundredth of it when nothing happens. I/O wakes it at once.
    "reactor.speed": "2.0",
}


def main() -> None:
    """Ends with what ExaBGP ends with, or with a sentence where another engine has the directory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, help="die with this process")
    parser.add_argument("--generation", type=int, default=1, help="which engine of this node it is")
    parser.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    if arguments.parent is not None:
        _die_with(arguments.parent)
    try:
        with alone(arguments.directory):
            _set_environment()
            sys.exit(_run(arguments.directory, arguments.generation))
    except BlockingIOError:
        sys.exit(f"another BGP engine runs in {arguments.directory}")


def _die_with(parent: int) -> None:
    """A speaker that is killed takes its engine along (the thread that started us, to the letter)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the speaker is gone")


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Two engines in one directory would take each other's socket away. The kernel frees the lock of one that
    ends, however that happens. Raises BlockingIOError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _set_environment() -> None:
    """Before the first import of exabgp, which reads it once. Nothing of the host's own ExaBGP counts."""
    for name in [name for name in os.environ if name.lower().startswith(("exabgp.", "exabgp_"))]:
        del os.environ[name]
    os.environ["EXABGP_ENVFILE"] = os.devnull
    for name, value in {**_ENVIRONMENT, "daemon.user": _some_user()}.items():
        os.environ[f"exabgp.{name}"] = value


def _some_user() -> str:
    """ExaBGP insists on a name that exists; ours where we have one (a container's uid may not)."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return pwd.getpwall()[0].pw_name


def _run(directory: Path, generation: int) -> int:
    from exabgp.bgp.message.update.attribute import Attribute
    from exabgp.configuration.configuration import Configuration
    from exabgp.environment import getenv
    from exabgp.logger import log
    from exabgp.reactor.daemon import Daemon
    from exabgp.reactor.loop import Reactor

    from bgpctl.exabgp.extension import hooks

    environment = getenv()
    log.init(environment)
    Attribute.caching = environment.cache.attributes
    # We run as whoever the speaker runs as; ExaBGP would refuse a container's user with group 0.
    Daemon.drop_privileges = lambda self: True
    hooks.install()
    reactor = Reactor(Configuration([str(directory / CONFIG)]))
    hooks.attach(reactor, generation, directory)
    return int(reactor.run())


if __name__ == "__main__":
    main()

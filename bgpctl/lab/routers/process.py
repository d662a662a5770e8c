"""A router as a process: started in its own process group, ready when it listens, gone when asked or when
we die.

Every router gets SIGTERM from the kernel when its parent ends, also on `kill -9` (PR_SET_PDEATHSIG). The
kernel takes the *thread* that started it for the parent: start routers from a thread that stays, such as
the main one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

from bgpctl.errors import BgpctlError, DeadlineExceeded, UsageError
from bgpctl.lab.routers.spec import Recipe, RouterSpec

READY_SECONDS = 15.0
TERM_SECONDS = 3.0
_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1
_SOCKET_PATH_LIMIT = 107  # sun_path of unix(7)


class Router:
    """One lab router. `start` and `stop` may each be called again; use it as a context manager when
    possible."""

    def __init__(
        self, spec: RouterSpec, program: str, recipe: Callable[[RouterSpec, Path, str], Recipe]
    ) -> None:
        self.spec = spec
        self._program = program
        self._make = recipe
        self._recipe: Recipe | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.log_path = Path()

    @property
    def pid(self) -> int | None:
        """The daemon's process id, which is also its process group; None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def probe(self) -> str:
        """The text for `witness.parse_probe`; known once started, and still after `stop`."""
        if self._recipe is None:
            raise RuntimeError("the router was not started")
        return self._recipe.probe

    def start(self, directory: Path) -> None:
        """Run it in `directory` (made when missing, yours to remove) and return when it listens.

        UsageError: it needs root, or the port is taken. BgpctlError: it died, with its last words.
        DeadlineExceeded: it did not listen in READY_SECONDS.
        """
        self.stop()  # one that was killed may have left something
        directory = directory.resolve()
        recipe = self._make(self.spec, directory, self._program)
        self._check(recipe)
        write(recipe, directory)
        if recipe.control is not None:  # left by a router that was killed, it would pass for a sign of life
            recipe.control.unlink(missing_ok=True)
        self._recipe, self.log_path = recipe, directory / "output.log"
        with self.log_path.open("ab") as log:
            self._process = spawn(recipe, directory, log.fileno())
        try:
            self._wait_ready(recipe)
        except BaseException:
            self.stop()
            raise

    def _check(self, recipe: Recipe) -> None:
        if recipe.needs_root and os.geteuid() != 0:
            raise UsageError(f"{self.spec.kind} needs root", "choose --router bird, frr or gobgp")
        for address, port in self._listens(recipe):
            if listening(address, port):
                raise UsageError(
                    f"something listens on {address}:{port} already",
                    "is another lab running? stop it, or choose another address",
                )
        if recipe.control and len(str(recipe.control)) > _SOCKET_PATH_LIMIT:
            raise UsageError(f"{recipe.control} is too long for a socket", "choose a shorter directory")

    def _wait_ready(self, recipe: Recipe) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready(recipe):
            if self.pid is None:
                raise BgpctlError(
                    f"{self.spec.kind} ended at once: {self._last_words()}", f"see {self.log_path}"
                )
            if time.monotonic() > deadline:
                raise DeadlineExceeded(
                    f"{self.spec.kind} did not listen on {self.spec.address}:{self.spec.port} "
                    f"within {READY_SECONDS:g} s: {self._last_words()}",
                    f"see {self.log_path}",
                )
            time.sleep(_POLL_SECONDS)

    def _ready(self, recipe: Recipe) -> bool:
        control = recipe.control is None or recipe.control.exists()
        return control and all(listening(*place) for place in self._listens(recipe))

    def _listens(self, recipe: Recipe) -> tuple[tuple[str, int], ...]:
        return (*((address, self.spec.port) for address in self.spec.addresses), *recipe.ports)

    def _last_words(self) -> str:
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        """End it: SIGTERM, after TERM_SECONDS SIGKILL to its whole group. Nothing of it is left but its
        directory."""
        if self._process is None or self._recipe is None:
            return
        end(self._process)
        clean(self._recipe, self._process.pid)
        self._process = None

    def kill(self) -> None:
        """SIGKILL, as a power failure of the router would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def write(recipe: Recipe, directory: Path) -> None:
    """Put the files of a recipe in place, readable by us alone: OpenBGPD insists on it, passwords deserve
    it."""
    directory.mkdir(parents=True, exist_ok=True)
    for outside in recipe.prepare:
        outside.mkdir(parents=True, exist_ok=True)
    for name, text in recipe.files.items():
        path = directory / name
        path.touch(mode=0o600)
        path.chmod(0o700 if name in recipe.executable else 0o600)
        path.write_text(text)


def spawn(recipe: Recipe, directory: Path, log: int) -> subprocess.Popen[bytes]:
    """The daemon in a session of its own (no ^C from our terminal), tied to our life."""
    return subprocess.Popen(
        recipe.argv,
        cwd=directory,
        env={**os.environ, **recipe.environment},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=die_with_parent(os.getpid()),
    )


def die_with_parent(parent: int) -> Callable[[], None]:
    """For the child between fork and exec. libc is loaded before the fork: little is safe after it."""
    libc = ctypes.CDLL(None, use_errno=True)

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call: the kernel will not tell
            os._exit(1)

    return tie


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the daemon, SIGKILL to its group when it is late, and to any child that outlived it."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(TERM_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def clean(recipe: Recipe, pid: int) -> None:
    """Remove what a daemon leaves when it was killed: its socket and its scratch directories."""
    if recipe.control is not None:
        recipe.control.unlink(missing_ok=True)
    for pattern in recipe.scratch:
        scratch = Path(pattern.format(pid=pid))
        shutil.rmtree(scratch, ignore_errors=True)
        with contextlib.suppress(OSError):  # others may use the directory around it
            scratch.parent.rmdir()


def listening(address: str, port: int) -> bool:
    """Does any socket of this machine (network namespace) listen there? Asked of the kernel, so that no
    router sees a connection that is not a peer's."""
    version = ip_address(address).version
    table = Path("/proc/net/tcp" if version == 4 else "/proc/net/tcp6").read_text()
    return is_listening(table, address, port)


def is_listening(table: str, address: str, port: int) -> bool:
    """Pure part of `listening`: `table` is /proc/net/tcp or tcp6 (state 0A = LISTEN, addresses in host order
    words of 32 bits, read here as on a little-endian machine)."""
    packed = ip_address(address).packed
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    anywhere = "0" * (8 if family == socket.AF_INET else 32)
    words = (packed[i : i + 4][::-1].hex().upper() for i in range(0, len(packed), 4))
    wanted = {f"{place}:{port:04X}" for place in ("".join(words), anywhere)}
    rows = (line.split() for line in table.splitlines()[1:])
    return any(row[1] in wanted and row[3] == "0A" for row in rows if len(row) > 3)

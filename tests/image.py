"""`make image-tree`: the image's files in a directory, run as a container runtime would run the image.

The Dockerfile's own words are used: what `make image-files` installs, its ENV, USER and ENTRYPOINT. Below it
the files of the Debian packages that a distroless Python image has; no shell is among them. The root is
read-only, the user nobody, no capability is left, /tmp and /run are its only places to write. Then a speaker
runs in it beside a real BIRD, which must have its routes. Root, and Debian 12's python3; ARGS='--keep
DIRECTORY' leaves the tree.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

SOURCE = Path(__file__).resolve().parent.parent
PACKAGES = (
    *("libc6", "libpython3.11-minimal", "libpython3.11-stdlib", "python3.11-minimal", "python3-minimal"),
    *("zlib1g", "libexpat1", "libffi8", "libssl3", "libbz2-1.0", "liblzma5", "libuuid1", "ca-certificates"),
)
EXTRA = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ld.so.cache")
SHELLS = ("sh", "bash", "dash", "busybox")
MOUNTS = ("dev", "proc", "tmp", "run")


def instructions(word: str) -> list[str]:
    """The arguments of every line of the Dockerfile's last stage that begins with this word."""
    stage = (SOURCE / "Dockerfile").read_text().split("\nFROM ")[-1].splitlines()[1:]
    return [line.partition(" ")[2] for line in stage if line.startswith(f"{word} ")]


def environment() -> dict[str, str]:
    """What the Dockerfile sets."""
    return dict(pair.split("=", 1) for line in instructions("ENV") for pair in shlex.split(line))


def context() -> list[str]:
    """What the build is shown: .dockerignore leaves out all else."""
    rows = (SOURCE / ".dockerignore").read_text().splitlines()
    return [row[1:] for row in rows if row.startswith("!")]


def build(tree: Path) -> None:
    """All that the image has, below `tree`."""
    with tempfile.TemporaryDirectory(prefix="bgpctl-context-") as name:
        for shown in context():
            there = Path(name, shown)
            there.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (SOURCE / shown).is_dir() else shutil.copy2
            copy(SOURCE / shown, there)
        subprocess.run(("make", "-s", "image-files", f"DEST={tree}"), cwd=name, check=True)
    for path in (*_packaged(), *EXTRA):
        _copy(Path(path), tree)
    for name in MOUNTS:
        (tree / name).mkdir(exist_ok=True)
    (tree / "etc" / "passwd").write_text("root:x:0:0::/:/none\nnonroot:x:65532:65532::/home/nonroot:/none\n")


def _packaged() -> Iterator[str]:
    listed = subprocess.run(("dpkg", "-L", *PACKAGES), capture_output=True, text=True, check=True).stdout
    for path in listed.splitlines():
        if path.startswith(("/usr/lib", "/lib", "/usr/bin", "/etc/ssl")) and os.path.lexists(path):
            yield path


def _copy(path: Path, tree: Path) -> None:
    """One file or link; /lib and its like are links into /usr, as Debian has them."""
    real = path.parent.resolve() / path.name
    there = tree / real.relative_to("/")
    if path.is_dir() and not path.is_symlink():
        there.mkdir(parents=True, exist_ok=True)
    elif not os.path.lexists(there):
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(real, there, follow_symlinks=False)
    for name in ("lib", "lib64", "bin"):
        if os.path.islink(f"/{name}") and not os.path.lexists(tree / name):
            (tree / name).symlink_to(os.readlink(f"/{name}"))


@contextmanager
def running(tree: Path, *words: str, run: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """`bgpctl WORDS` in the tree. `run`: a directory of nobody's that is its /run."""
    inside = (sys.executable, "-m", "tests.image", "--inside", str(tree), str(run or ""), *words)
    process = subprocess.Popen(
        ("unshare", "--mount", "--pid", "--fork", *inside),
        cwd=SOURCE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """The first process of its PID namespace takes all of it along; a death signal of its parent (unshare
    --kill-child) would not reach it: the kernel forgets that when a process changes its user."""
    first = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            for child in first.read_text().split():
                os.kill(int(child), number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
            return


def said(tree: Path, *words: str) -> tuple[int, str]:
    """The exit code and the output of one command."""
    with running(tree, *words) as process:
        output, _ = process.communicate(timeout=60)
        return process.returncode, output


def inside(tree: str, run: str, words: Sequence[str]) -> None:
    """In a mount namespace of its own: make the root read-only, and become the command. Never returns."""
    _mount("--bind", tree, tree)
    _mount("-o", "remount,bind,ro", tree)
    _mount("--rbind", "/dev", f"{tree}/dev")
    _mount("-t", "proc", "proc", f"{tree}/proc")
    _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{tree}/tmp")
    if run:
        _mount("--bind", run, f"{tree}/run")
    user = ":".join(instructions("USER")[-1:])
    (entry,) = yaml.safe_load(instructions("ENTRYPOINT")[-1])
    path = environment()["PATH"].split(":")
    program = next(f"{place}/{entry}" for place in path if os.path.exists(f"{tree}{place}/{entry}"))
    argv = ("setpriv", "--no-new-privs", "chroot", f"--userspec={user}", "--groups=", tree, program, *words)
    os.execvpe(argv[0], argv, {**environment(), "PATH": f"{environment()['PATH']}:/usr/sbin:/sbin"})


def _mount(*arguments: str) -> None:
    subprocess.run(("mount", *arguments), check=True)


# --- what must work in it -----------------------------------------------------------------------------------


def check(tree: Path) -> None:
    """Raises AssertionError for the first thing that does not."""
    code, output = said(tree, "version", "--client", "-o", "json")
    assert code == 0, output
    print(f"bgpctl {yaml.safe_load(output)['client']} runs as {instructions('USER')[-1]}, read-only")
    code, output = said(tree, "lab", "up")
    assert (code, "pip install" in output) == (2, True), output
    assert not [one for one in (tree / "usr" / "bin").iterdir() if one.name in SHELLS], "a shell"
    code, output = said(tree, "config", "set", "order", "guide")
    assert (code, "Read-only" in output) == (2, True), output
    _speaks(tree)


def _speaks(tree: Path) -> None:
    """A speaker in the tree, a real BIRD beside it."""
    from bgpctl.witness.model import RouteState
    from tests.support import objects
    from tests.support.routers import Workshop
    from tests.support.wait import eventually

    with Workshop.running() as workshop, tempfile.TemporaryDirectory(dir="/tmp") as name:
        run = Path(name)
        lab = workshop.router("bird", nodes=1)

        def there() -> bool:
            return lab.probe.routes_from(node.address).routes is RouteState.PRESENT

        node, spec = lab.nodes[0], lab.router.spec
        peer = objects.neighbor(f"{spec.address}/32", spec.asn, peerPort=spec.port)
        state = [objects.node(), objects.policy(objects.router(peer, asn=node.asn))]
        (run / "state.yaml").write_text(yaml.safe_dump_all(state))
        shutil.chown(run, 65532, 65532)
        words = [
            "speaker",
            "run",
            "--node-name",
            "worker-1",
            "--file",
            "/run/state.yaml",
            "--directory",
            "/run/bgpctl",
        ]
        words += ["--listen", f"{node.address}:9180", "--source-address", node.address]
        with running(tree, *words, run=run) as speaker:
            why = "the router has the routes of the speaker in the image"
            eventually(lambda: speaker.poll() is not None or there(), 30, why=why)
            assert speaker.poll() is None, speaker.stdout and speaker.stdout.read()
            print(f"BIRD has {len(lab.probe.routes_from(node.address).paths)} routes of a speaker in it")


def main(arguments: Sequence[str]) -> int:
    """Build, run, and say how large it is."""
    parser = argparse.ArgumentParser(prog="make image-tree ARGS=")
    parser.add_argument("--keep", type=Path, metavar="DIRECTORY", help="leave the tree there")
    chosen = parser.parse_args(arguments)
    if os.geteuid():
        print("make image-tree needs root: it mounts, and changes root and user", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bgpctl-image-") as name:
        tree = chosen.keep or Path(name)
        os.chmod(name, 0o755)
        build(tree)
        check(tree)
        octets = sum(one.lstat().st_size for one in tree.rglob("*") if one.is_file())
        print(f"image tree: {octets / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3], sys.argv[4:])
    raise SystemExit(main(sys.argv[1:]))

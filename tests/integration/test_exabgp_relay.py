"""The relay between ExaBGP's pipes and the speaker: whole lines, one speaker at a time, gone with ExaBGP."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgpctl.exabgp import relay
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The relay as ExaBGP runs it, with our pipes for ExaBGP's."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", relay.__file__, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        eventually((tmp_path / relay.SOCKET).exists)
        yield process
    finally:
        process.kill()
        process.wait()


def speaker(directory: Path) -> socket.socket:
    def connected() -> socket.socket | None:
        sock = socket.socket(socket.AF_UNIX)
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            sock.connect(f"/proc/self/fd/{descriptor}/{relay.SOCKET}")
        except ConnectionRefusedError:
            sock.close()
            return None
        finally:
            os.close(descriptor)
        return sock

    sock = eventually(connected)
    sock.settimeout(10)
    return sock


def tell(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def command(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_lines_go_both_ways_and_the_socket_is_private(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert stat.S_IMODE((tmp_path / relay.SOCKET).stat().st_mode) == 0o600
    with speaker(tmp_path) as sock:
        sock.sendall(b"one\ntwo\n")
        assert (command(running), command(running)) == (b"one\n", b"two\n")
        tell(running, b"event\n")
        assert sock.recv(100) == b"event\n"


def test_half_a_command_of_a_dead_speaker_is_forgotten(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    with speaker(tmp_path) as first:
        first.sendall(b"whole\nhalf")
        assert command(running) == b"whole\n"
    with speaker(tmp_path) as second:
        second.sendall(b"next\n")
        assert command(running) == b"next\n"


def test_a_second_speaker_is_told_who_has_the_engine(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    with speaker(tmp_path) as first:
        first.sendall(b"mine\n")
        assert command(running) == b"mine\n"
        with speaker(tmp_path) as second:
            assert json.loads(second.recv(1000)) == {"event": "refused", "pid": os.getpid()}
            assert second.recv(100) == b""
        tell(running, b"event\n")
        assert first.recv(100) == b"event\n"


def test_a_dead_speaker_that_was_not_noticed_yet_refuses_nobody(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """Its last words wait unread, so the relay has not come to its end-of-file when the next one connects."""
    first = speaker(tmp_path)
    first.sendall(b"last words\n" * 10_000)
    first.close()
    with speaker(tmp_path) as second:
        second.sendall(b"mine\n")
        while (line := command(running)) != b"mine\n":
            assert line == b"last words\n"


def test_the_log_is_kept_short_while_nobody_reads_it(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    log = tmp_path / relay.LOG
    with speaker(tmp_path):
        log.write_bytes(b"x" * (relay.LOG_LIMIT + 1))
    eventually(lambda: log.stat().st_size == 0)


def test_events_without_a_speaker_never_block_exabgp(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    for _ in range(100):
        tell(running, b"x" * 65535 + b"\n")  # more than any pipe holds
    with speaker(tmp_path) as sock:
        sock.sendall(b"ping\n")
        assert command(running) == b"ping\n"
        tell(running, b"now\n")
        assert sock.recv(100) == b"now\n"


def test_it_ends_with_exabgp(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    with speaker(tmp_path) as sock:
        assert running.stdin is not None
        running.stdin.close()
        assert running.wait(10) == 0
        assert sock.recv(100) == b""

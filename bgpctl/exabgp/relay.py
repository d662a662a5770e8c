"""Shuttles lines between ExaBGP's API pipes and the one speaker that is connected to a unix socket.

ExaBGP runs this as its API `process`: stdin carries its events, stdout takes commands. A speaker that dies
and comes back finds its engine again through the socket, so the engine's life does not hang on the speaker's
pipe. While no speaker is there, events are dropped (the next one reads the state anew) and ExaBGP's log is
kept short. Runs as `python -I -S relay.py DIRECTORY`: stdlib only, imports nothing of ours. Ends when ExaBGP
does.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import selectors
import socket
import struct
import sys

SOCKET = "engine.sock"
LOG = "exabgp.log"
LOG_LIMIT = 1 << 20
STDIN, STDOUT = 0, 1
READ_SIZE = 1 << 16
# What a stuck speaker may cost in memory before it is cut off; a pause in its reading is far below this.
MAX_BACKLOG = 16 << 20
# Commands wait here while ExaBGP is busy; beyond this the speaker's writes block instead.
MAX_COMMANDS = 4 << 20
LOOK_SECONDS = 60.0  # how often the log is looked at while there is no speaker, who does that otherwise


class Lines:
    """Bytes in, whole lines out; the rest waits."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The lines that are whole now, as octets with their ends; b"" = none."""
        whole, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        return whole + newline


class Relay:
    """One listener, at most one speaker: a second one is told who has the engine, and goes."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._speaker: socket.socket | None = None
        self._events, self._commands = Lines(), Lines()
        self._to_speaker = bytearray()
        self._to_exabgp = bytearray()

    def run(self) -> None:
        """Until ExaBGP closes its end."""
        os.set_blocking(STDOUT, False)
        self._selector.register(STDIN, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ)
        while True:
            self._watch()
            if self._speaker is None:
                keep_short(LOG)
            for key, mask in self._selector.select(LOOK_SECONDS if self._speaker is None else None):
                if key.fd == STDIN:
                    if not self._read_events():
                        return
                elif key.fd == STDOUT:
                    self._write_commands()
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._speaker:
                    self._serve(mask)

    def _watch(self) -> None:
        self._want(STDOUT, selectors.EVENT_WRITE if self._to_exabgp else 0)
        if self._speaker is not None:
            reading = selectors.EVENT_READ if len(self._to_exabgp) < MAX_COMMANDS else 0
            self._want(self._speaker, reading | (selectors.EVENT_WRITE if self._to_speaker else 0))

    def _want(self, stream: int | socket.socket, events: int) -> None:
        known = self._selector.get_map().get(stream)
        if known is None and events:
            self._selector.register(stream, events)
        elif known is not None and not events:
            self._selector.unregister(stream)
        elif known is not None and known.events != events:
            self._selector.modify(stream, events)

    def _read_events(self) -> bool:
        data = os.read(STDIN, READ_SIZE)
        lines = self._events.feed(data)
        if self._speaker is not None:
            self._to_speaker += lines
            if len(self._to_speaker) > MAX_BACKLOG:
                self._hang_up()
        return bool(data)

    def _write_commands(self) -> None:
        with contextlib.suppress(BlockingIOError):
            del self._to_exabgp[: os.write(STDOUT, self._to_exabgp[:READ_SIZE])]

    def _accept(self) -> None:
        comer, _ = self._listener.accept()
        comer.setblocking(False)
        if self._speaker is not None and not gone(self._speaker):
            refused = {"event": "refused", "pid": process_of(self._speaker)}
            with comer, contextlib.suppress(OSError):
                comer.send(json.dumps(refused).encode() + b"\n")
            return
        self._hang_up()
        self._speaker = comer

    def _serve(self, mask: int) -> None:
        speaker = self._speaker
        if speaker is None:
            return
        try:
            if mask & selectors.EVENT_WRITE:
                del self._to_speaker[: speaker.send(self._to_speaker[:READ_SIZE])]
            if mask & selectors.EVENT_READ:
                data = speaker.recv(READ_SIZE)
                self._to_exabgp += self._commands.feed(data)
                if not data:
                    self._hang_up()
        except BlockingIOError:
            return
        except OSError:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._speaker is not None:
            self._want(self._speaker, 0)
            self._speaker.close()
        self._speaker = None
        self._commands = Lines()
        self._to_speaker.clear()


def gone(peer: socket.socket) -> bool:
    """Has the process at the other end closed it, or died? Its last words may still wait to be read."""
    poller = select.poll()
    poller.register(peer, select.POLLRDHUP)
    return bool(poller.poll(0))


def process_of(peer: socket.socket) -> int:
    """The process id at the other end, 0 when it lives in a container that we cannot see into."""
    return credentials_of(peer)[0]


def credentials_of(peer: socket.socket) -> tuple[int, int]:
    """Process and user at the other end (struct ucred of unix(7))."""
    pid, uid, _ = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def keep_short(log: str) -> None:
    """ExaBGP appends to it, so it goes on at the beginning. The engine ends with us: no log is worth that."""
    with contextlib.suppress(OSError):
        if os.path.getsize(log) > LOG_LIMIT:
            os.truncate(log, 0)


def main(directory: str) -> None:
    """Serves SOCKET in `directory` until ExaBGP goes; a socket that an earlier one left is replaced."""
    # Relative, because the path of a unix socket is limited to 107 bytes.
    os.chdir(directory)
    os.umask(0o177)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(SOCKET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(SOCKET)
        listener.listen(4)
        Relay(listener).run()


if __name__ == "__main__":
    main(sys.argv[1])

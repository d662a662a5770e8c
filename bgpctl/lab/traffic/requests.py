"""Who asks, and who answers: a numbered datagram to an address, and the answering node's name.

    python -m bgpctl.lab.traffic.requests answer NODE ADDRESS…
    python -m bgpctl.lab.traffic.requests ask ADDRESS…

`ask` prints an empty line, then sends RATE requests a second until its input is closed, MOST at most, to the
addresses in turn and on FLOWS flows in turn, waits for what is still on its way, and prints what became of
each as JSON. Nothing is sent twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from errno import ECONNREFUSED

from bgpctl.lab.routers.process import die_with_parent
from bgpctl.lab.traffic.counting import Request
from bgpctl.lab.traffic.network import Host
from bgpctl.lab.waiting import until

PORT = 80
RATE, MOST, FLOWS = 400.0, 120_000, 400
LATE_SECONDS = 3.0
"""An answer may take so long: what is lost never comes, what is late is the machine's fault."""
STARTS_SECONDS = 30.0
COUNT_SECONDS = 60.0
_IP_RECVERR = 11  # linux/in.h: ICMP errors, with the datagram that each is about
_LONGEST = 128  # octets of a datagram
_REFUSED = "!"  # in the place of a node's name


# --- from outside -------------------------------------------------------------------------------------------


def answering(host: Host, node: str, addresses: Sequence[str]) -> subprocess.Popen[bytes]:
    """The process that answers there, once it does. It ends with its namespace, or with us."""
    with host.inside():
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, "answer", node, *addresses],
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's ^C is for us alone
            preexec_fn=die_with_parent(os.getpid()),
        )
    bound = f":{PORT:04X} "
    until(
        lambda: host.run("cat", "/proc/net/udp").count(bound) >= len(addresses),
        STARTS_SECONDS,
        f"{node} answers",
    )
    return process


@contextmanager
def asking(host: Host, addresses: Sequence[str]) -> Iterator[Callable[[], list[Request]]]:
    """Requests are sent meanwhile. What it hands out ends that, and tells what became of each."""
    with host.inside():
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, "ask", *addresses],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),
        )
    assert process.stdout is not None
    process.stdout.readline()  # a busy machine takes its time to start it

    def stop() -> list[Request]:
        out, _ = process.communicate(timeout=COUNT_SECONDS)
        return [_read(addresses, number, at, said) for number, (at, said) in enumerate(json.loads(out))]

    try:
        yield stop
    finally:
        process.kill()
        process.wait()


def _read(addresses: Sequence[str], number: int, at: float, said: str) -> Request:
    turn, which = divmod(number, len(addresses))
    refused = said == _REFUSED
    return Request(at, "" if refused else said, addresses[which], turn % flows(addresses), refused)


def flows(addresses: Sequence[str]) -> int:
    """How many each address has."""
    return FLOWS // len(addresses)


# --- inside -------------------------------------------------------------------------------------------------


def answer(node: str, addresses: Sequence[str]) -> None:
    """For ever."""
    with selectors.DefaultSelector() as waiting:
        for address in addresses:
            here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            here.bind((address, PORT))
            waiting.register(here, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                here = key.fileobj  # type: ignore[assignment]
                with contextlib.suppress(OSError):
                    number, asked_by = here.recvfrom(_LONGEST)
                    here.sendto(number + b" " + node.encode(), asked_by)


def ask(addresses: Sequence[str], rate: float = RATE, most: int = MOST) -> None:
    """In time by the schedule: a late one is made up for."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    sent: list[float] = []
    answers: dict[int, str] = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(sys.stdin, selectors.EVENT_READ)
        lines = [_line(waiting, address) for _ in range(flows(addresses)) for address in addresses]
        print(flush=True)
        began = time.time()
        while len(sent) < most and _hear(waiting, answers, began + len(sent) / rate):
            _send(lines[len(sent) % len(lines)], b"%d" % len(sent))
            sent.append(time.time())
        with contextlib.suppress(KeyError):
            waiting.unregister(sys.stdin)
        _hear(waiting, answers, time.time() + LATE_SECONDS)
    json.dump([(at, answers.get(number, "")) for number, at in enumerate(sent)], sys.stdout)


def _line(waiting: selectors.BaseSelector, address: str) -> socket.socket:
    """A flow: a socket with a port of its own."""
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    line.setblocking(False)
    line.bind(("", 0))
    line.connect((address, PORT))
    waiting.register(line, selectors.EVENT_READ, line)
    return line


def _send(line: socket.socket, number: bytes) -> None:
    """The error of one that was sent before is told in place of sending."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            line.send(number)
            return


def _hear(waiting: selectors.BaseSelector, answers: dict[int, str], end: float) -> bool:
    """Take answers in until then; False = nobody wants more requests."""
    while True:
        for key, _ in waiting.select(max(0.0, end - time.time())):
            if key.data is None:
                return False
            answers |= _errors(key.data)
            with contextlib.suppress(OSError):  # an error that was told above
                number, _, node = key.data.recv(_LONGEST).decode().partition(" ")
                answers[int(number)] = node
        if time.time() >= end:
            return True


def _errors(line: socket.socket) -> dict[int, str]:
    """The requests that were refused, of the ICMP errors that wait: each carries its datagram."""
    found: dict[int, str] = {}
    with contextlib.suppress(BlockingIOError):
        while True:
            number, more, _, _ = line.recvmsg(_LONGEST, 256, socket.MSG_ERRQUEUE)
            if any(struct.unpack_from("=I", error)[0] == ECONNREFUSED for _, _, error in more):
                found[int(number)] = _REFUSED
    return found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["answer", node, *addresses]:
            answer(node, addresses)
        case ["ask", *addresses]:
            ask(addresses)

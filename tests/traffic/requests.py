"""Who asks, and who answers: a datagram to a Service's address, and the answering node's name.

    python -m tests.traffic.requests answer ADDRESS NODE
    python -m tests.traffic.requests ask ADDRESS RATE MOST

`ask` prints an empty line, then sends until its input is closed, at most MOST, each from a port of its own,
waits for what is still on its way, and prints what became of each as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
import time

PORT = 80
LATE_SECONDS = 3.0
"""An answer may take so long: what is lost never comes, what is late is the machine's fault."""


def answer(address: str, node: str) -> None:
    """For ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind((address, PORT))
        while True:
            _, asked_by = here.recvfrom(64)
            with contextlib.suppress(OSError):
                here.sendto(node.encode(), asked_by)


def ask(address: str, rate: float, most: int) -> None:
    """In time by the schedule: a late one is made up for."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    sent: list[float] = []
    answers: dict[int, str] = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(sys.stdin, selectors.EVENT_READ)
        print(flush=True)
        began = time.time()
        while len(sent) < most and _hear(waiting, answers, began + len(sent) / rate):
            with contextlib.suppress(OSError):  # an ICMP error of one that was sent before
                line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                line.setblocking(False)
                waiting.register(line, selectors.EVENT_READ, len(sent))
                line.connect((address, PORT))
                line.send(b"?")
            sent.append(time.time())
        with contextlib.suppress(KeyError):
            waiting.unregister(sys.stdin)
        _hear(waiting, answers, time.time() + LATE_SECONDS)
    json.dump([(at, answers.get(number, "")) for number, at in enumerate(sent)], sys.stdout)


def _hear(waiting: selectors.BaseSelector, answers: dict[int, str], until: float) -> bool:
    """Take answers in until then; False = nobody wants more requests."""
    while True:
        for key, _ in waiting.select(max(0.0, until - time.time())):
            if key.data is None:
                return False
            line = key.fileobj
            assert isinstance(line, socket.socket)
            with contextlib.suppress(OSError):  # refused or unreachable: no answer
                answers[key.data] = line.recv(64).decode()
            waiting.unregister(line)
            line.close()
        if time.time() >= until:
            return True


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["answer", address, node]:
            answer(address, node)
        case ["ask", address, rate, most]:
            ask(address, float(rate), int(most))

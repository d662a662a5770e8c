"""The operator's own readiness checks: a URL, a command, and when they are asked."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bgpctl.errors import UsageError
from bgpctl.speaker import readiness as module
from bgpctl.speaker.readiness import NOT_ASKED, Readiness, of_command, of_url
from tests.support.wait import eventually, throughout

# --- when it is asked -------------------------------------------------------------------------------------


class Asked:
    """A check that counts."""

    def __init__(self) -> None:
        self.answer, self.count, self.rung = "no", 0, 0
        self.readiness = Readiness([self.check], self.ring, every=0.01)

    def check(self) -> str:
        self.count += 1
        return self.answer

    def ring(self) -> None:
        self.rung += 1


def test_without_checks_it_is_always_yes() -> None:
    none = Readiness()
    none.want(True)
    assert none.unconfirmed == "" and none._thread is None


def test_it_is_asked_while_somebody_waits_and_by_nobody_else() -> None:
    one = Asked()
    assert one.readiness.unconfirmed == NOT_ASKED
    throughout(lambda: one.count == 0, 0.1)
    one.readiness.want(True)
    eventually(lambda: one.count > 3, interval=0.01)
    assert (one.readiness.unconfirmed, one.rung) == ("no", 1), "an answer that stays the same rings once"
    one.answer = ""
    eventually(lambda: one.rung == 2, interval=0.01)
    assert one.readiness.unconfirmed == ""
    one.readiness.want(False)
    seen = one.count
    throughout(lambda: one.count <= seen + 1, 0.1)


def test_a_yes_of_before_does_not_open_the_next_time() -> None:
    one = Asked()
    one.answer = ""
    one.readiness.want(True)
    eventually(lambda: not one.readiness.unconfirmed, interval=0.01)
    one.readiness.want(False)
    one.answer = "no"
    assert one.readiness.unconfirmed == NOT_ASKED
    one.readiness.want(True)
    assert one.readiness.unconfirmed == NOT_ASKED
    eventually(lambda: one.readiness.unconfirmed == "no", interval=0.01)


def test_an_answer_that_comes_too_late_for_its_question_is_dropped() -> None:
    asked, answer, rung = threading.Event(), threading.Event(), []

    def slow() -> str:
        asked.set()
        answer.wait(5)
        return ""

    one = Readiness([slow], lambda: rung.append(1), every=60)
    one.want(True)
    assert asked.wait(5)
    one.want(False)
    one.want(True)
    answer.set()
    throughout(lambda: one.unconfirmed == NOT_ASKED and not rung, 0.1)


def test_all_checks_must_agree() -> None:
    one = Readiness([lambda: "a", lambda: "", lambda: "b"], every=0.01)
    one.want(True)
    eventually(lambda: one.unconfirmed == "a; b", interval=0.01)


# --- a URL ------------------------------------------------------------------------------------------------


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Answers each connection with the next one; the last stays."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            left = list(answers)
            while True:
                try:
                    stream, _ = listener.accept()
                except OSError:
                    return
                with stream:
                    heard.append(stream.recv(4096))
                    stream.sendall(left.pop(0) if len(left) > 1 else left[0])

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 204 x\r\n", ""),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "answers 503"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "answers 302"),
        (b"SSH-2.0-OpenSSH\r\n", "answers no HTTP"),
        (b"\xff" * 5000, "answers no HTTP"),
        (b"", "answers no HTTP"),
    ],
)
def test_a_url(answer: bytes, words: str) -> None:
    with server(answer) as (url, heard):
        found = of_url(f"{url}/healthz?token=s3cret")()
    assert found == (f"{url}/healthz {words}" if words else "")
    assert heard[0].startswith(b"GET /healthz?token=s3cret HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nConnection: close\r\n" in heard[0]


def test_a_url_that_nobody_serves() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert (
        of_url(f"http://127.0.0.1:{port}")() == f"http://127.0.0.1:{port} cannot be asked: Connection refused"
    )


def test_who_answers_slowly_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One octet at a time restarts every time-out of a socket, but not ours."""
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            stream, _ = listener.accept()
            with stream:
                try:
                    while True:
                        stream.send(b"H")
                        time.sleep(0.05)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        found = of_url(f"http://127.0.0.1:{listener.getsockname()[1]}")()
        assert "cannot be asked: TimeoutError" in found
        assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "healthz",
        "ftp://127.0.0.1/x",
        "http://",
        "http:///x",
        "http://[::1",
        "http://127.0.0.1:http",
        "http://127.0.0.1:99999",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nX: y",
        "http://\u00e9.example",
        "http://root:hunter2@127.0.0.1/",
        "http://root:hun/ter2@127.0.0.1/",
    ],
)
def test_nonsense_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        of_url(url)
    assert "--ready-url" in raised.value.message and "hunter2" not in raised.value.message
    assert "http://127.0.0.1:10256/healthz" in raised.value.hint
    assert "\n" not in raised.value.message


# --- a command --------------------------------------------------------------------------------------------


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def test_a_command() -> None:
    assert of_command(python(""))() == ""
    assert of_command(python("exit(3)"))() == f"{sys.executable} ended with 3"
    assert (
        of_command(("/nowhere/ready", "s3cret"))()
        == "/nowhere/ready cannot be run: No such file or directory"
    )
    assert "cannot be run" in of_command(("a\0b",))()


def test_a_command_that_hangs_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 1.0)
    pid = tmp_path / "pid"
    found = of_command(("sh", "-c", f"sleep 60 & echo $! >{pid}; wait"))()
    assert found == "sh did not end within 1 s"
    child = Path("/proc") / pid.read_text().strip()
    eventually(lambda: not child.exists() or "Z" in (child / "stat").read_text().split(") ")[1][:1])

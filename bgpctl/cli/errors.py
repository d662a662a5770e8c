"""What the user sees when something fails: one message, one hint, an exit code. Never a traceback.

With `-o json` the same ends as one document on stdout. A bug leaves its traceback in a private file.
"""

from __future__ import annotations

import atexit
import contextlib
import difflib
import errno
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from bgpctl.cli.program import typed
from bgpctl.errors import BgpctlError, Exit

_STATUS = {
    Exit.USAGE: "usage",
    Exit.BLOCKED: "blocked",
    Exit.DEADLINE: "deadline",
    Exit.INTERRUPTED: "interrupted",
}
# What a write says whose file system, quota or device is full or broken. Files that commands write themselves
# are named in their errors.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_UNHEARD = "make room, or write elsewhere; running the same command again is safe"
HURRY_SECONDS = 3.0  # in which a run that was interrupted ends as it should
_PLEASE = "please report this; running the same command again is safe"


@contextlib.contextmanager
def guard(command: str, output: str = "text", *, resumable: bool = False) -> Iterator[None]:
    """Run a command's body; whatever leaves it ends the process with its exit code.

    `command` is its name in documents ("node drain"). `resumable`: ^C, SIGTERM and SIGHUP tell how to go on.
    """
    if resumable:
        once = _Interrupt()
        signal.signal(signal.SIGTERM, once)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup(1) ignores it
            signal.signal(signal.SIGHUP, once)
        signal.signal(signal.SIGINT, once)
    try:
        yield
        sys.stdout.flush()
    except BgpctlError as error:
        _fail(command, output, error.told, typed().aimed(error.hint), error.exit_code)
    except BrokenPipeError as error:
        if not _reader_left():
            _bug(command, output, error)
        _close_pipe()
        raise SystemExit(int(Exit.DONE)) from None  # of `logs -f`, a watch, --help: nothing went wrong
    except KeyboardInterrupt:
        if not resumable and output != "json":
            # ^C is how one ends a watch: nothing went wrong.
            raise SystemExit(int(Exit.INTERRUPTED)) from None
        status = typed().other("node", "status") if resumable else ""
        hint = f"resume with: {typed()}\nto see what is true of the nodes now: {status}" if resumable else ""
        _fail(command, output, "interrupted", hint, Exit.INTERRUPTED)
    except OSError as error:
        if error.filename is None and error.errno in _FULL:
            _close_pipe()
            message = f"cannot write to standard output: {error.strerror}"
            _fail(command, "text", message, _UNHEARD, Exit.FAILED)
        _bug(command, output, error)
    except Exception as error:
        _bug(command, output, error)


class _Interrupt:
    """A maintenance script's `timeout` sends SIGTERM, a terminal that is closed SIGHUP: they end a run as ^C
    does and give the Lease back. A second one, of somebody in a hurry, does not disturb that, unless it takes
    long. The first is the last thing that happens to this process: at its very end it would be killed by the
    next."""

    def __init__(self) -> None:
        self._first: float | None = None

    def __call__(self, *_: object) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now
            atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
        elif now - self._first < HURRY_SECONDS:
            return
        raise KeyboardInterrupt


@contextlib.contextmanager
def parsing(program: str, arguments: Sequence[str]) -> Iterator[None]:
    """Around the parser: its complaints look like ours. typer's exceptions are private, so they are told by
    what they can do (`format_message`)."""
    words = [word for word in arguments if not word.startswith("-")]
    command, output = " ".join(words[:2]), "json" if _wants_json(arguments) else "text"
    with guard(command, output):
        try:
            yield
        except SystemExit as end:
            # The parser has its own rule for `--help | true`: a silent 1.
            if isinstance(end.__context__, BrokenPipeError) and _reader_left():
                raise end.__context__ from None
            raise
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            ctx = getattr(error, "ctx", None)
            path = ctx.command_path if ctx else program
            message = str(error.format_message()).strip()
            if type(error).__name__ == "NoArgsIsHelpError":
                print(message, file=sys.stderr)
                raise SystemExit(int(Exit.USAGE)) from None
            shown = path.removeprefix(program).strip() or command
            first = path == program and _meant(message, arguments)
            hint = first or _instead(error, arguments) or f"see `{path} --help`"
            _fail(shown, output, message.rstrip("."), hint, Exit.USAGE)


def _meant(message: str, arguments: Sequence[str]) -> str:
    """The whole command where a verb was typed without its noun (`bgpctl drain n1`, or `dran`); "" = it is
    another error."""
    found = re.match("No such command '(.+?)'", message)
    if found is None or found[1] not in arguments or "Did you mean" in message:
        return ""
    at, program = list(arguments).index(found[1]), typed().program
    groups = {noun: getattr(group, "commands", {}) for noun, group in _root().commands.items()}
    verbs = {verb for commands in groups.values() for verb in commands}
    near = difflib.get_close_matches(found[1], verbs, 1, 0.75)
    nouns = [noun for noun, commands in groups.items() if near and near[0] in commands]
    whole = [shlex.join((*arguments[:at], noun, near[0], *arguments[at + 1 :])) for noun in nouns]
    return "\n".join(f"{'or' if n else 'did you mean'}: {program} {words}" for n, words in enumerate(whole))


def _instead(error: Exception, arguments: Sequence[str]) -> str:
    """What to type where a switch was given a value, as kubectl takes it (`--ignore-daemonsets=false`); "" =
    it is another error."""
    option = str(getattr(error, "option_name", ""))
    word = next((word for word in arguments if option and word.startswith(f"{option}=")), "")
    opposite = f"--no-{option[2:]}"
    match word.removeprefix(f"{option}=").lower():
        case "true" | "t" | "1":
            return f"it is a switch: write {option}"
        case "false" | "f" | "0":
            off = f"write {opposite}" if _is_flag(opposite) else "it is off unless it is given"
            return f"it is a switch: {off}"
    return ""


def _is_flag(flag: str) -> bool:
    """Has any command a flag of this name?"""
    commands: list[Any] = [_root()]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
    return any(flag in parameter.secondary_opts for one in commands for parameter in one.params)


def _root() -> Any:
    from typer.main import get_command

    from bgpctl.cli.app import app

    return get_command(app)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Was JSON asked for, even though the line could not be parsed?"""
    pairs = zip(arguments, [*arguments, ""][1:], strict=True)
    return any(
        word in ("-ojson", "-o=json", "--output=json") or (word in ("-o", "--output") and value == "json")
        for word, value in pairs
    )


def _fail(command: str, output: str, message: str, hint: str, code: Exit) -> NoReturn:
    """What cannot be said on one stream is said on the other."""
    try:
        sys.stdout.flush()
        if output == "json":
            _tell_json(command, message, hint, code)
    except OSError:
        _close_pipe()
    with contextlib.suppress(OSError):
        _tell(message, hint)
    raise SystemExit(int(code))


def _tell_json(command: str, message: str, hint: str, code: Exit) -> None:
    from bgpctl.render.envelope import envelope, write_json

    status = _STATUS.get(code, "failed")
    write_json(envelope(command, status, message=message, hint=hint or None), one_line=True)


def _tell(message: str, hint: str) -> None:
    from bgpctl.render.terminal import width
    from bgpctl.render.text import hint_lines, wrapped

    columns, head = width(sys.stderr), "error: "
    room = None if columns is None else columns - len(head)
    rows = [row for text in message.splitlines() or [""] for row in wrapped(text, room)]
    for number, row in enumerate(rows):
        print(f"{head if number == 0 else ' ' * len(head)}{row}", file=sys.stderr)
    for text in hint_lines(hint, columns):
        print(text, file=sys.stderr)


def _reader_left() -> bool:
    from bgpctl.render.heard import closed

    return closed()


def _close_pipe() -> None:
    """The reader went away (`| head`)."""
    from bgpctl.render.heard import silence

    silence()


def _bug(command: str, output: str, error: Exception) -> NoReturn:
    """Exit 1 with one line; the traceback goes to a file of the user's own."""
    where = _write_report(command, error)
    report = f"a report was written to {where}" if where else "no report could be written"
    summary = (str(error).splitlines() or [""])[0][:200]
    message = f"bug: {type(error).__name__}: {summary}; {report}"
    _fail(command, output, message, _PLEASE, Exit.FAILED)


def _write_report(command: str, error: Exception) -> str:
    """The crash report's path, "" when it cannot be written. Values of flags stay out: commands and probes
    may hold passwords. mkstemp makes the file 0600."""
    import platform
    import tempfile
    import traceback

    from bgpctl import __version__

    flags = [word.split("=")[0] for word in sys.argv[1:] if word.startswith("-")]
    head = f"bgpctl {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    head += f"command: {command}; flags: {' '.join(flags) or 'none'}\n\n"
    try:
        handle, path = tempfile.mkstemp(prefix="bgpctl-crash-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(head + "".join(traceback.format_exception(error)))
    except OSError:
        return ""
    return path

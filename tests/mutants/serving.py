"""Run the tests against one mutant after the other, each in a forked child that ends with it.

Most mutants change the body of a function: the child of a process that collected all tests exchanges its
code. The rest (constants, tables, defaults) need a child that has not imported the product yet.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tests.mutants import harness, importing, workers
from tests.mutants.choosing import Choice
from tests.mutants.seeing import Seen
from tests.mutants.settings import CPU_LIMIT, MEMORY_LIMIT, WALL_LIMIT
from tests.mutants.source import Mutant
from tests.mutants.swapping import Functions

# A child that imports the product imports the tests of so many files before those of the rest.
FIRST_FILES = 3

Word = Literal["killed", "timeout", "survived", "unseen", "anew", "invalid"]

# What every test imports and no mutant is in.
OTHERS = (
    "yaml",
    "typer",
    "rich.console",
    "rich.table",
    "rich.live",
    "kubernetes.client",
    "kubernetes.config",
)

_WORDS: dict[int, Word] = {0: "survived", 1: "killed", 2: "anew", 3: "invalid", -signal.SIGPROF: "timeout"}
_CODES = {word: code for code, word in _WORDS.items()}


@dataclass(frozen=True)
class Outcome:
    """What became of the mutant with this number. `unseen`: no test executes it; `anew`: only a process
    that has not imported the product can tell; `invalid`: it is no Python."""

    number: int
    word: Word
    by: str = ""


class Results:
    """Outcomes in a file, appended by several processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def add(self, outcome: Outcome) -> None:
        line = json.dumps([outcome.number, outcome.word, outcome.by]) + "\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(file, line.encode())
        os.close(file)

    def read(self) -> Iterator[Outcome]:
        """The last word on each."""
        lines = self._path.read_text().splitlines()
        return iter(
            {outcome.number: outcome for outcome in (Outcome(*json.loads(line)) for line in lines)}.values()
        )


# Runs tests against a mutant, writes the name of the one that kills it to the file descriptor.
Child = Callable[[Mutant, Sequence[Seen], int], Word]


def serve_warm(
    mutants: Mapping[int, Mutant],
    queue: workers.Queue,
    choice: Choice,
    results: Results,
    scratch: str,
    imported: frozenset,
) -> None:
    """Those in functions. One whose function ran while something was imported is told anew if it survives."""

    def take(items: list[pytest.Item]) -> None:
        harness.warm_up()
        by_name = {item.nodeid: item for item in items}
        files = {str(mutant.source.file) for mutant in mutants.values()}
        functions = Functions(sorted(files))

        def child(mutant: Mutant, tests: Sequence[Seen], told: int) -> Word:
            if not functions.become(mutant.compiled()):
                return "anew"
            for test in tests:
                _limit_cpu(test.seconds)
                if not harness.passes(by_name[test.name]):
                    os.write(told, test.name.encode())
                    return "killed"
            early = (mutant.source.path, mutant.line) in imported
            return "anew" if early else "survived"

        gc.collect()
        gc.freeze()
        _serve(mutants, queue, choice, results, child)

    names = sorted({test.file for test in choice.known.tests})
    harness.collect(names, scratch, take)


def serve_cold(
    mutants: Mapping[int, Mutant], queue: workers.Queue, choice: Choice, results: Results, scratch: str
) -> None:
    """Those that only an import shows."""
    for name in OTHERS:
        importlib.import_module(name)
    harness.warm_up()

    def child(mutant: Mutant, tests: Sequence[Seen], told: int) -> Word:
        importing.exchange({mutant.source.module: (str(mutant.source.file), mutant.compiled)})
        files = list(dict.fromkeys(test.file for test in tests))
        for some in (files[:FIRST_FILES], files[FIRST_FILES:]):
            by = _first_failure([test for test in tests if test.file in some], scratch) if some else None
            if by is not None:
                os.write(told, by.encode())
                return "killed"
        return "survived"

    gc.collect()
    gc.freeze()
    _serve(mutants, queue, choice, results, child)


def _first_failure(tests: Sequence[Seen], scratch: str) -> str | None:
    """Collect these tests and run them in order; the name of the one that fails, None = none does."""
    order = {test.name: test for test in tests}
    failure: str | None = ""  # unless they can be collected

    def take(items: list[pytest.Item]) -> None:
        nonlocal failure
        by_name = {item.nodeid: item for item in items}
        for name, test in order.items():
            _limit_cpu(test.seconds)
            if not harness.passes(by_name[name]):
                failure = name
                return
        failure = None

    _limit_cpu(1.0)
    harness.collect(list(order), scratch, take)
    return failure


def _serve(
    mutants: Mapping[int, Mutant],
    queue: workers.Queue,
    choice: Choice,
    results: Results,
    child: Child,
) -> None:
    for number in queue:
        mutant = mutants[number]
        tests = choice.tests(mutant)
        word, by = _judged(lambda told: child(mutant, tests, told)) if tests else ("unseen", "")  # noqa: B023
        if by:
            choice.killed(mutant, by)
        results.add(Outcome(number, word, by))


def _judged(child: Callable[[int], Word]) -> tuple[Word, str]:
    """Let a child find out; its answer, and the test that killed."""
    told, tell = os.pipe()
    os.set_blocking(told, False)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        try:
            os._exit(_CODES[child(tell)])
        except SyntaxError:
            os._exit(_CODES["invalid"])

    pid = workers.fork(work)
    os.close(tell)
    watch = os.pidfd_open(pid)
    ended = bool(select.select([watch], [], [], WALL_LIMIT)[0])
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # it, or what its tests left running
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    by = ""
    with suppress(BlockingIOError):
        by = os.read(told, 4096).decode()
    os.close(told)
    os.close(watch)
    return (_WORDS.get(code, "killed") if ended else "timeout"), by


def _limit_cpu(seconds: float) -> None:
    """From now on so much CPU, or SIGPROF ends the process: a mutant that loops for ever is killed."""
    constant, factor = CPU_LIMIT
    signal.setitimer(signal.ITIMER_PROF, constant + factor * seconds)

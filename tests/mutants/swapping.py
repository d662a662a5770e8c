"""Exchange the code of functions that live already, wherever somebody holds them.

Who imported a function, or decorated it, holds the function; its code is one attribute of it. So a mutant
costs no import.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from types import CodeType, FunctionType

Key = tuple[str, str, int]  # the file, the qualified name, the first line


class Functions:
    """Every function of these files that lives in this process."""

    def __init__(self, files: Sequence[str]) -> None:
        wanted = set(files)
        self._found: dict[Key, list[FunctionType]] = {}
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType) and thing.__code__.co_filename in wanted:
                self._found.setdefault(_key(thing.__code__), []).append(thing)

    def become(self, module: CodeType) -> bool:
        """Make them what the module's code says. False: some, or what it says elsewhere, cannot be."""
        new: dict[Key, list[CodeType]] = {}
        for code in _inner(module):
            new.setdefault(_key(code), []).append(code)
        changed = False
        for key, codes in new.items():
            for function in self._found.get(key, ()):
                if function.__code__ == codes[0]:
                    continue
                if len(codes) > 1 or function.__code__.co_freevars != codes[0].co_freevars:
                    return False
                function.__code__ = codes[0]
                changed = True
        return changed


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)


def _key(code: CodeType) -> Key:
    return code.co_filename, code.co_qualname, code.co_firstlineno

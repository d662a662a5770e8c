"""Modules of the product, compiled from another tree than the one in their file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType

Compiled = Callable[[], CodeType]


class Loader(SourceFileLoader):
    """Loads a file's module from `compiled`."""

    def __init__(self, name: str, path: str, compiled: Compiled) -> None:
        super().__init__(name, path)
        self._compiled = compiled

    def get_code(self, fullname: str) -> CodeType:
        return self._compiled()


class Finder:
    """Finds the modules that are to be something else: name -> (file, code)."""

    def __init__(self, modules: Mapping[str, tuple[str, Compiled]]) -> None:
        self._modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._modules:
            return None
        file, compiled = self._modules[name]
        return spec_from_file_location(name, file, loader=Loader(name, file, compiled))


def exchange(modules: Mapping[str, tuple[str, Compiled]]) -> None:
    """From now on these modules, not imported yet, are what `compiled` gives."""
    assert not modules.keys() & sys.modules.keys()
    sys.meta_path.insert(0, Finder(modules))  # type: ignore[arg-type]

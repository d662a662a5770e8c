"""Where router programs live: not only on an ordinary user's PATH."""

from __future__ import annotations

import os
import shutil

_PLACES = os.pathsep.join(("/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin"))


def program(*names: str) -> str | None:
    """The first of the given names or absolute paths that can be executed, as a path."""
    for name in names:
        if found := shutil.which(name) or shutil.which(name, path=_PLACES):
            return found
    return None
